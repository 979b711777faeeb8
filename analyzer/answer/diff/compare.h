/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/compare.h - two runs, decision by decision
 *
 * Model:    compare.c aligns the sequences that contexts.c pairs; depends.c
 *           says which changes are real; diff.c makes a result of it.  A
 *           decision beside lost events is `unsure`: what is different there is
 *           not known to be a difference.
 * Threads:  one.
 * Memory:   the comparison borrows both runs.
 * Errors:   none.
 * Depends:  answer/diff/labels.h, answer/diff/order.h, ct/diff.h.
 */
#ifndef CT_DIFF_COMPARE_H
#define CT_DIFF_COMPARE_H

#include "answer/diff/labels.h"
#include "answer/diff/order.h"
#include "ct/diff.h"

/* What one context decided in both runs. */
struct ct_aligned {
    uint32_t name; /* word */
    bool is_pool;
    uint32_t *at[CT_DIFF_SIDES];     /* decision, by position */
    uint32_t *labels[CT_DIFF_SIDES]; /* by position */
    uint32_t n[CT_DIFF_SIDES];
    unsigned peak_busy[CT_DIFF_SIDES];
    unsigned peak_alive[CT_DIFF_SIDES];
    uint64_t saturated[CT_DIFF_SIDES];
    uint32_t n_kept, n_moved;
    struct ct_order order;
};

/* A stretch between two kept pairs, [from, to) by position. */
struct ct_block {
    uint32_t sequence;
    uint32_t from[CT_DIFF_SIDES], to[CT_DIFF_SIDES];
    bool unsure;
};

struct ct_compare {
    struct ct_shared *shared;
    const struct ct_run_result *run[CT_DIFF_SIDES];
    uint32_t *labels[CT_DIFF_SIDES];   /* by decision, as compared */
    uint32_t *partner[CT_DIFF_SIDES];  /* decision of the other side */
    uint32_t *sequence[CT_DIFF_SIDES]; /* in `aligned`, by decision */
    uint32_t *position[CT_DIFF_SIDES]; /* in its sequence */
    uint8_t *unsure[CT_DIFF_SIDES];
    GArray *holes[CT_DIFF_SIDES]; /* struct ct_hole, sorted; `to_ns`: of all up
                                     to there the last */
    bool is_lossy;                /* events are missing in one of them */
    bool is_blind; /* of one nothing is sure from its first decision to the
                      last: order is not judged */
    uint32_t *epoch[CT_DIFF_SIDES]; /* by decision: holes before it, of both
                                       runs; NULL: there are none */
    uint8_t *seen;                  /* by label: bit per side that has it */
    uint8_t *is_repeated; /* by label: a run has several; NULL: nothing was lost
                           */
    uint32_t n_labels;
    GArray *aligned;             /* struct ct_aligned */
    GArray *blocks;              /* struct ct_block that are not empty */
    GArray *lost[CT_DIFF_SIDES]; /* uint32_t: decisions of one run that a lost
                                    wake-up took from the other; few */
    uint64_t kept, moved, unknown;
    bool bound;
};

void ct_compare_init(struct ct_compare *compare, struct ct_shared *shared,
                     const struct ct_run_result *a,
                     const struct ct_run_result *b);
void ct_compare_fini(struct ct_compare *compare);

static inline const struct ct_decision *ct_compare_decision(
    const struct ct_compare *compare, enum ct_diff_side side, uint32_t decision)
{
    return &compare->run[side]->decisions[decision];
}

/** ct_compare_is_kept() - do both runs make it in the same order?
 * @a: a decision of A */
static inline bool ct_compare_is_kept(const struct ct_compare *compare,
                                      uint32_t a)
{
    const struct ct_aligned *aligned = &g_array_index(
        compare->aligned, struct ct_aligned, compare->sequence[CT_DIFF_A][a]);

    return aligned->order.kept[compare->position[CT_DIFF_A][a]];
}

/** ct_compare_only_is_real() - does it matter that one run lacks this one? */
bool ct_compare_only_is_real(const struct ct_compare *compare,
                             enum ct_diff_side side, uint32_t decision);

/** ct_compare_taken() - who took that work item and when it ended; NULL: it is
 * none */
const struct ct_taken *ct_compare_taken(const struct ct_compare *compare,
                                        enum ct_diff_side side,
                                        uint32_t decision);

/* --- choose.c --------------------------------------------------------- */

/** ct_labels_choose() - sets `labels`, `n_labels` and `seen` */
void ct_labels_choose(struct ct_compare *compare);

/* --- doubt.c ---------------------------------------------------------- */

/** ct_doubt_holes() - in order of their begins; ends as far as any up to there
 * reaches; the caller frees the array of struct ct_hole */
GArray *ct_doubt_holes(const struct ct_run_result *run);

/** ct_doubt_is_beside() - may events be missing between what stands before and
 * after [@from, @to)? */
bool ct_doubt_is_beside(const struct ct_compare *compare,
                        const struct ct_aligned *aligned,
                        enum ct_diff_side side, uint32_t from, uint32_t to);

/** ct_doubt_decisions() - which of those without a partner are unsure
 * Pre: `holes` and `partner` are there. */
void ct_doubt_decisions(struct ct_compare *compare);

/* --- contexts.c ------------------------------------------------------- */

/** ct_contexts_pair() - by sequence of B, what it is in A; CT_NOWHERE: nothing
 * Pre: labels of both are chosen.
 * Return: the caller frees it. */
uint32_t *ct_contexts_pair(const struct ct_compare *compare);

/* --- depends.c -------------------------------------------------------- */

/* Two decisions that one run makes in the other order, and must not. */
struct ct_turned {
    enum ct_diff_reason reason;
    uint32_t first[CT_DIFF_SIDES]; /* decision; CT_NOWHERE: none */
    uint32_t then[CT_DIFF_SIDES];
    uint32_t key; /* where it happens: decision of a */
    unsigned workers[CT_DIFF_SIDES];
    uint32_t waker[CT_DIFF_SIDES]; /* WAKEUP: decision */
    enum ct_diff_side waits;       /* WAKEUP: where it was not woken */
    int32_t ret[CT_DIFF_SIDES];    /* RESULT */
};

/** ct_depends_find() - all real changes of order, struct ct_turned, the first
 * first; the caller frees the array */
GArray *ct_depends_find(struct ct_compare *compare);

/* --- changes.c -------------------------------------------------------- */

/** ct_change_of() - the same, as places */
struct ct_diff_change ct_change_of(const struct ct_compare *compare,
                                   const struct ct_turned *turned);

/** ct_change_first() - what each run did in the earliest block that is sure;
 * reason NONE: there is none */
struct ct_diff_change ct_change_first(const struct ct_compare *compare);

/** ct_change_first_real() - the one to tell of first
 * @turned: struct ct_turned, at least one, the first first */
const struct ct_turned *ct_change_first_real(const struct ct_compare *compare,
                                             const GArray *turned);

/* --- completions.c ---------------------------------------------------- */

/** ct_completions_find() - those that overtook others, which becomes
 * CT_DIFF_REASON_POOL
 * @turned: struct ct_turned, to which they are added */
void ct_completions_find(const struct ct_compare *compare, GArray *turned);

/* --- wakeups.c -------------------------------------------------------- */

/** ct_wakeups_find() - requests that end in one run only, since in the other
 * one their coroutine was not entered any more by what enters it in this one:
 * they become CT_DIFF_REASON_WAKEUP
 * @turned: struct ct_turned; in any order */
void ct_wakeups_find(struct ct_compare *compare, GArray *turned);

#endif
