/* SPDX-License-Identifier: MIT */
/*
 * loops.h - runs a test case once with the context polled by aio_poll(), and
 * once with it attached to a GMainContext that is iterated
 */
#ifndef CT_TEST_LOOPS_H
#define CT_TEST_LOOPS_H

#include "ct/aio.h"

struct loop {
    AioContext *ctx;
    GMainContext *main; /* NULL: run by aio_poll() */
    const char *fdmon;  /* the monitor, NULL: chosen by the context */
    const void *data;   /* the case's */
};

typedef void loop_case(struct loop *loop);

/* Adds @path/poll and @path/gsource. */
void loops_add(const char *path, loop_case *run);

/* The same with @data for the case. */
void loops_add_data(const char *path, loop_case *run, const void *data);

/* Adds @path: only with aio_poll(). */
void loops_add_poll(const char *path, loop_case *run);

/* Adds @path/gsource, and @path/MONITOR for each of them. */
void loops_add_fdmons(const char *path, loop_case *run);

/*
 * One turn in the loop's own manner.  Return: in aio_poll()'s manner whether
 * something ran; GLib tells only that the context was dispatched.
 */
bool loop_turn(struct loop *loop, bool blocking);

/* Turns until nothing is left to run now. */
void loop_drain(struct loop *loop);

/* Blocking turns until @cond. */
#define loop_until(loop, cond)        \
    do {                              \
        while (!(cond)) {             \
            (void)loop_turn(loop, 1); \
        }                             \
    } while (0)

/* A log of what ran, compared as text. */
void log_clear(void);
void log_add(const char *format, ...) G_GNUC_PRINTF(1, 2);
const char *log_text(void);
#define log_expect(text) g_assert_cmpstr(log_text(), ==, text)

#endif
