/* SPDX-License-Identifier: MIT */
/*
 * test-salvage.c - damaged traces are read as far as they go
 *
 * The oracle is the same reader on a trace that lacks exactly the packets in
 * question and is otherwise whole: how many events a packet has is the
 * difference between two such readings.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reading.h"

#define PACKET 4096 /* bytes: every packet of the traces */
#define EVENTS 836  /* of `small` */
/* positions in a packet's head */
#define AT_END          40
#define AT_CONTENT_SIZE 48
#define AT_EVENTS       84 /* the first event's header */

/* Events of `small` when stream @name ends after @packets whole packets. */
static uint64_t events_with(const char *name, unsigned packets)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;
    uint64_t events;

    file_cut(dir, name, (uint64_t)packets * PACKET);
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    events = reading->summary.events;
    reading_free(reading);
    return events;
}

static uint64_t events_in_packet(const char *name, unsigned packet)
{
    return events_with(name, packet + 1) - events_with(name, packet);
}

/* One warning, about this file; what is missing is told as missing. */
static void check_damaged(const struct reading *reading, const char *name,
                          uint64_t events)
{
    g_assert_no_error((GError *)NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0), name));
    g_assert_false(reading->summary.complete);
    g_assert_cmpuint(reading->summary.events, ==, events);
    g_assert_false(reading->summary.discarded_known);
    g_assert_cmpuint(reading->gaps->len, ==, 1);
}

static bool gap_to_end(const struct reading *reading)
{
    return g_array_index(reading->gaps, struct ct_gap, 0).to_ns ==
           reading->summary.end_ns;
}

static void test_whole(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading = reading_run(dir, NULL, NULL);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 0);
    g_assert_cmpuint(reading->gaps->len, ==, 0);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS);
    g_assert_cmpuint(reading->summary.unknown_events, ==, 0);
    g_assert_cmpuint(reading->summary.discarded, ==, 0);
    g_assert_true(reading->summary.discarded_known);
    g_assert_true(reading->summary.complete);
    g_assert_true(reading->summary.has_clock);
    g_assert_cmpstr(reading->summary.clock, ==, "exact");
    reading_free(reading);
}

static void test_cut_in_packet(void)
{
    for (unsigned packets = 1; packets < 5; packets++) {
        g_autofree char *dir = reading_copy("small");
        struct reading *reading;

        file_cut(dir, "c_1", (uint64_t)packets * PACKET + 1 + packets * 777);
        reading = reading_run(dir, NULL, NULL);
        check_damaged(reading, "c_1", events_with("c_1", packets));
        g_assert_true(gap_to_end(reading));
        reading_free(reading);
    }
}

static void test_cut_to_nothing(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    file_cut(dir, "c_0", 0);
    reading = reading_run(dir, NULL, NULL);
    check_damaged(reading, "c_0", events_with("c_0", 0));
    g_assert_true(gap_to_end(reading));
    /* nothing is sure from the first event on */
    g_assert_cmpint(g_array_index(reading->gaps, struct ct_gap, 0).from_ns, ==,
                    reading->summary.origin_ns);
    reading_free(reading);
}

static void test_cut_in_first_packet(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    file_cut(dir, "c_0", 50);
    reading = reading_run(dir, NULL, NULL);
    check_damaged(reading, "c_0", events_with("c_0", 0));
    reading_free(reading);
}

static void test_zeros_at_end(void)
{
    g_autofree char *dir = reading_copy("small");
    static const char zeros[3 * PACKET + 5];
    struct reading *reading;

    file_write(dir, "c_0", file_size(dir, "c_0"), zeros, sizeof(zeros));
    reading = reading_run(dir, NULL, NULL);
    check_damaged(reading, "c_0", EVENTS);
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0), "zeros"));
    g_assert_true(gap_to_end(reading));
    reading_free(reading);
}

/* Damage @n bytes at @at of packet @packet: it is lost, and it alone. */
static void check_lost_packet(const char *name, unsigned packet, unsigned at,
                              const void *bytes, size_t n)
{
    g_autofree char *dir = reading_copy("small");
    uint64_t lost = events_in_packet(name, packet);
    struct reading *whole = reading_run(dir, NULL, NULL);
    struct reading *reading;

    file_write(dir, name, (uint64_t)packet * PACKET + at, bytes, n);
    reading = reading_run(dir, NULL, NULL);
    check_damaged(reading, name, EVENTS - lost);
    g_assert_cmpint(reading->summary.end_ns, <=, whole->summary.end_ns);
    g_assert_cmpint(reading->summary.origin_ns, >=, whole->summary.origin_ns);
    reading_free(reading);
    reading_free(whole);
}

static void test_garbage_head(void)
{
    check_lost_packet("c_0", 2, 0, "garbage!", 8);
}

static void test_garbage_events(void)
{
    static const unsigned char garbage[] = {
        0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff,
    };

    for (unsigned packet = 0; packet < 4; packet++) {
        check_lost_packet("c_1", packet, AT_EVENTS, garbage, sizeof(garbage));
    }
}

static void test_content_size_zero(void)
{
    static const char zeros[16];

    check_lost_packet("c_0", 1, AT_CONTENT_SIZE, zeros, sizeof(zeros));
}

/* A head that is only wrong in its time must not cost the packets behind. */
static void test_end_too_late(void)
{
    static const unsigned char late[] = {0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0x00};

    check_lost_packet("c_0", 1, AT_END, late, sizeof(late));
}

static void test_garbage_at_end(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    file_write(dir, "c_0", file_size(dir, "c_0"), "what is this?", 13);
    reading = reading_run(dir, NULL, NULL);
    check_damaged(reading, "c_0", EVENTS);
    g_assert_true(gap_to_end(reading));
    reading_free(reading);
}

static void test_two_streams(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    file_cut(dir, "c_0", 3 * PACKET + 100);
    file_cut(dir, "c_1", 2 * PACKET + 100);
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, 2);
    g_assert_cmpuint(reading->gaps->len, ==, 2);
    g_assert_cmpuint(reading->summary.events, ==,
                     events_with("c_0", 3) + events_with("c_1", 2) - EVENTS);
    reading_free(reading);
}

static void check_index(void (*damage)(const char *dir), unsigned warnings)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    damage(dir);
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->warnings->len, ==, warnings);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS);
    g_assert_true(reading->summary.complete);
    reading_free(reading);
}

static void no_index(const char *dir)
{
    file_remove(dir, "index/c_0.idx");
}

static void cut_index(const char *dir)
{
    file_cut(dir, "index/c_0.idx", 100);
}

static void wrong_index(const char *dir)
{
    file_write(dir, "index/c_0.idx", 16 + 72, "\0\0\0\0\0\0\0\1", 8);
}

static void empty_index(const char *dir)
{
    file_cut(dir, "index/c_0.idx", 0);
}

static void test_index(void)
{
    check_index(no_index, 0);
    check_index(cut_index, 1);
    check_index(wrong_index, 1);
    check_index(empty_index, 1);
}

static void check_metadata(uint64_t size, const char *why)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading;

    file_cut(dir, "metadata", size);
    reading = reading_run(dir, NULL, NULL);
    g_assert_false(reading->good);
    g_assert_nonnull(strstr(reading->error, why));
    reading_free(reading);
}

static void test_metadata(void)
{
    check_metadata(0, "metadata is empty");
    check_metadata(20, "metadata is cut short");
    check_metadata(5000, "metadata is cut short");
    check_metadata(2 * PACKET, "metadata is damaged");
}

static void test_lossy(void)
{
    g_autofree char *dir = reading_copy("lossy");
    struct reading *reading = reading_run(dir, NULL, NULL);
    uint64_t lost = 0;

    g_assert_true(reading->good);
    /* of the lost events alone: nothing is damaged */
    g_assert_cmpuint(reading->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(reading->warnings, 0), "9770"));
    /* the program records 10220 events */
    g_assert_cmpuint(reading->summary.events, ==, 450);
    g_assert_cmpuint(reading->summary.discarded, ==, 9770);
    g_assert_true(reading->summary.discarded_known);
    g_assert_true(reading->summary.complete);
    for (unsigned i = 0; i < reading->gaps->len; i++) {
        const struct ct_gap *gap =
            &g_array_index(reading->gaps, struct ct_gap, i);

        g_assert_cmpint(gap->from_ns, <=, gap->to_ns);
        g_assert_cmpint(gap->from_ns, >=, reading->summary.origin_ns);
        lost += gap->lost;
    }
    g_assert_cmpuint(lost, ==, 9770);
    reading_free(reading);
}

/* As `record` leaves it: a note beside the trace. */
static struct reading *read_recording(const char *note)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *trace = reading_copy("small");
    g_autofree char *inside = g_build_filename(dir, "ust", NULL);

    g_assert_cmpint(rename(trace, inside), ==, 0);
    file_write(dir, "cotrace.json", 0, note, strlen(note));
    return reading_run(dir, NULL, NULL);
}

/* `record` tells that it had to end the recording by force. */
static void test_cut_off_recording(void)
{
    struct reading *reading =
        read_recording("{\"version\": 1, \"complete\": false}\n");

    g_assert_true(reading->good);
    g_assert_false(reading->summary.complete);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS);
    g_assert_cmpuint(reading->gaps->len, ==, 2); /* every stream's tail */
    reading_free(reading);
}

/* One that was complete says so. */
static void test_complete_recording(void)
{
    struct reading *reading = read_recording("{\"complete\":true}\n");

    g_assert_true(reading->good);
    g_assert_true(reading->summary.complete);
    reading_free(reading);
}

static void test_several_traces(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *small = reading_copy("small");
    g_autofree char *lossy = reading_copy("lossy");
    g_autofree char *broken = reading_copy("small");
    struct reading *reading;

    file_cut(broken, "metadata", 1000);
    for (unsigned i = 0; i < 3; i++) {
        const char *from = i == 0 ? small : i == 1 ? lossy : broken;
        g_autofree char *to = g_strdup_printf("%s/%u", dir, i);

        g_assert_cmpint(rename(from, to), ==, 0);
    }
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    /* of the metadata, and of the lost events */
    g_assert_cmpuint(reading->warnings->len, ==, 2);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS + 450);
    g_assert_false(reading->summary.complete);
    reading_free(reading);
}

/* A recording in two directories: one trace by its uuid. */
static void test_pieces(void)
{
    g_autofree char *dir = reading_scratch();
    g_autofree char *one = reading_copy("small");
    g_autofree char *two = reading_copy("small");
    g_autofree char *one_to = g_build_filename(dir, "one", NULL);
    g_autofree char *two_to = g_build_filename(dir, "two", NULL);
    struct reading *reading;

    file_remove(one, "c_1");
    file_remove(two, "c_0");
    g_assert_cmpint(rename(one, one_to), ==, 0);
    g_assert_cmpint(rename(two, two_to), ==, 0);
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS);
    g_assert_true(reading->summary.complete);
    reading_free(reading);
}

/* The tracer goes on writing while we read. */
static void grow(uint64_t bytes, uint64_t total, void *data)
{
    file_write(data, "c_0", file_size(data, "c_0"), "a part of a packet", 18);
}

static void test_growing(void)
{
    g_autofree char *dir = reading_copy("small");
    struct reading *reading = reading_run(dir, grow, dir);

    g_assert_true(reading->good);
    g_assert_cmpuint(reading->summary.events, ==, EVENTS);
    reading_free(reading);
}

static void end_myself(uint64_t bytes, uint64_t total, void *data)
{
    /* The view is there now. */
    if (reading_left_behind() != 1) {
        _exit(3);
    }
    raise(SIGTERM);
}

static void test_signal(void)
{
    g_autofree char *dir = reading_copy("small");
    pid_t child;
    int status;

    file_cut(dir, "c_0", 2 * PACKET + 9);
    fflush(NULL);
    child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        reading_run(dir, end_myself, NULL);
        _exit(4);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGTERM);
    g_assert_cmpuint(reading_left_behind(), ==, 0);
}

/* Where a view can't be made, a line says so. */
static void test_no_room_for_view(void)
{
    g_autofree char *dir = reading_copy("small");
    const char *tmp = g_getenv("TMPDIR");
    g_autofree char *away = g_strconcat(tmp, "-away", NULL);
    struct ct_consumer none = {0};
    struct ct_consumer *consumers[] = {&none, NULL};
    GError *error = NULL;

    file_cut(dir, "c_0", 2 * PACKET + 9);
    g_assert_cmpint(rename(tmp, away), ==, 0);
    g_assert_false(ct_trace_run(dir, NULL, consumers, &error));
    g_assert_cmpint(rename(away, tmp), ==, 0);
    g_assert_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT);
    g_assert_null(strchr(error->message, '\n'));
    g_error_free(error);
    g_assert_cmpuint(reading_left_behind(), ==, 0);
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/salvage/whole", test_whole);
    g_test_add_func("/salvage/cut-in-packet", test_cut_in_packet);
    g_test_add_func("/salvage/cut-to-nothing", test_cut_to_nothing);
    g_test_add_func("/salvage/cut-in-first-packet", test_cut_in_first_packet);
    g_test_add_func("/salvage/zeros-at-end", test_zeros_at_end);
    g_test_add_func("/salvage/garbage-head", test_garbage_head);
    g_test_add_func("/salvage/garbage-events", test_garbage_events);
    g_test_add_func("/salvage/content-size-zero", test_content_size_zero);
    g_test_add_func("/salvage/end-too-late", test_end_too_late);
    g_test_add_func("/salvage/garbage-at-end", test_garbage_at_end);
    g_test_add_func("/salvage/two-streams", test_two_streams);
    g_test_add_func("/salvage/index", test_index);
    g_test_add_func("/salvage/metadata", test_metadata);
    g_test_add_func("/salvage/lossy", test_lossy);
    g_test_add_func("/salvage/cut-off-recording", test_cut_off_recording);
    g_test_add_func("/salvage/complete-recording", test_complete_recording);
    g_test_add_func("/salvage/several-traces", test_several_traces);
    g_test_add_func("/salvage/pieces", test_pieces);
    g_test_add_func("/salvage/growing", test_growing);
    g_test_add_func("/salvage/signal", test_signal);
    g_test_add_func("/salvage/no-room-for-view", test_no_room_for_view);
    status = g_test_run();
    reading_fini();
    return status;
}
