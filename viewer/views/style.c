/* SPDX-License-Identifier: MIT */
/*
 * style.c - what has a colour has the same one in every view
 *
 * Green: it goes on.  Blue: somebody works for it.  Yellow and magenta: it
 * could go on, and nobody takes it up.  Red: it waits for its turn.
 */
#include "views/make.h"

enum ct_style ct_state_style(enum ct_state state)
{
    switch (state) {
    case CT_STATE_RUNNING:
        return CT_GREEN;
    case CT_STATE_WORK_RUNNING:
    case CT_STATE_WORK:
    case CT_STATE_IO:
        return CT_BLUE;
    case CT_STATE_RUNNABLE:
        return CT_YELLOW;
    case CT_STATE_WORK_DONE:
    case CT_STATE_COMPLETING:
        return CT_MAGENTA;
    case CT_STATE_WORK_QUEUED:
    case CT_STATE_LOCK:
    case CT_STATE_QUEUE:
        return CT_RED;
    case CT_STATE_TIMER:
    case CT_STATE_CHILDREN:
        return CT_CYAN;
    default:
        return CT_DIM;
    }
}
