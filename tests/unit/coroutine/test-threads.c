/* SPDX-License-Identifier: MIT */
/*
 * Coroutines that go on in another thread than the one where they stopped.
 *
 * A relay: each thread enters the coroutine once, in turn, and hands it on by a
 * semaphore, which is what orders the next enter behind the switch away.
 * ThreadSanitizer checks that nothing else is shared; the values that the
 * coroutine sees check that no address of a thread-local outlives a yield.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

#include "ct/coroutine.h"
#include "coroutine/coroutine_int.h"
#include "coroutine/pool.h"
#include "lib/tap.h"

#define THREADS 4
#define ROUNDS  200

static __thread int thread_number;

/* Out of line: the address of the thread-local stays inside. */
static __attribute__((noinline)) int which_thread(void)
{
    return thread_number;
}

struct relay {
    Coroutine *co;
    sem_t turns[THREADS]; /* posted when it is this thread's turn */
    int contexts[THREADS];
    int seen[ROUNDS * THREADS]; /* by the coroutine */
    int n_seen;
    int wrong;
};

static void coroutine_fn runs_around(void *opaque)
{
    struct relay *relay = opaque;
    Coroutine *self = coroutine_self();

    while (relay->n_seen < ROUNDS * THREADS) {
        int thread = which_thread();

        relay->wrong += coroutine_self() != self;
        relay->wrong += self->ctx != &relay->contexts[thread];
        relay->seen[relay->n_seen++] = thread;
        coroutine_yield();
    }
}

struct runner {
    struct relay *relay;
    int number;
    int wrong;
};

static void *runs(void *opaque)
{
    struct runner *runner = opaque;
    struct relay *relay = runner->relay;
    int number = runner->number;

    thread_number = number;
    coroutine_thread_context(&relay->contexts[number], (uint64_t)number + 1);
    for (int i = 0; i < ROUNDS; i++) {
        sem_wait(&relay->turns[number]);
        runner->wrong += in_coroutine();
        coroutine_enter(relay->co);
        runner->wrong += in_coroutine();
        sem_post(&relay->turns[(number + 1) % THREADS]);
    }
    return NULL;
}

static void test_relay(void)
{
    static struct relay relay;
    struct runner runners[THREADS];
    pthread_t threads[THREADS];

    relay.co = coroutine_create(runs_around, &relay);
    for (int i = 0; i < THREADS; i++) {
        sem_init(&relay.turns[i], 0, i == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){.relay = &relay, .number = i};
        pthread_create(&threads[i], NULL, runs, &runners[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        tap_equal(runners[i].wrong, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        sem_destroy(&relay.turns[i]);
    }
    tap_equal(relay.wrong, 0);
    tap_equal(relay.n_seen, ROUNDS * THREADS);
    for (int i = 0; i < relay.n_seen; i++) {
        tap_equal(relay.seen[i], i % THREADS);
    }
    coroutine_enter(relay.co); /* ends, here */
}

/* --- a pipe of coroutines: created in one thread, ended in another -------- */

#define PIPE_ROUNDS 40
#define PIPE_BATCH  200

struct pipe {
    Coroutine *batch[PIPE_BATCH];
    sem_t full, empty;
    int ended;
};

static void coroutine_fn counts_end(void *opaque)
{
    coroutine_yield();
    (*(int *)opaque)++;
}

static void *ends_them(void *opaque)
{
    struct pipe *pipe = opaque;

    for (int i = 0; i < PIPE_ROUNDS; i++) {
        sem_wait(&pipe->full);
        for (int j = 0; j < PIPE_BATCH; j++) {
            coroutine_enter(pipe->batch[j]);
        }
        sem_post(&pipe->empty);
    }
    return NULL;
}

static void count_stacks(Coroutine *co, void *opaque)
{
    *(int *)opaque += co->stack.base != NULL;
}

/* Stacks come back to the thread that needs them, and threads leave none. */
static void test_pool_between_threads(void)
{
    static struct pipe pipe;
    pthread_t thread;
    int stacks = 0;

    sem_init(&pipe.full, 0, 0);
    sem_init(&pipe.empty, 0, 1);
    pthread_create(&thread, NULL, ends_them, &pipe);
    for (int i = 0; i < PIPE_ROUNDS; i++) {
        sem_wait(&pipe.empty);
        for (int j = 0; j < PIPE_BATCH; j++) {
            pipe.batch[j] = coroutine_create(counts_end, &pipe.ended);
            coroutine_enter(pipe.batch[j]);
        }
        sem_post(&pipe.full);
    }
    pthread_join(thread, NULL);
    tap_equal(pipe.ended, PIPE_ROUNDS * PIPE_BATCH);
    coroutine_pool_for_each(count_stacks, &stacks);
    tap_check(stacks <= PIPE_BATCH + 4 * COROUTINE_POOL_BATCH);
    sem_destroy(&pipe.full);
    sem_destroy(&pipe.empty);
}

/* --- each thread on its own ---------------------------------------------- */

static void coroutine_fn adds(void *opaque)
{
    for (int i = 0; i < 3; i++) {
        (*(int *)opaque)++;
        coroutine_yield();
    }
}

static void *works_alone(void *opaque)
{
    int *sum = opaque;

    for (int i = 0; i < 300; i++) {
        Coroutine *co = coroutine_create(adds, sum);

        for (int j = 0; j < 4; j++) {
            coroutine_enter(co);
        }
    }
    return NULL;
}

static void test_threads_on_their_own(void)
{
    pthread_t threads[THREADS];
    int sums[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, works_alone, &sums[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        tap_equal(sums[i], 900);
    }
}

int main(void)
{
    tap_run("/coroutine/relay", test_relay);
    tap_run("/coroutine/pool-between-threads", test_pool_between_threads);
    tap_run("/coroutine/threads-on-their-own", test_threads_on_their_own);
    return tap_end();
}
