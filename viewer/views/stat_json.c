/* SPDX-License-Identifier: MIT */
/*
 * stat_json.c - totals over a whole trace, as JSON
 *
 * Fields are as in docs/COMMANDS.md.  What is measured in a trace without times
 * is null, or an empty array.
 */
#include "out/json.h"
#include "views/stat.h"

/* Not known: no clock, or nothing that was seen whole. */
static void json_times(struct ct_json *json, const struct ct_stat_times *times,
                       bool known)
{
    known = known && times->n;
    ct_json_object(json);
    ct_json_key(json, "p50");
    ct_json_known_i64(json, known, times->p50_ns);
    ct_json_key(json, "p90");
    ct_json_known_i64(json, known, times->p90_ns);
    ct_json_key(json, "p99");
    ct_json_known_i64(json, known, times->p99_ns);
    ct_json_key(json, "p999");
    ct_json_known_i64(json, known, times->p999_ns);
    ct_json_key(json, "max");
    ct_json_known_i64(json, known, times->max_ns);
    ct_json_object_end(json);
}

/* How many took 2^i ns and more, but not twice as long: where there are any. */
static void json_histogram(struct ct_json *json,
                           const struct ct_stat_times *times, bool known)
{
    ct_json_key(json, "histogram");
    ct_json_array(json);
    for (unsigned i = 0; known && times->n && i < CT_STAT_OCTAVES; i++) {
        if (times->octaves[i]) {
            ct_json_object(json);
            ct_json_key(json, "from_ns");
            ct_json_i64(json, i ? INT64_C(1) << i : 0);
            ct_json_key(json, "count");
            ct_json_u64(json, times->octaves[i]);
            ct_json_object_end(json);
        }
    }
    ct_json_array_end(json);
}

static void json_requests(struct ct_json *json,
                          const struct ct_stat_result *result)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "requests");
    ct_json_object(json);
    ct_json_key(json, "count");
    ct_json_u64(json, result->requests);
    ct_json_key(json, "complete");
    ct_json_u64(json, result->requests_complete);
    ct_json_key(json, "latency_ns");
    json_times(json, &result->latency, has_clock);
    json_histogram(json, &result->latency, has_clock);
    ct_json_object_end(json);
}

/* Of their time, how much is known to the state. */
static void json_certain(struct ct_json *json,
                         const struct ct_stat_result *result)
{
    bool has_clock = result->summary.has_clock;
    struct ct_stat_certain certain = ct_stat_certain(result);

    ct_json_key(json, "certain");
    ct_json_object(json);
    ct_json_key(json, "ns");
    ct_json_known_i64(json, has_clock, certain.ns);
    ct_json_key(json, "of_ns");
    ct_json_known_i64(json, has_clock, certain.of_ns);
    ct_json_object_end(json);
}

static void json_classes(struct ct_json *json,
                         const struct ct_stat_result *result)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "classes");
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_classes; i++) {
        const struct ct_stat_class *class = &result->classes[i];

        ct_json_object(json);
        ct_json_key(json, "layer");
        ct_json_string(json, class->layer);
        ct_json_key(json, "op");
        ct_json_string(json, class->op);
        ct_json_key(json, "node");
        ct_json_string(json, class->node);
        if (class->is_rest) {
            ct_json_key(json, "rest");
            ct_json_bool(json, true);
        }
        ct_json_key(json, "count");
        ct_json_u64(json, class->requests);
        ct_json_key(json, "complete");
        ct_json_u64(json, class->latency.n);
        ct_json_key(json, "latency_ns");
        json_times(json, &class->latency, has_clock);
        json_histogram(json, &class->latency, has_clock);
        ct_json_key(json, "states");
        ct_json_array(json);
        for (unsigned k = 0; k < CT_STATES; k++) {
            const struct ct_stat_times *times = &class->states[k];

            if (times->n) {
                ct_json_object(json);
                ct_json_key(json, "state");
                ct_json_string(json, ct_state_word((enum ct_state)k));
                ct_json_key(json, "count");
                ct_json_u64(json, times->n);
                ct_json_key(json, "sum_ns");
                ct_json_known_i64(json, has_clock, times->sum_ns);
                ct_json_key(json, "ns");
                json_times(json, times, has_clock);
                json_histogram(json, times, has_clock);
                ct_json_object_end(json);
            }
        }
        ct_json_array_end(json);
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

/* An amount in each bucket; what a damaged trace makes of it stays in bounds.
 */
/* @over_ns: NULL: nothing is known */
static void json_over(struct ct_json *json, const struct ct_stat_result *result,
                      const int64_t *over_ns)
{
    ct_json_array(json);
    if (result->summary.has_clock && over_ns) {
        for (unsigned i = 0; i < result->n_buckets; i++) {
            ct_json_i64(json, MAX(over_ns[i], 0));
        }
    }
    ct_json_array_end(json);
}

static void json_over_time(struct ct_json *json,
                           const struct ct_stat_result *result)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "over_time");
    ct_json_object(json);
    ct_json_key(json, "bucket_ns");
    ct_json_known_i64(json, has_clock, result->bucket_ns);
    ct_json_key(json, "buckets");
    ct_json_known_i64(json, has_clock, result->n_buckets);
    ct_json_key(json, "lost_ns");
    json_over(json, result, result->lost_over_ns);
    ct_json_object_end(json);
}

static void json_pools(struct ct_json *json,
                       const struct ct_stat_result *result,
                       struct ct_symbols *symbols)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "pools");
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_pools; i++) {
        const struct ct_stat_pool *pool = &result->pools[i];

        ct_json_object(json);
        ct_json_key(json, "pid");
        ct_json_known_i64(json, pool->pid > 0, pool->pid);
        ct_json_key(json, "id");
        ct_json_id(json, pool->id);
        ct_json_key(json, "items");
        ct_json_u64(json, pool->items);
        ct_json_key(json, "queued_peak");
        ct_json_u64(json, pool->queued_peak);
        ct_json_key(json, "busy_peak");
        ct_json_u64(json, pool->busy_peak);
        ct_json_key(json, "queued_ns");
        ct_json_known_i64(json, has_clock, pool->queued_ns);
        ct_json_key(json, "busy_ns");
        ct_json_known_i64(json, has_clock, pool->busy_ns);
        ct_json_key(json, "idle_ns");
        ct_json_known_i64(json, has_clock, pool->idle_ns);
        ct_json_key(json, "longest_item_ns");
        ct_json_known_i64(
            json, has_clock && (pool->items > 0 || pool->longest_item_ns > 0),
            pool->longest_item_ns);
        ct_json_key(json, "longest_item");
        ct_json_string(json,
                       pool->longest_item_fn
                           ? ct_symbols_function(symbols, pool->pid,
                                                 pool->longest_item_fn, false)
                           : NULL);
        ct_json_key(json, "queued_over_ns");
        json_over(json, result, pool->queued_over_ns);
        ct_json_key(json, "busy_over_ns");
        json_over(json, result, pool->busy_over_ns);
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

static void json_states(struct ct_json *json,
                        const struct ct_stat_result *result)
{
    ct_json_key(json, "states");
    ct_json_object(json);
    for (unsigned i = 0; i < CT_STATES; i++) {
        char quoted[64];
        int n = g_snprintf(quoted, sizeof(quoted),
                           "\"%s\":", ct_state_word((enum ct_state)i));

        ct_json_key_text(json, quoted, (size_t)n);
        ct_json_known_i64(json, result->summary.has_clock,
                          result->states_ns[i]);
    }
    ct_json_object_end(json);
}

/* Where the clock is that of a reader: how far off durations may be. */
static void json_errors(struct ct_json *json,
                        const struct ct_stat_result *result)
{
    if (!result->has_errors) {
        return;
    }
    ct_json_key(json, "clock_error_ns");
    ct_json_object(json);
    ct_json_key(json, "p50");
    ct_json_known_i64(json, result->has_latency, result->error_p50_ns);
    ct_json_key(json, "p99");
    ct_json_known_i64(json, result->has_latency, result->error_p99_ns);
    ct_json_key(json, "max");
    ct_json_i64(json, result->summary.error_ns);
    ct_json_object_end(json);
}

/* What became of a log's lines. */
static void json_log(struct ct_json *json, const struct ct_log_counts *log)
{
    if (!log->lines && !log->pieces) {
        return;
    }
    ct_json_key(json, "log");
    ct_json_object(json);
    ct_json_key(json, "lines");
    ct_json_u64(json, log->lines);
    ct_json_key(json, "pieces");
    ct_json_u64(json, log->pieces);
    ct_json_key(json, "foreign");
    ct_json_u64(json, log->foreign);
    ct_json_key(json, "malformed");
    ct_json_u64(json, log->malformed);
    ct_json_key(json, "stepped_back");
    ct_json_u64(json, log->stepped_back);
    ct_json_key(json, "clock_set");
    ct_json_u64(json, log->clock_set);
    ct_json_object_end(json);
}

static void json_contexts(struct ct_json *json,
                          const struct ct_stat_result *result,
                          struct ct_symbols *symbols)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "contexts");
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_contexts; i++) {
        const struct ct_stat_context *context = &result->contexts[i];
        bool has_turns = context->has_turns;

        ct_json_object(json);
        ct_json_key(json, "pid");
        ct_json_known_i64(json, context->pid > 0, context->pid);
        ct_json_key(json, "id");
        ct_json_id(json, context->id);
        ct_json_key(json, "name");
        ct_json_string(json, context->name);
        ct_json_key(json, "polls");
        ct_json_known_i64(json, has_turns, (int64_t)context->polls);
        ct_json_key(json, "max_poll_depth");
        ct_json_known_i64(json, has_turns, context->max_poll_depth);
        ct_json_key(json, "bh_runs");
        ct_json_u64(json, context->bh_runs);
        ct_json_key(json, "busy_ns");
        ct_json_known_i64(json, has_clock && has_turns, context->busy_ns);
        ct_json_key(json, "longest_callback_ns");
        ct_json_known_i64(json, has_clock && context->longest_callback_fn,
                          context->longest_callback_ns);
        ct_json_key(json, "longest_callback");
        ct_json_string(
            json, context->longest_callback_fn
                      ? ct_symbols_function(symbols, context->pid,
                                            context->longest_callback_fn, false)
                      : NULL);
        ct_json_key(json, "busy_over_ns");
        json_over(json, result, has_turns ? context->busy_over_ns : NULL);
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

static void json_bound(struct ct_json *json, const struct ct_summary *summary)
{
    if (ct_stat_is_bound(summary)) {
        ct_json_key(json, "bound");
        ct_json_bool(json, true);
    }
}

void ct_stat_json(struct ct_out *out, const struct ct_stat_result *result,
                  struct ct_symbols *symbols)
{
    const struct ct_summary *summary = &result->summary;
    bool has_workers =
        summary->has_workers || result->workers_spawned || result->workers_peak;
    char origin[24];
    struct ct_json json;

    origin[ct_digits(origin, (uint64_t)summary->origin_ns)] = '\0';
    ct_json_init(&json, out);
    ct_json_object(&json);
    ct_json_key(&json, "origin_ns");
    ct_json_string(&json, summary->has_clock ? origin : NULL);
    ct_json_key(&json, "clock");
    ct_json_string(&json, summary->clock);
    ct_json_key(&json, "events");
    ct_json_u64(&json, summary->events);
    ct_json_key(&json, "unknown_events");
    ct_json_u64(&json, summary->unknown_events);
    ct_json_key(&json, "discarded");
    if (summary->discarded_known) {
        ct_json_u64(&json, summary->discarded);
    } else {
        ct_json_null(&json);
    }
    ct_json_key(&json, "complete");
    ct_json_bool(&json, summary->complete);
    ct_json_key(&json, "duration_ns");
    ct_json_known_i64(&json, summary->has_clock,
                      summary->end_ns - summary->begin_ns);
    json_errors(&json, result);
    json_log(&json, &summary->log);
    json_requests(&json, result);
    json_states(&json, result);
    json_certain(&json, result);
    json_classes(&json, result);
    json_over_time(&json, result);
    json_contexts(&json, result, symbols);
    json_pools(&json, result, symbols);
    ct_json_key(&json, "workers");
    ct_json_object(&json);
    ct_json_key(&json, "spawned");
    ct_json_known_i64(&json, has_workers, (int64_t)result->workers_spawned);
    ct_json_key(&json, "exited");
    ct_json_known_i64(&json, has_workers, (int64_t)result->workers_exited);
    ct_json_key(&json, "peak");
    ct_json_known_i64(&json, has_workers, (int64_t)result->workers_peak);
    if (has_workers) {
        json_bound(&json, summary);
    }
    ct_json_object_end(&json);
    ct_json_key(&json, "coroutines");
    ct_json_object(&json);
    ct_json_key(&json, "created");
    ct_json_u64(&json, result->coroutines_created);
    ct_json_key(&json, "peak");
    ct_json_u64(&json, result->coroutines_peak);
    json_bound(&json, summary);
    ct_json_object_end(&json);
    ct_json_object_end(&json);
    ct_json_line(&json);
}
