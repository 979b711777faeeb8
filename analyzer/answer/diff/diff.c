/* SPDX-License-Identifier: MIT */
/*
 * The door: two runs in, one result out.
 *
 * What is told of the changes is bounded by classes (labels without the
 * request's range and count), so that a run in which everything moved is told
 * in a few lines.
 */
#include "ct/diff.h"

#include <string.h>

#include "answer/diff/compare.h"
#include "answer/diff/explain.h"
#include "answer/diff/latency.h"
#include "ct/trace.h"

struct ct_diff {
    struct ct_shared shared;
    struct ct_run *run[CT_DIFF_SIDES];
    struct ct_explain *explain[CT_DIFF_SIDES];
    bool wants_pass[CT_DIFF_SIDES];
    bool compared;
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
};

const char *ct_diff_reason_word(enum ct_diff_reason reason)
{
    return reason_words[reason];
}

static const char *keep(struct ct_diff *diff, char *text)
{
    g_ptr_array_add(diff->texts, text);
    return text;
}

/* --- places and changes ----------------------------------------------- */

static struct ct_diff_place place_of(const struct ct_diff *diff,
                                     enum ct_diff_side side, uint32_t decision)
{
    const struct ct_compare *compare = &diff->compare;
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
static struct ct_diff_place last_before(const struct ct_diff *diff,
                                        enum ct_diff_side side,
                                        uint32_t decision)
{
    const struct ct_compare *compare = &diff->compare;
    const struct ct_aligned *aligned = &g_array_index(
        compare->aligned, struct ct_aligned, compare->sequence[side][decision]);

    for (uint32_t i = compare->position[side][decision]; i-- > 0;) {
        uint32_t a = aligned->at[side][i];
        a = side == CT_DIFF_A ? a : compare->partner[CT_DIFF_B][a];
        if (a != CT_NOWHERE &&
            aligned->order.kept[compare->position[CT_DIFF_A][a]]) {
            return place_of(diff, CT_DIFF_A, a);
        }
    }
    return (struct ct_diff_place){.sequence =
                                      compare->sequence[side][decision]};
}

static struct ct_diff_change change_of(const struct ct_diff *diff,
                                       const struct ct_turned *turned)
{
    struct ct_diff_change change = {.reason = turned->reason};

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        change.side[side] = place_of(diff, side, turned->first[side]);
        change.then[side] = place_of(diff, side, turned->then[side]);
        change.workers[side] = turned->workers[side];
    }
    enum ct_diff_side side = change.side[CT_DIFF_A].is ? CT_DIFF_A : CT_DIFF_B;
    change.last = last_before(diff, side, turned->first[side]);
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
static void find_first(struct ct_diff *diff)
{
    const struct ct_compare *compare = &diff->compare;
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
    if (best.reason != CT_DIFF_REASON_NONE) {
        diff->result.first = change_of(diff, &best);
    }
}

/* --- what changed places, by class ------------------------------------ */

struct pair_key {
    uint32_t first, then; /* words: classes */
};

struct tally {
    struct ct_diff *diff;
    uint32_t *class_of;      /* by label: word + 1 of its class; 0: not yet */
    struct ct_interned keys; /* struct pair_key */
    GArray *pairs;           /* struct ct_diff_pair, by key */
};

static uint32_t class_of(struct tally *tally, uint32_t label)
{
    struct ct_shared *shared = &tally->diff->shared;

    if (!tally->class_of[label]) {
        g_autofree char *text = ct_label_class(shared, label);
        tally->class_of[label] = ct_words_get(&shared->words, text) + 1;
    }
    return tally->class_of[label] - 1;
}

static struct ct_diff_pair *pair_of(struct tally *tally, uint32_t first,
                                    uint32_t then)
{
    const struct ct_compare *compare = &tally->diff->compare;
    struct pair_key key = {
        class_of(tally, compare->labels[CT_DIFF_A][first]),
        class_of(tally, compare->labels[CT_DIFF_A][then]),
    };
    uint32_t number = ct_interned_get(&tally->keys, &key);

    if (number == tally->pairs->len) {
        const struct ct_words *words = &tally->diff->shared.words;
        struct ct_diff_pair pair = {
            .first = ct_words_text(words, key.first),
            .then = ct_words_text(words, key.then),
        };
        g_array_append_val(tally->pairs, pair);
    }
    return &g_array_index(tally->pairs, struct ct_diff_pair, number);
}

/* Each moved decision with the nearest kept one that it is now on the other
 * side of; moved ones that only passed one another count for themselves. */
static void tally_moved(struct tally *tally)
{
    const struct ct_compare *compare = &tally->diff->compare;

    for (unsigned k = 0; k < compare->aligned->len; k++) {
        const struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, k);
        const struct ct_order *order = &aligned->order;
        uint32_t n = aligned->n[CT_DIFF_A];
        uint32_t before = CT_NOWHERE, after = 0;

        for (uint32_t i = 0; i < n; i++) {
            uint32_t a = aligned->at[CT_DIFF_A][i];
            if (order->kept[i]) {
                before = i;
                continue;
            }
            if (order->to_b[i] == CT_NO_PARTNER ||
                compare->unsure[CT_DIFF_A][a]) {
                continue;
            }
            for (after = MAX(after, i + 1); after < n && !order->kept[after];
                 after++) {
            }
            if (before != CT_NOWHERE && order->to_b[i] < order->to_b[before]) {
                pair_of(tally, aligned->at[CT_DIFF_A][before], a)->count++;
            } else if (after < n && order->to_b[i] > order->to_b[after]) {
                pair_of(tally, a, aligned->at[CT_DIFF_A][after])->count++;
            } else {
                pair_of(tally, a, a)->count++;
            }
        }
    }
}

static void tally_real(struct tally *tally)
{
    const struct ct_diff *diff = tally->diff;

    for (unsigned i = 0; i < diff->turned->len; i++) {
        const struct ct_turned *turned =
            &g_array_index(diff->turned, struct ct_turned, i);
        if (turned->then[CT_DIFF_A] == CT_NOWHERE) {
            continue;
        }
        struct ct_diff_pair *pair =
            pair_of(tally, turned->first[CT_DIFF_A], turned->then[CT_DIFF_A]);
        pair->real++;
        pair->count = MAX(pair->count, pair->real);
        pair->reason = turned->reason;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct ct_diff_pair *one = a;
    const struct ct_diff_pair *two = b;

    if (!one->real != !two->real) {
        return one->real ? -1 : 1;
    }
    if (one->count != two->count) {
        return one->count > two->count ? -1 : 1;
    }
    int first = strcmp(one->first, two->first);
    return first ? first : strcmp(one->then, two->then);
}

/* --- what only one run has, by class ---------------------------------- */

static void tally_only(struct tally *tally, enum ct_diff_side side)
{
    struct ct_diff *diff = tally->diff;
    const struct ct_compare *compare = &diff->compare;
    GHashTable *by_class = g_hash_table_new(NULL, NULL);

    for (uint32_t i = 0; i < compare->run[side]->n; i++) {
        if (compare->partner[side][i] != CT_NOWHERE ||
            compare->unsure[side][i]) {
            continue;
        }
        bool is_real = ct_compare_only_is_real(compare, side, i);
        uint32_t label = compare->labels[side][i];
        uint32_t word = class_of(tally, label);
        gpointer key = GUINT_TO_POINTER(word * 2 + is_real);
        gpointer found;
        if (!g_hash_table_lookup_extended(by_class, key, NULL, &found)) {
            struct ct_diff_place place = place_of(diff, side, i);
            struct ct_diff_only only = {
                .label = keep(diff, ct_label_text(&diff->shared, label)),
                .group = ct_words_text(&diff->shared.words, word),
                .real = is_real,
                .sequence = place.sequence,
                .position = place.position,
                .when_ns = place.when_ns,
            };
            found = GUINT_TO_POINTER(diff->only[side]->len);
            g_hash_table_insert(by_class, key, found);
            g_array_append_val(diff->only[side], only);
        }
        g_array_index(diff->only[side], struct ct_diff_only,
                      GPOINTER_TO_UINT(found))
            .count++;
    }
    g_hash_table_unref(by_class);
}

static void tally_all(struct ct_diff *diff)
{
    struct tally tally = {
        .diff = diff,
        .class_of = g_new0(uint32_t, diff->compare.n_labels + 1),
        .pairs = diff->pairs,
    };

    ct_interned_init(&tally.keys, sizeof(struct pair_key));
    tally_moved(&tally);
    tally_real(&tally);
    tally_only(&tally, CT_DIFF_A);
    tally_only(&tally, CT_DIFF_B);
    ct_interned_fini(&tally.keys);
    g_free(tally.class_of);
    g_array_sort(diff->pairs, by_count);
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

static void ask(struct ct_diff *diff, enum ct_diff_side side,
                const struct ct_diff_change *change)
{
    const struct ct_diff_place *place = &change->side[side];

    if (change->reason == CT_DIFF_REASON_NONE || !place->is) {
        return;
    }
    const struct ct_aligned *aligned = &g_array_index(
        diff->compare.aligned, struct ct_aligned, place->sequence);
    const struct ct_decision *decision = ct_compare_decision(
        &diff->compare, side, aligned->at[side][place->position]);
    ct_explain_add(diff->explain[side], decision->slice, place->when_ns);
    diff->wants_pass[side] |= decision->slice != 0;
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
    diff->compared = true;
    if (diff->compare.kept + diff->compare.moved + diff->compare.unknown == 0) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "nothing to compare: the runs have no decision in common; "
                    "are they of the same program?");
        return false;
    }
    diff->turned = ct_depends_find(&diff->compare);
    list_sequences(diff);
    find_first(diff);
    if (diff->turned->len) {
        result->first_real =
            change_of(diff, &g_array_index(diff->turned, struct ct_turned, 0));
    }
    tally_all(diff);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = diff->compare.run[side];
        ask(diff, side, &result->first);
        ask(diff, side, &result->first_real);
        result->complete[side] = run->summary.complete;
        result->decisions[side] = run->n;
        result->n_only[side] = diff->only[side]->len;
        result->only[side] =
            (const struct ct_diff_only *)(void *)diff->only[side]->data;
    }
    result->has_clock = a->summary.has_clock && b->summary.has_clock;
    if (result->has_clock) {
        diff->latency = ct_latency_compare(a->times, b->times,
                                           &diff->shared.words, diff->texts);
        result->cause = ct_latency_cause(diff->latency);
        result->n_latency = diff->latency->len;
        result->latency =
            (const struct ct_diff_latency *)(void *)diff->latency->data;
    }
    result->bound = diff->compare.bound;
    result->kept = diff->compare.kept;
    result->moved = diff->compare.moved;
    result->unknown = diff->compare.unknown;
    result->real = diff->turned->len;
    result->identical = !diff->turned->len;
    result->exact =
        result->identical && result->first.reason == CT_DIFF_REASON_NONE;
    result->n_sequences = diff->sequences->len;
    result->sequences =
        (const struct ct_diff_sequence *)(void *)diff->sequences->data;
    result->n_pairs = diff->pairs->len;
    result->pairs = (const struct ct_diff_pair *)(void *)diff->pairs->data;
    return true;
}

/* --- backtraces ------------------------------------------------------- */

static bool is_same_frame(const struct ct_frame *a, const struct ct_frame *b)
{
    return a->boundary == b->boundary &&
           (a->boundary != CT_BOUNDARY_NONE ||
            (a->function && g_strcmp0(a->function, b->function) == 0));
}

static void explain_change(const struct ct_diff *diff,
                           struct ct_diff_change *change)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        struct ct_diff_place *place = &change->side[side];
        if (!place->is) {
            continue;
        }
        const struct ct_aligned *aligned = &g_array_index(
            diff->compare.aligned, struct ct_aligned, place->sequence);
        const struct ct_explained *explained = ct_explain_get(
            diff->explain[side],
            ct_compare_decision(&diff->compare, side,
                                aligned->at[side][place->position])
                ->slice);
        if (explained && explained->is) {
            place->pid = explained->pid;
            place->tid = explained->tid;
            place->complete = explained->complete;
            place->n_frames = explained->n_frames;
            place->frames = explained->frames;
        }
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
        diff->explain[side] = ct_explain_new();
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
    if (diff->compared) {
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

char *ct_diff_label(const struct ct_diff *diff, uint32_t label)
{
    return ct_label_text(&diff->shared, label);
}

bool ct_diff_is_loose(const struct ct_diff *diff, uint32_t label)
{
    return ct_label_is_loose(ct_shared_label(&diff->shared, label));
}
