/* SPDX-License-Identifier: MIT */
/*
 * account/blame.h - who held it up: for each waiting segment, what went on
 *
 * Model:    a request's segments are looked at after each change of them; one
 *           that closed gets its cause's pieces then, while what it waited for
 *           is still there.
 * Threads:  one pass, one thread.
 * Memory:   what open requests and their open waits need; the pieces belong to
 *           the request, and of each of its waits for a lock a limited number
 *           with times.
 * Errors:   none; what is not known has no pieces, or CT_RAN_UNKNOWN ones.
 * Depends:  account/meanwhile.h, account/critical.h, account/segments.h.
 */
#ifndef CT_ACCOUNT_BLAME_H
#define CT_ACCOUNT_BLAME_H

#include "account/critical.h"
#include "account/meanwhile.h"
#include "account/segments.h"

struct ct_blame;

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

struct ct_blame *ct_blame_new(void);
void ct_blame_free(struct ct_blame *blame);

/** ct_blame_change() - a slice began or ended, or a gap began */
void ct_blame_change(struct ct_blame *blame, const struct ct_change *change);

/** ct_blame_begin() - a request began; its numbers and segments are set */
void ct_blame_begin(struct ct_blame *blame, struct ct_blamed *request);

/** ct_blame_serves() - a coroutine serves it from now on */
void ct_blame_serves(struct ct_blame *blame, struct ct_blamed *request,
                     uint64_t coroutine);

/** ct_blame_look() - its segments changed, @now_ns; @is_over: all are closed */
void ct_blame_look(struct ct_blame *blame, struct ct_blamed *request,
                   int64_t now_ns, bool is_over);

/**
 * ct_blame_end() - it is over; its path is told to those that waited for it
 * @coroutines: that served it
 */
unsigned ct_blame_end(struct ct_blame *blame, struct ct_blamed *request,
                      int64_t now_ns, const uint64_t *coroutines,
                      unsigned n_coroutines,
                      const struct ct_path_segment **ret_path);

/** ct_blamed_fini() - free a request's memory; it has ended, or all do */
void ct_blamed_fini(struct ct_blamed *request);

#endif
