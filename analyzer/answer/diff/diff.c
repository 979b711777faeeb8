/* SPDX-License-Identifier: MIT */
/*
 * The door: two runs in, one result out.
 */
#include "ct/diff.h"

#include "answer/diff/compare.h"
#include "answer/diff/explain.h"
#include "answer/diff/latency.h"
#include "answer/diff/programs.h"
#include "answer/diff/tally.h"
#include "ct/trace.h"

struct ct_diff {
    struct ct_shared shared;
    struct ct_run *run[CT_DIFF_SIDES];
    struct ct_explain *explain[CT_DIFF_SIDES];
    bool wants_pass[CT_DIFF_SIDES];
    bool is_restored; /* A is no trace: it has no backtraces */
    bool is_any_program;
    bool is_paired; /* `compare` is there */
    bool compared;  /* ... and the result */
    struct ct_compare compare;
    GArray *turned;              /* struct ct_turned */
    GArray *sequences;           /* struct ct_diff_sequence */
    GArray *pairs;               /* struct ct_diff_pair */
    GArray *only[CT_DIFF_SIDES]; /* struct ct_diff_only */
    GArray *latency;             /* struct ct_diff_latency */
    GPtrArray *texts;
    struct ct_diff_result result;
};

static const char *const reason_words[CT_DIFF_REASONS] = {
    [CT_DIFF_REASON_NONE] = "none",       [CT_DIFF_REASON_ORDER] = "order",
    [CT_DIFF_REASON_CAUSE] = "cause",     [CT_DIFF_REASON_LOCK] = "lock",
    [CT_DIFF_REASON_POOL] = "overtaken",  [CT_DIFF_REASON_AFTER] = "after",
    [CT_DIFF_REASON_WORKERS] = "workers", [CT_DIFF_REASON_ONLY] = "only",
    [CT_DIFF_REASON_WAKEUP] = "wakeup",   [CT_DIFF_REASON_RESULT] = "result",
};

const char *ct_diff_reason_word(enum ct_diff_reason reason)
{
    return reason_words[reason];
}

/* --- comparison ------------------------------------------------------- */

static void list_sequences(struct ct_diff *diff)
{
    const struct ct_compare *compare = &diff->compare;

    for (unsigned i = 0; i < compare->aligned->len; i++) {
        const struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, i);
        struct ct_diff_sequence sequence = {
            .name = ct_words_text(&diff->shared.words, aligned->name),
            .is_pool = aligned->is_pool,
            .kept = aligned->order.kept,
            .n_kept = aligned->n_kept,
            .n_moved = aligned->n_moved,
            .partner = {aligned->order.to_b, aligned->order.to_a},
        };
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            sequence.n[side] = aligned->n[side];
            sequence.labels[side] = aligned->labels[side];
            sequence.peak_busy[side] = aligned->peak_busy[side];
        }
        g_array_append_val(diff->sequences, sequence);
    }
}

static const struct ct_decision *decision_at(const struct ct_diff *diff,
                                             enum ct_diff_side side,
                                             const struct ct_diff_place *place)
{
    const struct ct_aligned *aligned = &g_array_index(
        diff->compare.aligned, struct ct_aligned, place->sequence);

    return ct_compare_decision(&diff->compare, side,
                               aligned->at[side][place->position]);
}

/* Of the run in which it was not woken: where it waits. */
static bool is_waiting(const struct ct_diff_change *change,
                       enum ct_diff_side side)
{
    return change->reason == CT_DIFF_REASON_WAKEUP && change->waits == side;
}

static void ask(struct ct_diff *diff, enum ct_diff_side side,
                const struct ct_diff_place *place, bool waits)
{
    if (!place->is || (side == CT_DIFF_A && diff->is_restored)) {
        return;
    }
    const struct ct_decision *decision = decision_at(diff, side, place);
    ct_explain_add(diff->explain[side], decision->slice, waits,
                   waits ? decision->other_ns -
                               diff->compare.run[side]->summary.origin_ns
                         : place->when_ns);
    diff->wants_pass[side] |= decision->slice != 0;
}

static void ask_change(struct ct_diff *diff, enum ct_diff_side side,
                       const struct ct_diff_change *change)
{
    if (change->reason != CT_DIFF_REASON_NONE) {
        ask(diff, side, &change->side[side], is_waiting(change, side));
        ask(diff, side, &change->waker[side], false);
    }
}

void ct_diff_set_any_program(struct ct_diff *diff)
{
    diff->is_any_program = true;
}

const char *ct_diff_program(const struct ct_diff *diff, enum ct_diff_side side,
                            unsigned number)
{
    const struct ct_run_result *run = diff->compare.run[side];

    return diff->compared && number < run->n_programs &&
                   run->programs[number].name
               ? ct_words_text(&diff->shared.words, run->programs[number].name)
               : NULL;
}

static void fill_times(struct ct_diff *diff)
{
    const struct ct_run_result *a = diff->compare.run[CT_DIFF_A];
    const struct ct_run_result *b = diff->compare.run[CT_DIFF_B];
    struct ct_diff_result *result = &diff->result;

    result->has_clock = a->summary.has_clock && b->summary.has_clock;
    if (result->has_clock) {
        diff->latency = ct_latency_compare(a->times, b->times,
                                           &diff->shared.words, diff->texts);
        struct ct_latency_cause cause = ct_latency_cause(diff->latency);
        result->cause = cause.row;
        result->cause_of = cause.of;
        result->n_latency = diff->latency->len;
        result->latency =
            (const struct ct_diff_latency *)(void *)diff->latency->data;
    }
}

static void fill_result(struct ct_diff *diff)
{
    struct ct_diff_result *result = &diff->result;

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = diff->compare.run[side];
        result->complete[side] = run->summary.complete;
        result->decisions[side] = run->n;
        result->n_only[side] = diff->only[side]->len;
        result->only[side] =
            (const struct ct_diff_only *)(void *)diff->only[side]->data;
    }
    result->bound = diff->compare.bound;
    result->kept = diff->compare.kept;
    result->moved = diff->compare.moved;
    result->unknown = diff->compare.unknown;
    result->real = diff->turned->len;
    result->identical = !diff->turned->len;
    result->exact = result->identical && !result->unknown &&
                    result->first.reason == CT_DIFF_REASON_NONE;
    result->n_sequences = diff->sequences->len;
    result->sequences =
        (const struct ct_diff_sequence *)(void *)diff->sequences->data;
    result->n_pairs = diff->pairs->len;
    result->pairs = (const struct ct_diff_pair *)(void *)diff->pairs->data;
}

bool ct_diff_compare(struct ct_diff *diff, GError **error)
{
    const struct ct_run_result *a = ct_run_result(diff->run[CT_DIFF_A]);
    const struct ct_run_result *b = ct_run_result(diff->run[CT_DIFF_B]);
    struct ct_diff_result *result = &diff->result;

    if (!a || !b || !a->n || !b->n) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "nothing to compare: %s made no scheduling decisions",
                    (!a || !a->n) && (!b || !b->n) ? "both runs"
                    : !a || !a->n                  ? "the first run"
                                                   : "the second run");
        return false;
    }
    ct_compare_init(&diff->compare, &diff->shared, a, b);
    diff->is_paired = true;
    if (!ct_programs_check(&diff->compare, diff->is_any_program, error)) {
        return false;
    }
    diff->turned = ct_depends_find(&diff->compare);
    list_sequences(diff);
    result->first = ct_change_first(&diff->compare);
    if (diff->turned->len) {
        const struct ct_turned *first =
            ct_change_first_real(&diff->compare, diff->turned);
        result->first_real = ct_change_of(&diff->compare, first);
        result->first_real_number =
            (uint64_t)(first -
                       &g_array_index(diff->turned, struct ct_turned, 0));
    }
    ct_tally(&diff->compare, diff->turned, diff->pairs, diff->only,
             diff->texts);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        ask_change(diff, side, &result->first);
        ask_change(diff, side, &result->first_real);
    }
    fill_times(diff);
    fill_result(diff);
    diff->compared = true;
    return true;
}

/* --- backtraces ------------------------------------------------------- */

static bool is_same_frame(const struct ct_frame *a, const struct ct_frame *b)
{
    return a->boundary == b->boundary &&
           (a->boundary != CT_BOUNDARY_NONE ||
            (a->function && g_strcmp0(a->function, b->function) == 0));
}

static void explain_place(const struct ct_diff *diff, enum ct_diff_side side,
                          struct ct_diff_place *place, bool waits)
{
    if (!place->is) {
        return;
    }
    const struct ct_explained *explained = ct_explain_get(
        diff->explain[side], decision_at(diff, side, place)->slice, waits);
    if (explained && explained->is) {
        place->pid = explained->pid;
        place->tid = explained->tid;
        place->complete = explained->complete;
        place->n_frames = explained->n_frames;
        place->frames = explained->frames;
    }
}

static void explain_change(const struct ct_diff *diff,
                           struct ct_diff_change *change)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        explain_place(diff, side, &change->side[side],
                      is_waiting(change, side));
        explain_place(diff, side, &change->waker[side], false);
    }
    const struct ct_diff_place *a = &change->side[CT_DIFF_A];
    const struct ct_diff_place *b = &change->side[CT_DIFF_B];
    unsigned n = 0;
    change->common = NULL;
    while (n < a->n_frames && n < b->n_frames &&
           is_same_frame(&a->frames[a->n_frames - 1 - n],
                         &b->frames[b->n_frames - 1 - n])) {
        const char *function = a->frames[a->n_frames - 1 - n].function;
        change->common = function ? function : change->common;
        n++;
    }
    change->n_common = n;
}

struct ct_consumer *ct_diff_explainer(struct ct_diff *diff,
                                      enum ct_diff_side side)
{
    return ct_explain_consumer(diff->explain[side]);
}

bool ct_diff_wants_pass(const struct ct_diff *diff, enum ct_diff_side side)
{
    return diff->wants_pass[side];
}

const struct ct_diff_result *ct_diff_result(const struct ct_diff *diff)
{
    if (!diff->compared) {
        return NULL;
    }
    struct ct_diff_result *result = (struct ct_diff_result *)&diff->result;
    explain_change(diff, &result->first);
    explain_change(diff, &result->first_real);
    return result;
}

/* --- life ------------------------------------------------------------- */

struct ct_diff *ct_diff_new(void)
{
    struct ct_diff *diff = g_new0(struct ct_diff, 1);

    ct_shared_init(&diff->shared);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        diff->run[side] = ct_run_new(&diff->shared);
        diff->explain[side] = ct_explain_new(diff->shared.files);
        diff->only[side] =
            g_array_new(FALSE, FALSE, sizeof(struct ct_diff_only));
    }
    diff->sequences =
        g_array_new(FALSE, FALSE, sizeof(struct ct_diff_sequence));
    diff->pairs = g_array_new(FALSE, FALSE, sizeof(struct ct_diff_pair));
    diff->texts = g_ptr_array_new_with_free_func(g_free);
    return diff;
}

void ct_diff_free(struct ct_diff *diff)
{
    if (!diff) {
        return;
    }
    if (diff->is_paired) {
        ct_compare_fini(&diff->compare);
    }
    g_clear_pointer(&diff->turned, g_array_unref);
    g_clear_pointer(&diff->latency, g_array_unref);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        ct_run_free(diff->run[side]);
        ct_explain_free(diff->explain[side]);
        g_array_unref(diff->only[side]);
    }
    g_array_unref(diff->sequences);
    g_array_unref(diff->pairs);
    g_ptr_array_unref(diff->texts);
    ct_shared_fini(&diff->shared);
    g_free(diff);
}

struct ct_consumer *ct_diff_consumer(struct ct_diff *diff,
                                     enum ct_diff_side side)
{
    return ct_run_consumer(diff->run[side]);
}

void ct_diff_item(const struct ct_diff *diff, enum ct_diff_side side,
                  uint32_t number, struct ct_diff_item *ret_item)
{
    const struct ct_compare *compare = &diff->compare;
    const struct ct_decision *decision =
        ct_compare_decision(compare, side, number);
    int64_t origin_ns = compare->run[side]->summary.origin_ns;
    uint32_t partner = compare->partner[side][number];
    const struct ct_taken *taken = ct_compare_taken(compare, side, number);

    *ret_item = (struct ct_diff_item){
        .label = compare->labels[side][number],
        .sequence = compare->sequence[side][number],
        .position = compare->position[side][number],
        .partner = partner,
        .tid = taken ? taken->tid : 0,
        .begin_ns = MIN(decision->when_ns, decision->other_ns) - origin_ns,
        .end_ns = MAX(decision->when_ns, decision->other_ns) - origin_ns,
    };
    if (compare->unsure[side][number]) {
        ret_item->mark = CT_DIFF_MARK_UNSURE;
    } else if (partner == CT_NOWHERE) {
        ret_item->mark = ct_compare_only_is_real(compare, side, number)
                             ? CT_DIFF_MARK_ONLY
                             : CT_DIFF_MARK_LOOSE;
    } else if (!ct_compare_is_kept(compare,
                                   side == CT_DIFF_A ? number : partner)) {
        ret_item->mark = CT_DIFF_MARK_MOVED;
    }
}

void ct_diff_real(const struct ct_diff *diff, uint64_t number,
                  struct ct_diff_real *ret_real)
{
    const struct ct_turned *turned =
        &g_array_index(diff->turned, struct ct_turned, (unsigned)number);

    *ret_real = (struct ct_diff_real){.reason = turned->reason};
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        ret_real->first[side] = turned->first[side];
        ret_real->then[side] = turned->then[side];
    }
}

const char *ct_diff_label_kind(const struct ct_diff *diff, uint32_t label)
{
    return ct_decision_word(
        (enum ct_decision_kind)ct_shared_label(&diff->shared, label)->kind);
}

char *ct_diff_label(const struct ct_diff *diff, uint32_t label)
{
    return ct_label_text(&diff->shared, label);
}

bool ct_diff_is_loose(const struct ct_diff *diff, uint32_t label)
{
    return ct_label_is_loose(ct_shared_label(&diff->shared, label));
}

struct ct_saved *ct_diff_save(const struct ct_diff *diff)
{
    return ct_run_save(diff->run[CT_DIFF_A]);
}

bool ct_diff_restore(struct ct_diff *diff, const struct ct_saved *saved)
{
    diff->is_restored = true;
    return ct_run_restore(diff->run[CT_DIFF_A], saved);
}
