/* SPDX-License-Identifier: MIT */
/*
 * emit.c - the slow half of ct_emit_X()
 *
 * ct_emit_X() (generated, ct/emit.h) branches on its own tracepoint's state
 * and calls the generated ct_emit_slow_X() when somebody records it.  That one
 * is never inlined: its frame is the innermost of the capture code, so the
 * stack starts at its return address, in the function that says ct_emit_X().
 */
#include "ct/emit.h"

#include "ct/kept.h"
#include "ct/stack.h"

#include "load.h"
#include "self.h"
#include "stack_int.h"

#define LTTNG_UST_TRACEPOINT_HIDDEN_DEFINITION
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include "probes.h"

__thread uint64_t ct_stack_last
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* LTTng joins probes and tracepoints whichever register first. */
__attribute__((constructor)) static void load(void)
{
    ct_self_load();
    ct_provider_load();
}

/*
 * For a debugger: a breakpoint here finds the frames that @id names live, those
 * of the caller's caller outward.
 */
__attribute__((noinline)) void ct_stack_captured(uint64_t id)
{
    __asm__ volatile("" : : "r"(id));
}

static inline __attribute__((always_inline)) uint64_t capture(void)
{
    uint64_t id = ct_stack_capture(__builtin_frame_address(0));

    ct_stack_captured(id);
    ct_stack_last = id;
    return id;
}

#define CT_EMIT_SLOW    __attribute__((noinline))
#define CT_EMIT_STACK() capture()

/*
 * What lttng_ust_do_tracepoint() does, without its call through a pointer to
 * read another pointer.  The probes are an array that ends with a NULL function
 * and lives as long as the read lock is held; the load pairs with LTTng's
 * rcu_assign_pointer.  When the process ends LTTng overwrites its two functions
 * with 0 while other threads still emit, so each is read once.
 */
#define CT_EMIT_CALL(event, type, told)                                        \
    struct lttng_ust_tracepoint_dlopen *lttng =                                \
        lttng_ust_tracepoint_dlopen_ptr;                                       \
    const struct lttng_ust_tracepoint_probe *probe;                            \
    void (*lock)(void) =                                                       \
        lttng ? __atomic_load_n(&lttng->rcu_read_lock_sym, __ATOMIC_RELAXED)   \
              : NULL;                                                          \
    void (*unlock)(void) =                                                     \
        lttng ? __atomic_load_n(&lttng->rcu_read_unlock_sym, __ATOMIC_RELAXED) \
              : NULL;                                                          \
                                                                               \
    if (__builtin_expect(!lock || !unlock, 0)) {                               \
        return;                                                                \
    }                                                                          \
    lock();                                                                    \
    probe = __atomic_load_n(&lttng_ust_tracepoint_cotrace___##event.probes,    \
                            __ATOMIC_CONSUME);                                 \
    for (; probe && probe->func; probe++) {                                    \
        ((void (*)(void *, const type *))probe->func)(probe->data, told);      \
    }                                                                          \
    unlock()

#include "emit_slow.c.inc"
