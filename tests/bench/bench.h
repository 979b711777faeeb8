/* SPDX-License-Identifier: MIT */
/*
 * bench.h - one contender: a program that times its rows
 *
 *     PROGRAM ROW COUNT
 *
 * does COUNT operations of ROW and prints the nanoseconds of one.  Who is
 * compared with whom, in what turns and on which CPU, is run.py's business.
 *
 * Time is the process's CPU time.  On the one CPU that all its threads share,
 * somebody runs all the time, so it is the time that passes, less what other
 * programs take of that CPU.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench_row {
    const char *name;
    void (*run)(uint64_t count); /* includes bench_start(), bench_stop() */
};

static uint64_t bench_started_ns;
static uint64_t bench_elapsed_ns;

static inline uint64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What lies between the two is the time of COUNT operations. */
static inline void bench_start(void)
{
    bench_started_ns = bench_now_ns();
}

static inline void bench_stop(void)
{
    bench_elapsed_ns = bench_now_ns() - bench_started_ns;
}

static inline int bench_main(int argc, char **argv,
                             const struct bench_row *rows, size_t n_rows)
{
    for (size_t i = 0; argc == 3 && i < n_rows; i++) {
        uint64_t count = strtoull(argv[2], NULL, 10);

        if (count > 0 && strcmp(argv[1], rows[i].name) == 0) {
            rows[i].run(count);
            printf("%.4f\n", (double)bench_elapsed_ns / (double)count);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s ROW COUNT, rows:", argv[0]);
    for (size_t i = 0; i < n_rows; i++) {
        fprintf(stderr, " %s", rows[i].name);
    }
    fprintf(stderr, "\n");
    return 2;
}

#define BENCH_MAIN(rows)                                                     \
    int main(int argc, char **argv)                                          \
    {                                                                        \
        return bench_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0])); \
    }

/*
 * The same eight frames for everybody: frame N calls frame N + 1, the last one
 * calls SWITCH.  Written out, since a compiler turns a recursion into a loop.
 */
#define BENCH_FRAME(n, next)                                            \
    static __attribute__((noinline)) void bench_frame_##n(void *opaque) \
    {                                                                   \
        next(opaque);                                                   \
        __asm__ volatile("" ::: "memory"); /* not a tail call */        \
    }
#define BENCH_EIGHT_FRAMES(SWITCH) \
    BENCH_FRAME(8, SWITCH)         \
    BENCH_FRAME(7, bench_frame_8)  \
    BENCH_FRAME(6, bench_frame_7)  \
    BENCH_FRAME(5, bench_frame_6)  \
    BENCH_FRAME(4, bench_frame_5)  \
    BENCH_FRAME(3, bench_frame_4)  \
    BENCH_FRAME(2, bench_frame_3)  \
    BENCH_FRAME(1, bench_frame_2)

#endif
