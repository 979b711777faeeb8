/* SPDX-License-Identifier: MIT */
/*
 * calls.c - what the kernel is asked for by linux-aio and io_uring, and what it
 * says
 *
 * QEMU tells nothing of it.  Its operations lie on the stacks of the coroutines
 * that wait for them, whoever submits them; so whose one is completed is known
 * by its address:
 *
 *   native_aio       the coroutine on that stack waits for it, once it yields
 *   native_aio_end   it can go on, as soon as the loop gets there
 *
 * The same address is another operation's next time: it counts as long as the
 * coroutine has not been entered since.
 */
#include "decode/qemu/qemu_int.h"

#include "ct/schema.h"

#define KEY(number)   GSIZE_TO_POINTER((gsize)(number))
#define VALUE(field)  (event->record->values[CT_FLD_##field].u)
#define NUMBER(field) (event->record->values[CT_FLD_##field].i)

enum { IOS_MAX = 65536 }; /* that nobody tells the end of */

struct ct_qemu_io {
    uint64_t base; /* of the stack */
    uint64_t co;   /* id of who waits */
};

static void submitted(struct ct_qemu_event *event)
{
    struct ct_qemu_process *process = event->process;
    uint64_t base = VALUE(NATIVE_AIO_BASE), request = VALUE(NATIVE_AIO_REQUEST);
    struct ct_generation *life =
        base ? ct_lives_on_base(process->lives, base) : NULL;
    const char *path = ct_files_find(event->files, event->record->pid,
                                     (uint64_t)NUMBER(NATIVE_AIO_FD));
    struct ct_qemu_io *io;

    ct_qemu_step(event, CT_STEP_THREAD_STACK)->stack = VALUE(NATIVE_AIO_STACK);
    if (!life) {
        return;
    }
    ct_qemu_co(life)->last = CT_LAST_IO;
    ct_qemu_co(life)->io = request;
    if (g_hash_table_size(process->ios) >= IOS_MAX) {
        g_hash_table_remove_all(process->ios);
    }
    io = g_new(struct ct_qemu_io, 1);
    *io = (struct ct_qemu_io){.base = base, .co = life->id};
    g_hash_table_insert(process->ios, KEY(request), io);
    if (path) {
        struct ct_step *step = ct_qemu_step(event, CT_STEP_CO_FILE);

        step->subject = life->id;
        step->name = path;
    }
}

static void completed(struct ct_qemu_event *event)
{
    struct ct_qemu_process *process = event->process;
    uint64_t request = VALUE(NATIVE_AIO_END_REQUEST);
    struct ct_qemu_io *io = g_hash_table_lookup(process->ios, KEY(request));
    struct ct_generation *life =
        io ? ct_lives_on_base(process->lives, io->base) : NULL;
    struct ct_step *step;

    /* One that runs has yet to yield for it. */
    if (life && life->id == io->co && !life->lane &&
        ct_qemu_co(life)->io == request) {
        step = ct_qemu_step(event, CT_STEP_CO_WAKE);
        step->subject = life->id;
        step->context = process->ctx;
        step->reason = CT_WAKE_HOW_ENTERED;
    }
    g_hash_table_remove(process->ios, KEY(request));
}

/* Whoever runs on this thread runs on that stack. */
static void is_here(struct ct_qemu_event *event)
{
    struct ct_lives *lives = event->process->lives;
    struct ct_lane *lane = ct_lives_lane(lives, event->record->tid, NULL);
    struct ct_generation *life = ct_lives_top(lives, lane);

    if (life) {
        ct_lives_learn_base(lives, VALUE(NATIVE_HERE_BASE), life);
    }
}

bool ct_qemu_calls(struct ct_qemu_event *event)
{
    switch (event->record->event) {
    case CT_EV_NATIVE_AIO:
        submitted(event);
        return true;
    case CT_EV_NATIVE_AIO_END:
        completed(event);
        return true;
    case CT_EV_NATIVE_HERE:
        is_here(event);
        return true;
    default:
        return false;
    }
}
