/* SPDX-License-Identifier: MIT */
/*
 * Requests behind one another.
 *
 * A convoy: several wait for one CoMutex, one after the other.  Serialised:
 * they wait in a CoQueue until another request's coroutine lets them go on, as
 * requests do that must not overlap.  A wait that a timer ends, or a coroutine
 * that a timer starts (throttling), is neither.
 *
 * A wait for a lock has a segment for each holder; here it is one, from where
 * it begins to where the lock is there.  Where it began is known when its
 * request ends, so until then the stacks of a coroutine's longest waits are
 * kept.
 */
#include <glib.h>

#include "answer/findings/family.h"
#include "ct/key.h"

enum {
    WAITS_MAX = 8,    /* of a coroutine, for one request */
    ENDED_MAX = 4096, /* coroutines that are over, kept for open requests */
};

struct wait {
    uint64_t mutex;
    int64_t stack_ns, end_ns;
    uint64_t stack;
    struct ct_origin *origin; /* one reference */
};

struct waiter {
    uint64_t id; /* coroutine */
    int32_t pid;
    bool has_ended;  /* its request has not */
    bool is_asking;  /* its next yield is the wait for `now`'s mutex */
    struct wait now; /* mutex 0: none, stack 0: it has not begun */
    unsigned n;
    struct wait longest[WAITS_MAX]; /* that are over, in no order */
};

struct ct_lock_waits {
    GHashTable *waiters; /* struct waiter (owner), itself */
    unsigned n_asking;
    unsigned n_ended; /* of them: whose coroutine has */
};

static guint hash_waiter(gconstpointer data)
{
    const struct waiter *waiter = data;

    return ct_key_hash(waiter->pid, waiter->id);
}

static gboolean is_same_waiter(gconstpointer a, gconstpointer b)
{
    const struct waiter *x = a, *y = b;

    return x->id == y->id && x->pid == y->pid;
}

static void clear(struct wait *wait)
{
    ct_origin_unref(wait->origin);
    *wait = (struct wait){0};
}

static void free_waiter(gpointer data)
{
    struct waiter *waiter = data;

    clear(&waiter->now);
    for (unsigned i = 0; i < waiter->n; i++) {
        clear(&waiter->longest[i]);
    }
    g_free(waiter);
}

struct ct_lock_waits *ct_lock_waits_new(void)
{
    struct ct_lock_waits *waits = g_new0(struct ct_lock_waits, 1);

    waits->waiters =
        g_hash_table_new_full(hash_waiter, is_same_waiter, free_waiter, NULL);
    return waits;
}

void ct_lock_waits_free(struct ct_lock_waits *waits)
{
    g_hash_table_unref(waits->waiters);
    g_free(waits);
}

static struct waiter *find(const struct ct_lock_waits *waits, int32_t pid,
                           uint64_t coroutine)
{
    return g_hash_table_lookup(waits->waiters,
                               &(struct waiter){.id = coroutine, .pid = pid});
}

static void set_asking(struct ct_lock_waits *waits, struct waiter *waiter,
                       bool is_asking)
{
    waits->n_asking += is_asking;
    waits->n_asking -= waiter->is_asking;
    waiter->is_asking = is_asking;
}

static void forget(struct ct_lock_waits *waits, struct waiter *waiter)
{
    set_asking(waits, waiter, false);
    waits->n_ended -= waiter->has_ended;
    g_hash_table_remove(waits->waiters, waiter);
}

static gboolean take_ended(gpointer key, gpointer value, gpointer opaque)
{
    struct waiter *waiter = key;
    struct ct_lock_waits *waits = opaque;

    if (!waiter->has_ended) {
        return FALSE;
    }
    set_asking(waits, waiter, false);
    waits->n_ended--;
    return TRUE;
}

/* --- the pass ------------------------------------------------------------- */

/* The wait is over; of those that are kept the shortest makes room. */
static void keep(struct waiter *waiter, int64_t end_ns)
{
    struct wait *place = &waiter->longest[0];
    int64_t ns = end_ns - waiter->now.stack_ns;

    waiter->now.end_ns = end_ns;
    if (waiter->n < WAITS_MAX) {
        place = &waiter->longest[waiter->n++];
    } else {
        for (unsigned i = 1; i < WAITS_MAX; i++) {
            struct wait *other = &waiter->longest[i];
            if (other->end_ns - other->stack_ns <
                place->end_ns - place->stack_ns) {
                place = other;
            }
        }
        if (place->end_ns - place->stack_ns >= ns) {
            clear(&waiter->now);
            return;
        }
        clear(place);
    }
    *place = waiter->now;
    waiter->now = (struct wait){0};
}

void ct_lock_waits_event(struct ct_lock_waits *waits,
                         const struct ct_lock_event *event)
{
    struct waiter *waiter = find(waits, event->pid, event->coroutine);

    if (event->kind == CT_LOCK_WAIT) {
        if (!waiter) {
            waiter = g_new0(struct waiter, 1);
            waiter->pid = event->pid;
            waiter->id = event->coroutine;
            g_hash_table_add(waits->waiters, waiter);
        }
        clear(&waiter->now);
        waiter->now.mutex = event->mutex;
        set_asking(waits, waiter, true);
    } else if (event->kind == CT_LOCK_TAKEN && waiter) {
        set_asking(waits, waiter, false);
        if (waiter->now.mutex == event->mutex && waiter->now.stack) {
            keep(waiter, event->when_ns);
        } else {
            clear(&waiter->now);
        }
    }
}

void ct_lock_waits_stack(struct ct_lock_waits *waits,
                         const struct ct_own_stack *own)
{
    struct waiter *waiter;

    if (!waits->n_asking || !own->waits || own->kind != CT_ENTITY_COROUTINE) {
        return;
    }
    waiter = find(waits, own->pid, own->id);
    if (waiter && waiter->is_asking) {
        waiter->now.stack = own->stack;
        waiter->now.stack_ns = own->when_ns;
        waiter->now.origin = ct_origin_ref((struct ct_origin *)own->origin);
        set_asking(waits, waiter, false);
    }
}

void ct_lock_waits_life(struct ct_lock_waits *waits, const struct ct_life *life)
{
    struct waiter *waiter;

    if (life->kind != CT_ENTITY_COROUTINE || life->open) {
        return;
    }
    waiter = find(waits, life->pid, life->id);
    if (!waiter) {
        return;
    }
    if (!life->request) {
        forget(waits, waiter);
        return;
    }
    waits->n_ended += !waiter->has_ended;
    waiter->has_ended = true;
    if (waits->n_ended > ENDED_MAX) {
        /* Of nested requests; the outer ones go on without them. */
        (void)g_hash_table_foreach_remove(waits->waiters, take_ended, waits);
    }
}

void ct_lock_waits_gap(struct ct_lock_waits *waits)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, waits->waiters);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        struct waiter *waiter = key;

        set_asking(waits, waiter, false);
        clear(&waiter->now);
    }
}

/* --- requests ------------------------------------------------------------- */

static int compare_waits(gconstpointer a, gconstpointer b)
{
    const struct wait *x = *(const struct wait *const *)a;
    const struct wait *y = *(const struct wait *const *)b;

    if (x->mutex != y->mutex) {
        return x->mutex < y->mutex ? -1 : 1;
    }
    return (x->stack_ns > y->stack_ns) - (x->stack_ns < y->stack_ns);
}

/* Where its coroutines waited, by mutex and time; freed by the caller. */
static GPtrArray *waits_of(const struct ct_lock_waits *waits,
                           const struct ct_request *request)
{
    GPtrArray *known = g_ptr_array_new();

    for (unsigned i = 0; i < request->n_coroutines; i++) {
        struct waiter *waiter =
            find(waits, request->pid, request->coroutines[i]);

        for (unsigned k = 0; waiter && k < waiter->n; k++) {
            g_ptr_array_add(known, &waiter->longest[k]);
        }
        if (waiter && waiter->now.stack) {
            g_ptr_array_add(known, &waiter->now);
        }
    }
    g_ptr_array_sort(known, compare_waits);
    return known;
}

/* The last that began before the segment did, and was not over then; NULL: that
 * is not known. */
static const struct wait *wait_at(const GPtrArray *known,
                                  const struct ct_segment *segment)
{
    struct wait key = {.mutex = segment->cause.id,
                       .stack_ns = segment->begin_ns};
    const struct wait *sought = &key, *found;
    guint low = 0, high = known->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (compare_waits(&known->pdata[middle], &sought) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    found = low > 0 ? known->pdata[low - 1] : NULL;
    return found && found->mutex == key.mutex &&
                   (!found->end_ns || found->end_ns > key.stack_ns)
               ? found
               : NULL;
}

/* The lock was asked for at @request's segment @first: the segment where it is
 * still waited for, the last of them. */
static unsigned last_of_wait(const struct ct_request *request, unsigned first)
{
    const struct ct_segment *v = request->segments;
    unsigned last = first;

    while (last + 1 < request->n_segments &&
           v[last + 1].state == CT_STATE_LOCK &&
           v[last + 1].cause.id == v[first].cause.id) {
        last++;
    }
    return last;
}

static void see_lock(struct ct_causes *causes, const GPtrArray *known,
                     const struct ct_request *request, unsigned first,
                     unsigned last)
{
    struct ct_segment whole = request->segments[first];
    const struct wait *wait = wait_at(known, &whole);

    whole.end_ns = request->segments[last].end_ns;
    struct ct_seen seen =
        ct_seen_in_request(CT_FINDING_LOCK_CONVOY, request, &whole);
    seen.cause = seen.object = whole.cause.id;
    seen.is_open = !request->end_known && last + 1 == request->n_segments;
    if (wait) {
        seen.stack = wait->stack;
        seen.has_stack_ns = true;
        seen.stack_ns = wait->stack_ns;
        seen.origin = wait->origin;
    }
    ct_causes_see(causes, &seen);
}

static void see_queue(struct ct_causes *causes,
                      const struct ct_request *request, unsigned at)
{
    const struct ct_segment *segment = &request->segments[at];
    struct ct_seen seen =
        ct_seen_in_request(CT_FINDING_SERIALISED, request, segment);

    /* Each of them may have a queue of its own. */
    seen.name = request->node;
    seen.object = segment->cause.id;
    seen.is_open = !request->end_known && at + 1 == request->n_segments;
    ct_causes_see(causes, &seen);
}

/* Nobody else will ask where its coroutines waited since its begin, but for
 * requests that share a coroutine and overlap. */
static void forget_request(struct ct_lock_waits *waits,
                           const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_coroutines; i++) {
        struct waiter *waiter =
            find(waits, request->pid, request->coroutines[i]);

        for (unsigned k = waiter ? waiter->n : 0; k-- > 0;) {
            if (waiter->longest[k].stack_ns >= request->begin_ns) {
                clear(&waiter->longest[k]);
                waiter->longest[k] = waiter->longest[--waiter->n];
            }
        }
        if (waiter && waiter->has_ended && waiter->n == 0) {
            forget(waits, waiter);
        }
    }
}

void ct_findings_locks_request(struct ct_causes *causes,
                               struct ct_lock_waits *waits,
                               const struct ct_request *request)
{
    GPtrArray *known = NULL;

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];

        if (segment->state == CT_STATE_LOCK) {
            unsigned last = last_of_wait(request, i);
            known = known ? known : waits_of(waits, request);
            see_lock(causes, known, request, i, last);
            i = last;
        } else if (segment->state == CT_STATE_QUEUE &&
                   segment->cause.kind == CT_CAUSE_WAKER &&
                   segment->cause.request) {
            see_queue(causes, request, i);
        }
    }
    g_clear_pointer(&known, g_ptr_array_unref);
    if (g_hash_table_size(waits->waiters) > 0) {
        forget_request(waits, request);
    }
}
