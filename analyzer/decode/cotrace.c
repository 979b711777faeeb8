/* SPDX-License-Identifier: MIT */
/*
 * cotrace.c - our own events: nearly one to one
 *
 * One case an event, in the order of the event list.  A field that the trace
 * does not have reads as 0 or NULL, which ct/step.h defines as "not told"; a
 * word of an enum that this version does not know becomes the word for that.
 */
#include "decode/dialects.h"
#include "decode/fields.h"

/* A value that is a time of the traced clock; 0: not told, or not possible. */
static int64_t instant(const struct ct_record *record, uint64_t value)
{
    int64_t when_ns;

    if (value == 0 || value > INT64_MAX ||
        __builtin_add_overflow((int64_t)value, record->zero_ns, &when_ns) ||
        when_ns > record->when_ns) {
        return 0;
    }
    return when_ns;
}

#define ABSENT(field) (!record->values[CT_FLD_##field].present)

static bool decode_state(const struct ct_enum_sizes *words,
                         const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_STATE_BEGIN:
        step->kind = CT_STEP_STATE_BEGIN;
        step->subject = U(STATE_BEGIN_TELLING);
        step->reason = ct_word(words, record, CT_FLD_STATE_BEGIN_REASON,
                               CT_TELL_REASON_PERIOD);
        return true;
    case CT_EV_STATE_CONTEXT:
        step->kind = CT_STEP_STATE_CONTEXT;
        step->subject = step->context = U(STATE_CONTEXT_CTX);
        step->name = S(STATE_CONTEXT_NAME);
        step->value = U(STATE_CONTEXT_DEPTH);
        step->bytes = U(STATE_CONTEXT_SCHEDULED);
        return true;
    case CT_EV_STATE_COROUTINE:
        step->kind = CT_STEP_STATE_CO;
        step->subject = U(STATE_COROUTINE_CO);
        step->object = U(STATE_COROUTINE_FROM);
        step->fn = U(STATE_COROUTINE_ENTRY);
        step->value = ct_word(words, record, CT_FLD_STATE_COROUTINE_STATE,
                              CT_CO_STATE_YIELDED);
        step->reason = ct_word(words, record, CT_FLD_STATE_COROUTINE_REASON,
                               CT_YIELD_REASON_OTHER);
        step->waits_for = U(STATE_COROUTINE_OBJECT);
        step->ns = instant(record, U(STATE_COROUTINE_SINCE));
        step->created_stack = U(STATE_COROUTINE_CREATED_STACK);
        step->stack = U(STATE_COROUTINE_YIELD_STACK);
        return true;
    case CT_EV_STATE_WORK:
        step->kind = CT_STEP_STATE_WORK;
        step->subject = U(STATE_WORK_REQ);
        step->object = U(STATE_WORK_CO);
        step->context = U(STATE_WORK_POOL);
        step->fn = U(STATE_WORK_FUNCTION);
        step->value = ct_word(words, record, CT_FLD_STATE_WORK_STATE,
                              CT_WORK_STATE_QUEUED);
        step->ns = instant(record, U(STATE_WORK_SINCE));
        step->stack = U(STATE_WORK_SUBMIT_STACK);
        return true;
    case CT_EV_STATE_WORKER:
        step->kind = CT_STEP_STATE_WORKER;
        step->subject = U(STATE_WORKER_WORKER);
        step->object = U(STATE_WORKER_REQ);
        step->context = U(STATE_WORKER_POOL);
        step->ret = (int32_t)I(STATE_WORKER_TID);
        step->value = ct_word(words, record, CT_FLD_STATE_WORKER_STATE,
                              CT_WORKER_STATE_IDLE);
        step->workers.max = (uint32_t)U(STATE_WORKER_MAX);
        return true;
    case CT_EV_STATE_REQUEST:
        step->kind = CT_STEP_STATE_REQUEST;
        step->subject = U(STATE_REQUEST_REQUEST);
        step->object = U(STATE_REQUEST_PARENT);
        step->waits_for = U(STATE_REQUEST_CO);
        step->layer = S(STATE_REQUEST_LAYER);
        step->op = S(STATE_REQUEST_OP);
        step->name = S(STATE_REQUEST_NODE);
        step->offset = U(STATE_REQUEST_OFFSET);
        step->bytes = U(STATE_REQUEST_BYTES);
        step->flag =
            ABSENT(STATE_REQUEST_OFFSET) || ABSENT(STATE_REQUEST_BYTES);
        step->ns = instant(record, U(STATE_REQUEST_SINCE));
        return true;
    case CT_EV_STATE_LOCK:
        step->kind = CT_STEP_STATE_LOCK;
        step->subject = U(STATE_LOCK_MUTEX);
        step->object = U(STATE_LOCK_HOLDER);
        step->value = U(STATE_LOCK_WAITERS);
        return true;
    case CT_EV_STATE_END:
        step->kind = CT_STEP_STATE_END;
        step->subject = U(STATE_END_TELLING);
        return true;
    default:
        return false;
    }
}

static bool decode_context(const struct ct_enum_sizes *words,
                           const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_CONTEXT_CREATE:
        step->kind = CT_STEP_CONTEXT_CREATE;
        step->subject = U(CONTEXT_CREATE_CTX);
        step->name = S(CONTEXT_CREATE_NAME);
        step->stack = U(CONTEXT_CREATE_STACK);
        break;
    case CT_EV_CONTEXT_DESTROY:
        step->kind = CT_STEP_CONTEXT_DESTROY;
        step->subject = U(CONTEXT_DESTROY_CTX);
        break;
    case CT_EV_AIO_NOTIFY:
        step->kind = CT_STEP_NOTIFY;
        step->subject = U(AIO_NOTIFY_CTX);
        break;
    case CT_EV_AIO_NOTIFY_ACCEPT:
        step->kind = CT_STEP_NOTIFY_ACCEPT;
        step->subject = U(AIO_NOTIFY_ACCEPT_CTX);
        break;
    case CT_EV_POLL_BEGIN:
        step->kind = CT_STEP_POLL_BEGIN;
        step->subject = U(POLL_BEGIN_CTX);
        step->flag = U(POLL_BEGIN_BLOCKING) != 0;
        step->value = U(POLL_BEGIN_DEPTH);
        step->reason =
            ct_word(words, record, CT_FLD_POLL_BEGIN_MODE, CT_POLL_MODE_POLL);
        step->stack = U(POLL_BEGIN_STACK);
        break;
    case CT_EV_POLL_END:
        step->kind = CT_STEP_POLL_END;
        step->subject = U(POLL_END_CTX);
        step->flag = U(POLL_END_PROGRESS) != 0;
        step->value = U(POLL_END_DEPTH);
        break;
    case CT_EV_FDMON_WAIT_BEGIN:
        step->kind = CT_STEP_FDMON_BEGIN;
        step->subject = U(FDMON_WAIT_BEGIN_CTX);
        step->ns = I(FDMON_WAIT_BEGIN_TIMEOUT);
        break;
    case CT_EV_FDMON_WAIT_END:
        step->kind = CT_STEP_FDMON_END;
        step->subject = U(FDMON_WAIT_END_CTX);
        step->ret = (int32_t)I(FDMON_WAIT_END_READY);
        break;
    case CT_EV_WAIT_BEGIN:
        step->kind = CT_STEP_WAIT_BEGIN;
        step->subject = U(WAIT_BEGIN_CTX);
        step->stack = U(WAIT_BEGIN_STACK);
        break;
    case CT_EV_WAIT_END:
        step->kind = CT_STEP_WAIT_END;
        step->subject = U(WAIT_END_CTX);
        break;
    default:
        return false;
    }
    step->context = step->subject;
    return true;
}

static bool decode_handler(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_FD_HANDLER_SET:
        step->kind = CT_STEP_FD_SET;
        step->subject = U(FD_HANDLER_SET_HANDLER);
        step->context = U(FD_HANDLER_SET_CTX);
        step->value = (uint64_t)I(FD_HANDLER_SET_FD);
        step->fn = U(FD_HANDLER_SET_READ) ? U(FD_HANDLER_SET_READ)
                                          : U(FD_HANDLER_SET_WRITE);
        step->stack = U(FD_HANDLER_SET_STACK);
        return true;
    case CT_EV_FD_HANDLER_REMOVE:
        step->kind = CT_STEP_FD_REMOVE;
        step->subject = U(FD_HANDLER_REMOVE_HANDLER);
        step->context = U(FD_HANDLER_REMOVE_CTX);
        step->value = (uint64_t)I(FD_HANDLER_REMOVE_FD);
        return true;
    case CT_EV_FD_RUN_BEGIN:
        step->kind = CT_STEP_FD_RUN_BEGIN;
        step->subject = U(FD_RUN_BEGIN_HANDLER);
        step->context = U(FD_RUN_BEGIN_CTX);
        step->value = (uint64_t)I(FD_RUN_BEGIN_FD);
        step->fn = U(FD_RUN_BEGIN_CALLBACK);
        return true;
    case CT_EV_FD_RUN_END:
        step->kind = CT_STEP_FD_RUN_END;
        step->subject = U(FD_RUN_END_HANDLER);
        step->context = U(FD_RUN_END_CTX);
        return true;
    case CT_EV_TIMER_ARM:
        step->kind = CT_STEP_TIMER_ARM;
        step->subject = U(TIMER_ARM_TIMER);
        step->context = U(TIMER_ARM_CTX);
        step->fn = U(TIMER_ARM_CALLBACK);
        step->ns = I(TIMER_ARM_DEADLINE);
        step->reason = (uint8_t)U(TIMER_ARM_CLOCK);
        step->stack = U(TIMER_ARM_STACK);
        return true;
    case CT_EV_TIMER_CANCEL:
        step->kind = CT_STEP_TIMER_CANCEL;
        step->subject = U(TIMER_CANCEL_TIMER);
        step->context = U(TIMER_CANCEL_CTX);
        return true;
    case CT_EV_TIMER_RUN_BEGIN:
        step->kind = CT_STEP_TIMER_RUN_BEGIN;
        step->subject = U(TIMER_RUN_BEGIN_TIMER);
        step->context = U(TIMER_RUN_BEGIN_CTX);
        step->fn = U(TIMER_RUN_BEGIN_CALLBACK);
        return true;
    case CT_EV_TIMER_RUN_END:
        step->kind = CT_STEP_TIMER_RUN_END;
        step->subject = U(TIMER_RUN_END_TIMER);
        step->context = U(TIMER_RUN_END_CTX);
        return true;
    case CT_EV_BH_SCHEDULE:
        step->kind = CT_STEP_BH_SCHEDULE;
        step->subject = U(BH_SCHEDULE_BH);
        step->context = U(BH_SCHEDULE_CTX);
        step->name = S(BH_SCHEDULE_NAME);
        step->fn = U(BH_SCHEDULE_CALLBACK);
        step->value = U(BH_SCHEDULE_FLAGS);
        step->stack = U(BH_SCHEDULE_STACK);
        return true;
    case CT_EV_BH_CANCEL:
        step->kind = CT_STEP_BH_CANCEL;
        step->subject = U(BH_CANCEL_BH);
        step->context = U(BH_CANCEL_CTX);
        return true;
    case CT_EV_BH_DELETE:
        step->kind = CT_STEP_BH_DELETE;
        step->subject = U(BH_DELETE_BH);
        step->context = U(BH_DELETE_CTX);
        return true;
    case CT_EV_BH_RUN_BEGIN:
        step->kind = CT_STEP_BH_RUN_BEGIN;
        step->subject = U(BH_RUN_BEGIN_BH);
        step->context = U(BH_RUN_BEGIN_CTX);
        step->name = S(BH_RUN_BEGIN_NAME);
        step->fn = U(BH_RUN_BEGIN_CALLBACK);
        return true;
    case CT_EV_BH_RUN_END:
        step->kind = CT_STEP_BH_RUN_END;
        step->subject = U(BH_RUN_END_BH);
        step->context = U(BH_RUN_END_CTX);
        return true;
    default:
        return false;
    }
}

static bool decode_coroutine(const struct ct_enum_sizes *words,
                             const struct ct_record *record,
                             struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_COROUTINE_CREATE:
        step->kind = CT_STEP_CO_CREATE;
        step->subject = U(COROUTINE_CREATE_CO);
        step->fn = U(COROUTINE_CREATE_ENTRY);
        step->stack = U(COROUTINE_CREATE_STACK);
        return true;
    case CT_EV_AIO_COROUTINE_ENTER:
        step->kind = CT_STEP_CO_ENTER;
        step->subject = U(AIO_COROUTINE_ENTER_TO);
        step->object = U(AIO_COROUTINE_ENTER_FROM);
        step->context = U(AIO_COROUTINE_ENTER_CTX);
        step->stack = U(AIO_COROUTINE_ENTER_STACK);
        return true;
    case CT_EV_COROUTINE_YIELD:
        step->kind = CT_STEP_CO_YIELD;
        step->subject = U(COROUTINE_YIELD_FROM);
        step->object = U(COROUTINE_YIELD_TO);
        step->reason = ct_word(words, record, CT_FLD_COROUTINE_YIELD_REASON,
                               CT_YIELD_REASON_OTHER);
        step->waits_for = U(COROUTINE_YIELD_OBJECT);
        step->stack = U(COROUTINE_YIELD_STACK);
        return true;
    case CT_EV_COROUTINE_TERMINATE:
        step->kind = CT_STEP_CO_TERMINATE;
        step->subject = U(COROUTINE_TERMINATE_SELF);
        step->object = U(COROUTINE_TERMINATE_TO);
        return true;
    case CT_EV_AIO_CO_SCHEDULE:
        step->kind = CT_STEP_CO_SCHEDULE;
        step->subject = U(AIO_CO_SCHEDULE_CO);
        step->object = U(AIO_CO_SCHEDULE_WAKER);
        step->context = U(AIO_CO_SCHEDULE_CTX);
        step->stack = U(AIO_CO_SCHEDULE_STACK);
        return true;
    case CT_EV_AIO_CO_SCHEDULE_BH_CB:
        step->kind = CT_STEP_CO_DEQUEUE;
        step->subject = U(AIO_CO_SCHEDULE_BH_CB_CO);
        step->context = U(AIO_CO_SCHEDULE_BH_CB_CTX);
        return true;
    case CT_EV_AIO_CO_WAKE:
        step->kind = CT_STEP_CO_WAKE;
        step->subject = U(AIO_CO_WAKE_CO);
        step->object = U(AIO_CO_WAKE_WAKER);
        step->context = U(AIO_CO_WAKE_CTX);
        step->reason = ct_word(words, record, CT_FLD_AIO_CO_WAKE_HOW,
                               CT_WAKE_HOW_SCHEDULED);
        step->stack = U(AIO_CO_WAKE_STACK);
        return true;
    default:
        return false;
    }
}

static bool decode_lock(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_CO_MUTEX_LOCK_UNCONTENDED:
        step->kind = CT_STEP_LOCK_TAKE;
        step->subject = U(CO_MUTEX_LOCK_UNCONTENDED_MUTEX);
        step->object = U(CO_MUTEX_LOCK_UNCONTENDED_SELF);
        return true;
    case CT_EV_CO_MUTEX_LOCK_ENTRY:
        step->kind = CT_STEP_LOCK_WAIT;
        step->subject = U(CO_MUTEX_LOCK_ENTRY_MUTEX);
        step->object = U(CO_MUTEX_LOCK_ENTRY_SELF);
        step->value = U(CO_MUTEX_LOCK_ENTRY_HOLDER);
        return true;
    case CT_EV_CO_MUTEX_LOCK_RETURN:
        step->kind = CT_STEP_LOCK_TAKEN;
        step->subject = U(CO_MUTEX_LOCK_RETURN_MUTEX);
        step->object = U(CO_MUTEX_LOCK_RETURN_SELF);
        return true;
    case CT_EV_CO_MUTEX_UNLOCK_ENTRY:
        step->kind = CT_STEP_LOCK_RELEASE;
        step->subject = U(CO_MUTEX_UNLOCK_ENTRY_MUTEX);
        step->object = U(CO_MUTEX_UNLOCK_ENTRY_SELF);
        return true;
    case CT_EV_CO_MUTEX_UNLOCK_RETURN:
        step->kind = CT_STEP_LOCK_HAND_OVER;
        step->subject = U(CO_MUTEX_UNLOCK_RETURN_MUTEX);
        step->object = U(CO_MUTEX_UNLOCK_RETURN_SELF);
        step->value = U(CO_MUTEX_UNLOCK_RETURN_TO);
        return true;
    case CT_EV_CO_QUEUE_WAIT:
        step->kind = CT_STEP_QUEUE_WAIT;
        step->subject = U(CO_QUEUE_WAIT_QUEUE);
        step->object = U(CO_QUEUE_WAIT_SELF);
        return true;
    case CT_EV_CO_QUEUE_WAKE:
        step->kind = CT_STEP_QUEUE_WAKE;
        step->subject = U(CO_QUEUE_WAKE_QUEUE);
        step->object = U(CO_QUEUE_WAKE_SELF);
        step->value = U(CO_QUEUE_WAKE_TO);
        return true;
    default:
        return false;
    }
}

static bool decode_work(const struct ct_enum_sizes *words,
                        const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_THREAD_CREATE:
        step->kind = CT_STEP_THREAD_CREATE;
        step->subject = U(THREAD_CREATE_THREAD);
        step->name = S(THREAD_CREATE_NAME);
        step->stack = U(THREAD_CREATE_STACK);
        return true;
    case CT_EV_THREAD_START:
        step->kind = CT_STEP_THREAD_START;
        step->subject = U(THREAD_START_THREAD);
        step->name = S(THREAD_START_NAME);
        return true;
    case CT_EV_THREAD_EXIT:
        step->kind = CT_STEP_THREAD_EXIT;
        step->subject = U(THREAD_EXIT_THREAD);
        return true;
    case CT_EV_THREAD_POOL_SUBMIT:
        step->kind = CT_STEP_WORK_SUBMIT;
        step->subject = U(THREAD_POOL_SUBMIT_REQ);
        step->object = U(THREAD_POOL_SUBMIT_CO);
        step->context = U(THREAD_POOL_SUBMIT_POOL);
        step->fn = U(THREAD_POOL_SUBMIT_FUNCTION);
        step->stack = U(THREAD_POOL_SUBMIT_STACK);
        return true;
    case CT_EV_WORK_BEGIN:
        step->kind = CT_STEP_WORK_BEGIN;
        step->subject = U(WORK_BEGIN_REQ);
        step->object = U(WORK_BEGIN_WORKER);
        step->context = U(WORK_BEGIN_POOL);
        step->fn = U(WORK_BEGIN_FUNCTION);
        step->stack = U(WORK_BEGIN_STACK);
        return true;
    case CT_EV_WORK_END:
        step->kind = CT_STEP_WORK_END;
        step->subject = U(WORK_END_REQ);
        step->context = U(WORK_END_POOL);
        step->ret = (int32_t)I(WORK_END_RET);
        return true;
    case CT_EV_THREAD_POOL_COMPLETE:
        step->kind = CT_STEP_WORK_COMPLETE;
        step->subject = U(THREAD_POOL_COMPLETE_REQ);
        step->context = U(THREAD_POOL_COMPLETE_POOL);
        step->ret = (int32_t)I(THREAD_POOL_COMPLETE_RET);
        return true;
    case CT_EV_THREAD_POOL_CANCEL:
        step->kind = CT_STEP_WORK_CANCEL;
        step->subject = U(THREAD_POOL_CANCEL_REQ);
        step->context = U(THREAD_POOL_CANCEL_POOL);
        step->flag = U(THREAD_POOL_CANCEL_TAKEN) != 0;
        return true;
    case CT_EV_WORKER_SPAWN_REQUEST:
        step->kind = CT_STEP_SPAWN_REQUEST;
        step->subject = step->context = U(WORKER_SPAWN_REQUEST_POOL);
        step->value = U(WORKER_SPAWN_REQUEST_NTH);
        step->workers.current = (uint32_t)U(WORKER_SPAWN_REQUEST_CURRENT);
        step->workers.idle = (uint32_t)U(WORKER_SPAWN_REQUEST_IDLE);
        step->workers.new_ = (uint32_t)U(WORKER_SPAWN_REQUEST_NEW);
        step->workers.pending = (uint32_t)U(WORKER_SPAWN_REQUEST_PENDING);
        step->workers.max = (uint32_t)U(WORKER_SPAWN_REQUEST_MAX);
        step->stack = U(WORKER_SPAWN_REQUEST_STACK);
        return true;
    case CT_EV_WORKER_CREATE:
        step->kind = CT_STEP_WORKER_CREATE;
        step->subject = U(WORKER_CREATE_WORKER);
        step->context = U(WORKER_CREATE_POOL);
        step->value = U(WORKER_CREATE_NTH);
        step->stack = U(WORKER_CREATE_STACK);
        return true;
    case CT_EV_WORKER_START:
        step->kind = CT_STEP_WORKER_START;
        step->subject = U(WORKER_START_WORKER);
        step->context = U(WORKER_START_POOL);
        step->stack = U(WORKER_START_STACK);
        return true;
    case CT_EV_WORKER_EXIT:
        step->kind = CT_STEP_WORKER_EXIT;
        step->subject = U(WORKER_EXIT_WORKER);
        step->context = U(WORKER_EXIT_POOL);
        step->reason = ct_word(words, record, CT_FLD_WORKER_EXIT_REASON,
                               CT_EXIT_REASON_SHUTDOWN);
        return true;
    default:
        return false;
    }
}

static bool decode_request(const struct ct_record *record, struct ct_step *step)
{
    switch (record->event) {
    case CT_EV_REQUEST_BEGIN:
        step->kind = CT_STEP_REQUEST_BEGIN;
        step->subject = U(REQUEST_BEGIN_REQUEST);
        step->object = U(REQUEST_BEGIN_PARENT);
        step->waits_for = U(REQUEST_BEGIN_CO);
        step->layer = S(REQUEST_BEGIN_LAYER);
        step->op = S(REQUEST_BEGIN_OP);
        step->name = S(REQUEST_BEGIN_NODE);
        step->offset = U(REQUEST_BEGIN_OFFSET);
        step->bytes = U(REQUEST_BEGIN_BYTES);
        step->flag =
            ABSENT(REQUEST_BEGIN_OFFSET) || ABSENT(REQUEST_BEGIN_BYTES);
        step->value = U(REQUEST_BEGIN_FLAGS);
        step->stack = U(REQUEST_BEGIN_STACK);
        return true;
    case CT_EV_REQUEST_KIND:
        step->kind = CT_STEP_REQUEST_KIND;
        step->subject = U(REQUEST_KIND_KIND);
        step->layer = S(REQUEST_KIND_LAYER);
        step->op = S(REQUEST_KIND_OP);
        step->name = S(REQUEST_KIND_NODE);
        step->value = U(REQUEST_KIND_FLAGS);
        return true;
    case CT_EV_REQUEST_OPEN:
        step->kind = CT_STEP_REQUEST_BEGIN;
        step->subject = U(REQUEST_OPEN_REQUEST);
        step->object = U(REQUEST_OPEN_PARENT);
        step->waits_for = U(REQUEST_OPEN_CO);
        step->context = U(REQUEST_OPEN_KIND);
        step->offset = U(REQUEST_OPEN_OFFSET);
        step->bytes = U(REQUEST_OPEN_BYTES);
        step->flag = ABSENT(REQUEST_OPEN_OFFSET) || ABSENT(REQUEST_OPEN_BYTES);
        step->stack = U(REQUEST_OPEN_STACK);
        return true;
    case CT_EV_REQUEST_COROUTINE:
        step->kind = CT_STEP_REQUEST_COROUTINE;
        step->subject = U(REQUEST_COROUTINE_REQUEST);
        step->object = U(REQUEST_COROUTINE_CO);
        return true;
    case CT_EV_REQUEST_END:
        step->kind = CT_STEP_REQUEST_END;
        step->subject = U(REQUEST_END_REQUEST);
        step->ret = (int32_t)I(REQUEST_END_RET);
        step->flag = ABSENT(REQUEST_END_RET);
        return true;
    default:
        return false;
    }
}

bool ct_decode_cotrace(const struct ct_enum_sizes *words,
                       const struct ct_record *record, struct ct_step *step)
{
    if (record->event == CT_EV_STACK_FRAMES) {
        step->kind = CT_STEP_STACK;
        step->subject = U(STACK_FRAMES_ID);
        step->object = U(STACK_FRAMES_OUTER);
        step->flag = U(STACK_FRAMES_LIMIT) != 0;
        step->addresses = record->values[CT_FLD_STACK_FRAMES_FRAMES].v;
        step->n_addresses = record->values[CT_FLD_STACK_FRAMES_FRAMES].len;
        return true;
    }
    if (record->event < CT_EV_CONTEXT_CREATE) {
        return decode_state(words, record, step);
    }
    if (record->event < CT_EV_FDMON_CHOOSE) {
        return decode_context(words, record, step);
    }
    if (record->event < CT_EV_FD_HANDLER_SET) {
        return ct_decode_waiting(record, step);
    }
    if (record->event < CT_EV_COROUTINE_CREATE) {
        return decode_handler(record, step);
    }
    if (record->event < CT_EV_CO_MUTEX_LOCK_UNCONTENDED) {
        return decode_coroutine(words, record, step);
    }
    if (record->event < CT_EV_THREAD_CREATE) {
        return decode_lock(record, step);
    }
    if (record->event < CT_EV_IO_SUBMIT) {
        return decode_work(words, record, step);
    }
    if (record->event < CT_EV_REQUEST_BEGIN) {
        return ct_decode_io(record, step);
    }
    if (record->event < CT_EV_GRAPH_WRLOCK_ENTRY) {
        return decode_request(record, step);
    }
    return ct_decode_graph(record, step);
}
