/* SPDX-License-Identifier: MIT */
/*
 * Which changes of order are real.
 *
 * Decisions that do not depend on one another may change places.  Of those
 * that do, a run tells direct links only; that is enough: if a chain of links
 * leads from x to y in one run, and the other run decides y before x, then at
 * least one link of the chain is turned round there.
 *
 * A link counts only where it says more than chance:
 *  - cause: between decisions whose number does not depend on timing; a bottom
 *    half that takes several causes at once may have any of them;
 *  - pool: in each run one worker took both items, in the other order, and both
 *    runs submitted them in the same one.  When several workers take items, who
 *    says so first is chance;
 *  - after: a program that waited for all its requests before it began another;
 *  - fewer workers: in one run items waited while all of its workers were busy
 *    and none was idle, and the other run had more busy at once than this one
 *    ever had alive.  One that started too late to be of use is no difference.
 */
#include "answer/diff/compare.h"

#include <stdlib.h>
#include <string.h>

struct finder {
    const struct ct_compare *compare;
    uint32_t *place; /* by decision of b: where it would stand in a */
    GArray *found;
};

static bool is_loose(const struct ct_compare *compare, enum ct_diff_side side,
                     uint32_t decision)
{
    return ct_label_is_loose(
        ct_shared_label(compare->shared, compare->labels[side][decision]));
}

static bool is_callback(const struct ct_compare *compare,
                        enum ct_diff_side side, uint32_t decision)
{
    const struct ct_label *label =
        ct_shared_label(compare->shared, compare->labels[side][decision]);

    return label->kind >= CT_DECISION_BH && label->kind <= CT_DECISION_FD;
}

static int by_decision(const void *key, const void *element)
{
    uint32_t decision = *(const uint32_t *)key;
    const struct ct_taken *taken = element;

    return decision < taken->decision ? -1 : decision > taken->decision;
}

static const struct ct_taken *taken_of(const struct ct_run_result *run,
                                       uint32_t decision)
{
    return run->n_taken ? bsearch(&decision, run->taken, run->n_taken,
                                  sizeof(*run->taken), by_decision)
                        : NULL; /* there is no array then */
}

const struct ct_taken *ct_compare_taken(const struct ct_compare *compare,
                                        enum ct_diff_side side,
                                        uint32_t decision)
{
    return taken_of(compare->run[side], decision);
}

/* In that run, did one worker take both? */
static bool is_same_worker(const struct ct_run_result *run, uint32_t first,
                           uint32_t then)
{
    const struct ct_taken *one = taken_of(run, first);
    const struct ct_taken *two = taken_of(run, then);

    return one && two && one->tid == two->tid;
}

/* @first before @then in @side; their partners the other way round. */
static bool is_overtaking(const struct ct_compare *compare,
                          enum ct_diff_side side, uint32_t first, uint32_t then)
{
    enum ct_diff_side there = ct_diff_other(side);
    const struct ct_run_result *run = compare->run[side];
    const struct ct_run_result *other = compare->run[there];
    uint32_t first_there = compare->partner[side][first];
    uint32_t then_there = compare->partner[side][then];
    uint32_t cause[] = {run->decisions[first].cause, run->decisions[then].cause,
                        other->decisions[first_there].cause,
                        other->decisions[then_there].cause};

    for (unsigned i = 0; i < G_N_ELEMENTS(cause); i++) {
        if (cause[i] == CT_NOWHERE) {
            return false;
        }
    }
    return cause[0] < cause[1] && cause[2] < cause[3] &&
           is_same_worker(run, first, then) &&
           is_same_worker(other, first_there, then_there);
}

/* Was it asked for in the other run, too, by one that is alike?  Then nothing
 * came before what asked for it: of those that are alike each run may have
 * another do it.  Which request does what several need (a table that all of
 * them read) is no matter either; which one makes the next begin is. */
static bool is_asked_alike(const struct ct_compare *compare,
                           enum ct_diff_side side, const struct ct_link *link)
{
    enum ct_diff_side there = ct_diff_other(side);
    uint32_t partner = compare->partner[side][link->to];
    uint32_t cause = compare->run[there]->decisions[partner].cause;

    if (cause == CT_NOWHERE) {
        return false;
    }
    const struct ct_label *to =
        ct_shared_label(compare->shared, compare->labels[side][link->to]);
    struct ct_label one = ct_label_base(
        ct_shared_label(compare->shared, compare->labels[side][link->from]));
    struct ct_label other = ct_label_base(
        ct_shared_label(compare->shared, compare->labels[there][cause]));
    if (to->kind != CT_DECISION_BEGIN && to->request != one.request) {
        one.range = other.range = 0;
    }
    return memcmp(&one, &other, sizeof(one)) == 0;
}

/* Did the program wait for that end?  It did if it began the next one outside
 * of all that its loop runs, on the thread on which the other had ended: that
 * thread comes there when a turn is over.  What a loop begins it begins when it
 * is asked for, so there it says something only of a run that did one after the
 * other throughout.  What ends on another thread may just have been quicker. */
static bool is_waiting(const struct ct_compare *compare, enum ct_diff_side side,
                       const struct ct_link *link)
{
    const struct ct_decision *decisions = compare->run[side]->decisions;

    return decisions[link->to].sequence == decisions[link->from].sequence &&
           (decisions[link->to].cause == CT_NOWHERE ||
            compare->run[side]->is_serial);
}

static bool is_telling(const struct ct_compare *compare, enum ct_diff_side side,
                       const struct ct_link *link)
{
    switch ((enum ct_link_kind)link->kind) {
    case CT_LINK_LOCK:
        return !is_callback(compare, side, link->from) &&
               !is_callback(compare, side, link->to);
    case CT_LINK_POOL:
        return is_overtaking(compare, side, link->from, link->to);
    case CT_LINK_AFTER:
        return is_waiting(compare, side, link);
    default:
        return !is_loose(compare, side, link->from) &&
               !is_loose(compare, side, link->to) &&
               !is_asked_alike(compare, side, link);
    }
}

static void add_turned(struct finder *finder, enum ct_diff_side side,
                       const struct ct_link *link)
{
    static const enum ct_diff_reason reasons[CT_LINK_KINDS] = {
        [CT_LINK_CAUSE] = CT_DIFF_REASON_CAUSE,
        [CT_LINK_LOCK] = CT_DIFF_REASON_LOCK,
        [CT_LINK_POOL] = CT_DIFF_REASON_POOL,
        [CT_LINK_AFTER] = CT_DIFF_REASON_AFTER,
    };
    enum ct_diff_side there = ct_diff_other(side);
    const uint32_t *partner = finder->compare->partner[side];
    struct ct_turned turned = {.reason = reasons[link->kind]};

    turned.first[side] = link->from;
    turned.then[side] = link->to;
    turned.first[there] = partner[link->to];
    turned.then[there] = partner[link->from];
    turned.key = turned.first[CT_DIFF_A];
    g_array_append_val(finder->found, turned);
}

/* Where events were lost the first of one run may be the second of the other.
 */
static bool is_doubtful(const struct ct_compare *compare,
                        enum ct_diff_side side, uint32_t decision)
{
    return compare->is_lossy &&
           compare->is_repeated[compare->labels[side][decision]];
}

static void find_turned(struct finder *finder, enum ct_diff_side side)
{
    const struct ct_compare *compare = finder->compare;
    const struct ct_run_result *run = compare->run[side];
    const uint32_t *partner = compare->partner[side];

    for (uint32_t i = 0; !compare->is_blind && i < run->n_links; i++) {
        const struct ct_link *link = &run->links[i];
        uint32_t from = partner[link->from], to = partner[link->to];
        if (from == CT_NOWHERE || to == CT_NOWHERE || from < to ||
            compare->unsure[side][link->from] ||
            compare->unsure[side][link->to] ||
            is_doubtful(compare, side, link->from) ||
            is_doubtful(compare, side, link->to) ||
            (compare->is_lossy && compare->epoch[side][link->from] !=
                                      compare->epoch[side][link->to]) ||
            !is_telling(compare, side, link)) {
            continue;
        }
        add_turned(finder, side, link);
    }
}

/* The first item that a worker took in one run when the other's were all busy.
 */
static void find_workers(struct finder *finder, uint32_t sequence,
                         enum ct_diff_side more)
{
    const struct ct_compare *compare = finder->compare;
    const struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned, sequence);
    enum ct_diff_side less = ct_diff_other(more);
    const struct ct_run_result *run = compare->run[more];

    if (!aligned->is_pool || compare->is_lossy || !aligned->saturated[less] ||
        aligned->peak_busy[more] <= aligned->peak_alive[less]) {
        return;
    }
    for (uint32_t i = 0; i < run->n_taken; i++) {
        uint32_t decision = run->taken[i].decision;
        uint32_t partner = compare->partner[more][decision];
        if (compare->sequence[more][decision] != sequence ||
            run->taken[i].busy <= aligned->peak_busy[less] ||
            partner == CT_NOWHERE) {
            continue;
        }
        struct ct_turned turned = {
            .reason = CT_DIFF_REASON_WORKERS,
            .then = {CT_NOWHERE, CT_NOWHERE},
            .workers = {aligned->peak_busy[CT_DIFF_A],
                        aligned->peak_busy[CT_DIFF_B]},
        };
        turned.first[more] = decision;
        turned.first[less] = partner;
        turned.key = turned.first[CT_DIFF_A];
        g_array_append_val(finder->found, turned);
        return;
    }
}

static int by_end(const void *key, const void *element)
{
    uint32_t decision = *(const uint32_t *)key;
    const struct ct_failed *failed = element;

    return decision < failed->decision ? -1 : decision > failed->decision;
}

static int32_t result_of(const struct ct_run_result *run, uint32_t end)
{
    const struct ct_failed *failed =
        run->n_failed
            ? bsearch(&end, run->failed, run->n_failed, sizeof(*failed), by_end)
            : NULL; /* there is no array then */

    return failed ? failed->ret : 0;
}

/* Requests that failed in one run only, or otherwise than in the other. */
static void find_results(struct finder *finder, enum ct_diff_side side)
{
    const struct ct_compare *compare = finder->compare;
    enum ct_diff_side there = ct_diff_other(side);
    const struct ct_run_result *run = compare->run[side];

    for (uint32_t i = 0; i < run->n_failed; i++) {
        uint32_t end = run->failed[i].decision;
        uint32_t partner = compare->partner[side][end];
        if (partner == CT_NOWHERE || compare->unsure[side][end]) {
            continue;
        }
        int32_t ret = result_of(compare->run[there], partner);
        struct ct_turned turned = {
            .reason = CT_DIFF_REASON_RESULT,
            .then = {CT_NOWHERE, CT_NOWHERE},
        };
        turned.first[side] = end;
        turned.first[there] = partner;
        turned.ret[side] = run->failed[i].ret;
        turned.ret[there] = ret;
        turned.key = turned.first[CT_DIFF_A];
        /* two that failed are told once */
        if (ret != run->failed[i].ret && (!ret || side == CT_DIFF_A)) {
            g_array_append_val(finder->found, turned);
        }
    }
}

/* Behind the last decision before it that both runs made in the same order. */
static void find_places(struct finder *finder)
{
    const struct ct_compare *compare = finder->compare;
    uint32_t n = compare->run[CT_DIFF_B]->n;
    uint32_t at = 0;

    finder->place = g_new(uint32_t, n + 1);
    for (uint32_t b = 0; b < n; b++) {
        uint32_t a = compare->partner[CT_DIFF_B][b];
        if (a != CT_NOWHERE &&
            g_array_index(compare->aligned, struct ct_aligned,
                          compare->sequence[CT_DIFF_A][a])
                .order.kept[compare->position[CT_DIFF_A][a]]) {
            at = a + 1;
        }
        finder->place[b] = at;
    }
}

static void find_only(struct finder *finder, const struct ct_block *block,
                      enum ct_diff_side side)
{
    const struct ct_compare *compare = finder->compare;
    const struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned, block->sequence);
    enum ct_diff_side there = ct_diff_other(side);

    for (uint32_t i = block->from[side]; i < block->to[side]; i++) {
        uint32_t decision = aligned->at[side][i];
        if (compare->partner[side][decision] != CT_NOWHERE ||
            compare->unsure[side][decision] ||
            !ct_compare_only_is_real(compare, side, decision)) {
            continue;
        }
        struct ct_turned turned = {
            .reason = CT_DIFF_REASON_ONLY,
            .then = {CT_NOWHERE, CT_NOWHERE},
        };
        turned.first[side] = decision;
        turned.first[there] = CT_NOWHERE;
        turned.key = side == CT_DIFF_A ? decision : finder->place[decision];
        g_array_append_val(finder->found, turned);
    }
}

/* By place; at one place what is missing or new explains more than what else
 * follows from it. */
static int by_key(const void *a, const void *b)
{
    const struct ct_turned *one = a;
    const struct ct_turned *two = b;

    if (one->key != two->key) {
        return one->key < two->key ? -1 : 1;
    }
    if (one->reason != two->reason) {
        return one->reason > two->reason ? -1 : 1;
    }
    uint32_t left = one->first[CT_DIFF_B], right = two->first[CT_DIFF_B];
    return left < right ? -1 : left > right;
}

GArray *ct_depends_find(struct ct_compare *compare)
{
    struct finder finder = {
        .compare = compare,
        .found = g_array_new(FALSE, FALSE, sizeof(struct ct_turned)),
    };

    find_places(&finder);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        find_turned(&finder, side);
        find_results(&finder, side);
        for (uint32_t i = 0; i < compare->aligned->len; i++) {
            find_workers(&finder, i, side);
        }
        for (unsigned i = 0; i < compare->blocks->len; i++) {
            const struct ct_block *block =
                &g_array_index(compare->blocks, struct ct_block, i);
            if (!block->unsure) {
                find_only(&finder, block, side);
            }
        }
    }
    g_free(finder.place);
    ct_completions_find(compare, finder.found);
    ct_wakeups_find(compare, finder.found);
    g_array_sort(finder.found, by_key);
    return finder.found;
}
