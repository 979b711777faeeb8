/* SPDX-License-Identifier: MIT */
/*
 * Spawn storms: a pool's workers end, and new ones are made at once.
 *
 * A worker that begins soon after one of the same pool ended is one that need
 * not have been made.  That all the workers that a pool may have are made at
 * its start, and end with it, is none.  Lives are told when they end, so of
 * each pool the last ends are remembered; to the end of the trace, since a
 * worker that lives long may have begun soon after one of them.
 */
#include <glib.h>

#include "answer/findings/family.h"
#include "ct/key.h"

enum { ENDS = 64 };

#define SOON_NS INT64_C(100000000)

struct pool {
    int32_t pid;
    uint64_t id;
    unsigned n;       /* of the ends, all that there were */
    int64_t *ends_ns; /* the last ENDS at most, in a ring */
};

struct ct_spawns {
    GHashTable *pools; /* struct pool (owned), itself */
};

static guint hash_pool(const void *data)
{
    const struct pool *pool = data;

    return ct_key_hash(pool->pid, pool->id);
}

static gboolean is_same_pool(const void *a, const void *b)
{
    const struct pool *one = a, *two = b;

    return one->id == two->id && one->pid == two->pid;
}

static void free_pool(void *data)
{
    g_free(((struct pool *)data)->ends_ns);
    g_free(data);
}

struct ct_spawns *ct_spawns_new(void)
{
    struct ct_spawns *spawns = g_new0(struct ct_spawns, 1);

    spawns->pools =
        g_hash_table_new_full(hash_pool, is_same_pool, free_pool, NULL);
    return spawns;
}

void ct_spawns_free(struct ct_spawns *spawns)
{
    if (spawns) {
        g_hash_table_unref(spawns->pools);
        g_free(spawns);
    }
}

static struct pool *find(const struct ct_spawns *spawns, int32_t pid,
                         uint64_t id)
{
    struct pool key = {.pid = pid, .id = id};

    return g_hash_table_lookup(spawns->pools, &key);
}

static void add_end(struct pool *pool, int64_t end_ns)
{
    if (pool->n < ENDS && !(pool->n & (pool->n - 1))) { /* it is full */
        pool->ends_ns = g_renew(int64_t, pool->ends_ns, MAX(1, 2 * pool->n));
    }
    pool->ends_ns[pool->n++ % ENDS] = end_ns;
}

/* Did one of the pool's workers end shortly before? */
static bool is_again(const struct pool *pool, int64_t when_ns)
{
    for (unsigned i = 0; pool && i < MIN(pool->n, ENDS); i++) {
        int64_t ns = when_ns - pool->ends_ns[i];
        if (ns >= 0 && ns < SOON_NS) {
            return true;
        }
    }
    return false;
}

void ct_findings_spawn_life(struct ct_causes *causes, struct ct_spawns *spawns,
                            const struct ct_life *life)
{
    struct pool *pool;

    if (life->kind != CT_ENTITY_WORKER) {
        return;
    }
    pool = find(spawns, life->pid, life->context);
    if (life->begin_known) {
        bool again = is_again(pool, life->begin_ns);
        ct_causes_see(causes, &(struct ct_seen){
                                  .kind = CT_FINDING_SPAWN_STORM,
                                  .pid = life->pid,
                                  .cause = life->context,
                                  .times = again,
                                  .of = 1,
                                  .begin_ns = life->begin_ns,
                                  .end_ns = life->end_ns,
                                  .object = life->context,
                                  .stack = life->stack,
                                  .has_stack_ns = life->stack != 0,
                                  .stack_ns = life->stack_ns,
                                  .origin = life->origin,
                              });
    }
    if (!life->end_known) {
        return;
    }
    if (!pool) {
        pool = g_new0(struct pool, 1);
        pool->pid = life->pid;
        pool->id = life->context;
        g_hash_table_add(spawns->pools, pool);
    }
    add_end(pool, life->end_ns);
}

void ct_findings_spawn_request(struct ct_causes *causes,
                               struct ct_spawns *spawns,
                               const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        const struct ct_cause *cause = &segment->cause;

        if (segment->state == CT_STATE_WORK_QUEUED &&
            cause->kind == CT_CAUSE_SPAWN &&
            is_again(find(spawns, request->pid, cause->pool),
                     segment->end_ns)) {
            struct ct_seen seen =
                ct_seen_in_request(CT_FINDING_SPAWN_STORM, request, segment);
            seen.cause = seen.object = cause->pool;
            seen.times = 0;
            ct_causes_see(causes, &seen);
        }
    }
}
