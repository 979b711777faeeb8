/* SPDX-License-Identifier: MIT */
/*
 * Pools over time, from their counters.  Of the two that a worker's change of
 * state tells, `idle` comes last; only then do they agree.
 */
#include "answer/stat/pools.h"

#include <stdlib.h>

#include <glib.h>

#include "ct/key.h"

struct level {
    int64_t value, since_ns;
    int64_t *sum_ns; /* level x time */
    struct ct_series *over;
};

struct pool {
    int32_t pid;
    uint64_t id;
    struct ct_stat_pool totals;
    struct level queued, busy, idle;
    struct ct_series queued_over, busy_over;
};

struct ct_pools {
    GHashTable *pools; /* struct pool (owner), itself */
    struct pool *last;
    int64_t workers;
    uint64_t workers_peak;
    struct ct_stat_pool *results;
};

static guint hash_pool(gconstpointer data)
{
    const struct pool *pool = data;

    return ct_key_hash(pool->pid, pool->id);
}

static gboolean equal_pool(gconstpointer a, gconstpointer b)
{
    const struct pool *x = a, *y = b;

    return x->pid == y->pid && x->id == y->id;
}

struct ct_pools *ct_pools_new(void)
{
    struct ct_pools *pools = g_new0(struct ct_pools, 1);

    pools->pools = g_hash_table_new_full(hash_pool, equal_pool, g_free, NULL);
    return pools;
}

void ct_pools_free(struct ct_pools *pools)
{
    if (pools) {
        g_hash_table_unref(pools->pools);
        g_free(pools->results);
        g_free(pools);
    }
}

static struct pool *pool_of(struct ct_pools *pools, int32_t pid, uint64_t id)
{
    struct pool *pool = pools->last;

    if (pool && pool->pid == pid && pool->id == id) {
        return pool;
    }
    pool =
        g_hash_table_lookup(pools->pools, &(struct pool){.pid = pid, .id = id});
    if (!pool) {
        pool = g_new0(struct pool, 1);
        pool->pid = pool->totals.pid = pid;
        pool->id = pool->totals.id = id;
        pool->queued.sum_ns = &pool->totals.queued_ns;
        pool->queued.over = &pool->queued_over;
        pool->busy.sum_ns = &pool->totals.busy_ns;
        pool->busy.over = &pool->busy_over;
        pool->idle.sum_ns = &pool->totals.idle_ns;
        g_hash_table_add(pools->pools, pool);
    }
    pools->last = pool;
    return pool;
}

/* What it said until @to_ns has been. */
static void settle(struct level *level, int64_t to_ns)
{
    int64_t ns = to_ns - level->since_ns;

    if (ns <= 0) {
        return;
    }
    if (level->value) {
        if (__builtin_mul_overflow(ns, level->value, &ns) ||
            __builtin_add_overflow(*level->sum_ns, ns, level->sum_ns)) {
            *level->sum_ns = INT64_MAX;
        }
        if (level->over) {
            ct_series_add(level->over, level->since_ns, to_ns, level->value);
        }
    }
    level->since_ns = to_ns;
}

static void set(struct level *level, int64_t now_ns, int64_t value,
                uint64_t *peak)
{
    settle(level, now_ns);
    level->value = value;
    *peak = MAX(*peak, (uint64_t)MAX(value, 0));
}

void ct_pools_count(struct ct_pools *pools, const struct ct_counter *counter,
                    int64_t origin_ns)
{
    struct pool *pool = pool_of(pools, counter->pid, counter->id);
    int64_t now_ns = counter->when_ns - origin_ns;
    uint64_t no_peak = 0;

    switch (counter->kind) {
    case CT_COUNTER_WORK_QUEUED:
        set(&pool->queued, now_ns, counter->value, &pool->totals.queued_peak);
        break;
    case CT_COUNTER_WORKERS_BUSY:
        pools->workers += counter->value - pool->busy.value;
        set(&pool->busy, now_ns, counter->value, &pool->totals.busy_peak);
        break;
    default:
        pools->workers += counter->value - pool->idle.value;
        set(&pool->idle, now_ns, counter->value, &no_peak);
        pools->workers_peak =
            MAX(pools->workers_peak, (uint64_t)MAX(pools->workers, 0));
        break;
    }
}

void ct_pools_worked(struct ct_pools *pools, const struct ct_slice *slice)
{
    struct ct_stat_pool *totals =
        &pool_of(pools, slice->pid, slice->context)->totals;
    int64_t ns = slice->end_ns - slice->begin_ns;

    totals->items += slice->begin_known;
    if (ns > totals->longest_item_ns) {
        totals->longest_item_ns = ns;
        totals->longest_item_fn = slice->fn;
    }
}

/* Told when it is over: what has been said since then stands. */
static void forget(struct level *level, int64_t from_ns, int64_t to_ns)
{
    if (level->since_ns < to_ns) {
        settle(level, from_ns);
        level->since_ns = to_ns;
        level->value = 0;
    }
}

void ct_pools_gap(struct ct_pools *pools, int64_t from_ns, int64_t to_ns)
{
    GHashTableIter iter;
    struct pool *pool;

    g_hash_table_iter_init(&iter, pools->pools);
    while (g_hash_table_iter_next(&iter, (void **)&pool, NULL)) {
        int64_t before = pool->busy.value + pool->idle.value;

        forget(&pool->queued, from_ns, to_ns);
        forget(&pool->busy, from_ns, to_ns);
        forget(&pool->idle, from_ns, to_ns);
        pools->workers -= before - pool->busy.value - pool->idle.value;
    }
}

uint64_t ct_pools_workers_peak(const struct ct_pools *pools)
{
    return pools->workers_peak;
}

static int compare_pools(const void *a, const void *b)
{
    const struct ct_stat_pool *x = a, *y = b;

    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

const struct ct_stat_pool *ct_pools_result(struct ct_pools *pools,
                                           int64_t end_ns, unsigned *ret_n)
{
    GHashTableIter iter;
    struct pool *pool;
    unsigned n = 0;

    g_free(pools->results);
    pools->results =
        g_new0(struct ct_stat_pool, g_hash_table_size(pools->pools) + 1);
    g_hash_table_iter_init(&iter, pools->pools);
    while (g_hash_table_iter_next(&iter, (void **)&pool, NULL)) {
        settle(&pool->queued, end_ns);
        settle(&pool->busy, end_ns);
        settle(&pool->idle, end_ns);
        ct_series_reach(&pool->queued_over, end_ns);
        ct_series_reach(&pool->busy_over, end_ns);
        pool->totals.queued_over_ns = pool->queued_over.v;
        pool->totals.busy_over_ns = pool->busy_over.v;
        pools->results[n++] = pool->totals;
    }
    qsort(pools->results, n, sizeof(pools->results[0]), compare_pools);
    *ret_n = n;
    return pools->results;
}
