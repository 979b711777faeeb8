/* SPDX-License-Identifier: MIT */
/*
 * native.c - jumps, threads and calls of a program without tracepoints
 *
 * A jump says which stack is left and which one is next, not what it means:
 *
 *   to a stack that this thread came by on its way here -> back: everything
 *                                                          above it yields
 *   to the thread's own                                 -> all of them yield
 *   to another one                                      -> it is entered
 *
 * So coroutines that hand over to one another, without ever going back, look as
 * if they had entered each other.
 *
 * A coroutine's stack may be used again: makecontext() there is another life,
 * and the one before has ended, nobody knows when.  Coroutines that are kept
 * for their next use, and never return, live on.
 */
#include "decode/native.h"

#include "decode/fields.h"
#include "decode/lives.h"
#include "decode/step_of.h"

/* What a lane's thread is called where no coroutine runs: no address. */
#define OWN UINT64_C(1)

/* Yields and an enter may come together. */
#define YIELDS_MAX (CT_DECODE_MAX - 2)

struct process {
    struct ct_lives *lives;
};

struct ct_native {
    GHashTable *processes; /* pid -> struct process (owner) */
};

struct event {
    struct process *process;
    const struct ct_record *record;
    struct ct_step *steps;
    unsigned n;
};

static void on_ended(struct ct_generation *life, void *data)
{
}

static void free_process(gpointer data)
{
    struct process *process = data;

    ct_lives_free(process->lives);
    g_free(process);
}

struct ct_native *ct_native_new(void)
{
    struct ct_native *native = g_new0(struct ct_native, 1);

    native->processes = g_hash_table_new_full(g_direct_hash, g_direct_equal,
                                              NULL, free_process);
    return native;
}

void ct_native_free(struct ct_native *native)
{
    if (native) {
        g_hash_table_unref(native->processes);
        g_free(native);
    }
}

static struct process *process_of(struct ct_native *native, int32_t pid)
{
    struct process *process =
        g_hash_table_lookup(native->processes, GINT_TO_POINTER(pid));

    if (!process) {
        process = g_new0(struct process, 1);
        process->lives =
            ct_lives_new(sizeof(struct ct_generation), on_ended, NULL);
        g_hash_table_insert(native->processes, GINT_TO_POINTER(pid), process);
    }
    return process;
}

static struct ct_step *new_step(struct event *event, enum ct_step_kind kind)
{
    struct ct_step *step = &event->steps[event->n++];

    *step = ct_step_of(event->record, kind, event->record->tid);
    return step;
}

/* --- stacks --------------------------------------------------------------- */

static void begin_stack(struct event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *life = ct_lives_find(lives, U(NATIVE_STACK_BASE));
    struct ct_step *step;

    if (!U(NATIVE_STACK_BASE)) {
        return; /* which one is not told */
    }
    if (life) {
        step = new_step(event, CT_STEP_CO_TERMINATE);
        step->certainty = CT_UNKNOWN;
        step->subject = life->id;
        ct_lives_end(lives, life);
    }
    life = ct_lives_bear(lives, U(NATIVE_STACK_BASE));
    step = new_step(event, CT_STEP_CO_CREATE);
    step->subject = life->id;
    step->fn = U(NATIVE_STACK_ENTRY);
    step->stack = U(NATIVE_STACK_STACK);
}

static void end_stack(struct event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *life = ct_lives_find(lives, U(NATIVE_STACK_END_BASE));

    if (life) {
        new_step(event, CT_STEP_CO_TERMINATE)->subject = life->id;
        ct_lives_end(lives, life);
    }
}

/* --- jumps ---------------------------------------------------------------- */

/* The innermost one of a lane gives the thread back. */
static void yield(struct event *event, struct ct_lane *lane, uint64_t stack)
{
    struct ct_generation *life = lane->stack[lane->n - 1];
    struct ct_generation *back = lane->n > 1 ? lane->stack[lane->n - 2] : NULL;
    struct ct_step *step;

    if (event->n < YIELDS_MAX) {
        step = new_step(event, CT_STEP_CO_YIELD);
        step->subject = life->id;
        step->object = back ? back->id : 0;
        step->reason = CT_YIELD_REASON_OTHER;
        step->stack = stack;
        step->tid = lane->tid;
    }
    (void)ct_lives_leave(event->process->lives, lane->tid, life,
                         back ? back->address : OWN);
}

static bool is_in(const struct ct_lane *lane, const struct ct_generation *life)
{
    return life && life->lane == lane;
}

/* Everything above @life, or, if that is NULL, all there is. */
static void yield_down_to(struct event *event, struct ct_lane *lane,
                          const struct ct_generation *life, uint64_t stack)
{
    while (lane->n > 0 && lane->stack[lane->n - 1] != life) {
        yield(event, lane, stack);
        stack = 0; /* of the innermost one only */
    }
}

static void jump(struct event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    uint64_t from = U(NATIVE_SWITCH_FROM), to = U(NATIVE_SWITCH_TO);
    uint64_t stack = U(NATIVE_SWITCH_STACK);
    struct ct_lane *lane = ct_lives_lane(lives, record->tid, NULL);
    struct ct_generation *leaves = from ? ct_lives_find(lives, from) : NULL;
    struct ct_generation *next = to ? ct_lives_get(lives, to) : NULL;
    struct ct_generation *lost, *enterer;
    struct ct_step *step;

    if (!from || is_in(lane, leaves)) {
        /* Elsewhere than we thought: jumps are missing. */
        yield_down_to(event, lane, leaves, 0);
    }
    if (!next || is_in(lane, next)) {
        yield_down_to(event, lane, next, stack);
        return;
    }
    if (next->lane) {
        /* It left that thread, and nobody said so. */
        yield_down_to(event, next->lane, next, 0);
        yield(event, next->lane, 0);
    }
    (void)ct_lives_enter(lives, record->tid, leaves ? from : OWN, to, 0, &lost,
                         &enterer);
    step = new_step(event, CT_STEP_CO_ENTER);
    step->subject = next->id;
    step->object = enterer ? enterer->id : 0;
    step->stack = stack;
}

unsigned ct_native_decode(struct ct_native *native,
                          const struct ct_record *record,
                          struct ct_step *ret_steps)
{
    struct event event = {
        .process = process_of(native, record->pid),
        .record = record,
        .steps = ret_steps,
    };

    ct_lives_sweep(event.process->lives);
    switch (record->event) {
    case CT_EV_NATIVE_STACK:
        begin_stack(&event);
        break;
    case CT_EV_NATIVE_STACK_END:
        end_stack(&event);
        break;
    case CT_EV_NATIVE_SWITCH:
        jump(&event);
        break;
    case CT_EV_THREAD_NAME:
        new_step(&event, CT_STEP_THREAD_NAME)->name = S(THREAD_NAME_NAME);
        break;
    case CT_EV_NATIVE_IO_BEGIN:
        new_step(&event, CT_STEP_THREAD_STACK)->stack =
            U(NATIVE_IO_BEGIN_STACK);
        break;
    case CT_EV_NATIVE_AIO:
        new_step(&event, CT_STEP_THREAD_STACK)->stack = U(NATIVE_AIO_STACK);
        break;
    case CT_EV_NATIVE_WAKE:
        new_step(&event, CT_STEP_FD_WAKE)->value = (uint64_t)I(NATIVE_WAKE_FD);
        break;
    case CT_EV_NATIVE_WOKEN:
        new_step(&event, CT_STEP_FD_WOKEN)->value =
            (uint64_t)I(NATIVE_WOKEN_FD);
        break;
    case CT_EV_NATIVE_WAIT_BEGIN:
        new_step(&event, CT_STEP_THREAD_STACK)->stack =
            U(NATIVE_WAIT_BEGIN_STACK);
        break;
    default:
        break;
    }
    return event.n;
}
