/* SPDX-License-Identifier: MIT */
/*
 * test-trace.c - what a path is, and what a pass over a text trace tells
 */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reading.h"

static void check_error(const char *path, const char *why)
{
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_false(reading->good);
    g_assert_true(g_str_has_prefix(reading->error, path));
    g_assert_nonnull(strstr(reading->error, why));
    g_assert_cmpuint(reading->warnings->len, ==, 0);
    reading_free(reading);
}

static void test_no_such_file(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *path = g_build_filename(dir, "none", NULL);

    check_error(path, "No such file or directory");
}

static void test_empty_directory(void)
{
    g_autofree char *dir = reading_scratch();

    check_error(dir, "the directory is empty");
}

static void test_directory_without_trace(void)
{
    g_autofree char *dir = reading_scratch();

    file_write(dir, "readme", 0, "x", 1);
    check_error(dir, "not a trace: neither CTF metadata nor qemu.log in it");
}

/* A log is found where it is named alone; one further in is pointed at. */
static void test_log_further_in(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *inner = g_build_filename(dir, "inner", NULL);
    g_autofree char *why = g_strdup_printf("but %s is", inner);

    g_assert_cmpint(mkdir(inner, 0777), ==, 0);
    file_write(inner, "qemu.log", 0, "x", 1);
    check_error(dir, why);
}

static void test_other_files(void)
{
    g_autofree char *text = reading_file("notes", "hello\n");
    g_autofree char *empty = reading_file("empty", "");
    g_autofree char *almost = reading_file("almost", "cotrace-text 2\n");

    check_error(text, "not a trace");
    check_error(empty, "not a trace");
    check_error(almost, "not a trace");
    check_error("/dev/null", "neither a file nor a directory");
}

static void test_no_events(void)
{
    g_autofree char *head = reading_file("head", "cotrace-text 1\n");
    g_autofree char *other = reading_file(
        "other", "cotrace-text 1\n"
                 "@1 1/1 lttng_ust_statedump:procname procname=\"x\"\n");
    g_autofree char *trace = reading_copy("small");

    check_error(head, "holds no cotrace events");
    check_error(other, "holds no cotrace events");
    file_remove(trace, "c_0");
    file_remove(trace, "c_1");
    check_error(trace, "holds no cotrace events");
}

/* Two traces in one directory: "x", and "y". */
static char *two_traces(void)
{
    char *dir = reading_scratch();
    const char *const names[] = {"x", "y"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *trace = reading_copy("small");
        g_autofree char *inner = g_build_filename(dir, names[i], NULL);
        g_assert_cmpint(g_rename(trace, inner), ==, 0);
        g_autofree char *index = g_build_filename(inner, "index", NULL);
        g_assert_cmpint(chmod(inner, 0755), ==, 0);
        g_assert_cmpint(chmod(index, 0755), ==, 0);
    }
    return dir;
}

static void check_left_out(const char *dir, const char *inner, const char *why)
{
    struct reading *reading = reading_run(dir, NULL, NULL);
    g_autofree char *warning = g_strdup_printf("%s: %s: not read", inner, why);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(reading->warnings, 0), ==, warning);
    g_assert_false(reading->summary.complete);
    reading_free(reading);
    check_error(inner, why);
}

/* What can't be read is no trace that is not there. */
static void test_left_out(void)
{
    g_autofree char *dir = two_traces();
    g_autofree char *inner = g_build_filename(dir, "y", NULL);

    file_remove(inner, "metadata");
    check_left_out(dir, inner, "CTF streams without their metadata file");

    g_autofree char *note = reading_scratch();
    const char text[] = "{\"own_events\": 7}";
    file_write(note, "cotrace.json", 0, text, strlen(text));
    check_error(note, "7 events were recorded, and the trace is not there");
}

static void test_chosen(void)
{
    const struct {
        const char *text;
        unsigned n_warnings;
    } notes[] = {
        {"{\"patterns\": \"*\"}", 0},
        {"{\"patterns\": \"*,lttng_ust_libc:*\"}", 0},
        {"{\"patterns\": \"lttng_ust_libc:*,cotrace:*\"}", 0},
        {"{\"patterns\": \"bh_*,co_*\"}", 1},
        {"{\"patterns\": \"lttng_ust_libc:*\"}", 1},
    };
    g_autofree char *dir = two_traces();

    for (unsigned i = 0; i < G_N_ELEMENTS(notes); i++) {
        file_write(dir, "cotrace.json", 0, notes[i].text,
                   strlen(notes[i].text));
        struct reading *reading = reading_run(dir, NULL, NULL);
        file_remove(dir, "cotrace.json");
        g_assert_true(reading->good);
        g_assert_cmpuint(reading->warnings->len, ==, notes[i].n_warnings);
        if (notes[i].n_warnings) {
            const char *text = g_ptr_array_index(reading->warnings, 0);
            const char *told = strstr(text, "only some events were recorded (");
            g_assert_nonnull(told);
            g_assert_nonnull(strstr(told, i == 3 ? "(bh_*,co_*)" : ":*)"));
        }
        reading_free(reading);
    }
}

static void test_closed(void)
{
    g_autofree char *dir = two_traces();
    g_autofree char *inner = g_build_filename(dir, "y", NULL);
    g_autofree char *above = g_path_get_dirname(dir);
    uid_t user = geteuid();

    g_assert_cmpint(chmod(dir, 0755), ==, 0);
    g_assert_cmpint(chmod(above, 0755), ==, 0);
    g_assert_cmpint(chmod(g_get_tmp_dir(), 0777), ==, 0);
    for (unsigned i = 0; i < 2; i++) {
        /* no names, or nothing behind them */
        g_assert_cmpint(chmod(inner, i ? 0444 : 0), ==, 0);
        if (user == 0) {
            g_assert_cmpint(seteuid(65534), ==, 0);
        }
        check_left_out(dir, inner, "Permission denied");
        g_assert_cmpint(seteuid(user), ==, 0);
    }
    g_assert_cmpint(chmod(inner, 0755), ==, 0);
}

/* A loop of links, a deep tree: searched, and no further. */
static void test_links(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *loop = g_build_filename(dir, "loop", NULL);
    g_autofree char *trace = reading_copy("small");
    g_autofree char *link = g_strconcat(dir, "-link", NULL);
    struct reading *reading;

    g_assert_cmpint(symlink(dir, loop), ==, 0);
    check_error(dir, "not a trace");
    /* the path itself may be a link */
    g_assert_cmpint(symlink(trace, link), ==, 0);
    reading = reading_run(link, NULL, NULL);
    g_assert_true(reading->good);
    reading_free(reading);
}

static void test_text(void)
{
    g_autofree char *path = reading_file(
        "trace", "cotrace-text 1\n"
                 "# the first event is the origin, whatever comes before it\n"
                 "! stream=1 from=5 to=50 lost=3\n"
                 "@100 1/1 context_create ctx=1 name=\"main\"\n"
                 "@150 1/2 thread_start thread=9 name=\"t\"\n"
                 "! stream=0 from=160 to=170 lost=?\n"
                 "@200 1/2 thread_exit thread=9"); /* no newline at the end */
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_true(g_str_has_suffix(
        g_ptr_array_index(reading->warnings, 0),
        ": at least 3 events were lost; what may have changed meanwhile is "
        "unknown"));
    g_assert_cmpint(reading->summary.origin_ns, ==, 100);
    g_assert_cmpint(reading->summary.end_ns, ==, 200);
    g_assert_cmpuint(reading->summary.events, ==, 3);
    g_assert_cmpuint(reading->summary.discarded, ==, 3);
    g_assert_false(reading->summary.discarded_known);
    g_assert_true(reading->summary.complete);
    g_assert_cmpuint(reading->gaps->len, ==, 2);
    g_assert_cmpint(g_array_index(reading->gaps, struct ct_gap, 1).from_ns, ==,
                    160);
    g_assert_cmpint(g_array_index(reading->gaps, struct ct_gap, 1).to_ns, ==,
                    170);
    reading_free(reading);
}

static void test_bad_lines(void)
{
    g_autofree char *path =
        reading_file("trace", "cotrace-text 1\n"
                              "@100 1/1 context_create ctx=1\n"
                              "@110 1/1 context_creat ctx=2\n"
                              "what?\n"
                              "@120 1/1 context_destroy ctx=1\n");
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, 2);
    g_assert_false(reading->summary.complete);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0),
                            "2 lines were not understood"));
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0),
                            "line 3: no such event 'context_creat'"));
    reading_free(reading);
}

/* What is nothing but bad lines is no trace, however it begins. */
static void test_no_good_line(void)
{
    g_autofree char *path = reading_file("trace", "cotrace-text 1\n"
                                                  "what?\n");
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_false(reading->good);
    g_assert_nonnull(
        strstr(reading->error, "holds no cotrace events: line 2: "));
    reading_free(reading);
}

static void test_not_text(void)
{
    g_autofree char *path = reading_file("trace", "");
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    static const char bytes[] = "cotrace-text 1\n"
                                "@1 1/1 context_create ctx=\0001\n"
                                "@2 1/1 context_create ctx=1\n";
    struct reading *reading;

    file_write(dir, name, 0, bytes, sizeof(bytes) - 1);
    reading = reading_run(path, NULL, NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, 1);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    reading_free(reading);
}

static void test_times_step_back(void)
{
    g_autofree char *path =
        reading_file("trace", "cotrace-text 1\n"
                              "@100 1/1 context_create ctx=1\n"
                              "@90 1/1 context_create ctx=2\n"
                              "@95 1/1 context_create ctx=3\n"
                              "@120 1/1 context_destroy ctx=1\n");
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, 4);
    g_assert_cmpint(reading->summary.origin_ns, ==, 100);
    g_assert_true(reading->summary.complete);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0),
                            "2 times stepped back"));
    reading_free(reading);
}

static void test_order_only(void)
{
    g_autofree char *path =
        reading_file("trace", "cotrace-text 1\n"
                              "clock none\n"
                              "@- 1/1 context_create ctx=1\n"
                              "! stream=0 from=- to=- lost=2\n"
                              "@- 1/1 context_destroy ctx=1\n");
    struct reading *reading = reading_run(path, NULL, NULL);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, 2);
    g_assert_cmpuint(reading->summary.discarded, ==, 2);
    g_assert_false(reading->summary.has_clock);
    g_assert_cmpstr(reading->summary.clock, ==, "none");
    reading_free(reading);
}

/* A consumer that fails ends the pass early, and its reason comes out. */
struct failing {
    struct ct_consumer consumer;
    unsigned told;
    unsigned finished;
};

static void fail_at_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    ((struct failing *)consumer)->told++;
    consumer->failed = true;
}

static bool finish_failed(struct ct_consumer *consumer,
                          const struct ct_summary *summary, GError **error)
{
    ((struct failing *)consumer)->finished++;
    g_set_error_literal(error, CT_TRACE_ERROR, CT_TRACE_ERROR_OUTPUT,
                        "no room");
    return false;
}

static void test_failing_consumer(void)
{
    g_autofree char *path =
        reading_file("trace", "cotrace-text 1\n"
                              "@100 1/1 context_create ctx=1\n"
                              "! stream=0 from=110 to=111 lost=1\n"
                              "@120 1/1 context_create ctx=2\n"
                              "! stream=0 from=130 to=131 lost=1\n"
                              "@140 1/1 context_create ctx=3\n");
    struct failing failing = {
        .consumer = {.gap = fail_at_gap, .finish = finish_failed}};
    struct ct_consumer *consumers[] = {&failing.consumer, NULL};
    GError *error = NULL;

    g_assert_false(ct_trace_run(path, NULL, consumers, &error));
    g_assert_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_OUTPUT);
    g_assert_cmpuint(failing.told, ==, 1);
    g_assert_cmpuint(failing.finished, ==, 1);
    g_error_free(error);
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace/no-such-file", test_no_such_file);
    g_test_add_func("/trace/empty-directory", test_empty_directory);
    g_test_add_func("/trace/directory-without-trace",
                    test_directory_without_trace);
    g_test_add_func("/trace/log-further-in", test_log_further_in);
    g_test_add_func("/trace/other-files", test_other_files);
    g_test_add_func("/trace/no-events", test_no_events);
    g_test_add_func("/trace/left-out", test_left_out);
    g_test_add_func("/trace/closed", test_closed);
    g_test_add_func("/trace/chosen", test_chosen);
    g_test_add_func("/trace/links", test_links);
    g_test_add_func("/trace/text", test_text);
    g_test_add_func("/trace/bad-lines", test_bad_lines);
    g_test_add_func("/trace/no-good-line", test_no_good_line);
    g_test_add_func("/trace/not-text", test_not_text);
    g_test_add_func("/trace/times-step-back", test_times_step_back);
    g_test_add_func("/trace/order-only", test_order_only);
    g_test_add_func("/trace/failing-consumer", test_failing_consumer);
    status = g_test_run();
    reading_fini();
    return status;
}
