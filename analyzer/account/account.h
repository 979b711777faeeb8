/* SPDX-License-Identifier: MIT */
/*
 * account/account.h - changes in, requests with segments out
 *
 * Model:    a request's record lives from its begin to its end, at one
 *           address; its segments are complete when it is handed over as ended.
 * Threads:  one pass, one thread.
 * Memory:   `began` lives until it is handed over as `ended`; `ended` until the
 *           next call.
 * Errors:   a sum that is wrong is counted, or aborts with COTRACE_CHECK in
 *           the environment.
 * Depends:  ct/change.h.
 */
#ifndef CT_ACCOUNT_H
#define CT_ACCOUNT_H

#include "ct/change.h"

struct ct_account;

struct ct_account_result {
    struct ct_request *began;       /* NULL: none did */
    const struct ct_request *ended; /* NULL: none did */
};

/** ct_account_new() - @blames: work out causes' `ran`, and paths */
struct ct_account *ct_account_new(bool blames);
void ct_account_free(struct ct_account *account);

/** ct_account_error() - what is taken from now on happened at most so long
 * before its time */
void ct_account_error(struct ct_account *account, int64_t error_ns);

/** ct_account_take() - one change about a request (the others do nothing) */
struct ct_account_result ct_account_take(struct ct_account *account,
                                         const struct ct_change *change);

/** ct_account_meanwhile() - a slice began or ended, or a gap began; only for
 * blame, and before what else the same step changed */
void ct_account_meanwhile(struct ct_account *account,
                          const struct ct_change *change);

/** ct_account_state() - the state that a situation means */
enum ct_state ct_account_state(const struct ct_situation *situation);

uint64_t ct_account_bad_sums(const struct ct_account *account);

#endif
