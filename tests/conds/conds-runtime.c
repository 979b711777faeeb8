/* SPDX-License-Identifier: MIT */
/*
 * conds-runtime.c - conditions of the runtime are broken with a current
 * context, unless it shall be without
 */
#include "conds-runtime.h"

#include "ct/coroutine.h"

AioContext *conds_ctx;

static void coroutine_fn breach_entry(void *opaque)
{
    const struct cond *cond = opaque;

    cond->breach();
}

void conds_run(const struct cond *cond)
{
    conds_ctx = aio_context_new("conds", NULL);
    if (cond->where != WITHOUT_CONTEXT) {
        aio_context_set_current(conds_ctx);
    }
    if (cond->where == OUTSIDE) {
        cond->breach();
    } else {
        coroutine_enter(coroutine_create(breach_entry, (void *)cond));
    }
}
