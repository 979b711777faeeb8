/* SPDX-License-Identifier: MIT */
/*
 * test-layout.c - packets checked by their metadata, beside libbabeltrace2
 *
 * Traces are put together byte by byte: both of LTTng's event headers, both
 * byte orders, fields of every kind, natural alignment.  Each is also read
 * whole by ct_trace_run(), so libbabeltrace2 is the judge of what the layout
 * says; and what the layout refuses, libbabeltrace2 must never see.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reading.h"
#include "layout.h"

struct shape {
    const char *name;
    bool big_endian;
    bool large;
    bool natural; /* alignment */
};

static const struct shape shapes[] = {
    {"compact-little", false, false, false},
    {"compact-big", true, false, false},
    {"large-little", false, true, false},
    {"large-big", true, true, false},
    {"compact-natural", false, false, true},
    {"large-natural", false, true, true},
};

/* Metadata as LTTng-UST writes it; $B is replaced by an alignment. */
static const char metadata[] =
    "/* CTF 1.8 */\n\n"
    "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
    "typealias integer { size = 16; align = $2; signed = false; } := "
    "uint16_t;\n"
    "typealias integer { size = 32; align = $4; signed = false; } := "
    "uint32_t;\n"
    "typealias integer { size = 64; align = $8; signed = false; } := "
    "uint64_t;\n"
    "typealias integer { size = 64; align = $8; signed = false; } := "
    "unsigned long;\n"
    "typealias integer { size = 5; align = 1; signed = false; } := uint5_t;\n"
    "typealias integer { size = 27; align = 1; signed = false; } := uint27_t;\n"
    "\ntrace {\n\tmajor = 1;\n\tminor = 8;\n"
    "\tuuid = \"00112233-4455-6677-8899-aabbccddeeff\";\n"
    "\tbyte_order = $O;\n"
    "\tpacket.header := struct {\n\t\tuint32_t magic;\n"
    "\t\tuint8_t  uuid[16];\n\t\tuint32_t stream_id;\n"
    "\t\tuint64_t stream_instance_id;\n\t};\n};\n\n"
    "env {\n\tdomain = \"ust\";\n\ttracer_name = \"lttng-ust\";\n"
    "\ttracer_major = 2;\n\ttracer_minor = 13;\n};\n\n"
    "clock {\n\tname = \"monotonic\";\n\tfreq = 1000000000;\n"
    "\toffset = 1000000;\n};\n\n"
    "typealias integer {\n\tsize = 27; align = 1; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint27_clock_monotonic_t;\n\n"
    "typealias integer {\n\tsize = 32; align = $4; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint32_clock_monotonic_t;\n\n"
    "typealias integer {\n\tsize = 64; align = $8; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint64_clock_monotonic_t;\n\n"
    "struct packet_context {\n\tuint64_clock_monotonic_t timestamp_begin;\n"
    "\tuint64_clock_monotonic_t timestamp_end;\n\tuint64_t content_size;\n"
    "\tuint64_t packet_size;\n\tuint64_t packet_seq_num;\n"
    "\tunsigned long events_discarded;\n\tuint32_t cpu_id;\n};\n\n"
    "struct event_header_compact {\n"
    "\tenum : uint5_t { compact = 0 ... 30, extended = 31 } id;\n"
    "\tvariant <id> {\n\t\tstruct {\n"
    "\t\t\tuint27_clock_monotonic_t timestamp;\n\t\t} compact;\n"
    "\t\tstruct {\n\t\t\tuint32_t id;\n"
    "\t\t\tuint64_clock_monotonic_t timestamp;\n\t\t} extended;\n\t} v;\n"
    "} align($4);\n\n"
    "struct event_header_large {\n"
    "\tenum : uint16_t { compact = 0 ... 65534, extended = 65535 } id;\n"
    "\tvariant <id> {\n\t\tstruct {\n"
    "\t\t\tuint32_clock_monotonic_t timestamp;\n\t\t} compact;\n"
    "\t\tstruct {\n\t\t\tuint32_t id;\n"
    "\t\t\tuint64_clock_monotonic_t timestamp;\n\t\t} extended;\n\t} v;\n"
    "} align($2);\n\n"
    /* an event before its stream, as LTTng has it */
    "event {\n\tname = \"cotrace:state_end\";\n\tid = 0;\n"
    "\tstream_id = 7;\n\tloglevel = 13;\n\tfields := struct {\n"
    "\t\tinteger { size = 64; align = $8; signed = 0; encoding = none; "
    "base = 10; } _telling;\n\t};\n};\n\n"
    "stream {\n\tid = 7;\n\tevent.header := struct event_header_$H;\n"
    "\tpacket.context := struct packet_context;\n"
    "\tevent.context := struct {\n"
    "\t\tinteger { size = 32; align = $4; signed = 1; encoding = none; "
    "base = 10; } _vpid;\n"
    "\t\tinteger { size = 32; align = $4; signed = 1; encoding = none; "
    "base = 10; } _vtid;\n\t};\n};\n\n"
    "event {\n\tname = \"cotrace:thread_start\";\n\tid = 40;\n"
    "\tstream_id = 7;\n\tfields := struct {\n"
    "\t\tinteger { size = 64; align = $8; signed = 0; encoding = none; "
    "base = 10; } _thread;\n"
    "\t\tstring _name;\n\t};\n};\n\n"
    "event {\n\tname = \"other:every_kind\";\n\tid = 2;\n"
    "\tstream_id = 7;\n\tfields := struct {\n"
    "\t\tinteger { size = 8; align = 8; signed = 1; encoding = UTF8; "
    "base = 10; } _procname[5];\n"
    "\t\tinteger { size = 8; align = 8; signed = 0; encoding = none; "
    "base = 10; } __frames_length;\n"
    "\t\tinteger { size = 64; align = $8; signed = 0; encoding = none; "
    "base = 16; } _frames[ __frames_length ];\n"
    "\t\tenum : integer { size = 8; align = 8; signed = 0; encoding = none; "
    "base = 10; } {\n\t\t\t\"a\" = 0,\n\t\t\t\"b\" = 1 ... 3,\n\t\t} "
    "_word;\n"
    "\t\tfloating_point { exp_dig = 11; mant_dig = 53; align = $8; } _real;\n"
    "\t\tstring _text;\n\t};\n};\n\n";

static char *make_metadata(const struct shape *shape)
{
    GString *text = g_string_new(metadata);

    g_string_replace(text, "$O", shape->big_endian ? "be" : "le", 0);
    g_string_replace(text, "$H", shape->large ? "large" : "compact", 0);
    g_string_replace(text, "$2", shape->natural ? "16" : "8", 0);
    g_string_replace(text, "$4", shape->natural ? "32" : "8", 0);
    g_string_replace(text, "$8", shape->natural ? "64" : "8", 0);
    return g_string_free(text, FALSE);
}

/* --- bytes --------------------------------------------------------------- */

static const struct shape *shape; /* of what is written now */
static GByteArray *out;

static void put_number(uint64_t value, unsigned bytes)
{
    while (shape->natural && out->len % bytes != 0) {
        g_byte_array_append(out, (const guint8 *)"", 1);
    }
    for (unsigned i = 0; i < bytes; i++) {
        unsigned shift = 8 * (shape->big_endian ? bytes - 1 - i : i);
        guint8 byte = (guint8)(value >> shift);

        g_byte_array_append(out, &byte, 1);
    }
}

/* A structure begins where its widest field may. */
static void put_alignment(void)
{
    while (shape->natural && out->len % 8 != 0) {
        g_byte_array_append(out, (const guint8 *)"", 1);
    }
}

static void put_text(const char *text)
{
    g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text) + 1);
}

static void set_number(unsigned at, uint64_t value)
{
    GByteArray *all = out;

    out = g_byte_array_new();
    put_number(value, 8);
    memcpy(all->data + at, out->data, 8);
    g_byte_array_unref(out);
    out = all;
}

/* The head; its sizes are set when the packet is complete. */
static void begin_packet(void)
{
    static const guint8 uuid[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                  0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                  0xcc, 0xdd, 0xee, 0xff};

    out = g_byte_array_new();
    put_number(0xc1fc1fc1, 4);
    g_byte_array_append(out, uuid, sizeof(uuid));
    put_number(7, 4);
    put_number(3, 8);    /* stream instance */
    put_number(1000, 8); /* begin */
    put_number(0, 8);    /* end */
    put_number(0, 8);    /* content */
    put_number(0, 8);    /* packet */
    put_number(0, 8);    /* number */
    put_number(0, 8);    /* discarded */
    put_number(0, 4);    /* cpu */
}

static unsigned sizes_at(void)
{
    return 32 + 16;
}

static GByteArray *end_packet(uint64_t end)
{
    set_number(32 + 8, end);
    set_number(sizes_at(), out->len * 8ull);
    set_number(sizes_at() + 8, (out->len + 40) * 8ull);
    for (unsigned i = 0; i < 40; i++) {
        g_byte_array_append(out, (const guint8 *)"", 1);
    }
    return out;
}

static void put_event_head(unsigned id, uint64_t clock, bool extended)
{
    if (shape->large) {
        put_number(extended ? 65535 : id, 2);
    } else if (extended) {
        while (shape->natural && out->len % 4 != 0) {
            g_byte_array_append(out, (const guint8 *)"", 1);
        }
        put_number(shape->big_endian ? 31 << 3 : 31, 1);
    }
    if (extended) {
        put_alignment();
        put_number(id, 4);
        put_number(clock, 8);
    } else if (shape->large) {
        put_number(clock & 0xffffffff, 4);
    } else {
        put_number(shape->big_endian ? (uint64_t)id << 27 | (clock & 0x7ffffff)
                                     : (clock & 0x7ffffff) << 5 | id,
                   4);
    }
    put_number(100, 4); /* vpid */
    put_number(101, 4); /* vtid */
    put_alignment();
}

static void put_events(void)
{
    put_event_head(0, 1000, false); /* state_end */
    put_number(1, 8);
    put_event_head(40, 1500, true); /* thread_start */
    put_number(9, 8);
    put_text("worker");
    put_event_head(2, 2000, false); /* every_kind */
    g_byte_array_append(out, (const guint8 *)"name", 5);
    put_number(3, 1);
    for (unsigned i = 0; i < 3; i++) {
        put_number(0x401000 + i, 8);
    }
    put_number(1, 1);
    put_number(0x3ff0000000000000, 8);
    put_text("");
    put_event_head(0, 3000000000, true); /* the short forms wrap after it */
    put_number(2, 8);
    put_event_head(0, 3000000000 + 100000000, false);
    put_number(3, 8);
}

#define END 4000000000

static GByteArray *good_packet(void)
{
    begin_packet();
    put_events();
    return end_packet(END);
}

/* --- both judges --------------------------------------------------------- */

static struct ct_ctf_layout *layout_of(const struct shape *of)
{
    g_autofree char *text = make_metadata(of);
    const char *why = NULL;
    struct ct_ctf_layout *layout = ct_ctf_layout_read(text, &why);

    g_assert_cmpstr(why, ==, NULL);
    g_assert_nonnull(layout);
    return layout;
}

static bool is_good(const struct ct_ctf_layout *layout,
                    const GByteArray *packet, unsigned content)
{
    struct ct_ctf_events events;

    return ct_ctf_layout_check_events(layout, ct_ctf_layout_stream(layout, 7),
                                      packet->data, content, 1000, END,
                                      &events);
}

static void check_shape(const void *data)
{
    g_autofree char *dir = reading_scratch();
    struct ct_ctf_layout *layout;
    struct reading *reading;
    GByteArray *packet;
    g_autofree char *text = make_metadata(data);

    shape = data;
    layout = layout_of(shape);
    packet = good_packet();
    g_assert_cmpuint(layout->n_streams, ==, 1);
    g_assert_cmpuint(ct_ctf_layout_head(layout, packet->data, CT_HEAD_MAGIC),
                     ==, 0xc1fc1fc1);
    g_assert_cmpuint(ct_ctf_layout_head(layout, packet->data, CT_HEAD_BEGIN),
                     ==, 1000);
    g_assert_cmpuint(ct_ctf_layout_head(layout, packet->data, CT_HEAD_END), ==,
                     END);
    g_assert_true(is_good(layout, packet, packet->len - 40));

    file_write(dir, "metadata", 0, text, strlen(text));
    file_write(dir, "stream", 0, packet->data, packet->len);
    reading = reading_run(dir, NULL, NULL);
    g_assert_cmpstr(reading->error, ==, NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 0);
    g_assert_true(reading->summary.complete);
    g_assert_cmpuint(reading->summary.events, ==, 5);
    g_assert_cmpuint(reading->summary.unknown_events, ==, 1);
    g_assert_cmpint(reading->summary.origin_ns, ==, 1000000 + 1000);
    g_assert_cmpint(reading->summary.end_ns, ==, 1000000 + 3100000000);
    reading_free(reading);
    g_byte_array_unref(packet);
    ct_ctf_layout_free(layout);
}

/* Cut anywhere but between events, a content is not good. */
static void check_cuts(const void *data)
{
    struct ct_ctf_layout *layout;
    GByteArray *packet;
    unsigned whole = 0;

    shape = data;
    layout = layout_of(shape);
    packet = good_packet();
    for (unsigned n = layout->bytes; n < packet->len - 40; n++) {
        whole += is_good(layout, packet, n);
    }
    /* before the first and behind each but the last; with alignment, bytes
     * that only fill up may stand behind an event */
    g_assert_cmpuint(whole, >=, 5);
    g_assert_cmpuint(whole, <=, shape->natural ? 8 : 5);
    g_byte_array_unref(packet);
    ct_ctf_layout_free(layout);
}

static void expect_bad(struct ct_ctf_layout *layout, void (*put)(void))
{
    GByteArray *packet;

    begin_packet();
    put();
    packet = end_packet(END);
    g_assert_false(is_good(layout, packet, packet->len - 40));
    g_byte_array_unref(packet);
}

static void put_unknown_id(void)
{
    put_event_head(3, 2000, false);
}

static void put_huge_id(void)
{
    put_event_head(0x7fffffff, 2000, true);
    put_number(1, 8);
}

static void put_time_before(void)
{
    put_event_head(0, 2000, true);
    put_number(1, 8);
    put_event_head(0, 1999, true);
    put_number(1, 8);
}

static void put_time_after_end(void)
{
    put_event_head(0, END + 1, true);
    put_number(1, 8);
}

static void put_long_array(void)
{
    put_event_head(2, 2000, false);
    g_byte_array_append(out, (const guint8 *)"name", 5);
    put_number(255, 1);
    put_number(1, 8);
}

static void put_endless_string(void)
{
    put_event_head(40, 2000, true);
    put_number(1, 8);
    g_byte_array_append(out, (const guint8 *)"abc", 3);
}

static void test_bad_events(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        struct ct_ctf_layout *layout = layout_of(&shapes[i]);

        shape = &shapes[i];
        expect_bad(layout, put_unknown_id);
        expect_bad(layout, put_huge_id);
        expect_bad(layout, put_time_before);
        expect_bad(layout, put_time_after_end);
        expect_bad(layout, put_long_array);
        expect_bad(layout, put_endless_string);
        ct_ctf_layout_free(layout);
    }
}

/* --- the clock's zero ----------------------------------------------------- */

/* What the metadata says of its clock, in other words; Return: its text */
static char *with_offset(const char *words)
{
    g_autofree char *text = make_metadata(&shapes[0]);
    GString *changed = g_string_new(text);

    g_assert_cmpuint(g_string_replace(changed, "offset = 1000000;", words, 1),
                     ==, 1);
    return g_string_free(changed, FALSE);
}

/* @respelled: NULL: libbabeltrace2 reads it as it is */
static void expect_zero(const char *words, bool is_known, int64_t expected_ns,
                        const char *respelled)
{
    g_autofree char *text = with_offset(words);
    g_autofree char *other = respelled ? with_offset(respelled) : NULL;
    const char *why = NULL;
    struct ct_ctf_layout *layout = ct_ctf_layout_read(text, &why);
    int64_t ns = 0;

    g_assert_cmpstr(why, ==, NULL);
    g_autofree char *got = ct_ctf_layout_respelled(layout, text);
    g_assert_cmpstr(got, ==, other);
    g_assert_cmpint(ct_ctf_layout_since_1970(layout, 7, &ns), ==, is_known);
    g_assert_cmpint(ns, ==, is_known ? expected_ns + 7 : 0);
    ct_ctf_layout_free(layout);
}

static void test_zero(void)
{
    expect_zero("offset = 5;", true, 5, NULL);
    expect_zero("offset_s = 2; offset = 5;", true, 2000000005, NULL);
    expect_zero("offset_s = -2; offset = 5;", true, -1999999995, NULL);
    expect_zero("offset = -3600000000000;", true, -3600000000000,
                "offset = 0;\n\toffset_s = -3600;");
    expect_zero("offset = - 3600000000001 ;", true, -3600000000001,
                "offset = 999999999;\n\toffset_s = -3601;");
    expect_zero("offset = -9223372036854775808;", true, INT64_MIN,
                "offset = 145224192;\n\toffset_s = -9223372037;");
    expect_zero("offset = 9223372036854775808;", false, 0, NULL);
    expect_zero("offset = -9223372036854775809;", false, 0, NULL);
    expect_zero("offset_s = -9223372037; offset = 5;", false, 0, NULL);
}

/* The wall clock is behind the monotonic one; libbabeltrace2 takes part. */
static void test_clock_behind(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *text = with_offset("offset = -900;");
    struct reading *reading;
    GByteArray *packet;

    shape = &shapes[0];
    packet = good_packet();
    file_write(dir, "metadata", 0, text, strlen(text));
    file_write(dir, "stream", 0, packet->data, packet->len);
    reading = reading_run(dir, NULL, NULL);
    g_assert_cmpstr(reading->error, ==, NULL);
    g_assert_cmpuint(reading->warnings->len, ==, 0);
    g_assert_true(reading->summary.complete);
    g_assert_cmpuint(reading->summary.events, ==, 5);
    g_assert_cmpint(reading->summary.origin_ns, ==, 1000 - 900);
    g_assert_cmpint(reading->summary.end_ns, ==, 3100000000 - 900);
    g_assert_cmpuint(reading_left_behind(), ==, 0);
    reading_free(reading);
    g_byte_array_unref(packet);
}

/* --- metadata that is not ours ------------------------------------------- */

static void expect_refused(const char *what, const char *by)
{
    g_autofree char *text = make_metadata(&shapes[0]);
    GString *changed = g_string_new(text);
    const char *why = NULL;

    g_assert_cmpuint(g_string_replace(changed, what, by, 1), ==, 1);
    g_assert_null(ct_ctf_layout_read(changed->str, &why));
    g_assert_nonnull(why);
    g_string_free(changed, TRUE);
}

static void test_other_metadata(void)
{
    expect_refused("} _vtid;", "} vpid;"); /* libbabeltrace2 would abort */
    expect_refused("freq = 1000000000;", "freq = 0;");
    /* or divide by 0 */
    expect_refused("freq = 1000000000;", "lreq = 1000000000;");
    expect_refused("freq = 1000000000;", "");
    expect_refused("uint32_t magic", "uint16_t magic");
    expect_refused("uint64_t content_size", "uint64_t content_sizes");
    expect_refused("extended = 31", "extended = 30");
    expect_refused("size = 27; align = 1; signed = false;\n\tmap",
                   "size = 26; align = 1; signed = false;\n\tmap");
    expect_refused("struct event_header_compact;", "struct packet_context;");
    expect_refused("} _vpid;", "} _vpid[99999];");
    expect_refused("_frames[ __frames_length ]", "_frames[ __other ]");
    expect_refused("id = 40;", "id = 4000000;");
    expect_refused("id = 40;", "id = 0;"); /* twice */
    expect_refused("stream_id = 7;\n\tloglevel", "stream_id = 8;\n\tloglevel");
    expect_refused("string _name", "strings _name");
    expect_refused("size = 64; align = 8; signed = 0",
                   "size = 63; align = 8; signed = 0");
    expect_refused("size = 64; align = 8; signed = 0",
                   "size = 64; align = 7; signed = 0");
    expect_refused("};\n\nenv", "};\n\nenf");
    expect_refused("uuid[16]", "uuid[16");
    expect_refused("\"other:every_kind\"", "\"other:every_kind");
}

/* Behind whole metadata. */
static void expect_refused_more(const char *more, const char *because)
{
    g_autofree char *begin = make_metadata(&shapes[0]);
    g_autofree char *text = g_strconcat(begin, more, NULL);
    const char *why = NULL;

    g_assert_null(ct_ctf_layout_read(text, &why));
    g_assert_cmpstr(why, ==, because);
}

/* @n structures, each with @width of the one before, in an event */
static void expect_refused_tower(unsigned n, unsigned width,
                                 const char *because)
{
    GString *text = g_string_new("struct s0 { uint8_t a; };\n");

    for (unsigned i = 1; i < n; i++) {
        g_string_append_printf(text, "struct s%u {", i);
        for (unsigned k = 0; k < width; k++) {
            g_string_append_printf(text, " struct s%u f%u;", i - 1, k);
        }
        g_string_append(text, " };\n");
    }
    g_string_append_printf(text,
                           "event { name = \"x\"; id = 77; stream_id = 7;"
                           " fields := struct s%u; };\n",
                           n - 1);
    expect_refused_more(text->str, because);
    g_string_free(text, TRUE);
}

/* Deep and wide, but finite: refused, not unrolled. */
static void test_limits(void)
{
    GString *deep = g_string_new("");

    for (unsigned i = 0; i < 100000; i++) {
        g_string_append(deep, "struct { ");
    }
    expect_refused_more(deep->str, "structures too deep in each other");
    g_string_free(deep, TRUE);
    expect_refused_tower(12, 100, "events with too many fields");
    expect_refused_tower(100000, 1, "structures too deep in each other");
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *name =
            g_strdup_printf("/layout/shape/%s", shapes[i].name);
        g_autofree char *cuts =
            g_strdup_printf("/layout/cuts/%s", shapes[i].name);

        g_test_add_data_func(name, &shapes[i], check_shape);
        g_test_add_data_func(cuts, &shapes[i], check_cuts);
    }
    g_test_add_func("/layout/bad-events", test_bad_events);
    g_test_add_func("/layout/zero", test_zero);
    g_test_add_func("/layout/clock-behind", test_clock_behind);
    g_test_add_func("/layout/other-metadata", test_other_metadata);
    g_test_add_func("/layout/limits", test_limits);
    status = g_test_run();
    reading_fini();
    return status;
}
