/* SPDX-License-Identifier: MIT */
/*
 * workers.c - QEMU's worker threads, which it traces nothing of, as a preloaded
 * library saw them
 *
 * QEMU tells of an item that it was submitted, with the address of its request
 * and its pool, and that it completed.  Of the threads there are their makers'
 * stacks, their calls, and what they held in registers and innermost frames:
 *
 *  - Who makes a worker holds the pool's address.  It is the pool's bottom half
 *    or another worker; one that is asked for while none is pending is made by
 *    the bottom half.
 *  - A worker that calls the system holds the address of the request that it
 *    serves: it is looked up afterwards, when the item returned.  What lies
 *    there from earlier calls may be one that is queued again by now; of
 *    several that nobody serves the one that was submitted first is taken,
 *    since the queue is one.  That is sure where workers tell in the order in
 *    which they take: while they have the pool's mutex.
 *  - A worker that waits for its condition is idle.  A submission that finds
 *    none idle asks for one more worker; the n-th made answers the n-th.
 *
 * An item begins when its worker releases the pool's mutex, under which it took
 * it, and ends with its last call.  One that makes several is begun and
 * ended as often.  One that makes none, because it only computes, ends where
 * its worker wakes the loop or wants the mutex again, at the latest when it
 * completes.  An older QEMU's workers wait for no condition; there an item
 * begins with its first call.
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

/* Of our own events, not of QEMU's. */
#undef U
#undef I
#define U(field) (record->values[CT_FLD_##field].u)
#define I(field) (record->values[CT_FLD_##field].i)

#define WORKERS_MAX 64 /* of a pool, in every version that was looked at */
#define BH_NAME     "spawn_thread_bh_fn"

struct pool {
    uint64_t address;
    uint64_t bh;
    bool bh_pending;
    uint64_t asked, made; /* workers, ever */
    unsigned n_workers, n_idle;
};

struct worker {
    uint64_t id; /* its thread's */
    struct pool *pool;
    uint64_t work; /* id of what it does; 0: nothing */
    bool idle;
};

struct ct_qemu_workers {
    GHashTable *pools;  /* address -> struct pool (owner) */
    GHashTable *reqs;   /* address -> struct ct_qemu_work */
    GHashTable *births; /* thread's id -> struct pool, not yet started */
    GHashTable *all;    /* tid -> struct worker (owner) */
    uint64_t submitted; /* items, ever */
};

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

struct ct_qemu_workers *ct_qemu_workers_new(void)
{
    struct ct_qemu_workers *workers = g_new0(struct ct_qemu_workers, 1);

    workers->pools =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    workers->reqs = g_hash_table_new(g_direct_hash, g_direct_equal);
    workers->births = g_hash_table_new(g_direct_hash, g_direct_equal);
    workers->all =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return workers;
}

void ct_qemu_workers_free(struct ct_qemu_workers *workers)
{
    if (workers) {
        g_hash_table_unref(workers->pools);
        g_hash_table_unref(workers->reqs);
        g_hash_table_unref(workers->births);
        g_hash_table_unref(workers->all);
        g_free(workers);
    }
}

/* --- items ---------------------------------------------------------------- */

static struct pool *pool_of(struct ct_qemu_event *event, uint64_t address)
{
    GHashTable *pools = event->process->workers->pools;
    struct pool *pool = g_hash_table_lookup(pools, KEY(address));

    if (!pool) {
        pool = g_new0(struct pool, 1);
        pool->address = address;
        pool->bh = ct_lives_new_id(event->process->lives);
        g_hash_table_insert(pools, KEY(address), pool);
    }
    return pool;
}

void ct_qemu_workers_submitted(struct ct_qemu_event *event,
                               struct ct_qemu_work *work)
{
    struct ct_qemu_workers *workers = event->process->workers;
    struct pool *pool = pool_of(event, work->pool);
    struct ct_step *step;

    work->number = ++workers->submitted;
    g_hash_table_replace(workers->reqs, KEY(work->req), work);
    if (pool->n_idle > 0 ||
        pool->n_workers + (pool->asked - pool->made) >= WORKERS_MAX) {
        return;
    }
    step = ct_qemu_step(event, CT_STEP_SPAWN_REQUEST);
    step->subject = step->context = pool->address;
    step->value = ++pool->asked;
    step->workers.current = pool->n_workers;
    step->stack = event->stack;
    if (!pool->bh_pending) {
        pool->bh_pending = true;
        step = ct_qemu_step(event, CT_STEP_BH_SCHEDULE);
        step->subject = pool->bh;
        step->context = event->process->ctx;
        step->name = BH_NAME;
        step->stack = event->stack;
    }
}

void ct_qemu_workers_forget(struct ct_qemu_process *process,
                            const struct ct_qemu_work *work)
{
    GHashTable *reqs = process->workers ? process->workers->reqs : NULL;

    if (reqs && g_hash_table_lookup(reqs, KEY(work->req)) == work) {
        g_hash_table_remove(reqs, KEY(work->req));
    }
}

/* --- threads -------------------------------------------------------------- */

/* Somebody makes a thread: for a pool? */
static void about_to_create(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_qemu_workers *workers = event->process->workers;
    const struct ct_value *held = &record->values[CT_FLD_NATIVE_THREAD_HELD];

    for (uint32_t i = 0; i < held->len; i++) {
        struct pool *pool =
            g_hash_table_lookup(workers->pools, KEY(held->v[i]));

        if (pool) {
            g_hash_table_insert(workers->births, KEY(U(NATIVE_THREAD_THREAD)),
                                pool);
            return;
        }
    }
}

static bool create(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_qemu_workers *workers = event->process->workers;
    struct pool *pool =
        g_hash_table_lookup(workers->births, KEY(U(THREAD_CREATE_THREAD)));
    bool is_bh =
        !g_hash_table_contains(workers->all, GINT_TO_POINTER(record->tid));
    struct ct_step *step;

    if (!pool) {
        return false;
    }
    is_bh &= pool->bh_pending;
    if (is_bh) {
        pool->bh_pending = false;
        step = ct_qemu_step(event, CT_STEP_BH_RUN_BEGIN);
        step->subject = pool->bh;
        step->context = event->process->ctx;
        step->name = BH_NAME;
    }
    step = ct_qemu_step(event, CT_STEP_WORKER_CREATE);
    step->subject = U(THREAD_CREATE_THREAD);
    step->context = pool->address;
    step->value = ++pool->made;
    step->stack = U(THREAD_CREATE_STACK);
    pool->asked = MAX(pool->asked, pool->made);
    pool->n_workers++;
    if (is_bh) {
        step = ct_qemu_step(event, CT_STEP_BH_RUN_END);
        step->subject = pool->bh;
        step->context = event->process->ctx;
    }
    return true;
}

static bool start(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_qemu_workers *workers = event->process->workers;
    uint64_t id = U(THREAD_START_THREAD);
    struct pool *pool = g_hash_table_lookup(workers->births, KEY(id));
    struct worker *worker;
    struct ct_step *step;

    if (!pool) {
        return false;
    }
    g_hash_table_remove(workers->births, KEY(id));
    worker = g_new0(struct worker, 1);
    worker->id = id;
    worker->pool = pool;
    g_hash_table_replace(workers->all, GINT_TO_POINTER(record->tid), worker);
    step = ct_qemu_step(event, CT_STEP_WORKER_START);
    step->subject = id;
    step->context = pool->address;
    return true;
}

static void set_idle(struct worker *worker, bool is_idle)
{
    worker->pool->n_idle += is_idle;
    worker->pool->n_idle -= worker->idle;
    worker->idle = is_idle;
}

/* Of a thread that could not be made, its maker tells that. */
static bool leave(struct ct_qemu_event *event, struct worker *worker)
{
    const struct ct_record *record = event->record;
    struct ct_qemu_workers *workers = event->process->workers;
    uint64_t id = U(THREAD_EXIT_THREAD);
    struct pool *pool = g_hash_table_lookup(workers->births, KEY(id));
    struct ct_step *step;

    if (!pool && (!worker || worker->id != id)) {
        return false;
    }
    step = ct_qemu_step(event, CT_STEP_WORKER_EXIT);
    step->subject = id;
    step->context = pool ? pool->address : worker->pool->address;
    step->reason = pool ? CT_EXIT_REASON_FAILED : CT_EXIT_REASON_IDLE;
    (pool ? pool : worker->pool)->n_workers--;
    g_hash_table_remove(workers->births, KEY(id));
    if (!pool) {
        set_idle(worker, false);
        g_hash_table_remove(workers->all, GINT_TO_POINTER(record->tid));
    }
    return true;
}

/* --- calls ---------------------------------------------------------------- */

/* The item that a worker serves; NULL: none that it holds. */
static struct ct_qemu_work *served(const struct ct_qemu_event *event,
                                   const struct worker *worker,
                                   const struct ct_value *held)
{
    struct ct_qemu_work *best = NULL;

    for (uint32_t i = 0; i < held->len; i++) {
        struct ct_qemu_work *work =
            g_hash_table_lookup(event->process->workers->reqs, KEY(held->v[i]));

        if (!work || work->pool != worker->pool->address ||
            (work->begun_by && work->begun_by != worker->id)) {
            continue;
        }
        /* One that it has begun already is old if there is a newer one. */
        if (!best || (best->begun_by && !work->begun_by) ||
            (!best->begun_by == !work->begun_by &&
             work->number < best->number)) {
            best = work;
        }
    }
    return best;
}

/* Return: false: it serves none. */
static bool begin(struct ct_qemu_event *event, struct worker *worker,
                  const struct ct_value *held, uint64_t stack)
{
    struct ct_qemu_work *work = served(event, worker, held);
    struct ct_step *step;

    if (!work) {
        return false;
    }
    work->begun_by = worker->id;
    worker->work = work->id;
    set_idle(worker, false);
    step = ct_qemu_step(event, CT_STEP_WORK_BEGIN);
    step->subject = work->id;
    step->object = worker->id;
    step->context = worker->pool->address;
    step->stack = stack;
    return true;
}

static bool call(struct ct_qemu_event *event, struct worker *worker)
{
    const struct ct_record *record = event->record;
    const char *path = ct_files_find(event->files, record->pid,
                                     (uint64_t)I(NATIVE_IO_BEGIN_FD));
    struct ct_step *step;

    if (worker->work) { /* it is at it: only its stack is new */
        step = ct_qemu_step(event, CT_STEP_THREAD_STACK);
        step->stack = U(NATIVE_IO_BEGIN_STACK);
    } else if (!begin(event, worker,
                      &record->values[CT_FLD_NATIVE_IO_BEGIN_HELD],
                      U(NATIVE_IO_BEGIN_STACK))) {
        return false;
    }
    if (path) {
        step = ct_qemu_step(event, CT_STEP_WORK_FILE);
        step->subject = worker->work;
        step->name = path;
    }
    return true;
}

static void end(struct ct_qemu_event *event, struct worker *worker, int64_t ret)
{
    struct ct_step *step;

    if (worker->work) {
        step = ct_qemu_step(event, CT_STEP_WORK_END);
        step->subject = worker->work;
        step->context = worker->pool->address;
        step->ret = ret < 0 ? (int32_t)ret : 0;
        worker->work = 0;
    }
}

/* It completes: by now its worker is done with it. */
void ct_qemu_workers_completed(struct ct_qemu_event *event,
                               const struct ct_qemu_work *work, int64_t ret)
{
    struct ct_qemu_workers *workers = event->process->workers;
    GHashTableIter iterator;
    gpointer worker;

    if (!workers || !work->begun_by) {
        return;
    }
    g_hash_table_iter_init(&iterator, workers->all);
    while (g_hash_table_iter_next(&iterator, NULL, &worker)) {
        if (((struct worker *)worker)->work == work->id) {
            end(event, worker, ret);
            event->steps[event->n - 1].certainty = CT_BOUND;
            return;
        }
    }
}

bool ct_qemu_workers_see(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct worker *worker = g_hash_table_lookup(event->process->workers->all,
                                                GINT_TO_POINTER(record->tid));

    switch (record->event) {
    case CT_EV_NATIVE_THREAD:
        about_to_create(event);
        return true;
    case CT_EV_THREAD_CREATE:
        return create(event);
    case CT_EV_THREAD_START:
        return start(event);
    case CT_EV_THREAD_EXIT:
        return leave(event, worker);
    case CT_EV_NATIVE_IO_BEGIN:
        return worker && call(event, worker);
    case CT_EV_NATIVE_IO_END:
        if (worker) {
            end(event, worker, I(NATIVE_IO_END_RET));
        }
        return worker != NULL;
    case CT_EV_NATIVE_SECTION_BEGIN:
        if (worker) {
            (void)begin(event, worker,
                        &record->values[CT_FLD_NATIVE_SECTION_BEGIN_HELD], 0);
        }
        return true;
    case CT_EV_NATIVE_SECTION_END:
        if (worker) {
            end(event, worker, 0);
        }
        return true;
    case CT_EV_NATIVE_WAKE:
        if (worker) {
            end(event, worker, 0);
        }
        ct_qemu_step(event, CT_STEP_FD_WAKE)->value =
            (uint64_t)I(NATIVE_WAKE_FD);
        return true;
    case CT_EV_NATIVE_WAIT_BEGIN:
        if (worker && U(NATIVE_WAIT_BEGIN_KIND) == CT_NATIVE_WAIT_CONDITION) {
            set_idle(worker, true);
        }
        return false;
    case CT_EV_NATIVE_WAIT_END:
        if (worker) {
            set_idle(worker, false);
        }
        return false;
    default:
        return false;
    }
}
