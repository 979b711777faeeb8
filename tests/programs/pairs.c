/* SPDX-License-Identifier: MIT */
/*
 * pairs.c - one program twice: as it was, and with one change
 *
 * Usage: pairs CHANGE (was|is)
 *
 * Requests come in rounds; a round begins when the one before it has ended.
 * CHANGE says what the rounds are made of, and `is` makes the one change, in
 * round CHANGED unless it concerns all of them.
 *
 * What takes long takes it on the wall's clock, or, where the trace's clock is
 * a file (COTRACE_CPU_CLOCK, see cpu-clock.c), moves that one on and takes no
 * time at all: then nothing that the machine does besides is in any time. Items
 * of the pool that run at once then take their time together, after the loop
 * has seen the end of all that ended before.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ct/aio.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pool.h"
#include "ct/sync.h"

#define ROUNDS    6
#define CHANGED   3
#define DEVICE_NS INT64_C(4000000)
#define SLOW_NS   INT64_C(8000000)

enum { BLOCK = 4096 };

static AioContext *ctx;
static ThreadPool *pool;
static CoMutex mutex;
static CoQueue queue_of[ROUNDS];
static bool is_changed;    /* that is what `is` asked for */
static unsigned in_flight; /* home thread */

struct request {
    uint64_t offset;
    unsigned round;
    uint64_t id;
};

static uint64_t begin(struct request *request)
{
    request->id = ct_id_new();
    ct_emit_request_begin(request->id, 0, coroutine_id(coroutine_self()),
                          "test", "read", "disk", request->offset, BLOCK, 0);
    return request->id;
}

static void end(struct request *request)
{
    ct_emit_request_end(request->id, 0);
    free(request);
    in_flight--;
}

static bool is_changed_in(unsigned round)
{
    return is_changed && round == CHANGED;
}

static void start(CoroutineEntry *entry, unsigned round, uint64_t block)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request) {
        abort();
    }
    request->offset = block * BLOCK;
    request->round = round;
    in_flight++;
    coroutine_enter(coroutine_create(entry, request));
}

static void wait_for_all(void)
{
    while (in_flight > 0) {
        aio_poll(ctx, true);
    }
}

/* --- what takes time ------------------------------------------------------ */

static _Atomic uint64_t *trace_ns; /* the trace's clock; NULL: the wall's */

static void find_clock(void)
{
    const char *path = getenv("COTRACE_CPU_CLOCK");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = MAP_FAILED;

    if (!path) {
        return;
    }
    if (fd >= 0) {
        page = mmap(NULL, sizeof(*trace_ns), PROT_READ | PROT_WRITE, MAP_SHARED,
                    fd, 0);
        close(fd);
    }
    if (page == MAP_FAILED) {
        abort();
    }
    trace_ns = page;
}

/* Items of the pool; all of it under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned at_once;  /* they run in groups of so many */
    unsigned inside;   /* of a group that is not whole yet */
    unsigned groups;   /* that are done */
    unsigned returned; /* items */
    unsigned resumed;  /* coroutines that went on after theirs */
} items = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .cond = PTHREAD_COND_INITIALIZER,
           .at_once = 1};

static void take_together(void)
{
    pthread_mutex_lock(&items.lock);
    unsigned group = items.groups;
    items.inside++;
    if (items.inside == items.at_once) {
        while (items.resumed < items.returned) {
            pthread_cond_wait(&items.cond, &items.lock);
        }
        atomic_fetch_add(trace_ns, DEVICE_NS);
        items.inside = 0;
        items.groups++;
        items.returned += items.at_once;
        pthread_cond_broadcast(&items.cond);
    }
    while (group == items.groups) {
        pthread_cond_wait(&items.cond, &items.lock);
    }
    pthread_mutex_unlock(&items.lock);
}

static void has_resumed(void)
{
    pthread_mutex_lock(&items.lock);
    items.resumed++;
    pthread_cond_broadcast(&items.cond);
    pthread_mutex_unlock(&items.lock);
}

/* A device that takes its time and no processor. */
static int device(void *opaque)
{
    struct timespec time = {.tv_nsec = DEVICE_NS};

    if (trace_ns) {
        take_together();
    } else {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    }
    return 0;
}

static void spin(int64_t ns)
{
    int64_t end_ns = aio_context_now_ns(ctx) + ns;

    if (trace_ns) {
        atomic_fetch_add(trace_ns, (uint64_t)ns);
        return;
    }
    while (aio_context_now_ns(ctx) < end_ns) {
    }
}

/* --- requests ------------------------------------------------------------- */

static int nothing(void *opaque)
{
    return 0;
}

static void coroutine_fn reads(void *opaque)
{
    begin(opaque);
    (void)thread_pool_submit_co(pool, device, NULL);
    has_resumed();
    end(opaque);
}

/* --- lock: the second of a round comes first to it ---------------------- */

static void coroutine_fn locks(void *opaque)
{
    struct request *request = opaque;

    begin(request);
    co_mutex_lock(&mutex);
    (void)thread_pool_submit_co(pool, nothing, NULL);
    co_mutex_unlock(&mutex);
    end(request);
}

/* --- overtake: a device with a queue of its own, which is a stack -------- */

struct item {
    struct item *next;
    uint64_t id;
    Coroutine *co;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct item *first;
    bool has_ended;
    uint64_t id;
} lane = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void lane_completes(void *opaque)
{
    struct item *item = opaque;
    Coroutine *co = item->co;

    ct_emit_thread_pool_complete(lane.id, item->id, 0);
    free(item);
    aio_co_wake(co);
}

static void *lane_thread(void *opaque)
{
    uint64_t worker = ct_id_new();

    ct_emit_worker_start(lane.id, worker);
    pthread_mutex_lock(&lane.lock);
    for (;;) {
        while (!lane.first && !lane.has_ended) {
            pthread_cond_wait(&lane.cond, &lane.lock);
        }
        struct item *item = lane.first;
        if (!item) {
            break;
        }
        lane.first = item->next;
        pthread_mutex_unlock(&lane.lock);
        ct_emit_work_begin(lane.id, item->id, (uintptr_t)device, worker);
        (void)device(NULL);
        ct_emit_work_end(lane.id, item->id, 0);
        aio_bh_schedule_oneshot(ctx, lane_completes, item);
        pthread_mutex_lock(&lane.lock);
    }
    pthread_mutex_unlock(&lane.lock);
    return NULL;
}

/* lane.lock is held: a round is queued as a whole */
static void coroutine_fn queues_up(void *opaque)
{
    struct request *request = opaque;
    struct item *item = calloc(1, sizeof(*item));
    struct item **at = &lane.first;

    if (!item) {
        abort();
    }
    begin(request);
    item->id = ct_id_new();
    item->co = coroutine_self();
    ct_emit_thread_pool_submit(lane.id, item->id, (uintptr_t)device,
                               coroutine_id(item->co));
    while (*at && !is_changed_in(request->round)) {
        at = &(*at)->next;
    }
    item->next = *at;
    *at = item;
    coroutine_yield_for(CT_YIELD_REASON_WORK, item->id);
    end(request);
}

static void run_lane(void)
{
    pthread_t thread;

    lane.id = ct_id_new();
    if (pthread_create(&thread, NULL, lane_thread, NULL) != 0) {
        abort();
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&lane.lock);
        for (unsigned i = 0; i < 3; i++) {
            start(queues_up, round, 3 * round + i);
        }
        pthread_cond_signal(&lane.cond);
        pthread_mutex_unlock(&lane.lock);
        wait_for_all();
    }
    pthread_mutex_lock(&lane.lock);
    lane.has_ended = true;
    pthread_cond_signal(&lane.cond);
    pthread_mutex_unlock(&lane.lock);
    (void)pthread_join(thread, NULL);
}

/* --- slow: a callback that each request waits for ------------------------- */

static __attribute__((noinline)) void refresh(void *opaque)
{
    if (is_changed) {
        spin(SLOW_NS);
    }
    co_queue_next(opaque);
}

static void coroutine_fn refreshes(void *opaque)
{
    struct request *request = opaque;
    CoQueue *queue = &queue_of[request->round];

    begin(request);
    aio_bh_schedule_oneshot(ctx, refresh, queue);
    co_queue_wait(queue, NULL);
    (void)thread_pool_submit_co(pool, device, NULL);
    has_resumed();
    end(request);
}

/* --- wakeup: one that waits is not woken -------------------------------- */

static void coroutine_fn waits(void *opaque)
{
    struct request *request = opaque;

    begin(request);
    co_queue_wait(&queue_of[request->round], NULL);
    end(request);
}

static void coroutine_fn wakes(void *opaque)
{
    struct request *request = opaque;

    begin(request);
    (void)thread_pool_submit_co(pool, nothing, NULL);
    if (is_changed_in(request->round)) {
        in_flight--; /* of the one that waits for ever */
    } else {
        co_queue_next(&queue_of[request->round]);
    }
    end(request);
}

/* --- the program -------------------------------------------------------- */

static void run_round(const char *change, unsigned round)
{
    if (!strcmp(change, "lock")) {
        unsigned first = is_changed_in(round);
        start(locks, round, 2 * round + first);
        start(locks, round, 2 * round + !first);
    } else if (!strcmp(change, "workers")) {
        for (unsigned i = 0; i < 8; i++) {
            start(reads, round, 8 * round + i);
        }
    } else if (!strcmp(change, "slow")) {
        for (unsigned i = 0; i < 4; i++) {
            start(refreshes, round, 4 * round + i);
            wait_for_all();
        }
    } else if (!strcmp(change, "wakeup")) {
        start(waits, round, 2 * round);
        start(wakes, round, 2 * round + 1);
    } else {
        start(reads, round, round);
        if (is_changed_in(round)) {
            start(reads, round, 1000);
        }
    }
    wait_for_all();
}

int main(int argc, char **argv)
{
    static const char *const changes[] = {"lock", "workers", "overtake",
                                          "slow", "wakeup",  "extra"};
    bool is_known = false;

    for (unsigned i = 0; argc == 3 && i < sizeof(changes) / sizeof(*changes);
         i++) {
        is_known |= !strcmp(argv[1], changes[i]);
    }
    if (!is_known || (strcmp(argv[2], "was") && strcmp(argv[2], "is"))) {
        fprintf(stderr, "usage: pairs "
                        "(lock|workers|overtake|slow|wakeup|extra) (was|is)\n");
        return 2;
    }
    is_changed = !strcmp(argv[2], "is");
    find_clock();
    ctx = aio_context_new("main", NULL);
    aio_context_set_current(ctx);
    pool = thread_pool_new(ctx);
    co_mutex_init(&mutex);
    for (unsigned round = 0; round < ROUNDS; round++) {
        co_queue_init(&queue_of[round]);
    }
    if (!strcmp(argv[1], "workers")) {
        int limit = is_changed ? 1 : 4;
        thread_pool_set_limits(pool, limit, limit);
        items.at_once = (unsigned)limit;
    }
    if (!strcmp(argv[1], "overtake")) {
        run_lane();
    } else {
        for (unsigned round = 0; round < ROUNDS; round++) {
            run_round(argv[1], round);
        }
    }
    thread_pool_free(pool);
    if (!co_queue_empty(&queue_of[CHANGED])) {
        _Exit(0); /* its coroutine is still there */
    }
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return 0;
}
