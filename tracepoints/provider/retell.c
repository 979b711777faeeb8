/* SPDX-License-Identifier: MIT */
/*
 * retell.c - when the live state is told again, and by whom
 *
 * LTTng-UST has no hook for "a recording has started".  What a program can see
 * is the tracepoint itself: the array of who records state_begin is another
 * one whenever a recording joins or leaves.  Where nobody looks between a leave
 * and a join it may be back at its address (a session that is stopped and
 * started gets it as a rule), hence the period, which also repairs what lost
 * events have torn.
 *
 * A recording becomes visible here before LTTng lets its events through, so
 * the telling on attach is repeated CT_RETELL_AGAIN_NS later.
 */
#include "ct/retell.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "ct/emit.h"

#include "intern.h"
#include "retell.h"

static struct ct_teller *tellers;   /* atomic list, only grows */
static int busy;                    /* atomic; 1: somebody decides or tells */
static struct ct_retell state;      /* protected by busy */
static const void *recorders_seen;  /* atomic copy of state.recorders */
static uint64_t next_seen_ns;       /* atomic copy of state.next_ns */
static const void *first_recorders; /* of a start; fixed once threads poll */

const void *ct_retell_settled;

void ct_retell_register(struct ct_teller *teller)
{
    teller->next = __atomic_load_n(&tellers, __ATOMIC_RELAXED);
    /* pairs with tell_all(): the teller is complete when it is found */
    while (!__atomic_compare_exchange_n(&tellers, &teller->next, teller, 1,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

int ct_retell_is_due(struct ct_retell *retell, const void *recorders,
                     uint64_t now_ns, enum ct_tell_reason *ret_reason)
{
    int joined = recorders && recorders != retell->recorders;

    retell->recorders = recorders;
    if (!recorders) {
        return 0;
    }
    if (joined) {
        *ret_reason =
            retell->tellings ? CT_TELL_REASON_ATTACH : CT_TELL_REASON_START;
        retell->next_ns = now_ns + CT_RETELL_AGAIN_NS;
    } else if (retell->next_ns && now_ns >= retell->next_ns) {
        *ret_reason = CT_TELL_REASON_PERIOD;
        retell->next_ns = retell->period_ns ? now_ns + retell->period_ns : 0;
    } else {
        return 0;
    }
    retell->tellings++;
    return 1;
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ct_retell_start(void)
{
    first_recorders = CT_EMIT_RECORDERS(state_begin);
}

/*
 * Nobody is known to be told, until a telling settles it.
 * Relaxed: who still uses a number told it to those who recorded then.
 */
static void unsettle(void)
{
    __atomic_store_n(&ct_retell_settled, NULL, __ATOMIC_RELAXED);
}

/*
 * A child is another process to whoever reads the trace: it tells its state
 * itself, also if the thread that was telling is not there any more.
 */
static void after_fork_child(void)
{
    state.recorders = NULL;
    state.next_ns = 0;
    __atomic_store_n(&recorders_seen, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&next_seen_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&busy, 0, __ATOMIC_RELAXED);
    unsettle();
    first_recorders = NULL;
    ct_intern_new_generation();
}

/* Before any thread polls. */
__attribute__((constructor)) static void set_up(void)
{
    const char *text = getenv("COTRACE_RETELL_MS");
    char *end;
    unsigned long ms;

    (void)pthread_atfork(NULL, NULL, after_fork_child);
    state.period_ns = CT_RETELL_PERIOD_NS;
    if (text && *text) {
        errno = 0;
        ms = strtoul(text, &end, 10);
        if (errno == 0 && *end == '\0' && ms <= 1000u * 86400u) {
            state.period_ns = ms * 1000000u;
        }
    }
}

/* Who recorded the process before its main() began drops nothing. */
static bool settles(const void *recorders, enum ct_tell_reason reason)
{
    return reason == CT_TELL_REASON_PERIOD ||
           (reason == CT_TELL_REASON_START && recorders == first_recorders);
}

/*
 * Settled for @recorders only behind a new generation, so that what was told
 * while they joined is told anew, and behind state_begin, where a reader of the
 * trace forgets what another process of the same pid has told.
 */
static void tell_all(uint64_t telling, const void *recorders,
                     enum ct_tell_reason reason)
{
    ct_intern_new_generation();
    ct_emit_state_begin(CT_SCHEMA_MAJOR, CT_SCHEMA_MINOR, telling, reason);
    struct ct_teller *first = __atomic_load_n(&tellers, __ATOMIC_ACQUIRE);
    if (settles(recorders, reason)) {
        for (struct ct_teller *one = first; one; one = one->next) {
            if (one->settle) {
                one->settle();
            }
        }
        __atomic_store_n(&ct_retell_settled, recorders, __ATOMIC_RELEASE);
    }
    for (struct ct_teller *one = first; one; one = one->next) {
        if (one->tell) {
            one->tell(telling);
        }
    }
    ct_emit_state_end(telling);
}

static void retell_slow(const void *recorders)
{
    enum ct_tell_reason reason;
    uint64_t now_ns = clock_ns();
    uint64_t next_ns = __atomic_load_n(&next_seen_ns, __ATOMIC_RELAXED);

    if (recorders == __atomic_load_n(&recorders_seen, __ATOMIC_RELAXED) &&
        (next_ns == 0 || now_ns < next_ns)) {
        return;
    }
    /* pairs with the release below: one decides after the other */
    if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {
        return;
    }
    if (recorders != state.recorders) {
        unsettle();
    }
    if (ct_retell_is_due(&state, recorders, now_ns, &reason)) {
        tell_all(state.tellings, recorders, reason);
    }
    __atomic_store_n(&recorders_seen, state.recorders, __ATOMIC_RELAXED);
    __atomic_store_n(&next_seen_ns, state.next_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

void ct_retell_poll(void)
{
    const void *recorders = CT_EMIT_RECORDERS(state_begin);

    if (__builtin_expect(recorders ||
                             __atomic_load_n(&recorders_seen, __ATOMIC_RELAXED),
                         0)) {
        retell_slow(recorders);
    }
}
