/* SPDX-License-Identifier: MIT */
/*
 * bench_emit.c - what an event costs: off, on, with its stack
 *
 * Prints a JSON object a line.  Without a recording it measures the events
 * while they are off; inside one (both providers enabled, bench.py or emit.py
 * see to that) also while they are on, beside LTTng-UST by the book
 * (emit_peer.h), in turns, so that both see the same machine.
 *
 *   bench_emit               everything
 *   bench_emit quick         a little of everything, to see that it works
 *   bench_emit WORD COUNT    COUNT events of one case, to weigh their bytes
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ct/emit.h"

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "emit_peer.h"

enum {
    ROUNDS = 15,
    EVENTS = 20000,
    OFF_EVENTS = 20000000,
    DEPTH_MAX = 64,
    PAUSE_NS = 10000000,
};

#define NO_INLINE __attribute__((noinline))
#define HERE()    __asm__ volatile("" ::: "memory")

/* Of this thread: what others do on the same CPU is not the event's cost. */
static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- what is measured: each runs `count` times --------------------------- */

NO_INLINE static void run_empty(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        HERE();
    }
}

NO_INLINE static void run_two(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ct_emit_bh_cancel(i, count);
        HERE();
    }
}

/* Without fields of its own: the frames of an empty stack. */
NO_INLINE static void run_one(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ct_emit_aio_notify(i);
        HERE();
    }
}

NO_INLINE static void run_five(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ct_emit_fd_run_begin(i, count, 3, 1, 0x1234);
        HERE();
    }
}

NO_INLINE static void run_stack(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ct_emit_coroutine_create(i, count);
        HERE();
    }
}

NO_INLINE static void run_peer_zero(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        lttng_ust_tracepoint(bench_peer, zero);
        HERE();
    }
}

NO_INLINE static void run_peer_two(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        lttng_ust_tracepoint(bench_peer, two, i, count);
        HERE();
    }
}

NO_INLINE static void run_peer_six(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        lttng_ust_tracepoint(bench_peer, six, i, count, 1, 2, 3, 4);
        HERE();
    }
}

/* The obvious way: all frames in every event. */
NO_INLINE static void run_peer_frames(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (lttng_ust_tracepoint_enabled(bench_peer, two_and_frames)) {
            const uintptr_t *frame = __builtin_frame_address(0);
            uint64_t frames[DEPTH_MAX];
            uint32_t n = 0;

            while (n < DEPTH_MAX && frame && frame[0] > (uintptr_t)frame) {
                frames[n++] = frame[1];
                frame = (const uintptr_t *)frame[0];
            }
            lttng_ust_do_tracepoint(bench_peer, two_and_frames, i, count,
                                    frames, n);
        }
        HERE();
    }
}

/* Calls @run with about @depth frames of ours outside it. */
NO_INLINE static void descend(unsigned depth, void (*run)(uint64_t),
                              uint64_t count)
{
    if (depth > 1) {
        descend(depth - 1, run, count);
    } else {
        run(count);
    }
    HERE();
}

struct measured {
    const char *name;
    void (*run)(uint64_t count);
    unsigned depth;   /* frames of our own up to main */
    const char *peer; /* whose cost it is compared with */
    double ns[ROUNDS];
};

static struct measured off[] = {
    {"empty loop", run_empty, 3, NULL, {0}},
    {"event off", run_two, 3, "empty loop", {0}},
};

static struct measured on[] = {
    {"LTTng, 0 fields", run_peer_zero, 3, NULL, {0}},
    {"LTTng, 2 fields", run_peer_two, 3, NULL, {0}},
    {"LTTng, 6 fields", run_peer_six, 3, NULL, {0}},
    {"event, 1 field", run_one, 3, "LTTng, 0 fields", {0}},
    {"event, 2 fields", run_two, 3, "LTTng, 2 fields", {0}},
    {"event, 5 fields", run_five, 3, "LTTng, 6 fields", {0}},
    {"event, 2 fields and stack of 4", run_stack, 4, "LTTng, 2 fields", {0}},
    {"event, 2 fields and stack of 16", run_stack, 16, "LTTng, 2 fields", {0}},
    {"event, 2 fields and stack of 32", run_stack, 32, "LTTng, 2 fields", {0}},
    {"LTTng, 2 fields and 16 frames",
     run_peer_frames,
     16,
     "LTTng, 2 fields",
     {0}},
    {"LTTng, 2 fields and 32 frames",
     run_peer_frames,
     32,
     "LTTng, 2 fields",
     {0}},
};

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(struct measured *measured)
{
    qsort(measured->ns, ROUNDS, sizeof(measured->ns[0]), compare);
    return measured->ns[ROUNDS / 2];
}

static void run_one_round(struct measured *measured, int round, uint64_t count)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    double start;

    /* the consumer empties the buffers: a lost event would cost less */
    nanosleep(&pause, NULL);
    descend(measured->depth - 2, measured->run, count / 50);
    start = now_ns();
    /* main and this function are two of the frames */
    descend(measured->depth - 2, measured->run, count);
    measured->ns[round] = (now_ns() - start) / (double)count;
}

static void measure(struct measured *all, size_t n, uint64_t count)
{
    for (size_t i = 0; i < n; i++) {
        run_one_round(&all[i], 0, count); /* warm-up: overwritten */
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            run_one_round(&all[i], round, count);
        }
    }
    for (size_t i = 0; i < n; i++) {
        median(&all[i]);
    }
    for (size_t i = 0; i < n; i++) {
        printf("{\"name\": \"%s\", \"ns\": %.2f", all[i].name,
               all[i].ns[ROUNDS / 2]);
        for (size_t k = 0; k < n; k++) {
            if (all[i].peer && strcmp(all[i].peer, all[k].name) == 0) {
                printf(", \"peer\": \"%s\", \"peer_ns\": %.2f, "
                       "\"ratio\": %.3f",
                       all[k].name, all[k].ns[ROUNDS / 2],
                       all[i].ns[ROUNDS / 2] / all[k].ns[ROUNDS / 2]);
            }
        }
        printf("}\n");
    }
}

static int weigh(const char *name, uint64_t count)
{
    for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcmp(on[i].name, name) == 0) {
            descend(on[i].depth - 2, on[i].run, count);
            return 0;
        }
    }
    fprintf(stderr, "bench_emit: no case '%s'\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    bool quick = argc == 2 && strcmp(argv[1], "quick") == 0;
    uint64_t less = quick ? 200 : 1;

    if (argc == 3) {
        return weigh(argv[1], strtoull(argv[2], NULL, 10));
    }
    if (argc != 1 && !quick) {
        fprintf(stderr, "usage: bench_emit [quick | CASE COUNT]\n");
        return 2;
    }
    if (!ct_emit_on_bh_cancel()) {
        measure(off, sizeof(off) / sizeof(off[0]), OFF_EVENTS / less);
    }
    if (ct_emit_on_bh_cancel() &&
        lttng_ust_tracepoint_enabled(bench_peer, two)) {
        measure(on, sizeof(on) / sizeof(on[0]), EVENTS / less);
    }
    return 0;
}
