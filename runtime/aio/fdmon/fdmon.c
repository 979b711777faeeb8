/* SPDX-License-Identifier: MIT */
/*
 * fdmon.c - the table of monitors, best first, and the choice
 *
 * A monitor that this machine can't give refuses in its init, and the next is
 * asked; poll(2) is last, since it never refuses.
 */
#include "aio/fdmon/fdmon.h"

static const struct fdmon_ops *const monitors[] = {&fdmon_poll_ops};

void fdmon_init(AioContext *ctx)
{
    for (size_t i = 0; i < G_N_ELEMENTS(monitors); i++) {
        if (monitors[i]->init(ctx)) {
            ctx->fdmon = monitors[i];
            return;
        }
    }
    g_assert_not_reached();
}

void fdmon_fini(AioContext *ctx)
{
    ctx->fdmon->fini(ctx);
}
