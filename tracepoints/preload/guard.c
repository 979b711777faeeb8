/* SPDX-License-Identifier: MIT */
/*
 * guard.c - the beginning of the library in a program, and who may record
 *
 * Whatever happens, the program must run as it would without us:
 *
 * - Early calls.  Constructors of other libraries may run before ours; until
 *   then every call goes straight to the real one.
 * - Re-entrance.  What LTTng and the unwinder call comes back to our functions;
 *   `busy` sends it on.  The same holds for a signal handler that interrupts
 *   them; one that interrupts anything else records like other code, and for
 *   that recording calls neither malloc() nor anything else that may not be
 *   interrupted: a thread's memory is made when it begins.
 * - Threads.  Only those are recorded whose beginning we saw while we were not
 *   busy; so LTTng's own are not.
 * - Tracepoints of the program's own: beside them we are silent (sole.c).
 * - Forks.  LTTng makes its threads anew in a child, between our two handlers.
 * - errno is kept, cancellation is put off while we record.
 */
#include "guard.h"

#include <errno.h>
#include <pthread.h>

#include "ct/retell.h"

#include "jump.h"
#include "provider/kept.h"
#include "provider/load.h"
#include "provider/sole.h"
#include "provider/stack_int.h"
#include "rings.h"
#include "sandbox.h"
#include "stacks.h"

__thread struct ct_self ct_self __attribute__((tls_model("initial-exec")));

__thread bool ct_guard_saved __attribute__((tls_model("initial-exec")));

bool ct_guard_has_lines;

/* --- the thread ----------------------------------------------------------- */

void ct_guard_begin_thread(uint64_t id)
{
    ct_self.busy++;
    ct_outer_prepare();
    ct_self.busy--;
    ct_self.id = id;
    ct_self.is_ours = true;
}

void ct_guard_end_thread(void)
{
    ct_self.is_ours = false;
}

/* --- may I? --------------------------------------------------------------- */

/* What a jump out of it would have to undo is said before it is done. */
bool ct_guard_enter(struct ct_guard *guard)
{
    struct ct_stack_place place;

    if (!ct_guard_may() || !ct_sandbox_may(CT_SANDBOX_RECORD)) {
        return false;
    }
    guard->error = errno;
    guard->cancel = CT_GUARD_UNREAD;
    guard->has_entry = false;
    guard->is_away = false;
    guard->outer = ct_self.guard;
    if (!guard->outer) {
        ct_guard_saved = false;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    /* From here on a jump out of a signal handler comes after our leave. */
    ct_self.guard = guard;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ct_self.busy++;
    /* Tells the old state before it sets the new one: a signal handler that
     * jumps away in between finds it. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard->cancel);
    place = ct_stacks_place(__builtin_frame_address(0));
    guard->stack = place.number;
    if (place.base != CT_STACKS_OWN) {
        guard->entry = (struct ct_stack_entry){
            .frame = place.end,
            .limit = place.end,
        };
        guard->before = ct_stack_current;
        guard->has_entry = true;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        /* Of an unknown stack only .eh_frame knows the end. */
        (void)ct_stack_switch(place.base == CT_STACKS_UNKNOWN ? NULL
                                                              : &guard->entry);
    }
    return true;
}

static void undo(const struct ct_guard *guard)
{
    if (guard->has_entry) {
        (void)ct_stack_switch(guard->before);
    }
    if (guard->cancel != CT_GUARD_UNREAD) {
        (void)pthread_setcancelstate(guard->cancel, NULL);
    }
    errno = guard->error;
}

void ct_guard_leave(struct ct_guard *guard)
{
    undo(guard);
    ct_self.busy--;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ct_self.guard = guard->outer;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(ct_self.jumps, 0)) {
        ct_jump_now();
    }
}

void ct_guard_drop(struct ct_guard *rest)
{
    while (ct_self.guard && ct_self.guard != rest) {
        undo(ct_self.guard);
        ct_self.guard = ct_self.guard->outer;
    }
    ct_rings_leave();
    ct_self.busy = 0;
}

/* --- what a thread holds -------------------------------------------------- */

enum {
    HELD_WORDS = 512, /* of a stack that are looked at */
    REGISTERS = 8,    /* at most that are kept over calls */
    BELOW_BYTES = 65536,
    OBJECT_ALIGN = 16,
};

static bool is_object(uintptr_t word, uintptr_t low, uintptr_t high)
{
    return word % OBJECT_ALIGN == 0 && word >= 65536 &&
           word < UINT64_C(1) << 47 && (word < low || word >= high);
}

__attribute__((noinline, no_sanitize("address", "thread"))) uint32_t ct_held(
    uint64_t *ret_words)
{
    struct ct_stack_place place;
    const uintptr_t *at = __builtin_frame_address(0);
    const uintptr_t *end;
    uintptr_t low;
    uint64_t seen = 0; /* a bit a word that was taken, several share one */
    uint32_t n = 0;

    __builtin_unwind_init(); /* every register that is kept over calls */
    place = ct_stacks_place(at);
    end = place.end;
    if (!end) {
        return 0;
    }
    /* Registers lie below the frame's address; what lies on the stack itself is
     * no object. */
    low = (uintptr_t)at - BELOW_BYTES;
    at -= REGISTERS;
    for (unsigned i = 0; i < HELD_WORDS && at < end; i++, at++) {
        uint64_t bit;
        bool is_new = true;

        if (!is_object(*at, low, (uintptr_t)end)) {
            continue;
        }
        bit = UINT64_C(1) << (*at * UINT64_C(0x9e3779b97f4a7c15) >> 58);
        for (uint32_t k = 0; seen & bit && is_new && k < n; k++) {
            is_new = ret_words[k] != *at;
        }
        if (is_new) {
            ret_words[n++] = *at;
            seen |= bit;
        }
        if (n == CT_HELD_MAX) {
            break;
        }
    }
    return n;
}

/* Nothing here is told again: no stack need be kept, and none is allocated. */
void ct_kept_add(uint64_t id, const struct ct_piece *piece)
{
}

/* --- beginning ------------------------------------------------------------ */

static void busy_begins(void)
{
    ct_self.busy++;
}

static void busy_ends(void)
{
    ct_self.busy--;
}

static int error_first; /* errno of before */

/*
 * Before LTTng's threads: dlsym() takes the loader's lock, which this thread
 * holds while it loads LTTng and waits for those.
 *
 * LTTng's threads are made by the provider's handlers, which stand between
 * ours: handlers of the child run in the order in which they were given.
 */
__attribute__((constructor(102))) static void begin_first(void)
{
    error_first = errno;
    ct_self.busy++;
    ct_real_find_all();
    (void)pthread_atfork(NULL, NULL, busy_begins);
    ct_self.busy--;
}

/* Behind the constructors that join our events to LTTng (see meson.build). */
__attribute__((constructor)) static void begin(void)
{
    ct_self.busy++;
    ct_outer_prepare();
    ct_provider_load();
    (void)pthread_atfork(NULL, NULL, busy_ends);
    if (ct_sole_may()) {
        ct_retell_poll(); /* who it is, and that nothing lives yet */
        ct_self.is_ours = true;
    }
    ct_self.busy--;
    ct_self.is_first = true;
    errno = error_first; /* a program begins with 0 */
}
