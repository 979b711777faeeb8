/* SPDX-License-Identifier: MIT */
/*
 * account/ran.h - lists of what went on meanwhile
 *
 * Model:    pieces are added, then settled: like ones are one, the longest come
 *           first and all others last, and there are at most CT_RAN_MAX.
 * Threads:  one pass, one thread.
 * Memory:   the list belongs to the caller; zeroed is empty; fini.
 * Errors:   none.
 * Depends:  ct/request.h.
 */
#ifndef CT_ACCOUNT_RAN_H
#define CT_ACCOUNT_RAN_H

#include "ct/request.h"

struct ct_ran_list {
    struct ct_ran *v;
    unsigned n;
    unsigned capacity;
};

/** ct_ran_add() - one more piece; one that took no time is left out */
void ct_ran_add(struct ct_ran_list *list, const struct ct_ran *piece);

/** ct_ran_settle() - the pieces from @from on are one cause's */
void ct_ran_settle(struct ct_ran_list *list, unsigned from);

void ct_ran_fini(struct ct_ran_list *list);

#endif
