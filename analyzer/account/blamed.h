/* SPDX-License-Identifier: MIT */
/*
 * account/blamed.h - an open request, as those see it who ask who held it up
 *
 * Model:    its segments, what was found of those that closed, and its path.
 * Threads:  one pass, one thread.
 * Memory:   blame.c's, freed by ct_blamed_fini(); segments are borrowed.
 * Errors:   none.
 * Depends:  account/meanwhile.h, account/critical.h, account/segments.h.
 */
#ifndef CT_ACCOUNT_BLAMED_H
#define CT_ACCOUNT_BLAMED_H

#include "account/critical.h"
#include "account/meanwhile.h"
#include "account/segments.h"

/* A piece of what a holder did, or who held it up. */
struct ct_stretch {
    int64_t begin_ns, end_ns;
    bool is_known;
    enum ct_state state;
    unsigned depth;
    uint64_t request; /* number */
};

struct ct_stretches {
    struct ct_stretch *v;
    unsigned n, capacity;
};

/* One open request. */
struct ct_blamed {
    int32_t pid;
    uint64_t number, parent;
    uint64_t coroutine; /* that serves it now; 0: none was told */
    struct ct_segments *segments;
    unsigned closed; /* segments that were looked at */
    bool resumed;    /* the open one was closed before, and has pieces */
    int64_t from_ns; /* since when its pieces are missing */
    struct ct_wait wait;
    struct ct_ran_list ran;
    struct ct_stretches behind; /* its closed waits for locks, in order */
    struct ct_critical critical;
};

#endif
