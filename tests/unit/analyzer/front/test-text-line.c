/* SPDX-License-Identifier: MIT */
/*
 * test-text-line.c - the grammar of text traces, line by line
 */
#include <glib.h>
#include <string.h>

#include "source/text/text-line.h"

static struct ct_text_parser *parser;

static enum ct_text_kind parse(const char *text)
{
    static char *line;

    g_free(line);
    line = g_strdup(text);
    return ct_text_parse(parser, line);
}

static const struct ct_value *value(unsigned field)
{
    return &parser->record.values[field];
}

static void test_event(void)
{
    g_assert_cmpint(
        parse("@1000 100/101 bh_schedule bh=5 ctx=18446744073709551615"
              " name=\"a b\" callback=0xABCdef flags=1 stack=0x10"),
        ==, CT_TEXT_EVENT);
    g_assert_cmpint(parser->record.kind, ==, CT_RECORD_EVENT);
    g_assert_cmpint(parser->record.event, ==, CT_EV_BH_SCHEDULE);
    g_assert_cmpint(parser->record.when_ns, ==, 1000);
    g_assert_true(parser->record.has_clock);
    g_assert_cmpint(parser->record.pid, ==, 100);
    g_assert_cmpint(parser->record.tid, ==, 101);
    g_assert_cmpuint(value(CT_FLD_BH_SCHEDULE_BH)->u, ==, 5);
    g_assert_cmpuint(value(CT_FLD_BH_SCHEDULE_CTX)->u, ==, UINT64_MAX);
    g_assert_cmpstr(value(CT_FLD_BH_SCHEDULE_NAME)->s, ==, "a b");
    g_assert_cmpuint(value(CT_FLD_BH_SCHEDULE_NAME)->len, ==, 3);
    g_assert_cmphex(value(CT_FLD_BH_SCHEDULE_CALLBACK)->u, ==, 0xabcdef);
    g_assert_cmphex(value(CT_FLD_BH_SCHEDULE_STACK)->u, ==, 16);
}

static void test_missing_fields(void)
{
    g_assert_cmpint(parse("  @1\t1/1 bh_schedule  flags=0x2  "), ==,
                    CT_TEXT_EVENT);
    g_assert_true(value(CT_FLD_BH_SCHEDULE_FLAGS)->present);
    g_assert_cmpuint(value(CT_FLD_BH_SCHEDULE_FLAGS)->u, ==, 2);
    g_assert_false(value(CT_FLD_BH_SCHEDULE_BH)->present);
    g_assert_cmpuint(value(CT_FLD_BH_SCHEDULE_BH)->u, ==, 0);
    g_assert_false(value(CT_FLD_BH_SCHEDULE_NAME)->present);
    g_assert_cmpint(parse("@1 1/1 state_end"), ==, CT_TEXT_EVENT);
}

static void test_strings(void)
{
    static const struct {
        const char *written;
        const char *meant;
    } strings[] = {
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"= # @ '\"", "= # @ '"},
        {"\"\xc3\xa9\"", "\xc3\xa9"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++) {
        g_autofree char *line = g_strdup_printf(
            "@1 1/1 context_create name=%s ctx=7", strings[i].written);

        g_assert_cmpint(parse(line), ==, CT_TEXT_EVENT);
        g_assert_cmpstr(value(CT_FLD_CONTEXT_CREATE_NAME)->s, ==,
                        strings[i].meant);
        g_assert_cmpuint(value(CT_FLD_CONTEXT_CREATE_NAME)->len, ==,
                         strlen(strings[i].meant));
        g_assert_cmpuint(value(CT_FLD_CONTEXT_CREATE_CTX)->u, ==, 7);
    }
}

static void test_numbers(void)
{
    g_assert_cmpint(parse("@1 1/1 request_end request=1 ret=-5"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpint(value(CT_FLD_REQUEST_END_RET)->i, ==, -5);
    g_assert_cmpint(parse("@1 1/1 request_end ret=-2147483648"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpint(value(CT_FLD_REQUEST_END_RET)->i, ==, INT32_MIN);
    g_assert_cmpint(parse("@1 1/1 timer_arm deadline=-9223372036854775808"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpint(value(CT_FLD_TIMER_ARM_DEADLINE)->i, ==, INT64_MIN);
    g_assert_cmpint(parse("@9223372036854775806 1/1 state_end"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpint(parser->record.when_ns, ==, INT64_MAX - 1);
}

static void test_enums(void)
{
    g_assert_cmpint(parse("@1 1/1 coroutine_yield from=1 to=0 reason=lock"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpuint(value(CT_FLD_COROUTINE_YIELD_REASON)->u, ==,
                     CT_YIELD_REASON_LOCK);
    g_assert_cmpint(parse("@1 1/1 coroutine_yield from=1 to=0 reason=250"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpuint(value(CT_FLD_COROUTINE_YIELD_REASON)->u, ==, 250);
}

static void test_arrays(void)
{
    g_assert_cmpint(
        parse("@1 1/1 stack_frames id=0x9 outer=0 limit=0 frames=0x1,22,0xff"),
        ==, CT_TEXT_EVENT);
    g_assert_cmpuint(value(CT_FLD_STACK_FRAMES_FRAMES)->len, ==, 3);
    g_assert_cmphex(value(CT_FLD_STACK_FRAMES_FRAMES)->v[1], ==, 22);
    g_assert_cmphex(value(CT_FLD_STACK_FRAMES_FRAMES)->v[2], ==, 0xff);
    g_assert_cmpint(parse("@1 1/1 stack_frames frames= id=1"), ==,
                    CT_TEXT_EVENT);
    g_assert_cmpuint(value(CT_FLD_STACK_FRAMES_FRAMES)->len, ==, 0);
    g_assert_true(value(CT_FLD_STACK_FRAMES_FRAMES)->present);
    g_assert_cmpint(parse("@1 1/1 lttng_ust_statedump:build_id baddr=0x1000 "
                          "build_id=00fFa1"),
                    ==, CT_TEXT_EVENT);
    g_assert_cmpint(parser->record.event, ==, CT_EV_UST_BUILD_ID);
    g_assert_cmpuint(value(CT_FLD_UST_BUILD_ID_BUILD_ID)->len, ==, 3);
    g_assert_cmphex(value(CT_FLD_UST_BUILD_ID_BUILD_ID)->b[1], ==, 0xff);
}

static void test_holes(void)
{
    g_assert_cmpint(parse("! stream=3 from=10 to=20 lost=7"), ==, CT_TEXT_HOLE);
    g_assert_cmpint(parser->record.kind, ==, CT_RECORD_HOLE);
    g_assert_cmpuint(parser->record.stream, ==, 3);
    g_assert_cmpint(parser->record.when_ns, ==, 10);
    g_assert_cmpint(parser->record.to_ns, ==, 20);
    g_assert_cmpuint(parser->record.lost, ==, 7);
    g_assert_cmpint(parse("!stream=0 from=10 to=10 lost=?"), ==, CT_TEXT_HOLE);
    g_assert_true(parser->record.lost == CT_LOST_UNKNOWN);
}

static void test_no_clock(void)
{
    parser->has_clock = false;
    g_assert_cmpint(parse("@- 1/2 state_end telling=1"), ==, CT_TEXT_EVENT);
    g_assert_false(parser->record.has_clock);
    g_assert_cmpint(parser->record.when_ns, ==, 0);
    g_assert_cmpint(parse("! stream=0 from=- to=- lost=1"), ==, CT_TEXT_HOLE);
    g_assert_cmpint(parse("@5 1/2 state_end telling=1"), ==, CT_TEXT_BAD);
    parser->has_clock = true;
}

static void test_nothing(void)
{
    g_assert_cmpint(parse(""), ==, CT_TEXT_NOTHING);
    g_assert_cmpint(parse(" \t "), ==, CT_TEXT_NOTHING);
    g_assert_cmpint(parse("# @1 1/1"), ==, CT_TEXT_NOTHING);
}

static void test_bad(void)
{
    static const struct {
        const char *line;
        const char *reason; /* a part of it */
    } lines[] = {
        {"hello", "begins with"},
        {"@", "number expected"},
        {"@x", "number expected"},
        {"@-1 1/1 state_end", "has a clock"},
        {"@9223372036854775807 1/1 state_end", "more than"},
        {"@99999999999999999999 1/1 state_end", "too large"},
        {"@0x 1/1 state_end", "number expected"},
        {"@1 1 state_end", "'/' expected"},
        {"@1 1/-1 state_end", "number expected"},
        {"@1 2147483648/1 state_end", "more than"},
        {"@1 1/1", "no such event ''"},
        {"@1 1/1 nothing", "no such event 'nothing'"},
        {"@1 1/1 other:state_end", "no such event 'state_end'"},
        {"@1 1/1 state_end what=1", "no field 'what'"},
        {"@1 1/1 state_end telling", "FIELD=VALUE"},
        {"@1 1/1 state_end telling=", "number expected"},
        {"@1 1/1 state_end telling=-1", "number expected"},
        {"@1 1/1 state_end telling=1x", "space expected"},
        {"@1 1/1 state_end telling=1 telling=1", "told twice"},
        {"@1 1/1 context_create name=x", "'\"' expected"},
        {"@1 1/1 context_create name=\"x", "without end"},
        {"@1 1/1 context_create name=\"\\x\"", "unknown escape"},
        {"@1 1/1 context_create name=\"\\", "unknown escape"},
        {"@1 1/1 context_create name=\"\\u12\"", "four hex digits"},
        {"@1 1/1 context_create name=\"\\u0000\"", "can't stand"},
        {"@1 1/1 context_create name=\"\\ud83d\"", "surrogate"},
        {"@1 1/1 context_create name=\"\\ud83d\\u0041\"", "surrogate"},
        {"@1 1/1 context_create name=\"\\ude00\"", "can't stand"},
        {"@1 1/1 coroutine_yield reason=locks", "no word 'locks'"},
        {"@1 1/1 coroutine_yield reason=256", "more than 255"},
        {"@1 1/1 poll_begin depth=4294967296", "more than"},
        {"@1 1/1 request_end ret=2147483648", "more than"},
        {"@1 1/1 request_end ret=-2147483649", "more than"},
        {"@1 1/1 stack_frames frames=1,", "number expected"},
        {"@1 1/1 lttng_ust_statedump:build_id build_id=abc", "odd number"},
        {"! stream=0 from=1 to=2", "FIELD=VALUE"},
        {"! stream=0 to=1 from=2 lost=1", "from= expected"},
        {"! stream=64 from=1 to=2 lost=1", "more than 63"},
        {"! stream=0 from=3 to=2 lost=1", "before it begins"},
        {"! stream=0 from=1 to=2 lost=0", "lost something"},
        {"! stream=0 from=1 to=2 lost=1 more=2", "nothing more"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_test_message("%s", lines[i].line);
        g_assert_cmpint(parse(lines[i].line), ==, CT_TEXT_BAD);
        g_assert_nonnull(strstr(parser->reason, lines[i].reason));
    }
}

/* Nothing is read beyond the limits, or beyond the line. */
static void test_limits(void)
{
    GString *line = g_string_new("@1 1/1 stack_frames frames=1");

    for (unsigned i = 1; i < CT_TEXT_ARRAY_MAX; i++) {
        g_string_append(line, ",1");
    }
    g_assert_cmpint(parse(line->str), ==, CT_TEXT_EVENT);
    g_string_append(line, ",1");
    g_assert_cmpint(parse(line->str), ==, CT_TEXT_BAD);
    g_string_free(line, TRUE);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    parser = g_new0(struct ct_text_parser, 1);
    parser->has_clock = true;
    g_test_add_func("/text-line/event", test_event);
    g_test_add_func("/text-line/missing-fields", test_missing_fields);
    g_test_add_func("/text-line/strings", test_strings);
    g_test_add_func("/text-line/numbers", test_numbers);
    g_test_add_func("/text-line/enums", test_enums);
    g_test_add_func("/text-line/arrays", test_arrays);
    g_test_add_func("/text-line/holes", test_holes);
    g_test_add_func("/text-line/no-clock", test_no_clock);
    g_test_add_func("/text-line/nothing", test_nothing);
    g_test_add_func("/text-line/bad", test_bad);
    g_test_add_func("/text-line/limits", test_limits);
    status = g_test_run();
    g_free(parser);
    return status;
}
