/* SPDX-License-Identifier: MIT */
/*
 * account/logs.h - logs of what ran, for those that wait meanwhile
 *
 * Model:    pieces in the order of their ends; answers with those that lie
 *           between the begin of an open wait and now, settled in part.
 * Threads:  one pass, one thread.
 * Memory:   between the begins of two open waits at most CT_RAN_MAX pieces, and
 *           a fixed number that is newer; half as much again for what is
 *           settled of them.
 * Errors:   none.
 * Depends:  account/ran.h.
 */
#ifndef CT_ACCOUNT_LOGS_H
#define CT_ACCOUNT_LOGS_H

#include <glib.h>

#include "account/ran.h"

enum {
    CT_LOG_BLOCK = 128, /* as many pieces are settled together; 2^n of them */
    CT_LOG_LEVELS = 16,
};

/* An open wait; the waiter's memory.  All of them form a ring, by begin. */
struct ct_wait {
    bool is_open;
    int64_t begin_ns;
    struct ct_wait *next, *prev;
};

struct ct_piece {
    int64_t begin_ns, end_ns;
    bool is_sum; /* of some time within; else of all */
    struct ct_ran what;
};

/* Zeroed is empty. */
struct ct_log {
    struct ct_piece *v;
    unsigned n, capacity;
    unsigned limit;                   /* when it is gone through again */
    GPtrArray *blocks[CT_LOG_LEVELS]; /* NULL; what is settled, or NULL */
};

/** ct_log_add() - @waits: the ring of those that may ask */
void ct_log_add(struct ct_log *log, const struct ct_wait *waits,
                int64_t begin_ns, int64_t end_ns, const struct ct_ran *what);

/** ct_log_changed() - what the @at-th piece is was put right */
void ct_log_changed(struct ct_log *log, unsigned at);

/** ct_log_parts() - adds to @list what lies in @from_ns .. @now_ns
 * @from_ns: an open wait's begin */
void ct_log_parts(struct ct_log *log, int64_t from_ns, int64_t now_ns,
                  struct ct_ran_list *list);

void ct_log_fini(struct ct_log *log);

#endif
