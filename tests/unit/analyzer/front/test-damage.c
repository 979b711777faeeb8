/* SPDX-License-Identifier: MIT */
/*
 * test-damage.c - no damage to a trace makes more of it than a line of warning
 *
 * Each stream cut at every 512 bytes, and single bytes changed, of streams and
 * metadata: 10 000 of them with COTRACE_SOAK=1, else a sample.  None may crash,
 * take more than SECONDS_MAX or more memory than the others; the other stream's
 * events are all there.
 *
 * Random damage with a fixed seed (SEED and ROUNDS in the environment change
 * it) over the files of small real traces: flipped bits, other bytes, zeros,
 * cuts.  reading_run() checks what must hold for any input: it returns, errors
 * and warnings are lines, finish is called once or never, and nothing is left
 * behind.  Beyond that: no damage to streams or indexes is an error, no event
 * lies outside of what was recorded, and what is missing is not called whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "reading.h"

#ifdef __has_feature /* clang's way to say it */
#if __has_feature(address_sanitizer)
#define CT_HAS_LSAN
#endif
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CT_IS_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CT_HAS_LSAN
#define CT_IS_SANITIZED
#elif defined(__SANITIZE_THREAD__)
#define CT_IS_SANITIZED
#endif

#ifdef CT_HAS_LSAN
#include <sanitizer/lsan_interface.h>
#endif

#define ROUNDS      150
#define BYTES       200 /* changes of single bytes; all of them: */
#define BYTES_ALL   10000
#define BORDER      512
#define SECONDS_MAX 60
/* That a process may grow by after its first rounds, AddressSanitizer's
 * quarantine aside. */
#define GROWTH_MAX_KIB (64 << 10)

static const char *const files[] = {
    "c_0", "c_1", "c_0", "c_1", "metadata", "index/c_0.idx",
};

struct extent {
    uint64_t events;
    int64_t origin_ns;
    int64_t end_ns;
};

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static struct extent extent_of(const char *trace)
{
    g_autofree char *dir = reading_copy(trace);
    struct reading *reading = reading_run(dir, NULL, NULL);
    struct extent extent = {reading->summary.events, reading->summary.origin_ns,
                            reading->summary.end_ns};

    g_assert_true(reading->good);
    reading_free(reading);
    return extent;
}

static void damage_once(GRand *random, const char *dir, const char *file)
{
    uint64_t size = file_size(dir, file);
    unsigned char bytes[512] = {0};
    uint64_t at;
    size_t n = 1;

    if (size == 0) {
        return;
    }
    at = (uint64_t)g_rand_int_range(random, 0, (int)size);
    if (file[0] == 'c' && g_rand_boolean(random)) {
        /* the heads are a small part of a stream, and the best to hurt */
        at = MIN(at / 4096 * 4096 + at % 90, size - 1);
    }
    switch (g_rand_int_range(random, 0, 5)) {
    case 0:
        file_cut(dir, file, at);
        return;
    case 1: /* zeros */
        n = (size_t)g_rand_int_range(random, 1, sizeof(bytes));
        break;
    case 2: /* anything */
        n = (size_t)g_rand_int_range(random, 1, 64);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (unsigned char)g_rand_int_range(random, 0, 256);
        }
        break;
    default: /* one byte */
        bytes[0] = (unsigned char)(1 << g_rand_int_range(random, 0, 8));
        break;
    }
    file_write(dir, file, at, bytes, n);
}

/* Warnings of the trace's own files: a path in it that changed has one, too,
 * and so have events that were lost before. */
static unsigned damage_told(const struct reading *reading, const char *dir)
{
    unsigned n = 0;

    for (unsigned i = 0; i < reading->warnings->len; i++) {
        const char *text = g_ptr_array_index(reading->warnings, i);

        n += g_str_has_prefix(text, dir) && !strstr(text, " lost; ");
    }
    return n;
}

static void check_round(GRand *random, const char *trace,
                        const struct extent *extent)
{
    g_autofree char *dir = reading_copy(trace);
    const char *file = files[g_rand_int_range(random, 0, G_N_ELEMENTS(files))];
    int times = g_rand_int_range(random, 1, 6);
    bool is_metadata = strcmp(file, "metadata") == 0;
    struct reading *reading;

    for (int i = 0; i < times; i++) {
        damage_once(random, dir, file);
    }
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good || is_metadata);
    if (reading->good && !is_metadata) {
        const struct ct_summary *summary = &reading->summary;

        g_assert_cmpuint(summary->events, <=, extent->events);
        g_assert_cmpint(summary->end_ns, <=, extent->end_ns);
        g_assert_cmpint(summary->origin_ns, >=, extent->origin_ns);
        if (summary->events < extent->events) {
            g_assert_false(summary->complete);
            g_assert_cmpuint(damage_told(reading, dir), ==, 1);
        }
    }
    reading_free(reading);
}

static void check_trace(const char *trace)
{
    struct extent extent = extent_of(trace);
    GRand *random = g_rand_new_with_seed(setting("SEED", 1));
    unsigned rounds = setting("ROUNDS", ROUNDS);

    for (unsigned i = 0; i < rounds; i++) {
        check_round(random, trace, &extent);
    }
    g_rand_free(random);
}

/* --- every cut, every byte ----------------------------------------------- */

static const char *const streams[] = {"c_0", "c_1"};

/* Events of one stream alone. */
static uint64_t events_of(const char *trace, unsigned stream)
{
    g_autofree char *dir = reading_copy(trace);
    g_autofree char *name = g_strdup_printf("index/%s.idx", streams[!stream]);
    struct reading *reading;
    uint64_t events;

    file_remove(dir, streams[!stream]);
    file_remove(dir, name);
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good);
    events = reading->summary.events;
    reading_free(reading);
    return events;
}

/* libbabeltrace2 2.0's parser of metadata loses a few bytes of what it can't
 * parse; its plugin is unloaded by then, so that it can't be named. */
static struct reading *read_metadata(const char *dir)
{
    struct reading *reading;

#ifdef CT_HAS_LSAN
    __lsan_disable();
#endif
    reading = reading_run(dir, NULL, NULL);
#ifdef CT_HAS_LSAN
    __lsan_enable();
#endif
    return reading;
}

static long peak_kib(void)
{
    struct rusage usage;

    g_assert_cmpint(getrusage(RUSAGE_SELF, &usage), ==, 0);
    return usage.ru_maxrss;
}

static void check_cuts(const char *trace)
{
    unsigned cuts = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(streams); i++) {
        uint64_t others = events_of(trace, !i);
        uint64_t whole = others + events_of(trace, i);
        g_autofree char *first = reading_copy(trace);
        uint64_t size = file_size(first, streams[i]);
        uint64_t before = others;

        for (uint64_t at = 0; at < size; at += BORDER, cuts++) {
            g_autofree char *dir = reading_copy(trace);
            struct reading *reading;

            alarm(SECONDS_MAX);
            file_cut(dir, streams[i], at);
            reading = reading_run(dir, NULL, NULL);
            g_assert_true(reading->good);
            g_assert_false(reading->summary.complete);
            /* of the cut, and of events that were lost before that */
            g_assert_cmpuint(reading->warnings->len, ==,
                             reading->summary.discarded > 0 ? 2 : 1);
            g_assert_cmpuint(reading->summary.events, >=, before);
            g_assert_cmpuint(reading->summary.events, <, whole);
            before = reading->summary.events;
            reading_free(reading);
        }
        alarm(0);
    }
    g_test_message("%s: %u cuts", trace, cuts);
}

static void check_byte(GRand *random, const char *trace,
                       const uint64_t own_events[])
{
    g_autofree char *dir = reading_copy(trace);
    unsigned which = (unsigned)g_rand_int_range(random, 0, 3);
    const char *file = which < 2 ? streams[which] : "metadata";
    uint64_t at =
        (uint64_t)g_rand_int_range(random, 0, (int)file_size(dir, file));
    unsigned char change = (unsigned char)g_rand_int_range(random, 1, 256);
    struct reading *reading;

    file_change(dir, file, at, change);
    alarm(SECONDS_MAX);
    reading = which == 2 ? read_metadata(dir) : reading_run(dir, NULL, NULL);
    alarm(0);
    g_assert_true(reading->good || which == 2);
    if (reading->good && which < 2) {
        uint64_t all = own_events[0] + own_events[1];
        uint64_t events = reading->summary.events;

        g_assert_cmpuint(events, >=, own_events[!which]);
        g_assert_cmpuint(events, <=, all);
        g_assert_cmpuint(damage_told(reading, dir), <=, 1);
        g_assert_true(events == all || !reading->summary.complete);
        g_assert_true(reading->summary.complete || damage_told(reading, dir));
    }
    reading_free(reading);
}

static void check_bytes(const char *trace)
{
    bool is_soak = g_strcmp0(getenv("COTRACE_SOAK"), "1") == 0;
    unsigned rounds = is_soak ? BYTES_ALL / 2 : BYTES / 2;
    GRand *random = g_rand_new_with_seed(setting("SEED", 1));
    uint64_t events[] = {events_of(trace, 0), events_of(trace, 1)};
    long first_kib = 0; /* after the first quarter */

    for (unsigned i = 0; i < rounds; i++) {
        check_byte(random, trace, events);
        first_kib = i == rounds / 4 ? peak_kib() : first_kib;
    }
#ifndef CT_IS_SANITIZED
    g_assert_cmpint(peak_kib() - first_kib, <, GROWTH_MAX_KIB);
#endif
    g_test_message("%s: %u single bytes changed, peak %ld KiB, first %ld KiB",
                   trace, rounds, peak_kib(), first_kib);
    g_rand_free(random);
}

static void test_cuts(void)
{
    check_cuts("small");
    check_cuts("lossy");
}

static void test_bytes(void)
{
    check_bytes("small");
    check_bytes("lossy");
}

static void test_small(void)
{
    check_trace("small");
}

static void test_lossy(void)
{
    check_trace("lossy");
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/damage/cuts", test_cuts);
    g_test_add_func("/damage/bytes", test_bytes);
    g_test_add_func("/damage/small", test_small);
    g_test_add_func("/damage/lossy", test_lossy);
    status = g_test_run();
    reading_fini();
    return status;
}
