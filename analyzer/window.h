/* SPDX-License-Identifier: MIT */
/*
 * window.h - consumers that are told of a part of the trace
 *
 * Model:    a consumer that stands before others: closed -> open.  While it is
 *           closed, it keeps what is open and tells nobody; when it opens, it
 *           tells all of that as begun there; then it hands on what comes,
 *           its begin cut off.
 * Threads:  one pass, one thread.
 * Memory:   what is open, and a counter for each context and pool that there
 *           was before it opens; the consumers are borrowed.
 * Errors:   as the consumers'.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_WINDOW_H
#define CT_WINDOW_H

#include "ct/consumer.h"

struct ct_window;

/** ct_window_new() - @consumers: NULL-terminated */
struct ct_window *ct_window_new(struct ct_consumer *const consumers[]);
void ct_window_free(struct ct_window *window);

/** ct_window_consumers() - what the pass tells instead: NULL-terminated */
struct ct_consumer *const *ct_window_consumers(const struct ct_window *window);

/** ct_window_open() - from now on the consumers are told
 * @begin_ns: since 1970; everything up to then has been told to the window */
void ct_window_open(struct ct_window *window, int64_t begin_ns);

bool ct_window_is_open(const struct ct_window *window);

#endif
