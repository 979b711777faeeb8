/* SPDX-License-Identifier: MIT */
/*
 * waiting.c - our own events of how a loop waits: monitors, busy polling; and
 * of what it gives to the kernel to do; and of the block layer's graph
 */
#include "decode/dialects.h"
#include "decode/fields.h"

bool ct_decode_io(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_IO_SUBMIT:
        step->kind = CT_STEP_IO_SUBMIT;
        step->subject = U(IO_SUBMIT_IO);
        step->object = U(IO_SUBMIT_CO);
        step->context = U(IO_SUBMIT_CTX);
        step->reason = (uint8_t)U(IO_SUBMIT_OP);
        step->value = U(IO_SUBMIT_FD);
        step->offset = U(IO_SUBMIT_OFFSET);
        step->bytes = U(IO_SUBMIT_BYTES);
        step->stack = U(IO_SUBMIT_STACK);
        return true;
    case CT_EV_IO_BATCH:
        step->kind = CT_STEP_IO_BATCH;
        step->subject = step->context = U(IO_BATCH_CTX);
        step->value = U(IO_BATCH_COUNT);
        step->bytes = U(IO_BATCH_IN_FLIGHT);
        return true;
    case CT_EV_IO_COMPLETE:
        step->kind = CT_STEP_IO_COMPLETE;
        step->subject = U(IO_COMPLETE_IO);
        step->context = U(IO_COMPLETE_CTX);
        step->ret = (int32_t)I(IO_COMPLETE_RET);
        return true;
    default:
        return false;
    }
}

bool ct_decode_graph(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_GRAPH_WRLOCK_ENTRY:
        step->kind = CT_STEP_GRAPH_LOCK_WAIT;
        step->subject = step->context = U(GRAPH_WRLOCK_ENTRY_CTX);
        step->value = U(GRAPH_WRLOCK_ENTRY_READERS);
        step->stack = U(GRAPH_WRLOCK_ENTRY_STACK);
        return true;
    case CT_EV_GRAPH_WRLOCK_RETURN:
        step->kind = CT_STEP_GRAPH_LOCK_TAKEN;
        step->subject = step->context = U(GRAPH_WRLOCK_RETURN_CTX);
        return true;
    case CT_EV_GRAPH_WRUNLOCK:
        step->kind = CT_STEP_GRAPH_LOCK_RELEASE;
        step->subject = step->context = U(GRAPH_WRUNLOCK_CTX);
        return true;
    case CT_EV_GRAPH_DRAINED_BEGIN:
        step->kind = CT_STEP_GRAPH_DRAINED_BEGIN;
        step->subject = U(GRAPH_DRAINED_BEGIN_NODE);
        step->name = S(GRAPH_DRAINED_BEGIN_NAME);
        step->value = U(GRAPH_DRAINED_BEGIN_IN_FLIGHT);
        step->stack = U(GRAPH_DRAINED_BEGIN_STACK);
        return true;
    case CT_EV_GRAPH_DRAINED_END:
        step->kind = CT_STEP_GRAPH_DRAINED_END;
        step->subject = U(GRAPH_DRAINED_END_NODE);
        step->name = S(GRAPH_DRAINED_END_NAME);
        return true;
    case CT_EV_GRAPH_MOVE:
        step->kind = CT_STEP_GRAPH_MOVE;
        step->subject = U(GRAPH_MOVE_NODE);
        step->object = U(GRAPH_MOVE_FROM);
        step->context = U(GRAPH_MOVE_TO);
        step->name = S(GRAPH_MOVE_NAME);
        return true;
    default:
        return false;
    }
}

bool ct_decode_waiting(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_FDMON_CHOOSE:
        step->kind = CT_STEP_FDMON_CHOOSE;
        step->subject = U(FDMON_CHOOSE_CTX);
        step->name = S(FDMON_CHOOSE_NAME);
        step->value = U(FDMON_CHOOSE_FDS);
        break;
    case CT_EV_RUN_POLL_HANDLERS_BEGIN:
        step->kind = CT_STEP_BUSY_BEGIN;
        step->subject = U(RUN_POLL_HANDLERS_BEGIN_CTX);
        step->ns = I(RUN_POLL_HANDLERS_BEGIN_MAX_NS);
        step->value = U(RUN_POLL_HANDLERS_BEGIN_TIMEOUT);
        break;
    case CT_EV_RUN_POLL_HANDLERS_END:
        step->kind = CT_STEP_BUSY_END;
        step->subject = U(RUN_POLL_HANDLERS_END_CTX);
        step->flag = U(RUN_POLL_HANDLERS_END_PROGRESS) != 0;
        step->ns = I(RUN_POLL_HANDLERS_END_ELAPSED);
        break;
    case CT_EV_POLL_GROW:
        step->kind = CT_STEP_POLL_GROW;
        step->subject = U(POLL_GROW_CTX);
        step->value = U(POLL_GROW_OLD);
        step->ns = I(POLL_GROW_NEW);
        break;
    case CT_EV_POLL_SHRINK:
        step->kind = CT_STEP_POLL_SHRINK;
        step->subject = U(POLL_SHRINK_CTX);
        step->value = U(POLL_SHRINK_OLD);
        step->ns = I(POLL_SHRINK_NEW);
        break;
    case CT_EV_POLL_ADD:
        step->kind = CT_STEP_POLL_ADD;
        step->subject = U(POLL_ADD_HANDLER);
        step->context = U(POLL_ADD_CTX);
        step->value = U(POLL_ADD_FD);
        return true;
    case CT_EV_POLL_REMOVE:
        step->kind = CT_STEP_POLL_REMOVE;
        step->subject = U(POLL_REMOVE_HANDLER);
        step->context = U(POLL_REMOVE_CTX);
        step->value = U(POLL_REMOVE_FD);
        return true;
    default:
        return false;
    }
    step->context = step->subject;
    return true;
}
