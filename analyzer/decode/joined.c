/* SPDX-License-Identifier: MIT */
/*
 * joined.c - events that stand for several, told where these happen at one
 * instant on one thread: the steps are those of the events that they stand for,
 * in their order
 */
#include "decode/dialects.h"
#include "decode/fields.h"

static unsigned start(const struct ct_record *record, struct ct_step *steps)
{
    steps[1] = steps[0];

    steps[0].kind = CT_STEP_CO_CREATE;
    steps[0].subject = U(COROUTINE_START_CO);
    steps[0].fn = U(COROUTINE_START_ENTRY);
    steps[0].stack = U(COROUTINE_START_STACK);

    steps[1].kind = CT_STEP_CO_ENTER;
    steps[1].subject = U(COROUTINE_START_CO);
    steps[1].object = U(COROUTINE_START_FROM);
    steps[1].context = U(COROUTINE_START_CTX);
    steps[1].stack = U(COROUTINE_START_STACK);
    return 2;
}

static unsigned next(const struct ct_record *record, struct ct_step *steps)
{
    steps[0].object = U(COROUTINE_NEXT_FROM);
    steps[1] = steps[0];

    steps[0].kind = CT_STEP_CO_TERMINATE;
    steps[0].subject = U(COROUTINE_NEXT_SELF);

    steps[1].kind = CT_STEP_CO_ENTER;
    steps[1].subject = U(COROUTINE_NEXT_TO);
    steps[1].context = U(COROUTINE_NEXT_CTX);
    steps[1].stack = U(COROUTINE_NEXT_STACK);
    return 2;
}

/* By the thread itself, no coroutine of it. */
static unsigned wake_enter(struct ct_step *steps, uint64_t co, uint64_t ctx,
                           uint64_t stack)
{
    steps[0].subject = co;
    steps[0].context = ctx;
    steps[0].stack = stack;
    steps[1] = steps[0];
    steps[0].kind = CT_STEP_CO_WAKE;
    steps[0].reason = CT_WAKE_HOW_ENTERED;
    steps[1].kind = CT_STEP_CO_ENTER;
    return 2;
}

static unsigned resume(const struct ct_record *record, struct ct_step *steps)
{
    steps[1] = steps[0];

    steps[0].kind = CT_STEP_WORK_COMPLETE;
    steps[0].subject = U(THREAD_POOL_RESUME_REQ);
    steps[0].context = U(THREAD_POOL_RESUME_POOL);
    steps[0].ret = (int32_t)I(THREAD_POOL_RESUME_RET);
    return 1 + wake_enter(&steps[1], U(THREAD_POOL_RESUME_CO),
                          U(THREAD_POOL_RESUME_CTX),
                          U(THREAD_POOL_RESUME_STACK));
}

static unsigned request_start(const struct ct_enum_sizes *words,
                              const struct ct_record *record,
                              struct ct_step *steps)
{
    struct ct_step step = steps[0];

    step.subject = U(REQUEST_START_CO);
    step.stack = U(REQUEST_START_STACK);

    steps[0] = step;
    steps[0].kind = CT_STEP_CO_CREATE;
    steps[0].fn = U(REQUEST_START_ENTRY);

    steps[1] = step;
    steps[1].kind = CT_STEP_REQUEST_COROUTINE;
    steps[1].subject = U(REQUEST_START_REQUEST);
    steps[1].object = U(REQUEST_START_CO);
    steps[1].stack = 0;

    step.object = U(REQUEST_START_WAKER);
    step.context = U(REQUEST_START_CTX);
    steps[2] = step;
    steps[2].kind = CT_STEP_CO_WAKE;
    steps[2].reason =
        ct_word(words, record, CT_FLD_REQUEST_START_HOW, CT_WAKE_HOW_SCHEDULED);
    if (steps[2].reason != CT_WAKE_HOW_ENTERED) {
        return 3;
    }
    steps[3] = step;
    steps[3].kind = CT_STEP_CO_ENTER;
    return 4;
}

static unsigned work_next(const struct ct_record *record, struct ct_step *steps)
{
    steps[0].context = U(WORK_NEXT_POOL);
    steps[1] = steps[0];

    steps[0].kind = CT_STEP_WORK_END;
    steps[0].subject = U(WORK_NEXT_REQ);
    steps[0].ret = (int32_t)I(WORK_NEXT_RET);

    steps[1].kind = CT_STEP_WORK_BEGIN;
    steps[1].subject = U(WORK_NEXT_NEXT);
    steps[1].object = U(WORK_NEXT_WORKER);
    steps[1].fn = U(WORK_NEXT_FUNCTION);
    steps[1].stack = U(WORK_NEXT_STACK);
    return 2;
}

unsigned ct_decode_joined(const struct ct_enum_sizes *words,
                          const struct ct_record *record, struct ct_step *steps)
{
    switch (record->event) {
    case CT_EV_COROUTINE_START:
        return start(record, steps);
    case CT_EV_COROUTINE_NEXT:
        return next(record, steps);
    case CT_EV_AIO_CO_WAKE_ENTER:
        return wake_enter(steps, U(AIO_CO_WAKE_ENTER_CO),
                          U(AIO_CO_WAKE_ENTER_CTX), U(AIO_CO_WAKE_ENTER_STACK));
    case CT_EV_REQUEST_START:
        return request_start(words, record, steps);
    case CT_EV_THREAD_POOL_RESUME:
        return resume(record, steps);
    case CT_EV_WORK_NEXT:
        return work_next(record, steps);
    default:
        return 0;
    }
}
