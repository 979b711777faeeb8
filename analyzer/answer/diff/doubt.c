/* SPDX-License-Identifier: MIT */
/*
 * What lost events make unsure of a comparison.
 *
 * What is in one run only may be among the lost events of the other: it is told
 * if nothing was lost since its request began, in either.
 */
#include "answer/diff/compare.h"

static int by_begin(const void *a, const void *b)
{
    const struct ct_hole *one = a, *two = b;

    return one->from_ns < two->from_ns ? -1 : one->from_ns > two->from_ns;
}

/* In order of their begins; ends as far as any up to there reaches. */
GArray *ct_doubt_holes(const struct ct_run_result *run)
{
    GArray *holes = g_array_new(FALSE, FALSE, sizeof(struct ct_hole));

    g_array_append_vals(holes, run->holes, run->n_holes);
    g_array_sort(holes, by_begin);
    for (unsigned i = 1; i < holes->len; i++) {
        struct ct_hole *hole = &g_array_index(holes, struct ct_hole, i);
        hole->to_ns = MAX(hole->to_ns, hole[-1].to_ns);
    }
    return holes;
}

/* How many have begun. */
static uint32_t holes_before(const GArray *holes, int64_t when_ns)
{
    uint32_t low = 0, high = holes->len;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (g_array_index(holes, struct ct_hole, middle).from_ns <= when_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* May events be missing between what stands before and after the block? */
bool ct_doubt_is_beside(const struct ct_compare *compare,
                        const struct ct_aligned *aligned,
                        enum ct_diff_side side, uint32_t from, uint32_t to)
{
    const struct ct_run_result *run = compare->run[side];
    int64_t from_ns =
        from ? run->decisions[aligned->at[side][from - 1]].when_ns : INT64_MIN;
    int64_t to_ns = to < aligned->n[side]
                        ? run->decisions[aligned->at[side][to]].when_ns
                        : INT64_MAX;

    uint32_t n = holes_before(compare->holes[side], to_ns);
    return n > 0 &&
           g_array_index(compare->holes[side], struct ct_hole, n - 1).to_ns >=
               from_ns;
}

static bool is_blind(const struct ct_compare *compare, enum ct_diff_side side)
{
    const struct ct_run_result *run = compare->run[side];
    const GArray *holes = compare->holes[side];

    for (unsigned i = 0; i < holes->len && run->n > 0; i++) {
        const struct ct_hole *hole = &g_array_index(holes, struct ct_hole, i);
        if (hole->from_ns <= run->decisions[0].when_ns &&
            hole->to_ns >= run->decisions[run->n - 1].when_ns) {
            return true;
        }
    }
    return false;
}

/* By decision: how many holes of either run lie before it. */
static uint32_t *count_epochs(const struct ct_compare *compare,
                              enum ct_diff_side side)
{
    const struct ct_run_result *run = compare->run[side];
    const struct ct_run_result *there = compare->run[ct_diff_other(side)];
    uint32_t *epoch = g_new(uint32_t, run->n + 1);
    uint32_t far = 0;

    for (uint32_t i = 0; i < run->n; i++) {
        uint32_t partner = compare->partner[side][i];
        const struct ct_label *label =
            ct_shared_label(compare->shared, run->decisions[i].label);
        /* whose first entering is lost is entered first behind the hole */
        if (partner != CT_NOWHERE && label->how != CT_HOW_FIRST) {
            far = MAX(far, holes_before(compare->holes[ct_diff_other(side)],
                                        there->decisions[partner].when_ns));
        }
        epoch[i] =
            holes_before(compare->holes[side], run->decisions[i].when_ns) + far;
    }
    return epoch;
}

/* Requests of which a run has more than one: {request, range}. */
static void find_repeated(const struct ct_compare *compare,
                          struct ct_interned *repeated)
{
    for (uint32_t i = 0; i < compare->shared->labels.n; i++) {
        const struct ct_label *label = ct_shared_label(compare->shared, i);
        uint32_t key[2] = {label->request, label->range};
        if (label->nth > 1) {
            ct_interned_get(repeated, key);
        }
    }
}

/* What is in one run only is told if nothing was lost since its request began;
 * else the other run may have it without knowing whose it is.  Of requests that
 * come more than once nobody knows which one was lost. */
static void doubt_side(struct ct_compare *compare, enum ct_diff_side side,
                       const struct ct_interned *repeated)
{
    const struct ct_run_result *run = compare->run[side];
    struct ct_interned requests;
    GArray *since = g_array_new(FALSE, TRUE, sizeof(uint32_t)); /* epoch + 1 */

    ct_interned_init(&requests, 3 * sizeof(uint32_t));
    compare->epoch[side] = count_epochs(compare, side);
    for (uint32_t i = 0; i < run->n; i++) {
        const struct ct_label *label =
            ct_shared_label(compare->shared, run->decisions[i].label);
        uint32_t key[3] = {label->request, label->range, label->nth};
        uint32_t request = ct_interned_get(&requests, key);
        uint32_t epoch = compare->epoch[side][i];

        if (request == since->len) {
            g_array_set_size(since, request + 1);
        }
        if (label->kind == CT_DECISION_BEGIN) {
            g_array_index(since, uint32_t, request) = epoch + 1;
        }
        if (compare->partner[side][i] == CT_NOWHERE && epoch > 0 &&
            (!label->request || ct_interned_has(repeated, key) ||
             g_array_index(since, uint32_t, request) != epoch + 1)) {
            compare->unsure[side][i] = 1;
        }
    }
    ct_interned_fini(&requests);
    g_array_unref(since);
}

void ct_doubt_decisions(struct ct_compare *compare)
{
    struct ct_interned repeated;

    compare->is_blind =
        is_blind(compare, CT_DIFF_A) || is_blind(compare, CT_DIFF_B);
    if (compare->is_lossy) {
        ct_interned_init(&repeated, 2 * sizeof(uint32_t));
        find_repeated(compare, &repeated);
        doubt_side(compare, CT_DIFF_A, &repeated);
        doubt_side(compare, CT_DIFF_B, &repeated);
        ct_interned_fini(&repeated);
    }
}
