/* SPDX-License-Identifier: MIT */
/*
 * A pool in QEMU's style, on a GMainContext or (PEER_EPOLL) on a bare epoll:
 * a list of requests under a mutex, a condition that a worker waits on, and a
 * bottom half, scheduled by an atomic flag and an eventfd, that walks all
 * requests and completes those that are done.
 */
#include <glib-unix.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../bench.h"

enum state { QUEUED, ACTIVE, DONE };

struct request {
    _Atomic int state;
    struct request *next_queued; /* under the lock */
    struct request *next, *prev; /* all in flight; the loop's thread */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct request *first, **last; /* queued */
    int stopping;
    pthread_t worker;
    struct request head; /* ring of all in flight */
    atomic_int scheduled;
    int event;
    uint64_t to_submit, to_complete;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .wanted = PTHREAD_COND_INITIALIZER};

static void schedule(void)
{
    if (!atomic_exchange(&pool.scheduled, 1)) {
        uint64_t one = 1;
        if (write(pool.event, &one, sizeof(one)) != sizeof(one)) {
            abort();
        }
    }
}

static void *work(void *opaque)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.stopping) {
        struct request *request = pool.first;

        if (!request) {
            pthread_cond_wait(&pool.wanted, &pool.lock);
            continue;
        }
        pool.first = request->next_queued;
        if (!pool.first) {
            pool.last = &pool.first;
        }
        atomic_store_explicit(&request->state, ACTIVE, memory_order_relaxed);
        pthread_mutex_unlock(&pool.lock);
        /* the work: nothing */
        atomic_store_explicit(&request->state, DONE, memory_order_release);
        schedule();
        pthread_mutex_lock(&pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static void submit(void)
{
    struct request *request = calloc(1, sizeof(*request));

    request->next = pool.head.next;
    request->prev = &pool.head;
    request->next->prev = request;
    pool.head.next = request;
    pthread_mutex_lock(&pool.lock);
    *pool.last = request;
    pool.last = &request->next_queued;
    pthread_mutex_unlock(&pool.lock);
    pthread_cond_signal(&pool.wanted);
}

static void bottom_half(void)
{
    uint64_t count;

    if (read(pool.event, &count, sizeof(count)) != sizeof(count)) {
        abort();
    }
    atomic_store(&pool.scheduled, 0);
    for (struct request *request = pool.head.next, *next; request != &pool.head;
         request = next) {
        next = request->next;
        if (atomic_load_explicit(&request->state, memory_order_acquire) !=
            DONE) {
            continue;
        }
        request->prev->next = request->next;
        request->next->prev = request->prev;
        free(request);
        pool.to_complete--;
        if (pool.to_submit > 0) {
            pool.to_submit--;
            submit();
        }
    }
}

#ifdef PEER_EPOLL
static int epoll;

static void loop_begin(void)
{
    struct epoll_event interest = {.events = EPOLLIN};

    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, pool.event, &interest) < 0) {
        abort();
    }
}

static void loop_turn(void)
{
    struct epoll_event event;

    if (epoll_wait(epoll, &event, 1, -1) == 1) {
        bottom_half();
    }
}
#else
static GMainContext *context;

static gboolean ready(gint fd, GIOCondition condition, gpointer opaque)
{
    bottom_half();
    return G_SOURCE_CONTINUE;
}

static void loop_begin(void)
{
    GSource *source = g_unix_fd_source_new(pool.event, G_IO_IN);

    context = g_main_context_new();
    g_main_context_acquire(context);
    g_source_set_callback(source, G_SOURCE_FUNC(ready), NULL, NULL);
    g_source_attach(source, context);
    g_source_unref(source);
}

static void loop_turn(void)
{
    g_main_context_iteration(context, TRUE);
}
#endif

static void run_depth(uint64_t count, uint64_t depth)
{
    uint64_t first = depth < count ? depth : count;

    pool.to_complete = count;
    pool.to_submit = count - first;
    for (uint64_t i = 0; i < first; i++) {
        submit();
    }
    while (pool.to_complete > 0) {
        loop_turn();
    }
}

static void run_pool(uint64_t count, uint64_t depth)
{
    pool.last = &pool.first;
    pool.head.next = pool.head.prev = &pool.head;
    pool.event = eventfd(0, EFD_CLOEXEC);
    loop_begin();
    if (pthread_create(&pool.worker, NULL, work, NULL)) {
        abort();
    }
    run_depth(depth, depth);
    bench_start();
    run_depth(count, depth);
    bench_stop();
    pthread_mutex_lock(&pool.lock);
    pool.stopping = 1;
    pthread_mutex_unlock(&pool.lock);
    pthread_cond_signal(&pool.wanted);
    pthread_join(pool.worker, NULL);
}

static void run_depth_1(uint64_t count)
{
    run_pool(count, 1);
}

static void run_depth_64(uint64_t count)
{
    run_pool(count, 64);
}

static const struct bench_row rows[] = {
    {"depth-1", run_depth_1},
    {"depth-64", run_depth_64},
};

BENCH_MAIN(rows)
