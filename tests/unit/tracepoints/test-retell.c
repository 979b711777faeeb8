/* SPDX-License-Identifier: MIT */
/*
 * test-retell.c - when the live state is told again; the clock is the test's
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct/retell.h"
#include "retell.h"

#include "ct/emit.h"
#include "told.h"

#include "lib/tap.h"

enum { SECOND = 1000000000 };

static const char first_recording, second_recording;

static void test_attach(void)
{
    struct ct_retell retell = {.period_ns = SECOND};
    enum ct_tell_reason reason;

    tap_check(!ct_retell_is_due(&retell, NULL, 0, &reason));
    tap_check(ct_retell_is_due(&retell, &first_recording, 1, &reason));
    tap_equal(reason, CT_TELL_REASON_START);
    tap_check(!ct_retell_is_due(&retell, &first_recording, 2, &reason));
    /* again soon, since LTTng may have dropped the first */
    tap_check(ct_retell_is_due(&retell, &first_recording,
                               1 + CT_RETELL_AGAIN_NS, &reason));
    tap_equal(reason, CT_TELL_REASON_PERIOD);
    /* a second recording joins */
    tap_check(ct_retell_is_due(&retell, &second_recording,
                               2 + CT_RETELL_AGAIN_NS, &reason));
    tap_equal(reason, CT_TELL_REASON_ATTACH);
    /* all leave, one comes back */
    tap_check(!ct_retell_is_due(&retell, NULL, SECOND, &reason));
    tap_check(ct_retell_is_due(&retell, &second_recording, SECOND, &reason));
    tap_equal(reason, CT_TELL_REASON_ATTACH);
    tap_equal(retell.tellings, 4);
}

static void test_period(void)
{
    struct ct_retell retell = {.period_ns = SECOND};
    enum ct_tell_reason reason;
    unsigned told = 0;

    for (uint64_t now_ns = 5; now_ns < 10ul * SECOND; now_ns += SECOND / 100) {
        told += (unsigned)ct_retell_is_due(&retell, &first_recording, now_ns,
                                           &reason);
    }
    /* at once, again, and then every second up to the tenth */
    tap_equal(told, 2 + 9);
}

static void test_no_period(void)
{
    struct ct_retell retell = {.period_ns = 0};
    enum ct_tell_reason reason;
    unsigned told = 0;

    for (uint64_t now_ns = 5; now_ns < 10ul * SECOND; now_ns += SECOND / 100) {
        told += (unsigned)ct_retell_is_due(&retell, &first_recording, now_ns,
                                           &reason);
    }
    tap_equal(told, 2);
}

static unsigned tellings;
static uint64_t last_telling;

/* In a child: a recording joins, or has been there from the start. */
static bool settles_at_once(bool at_start)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        fake_recording = at_start ? &first_recording : NULL;
        ct_retell_start();
        fake_recording = &first_recording;
        ct_retell_poll();
        _exit(ct_retell_settled != NULL);
    }
    tap_check(waitpid(child, &status, 0) == child);
    tap_check(WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
}

static void test_at_start(void)
{
    tap_check(!ct_retell_settled);
    tap_check(settles_at_once(true));
    tap_check(!settles_at_once(false));
}

static void count(uint64_t telling)
{
    last_telling = telling;
}

/* What is told to one that joins may be dropped; what comes after, not. */
static void test_joins(void)
{
    static struct ct_teller teller = {.tell = count};
    int status = 0;
    pid_t child;

    ct_retell_register(&teller);
    for (unsigned i = 0; i < 2; i++) {
        fake_recording = i ? &second_recording : &first_recording;
        ct_retell_poll();
        uint64_t first = last_telling;
        tap_check(!ct_retell_settled);
        while (last_telling == first) { /* for CT_RETELL_AGAIN_NS */
            ct_retell_poll();
        }
        tap_check(ct_retell_settled == fake_recording);
    }
    child = fork();
    if (child == 0) {
        _exit(ct_retell_settled != NULL);
    }
    tap_check(waitpid(child, &status, 0) == child);
    tap_equal(status, 0);
    fake_recording = NULL;
    ct_retell_poll();
    tap_check(!ct_retell_settled); /* its address may come back */
}

static void tell(uint64_t telling)
{
    tellings++;
    last_telling = telling;
    ct_retell_poll(); /* from inside: returns at once */
}

static void test_poll(void)
{
    static struct ct_teller one = {.tell = tell}, two = {.tell = tell};

    fake_recording = NULL;
    ct_retell_register(&one);
    ct_retell_register(&two);
    ct_retell_poll();
    tap_equal(tellings, 0);
    fake_recording = &first_recording;
    ct_retell_poll();
    tap_equal(tellings, 2);
    tap_equal(last_telling, 1);
    tap_equal(told_last_state(), CT_EV_STATE_END);
    fake_recording = &second_recording;
    ct_retell_poll();
    tap_equal(tellings, 4);
    tap_equal(last_telling, 2);
    fake_recording = NULL;
    ct_retell_poll();
    tap_equal(tellings, 4);
}

static bool forks; /* the next telling does */

/* In the child the thread that tells is gone: here it is the child's own. */
static void tell_and_fork(uint64_t telling)
{
    if (!forks) {
        return;
    }
    forks = false;
    unsigned before = tellings;
    pid_t child = fork();
    if (child == 0) {
        ct_retell_poll();
        /* all of it, once */
        int is_told = tellings == before + 2;
        ct_retell_poll();
        _exit(is_told && tellings == before + 2 ? 0 : 1);
    }
    int status;
    tap_check(waitpid(child, &status, 0) == child);
    tap_equal(status, 0);
}

static void test_fork(void)
{
    static struct ct_teller forking = {.tell = tell_and_fork};

    ct_retell_register(&forking);
    fake_recording = NULL;
    ct_retell_poll();
    forks = true;
    fake_recording = &first_recording;
    ct_retell_poll();
    tap_check(!forks);
    fake_recording = NULL;
    ct_retell_poll();
}

enum { THREADS = 4, POLLS = 20000 };

static int inside, overlaps; /* atomic */

static void tell_alone(uint64_t telling)
{
    overlaps += __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) != 1;
    sched_yield();
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
}

/* Recordings come and go while everybody polls. */
static void *poll_often(void *opaque)
{
    const void *const recordings[] = {NULL, &first_recording,
                                      &second_recording};

    for (unsigned i = 0; i < POLLS; i++) {
        if (i % 64 == 0) {
            __atomic_store_n(&fake_recording, recordings[i / 64 % 3],
                             __ATOMIC_RELAXED);
        }
        ct_retell_poll();
    }
    return NULL;
}

static void test_threads(void)
{
    static struct ct_teller alone = {.tell = tell_alone};
    pthread_t threads[THREADS];
    uint64_t before = last_telling;

    ct_retell_register(&alone);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, poll_often, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    tap_equal(overlaps, 0);
    tap_check(last_telling > before);
}

int main(void)
{
    tap_run("due/attach", test_attach);
    tap_run("due/period", test_period);
    tap_run("due/no-period", test_no_period);
    tap_run("settled/at-start", test_at_start); /* before any telling */
    tap_run("poll/tells-all", test_poll);
    tap_run("poll/fork", test_fork);
    tap_run("settled/joins", test_joins);
    tap_run("poll/one-telling-at-a-time", test_threads);
    return tap_end();
}
