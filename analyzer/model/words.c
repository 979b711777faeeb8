/* SPDX-License-Identifier: MIT */
/*
 * The words that people read and scripts rely on; a word is never changed.
 */
#include <glib.h>

#include "ct/entity.h"
#include "ct/pre.h"
#include "ct/request.h"

static const char *const boundary_words[] = {
    [CT_BOUNDARY_NONE] = "none",
    [CT_BOUNDARY_COROUTINE] = "coroutine",
    [CT_BOUNDARY_BOTTOM_HALF] = "bottom-half",
    [CT_BOUNDARY_TIMER] = "timer",
    [CT_BOUNDARY_FD_HANDLER] = "fd-handler",
    [CT_BOUNDARY_WORK_ITEM] = "work-item",
    [CT_BOUNDARY_WORKER_SPAWN] = "worker-spawn",
    [CT_BOUNDARY_THREAD] = "thread",
};

static const char *const state_words[CT_STATES] = {
    [CT_STATE_RUNNING] = "running",
    [CT_STATE_RUNNABLE] = "runnable",
    [CT_STATE_WORK_QUEUED] = "work-queued",
    [CT_STATE_WORK_RUNNING] = "work-running",
    [CT_STATE_WORK_DONE] = "work-done",
    [CT_STATE_WORK] = "work",
    [CT_STATE_IO] = "io",
    [CT_STATE_LOCK] = "lock",
    [CT_STATE_TIMER] = "timer",
    [CT_STATE_CHILDREN] = "children",
    [CT_STATE_COMPLETING] = "completing",
    [CT_STATE_QUEUE] = "queue",
    [CT_STATE_UNKNOWN] = "unknown",
};

static const char *const cause_words[] = {
    [CT_CAUSE_NONE] = "none",   [CT_CAUSE_HOLDER] = "holder",
    [CT_CAUSE_LOOP] = "loop",   [CT_CAUSE_WORKER] = "worker",
    [CT_CAUSE_SPAWN] = "spawn", [CT_CAUSE_WAKEUP] = "wakeup",
    [CT_CAUSE_CHILD] = "child", [CT_CAUSE_DEVICE] = "device",
    [CT_CAUSE_WAKER] = "waker", [CT_CAUSE_TIMER] = "timer",
    [CT_CAUSE_POOL] = "pool",   [CT_CAUSE_UNKNOWN] = "unknown",
};

static const char *const ran_words[CT_RAN_KINDS] = {
    [CT_RAN_BOTTOM_HALF] = "bottom-half", [CT_RAN_TIMER] = "timer",
    [CT_RAN_FD_HANDLER] = "fd-handler",   [CT_RAN_COROUTINE] = "coroutine",
    [CT_RAN_NESTED_POLL] = "nested-poll", [CT_RAN_LOOP] = "loop",
    [CT_RAN_KERNEL] = "kernel",           [CT_RAN_OUTSIDE] = "outside",
    [CT_RAN_WORK] = "work-item",          [CT_RAN_STATE] = "state",
    [CT_RAN_OTHERS] = "others",           [CT_RAN_UNKNOWN] = "unknown",
};

const char *ct_boundary_word(enum ct_boundary boundary)
{
    ct_pre("word/in-range", boundary < G_N_ELEMENTS(boundary_words));
    return boundary_words[boundary];
}

const char *ct_state_word(enum ct_state state)
{
    ct_pre("word/in-range", state < G_N_ELEMENTS(state_words));
    return state_words[state];
}

const char *ct_cause_word(enum ct_cause_kind kind)
{
    ct_pre("word/in-range", kind < G_N_ELEMENTS(cause_words));
    return cause_words[kind];
}

const char *ct_ran_word(enum ct_ran_kind kind)
{
    ct_pre("word/in-range", kind < G_N_ELEMENTS(ran_words));
    return ran_words[kind];
}
