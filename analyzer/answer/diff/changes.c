/* SPDX-License-Identifier: MIT */
/*
 * Changes as places: where in which run, and what both did the same way before;
 * and which of them is the first.
 */
#include "answer/diff/compare.h"

static struct ct_diff_place place_of(const struct ct_compare *compare,
                                     enum ct_diff_side side, uint32_t decision)
{
    struct ct_diff_place place = {0};

    if (decision != CT_NOWHERE) {
        place.is = true;
        place.label = compare->labels[side][decision];
        place.sequence = compare->sequence[side][decision];
        place.position = compare->position[side][decision];
        place.when_ns = compare->run[side]->decisions[decision].when_ns -
                        compare->run[side]->summary.origin_ns;
    }
    return place;
}

/* The last decision of its context that both made in the same order. */
static struct ct_diff_place last_before(const struct ct_compare *compare,
                                        enum ct_diff_side side,
                                        uint32_t decision)
{
    const struct ct_aligned *aligned = &g_array_index(
        compare->aligned, struct ct_aligned, compare->sequence[side][decision]);

    for (uint32_t i = compare->position[side][decision]; i-- > 0;) {
        uint32_t a = aligned->at[side][i];
        a = side == CT_DIFF_A ? a : compare->partner[CT_DIFF_B][a];
        if (a != CT_NOWHERE && ct_compare_is_kept(compare, a)) {
            return place_of(compare, CT_DIFF_A, a);
        }
    }
    return (struct ct_diff_place){.sequence =
                                      compare->sequence[side][decision]};
}

struct ct_diff_change ct_change_of(const struct ct_compare *compare,
                                   const struct ct_turned *turned)
{
    struct ct_diff_change change = {.reason = turned->reason};

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        change.side[side] = place_of(compare, side, turned->first[side]);
        change.then[side] = place_of(compare, side, turned->then[side]);
        change.workers[side] = turned->workers[side];
        change.ret[side] = turned->ret[side];
        if (turned->reason == CT_DIFF_REASON_WAKEUP) {
            change.waker[side] = place_of(compare, side, turned->waker[side]);
        }
    }
    change.waits = turned->waits;
    enum ct_diff_side side = change.side[CT_DIFF_A].is ? CT_DIFF_A : CT_DIFF_B;
    change.last = last_before(compare, side, turned->first[side]);
    return change;
}

/* The first of a block that is sure; else what follows it, CT_NOWHERE: nothing.
 * @ret_is_sure: set if there is one */
static uint32_t first_of(const struct ct_compare *compare,
                         const struct ct_block *block, enum ct_diff_side side,
                         bool *ret_is_sure)
{
    const struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned, block->sequence);

    for (uint32_t i = block->from[side]; i < block->to[side]; i++) {
        if (!compare->unsure[side][aligned->at[side][i]]) {
            *ret_is_sure = true;
            return aligned->at[side][i];
        }
    }
    return block->to[side] < aligned->n[side]
               ? aligned->at[side][block->to[side]]
               : CT_NOWHERE;
}

/* The earliest block that is sure: what each run did there. */
struct ct_diff_change ct_change_first(const struct ct_compare *compare)
{
    struct ct_turned best = {.reason = CT_DIFF_REASON_NONE};

    for (unsigned i = 0; i < compare->blocks->len; i++) {
        const struct ct_block *block =
            &g_array_index(compare->blocks, struct ct_block, i);
        const struct ct_aligned *aligned = &g_array_index(
            compare->aligned, struct ct_aligned, block->sequence);
        struct ct_turned turned = {
            .reason = CT_DIFF_REASON_ORDER,
            .then = {CT_NOWHERE, CT_NOWHERE},
        };
        bool is_sure = false;
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            turned.first[side] = first_of(compare, block, side, &is_sure);
        }
        if (!is_sure) {
            continue;
        }
        uint32_t before = block->from[CT_DIFF_A];
        turned.key =
            before ? aligned->at[CT_DIFF_A][before - 1] + 1
                   : MIN(turned.first[CT_DIFF_A], compare->run[CT_DIFF_A]->n);
        if (turned.first[CT_DIFF_A] != CT_NOWHERE) {
            turned.key = turned.first[CT_DIFF_A];
        }
        if (best.reason == CT_DIFF_REASON_NONE || turned.key < best.key) {
            best = turned;
        }
    }
    return best.reason != CT_DIFF_REASON_NONE
               ? ct_change_of(compare, &best)
               : (struct ct_diff_change){.reason = CT_DIFF_REASON_NONE};
}

/* Is it the begin of the request that the other one serves? */
static bool is_begin_of(const struct ct_compare *compare,
                        enum ct_diff_side side, uint32_t begin, uint32_t other)
{
    const uint32_t *labels = compare->labels[side];
    const struct ct_label *one =
        ct_shared_label(compare->shared, labels[begin]);
    const struct ct_label *two =
        ct_shared_label(compare->shared, labels[other]);

    return one->kind == CT_DECISION_BEGIN && one->request == two->request &&
           one->range == two->range && one->nth == two->nth;
}

/* The first; of a request that one run lacks its begin, though its coroutine
 * was entered just before. */
const struct ct_turned *ct_change_first_real(const struct ct_compare *compare,
                                             const GArray *turned)
{
    const struct ct_turned *first = &g_array_index(turned, struct ct_turned, 0);

    for (unsigned i = 1;
         i < MIN(turned->len, 3) && first->reason == CT_DIFF_REASON_ONLY; i++) {
        const struct ct_turned *next =
            &g_array_index(turned, struct ct_turned, i);
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            uint32_t one = first->first[side], two = next->first[side];
            if (next->reason == CT_DIFF_REASON_ONLY && one != CT_NOWHERE &&
                two == one + 1 && is_begin_of(compare, side, two, one)) {
                return next;
            }
        }
    }
    return first;
}
