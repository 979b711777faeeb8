/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups that were lost.
 *
 * A request that ends in one run and never in the other is a consequence.  If
 * its coroutine ran in both, and in the run where it ends what entered it last
 * was asked for by a decision that the other run made, too, then that one did
 * not wake it there: this is what differs.
 *
 * Both have to have happened for certain, so where events are missing nothing
 * is found; nor where the request could go on when the other run ended: then it
 * was woken, and nobody entered it.
 */
#include "answer/diff/compare.h"

/* Each costs a look at all decisions of both runs. */
#define LOOKS_MAX 64

static bool is_of(const struct ct_compare *compare, enum ct_diff_side side,
                  uint32_t decision, const struct ct_label *request)
{
    const struct ct_label *label =
        ct_shared_label(compare->shared, compare->labels[side][decision]);

    return label->request == request->request &&
           label->range == request->range && label->nth == request->nth;
}

static enum ct_decision_kind kind_of(const struct ct_compare *compare,
                                     enum ct_diff_side side, uint32_t decision)
{
    return (enum ct_decision_kind)ct_shared_label(
               compare->shared, compare->labels[side][decision])
        ->kind;
}

/* The last time that a coroutine ran for the request; CT_NOWHERE. */
static uint32_t last_run(const struct ct_compare *compare,
                         enum ct_diff_side side, uint32_t before,
                         const struct ct_label *request)
{
    for (uint32_t i = before; i-- > 0;) {
        if (kind_of(compare, side, i) == CT_DECISION_COROUTINE &&
            is_of(compare, side, i, request)) {
            return i;
        }
    }
    return CT_NOWHERE;
}

static bool has_ended(const struct ct_compare *compare, enum ct_diff_side side,
                      const struct ct_label *request)
{
    for (uint32_t i = compare->run[side]->n; i-- > 0;) {
        if (kind_of(compare, side, i) == CT_DECISION_END &&
            is_of(compare, side, i, request)) {
            return true;
        }
    }
    return false;
}

/* It waits for nobody: who let it go did wake it. */
static bool is_ready(const struct ct_compare *compare, enum ct_diff_side side,
                     const struct ct_label *request)
{
    const struct ct_run_result *run = compare->run[side];

    for (uint32_t i = 0; i < run->n_ready; i++) {
        if (is_of(compare, side, run->ready[i], request)) {
            return true;
        }
    }
    return false;
}

static void look(struct ct_compare *compare, struct ct_turned *turned,
                 enum ct_diff_side side)
{
    enum ct_diff_side there = ct_diff_other(side);
    uint32_t end = turned->first[side];
    const struct ct_label *request =
        ct_shared_label(compare->shared, compare->labels[side][end]);
    uint32_t resumed = last_run(compare, side, end, request);
    uint32_t n = compare->run[there]->n;

    if (resumed == CT_NOWHERE ||
        compare->partner[side][resumed] != CT_NOWHERE) {
        return;
    }
    uint32_t waker = compare->run[side]->decisions[resumed].cause;
    uint32_t partner =
        waker == CT_NOWHERE ? CT_NOWHERE : compare->partner[side][waker];
    uint32_t waits = last_run(compare, there, n, request);
    if (partner == CT_NOWHERE || waits == CT_NOWHERE || partner + 1 == n ||
        has_ended(compare, there, request) ||
        is_ready(compare, there, request)) {
        return;
    }
    turned->reason = CT_DIFF_REASON_WAKEUP;
    turned->first[side] = resumed;
    turned->first[there] = waits;
    turned->waits = there;
    turned->waker[side] = waker;
    turned->waker[there] = partner;
    turned->key = side == CT_DIFF_A ? resumed : turned->key;
    g_array_append_val(compare->lost[side], resumed);
}

void ct_wakeups_find(struct ct_compare *compare, GArray *turned)
{
    unsigned looks = 0;

    for (unsigned i = 0;
         !compare->is_lossy && looks < LOOKS_MAX && i < turned->len; i++) {
        struct ct_turned *one = &g_array_index(turned, struct ct_turned, i);
        enum ct_diff_side side =
            one->first[CT_DIFF_A] == CT_NOWHERE ? CT_DIFF_B : CT_DIFF_A;
        if (one->reason == CT_DIFF_REASON_ONLY &&
            kind_of(compare, side, one->first[side]) == CT_DECISION_END) {
            look(compare, one, side);
            looks++;
        }
    }
}
