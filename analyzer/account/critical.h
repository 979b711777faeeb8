/* SPDX-License-Identifier: MIT */
/*
 * account/critical.h - what a request waited for, when it waited for children
 *
 * Model:    while a request waits for children, each child that ends leaves its
 *           path: its own segments, and before its begin those of the child
 *           whose end made room for it.  When the wait is over the path of the
 *           one that ended last replaces the wait.
 * Threads:  one pass, one thread.
 * Memory:   an open request's path, and those that its open children may go
 *           on from; shared and counted.
 * Errors:   none; a time in which no child was seen stays `children`.
 * Depends:  ct/request.h, account/ran.h, account/segments.h.
 */
#ifndef CT_ACCOUNT_CRITICAL_H
#define CT_ACCOUNT_CRITICAL_H

#include "account/ran.h"
#include "account/segments.h"

struct ct_path;

/* One request's; zeroed is empty. */
struct ct_critical {
    struct ct_path *prefix; /* of its parent's wait, when it began */
    struct ct_path
        *newest; /* of its own open wait: the child that ended last */
    struct ct_path_segment *v; /* instead of its waits; then: the whole path */
    unsigned n, capacity;
    struct ct_path_segment *whole;
    unsigned whole_capacity;
};

/** ct_critical_begin() - a child begins while @parent waits; NULL: it doesn't
 */
void ct_critical_begin(struct ct_critical *child,
                       const struct ct_critical *parent);

/**
 * ct_critical_child() - a child has ended while its parent waits for children
 * @path: the child's whole path, @ran its pieces' causes
 */
void ct_critical_child(struct ct_critical *parent,
                       const struct ct_critical *child,
                       const struct ct_path_segment *path, unsigned n,
                       const struct ct_ran *ran);

/** ct_critical_share() - a request waits for them together with @with, which
 * was told of a child just now */
void ct_critical_share(struct ct_critical *critical,
                       const struct ct_critical *with);

/**
 * ct_critical_waited() - the wait for children is over
 * @wait:   the closed segment
 * @number: of the request that waited
 * @open:   path until now of a child that is still open, @n_open pieces;
 *          @open_ran their causes'
 * @ran:    of the request: causes are copied there
 */
void ct_critical_waited(struct ct_critical *critical,
                        const struct ct_segment *wait, uint64_t number,
                        const struct ct_path_segment *open, unsigned n_open,
                        const struct ct_ran *open_ran, struct ct_ran_list *ran);

/**
 * ct_critical_path() - the whole path of a request, from its begin
 * @now_ns: its end; until when, if it is open
 * Return: number of segments, valid until the next call or fini.
 */
unsigned ct_critical_path(struct ct_critical *critical,
                          const struct ct_segments *segments, uint64_t number,
                          int64_t now_ns,
                          const struct ct_path_segment **ret_path);

/** ct_critical_clear() - for the next request; keeps the memory */
void ct_critical_clear(struct ct_critical *critical);
void ct_critical_fini(struct ct_critical *critical);

#endif
