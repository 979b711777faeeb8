/* SPDX-License-Identifier: MIT */
/*
 * Totals over a whole trace.
 *
 * A context is busy while a turn of it is open, less what it waits in the
 * kernel meanwhile; a turn inside another of the same context is no more time.
 * Peaks are over all processes of the trace together.  Over time all of them
 * use the same buckets, those of the trace as a whole.
 */
#include "ct/stat.h"

#include <stdlib.h>

#include <glib.h>

#include "answer/histogram.h"
#include "answer/stat/classes.h"
#include "answer/stat/pools.h"
#include "answer/stat/series.h"
#include "ct/span.h"
#include "ct/key.h"

struct key {
    int32_t pid;
    uint64_t id;
};

struct context {
    struct key key; /* first: the table's key */
    struct ct_stat_context totals;
    int64_t waited_ns; /* in the kernel, in the turn that is open */
    struct ct_series busy;
};

/* How many coroutines a process has now. */
struct level {
    struct key key;
    int64_t coroutines;
};

struct ct_stat {
    struct ct_consumer consumer;
    struct ct_stat_result result;
    struct ct_histogram *latency;
    struct ct_histogram *error; /* of those latencies */
    struct ct_classes *classes;
    struct ct_pools *pools;
    struct ct_series lost;
    GHashTable *contexts; /* struct key -> struct context (owner) */
    GHashTable *levels;   /* struct key -> struct level (owner) */
    struct context *last; /* found, as is the next */
    struct level *last_process;
    int64_t coroutines;
};

static guint hash_key(gconstpointer key)
{
    const struct key *k = key;

    return ct_key_hash(k->pid, k->id);
}

static gboolean equal_key(gconstpointer a, gconstpointer b)
{
    const struct key *x = a, *y = b;

    return x->pid == y->pid && x->id == y->id;
}

static struct ct_stat *stat_of(struct ct_consumer *consumer)
{
    return (struct ct_stat *)consumer; /* its first member */
}

static struct context *context_of(struct ct_stat *stat, int32_t pid,
                                  uint64_t id)
{
    struct key key = {pid, id};
    struct context *context = stat->last;

    if (context && equal_key(&context->key, &key)) {
        return context;
    }
    context = g_hash_table_lookup(stat->contexts, &key);
    if (!context) {
        context = g_new0(struct context, 1);
        context->key = key;
        context->totals.pid = pid;
        context->totals.id = id;
        g_hash_table_add(stat->contexts, context);
    }
    stat->last = context;
    return context;
}

static void set_name(struct context *context, const char *name)
{
    if (!context->totals.name && name) {
        context->totals.name = g_strdup(name);
    }
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_stat *stat = stat_of(consumer);
    int64_t states_ns[CT_STATES] = {0};

    if (request->parent_id) {
        return;
    }
    stat->result.requests++;
    if (request->complete) {
        stat->result.requests_complete++;
        ct_histogram_add(stat->latency, request->end_ns - request->begin_ns);
        if (consumer->has_errors) {
            ct_histogram_add(stat->error, ct_request_error(request));
        }
    }
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        states_ns[segment->state] += segment->end_ns - segment->begin_ns;
    }
    for (unsigned i = 0; i < CT_STATES; i++) {
        int64_t *sum_ns = &stat->result.states_ns[i];
        if (__builtin_add_overflow(*sum_ns, states_ns[i], sum_ns)) {
            *sum_ns = INT64_MAX;
        }
    }
    ct_classes_add(stat->classes, request, states_ns);
}

/* A context's time was busy, or was not after all. */
static void add_busy(struct ct_stat *stat, struct context *context,
                     const struct ct_slice *slice, int sign)
{
    ct_series_add(&context->busy, slice->begin_ns - stat->consumer.origin_ns,
                  slice->end_ns - stat->consumer.origin_ns, sign);
}

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct ct_stat *stat = stat_of(consumer);
    int64_t ns = slice->end_ns - slice->begin_ns;
    struct context *context;

    switch (slice->kind) {
    case CT_SLICE_POLL:
        context = context_of(stat, slice->pid, slice->context);
        set_name(context, slice->name);
        context->totals.has_turns = true;
        context->totals.polls += slice->begin_known;
        context->totals.max_poll_depth =
            MAX(context->totals.max_poll_depth, slice->poll_depth);
        if (slice->poll_depth <= 1) {
            context->totals.busy_ns = ct_add_ns(
                context->totals.busy_ns, ns - MIN(context->waited_ns, ns));
            context->waited_ns = 0;
            add_busy(stat, context, slice, 1);
        }
        break;
    case CT_SLICE_FDMON:
    case CT_SLICE_BUSY: /* burns the CPU, but does nothing for anybody */
        if (slice->depth > 1) { /* else its turn was not seen to begin */
            context = context_of(stat, slice->pid, slice->context);
            context->waited_ns = ct_add_ns(context->waited_ns, ns);
            add_busy(stat, context, slice, -1);
        }
        break;
    case CT_SLICE_BH:
    case CT_SLICE_TIMER:
    case CT_SLICE_FD:
        context = context_of(stat, slice->pid, slice->context);
        context->totals.bh_runs +=
            slice->kind == CT_SLICE_BH && slice->begin_known;
        if (ns > context->totals.longest_callback_ns) {
            context->totals.longest_callback_ns = ns;
            context->totals.longest_callback_fn = slice->fn;
        }
        break;
    case CT_SLICE_WORK:
        ct_pools_worked(stat->pools, slice);
        break;
    default:
        break;
    }
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct ct_stat *stat = stat_of(consumer);
    int64_t from_ns = MAX(gap->from_ns, consumer->origin_ns);

    ct_pools_gap(stat->pools, from_ns - consumer->origin_ns,
                 gap->to_ns - consumer->origin_ns);
    ct_series_add(&stat->lost, from_ns - consumer->origin_ns,
                  gap->to_ns - consumer->origin_ns, 1);
}

static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_stat *stat = stat_of(consumer);

    switch (life->kind) {
    case CT_ENTITY_CONTEXT:
        if (life->name) { /* else nothing is known but that it is there */
            set_name(context_of(stat, life->pid, life->id), life->name);
        }
        break;
    case CT_ENTITY_COROUTINE:
        stat->result.coroutines_created += life->begin_known;
        break;
    case CT_ENTITY_WORKER:
        stat->result.workers_spawned += life->begin_known;
        stat->result.workers_exited += life->end_known;
        break;
    default:
        break;
    }
}

static void on_counter(struct ct_consumer *consumer,
                       const struct ct_counter *counter)
{
    struct ct_stat *stat = stat_of(consumer);
    struct key key = {counter->pid, 0};
    struct level *level = stat->last_process;

    switch (counter->kind) {
    case CT_COUNTER_WORK_QUEUED:
    case CT_COUNTER_WORKERS_BUSY:
    case CT_COUNTER_WORKERS_IDLE:
        ct_pools_count(stat->pools, counter, consumer->origin_ns);
        return;
    case CT_COUNTER_COROUTINES:
        break;
    default:
        return;
    }
    if (!level || !equal_key(&level->key, &key)) {
        level = g_hash_table_lookup(stat->levels, &key);
    }
    if (!level) {
        level = g_new0(struct level, 1);
        level->key = key;
        g_hash_table_add(stat->levels, level);
    }
    stat->last_process = level;
    stat->coroutines += counter->value - level->coroutines;
    level->coroutines = counter->value;
    stat->result.coroutines_peak =
        MAX(stat->result.coroutines_peak, (uint64_t)MAX(stat->coroutines, 0));
}

static int compare_contexts(const void *a, const void *b)
{
    const struct ct_stat_context *x = a, *y = b;

    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/* Who tells of a process's turns tells of them all.  @contexts: sorted */
static void share_turns(struct ct_stat_context *contexts, unsigned n)
{
    for (unsigned first = 0, i; first < n; first = i) {
        bool has_turns = false;

        for (i = first; i < n && contexts[i].pid == contexts[first].pid; i++) {
            has_turns |= contexts[i].has_turns;
        }
        for (unsigned k = first; k < i; k++) {
            contexts[k].has_turns = has_turns;
        }
    }
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_stat *stat = stat_of(consumer);
    struct ct_stat_result *result = &stat->result;
    unsigned n = g_hash_table_size(stat->contexts);
    struct ct_stat_context *contexts = g_new0(struct ct_stat_context, n);
    GHashTableIter iter;
    struct context *context;
    int64_t end_ns = summary->end_ns - summary->origin_ns;

    result->summary = *summary;
    result->has_latency =
        summary->has_clock && ct_histogram_count(stat->latency) > 0;
    result->latency = ct_stat_sum_up(stat->latency);
    result->classes = ct_classes_result(stat->classes, &result->n_classes);
    result->n_buckets = ct_series_reach(&stat->lost, end_ns);
    result->bucket_ns = INT64_C(1) << stat->lost.shift;
    result->lost_over_ns = stat->lost.v;
    result->pools = ct_pools_result(stat->pools, end_ns, &result->n_pools);
    result->workers_peak = ct_pools_workers_peak(stat->pools);
    result->has_errors = consumer->has_errors;
    if (ct_histogram_count(stat->error) > 0) {
        result->error_p50_ns = ct_histogram_quantile(stat->error, 50, 100);
        result->error_p99_ns = ct_histogram_quantile(stat->error, 99, 100);
    }
    g_hash_table_iter_init(&iter, stat->contexts);
    while (g_hash_table_iter_next(&iter, (void **)&context, NULL)) {
        ct_series_reach(&context->busy, end_ns);
        context->totals.busy_over_ns = context->busy.v;
        contexts[result->n_contexts++] = context->totals;
    }
    if (n) {
        qsort(contexts, n, sizeof(*contexts), compare_contexts);
        share_turns(contexts, n);
    }
    result->contexts = contexts;
    return true;
}

static void free_context(gpointer data)
{
    struct context *context = data;

    g_free((char *)context->totals.name);
    g_free(context);
}

struct ct_stat *ct_stat_new(void)
{
    struct ct_stat *stat = g_new0(struct ct_stat, 1);

    stat->consumer = (struct ct_consumer){
        .request = on_request,
        .slice = on_slice,
        .life = on_life,
        .counter = on_counter,
        .gap = on_gap,
        .finish = on_finish,
    };
    stat->latency =
        ct_histogram_new(CT_HISTOGRAM_EXACT_MAX, CT_HISTOGRAM_PRECISION);
    stat->error =
        ct_histogram_new(CT_HISTOGRAM_EXACT_MAX, CT_HISTOGRAM_PRECISION);
    stat->classes = ct_classes_new();
    stat->pools = ct_pools_new();
    stat->contexts =
        g_hash_table_new_full(hash_key, equal_key, free_context, NULL);
    stat->levels = g_hash_table_new_full(hash_key, equal_key, g_free, NULL);
    return stat;
}

struct ct_consumer *ct_stat_consumer(struct ct_stat *stat)
{
    return &stat->consumer;
}

const struct ct_stat_result *ct_stat_get(const struct ct_stat *stat)
{
    return &stat->result;
}

void ct_stat_free(struct ct_stat *stat)
{
    if (!stat) {
        return;
    }
    g_free((void *)stat->result.contexts);
    ct_histogram_free(stat->latency);
    ct_histogram_free(stat->error);
    ct_classes_free(stat->classes);
    ct_pools_free(stat->pools);
    g_hash_table_unref(stat->contexts);
    g_hash_table_unref(stat->levels);
    g_free(stat);
}
