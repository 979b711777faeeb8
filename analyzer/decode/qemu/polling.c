/* SPDX-License-Identifier: MIT */
/*
 * polling.c - how QEMU's loops wait: busy polling, and its adaption
 *
 * Only contexts that poll (iothreads) tell of it, and nothing tells of their
 * turns, so the time between two polls is nobody's.  It concerns threads; what
 * a coroutine did last stays what it was.
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

static void busy(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    bool begins = record->event == CT_EV_QEMU_RUN_POLL_HANDLERS_BEGIN;
    struct ct_step *step =
        ct_qemu_step(event, begins ? CT_STEP_BUSY_BEGIN : CT_STEP_BUSY_END);

    step->subject = step->context = U(RUN_POLL_HANDLERS_BEGIN_CTX);
    if (begins) {
        step->ns = I(RUN_POLL_HANDLERS_BEGIN_MAX_NS);
        step->value = U(RUN_POLL_HANDLERS_BEGIN_TIMEOUT);
    } else {
        step->flag = U(RUN_POLL_HANDLERS_END_PROGRESS) != 0;
    }
}

static void adapt(struct ct_qemu_event *event, enum ct_step_kind kind)
{
    const struct ct_record *record = event->record;
    struct ct_step *step = ct_qemu_step(event, kind);

    step->subject = step->context = U(POLL_GROW_CTX);
    step->value = U(POLL_GROW_OLD);
    step->ns = I(POLL_GROW_NEW);
}

static void handler(struct ct_qemu_event *event, enum ct_step_kind kind)
{
    const struct ct_record *record = event->record;
    struct ct_step *step = ct_qemu_step(event, kind);

    step->subject = U(POLL_ADD_NODE);
    step->context = U(POLL_ADD_CTX);
    step->value = U(POLL_ADD_FD);
}

bool ct_qemu_polling(struct ct_qemu_event *event)
{
    switch (event->record->event) {
    case CT_EV_QEMU_RUN_POLL_HANDLERS_BEGIN:
    case CT_EV_QEMU_RUN_POLL_HANDLERS_END:
        busy(event);
        return true;
    case CT_EV_QEMU_POLL_GROW:
        adapt(event, CT_STEP_POLL_GROW);
        return true;
    case CT_EV_QEMU_POLL_SHRINK:
        adapt(event, CT_STEP_POLL_SHRINK);
        return true;
    case CT_EV_QEMU_POLL_ADD:
        handler(event, CT_STEP_POLL_ADD);
        return true;
    case CT_EV_QEMU_POLL_REMOVE:
        handler(event, CT_STEP_POLL_REMOVE);
        return true;
    /* io_uring's list is handed to the kernel, whoever is on the thread */
    case CT_EV_QEMU_LURING_DO_SUBMIT:
    case CT_EV_QEMU_LURING_DO_SUBMIT_DONE:
    case CT_EV_QEMU_LURING_IO_URING_SUBMIT:
    case CT_EV_QEMU_LURING_IO_PLUG:
    case CT_EV_QEMU_LURING_IO_UNPLUG:
    case CT_EV_QEMU_LURING_UNPLUG_FN:
    case CT_EV_QEMU_LURING_PROCESS_COMPLETION:
    case CT_EV_QEMU_LURING_RESUBMIT_SHORT_READ:
        return true;
    default:
        return false;
    }
}
