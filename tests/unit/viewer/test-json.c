/* SPDX-License-Identifier: MIT */
/*
 * test-json.c - the writer's text, byte by byte, and what it refuses
 */
#include <glib.h>
#include <locale.h>

#include "out/inert.h"
#include "out/json.h"

struct fixture {
    struct ct_out *out;
    struct ct_json json;
};

static void set_up(struct fixture *fixture, const void *data)
{
    fixture->out = ct_out_memory();
    ct_json_init(&fixture->json, fixture->out);
}

static void tear_down(struct fixture *fixture, const void *data)
{
    g_assert_true(ct_out_close(fixture->out, false, NULL));
}

static void expect(struct fixture *fixture, const char *text)
{
    *ct_out_room(fixture->out) = '\0';
    g_assert_cmpstr(fixture->out->buffer, ==, text);
    fixture->out->used_bytes = 0;
}

static void test_nesting(struct fixture *fixture, const void *data)
{
    struct ct_json *json = &fixture->json;

    ct_json_object(json);
    ct_json_key(json, "a");
    ct_json_array(json);
    ct_json_array_end(json);
    ct_json_key(json, "b");
    ct_json_array(json);
    ct_json_u64(json, 1);
    ct_json_object(json);
    ct_json_object_end(json);
    ct_json_object(json);
    ct_json_key(json, "c");
    ct_json_null(json);
    ct_json_key(json, "d");
    ct_json_bool(json, true);
    ct_json_object_end(json);
    ct_json_bool(json, false);
    ct_json_array_end(json);
    ct_json_key(json, "e");
    ct_json_verbatim(json, "[1]", 3);
    ct_json_object_end(json);
    ct_json_line(json);
    ct_json_u64(json, 2);
    ct_json_line(json);
    expect(fixture, "{\"a\":[],\"b\":[1,{},{\"c\":null,\"d\":true},false],"
                    "\"e\":[1]}\n2\n");
}

static void test_lines(struct fixture *fixture, const void *data)
{
    struct ct_json *json = &fixture->json;

    ct_json_array(json);
    json->lines_depth = json->depth;
    ct_json_u64(json, 1);
    ct_json_array(json);
    ct_json_u64(json, 2);
    ct_json_u64(json, 3);
    ct_json_array_end(json);
    ct_json_array_end(json);
    expect(fixture, "[\n1,\n[2,3]]");
}

/* As the key and the number by themselves. */
static void test_members(struct fixture *fixture, const void *data)
{
    struct ct_json *json = &fixture->json;

    ct_json_object(json);
    ct_json_i64_of(json, "a", true, INT64_MIN);
    ct_json_u64_of(json, "b", true, UINT64_MAX);
    ct_json_i64_of(json, "c", false, -1);
    ct_json_u64_of(json, "d", false, 1);
    ct_json_key(json, "e");
    ct_json_object(json);
    ct_json_u64_of(json, "f", true, 0);
    ct_json_object_end(json);
    ct_json_i64_of(json, "g", true, -10);
    ct_json_object_end(json);
    expect(fixture, "{\"a\":-9223372036854775808,\"b\":18446744073709551615,"
                    "\"c\":null,\"d\":null,\"e\":{\"f\":0},\"g\":-10}");
}

static void test_members_on_lines(struct fixture *fixture, const void *data)
{
    struct ct_json *json = &fixture->json;

    ct_json_object(json);
    json->lines_depth = json->depth;
    ct_json_u64_of(json, "a", true, 1);
    ct_json_u64_of(json, "b", true, 2);
    ct_json_object_end(json);
    expect(fixture, "{\n\"a\":1,\n\"b\":2}");
}

static void test_numbers(struct fixture *fixture, const void *data)
{
    struct ct_json *json = &fixture->json;
    static const uint64_t unsigneds[] = {
        0, 9, 10, 99, 100, 12345, UINT64_C(9007199254740993), UINT64_MAX,
    };
    static const int64_t signeds[] = {0, -1, -10, INT64_MAX, INT64_MIN};
    static const int64_t times[] = {
        0, 1, 999, 1000, 1001, 1234567890123456789, -1, -1500, INT64_MIN,
    };

    ct_json_array(json);
    for (unsigned i = 0; i < G_N_ELEMENTS(unsigneds); i++) {
        ct_json_u64(json, unsigneds[i]);
    }
    ct_json_array_end(json);
    expect(fixture, "[0,9,10,99,100,12345,9007199254740993,"
                    "18446744073709551615]");
    ct_json_init(json, fixture->out);
    ct_json_array(json);
    for (unsigned i = 0; i < G_N_ELEMENTS(signeds); i++) {
        ct_json_i64(json, signeds[i]);
    }
    ct_json_array_end(json);
    expect(fixture, "[0,-1,-10,9223372036854775807,-9223372036854775808]");
    ct_json_init(json, fixture->out);
    ct_json_array(json);
    for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
        ct_json_us(json, times[i]);
    }
    ct_json_array_end(json);
    expect(fixture, "[0.000,0.001,0.999,1.000,1.001,1234567890123456.789,"
                    "-0.001,-1.500,-9223372036854775.808]");
    ct_json_init(json, fixture->out);
    ct_json_array(json);
    ct_json_hex(json, 0);
    ct_json_hex(json, 0x10);
    ct_json_hex(json, UINT64_MAX);
    ct_json_array_end(json);
    expect(fixture, "[\"0x0\",\"0x10\",\"0xffffffffffffffff\"]");
}

static void test_strings(struct fixture *fixture, const void *data)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\t\r\x01\x1f\x7f", "\"\\n\\t\\u000d\\u0001\\u001f\\u007f\""},
        {"\033[31m", "\"\\u001b[31m\""},
        {"\u00e4\u20ac\U0001f600", "\"\u00e4\u20ac\U0001f600\""},
        {"\xc2\x9b", "\"\\u009b\""}, /* C1: a terminal's CSI */
        {"\u202e\u2028", "\"\\u202e\\u2028\""},
        {"\xff", "\"\ufffd\""},
        {"\xc3", "\"\ufffd\""}, /* cut by the end */
        {"\xc3(", "\"\ufffd(\""},
        {"\xc0\xaf", "\"\ufffd\ufffd\""},           /* overlong '/' */
        {"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\ufffd\ufffd\ufffd\ufffd\""},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        ct_json_init(&fixture->json, fixture->out);
        ct_json_string(&fixture->json, cases[i].text);
        expect(fixture, cases[i].json);
    }
    ct_json_init(&fixture->json, fixture->out);
    ct_json_string(&fixture->json, NULL);
    expect(fixture, "null");
}

static void append_byte(GString *wanted, unsigned char byte)
{
    if (byte == '"' || byte == '\\') {
        g_string_append_printf(wanted, "\\%c", byte);
    } else if (byte == '\n' || byte == '\t') {
        g_string_append(wanted, byte == '\n' ? "\\n" : "\\t");
    } else if (byte < 0x20 || byte == 0x7f) {
        g_string_append_printf(wanted, "\\u%04x", byte);
    } else {
        g_string_append_c(wanted, (char)byte);
    }
}

/* Every byte in every place of the eight that are looked at together. */
static void test_places(struct fixture *fixture, const void *data)
{
    for (unsigned byte = 1; byte < 0x80; byte++) {
        for (unsigned at = 0; at < 19; at++) {
            g_autoptr(GString) wanted = g_string_new("\"");
            char text[20] = "!~ xxxxx[]xxxxx#xxx";

            text[at] = (char)byte;
            for (const char *c = text; *c; c++) {
                append_byte(wanted, (unsigned char)*c);
            }
            g_string_append_c(wanted, '"');
            ct_json_init(&fixture->json, fixture->out);
            ct_json_string(&fixture->json, text);
            expect(fixture, wanted->str);
        }
    }
}

/* One below, at and above each power of ten */
static void test_digits(struct fixture *fixture, const void *data)
{
    for (uint64_t power = 1;; power *= 10) {
        for (uint64_t value = power - 1; value <= power + 1; value++) {
            g_autofree char *wanted =
                g_strdup_printf("%" G_GUINT64_FORMAT, value);
            ct_json_init(&fixture->json, fixture->out);
            ct_json_u64(&fixture->json, value);
            expect(fixture, wanted);
        }
        if (power > UINT64_MAX / 10) {
            break;
        }
    }
}

/* Longer than any buffer, with something to escape across its borders. */
static void test_long(struct fixture *fixture, const void *data)
{
    GString *text = g_string_new(NULL);
    GString *wanted = g_string_new("\"");

    for (unsigned i = 0; i < 100000; i++) {
        g_string_append(text, i % 7 ? "abc" : "\"");
        g_string_append(wanted, i % 7 ? "abc" : "\\\"");
    }
    g_string_append_c(wanted, '"');
    ct_json_string(&fixture->json, text->str);
    expect(fixture, wanted->str);
    g_string_free(text, TRUE);
    g_string_free(wanted, TRUE);
}

static void test_inert(void)
{
    static const struct {
        const char *text;
        const char *inert;
    } cases[] = {
        {"plain \u00e4", "plain \u00e4"},
        {"\033[2J", "\\x1b[2J"},
        {"a\\b\n\t", "a\\\\b\\n\\t"},
        {"\xc2\x9b\u202e", "\\u{9b}\\u{202e}"},
        {"\xff\xc3", "\\xff\\xc3"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        GString *string = g_string_new(NULL);

        ct_inert_append(string, cases[i].text);
        g_assert_cmpstr(string->str, ==, cases[i].inert);
        g_string_free(string, TRUE);
    }
}

/* --- misuse aborts, and names the condition ------------------------------ */

static void misuse(unsigned which)
{
    struct ct_out *out = ct_out_memory();
    struct ct_json json;

    ct_json_init(&json, out);
    switch (which) {
    case 0:
        ct_json_key(&json, "k");
        break;
    case 1:
        ct_json_object(&json);
        ct_json_u64(&json, 1);
        break;
    case 2:
        ct_json_object(&json);
        ct_json_array_end(&json);
        break;
    case 3:
        ct_json_array(&json);
        ct_json_object_end(&json);
        break;
    case 4:
        ct_json_object(&json);
        ct_json_key(&json, "k");
        ct_json_object_end(&json);
        break;
    case 5:
        ct_json_array(&json);
        ct_json_u64(&json, 1);
        ct_json_u64_of(&json, "k", true, 1);
        break;
    default:
        for (;;) {
            ct_json_array(&json);
        }
    }
}

static void test_misuse(void)
{
    static const char *const ids[] = {
        "*json-key/in-object*", "*json-value/has-key*",
        "*json-end/array*",     "*json-end/object*",
        "*json-end/object*",    "*json-member/in-object*",
        "*json-open/depth*",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autofree char *path =
            g_strdup_printf("/json/misuse/subprocess/%u", i);

        g_test_trap_subprocess(path, 0, 0);
        g_test_trap_assert_failed();
        g_test_trap_assert_stderr(ids[i]);
    }
}

static void test_misuse_one(const void *data)
{
    misuse(GPOINTER_TO_UINT(data));
}

#define add(name, function) \
    g_test_add("/json/" name, struct fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    g_test_init(&argc, &argv, NULL);
    add("nesting", test_nesting);
    add("lines", test_lines);
    add("members", test_members);
    add("members-on-lines", test_members_on_lines);
    add("numbers", test_numbers);
    add("strings", test_strings);
    add("places", test_places);
    add("digits", test_digits);
    add("long", test_long);
    g_test_add_func("/json/inert", test_inert);
    g_test_add_func("/json/misuse", test_misuse);
    for (unsigned i = 0; i < 7; i++) {
        g_autofree char *path =
            g_strdup_printf("/json/misuse/subprocess/%u", i);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_misuse_one);
    }
    return g_test_run();
}
