/* SPDX-License-Identifier: MIT */
/*
 * tell.c - tells the live coroutines to a trace (event state_coroutine)
 *
 * The teller runs on one thread while coroutines run on others, and must not
 * cost them anything.  It reads their fields as they are, and then finds out
 * whether what it read belongs together:
 *
 *   - `id` is 0 in a pool, and new in each life.  A life stores its fields
 *     with release after the store of 0 that ended the life before, so a field
 *     of the next life is never seen together with the old id twice.
 *   - `changes` is odd while a change of state is under way, and grows with
 *     each.  It is kept only while a recording wants this event, that is,
 *     whenever there is a teller; a change that began just before may be told
 *     half (for as long as one enter or yield takes, once a recording).
 *
 * A coroutine that moves while it is read is read again; one that moves all the
 * time is not told, its own events tell it.
 *
 * Where one waits is read off its stack, whether anybody recorded the yield or
 * not.  Stacks stay mapped during a telling (coroutine_pool_for_each()); frames
 * that were read are believed only if nothing has moved meanwhile.
 */
#include "coroutine/tell.h"

#include "coroutine/coroutine_int.h"
#include "coroutine/pool.h"
#include "ct/emit.h"
#include "ct/kept.h"
#include "ct/retell.h"
#include "ct/stopped.h"

#define TRIES 4

struct told {
    uint64_t id;
    CoroutineEntry *entry;
    enum ct_co_state state;
    enum ct_yield_reason reason;
    uint64_t object;
    uint64_t from;
    uint64_t created_stack;
    uint64_t since_ns;
    unsigned changes;
    uint32_t n_frames; /* of the stack that it waits with; 0: not known */
    uint64_t frames[CT_STACK_MAX];
};

/* Nothing has happened since its id and changes were read. */
static bool is_still(Coroutine *co, const struct told *told)
{
    return ct_load_acquire(&co->id) == told->id &&
           ct_load_acquire(&co->changes) == told->changes;
}

/* False if it has moved. */
static bool read_stack(Coroutine *co, struct told *ret_told)
{
    /* Stored last by the switch away from it, cleared before each yield. */
    void *pc = ct_load_acquire(&co->jump.pc);
    char *fp = ct_load(&co->jump.fp);
    const char *outermost = ct_load(&co->stack_entry.frame);
    const char *base = co->stack.base;

    ret_told->n_frames = 0;
    if (!is_still(co, ret_told)) {
        return false;
    }
    if (pc != NULL && fp >= base && fp <= outermost) {
        ret_told->n_frames =
            ct_stack_read_stopped(pc, fp, outermost, ret_told->frames);
    }
    return is_still(co, ret_told) && ct_load_acquire(&co->jump.pc) == pc;
}

static bool read_whole(Coroutine *co, struct told *ret_told)
{
    bool running, started, scheduled, queued;

    ret_told->changes = ct_load_acquire(&co->changes);
    ret_told->id = ct_load_acquire(&co->id);
    if (ret_told->id == 0) {
        return true;
    }
    if (ret_told->changes % 2 != 0) {
        return false;
    }
    ret_told->entry = ct_load_acquire(&co->entry);
    ret_told->reason = ct_load_acquire(&co->reason);
    ret_told->object = ct_load_acquire(&co->object);
    ret_told->from = ct_load_acquire(&co->from_id);
    ret_told->created_stack = ct_load_acquire(&co->created_stack);
    ret_told->since_ns = ct_load_acquire(&co->since_ns);
    running = ct_load_acquire(&co->caller) != NULL;
    started = ct_load_acquire(&co->started);
    scheduled = ct_load_acquire(&co->scheduled) != NULL;
    queued = !running && ret_told->reason == COROUTINE_QUEUED;
    if (!is_still(co, ret_told)) {
        return false;
    }

    ret_told->state = running     ? CT_CO_STATE_RUNNING
                      : scheduled ? CT_CO_STATE_SCHEDULED
                      : queued    ? CT_CO_STATE_QUEUED
                      : started   ? CT_CO_STATE_YIELDED
                                  : CT_CO_STATE_CREATED;
    if (!running) {
        ret_told->from = queued ? ret_told->object : 0;
    }
    if (running || queued || !started) {
        ret_told->reason = CT_YIELD_REASON_OTHER;
        ret_told->object = 0;
    }
    ret_told->n_frames = 0;
    return running || !started || read_stack(co, ret_told);
}

static void tell_whole(const struct told *told, uint64_t telling)
{
    uint64_t stack = 0;

    if (told->id == 0) {
        return; /* in a pool */
    }
    if (told->n_frames > 0) {
        stack = ct_stack_name(told->frames, told->n_frames);
    }
    ct_emit_state_coroutine(
        telling, told->id, told->entry, told->state, told->reason, told->object,
        told->from, told->since_ns, ct_stack_tell(told->created_stack), stack);
}

static void tell_one(Coroutine *co, void *opaque)
{
    uint64_t telling = *(const uint64_t *)opaque;
    struct told told;

    for (int i = 0; i < TRIES; i++) {
        if (read_whole(co, &told)) {
            tell_whole(&told, telling);
            return;
        }
    }
}

static void tell(uint64_t telling)
{
    coroutine_pool_for_each(tell_one, &telling);
}

void coroutine_tell_init(void)
{
    static struct ct_teller teller = {.tell = tell};

    ct_retell_register(&teller);
}
