/* SPDX-License-Identifier: MIT */
/*
 * What coroutines record, and how live ones are told again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ct/coroutine.h"
#include "ct/emit.h"
#include "ct/kept.h"
#include "ct/stopped.h"
#include "coroutine/coroutine_int.h"
#include "lib/tap.h"

/* --- events -------------------------------------------------------------- */

static struct fake_event events[64];
static int n_events;

static void keep_event(const struct fake_event *event)
{
    if (n_events < 64) {
        events[n_events++] = *event;
    }
}

static void check_event(int at, enum ct_event_id event, uint64_t a, uint64_t b,
                        uint64_t c, uint64_t d)
{
    tap_check(at < n_events);
    tap_equal(events[at].event, event);
    tap_equal(events[at].fields[0], a);
    tap_equal(events[at].fields[1], b);
    tap_equal(events[at].fields[2], c);
    tap_equal(events[at].fields[3], d);
}

static void coroutine_fn waits_for_work(void *opaque)
{
    coroutine_yield_for(CT_YIELD_REASON_WORK, 55);
}

static void coroutine_fn creates_and_enters(void *opaque)
{
    Coroutine *co = coroutine_create(waits_for_work, NULL);

    *(Coroutine **)opaque = co;
    coroutine_enter(co);
}

static void test_events(void)
{
    Coroutine *in = NULL;
    Coroutine *out;
    uint64_t out_id, in_id;

    n_events = 0;
    fake_emit = keep_event;
    coroutine_thread_context(&in, 77);
    out = coroutine_create(creates_and_enters, &in);
    out_id = coroutine_id(out);
    coroutine_enter(out);
    in_id = coroutine_id(in);
    coroutine_enter(in);
    coroutine_thread_context(NULL, 0);
    fake_emit = NULL;

    tap_equal(n_events, 8);
    check_event(0, CT_EV_COROUTINE_CREATE, out_id,
                (uintptr_t)creates_and_enters, 0, 0);
    check_event(1, CT_EV_AIO_COROUTINE_ENTER, 77, 0, out_id, 0);
    check_event(2, CT_EV_COROUTINE_CREATE, in_id, (uintptr_t)waits_for_work, 0,
                0);
    check_event(3, CT_EV_AIO_COROUTINE_ENTER, 77, out_id, in_id, 0);
    check_event(4, CT_EV_COROUTINE_YIELD, in_id, out_id, CT_YIELD_REASON_WORK,
                55);
    check_event(5, CT_EV_COROUTINE_TERMINATE, out_id, 0, 0, 0);
    check_event(6, CT_EV_AIO_COROUTINE_ENTER, 77, 0, in_id, 0);
    check_event(7, CT_EV_COROUTINE_TERMINATE, in_id, 0, 0, 0);
}

/* Two that the list has one event for, and no more is told of them. */
static void test_start(void)
{
    Coroutine *in = NULL;
    uint64_t started;

    n_events = 0;
    fake_emit = keep_event;
    coroutine_thread_context(&in, 77);
    coroutine_start(creates_and_enters, &in);
    fake_emit = NULL;

    tap_equal(n_events, 5);
    started = events[0].fields[2];
    tap_check(started != 0 && started != coroutine_id(in));
    check_event(0, CT_EV_COROUTINE_START, 77, 0, started,
                (uintptr_t)creates_and_enters);
    check_event(1, CT_EV_COROUTINE_CREATE, coroutine_id(in),
                (uintptr_t)waits_for_work, 0, 0);
    check_event(2, CT_EV_AIO_COROUTINE_ENTER, 77, started, coroutine_id(in), 0);
    check_event(4, CT_EV_COROUTINE_TERMINATE, started, 0, 0, 0);

    /* One that was told by its enterer. */
    n_events = 0;
    fake_emit = keep_event;
    coroutine_enter_told_in(&in, 77, in);
    coroutine_thread_context(NULL, 0);
    fake_emit = NULL;
    tap_equal(n_events, 1);
    tap_equal(events[0].event, CT_EV_COROUTINE_TERMINATE);
}

/* --- telling ------------------------------------------------------------- */

static const struct fake_event *told_of(uint64_t id)
{
    const struct fake_event *found = NULL;

    for (int i = 0; i < n_events; i++) {
        if (events[i].fields[1] == id) {
            tap_check(found == NULL);
            found = &events[i];
        }
    }
    return found;
}

static void check_told(uint64_t id, CoroutineEntry *entry,
                       enum ct_co_state state, enum ct_yield_reason reason,
                       uint64_t object, uint64_t from, bool since_known)
{
    const struct fake_event *event = told_of(id);

    tap_check(event != NULL);
    if (event == NULL) {
        return;
    }
    tap_equal(event->event, CT_EV_STATE_COROUTINE);
    tap_equal(event->fields[0], 9);
    tap_equal(event->fields[2], (uintptr_t)entry);
    tap_equal(event->fields[3], state);
    tap_equal(event->fields[4], reason);
    tap_equal(event->fields[5], object);
    tap_equal(event->fields[6], from);
    tap_equal(event->fields[7] != 0, since_known);
}

static void drop_event(const struct fake_event *event)
{
}

static void coroutine_fn tells(void *opaque)
{
    n_events = 0;
    fake_emit = keep_event;
    fake_teller->tell(9);
    fake_emit = drop_event;
}

static void coroutine_fn enters_teller(void *opaque)
{
    coroutine_enter(coroutine_create(tells, NULL));
}

static void test_telling(void)
{
    Coroutine *created = coroutine_create(waits_for_work, NULL);
    Coroutine *early = coroutine_create(waits_for_work, NULL);
    Coroutine *late, *scheduled, *teller_co;
    uint64_t outer_id, late_stack;

    coroutine_enter(early); /* nobody records yet: since when is not known */
    fake_emit = drop_event;
    late = coroutine_create(waits_for_work, NULL);
    coroutine_enter(late);
    scheduled = coroutine_create(waits_for_work, NULL);
    coroutine_enter(scheduled);
    scheduled->scheduled = "test";
    teller_co = coroutine_create(enters_teller, NULL);
    outer_id = coroutine_id(teller_co);
    late_stack = fake_kept - 2; /* then `scheduled` and `teller_co` */
    coroutine_enter(teller_co);
    fake_emit = NULL;
    /* Who made it, if a recording saw that. */
    tap_equal(told_of(coroutine_id(early))->fields[8], 0);
    tap_equal(told_of(coroutine_id(late))->fields[8], late_stack);

    tap_equal(n_events, 6);
    check_told(coroutine_id(created), waits_for_work, CT_CO_STATE_CREATED,
               CT_YIELD_REASON_OTHER, 0, 0, false);
    check_told(coroutine_id(early), waits_for_work, CT_CO_STATE_YIELDED,
               CT_YIELD_REASON_WORK, 55, 0, false);
    check_told(coroutine_id(late), waits_for_work, CT_CO_STATE_YIELDED,
               CT_YIELD_REASON_WORK, 55, 0, true);
    check_told(coroutine_id(scheduled), waits_for_work, CT_CO_STATE_SCHEDULED,
               CT_YIELD_REASON_WORK, 55, 0, true);
    check_told(outer_id, enters_teller, CT_CO_STATE_RUNNING,
               CT_YIELD_REASON_OTHER, 0, 0, true);

    scheduled->scheduled = NULL;
    coroutine_enter(created);
    coroutine_enter(created);
    coroutine_enter(early);
    coroutine_enter(late);
    coroutine_enter(scheduled);

    n_events = 0;
    fake_emit = keep_event;
    fake_teller->tell(10);
    fake_emit = NULL;
    tap_equal(n_events, 0); /* nobody lives */
}

/* One whose creation somebody else has told: no event, but its id and stack. */
static void test_created_told(void)
{
    Coroutine *co;

    n_events = 0;
    fake_emit = keep_event;
    co = coroutine_create_told(4711, waits_for_work, NULL, 815);
    tap_equal(n_events, 0);
    fake_teller->tell(9);
    fake_emit = NULL;
    check_told(4711, waits_for_work, CT_CO_STATE_CREATED, CT_YIELD_REASON_OTHER,
               0, 0, false);
    tap_equal(told_of(4711)->fields[8], 815);
    coroutine_enter(co);
    coroutine_enter(co);
}

static void coroutine_fn ends(void *opaque)
{
}

/* In the middle of coroutine_next: who has ended is not gone yet. */
static struct fake_event told_in_next;

static void tell_in_next(const struct fake_event *event)
{
    keep_event(event);
    if (event->event == CT_EV_COROUTINE_NEXT) {
        uint64_t ended = event->fields[1];
        int n = n_events;

        fake_emit = keep_event;
        fake_teller->tell(9);
        fake_emit = tell_in_next;
        for (int i = n; i < n_events; i++) {
            if (events[i].fields[1] == ended) {
                told_in_next = events[i];
            }
        }
        n_events = n;
    }
}

static void coroutine_fn wakes_two(void *opaque)
{
    Coroutine **both = opaque;

    coroutine_queue_wake(both[0]);
    coroutine_queue_wake(both[1]);
}

static void coroutine_fn enters_waker(void *opaque)
{
    coroutine_enter(coroutine_create(wakes_two, opaque));
    coroutine_yield();
}

/*
 * Who ends with somebody to be entered next, and who doesn't: by the thread,
 * and by a coroutine that goes on afterwards.
 */
static void test_next(void)
{
    Coroutine *both[2], *outer;
    uint64_t ids[2], waker, outer_id;

    both[0] = coroutine_create(ends, NULL);
    both[1] = coroutine_create(waits_for_work, NULL);
    ids[0] = coroutine_id(both[0]);
    ids[1] = coroutine_id(both[1]);
    outer = coroutine_create(wakes_two, both);
    waker = coroutine_id(outer);
    n_events = 0;
    fake_emit = tell_in_next;
    coroutine_enter_in(both, 77, outer);
    fake_emit = keep_event;
    tap_equal(n_events, 5);
    tap_equal(told_in_next.fields[1], waker);
    tap_equal(told_in_next.fields[3], CT_CO_STATE_RUNNING);
    check_event(0, CT_EV_AIO_COROUTINE_ENTER, 77, 0, waker, 0);
    check_event(1, CT_EV_COROUTINE_NEXT, 77, waker, 0, ids[0]);
    check_event(2, CT_EV_COROUTINE_TERMINATE, ids[0], 0, 0, 0);
    check_event(3, CT_EV_AIO_COROUTINE_ENTER, 77, 0, ids[1], 0);
    check_event(4, CT_EV_COROUTINE_YIELD, ids[1], 0, CT_YIELD_REASON_WORK, 55);

    /* What ended is told no more. */
    n_events = 0;
    fake_teller->tell(9);
    tap_equal(n_events, 1);
    fake_emit = NULL;
    check_told(ids[1], waits_for_work, CT_CO_STATE_YIELDED,
               CT_YIELD_REASON_WORK, 55, 0, true);

    both[0] = coroutine_create(ends, NULL);
    ids[0] = coroutine_id(both[0]);
    outer = coroutine_create(enters_waker, both);
    outer_id = coroutine_id(outer);
    n_events = 0;
    fake_emit = keep_event;
    coroutine_enter_in(both, 77, outer);
    fake_emit = NULL;
    waker = events[1].fields[0];
    tap_equal(n_events, 8);
    check_event(3, CT_EV_COROUTINE_NEXT, 0, waker, outer_id, ids[0]);
    check_event(4, CT_EV_COROUTINE_TERMINATE, ids[0], outer_id, 0, 0);
    check_event(5, CT_EV_AIO_COROUTINE_ENTER, 0, outer_id, ids[1], 0);
    check_event(6, CT_EV_COROUTINE_TERMINATE, ids[1], outer_id, 0, 0);
    check_event(7, CT_EV_COROUTINE_YIELD, outer_id, 0, CT_YIELD_REASON_OTHER,
                0);
    coroutine_enter(outer);
}

static Coroutine *sleeper, *unborn;

static void coroutine_fn wakes_both_and_tells(void *opaque)
{
    coroutine_queue_wake(sleeper);
    coroutine_queue_wake(unborn);
    tells(NULL);
}

/* What lies in a waker's list does not wait, and is told with its waker. */
static void test_queued_is_told(void)
{
    Coroutine *waker;
    uint64_t waker_id, sleeper_id, unborn_id;

    fake_emit = drop_event;
    sleeper = coroutine_create(waits_for_work, NULL);
    coroutine_enter(sleeper);
    unborn = coroutine_create(waits_for_work, NULL);
    waker = coroutine_create(wakes_both_and_tells, NULL);
    waker_id = coroutine_id(waker);
    sleeper_id = coroutine_id(sleeper);
    unborn_id = coroutine_id(unborn);
    coroutine_enter(waker); /* ends, and so does the sleeper */
    fake_emit = NULL;

    tap_equal(n_events, 3);
    check_told(sleeper_id, waits_for_work, CT_CO_STATE_QUEUED,
               CT_YIELD_REASON_OTHER, 0, waker_id, true);
    check_told(unborn_id, waits_for_work, CT_CO_STATE_QUEUED,
               CT_YIELD_REASON_OTHER, 0, waker_id, true);

    /* Entered since, one of them waits; in another life it is new. */
    n_events = 0;
    fake_emit = keep_event;
    fake_teller->tell(9);
    fake_emit = drop_event;
    tap_equal(n_events, 1);
    check_told(unborn_id, waits_for_work, CT_CO_STATE_YIELDED,
               CT_YIELD_REASON_WORK, 55, 0, true);
    coroutine_enter(unborn);

    Coroutine *again = coroutine_create(waits_for_work, NULL);
    n_events = 0;
    fake_emit = keep_event;
    fake_teller->tell(9);
    fake_emit = NULL;
    tap_equal(n_events, 1);
    check_told(coroutine_id(again), waits_for_work, CT_CO_STATE_CREATED,
               CT_YIELD_REASON_OTHER, 0, 0, false);
    coroutine_enter(again);
    coroutine_enter(again);
}

/* Where a coroutine waits is read off its stack, whoever saw it stop. */
#define DEEP 12

static void *return_addresses[DEEP]; /* innermost first */

static __attribute__((noinline)) void coroutine_fn waits_at(int depth)
{
    return_addresses[depth] = __builtin_return_address(0);
    if (depth > 0) {
        waits_at(depth - 1);
    } else {
        coroutine_yield();
    }
    __asm__ volatile("" ::: "memory"); /* not a tail call */
}

static void coroutine_fn waits_deep(void *opaque)
{
    waits_at(DEEP - 1);
}

static void check_frames(uint64_t n)
{
    uint64_t first = 0;

    tap_check(n >= DEEP + 2 && n <= DEEP + 4);
    while (first < n && fake_frames[first] != (uintptr_t)return_addresses[0]) {
        first++;
    }
    tap_equal(first + DEEP + 1, n); /* then the trampoline's */
    for (int i = 0; i < DEEP && first + DEEP < n; i++) {
        tap_equal(fake_frames[first + i], (uintptr_t)return_addresses[i]);
    }
}

static void test_where_it_waits(void)
{
    Coroutine *co = coroutine_create(waits_deep, NULL);

    coroutine_enter(co); /* nobody sees it stop */
    n_events = 0;
    fake_emit = keep_event;
    fake_teller->tell(11);
    tap_equal(n_events, 1);
    check_frames(events[0].fields[9]);
    fake_emit = NULL;
    coroutine_enter(co);
}

/* What nobody has written to, as memcheck sees it. */
__attribute__((noinline)) static void *unwritten(size_t bytes)
{
    return malloc(bytes);
}

/* A stack whose frames are gone: bounded, and no business of memcheck's. */
static void test_frames_are_gone(void)
{
    uint64_t frames[CT_STACK_MAX];
    uintptr_t *words = unwritten(64 * sizeof(*words));
    uint32_t n = ct_stack_read_stopped(words, words, words + 32, frames);

    tap_check(n <= CT_STACK_MAX);
    free(words);
}

int main(void)
{
    tap_run("/coroutine/telling", test_telling);
    tap_run("/coroutine/created-told", test_created_told);
    tap_run("/coroutine/next", test_next);
    tap_run("/coroutine/queued-is-told", test_queued_is_told);
    tap_run("/coroutine/where-it-waits", test_where_it_waits);
    tap_run("/coroutine/frames-are-gone", test_frames_are_gone);
    tap_run("/coroutine/events", test_events);
    tap_run("/coroutine/start", test_start);
    return tap_end();
}
