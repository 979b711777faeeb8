/* SPDX-License-Identifier: MIT */
/*
 * What loops and pools did while somebody waited.
 *
 * A thread's time is cut into pieces, each given to what was innermost there: a
 * callback, a coroutine, the turn itself, the sleep in the kernel.  A turn that
 * a callback or coroutine takes by itself is that one's nested poll.  A pool's
 * pieces are the items that its workers ran.  Both logs are in the order of
 * their ends (logs.c).
 *
 * What a slice's request is may be known at its end only; its pieces are then
 * put right, except for those that are part of a sum.
 */
#include "account/meanwhile.h"

#include <glib.h>

#include "ct/pre.h"
#include "ct/key.h"

struct frame {
    enum ct_slice_kind kind;
    bool is_run;
    bool is_counted;
    int64_t begin_ns;
    uint64_t context;
    struct ct_ran what;
};

struct key {
    uint64_t id;
    int32_t pid;
};

struct pool {
    struct key key;
    struct thread *workers; /* that ran an item of it, by `colleague` */
    struct ct_log log;
};

struct thread {
    struct key key; /* tid */
    /* in the ring of those that were told of since the last gap; NULL: it was
       not, and what the gap means for it is done */
    struct thread *next, *prev;
    struct frame *open;
    unsigned n_open, capacity;
    bool is_sure; /* what lies below what is open is known: nothing */
    struct pool *pool;
    struct thread *colleague, *before; /* of its pool */
    struct home *homes;
    int64_t since_ns; /* of what is innermost */
    struct ct_log log;
};

struct home {
    struct key key; /* context */
    struct thread *thread;
    struct home *next, *prev; /* of its thread */
};

struct ct_meanwhile {
    struct ct_wait waits; /* ring, by begin */
    struct thread heard;  /* ring */
    struct thread *last;  /* that was told of */
    GHashTable *by_tid;   /* key -> struct thread (owned) */
    GHashTable *homes;    /* key -> struct home (owned) */
    GHashTable *pools;    /* key -> struct pool (owned) */
};

static guint hash_key(const void *data)
{
    const struct key *key = data;

    return ct_key_hash(key->pid, key->id);
}

static gboolean is_same_key(const void *a, const void *b)
{
    const struct key *one = a;
    const struct key *other = b;

    return one->id == other->id && one->pid == other->pid;
}

static void free_thread(void *data)
{
    struct thread *thread = data;

    g_free(thread->open);
    ct_log_fini(&thread->log);
    g_free(thread);
}

static void free_pool(void *data)
{
    struct pool *pool = data;

    ct_log_fini(&pool->log);
    g_free(pool);
}

struct ct_meanwhile *ct_meanwhile_new(void)
{
    struct ct_meanwhile *meanwhile = g_new0(struct ct_meanwhile, 1);

    meanwhile->waits.next = meanwhile->waits.prev = &meanwhile->waits;
    meanwhile->heard.next = meanwhile->heard.prev = &meanwhile->heard;
    meanwhile->by_tid =
        g_hash_table_new_full(hash_key, is_same_key, NULL, free_thread);
    meanwhile->homes =
        g_hash_table_new_full(hash_key, is_same_key, NULL, g_free);
    meanwhile->pools =
        g_hash_table_new_full(hash_key, is_same_key, NULL, free_pool);
    return meanwhile;
}

void ct_meanwhile_free(struct ct_meanwhile *meanwhile)
{
    if (!meanwhile) {
        return;
    }
    g_hash_table_unref(meanwhile->homes);
    g_hash_table_unref(meanwhile->by_tid);
    g_hash_table_unref(meanwhile->pools);
    g_free(meanwhile);
}

/* --- waits ------------------------------------------------------------ */

void ct_wait_open(struct ct_meanwhile *meanwhile, struct ct_wait *wait,
                  int64_t begin_ns)
{
    ct_wait_close(wait);
    ct_pre("wait-open/in-order",
           meanwhile->waits.prev == &meanwhile->waits ||
               meanwhile->waits.prev->begin_ns <= begin_ns);
    wait->is_open = true;
    wait->begin_ns = begin_ns;
    wait->next = &meanwhile->waits;
    wait->prev = meanwhile->waits.prev;
    wait->prev->next = wait;
    meanwhile->waits.prev = wait;
}

void ct_wait_close(struct ct_wait *wait)
{
    if (wait->is_open) {
        wait->is_open = false;
        wait->prev->next = wait->next;
        wait->next->prev = wait->prev;
    }
}

/* --- threads ---------------------------------------------------------- */

static enum ct_ran_kind ran_kind(enum ct_slice_kind kind)
{
    switch (kind) {
    case CT_SLICE_BH:
        return CT_RAN_BOTTOM_HALF;
    case CT_SLICE_TIMER:
        return CT_RAN_TIMER;
    case CT_SLICE_FD:
        return CT_RAN_FD_HANDLER;
    case CT_SLICE_COROUTINE:
        return CT_RAN_COROUTINE;
    case CT_SLICE_WORK:
        return CT_RAN_WORK;
    case CT_SLICE_FDMON:
        return CT_RAN_KERNEL;
    default:
        return CT_RAN_LOOP;
    }
}

/* What its innermost slice is to one who waits for the loop. */
static struct ct_ran innermost(const struct thread *thread)
{
    if (!thread->n_open) {
        return (struct ct_ran){.kind = thread->is_sure ? CT_RAN_OUTSIDE
                                                       : CT_RAN_UNKNOWN};
    }
    struct ct_ran what = thread->open[thread->n_open - 1].what;
    what.count = !thread->open[thread->n_open - 1].is_counted;
    return what;
}

/* Time went on: what was innermost until now gets it. */
static void advance(struct ct_meanwhile *meanwhile, struct thread *thread,
                    int64_t now_ns)
{
    if (now_ns <= thread->since_ns) {
        return;
    }
    if (!thread->pool) { /* a worker is nobody's loop */
        struct ct_ran what = innermost(thread);
        ct_log_add(&thread->log, &meanwhile->waits, thread->since_ns, now_ns,
                   &what);
    }
    if (thread->n_open) {
        thread->open[thread->n_open - 1].is_counted = true;
    }
    thread->since_ns = now_ns;
}

static void heard_of(struct ct_meanwhile *meanwhile, struct thread *thread)
{
    if (!thread->next) {
        thread->next = &meanwhile->heard;
        thread->prev = meanwhile->heard.prev;
        thread->prev->next = thread;
        meanwhile->heard.prev = thread;
    }
}

static void leave_heard(struct thread *thread)
{
    if (thread->next) {
        thread->prev->next = thread->next;
        thread->next->prev = thread->prev;
        thread->next = thread->prev = NULL;
    }
}

static struct thread *thread_of(struct ct_meanwhile *meanwhile,
                                const struct ct_slice *slice)
{
    struct key key = {(uint32_t)slice->tid, slice->pid};
    struct thread *thread = meanwhile->last;

    if (!thread || !is_same_key(&thread->key, &key)) {
        thread = g_hash_table_lookup(meanwhile->by_tid, &key);
    }
    if (!thread) {
        thread = g_new0(struct thread, 1);
        thread->key = key;
        thread->since_ns = slice->begin_ns;
        g_hash_table_insert(meanwhile->by_tid, &thread->key, thread);
    }
    heard_of(meanwhile, thread);
    meanwhile->last = thread;
    return thread;
}

static void leave_home(struct home *home)
{
    if (home->next) {
        home->next->prev = home->prev;
    }
    *(home->prev ? &home->prev->next : &home->thread->homes) = home->next;
}

static void go_home(struct ct_meanwhile *meanwhile, struct thread *thread,
                    uint64_t context)
{
    struct key key = {context, thread->key.pid};
    struct home *home = g_hash_table_lookup(meanwhile->homes, &key);

    if (!home) {
        home = g_new0(struct home, 1);
        home->key = key;
        g_hash_table_insert(meanwhile->homes, &home->key, home);
    } else if (home->thread == thread) {
        return;
    } else {
        leave_home(home);
    }
    home->thread = thread;
    home->prev = NULL;
    home->next = thread->homes;
    if (home->next) {
        home->next->prev = home;
    }
    thread->homes = home;
}

static void works(struct ct_meanwhile *meanwhile, struct thread *thread,
                  uint64_t id)
{
    struct key key = {id, thread->key.pid};
    struct pool *pool = g_hash_table_lookup(meanwhile->pools, &key);

    if (!pool) {
        pool = g_new0(struct pool, 1);
        pool->key = key;
        g_hash_table_insert(meanwhile->pools, &pool->key, pool);
    }
    if (!thread->pool) {
        thread->pool = pool;
        thread->colleague = pool->workers;
        if (thread->colleague) {
            thread->colleague->before = thread;
        }
        pool->workers = thread;
    }
}

/* It was open there already; what is known since then was taken for less. */
static void was_below(struct thread *thread, const struct frame *frame)
{
    for (unsigned i = thread->log.n; i-- > 0;) {
        struct ct_piece *piece = &thread->log.v[i];
        if (piece->is_sum || piece->begin_ns < frame->begin_ns) {
            break;
        }
        if (piece->what.kind == CT_RAN_OUTSIDE ||
            piece->what.kind == CT_RAN_UNKNOWN) {
            piece->what = frame->what;
            ct_log_changed(&thread->log, i);
        }
    }
}

static void began(struct ct_meanwhile *meanwhile, const struct ct_slice *slice)
{
    struct thread *thread = thread_of(meanwhile, slice);
    struct frame frame = {
        .kind = slice->kind,
        .begin_ns = slice->begin_ns,
        .context = slice->context,
        .what = {.kind = ran_kind(slice->kind)},
    };
    const struct frame *outer =
        thread->n_open ? &thread->open[thread->n_open - 1] : NULL;

    if (slice->kind == CT_SLICE_THREAD) {
        thread->is_sure = slice->begin_known;
        return;
    }
    frame.is_run =
        frame.what.kind != CT_RAN_LOOP && frame.what.kind != CT_RAN_KERNEL;
    if (outer) {
        frame.what.depth = outer->what.depth;
    }
    if (frame.is_run) {
        frame.what.id = slice->id;
        frame.what.fn = slice->fn;
        frame.what.name = slice->kind == CT_SLICE_BH ? slice->name : NULL;
        frame.what.request = slice->request;
    } else if (outer &&
               (outer->is_run || outer->what.kind == CT_RAN_NESTED_POLL)) {
        frame.what = outer->what;
        frame.what.kind = CT_RAN_NESTED_POLL;
        frame.what.depth += outer->is_run;
    }
    advance(meanwhile, thread, slice->begin_ns);
    if (!slice->begin_known) {
        was_below(thread, &frame);
    }
    if (slice->kind == CT_SLICE_POLL) {
        thread->is_sure |= slice->begin_known && slice->poll_depth <= 1;
        go_home(meanwhile, thread, slice->id);
    } else if (slice->kind == CT_SLICE_WORK) {
        works(meanwhile, thread, slice->context);
    }
    if (thread->n_open == thread->capacity) {
        thread->capacity = MAX(8, thread->capacity * 2);
        thread->open = g_renew(struct frame, thread->open, thread->capacity);
    }
    thread->open[thread->n_open++] = frame;
}

static void thread_over(struct ct_meanwhile *meanwhile, struct thread *thread)
{
    struct pool *pool = thread->pool;

    while (thread->homes) {
        struct home *home = thread->homes;
        leave_home(home);
        g_hash_table_remove(meanwhile->homes, &home->key);
    }
    if (pool) {
        if (thread->colleague) {
            thread->colleague->before = thread->before;
        }
        *(thread->before ? &thread->before->colleague : &pool->workers) =
            thread->colleague;
        if (!pool->workers) {
            g_hash_table_remove(meanwhile->pools, &pool->key);
        }
    }
    leave_heard(thread);
    meanwhile->last = NULL;
    g_hash_table_remove(meanwhile->by_tid, &thread->key);
}

/* The request that it served is known now. */
static void put_right(struct thread *thread, const struct frame *frame,
                      uint64_t request)
{
    for (unsigned i = thread->log.n; i-- > 0;) {
        struct ct_piece *piece = &thread->log.v[i];
        if (piece->is_sum || piece->begin_ns < frame->begin_ns) {
            break;
        }
        if (piece->what.id == frame->what.id &&
            piece->what.fn == frame->what.fn) {
            piece->what.request = request;
            ct_log_changed(&thread->log, i);
        }
    }
}

static void ended(struct ct_meanwhile *meanwhile, const struct ct_slice *slice)
{
    struct thread *thread = thread_of(meanwhile, slice);

    advance(meanwhile, thread, slice->end_ns);
    if (slice->kind == CT_SLICE_THREAD) {
        thread_over(meanwhile, thread);
        return;
    }
    ct_pre("meanwhile-ended/began", thread->n_open > 0);
    struct frame frame = thread->open[--thread->n_open];
    if (slice->kind == CT_SLICE_WORK && thread->pool) {
        frame.what.request = slice->request;
        frame.what.count = 1;
        frame.what.depth = 0;
        ct_log_add(&thread->pool->log, &meanwhile->waits, slice->begin_ns,
                   slice->end_ns, &frame.what);
    } else if (frame.is_run && slice->request != frame.what.request) {
        put_right(thread, &frame, slice->request);
    }
}

/* To a thread of which nothing was told since the last one it is no news. */
static void missed(struct ct_meanwhile *meanwhile, int64_t from_ns)
{
    while (meanwhile->heard.next != &meanwhile->heard) {
        struct thread *thread = meanwhile->heard.next;
        advance(meanwhile, thread, from_ns);
        thread->is_sure = false;
        leave_heard(thread);
    }
}

void ct_meanwhile_change(struct ct_meanwhile *meanwhile,
                         const struct ct_change *change)
{
    switch (change->kind) {
    case CT_CHANGE_SLICE_BEGAN:
        began(meanwhile, &change->slice);
        break;
    case CT_CHANGE_SLICE:
        ended(meanwhile, &change->slice);
        break;
    case CT_CHANGE_GAP:
        missed(meanwhile, change->gap.from_ns);
        break;
    default:
        break;
    }
}

/* --- questions -------------------------------------------------------- */

void ct_meanwhile_loop(struct ct_meanwhile *meanwhile, int32_t pid,
                       uint64_t context, int64_t from_ns, int64_t now_ns,
                       struct ct_ran_list *list)
{
    struct key key = {context, pid};
    struct home *home = g_hash_table_lookup(meanwhile->homes, &key);
    unsigned first = list->n;
    struct ct_ran rest = {.kind = CT_RAN_UNKNOWN, .ns = now_ns - from_ns};

    if (!home) {
        return;
    }
    ct_log_parts(&home->thread->log, from_ns, now_ns, list);
    struct ct_ran now = innermost(home->thread);
    now.ns = now_ns - MAX(home->thread->since_ns, from_ns);
    now.count = now.count && home->thread->since_ns >= from_ns;
    ct_ran_add(list, &now);
    for (unsigned i = first; i < list->n; i++) {
        rest.ns -= list->v[i].ns;
    }
    ct_ran_add(list, &rest);
}

void ct_meanwhile_pool(struct ct_meanwhile *meanwhile, int32_t pid, uint64_t id,
                       int64_t from_ns, int64_t now_ns,
                       struct ct_ran_list *list)
{
    struct key key = {id, pid};
    struct pool *pool = g_hash_table_lookup(meanwhile->pools, &key);

    if (!pool) {
        return;
    }
    ct_log_parts(&pool->log, from_ns, now_ns, list);
    for (const struct thread *thread = pool->workers; thread;
         thread = thread->colleague) {
        for (unsigned i = 0; i < thread->n_open; i++) {
            const struct frame *frame = &thread->open[i];
            if (frame->kind == CT_SLICE_WORK && frame->context == id) {
                struct ct_ran what = frame->what;
                what.depth = 0;
                what.ns = now_ns - MAX(frame->begin_ns, from_ns);
                what.count = frame->begin_ns >= from_ns;
                ct_ran_add(list, &what);
            }
        }
    }
}
