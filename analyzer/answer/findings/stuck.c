/* SPDX-License-Identifier: MIT */
/*
 * Coroutines and requests that go on no more: at the trace's end they wait, and
 * have for long.
 *
 * What serves no request may well wait for ever, for the next client or the
 * next thing to do: only when nothing is left that could wake it is that a
 * fault.  A request is there to end, so one that hangs is always told; as
 * `sure` only if nothing can help it any more:
 *
 *  - to be entered, or its work is done: its loop turned, or slept, for long
 *    since then and did not enter it;
 *  - its work item is queued in a pool without a worker;
 *  - behind a lock or a child: that one is itself stuck for sure;
 *  - else: the process has no coroutine that goes on or waits for the kernel,
 *    a worker or the time, no work item, no armed timer and no fd that it
 *    watches.
 *
 * Nothing is sure if parts of the process's life are missing, or if the trace
 * goes on after what is shown.  An armed timer is no fault, whenever it is due:
 * its deadline is on a clock that the trace does not have.
 */
#include <glib.h>

#include "answer/findings/family.h"
#include "ct/key.h"
#include "ct/span.h"

enum { CHAIN_MAX = 64 }; /* of holders and children; more go round in a ring */

enum verdict {
    FINE,
    UNSURE,
    SURE,
};

struct key {
    uint64_t id;
    int32_t pid;
};

/* A context, how late it was seen to turn; or a pool, how many workers. */
struct place {
    struct key key;
    int64_t turned_ns; /* 0: never */
    int64_t sleep_begin_ns, sleep_end_ns;
    uint64_t n_workers;
};

struct process {
    struct key key;
    uint64_t n_lively; /* coroutines that something will still happen to */
    uint64_t n_works;
};

struct ct_stuck {
    int64_t stuck_ns;
    int64_t end_ns;      /* from here on: set when the pass ends */
    bool has_unseen;     /* the dialect does not tell of timers and fds */
    bool is_cut;         /* the trace goes on */
    GHashTable *places;  /* struct place, itself */
    GHashTable *process; /* struct process, itself */
    GArray *alive;       /* struct ct_alive, their origins held */
    GHashTable *by_id;   /* struct key -> index of `alive`, plus 1 */
    GHashTable *serving; /* number of a request -> likewise */
};

static guint hash_key(gconstpointer data)
{
    const struct key *key = data;

    return ct_key_hash(key->pid, key->id);
}

static gboolean is_same_key(gconstpointer a, gconstpointer b)
{
    const struct key *x = a, *y = b;

    return x->id == y->id && x->pid == y->pid;
}

/* Each kind of thing that is kept begins with its key. */
static void *get(GHashTable *table, int32_t pid, uint64_t id, size_t size_bytes)
{
    struct key key = {id, pid};
    struct key *found = g_hash_table_lookup(table, &key);

    if (!found) {
        found = g_malloc0(size_bytes);
        *found = key;
        g_hash_table_add(table, found);
    }
    return found;
}

static struct place *place_of(struct ct_stuck *stuck, int32_t pid, uint64_t id)
{
    return get(stuck->places, pid, id, sizeof(struct place));
}

static struct process *process_of(struct ct_stuck *stuck, int32_t pid)
{
    return get(stuck->process, pid, 0, sizeof(struct process));
}

static const struct ct_alive *alive_at(const struct ct_stuck *stuck,
                                       gpointer index)
{
    return index ? &g_array_index(stuck->alive, struct ct_alive,
                                  GPOINTER_TO_UINT(index) - 1)
                 : NULL;
}

/* --- the pass ------------------------------------------------------------- */

void ct_stuck_slice(struct ct_stuck *stuck, const struct ct_slice *slice)
{
    struct place *place;

    switch (slice->kind) {
    case CT_SLICE_FDMON:
    case CT_SLICE_BUSY:
        place = place_of(stuck, slice->pid, slice->context);
        place->sleep_begin_ns = slice->begin_ns;
        place->sleep_end_ns = slice->end_ns;
        break;
    case CT_SLICE_POLL:
    case CT_SLICE_BH:
    case CT_SLICE_TIMER:
    case CT_SLICE_FD:
        place = place_of(stuck, slice->pid, slice->context);
        place->turned_ns = MAX(place->turned_ns, slice->begin_ns);
        break;
    default:
        break;
    }
}

void ct_stuck_life(struct ct_stuck *stuck, const struct ct_life *life)
{
    if (!life->open) {
        if (life->kind == CT_ENTITY_CONTEXT) {
            struct key key = {life->id, life->pid};
            g_hash_table_remove(stuck->places, &key);
        }
        return;
    }
    if (life->kind == CT_ENTITY_WORKER) {
        place_of(stuck, life->pid, life->context)->n_workers++;
    } else if (life->kind == CT_ENTITY_WORK) {
        process_of(stuck, life->pid)->n_works++;
    }
}

void ct_stuck_alive(struct ct_stuck *stuck, const struct ct_alive *alive)
{
    gpointer index;

    ct_origin_ref((struct ct_origin *)alive->origin);
    g_array_append_val(stuck->alive, *alive);
    index = GUINT_TO_POINTER(stuck->alive->len);
    struct key *key = g_new(struct key, 1);
    *key = (struct key){alive->id, alive->pid};
    g_hash_table_insert(stuck->by_id, key, index);
    if (alive->request) {
        g_hash_table_insert(stuck->serving, GSIZE_TO_POINTER(alive->request),
                            index);
    }
}

/* Its coroutine is not there any more, and it has not ended. */
static void see_request(struct ct_causes *causes,
                        const struct ct_request *request,
                        const struct ct_segment *last)
{
    struct ct_seen seen =
        ct_seen_in_request(CT_FINDING_STUCK_REQUEST, request, last);

    if (last->state != CT_STATE_COMPLETING || !request->begin_known ||
        request->has_latency_max ||
        seen.cost_ns < ct_causes_limits(causes)->stuck_ns) {
        return;
    }
    seen.cause = request->number;
    seen.wait = (struct ct_finding_wait){.state = last->state};
    ct_causes_see(causes, &seen);
}

void ct_stuck_request(struct ct_causes *causes, struct ct_stuck *stuck,
                      const struct ct_request *request)
{
    const struct ct_segment *last =
        request->n_segments ? &request->segments[request->n_segments - 1]
                            : NULL;
    struct ct_alive *alive;

    if (!last || request->end_known || request->end_bound) {
        return;
    }
    /* Open ones are told after what is alive. */
    alive = (struct ct_alive *)alive_at(
        stuck,
        g_hash_table_lookup(stuck->serving, GSIZE_TO_POINTER(request->number)));
    if (!alive) {
        if (!request->parent_id) {
            see_request(causes, request, last);
        }
    } else if (last->state == alive->state &&
               (last->state == CT_STATE_WORK_QUEUED ||
                last->state == CT_STATE_WORK_RUNNING ||
                last->state == CT_STATE_WORK_DONE)) {
        alive->since_ns = MAX(alive->since_ns, last->begin_ns);
    }
}

/* --- the end -------------------------------------------------------------- */

static bool is_long(const struct ct_stuck *stuck, const struct ct_alive *alive)
{
    return alive->is_sure && alive->since_known &&
           ct_since_ns(alive->since_ns, stuck->end_ns) >= stuck->stuck_ns;
}

/* Its loop had the time to enter it, and did not. */
static bool is_passed_over(struct ct_stuck *stuck, const struct ct_alive *alive)
{
    const struct place *place = place_of(stuck, alive->pid, alive->context);
    int64_t slept_ns = ct_since_ns(MAX(place->sleep_begin_ns, alive->since_ns),
                                   place->sleep_end_ns);

    return alive->context &&
           (ct_since_ns(alive->since_ns, place->turned_ns) >= stuck->stuck_ns ||
            slept_ns >= stuck->stuck_ns);
}

static bool has_worker(struct ct_stuck *stuck, const struct ct_alive *alive)
{
    return !alive->pool ||
           place_of(stuck, alive->pid, alive->pool)->n_workers > 0;
}

/* Will it go on by itself, or might it by what comes from outside? */
static bool is_lively(struct ct_stuck *stuck, const struct ct_alive *alive)
{
    if (alive->is_created) {
        return false;
    }
    if (!is_long(stuck, alive)) {
        return true;
    }
    switch (alive->state) {
    case CT_STATE_RUNNABLE:
    case CT_STATE_WORK_DONE:
        return !is_passed_over(stuck, alive);
    case CT_STATE_WORK_QUEUED:
        return has_worker(stuck, alive);
    case CT_STATE_TIMER:
        return !alive->timer_is_gone;
    case CT_STATE_LOCK:
    case CT_STATE_QUEUE:
    case CT_STATE_CHILDREN:
        return false;
    default:
        return true;
    }
}

/* Nothing is left in its process that could wake it. */
static bool is_alone(struct ct_stuck *stuck, const struct ct_alive *alive)
{
    const struct process *process = process_of(stuck, alive->pid);

    return !stuck->has_unseen && !alive->has_outside && !process->n_works &&
           process->n_lively == is_lively(stuck, alive);
}

static enum verdict judge(struct ct_stuck *stuck, const struct ct_alive *alive,
                          unsigned depth);

static const struct ct_alive *awaited(const struct ct_stuck *stuck,
                                      const struct ct_alive *alive)
{
    struct key key = {alive->by, alive->pid};

    return alive->by ? alive_at(stuck, g_hash_table_lookup(stuck->by_id, &key))
                     : NULL;
}

/* By whom it waits for: a lock is never idle; a child is as long as it sleeps,
 * or serves no request. */
static enum verdict judge_behind(struct ct_stuck *stuck,
                                 const struct ct_alive *alive,
                                 enum verdict unless_alone, unsigned depth)
{
    const struct ct_alive *other = awaited(stuck, alive);
    enum verdict its;

    if (!other) {
        return is_alone(stuck, alive) ? SURE : unless_alone;
    }
    its = depth < CHAIN_MAX ? judge(stuck, other, depth + 1) : SURE;
    if (its != FINE) {
        return its;
    }
    if (alive->state == CT_STATE_LOCK) {
        return UNSURE;
    }
    return !is_long(stuck, other) || other->state == CT_STATE_TIMER ||
                   other->state == CT_STATE_RUNNING
               ? FINE
               : unless_alone;
}

/* Whose wait is long; SURE: as far as the process tells. */
static enum verdict judge_wait(struct ct_stuck *stuck,
                               const struct ct_alive *alive, unsigned depth)
{
    /* Only what serves a request must go on. */
    enum verdict unless = alive->request_is_sure ? UNSURE : FINE;

    if (alive->is_created) {
        return unless == FINE ? FINE : is_alone(stuck, alive) ? SURE : UNSURE;
    }
    switch (alive->state) {
    case CT_STATE_RUNNABLE:
    case CT_STATE_WORK_DONE:
        return is_passed_over(stuck, alive) ? SURE : unless;
    case CT_STATE_WORK_QUEUED:
        return has_worker(stuck, alive) ? unless : SURE;
    case CT_STATE_WORK:
    case CT_STATE_WORK_RUNNING:
    case CT_STATE_IO:
        return unless;
    case CT_STATE_LOCK:
    case CT_STATE_CHILDREN:
        return judge_behind(stuck, alive, unless, depth);
    case CT_STATE_QUEUE:
        return is_alone(stuck, alive) ? SURE : unless;
    case CT_STATE_TIMER:
        return !alive->timer_is_gone    ? FINE
               : is_alone(stuck, alive) ? SURE
                                        : unless;
    case CT_STATE_UNKNOWN: /* on a thread: in a turn that it takes by itself */
        return unless == FINE || alive->tid ? FINE
               : is_alone(stuck, alive)     ? SURE
                                            : UNSURE;
    default:
        return FINE;
    }
}

static enum verdict judge(struct ct_stuck *stuck, const struct ct_alive *alive,
                          unsigned depth)
{
    enum verdict verdict =
        is_long(stuck, alive) ? judge_wait(stuck, alive, depth) : FINE;

    return verdict == SURE && (!alive->is_whole || stuck->is_cut) ? UNSURE
                                                                  : verdict;
}

static void see(struct ct_causes *causes, struct ct_stuck *stuck,
                const struct ct_alive *alive, enum verdict verdict)
{
    ct_causes_see(causes,
                  &(struct ct_seen){
                      .kind = CT_FINDING_STUCK_COROUTINE,
                      .pid = alive->pid,
                      .cause = alive->id,
                      .times = 1,
                      .cost_ns = ct_since_ns(alive->since_ns, stuck->end_ns),
                      .object = alive->id,
                      .fn = alive->fn,
                      .begin_ns = alive->since_ns,
                      .end_ns = stuck->end_ns,
                      .context = alive->context,
                      .request = alive->request,
                      .stack = alive->stack,
                      .has_stack_ns = alive->has_stack,
                      .stack_ns = alive->stack_ns,
                      .origin = alive->origin,
                      .wait = {.is_sure = verdict == SURE,
                               .is_cut = stuck->is_cut,
                               .is_created = alive->is_created,
                               .is_passed_over = is_passed_over(stuck, alive),
                               .state = alive->state,
                               .waits_for = alive->waits_for,
                               .by = alive->by},
                  });
}

void ct_stuck_finish(struct ct_causes *causes, struct ct_stuck *stuck,
                     const struct ct_summary *summary)
{
    stuck->end_ns = summary->end_ns;
    stuck->is_cut = !summary->has_all;
    stuck->has_unseen = summary->has_qemu;
    for (unsigned i = 0; i < stuck->alive->len; i++) {
        const struct ct_alive *alive =
            &g_array_index(stuck->alive, struct ct_alive, i);
        process_of(stuck, alive->pid)->n_lively += is_lively(stuck, alive);
    }
    for (unsigned i = 0; i < stuck->alive->len; i++) {
        const struct ct_alive *alive =
            &g_array_index(stuck->alive, struct ct_alive, i);
        enum verdict verdict = judge(stuck, alive, 0);
        if (verdict != FINE) {
            see(causes, stuck, alive, verdict);
        }
    }
}

struct ct_stuck *ct_stuck_new(const struct ct_findings_limits *limits)
{
    struct ct_stuck *stuck = g_new0(struct ct_stuck, 1);

    stuck->stuck_ns = limits->stuck_ns;
    stuck->places = g_hash_table_new_full(hash_key, is_same_key, g_free, NULL);
    stuck->process = g_hash_table_new_full(hash_key, is_same_key, g_free, NULL);
    stuck->by_id = g_hash_table_new_full(hash_key, is_same_key, g_free, NULL);
    stuck->serving = g_hash_table_new(NULL, NULL);
    stuck->alive = g_array_new(FALSE, FALSE, sizeof(struct ct_alive));
    return stuck;
}

void ct_stuck_free(struct ct_stuck *stuck)
{
    for (unsigned i = 0; i < stuck->alive->len; i++) {
        ct_origin_unref(
            (struct ct_origin *)g_array_index(stuck->alive, struct ct_alive, i)
                .origin);
    }
    g_array_unref(stuck->alive);
    g_hash_table_unref(stuck->serving);
    g_hash_table_unref(stuck->by_id);
    g_hash_table_unref(stuck->process);
    g_hash_table_unref(stuck->places);
    g_free(stuck);
}
