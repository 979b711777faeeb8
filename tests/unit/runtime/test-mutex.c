/* SPDX-License-Identifier: MIT */
/*
 * test-mutex.c - CoMutex: exclusion, order, handing over between threads
 */
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "ct/sync.h"
#include "loops.h"

struct user {
    CoMutex *mutex;
    int nth;
    Coroutine *co;
};

static void user_init(struct user *user, CoMutex *mutex, int nth,
                      CoroutineEntry *entry)
{
    *user = (struct user){.mutex = mutex, .nth = nth};
    user->co = coroutine_create(entry, user);
}

/* Yields with the mutex held: others come in between. */
static void coroutine_fn hold_and_yield(void *opaque)
{
    struct user *user = opaque;

    co_mutex_lock(user->mutex);
    log_add("(%d", user->nth);
    coroutine_yield();
    log_add("%d)", user->nth);
    co_mutex_unlock(user->mutex);
}

static void test_order(struct loop *loop)
{
    struct user users[4];
    CoMutex mutex;

    co_mutex_init(&mutex);
    g_assert_false(co_mutex_is_locked(&mutex));
    for (int i = 0; i < 4; i++) {
        user_init(&users[i], &mutex, i, hold_and_yield);
        aio_co_enter(loop->ctx, users[i].co);
        g_assert_true(co_mutex_is_locked(&mutex));
    }
    log_expect("(0");
    for (int i = 0; i < 4; i++) {
        aio_co_wake(users[i].co);
    }
    log_expect("(0 0) (1 1) (2 2) (3 3)");
    g_assert_false(co_mutex_is_locked(&mutex));
    co_mutex_fini(&mutex);
}

static void coroutine_fn lock_again(void *opaque)
{
    struct user *user = opaque;

    for (int i = 0; i < 3; i++) {
        co_mutex_lock(user->mutex);
        log_add("%d", user->nth);
        aio_co_schedule(aio_context_current(), coroutine_self());
        coroutine_yield();
        co_mutex_unlock(user->mutex);
    }
}

/* Whoever unlocks and locks again at once stands behind those who waited. */
static void test_fair(struct loop *loop)
{
    struct user users[3];
    CoMutex mutex;

    co_mutex_init(&mutex);
    for (int i = 0; i < 3; i++) {
        user_init(&users[i], &mutex, i, lock_again);
        aio_co_enter(loop->ctx, users[i].co);
    }
    loop_until(loop, !co_mutex_is_locked(&mutex));
    log_expect("0 1 2 0 1 2 0 1 2");
    co_mutex_fini(&mutex);
}

static void coroutine_fn uncontended(void *opaque)
{
    CoMutex *mutexes = opaque;

    for (int i = 0; i < 1000; i++) {
        co_mutex_lock(&mutexes[0]);
        co_mutex_lock(&mutexes[1]);
        co_mutex_unlock(&mutexes[0]);
        co_mutex_unlock(&mutexes[1]);
    }
    log_add("done");
}

static void test_uncontended(struct loop *loop)
{
    CoMutex mutexes[2];

    co_mutex_init(&mutexes[0]);
    co_mutex_init(&mutexes[1]);
    aio_co_enter(loop->ctx, coroutine_create(uncontended, mutexes));
    log_expect("done");
    co_mutex_fini(&mutexes[0]);
    co_mutex_fini(&mutexes[1]);
}

#define THREADS    4
#define PER_THREAD 4

struct shared {
    CoMutex mutex;
    AioContext *places[THREADS];
    int turns_each;
    unsigned counter;  /* protected by the mutex */
    unsigned inside;   /* likewise: how many are in */
    unsigned finished; /* atomic */
};

struct racer {
    struct shared *shared;
    guint32 random;
    bool moves;
};

static guint32 racer_random(struct racer *racer)
{
    racer->random = racer->random * 1664525u + 1013904223u;
    return racer->random >> 16;
}

static void coroutine_fn race(void *opaque)
{
    struct racer *racer = opaque;
    struct shared *shared = racer->shared;

    for (int i = 0; i < shared->turns_each; i++) {
        co_mutex_lock(&shared->mutex);
        g_assert_cmpuint(shared->inside++, ==, 0);
        shared->counter++;
        if (racer_random(racer) % 8 == 0) {
            /* Held over a turn of the loop. */
            aio_co_schedule(aio_context_current(), coroutine_self());
            coroutine_yield();
        }
        if (racer->moves && racer_random(racer) % 8 == 0) {
            /* Unlocked elsewhere than it was locked. */
            aio_co_reschedule_self(
                shared->places[racer_random(racer) % THREADS]);
        }
        g_assert_cmpuint(--shared->inside, ==, 0);
        co_mutex_unlock(&shared->mutex);
    }
    (void)ct_fetch_add(&shared->finished, 1);
    aio_wait_kick();
}

static void race_on_threads(int per_thread, int turns_each, bool moves)
{
    struct shared shared = {.turns_each = turns_each};
    struct racer racers[THREADS * PER_THREAD];
    IOThread *iothreads[THREADS];
    guint32 seed = g_random_int();
    unsigned count = THREADS * (unsigned)per_thread;

    g_test_message("seed %u", seed);
    co_mutex_init(&shared.mutex);
    for (int i = 0; i < THREADS; i++) {
        iothreads[i] = iothread_new("racers", NULL);
        shared.places[i] = iothread_get_aio_context(iothreads[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        racers[i] = (struct racer){&shared, seed + i * 7919, moves};
        aio_co_enter(shared.places[i % THREADS],
                     coroutine_create(race, &racers[i]));
    }
    AIO_WAIT_WHILE(NULL, ct_load_seq(&shared.finished) < count);
    /* The last unlock may not have returned yet: its thread has. */
    for (int i = 0; i < THREADS; i++) {
        iothread_free(iothreads[i]);
    }
    g_assert_cmpuint(shared.counter, ==, count * (unsigned)turns_each);
    g_assert_false(co_mutex_is_locked(&shared.mutex));
    co_mutex_fini(&shared.mutex);
}

/*
 * One coroutine a thread: lockers meet unlockers half way, so the right to
 * wake is handed over (in a few of a thousand turns).
 */
static void test_hand_over(struct loop *loop)
{
    race_on_threads(1, 1500, false);
}

static void test_threads(struct loop *loop)
{
    race_on_threads(PER_THREAD, 300, false);
}

static void test_moving(struct loop *loop)
{
    race_on_threads(PER_THREAD, 300, true);
}

/* --- misuse -------------------------------------------------------------- */

static void coroutine_fn lock_only(void *opaque)
{
    co_mutex_lock(opaque);
    coroutine_yield();
}

static void coroutine_fn unlock_only(void *opaque)
{
    co_mutex_unlock(opaque);
}

static void coroutine_fn lock_twice(void *opaque)
{
    co_mutex_lock(opaque);
    co_mutex_lock(opaque);
}

static void coroutine_fn lock_and_end(void *opaque)
{
    co_mutex_lock(opaque);
}

static CoMutex misused;

static void unlock_foreign(void)
{
    coroutine_enter(coroutine_create(lock_only, &misused));
    coroutine_enter(coroutine_create(unlock_only, &misused));
}

static void lock_recursive(void)
{
    coroutine_enter(coroutine_create(lock_twice, &misused));
}

static void end_with_lock(void)
{
    coroutine_enter(coroutine_create(lock_and_end, &misused));
}

static void fini_locked(void)
{
    coroutine_enter(coroutine_create(lock_only, &misused));
    co_mutex_fini(&misused);
}

static void lock_outside(void)
{
    co_mutex_lock(&misused);
}

struct misuse {
    const char *path;
    void (*run)(void);
    const char *message;
};

static const struct misuse misuses[] = {
    {"/mutex/misuse/foreign", unlock_foreign, "*co-mutex-unlock/holder*"},
    {"/mutex/misuse/recursive", lock_recursive, "*co-mutex-lock/recursive*"},
    {"/mutex/misuse/end", end_with_lock, "*coroutine-terminate/no-locks-held*"},
    {"/mutex/misuse/fini", fini_locked, "*co-mutex-fini/locked*"},
    {"/mutex/misuse/outside", lock_outside, "*co-mutex-lock/in-coroutine*"},
};

static void test_misuse(gconstpointer data)
{
    const struct misuse *misuse = data;

    if (g_test_subprocess()) {
        co_mutex_init(&misused);
        misuse->run();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr(misuse->message);
}

static bool is_over; /* atomic */

static void *makes_and_ends(void *opaque)
{
    CoMutex mutex;

    while (!ct_load(&is_over)) {
        co_mutex_init(&mutex);
        co_mutex_fini(&mutex);
    }
    return NULL;
}

/* Which often happens while another thread makes or ends a mutex. */
static void test_fork(void)
{
    CoMutex mutex;
    pthread_t thread;

    /* ThreadSanitizer's pthread_once(), unlike glibc's, waits for ever in a
     * child of which the parent was within it. */
    co_mutex_init(&mutex);
    co_mutex_fini(&mutex);
    g_assert_cmpint(pthread_create(&thread, NULL, makes_and_ends, NULL), ==, 0);
    for (int i = 0; i < 100; i++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            (void)alarm(20);
            co_mutex_init(&mutex);
            co_mutex_fini(&mutex);
            _exit(0);
        }
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_cmpint(status, ==, 0);
    }
    ct_store(&is_over, true);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/mutex/order", test_order);
    loops_add("/mutex/fair", test_fair);
    loops_add("/mutex/uncontended", test_uncontended);
    loops_add("/mutex/hand-over", test_hand_over);
    loops_add("/mutex/threads", test_threads);
    loops_add("/mutex/moving", test_moving);
    g_test_add_func("/mutex/fork", test_fork);
    for (size_t i = 0; i < G_N_ELEMENTS(misuses); i++) {
        g_test_add_data_func(misuses[i].path, &misuses[i], test_misuse);
    }
    return g_test_run();
}
