/* SPDX-License-Identifier: MIT */
/*
 * Completions that overtook.
 *
 * How many work items a pass over a pool's finished ones finds is timing.  In
 * what order it completes those that were all there when it began is not: if
 * both runs submitted two items in the same order, one worker ended them in the
 * same order, one pass completed both in either run, and it did so the other
 * way round, then one overtook.  (Of two workers' items, what is told of their
 * ends does not say which of them the pass could see first.)
 */
#include "answer/diff/compare.h"

/* A bottom half that completes. */
struct pass {
    uint32_t slice; /* 0: none, or a baseline, which does not know */
    int64_t begin_ns;
};

static enum ct_decision_kind kind_of(const struct ct_compare *compare,
                                     enum ct_diff_side side, uint32_t decision)
{
    return ct_shared_label(compare->shared, compare->labels[side][decision])
        ->kind;
}

/* The one that a completion lies in: a bottom half before it. */
static struct pass pass_of(const struct ct_compare *compare,
                           enum ct_diff_side side, uint32_t completion)
{
    const struct ct_run_result *run = compare->run[side];
    const struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned,
                       compare->sequence[side][completion]);
    uint32_t slice = run->decisions[completion].slice;

    for (uint32_t i = compare->position[side][completion]; slice && i-- > 0;) {
        uint32_t at = aligned->at[side][i];
        if (run->decisions[at].slice < slice) {
            break; /* slices are counted as they begin */
        }
        if (run->decisions[at].slice == slice &&
            kind_of(compare, side, at) == CT_DECISION_BH) {
            return (struct pass){slice, run->decisions[at].when_ns};
        }
    }
    return (struct pass){0};
}

/* What is known of two items that one pass completed. */
struct both {
    bool is_known;    /* they were there when it began */
    bool is_in_order; /* the first was submitted first */
    bool has_ended_first;
};

static struct both look(const struct ct_compare *compare,
                        enum ct_diff_side side, const struct pass *pass,
                        uint32_t first, uint32_t second)
{
    const struct ct_decision *decisions = compare->run[side]->decisions;
    uint32_t items[] = {decisions[first].cause, decisions[second].cause};
    const struct ct_taken *taken[2];

    for (unsigned i = 0; i < 2; i++) {
        taken[i] = items[i] == CT_NOWHERE
                       ? NULL
                       : ct_compare_taken(compare, side, items[i]);
        if (!taken[i] || taken[i]->end_ns > pass->begin_ns ||
            decisions[items[i]].cause == CT_NOWHERE) {
            return (struct both){0};
        }
    }
    return (struct both){
        .is_known = taken[0]->tid == taken[1]->tid &&
                    taken[0]->end_ns != taken[1]->end_ns,
        .is_in_order = decisions[items[0]].cause < decisions[items[1]].cause,
        .has_ended_first = taken[0]->end_ns < taken[1]->end_ns,
    };
}

/* @first and @then: of A, which one pass completed one after the other */
static bool is_overtaking(const struct ct_compare *compare,
                          const struct pass *pass, uint32_t first,
                          uint32_t then)
{
    const uint32_t *partner = compare->partner[CT_DIFF_A];
    uint32_t b_first = partner[first], b_then = partner[then];

    if (b_first == CT_NOWHERE || b_then == CT_NOWHERE || b_first < b_then ||
        compare->unsure[CT_DIFF_A][first] || compare->unsure[CT_DIFF_A][then]) {
        return false;
    }
    struct pass there = pass_of(compare, CT_DIFF_B, b_then);
    if (!there.slice ||
        compare->run[CT_DIFF_B]->decisions[b_first].slice != there.slice) {
        return false;
    }
    struct both a = look(compare, CT_DIFF_A, pass, first, then);
    struct both b = look(compare, CT_DIFF_B, &there, b_first, b_then);
    return a.is_known && b.is_known && a.is_in_order == b.is_in_order &&
           a.has_ended_first == b.has_ended_first;
}

void ct_completions_find(const struct ct_compare *compare, GArray *turned)
{
    const struct ct_run_result *run = compare->run[CT_DIFF_A];

    for (unsigned k = 0; !compare->is_lossy && k < compare->aligned->len; k++) {
        const struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, k);
        struct pass pass = {0};
        uint32_t last = CT_NOWHERE; /* that the pass completed */

        for (uint32_t i = 0; i < aligned->n[CT_DIFF_A]; i++) {
            uint32_t at = aligned->at[CT_DIFF_A][i];
            enum ct_decision_kind kind = kind_of(compare, CT_DIFF_A, at);
            if (kind == CT_DECISION_BH) {
                pass = (struct pass){run->decisions[at].slice,
                                     run->decisions[at].when_ns};
                last = CT_NOWHERE;
            } else if (kind == CT_DECISION_COMPLETE && pass.slice &&
                       run->decisions[at].slice == pass.slice) {
                if (last != CT_NOWHERE &&
                    is_overtaking(compare, &pass, last, at)) {
                    struct ct_turned one = {.reason = CT_DIFF_REASON_POOL};
                    one.first[CT_DIFF_A] = last;
                    one.then[CT_DIFF_A] = at;
                    one.first[CT_DIFF_B] = compare->partner[CT_DIFF_A][at];
                    one.then[CT_DIFF_B] = compare->partner[CT_DIFF_A][last];
                    one.key = last;
                    g_array_append_val(turned, one);
                }
                last = at;
            }
        }
    }
}
