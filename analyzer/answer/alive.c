/* SPDX-License-Identifier: MIT */
/*
 * Which coroutines were alive at an instant, grouped by where they are.
 *
 * A group's key is made of what its members share: process, state, entry, own
 * stack, and of each boundary outside it the kind and the stack there.  Names
 * are looked up once a group, not once a coroutine.
 */
#include "ct/alive.h"

#include <inttypes.h>

#include <glib.h>

#include "answer/frames.h"
#include "ct/trace.h"

struct group {
    GBytes *key;
    GArray *members; /* struct ct_alive, their origins held */
};

struct ct_alive_query {
    struct ct_consumer consumer;
    int32_t pid;        /* 0: any */
    bool has_pid;       /* it is in the trace */
    GHashTable *by_key; /* GBytes -> struct group, in `groups` */
    GPtrArray *groups;  /* in the order of their first members */
    GArray *results;    /* struct ct_alive_group */
    struct ct_frames *frames;
    struct ct_alive_result result;
    bool finished;
};

static struct ct_alive_query *query_of(struct ct_consumer *consumer)
{
    return (struct ct_alive_query *)consumer; /* its first member */
}

static void free_group(void *data)
{
    struct group *group = data;

    for (unsigned i = 0; i < group->members->len; i++) {
        ct_origin_unref((struct ct_origin *)g_array_index(group->members,
                                                          struct ct_alive, i)
                            .origin);
    }
    g_array_unref(group->members);
    g_bytes_unref(group->key);
    g_free(group);
}

/* --- groups ----------------------------------------------------------- */

static void add_word(GByteArray *key, uint64_t word)
{
    g_byte_array_append(key, (const guint8 *)&word, sizeof(word));
}

static GBytes *key_of(const struct ct_alive *alive)
{
    GByteArray *key = g_byte_array_new();

    add_word(key, (uint64_t)(int64_t)alive->pid);
    add_word(key, alive->is_sure);
    add_word(key, alive->is_created ? CT_STATES : alive->state);
    add_word(key, alive->fn);
    add_word(key, alive->has_stack ? alive->stack : 0);
    for (const struct ct_origin *origin = alive->origin; origin;
         origin = origin->next) {
        add_word(key, (uint64_t)origin->boundary << 1 | origin->cut);
        add_word(key, origin->stack);
        add_word(key, origin->skipped);
    }
    return g_byte_array_free_to_bytes(key);
}

static void on_alive(struct ct_consumer *consumer, const struct ct_alive *alive)
{
    struct ct_alive_query *query = query_of(consumer);

    if (query->pid && query->pid != alive->pid) {
        return;
    }
    GBytes *key = key_of(alive);
    struct group *group = g_hash_table_lookup(query->by_key, key);
    if (!group) {
        group = g_new0(struct group, 1);
        group->key = g_bytes_ref(key);
        group->members = g_array_new(FALSE, FALSE, sizeof(struct ct_alive));
        g_ptr_array_add(query->groups, group);
        g_hash_table_insert(query->by_key, group->key, group);
    }
    g_bytes_unref(key);
    ct_origin_ref((struct ct_origin *)alive->origin);
    g_array_append_val(group->members, *alive);
    query->result.n_coroutines += alive->is_sure;
    query->result.n_unsure += !alive->is_sure;
}

/* --- the result ------------------------------------------------------- */

/* What is not the same for all of a group is told of none. */
static void make_common(struct ct_frame *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct ct_frame *frame = &frames[i];

        if (frame->boundary != CT_BOUNDARY_NONE) {
            frame->id = 0;
            frame->tid = 0;
            frame->has_when = false;
            frame->when_ns = frame->elapsed_ns = 0;
            frame->n_also = 0;
            frame->repeats = frame->period = 0;
        }
    }
}

static struct ct_alive_group result_of(struct ct_alive_query *query,
                                       const struct group *group,
                                       struct ct_symbols *symbols)
{
    const struct ct_alive *first =
        &g_array_index(group->members, struct ct_alive, 0);
    struct ct_alive_group result = {
        .pid = first->pid,
        .is_sure = first->is_sure,
        .is_created = first->is_created,
        .state = first->state,
        .n = group->members->len,
        .coroutines = first,
    };

    if (first->fn) {
        result.function = ct_frames_keep(
            query->frames,
            ct_symbols_function(symbols, first->pid, first->fn, false));
    }
    ct_frames_begin(query->frames);
    if (first->has_stack) {
        ct_frames_add_stack(query->frames, first->pid, first->stack);
    }
    ct_frames_add_origins(query->frames, first->origin, first->has_stack,
                          first->stack_ns);
    struct ct_frame *frames =
        ct_frames_end(query->frames, &result.n_frames, &result.complete);
    if (!first->origin) {
        result.complete = false; /* no coroutine comes from nothing */
    }
    if (result.n > 1) {
        make_common(frames, result.n_frames);
    }
    result.frames = frames;
    return result;
}

static int by_size(const void *a, const void *b)
{
    const struct ct_alive_group *one = a;
    const struct ct_alive_group *other = b;

    if (one->is_sure != other->is_sure) {
        return one->is_sure ? -1 : 1;
    }
    if (one->n != other->n) {
        return one->n > other->n ? -1 : 1;
    }
    if (one->pid != other->pid) {
        return one->pid < other->pid ? -1 : 1;
    }
    return one->coroutines->id < other->coroutines->id ? -1 : 1;
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_alive_query *query = query_of(consumer);
    int64_t end_ns = summary->end_ns - consumer->origin_ns;

    if (consumer->has_until && !summary->has_clock) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "--at needs a trace with times; this one has only an "
                    "order");
        return false;
    }
    if (consumer->has_until && summary->has_all &&
        consumer->until_ns > end_ns) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "the trace is over at %" PRId64 " ns", end_ns);
        return false;
    }
    if (query->pid && !query->has_pid) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "there is no process %" PRId32 " in it", query->pid);
        return false;
    }
    query->frames = ct_frames_new(summary, NULL);
    struct ct_symbols *symbols = ct_symbols_new(summary->images, NULL);
    for (unsigned i = 0; i < query->groups->len; i++) {
        struct ct_alive_group result =
            result_of(query, g_ptr_array_index(query->groups, i), symbols);
        g_array_append_val(query->results, result);
    }
    ct_symbols_free(symbols);
    g_array_sort(query->results, by_size);
    query->result.at_ns = consumer->has_until ? consumer->until_ns : end_ns;
    query->result.has_clock = summary->has_clock;
    query->result.complete = summary->complete;
    query->result.n_groups = query->results->len;
    query->result.groups =
        (const struct ct_alive_group *)(void *)query->results->data;
    query->finished = true;
    return true;
}

/* Every process has a thread, which ends or is open at the end. */
static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_alive_query *query = query_of(consumer);

    query->has_pid = query->has_pid || life->pid == query->pid;
}

/* --- the query -------------------------------------------------------- */

struct ct_alive_query *ct_alive_new(int64_t at_ns, int32_t pid)
{
    struct ct_alive_query *query = g_new0(struct ct_alive_query, 1);

    query->consumer = (struct ct_consumer){
        .alive = on_alive,
        .life = pid ? on_life : NULL,
        .finish = on_finish,
        .wants_origins = true,
        .has_until = at_ns >= 0,
        .until_ns = at_ns,
    };
    query->pid = pid;
    query->by_key = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    query->groups = g_ptr_array_new_with_free_func(free_group);
    query->results = g_array_new(FALSE, FALSE, sizeof(struct ct_alive_group));
    return query;
}

struct ct_consumer *ct_alive_consumer(struct ct_alive_query *query)
{
    return &query->consumer;
}

const struct ct_alive_result *ct_alive_result(
    const struct ct_alive_query *query)
{
    return query->finished ? &query->result : NULL;
}

void ct_alive_free(struct ct_alive_query *query)
{
    if (!query) {
        return;
    }
    g_hash_table_unref(query->by_key);
    g_ptr_array_unref(query->groups);
    g_array_unref(query->results);
    ct_frames_free(query->frames);
    g_free(query);
}
