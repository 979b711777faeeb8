/* SPDX-License-Identifier: MIT */
/*
 * diff_json.c - a comparison for programs: docs/COMMANDS.md
 */
#include "out/json.h"
#include "views/diff.h"
#include "views/frames.h"

static void label_json(struct ct_json *json, const struct ct_diff *diff,
                       uint32_t label)
{
    g_autofree char *text = ct_diff_label(diff, label);

    ct_json_string(json, text);
}

static void place_json(struct ct_json *json, const struct ct_diff *diff,
                       const struct ct_diff_place *place, bool has_frames)
{
    const struct ct_diff_result *result = ct_diff_result(diff);

    if (!place->is) {
        ct_json_null(json);
        return;
    }
    ct_json_object(json);
    ct_json_key(json, "label");
    label_json(json, diff, place->label);
    ct_json_key(json, "context");
    ct_json_string(json, result->sequences[place->sequence].name);
    ct_json_key(json, "position");
    ct_json_u64(json, place->position);
    ct_json_key(json, "when_ns");
    if (result->has_clock) {
        ct_json_i64(json, place->when_ns);
    } else {
        ct_json_null(json);
    }
    if (has_frames) {
        ct_json_key(json, "pid");
        ct_json_id(json, (uint64_t)place->pid);
        ct_json_key(json, "tid");
        ct_json_id(json, (uint64_t)place->tid);
        ct_json_key(json, "complete");
        ct_json_bool(json, place->complete);
        ct_json_key(json, "frames");
        ct_frames_json(json, place->frames, place->n_frames, 0);
    }
    ct_json_object_end(json);
}

static void change_json(struct ct_json *json, const struct ct_diff *diff,
                        const struct ct_diff_change *change)
{
    const struct ct_diff_result *result = ct_diff_result(diff);

    if (change->reason == CT_DIFF_REASON_NONE) {
        ct_json_null(json);
        return;
    }
    ct_json_object(json);
    ct_json_key(json, "reason");
    ct_json_string(json, ct_diff_reason_word(change->reason));
    ct_json_key(json, "context");
    ct_json_string(json, result->sequences[change->last.sequence].name);
    ct_json_key(json, "a");
    place_json(json, diff, &change->side[CT_DIFF_A], true);
    ct_json_key(json, "b");
    place_json(json, diff, &change->side[CT_DIFF_B], true);
    ct_json_key(json, "a_then");
    place_json(json, diff, &change->then[CT_DIFF_A], false);
    ct_json_key(json, "b_then");
    place_json(json, diff, &change->then[CT_DIFF_B], false);
    ct_json_key(json, "last");
    place_json(json, diff, &change->last, false);
    ct_json_key(json, "common_frames");
    ct_json_u64(json, change->n_common);
    ct_json_key(json, "common");
    ct_json_string(json, change->common);
    if (change->reason == CT_DIFF_REASON_WAKEUP) {
        ct_json_key(json, "waits");
        ct_json_string(json, change->waits == CT_DIFF_A ? "a" : "b");
        ct_json_key(json, "waker_a");
        place_json(json, diff, &change->waker[CT_DIFF_A], true);
        ct_json_key(json, "waker_b");
        place_json(json, diff, &change->waker[CT_DIFF_B], true);
    }
    if (change->reason == CT_DIFF_REASON_RESULT) {
        ct_json_key(json, "ret_a");
        ct_json_i64(json, change->ret[CT_DIFF_A]);
        ct_json_key(json, "ret_b");
        ct_json_i64(json, change->ret[CT_DIFF_B]);
    }
    if (change->reason == CT_DIFF_REASON_WORKERS) {
        ct_json_key(json, "workers_a");
        ct_json_u64(json, change->workers[CT_DIFF_A]);
        ct_json_key(json, "workers_b");
        ct_json_u64(json, change->workers[CT_DIFF_B]);
    }
    ct_json_object_end(json);
}

static void only_json(struct ct_json *json, const struct ct_diff_result *result,
                      enum ct_diff_side side)
{
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_only[side]; i++) {
        const struct ct_diff_only *only = &result->only[side][i];

        ct_json_object(json);
        ct_json_key(json, "label");
        ct_json_string(json, only->label);
        ct_json_key(json, "class");
        ct_json_string(json, only->group);
        ct_json_key(json, "count");
        ct_json_u64(json, only->count);
        ct_json_key(json, "real");
        ct_json_bool(json, only->real);
        ct_json_key(json, "context");
        ct_json_string(json, result->sequences[only->sequence].name);
        ct_json_key(json, "position");
        ct_json_u64(json, only->position);
        ct_json_key(json, "when_ns");
        if (result->has_clock) {
            ct_json_i64(json, only->when_ns);
        } else {
            ct_json_null(json);
        }
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

static void pairs_json(struct ct_json *json,
                       const struct ct_diff_result *result)
{
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_pairs; i++) {
        const struct ct_diff_pair *pair = &result->pairs[i];

        ct_json_object(json);
        ct_json_key(json, "first");
        ct_json_string(json, pair->first);
        ct_json_key(json, "then");
        ct_json_string(json, pair->then);
        ct_json_key(json, "count");
        ct_json_u64(json, pair->count);
        ct_json_key(json, "real");
        ct_json_bool(json, pair->real > 0);
        ct_json_key(json, "reason");
        ct_json_string(json,
                       pair->real ? ct_diff_reason_word(pair->reason) : NULL);
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

static void times_json(struct ct_json *json, const struct ct_diff_times *times)
{
    ct_json_object(json);
    ct_json_key(json, "n");
    ct_json_u64(json, times->n);
    ct_json_key(json, "p50_ns");
    ct_json_i64(json, times->p50_ns);
    ct_json_key(json, "p99_ns");
    ct_json_i64(json, times->p99_ns);
    ct_json_key(json, "mean_ns");
    ct_json_i64(json, times->mean_ns);
    ct_json_object_end(json);
}

static void one_latency_json(struct ct_json *json,
                             const struct ct_diff_latency *latency)
{
    ct_json_object(json);
    ct_json_key(json, "label");
    ct_json_string(json, latency->label);
    ct_json_key(json, "request");
    ct_json_bool(json, latency->is_request);
    ct_json_key(json, "state");
    ct_json_string(json,
                   latency->has_state ? ct_state_word(latency->state) : NULL);
    ct_json_key(json, "a");
    times_json(json, &latency->times[CT_DIFF_A]);
    ct_json_key(json, "b");
    times_json(json, &latency->times[CT_DIFF_B]);
    ct_json_key(json, "z_milli");
    ct_json_i64(json, latency->z_milli);
    ct_json_key(json, "sure");
    ct_json_bool(json, latency->sure);
    ct_json_key(json, "sure_mean");
    ct_json_bool(json, latency->sure_mean);
    ct_json_key(json, "sure_p99");
    ct_json_bool(json, latency->sure_p99);
    ct_json_key(json, "bound");
    ct_json_bool(json, latency->bound);
    ct_json_object_end(json);
}

static void latency_json(struct ct_json *json,
                         const struct ct_diff_result *result)
{
    static const char *const words[] = {
        [CT_DIFF_CAUSE_OF_REQUESTS] = "requests",
        [CT_DIFF_CAUSE_OF_LONGEST] = "longest",
        [CT_DIFF_CAUSE_OF_ITSELF] = "itself",
    };

    ct_json_key(json, "latency");
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_latency; i++) {
        one_latency_json(json, &result->latency[i]);
    }
    ct_json_array_end(json);
    ct_json_key(json, "cause");
    if (result->cause) {
        one_latency_json(json, result->cause);
    } else {
        ct_json_null(json);
    }
    ct_json_key(json, "cause_of");
    if (result->cause) {
        ct_json_string(json, words[result->cause_of]);
    } else {
        ct_json_null(json);
    }
}

static void programs_json(struct ct_json *json, const struct ct_diff *diff,
                          enum ct_diff_side side)
{
    const char *name;

    ct_json_array(json);
    for (unsigned i = 0; (name = ct_diff_program(diff, side, i)); i++) {
        ct_json_string(json, name);
    }
    ct_json_array_end(json);
}

/* --- sequences ----------------------------------------------------------- */

static void numbers_json(struct ct_json *json,
                         const struct ct_diff_sequence *sequence,
                         enum ct_diff_side side)
{
    ct_json_array(json);
    for (uint32_t i = 0; i < sequence->n[side]; i++) {
        ct_json_u64(json, sequence->labels[side][i]);
    }
    ct_json_array_end(json);
}

/* What makes b of a: in the order of both, first what goes. */
static void edit_json(struct ct_json *json,
                      const struct ct_diff_sequence *sequence,
                      enum ct_diff_side side, uint32_t position)
{
    uint32_t partner = sequence->partner[side][position];

    ct_json_object(json);
    ct_json_key(json, "edit");
    ct_json_string(json, side == CT_DIFF_A ? "remove" : "insert");
    ct_json_key(json, "position");
    ct_json_u64(json, position);
    ct_json_key(json, "label");
    ct_json_u64(json, sequence->labels[side][position]);
    ct_json_key(json, "moved");
    if (partner == CT_DIFF_NONE) {
        ct_json_null(json);
    } else {
        ct_json_u64(json, partner);
    }
    ct_json_object_end(json);
}

static void edits_json(struct ct_json *json,
                       const struct ct_diff_sequence *sequence)
{
    uint32_t i = 0, j = 0;

    ct_json_array(json);
    while (i < sequence->n[CT_DIFF_A] || j < sequence->n[CT_DIFF_B]) {
        if (i < sequence->n[CT_DIFF_A] && !sequence->kept[i]) {
            edit_json(json, sequence, CT_DIFF_A, i++);
            continue;
        }
        uint32_t next = i < sequence->n[CT_DIFF_A]
                            ? sequence->partner[CT_DIFF_A][i]
                            : sequence->n[CT_DIFF_B];
        for (; j < next; j++) {
            edit_json(json, sequence, CT_DIFF_B, j);
        }
        i++;
        j++;
    }
    ct_json_array_end(json);
}

static void sequences_json(struct ct_json *json,
                           const struct ct_diff_result *result, bool edits)
{
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_sequences; i++) {
        const struct ct_diff_sequence *sequence = &result->sequences[i];

        ct_json_object(json);
        ct_json_key(json, "name");
        ct_json_string(json, sequence->name);
        ct_json_key(json, "pool");
        ct_json_bool(json, sequence->is_pool);
        ct_json_key(json, "a");
        ct_json_u64(json, sequence->n[CT_DIFF_A]);
        ct_json_key(json, "b");
        ct_json_u64(json, sequence->n[CT_DIFF_B]);
        ct_json_key(json, "kept");
        ct_json_u64(json, sequence->n_kept);
        ct_json_key(json, "moved");
        ct_json_u64(json, sequence->n_moved);
        if (sequence->is_pool) {
            ct_json_key(json, "workers_a");
            ct_json_u64(json, sequence->peak_busy[CT_DIFF_A]);
            ct_json_key(json, "workers_b");
            ct_json_u64(json, sequence->peak_busy[CT_DIFF_B]);
        }
        if (edits) {
            ct_json_key(json, "labels_a");
            numbers_json(json, sequence, CT_DIFF_A);
            ct_json_key(json, "labels_b");
            numbers_json(json, sequence, CT_DIFF_B);
            ct_json_key(json, "edits");
            edits_json(json, sequence);
        }
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

/* Every label that a sequence names, once. */
static void labels_json(struct ct_json *json, const struct ct_diff *diff)
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    GHashTable *told = g_hash_table_new(NULL, NULL);

    ct_json_array(json);
    for (unsigned i = 0; i < result->n_sequences; i++) {
        const struct ct_diff_sequence *sequence = &result->sequences[i];
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            for (uint32_t k = 0; k < sequence->n[side]; k++) {
                uint32_t label = sequence->labels[side][k];
                if (!g_hash_table_add(told, GUINT_TO_POINTER(label + 1))) {
                    continue;
                }
                ct_json_object(json);
                ct_json_key(json, "label");
                ct_json_u64(json, label);
                ct_json_key(json, "text");
                label_json(json, diff, label);
                ct_json_key(json, "loose");
                ct_json_bool(json, ct_diff_is_loose(diff, label));
                ct_json_object_end(json);
            }
        }
    }
    ct_json_array_end(json);
    g_hash_table_unref(told);
}

void ct_view_diff_json(struct ct_out *out, const struct ct_diff *diff,
                       bool edits)
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    struct ct_json json;

    ct_json_init(&json, out);
    ct_json_object(&json);
    ct_json_key(&json, "identical");
    ct_json_bool(&json, result->identical);
    ct_json_key(&json, "exact");
    ct_json_bool(&json, result->exact);
    ct_json_key(&json, "bound");
    ct_json_bool(&json, result->bound);
    ct_json_key(&json, "complete");
    ct_json_bool(&json,
                 result->complete[CT_DIFF_A] && result->complete[CT_DIFF_B]);
    ct_json_key(&json, "compared");
    ct_json_u64(&json, result->kept + result->moved);
    ct_json_key(&json, "decisions_a");
    ct_json_u64(&json, result->decisions[CT_DIFF_A]);
    ct_json_key(&json, "decisions_b");
    ct_json_u64(&json, result->decisions[CT_DIFF_B]);
    ct_json_key(&json, "programs_a");
    programs_json(&json, diff, CT_DIFF_A);
    ct_json_key(&json, "programs_b");
    programs_json(&json, diff, CT_DIFF_B);
    ct_json_key(&json, "moved");
    ct_json_u64(&json, result->moved);
    ct_json_key(&json, "unknown");
    ct_json_u64(&json, result->unknown);
    ct_json_key(&json, "real");
    ct_json_u64(&json, result->real);
    ct_json_key(&json, "first_divergence");
    change_json(&json, diff, &result->first);
    ct_json_key(&json, "first_real_divergence");
    change_json(&json, diff, &result->first_real);
    ct_json_key(&json, "reordered");
    pairs_json(&json, result);
    ct_json_key(&json, "only_in_a");
    only_json(&json, result, CT_DIFF_A);
    ct_json_key(&json, "only_in_b");
    only_json(&json, result, CT_DIFF_B);
    latency_json(&json, result);
    ct_json_key(&json, "contexts");
    sequences_json(&json, result, edits);
    if (edits) {
        ct_json_key(&json, "labels");
        labels_json(&json, diff);
    }
    ct_json_object_end(&json);
    ct_json_line(&json);
}
