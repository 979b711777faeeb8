/* SPDX-License-Identifier: MIT */
/*
 * The logical backtrace of one entity: its own frames at an instant, and behind
 * each boundary the frames of what brought it into being.
 *
 * The consumer watches the stacks that the entity leaves as the pass goes by
 * and keeps the one that will be wanted: the last at or before the instant that
 * was asked for, or the kind's default.  Of a request it keeps all those of its
 * coroutines at yields, since only its end tells which wait was the longest.
 * Several processes may have an entity of that id: one candidate each.
 */
#include "ct/backtrace.h"

#include <inttypes.h>

#include <glib.h>

#include "answer/frames.h"
#include "ct/trace.h"

struct taken {
    bool has;
    int64_t when_ns;
    uint64_t stack;
    struct ct_origin *origin; /* one reference */
};

struct candidate {
    int32_t pid;
    bool has_life;
    bool begin_known;
    int64_t begin_ns;
    int64_t end_ns;
    struct taken best;
    struct taken fallback;    /* coroutine: not of a yield */
    struct ct_origin *origin; /* of its life; one reference */
};

struct ct_backtrace_query {
    struct ct_consumer consumer;
    enum ct_backtrace_of of;
    uint64_t id;
    int32_t pid; /* 0: any */
    bool has_at;
    int64_t at_ns; /* from the trace's origin */

    GArray *candidates;               /* struct candidate */
    const struct ct_request *watched; /* a request between begin and end */
    GArray *yields;                   /* struct taken, of the watched one */

    bool finished;
    struct ct_backtrace result;
    struct ct_frames *frames;
};

static struct ct_backtrace_query *query_of(struct ct_consumer *consumer)
{
    return (struct ct_backtrace_query *)consumer; /* its first member */
}

static bool is_in_time(const struct ct_backtrace_query *query, int64_t when_ns)
{
    return !query->has_at ||
           when_ns - query->consumer.origin_ns <= query->at_ns;
}

/* --- candidates ------------------------------------------------------- */

static void clear_taken(struct taken *taken)
{
    ct_origin_unref(taken->origin);
    *taken = (struct taken){0};
}

static void take(struct taken *taken, int64_t when_ns, uint64_t stack,
                 const struct ct_origin *origin)
{
    struct ct_origin *held = ct_origin_ref((struct ct_origin *)origin);

    clear_taken(taken);
    *taken = (struct taken){true, when_ns, stack, held};
}

static struct candidate *candidate_of(struct ct_backtrace_query *query,
                                      int32_t pid)
{
    for (unsigned i = 0; i < query->candidates->len; i++) {
        struct candidate *candidate =
            &g_array_index(query->candidates, struct candidate, i);
        if (candidate->pid == pid) {
            return candidate;
        }
    }
    g_array_set_size(query->candidates, query->candidates->len + 1);
    struct candidate *candidate = &g_array_index(
        query->candidates, struct candidate, query->candidates->len - 1);
    candidate->pid = pid;
    return candidate;
}

static bool is_its_coroutine(const struct ct_request *request,
                             const struct ct_own_stack *own)
{
    if (request->pid != own->pid || own->kind != CT_ENTITY_COROUTINE) {
        return false;
    }
    for (unsigned i = request->n_coroutines; i-- > 0;) {
        if (request->coroutines[i] == own->id) {
            return true;
        }
    }
    return false;
}

static void watch(struct ct_backtrace_query *query,
                  const struct ct_own_stack *own)
{
    if (!query->watched || !is_its_coroutine(query->watched, own)) {
        return;
    }
    struct candidate *candidate = candidate_of(query, own->pid);
    if (query->has_at) {
        take(&candidate->best, own->when_ns, own->stack, own->origin);
    } else if (own->waits) {
        struct taken yield = {0};
        take(&yield, own->when_ns, own->stack, own->origin);
        g_array_append_val(query->yields, yield);
    }
}

/* A worker is asked for by tid: what it ran lay on its own stack too, but what
 * brought it into being is its own. */
static void take_worker(struct ct_backtrace_query *query,
                        const struct ct_own_stack *own)
{
    bool is_itself =
        own->kind == CT_ENTITY_WORKER || own->kind == CT_ENTITY_THREAD;

    if ((uint64_t)(int64_t)own->tid != query->id ||
        (!is_itself && own->kind != CT_ENTITY_WORK)) {
        return;
    }
    struct candidate *candidate = candidate_of(query, own->pid);
    if (candidate->best.has && !query->has_at) {
        return; /* its start */
    }
    if (is_itself) {
        take(&candidate->best, own->when_ns, own->stack, own->origin);
    } else if (query->has_at) {
        take(&candidate->best, own->when_ns, own->stack,
             candidate->best.origin);
    }
}

static void on_own_stack(struct ct_consumer *consumer,
                         const struct ct_own_stack *own)
{
    struct ct_backtrace_query *query = query_of(consumer);
    struct candidate *candidate;

    if (!is_in_time(query, own->when_ns) ||
        (query->pid && query->pid != own->pid)) {
        return;
    }
    switch (query->of) {
    case CT_BACKTRACE_REQUEST:
        watch(query, own);
        break;
    case CT_BACKTRACE_COROUTINE:
        if (own->kind == CT_ENTITY_COROUTINE && own->id == query->id) {
            candidate = candidate_of(query, own->pid);
            take(query->has_at || own->waits ? &candidate->best
                                             : &candidate->fallback,
                 own->when_ns, own->stack, own->origin);
        }
        break;
    case CT_BACKTRACE_WORK:
        if (own->kind == CT_ENTITY_WORK && own->id == query->id) {
            candidate = candidate_of(query, own->pid);
            if (query->has_at || !candidate->best.has) {
                take(&candidate->best, own->when_ns, own->stack, own->origin);
            }
        }
        break;
    case CT_BACKTRACE_WORKER:
        take_worker(query, own);
        break;
    }
}

static bool is_its_life(const struct ct_backtrace_query *query,
                        const struct ct_life *life)
{
    switch (query->of) {
    case CT_BACKTRACE_COROUTINE:
        return life->kind == CT_ENTITY_COROUTINE && life->id == query->id;
    case CT_BACKTRACE_WORK:
        return life->kind == CT_ENTITY_WORK && life->id == query->id;
    case CT_BACKTRACE_WORKER:
        return (life->kind == CT_ENTITY_WORKER ||
                life->kind == CT_ENTITY_THREAD) &&
               (uint64_t)(int64_t)life->tid == query->id;
    default:
        return false;
    }
}

static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_backtrace_query *query = query_of(consumer);

    if (!is_its_life(query, life) || (query->pid && query->pid != life->pid)) {
        return;
    }
    struct candidate *candidate = candidate_of(query, life->pid);
    if (!candidate->has_life) {
        candidate->begin_known = life->begin_known;
        candidate->begin_ns = life->begin_ns;
    }
    candidate->has_life = true;
    candidate->begin_ns = MIN(candidate->begin_ns, life->begin_ns);
    candidate->end_ns = MAX(candidate->end_ns, life->end_ns);
    if (!candidate->origin) {
        candidate->origin = ct_origin_ref((struct ct_origin *)life->origin);
    }
}

static void on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct ct_backtrace_query *query = query_of(consumer);

    if (request->number == query->id) {
        query->watched = request;
    }
}

/* --- requests --------------------------------------------------------- */

static bool is_wait(enum ct_state state)
{
    return state != CT_STATE_RUNNING && state != CT_STATE_COMPLETING &&
           state != CT_STATE_UNKNOWN;
}

/* The default instant of a request: the start of its longest waiting segment.
 * The last yield at or before it is where it waited. */
static void choose_wait(struct ct_backtrace_query *query,
                        struct candidate *candidate,
                        const struct ct_request *request)
{
    const struct ct_segment *longest = NULL;
    const struct taken *where = NULL;

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        if (is_wait(segment->state) &&
            (!longest || segment->end_ns - segment->begin_ns >
                             longest->end_ns - longest->begin_ns)) {
            longest = segment;
        }
    }
    for (unsigned i = 0; longest && i < query->yields->len; i++) {
        const struct taken *yield =
            &g_array_index(query->yields, struct taken, i);
        if (yield->when_ns <= longest->begin_ns) {
            where = yield;
        }
    }
    if (where) {
        take(&candidate->best, where->when_ns, where->stack, where->origin);
    }
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_backtrace_query *query = query_of(consumer);

    if (request != query->watched) {
        return;
    }
    struct candidate *candidate = candidate_of(query, request->pid);
    candidate->has_life = true;
    candidate->begin_known = request->begin_known;
    candidate->begin_ns = request->begin_ns;
    candidate->end_ns = request->end_ns;
    if (!query->has_at) {
        choose_wait(query, candidate, request);
    }
    if (!candidate->best.has && request->stack) {
        take(&candidate->best, request->begin_ns, request->stack,
             request->origin);
    }
    query->watched = NULL;
}

/* --- the result ------------------------------------------------------- */

static const char *kind_word(enum ct_backtrace_of of)
{
    switch (of) {
    case CT_BACKTRACE_REQUEST:
        return "request";
    case CT_BACKTRACE_COROUTINE:
        return "coroutine";
    case CT_BACKTRACE_WORKER:
        return "thread";
    case CT_BACKTRACE_WORK:
        return "work item";
    }
    return "entity";
}

static bool fail(const struct ct_backtrace_query *query, GError **error,
                 const char *why)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                "%s %" PRIu64 " %s", kind_word(query->of), query->id, why);
    return false;
}

/* The one candidate that there is; NULL with an error if there is not one. */
static struct candidate *choose(struct ct_backtrace_query *query,
                                GError **error)
{
    if (query->candidates->len == 0) {
        fail(query, error, "is not in this trace");
        return NULL;
    }
    if (query->candidates->len > 1) {
        fail(query, error, "is in more than one process; say which");
        return NULL;
    }
    struct candidate *candidate =
        &g_array_index(query->candidates, struct candidate, 0);
    int64_t begin_ns = candidate->begin_ns - query->consumer.origin_ns;
    int64_t end_ns = candidate->end_ns - query->consumer.origin_ns;
    if (query->has_at && candidate->has_life &&
        ((candidate->begin_known && query->at_ns < begin_ns) ||
         query->at_ns > end_ns)) {
        fail(query, error, "is not alive at that time");
        return NULL;
    }
    return candidate;
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_backtrace_query *query = query_of(consumer);

    if (query->has_at && !summary->has_clock) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "--at needs a trace with times; this one has only an "
                    "order");
        return false;
    }
    struct candidate *candidate = choose(query, error);
    if (!candidate) {
        return false;
    }
    const struct taken *own =
        candidate->best.has ? &candidate->best : &candidate->fallback;
    struct ct_origin *origin = own->has ? own->origin : candidate->origin;
    bool is_worker = query->of == CT_BACKTRACE_WORKER;
    if (!origin && is_worker) {
        origin = candidate->origin;
    }
    query->frames = ct_frames_new(summary, NULL);
    query->result.pid = candidate->pid;
    query->result.has_stack_ns = own->has && summary->has_clock;
    query->result.stack_ns = own->when_ns;
    query->result.stack = own->has ? own->stack : 0;
    ct_frames_begin(query->frames);
    if (own->has) {
        ct_frames_add_stack(query->frames, candidate->pid, own->stack);
    }
    ct_frames_add_origins(query->frames, origin, own->has, own->when_ns);
    query->result.frames = ct_frames_end(query->frames, &query->result.n_frames,
                                         &query->result.complete);
    if (!origin && !(own->has && is_worker &&
                     query->id == (uint64_t)(int64_t)candidate->pid)) {
        /* Only a process's first thread comes from nothing. */
        query->result.complete &= query->of == CT_BACKTRACE_REQUEST && own->has;
    }
    query->finished = true;
    return true;
}

/* --- the query -------------------------------------------------------- */

struct ct_backtrace_query *ct_backtrace_new(enum ct_backtrace_of of,
                                            uint64_t id, int32_t pid,
                                            int64_t at_ns)
{
    struct ct_backtrace_query *query = g_new0(struct ct_backtrace_query, 1);

    query->consumer = (struct ct_consumer){
        .own_stack = on_own_stack,
        .life = of == CT_BACKTRACE_REQUEST ? NULL : on_life,
        .request_began = of == CT_BACKTRACE_REQUEST ? on_request_began : NULL,
        .request = of == CT_BACKTRACE_REQUEST ? on_request : NULL,
        .finish = on_finish,
        .wants_origins = true,
    };
    query->of = of;
    query->id = id;
    query->pid = pid;
    query->has_at = at_ns >= 0;
    query->at_ns = at_ns;
    query->candidates = g_array_new(FALSE, TRUE, sizeof(struct candidate));
    query->yields = g_array_new(FALSE, TRUE, sizeof(struct taken));
    return query;
}

struct ct_consumer *ct_backtrace_consumer(struct ct_backtrace_query *query)
{
    return &query->consumer;
}

const struct ct_backtrace *ct_backtrace_result(
    const struct ct_backtrace_query *query)
{
    return query->finished ? &query->result : NULL;
}

void ct_backtrace_free(struct ct_backtrace_query *query)
{
    if (!query) {
        return;
    }
    for (unsigned i = 0; i < query->candidates->len; i++) {
        struct candidate *candidate =
            &g_array_index(query->candidates, struct candidate, i);
        clear_taken(&candidate->best);
        clear_taken(&candidate->fallback);
        ct_origin_unref(candidate->origin);
    }
    for (unsigned i = 0; i < query->yields->len; i++) {
        clear_taken(&g_array_index(query->yields, struct taken, i));
    }
    g_array_unref(query->candidates);
    g_array_unref(query->yields);
    ct_frames_free(query->frames);
    g_free(query);
}
