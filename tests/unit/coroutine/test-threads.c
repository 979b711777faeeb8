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
#include "ct/emit.h"
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

/* --- told while they run -------------------------------------------------- */

/*
 * Each yields for work, objects 1000 and up, and for a lock, objects 2000 and
 * up, in turn: whatever is told of it must fit together.
 */
#define MOVERS    8
#define MOVES     4000
#define WORK_BASE 1000
#define LOCK_BASE 2000

static void coroutine_fn moves(void *opaque)
{
    uint64_t number = *(uint64_t *)opaque;

    for (int i = 0; i < MOVES; i++) {
        coroutine_yield_for(CT_YIELD_REASON_WORK, WORK_BASE + number);
        coroutine_yield_for(CT_YIELD_REASON_LOCK, LOCK_BASE + number);
    }
}

static bool movers_done; /* atomic */

static void *runs_movers(void *opaque)
{
    uint64_t numbers[MOVERS];
    Coroutine *movers[MOVERS];

    for (int i = 0; i < MOVERS; i++) {
        numbers[i] = (uint64_t)i;
        movers[i] = coroutine_create(moves, &numbers[i]);
    }
    for (int i = 0; i < 2 * MOVES + 1; i++) {
        for (int j = 0; j < MOVERS; j++) {
            coroutine_enter(movers[j]);
        }
    }
    __atomic_store_n(&movers_done, true, __ATOMIC_RELEASE);
    return NULL;
}

static int told_movers; /* the telling thread only */

static void check_told(const struct fake_event *event)
{
    uint64_t state = event->fields[3], reason = event->fields[4],
             object = event->fields[5];

    if (event->event != CT_EV_STATE_COROUTINE) {
        return; /* the movers' own */
    }
    told_movers++;
    tap_check(event->fields[1] != 0);
    switch (state) {
    case CT_CO_STATE_CREATED:
    case CT_CO_STATE_RUNNING:
        tap_equal(reason, CT_YIELD_REASON_OTHER);
        tap_equal(object, 0);
        break;
    case CT_CO_STATE_YIELDED:
        tap_equal(object / WORK_BASE, reason == CT_YIELD_REASON_WORK   ? 1
                                      : reason == CT_YIELD_REASON_LOCK ? 2
                                                                       : 0);
        break;
    default:
        tap_check(false);
    }
}

static void test_told_while_they_run(void)
{
    pthread_t thread;
    uint64_t telling = 1;

    fake_emit = check_told;
    pthread_create(&thread, NULL, runs_movers, NULL);
    while (!__atomic_load_n(&movers_done, __ATOMIC_ACQUIRE)) {
        fake_teller->tell(telling++);
    }
    pthread_join(thread, NULL);
    fake_emit = NULL;
    tap_check(telling > 1);
}

int main(void)
{
    tap_run("/coroutine/relay", test_relay);
    tap_run("/coroutine/pool-between-threads", test_pool_between_threads);
    tap_run("/coroutine/threads-on-their-own", test_threads_on_their_own);
    tap_run("/coroutine/told-while-they-run", test_told_while_they_run);
    return tap_end();
}
