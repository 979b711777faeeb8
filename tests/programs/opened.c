/* SPDX-License-Identifier: MIT */
/*
 * opened.c - a module with tracepoints, for a program without
 *
 * call_it() reads the start of the image that IMAGE in the environment names,
 * with a worker's help.  Return: 0, or -1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ct/block.h"

#define READ_BYTES 4096

static void read_done(void *opaque, int ret)
{
    *(int *)opaque = ret;
}

__attribute__((visibility("default"))) int call_it(void);

int call_it(void)
{
    static char buf[READ_BYTES];
    const int unset = 1;
    GError *error = NULL;
    IOVector vector;
    int ret = unset;
    AioContext *ctx = aio_context_new("opened", NULL);

    aio_context_set_current(ctx);
    BlockOptions options = {.format = "raw"};
    BlockBackend *blk = blk_new_open(getenv("IMAGE"), &options, ctx, &error);
    if (blk == NULL) {
        fprintf(stderr, "opened: %s\n", error->message);
        return -1;
    }
    io_vector_init(&vector);
    io_vector_add(&vector, buf, READ_BYTES);
    blk_aio_preadv(blk, 0, &vector, read_done, &ret);
    while (ret == unset) {
        aio_poll(ctx, true);
    }
    blk_unref(blk);
    io_vector_fini(&vector);
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return ret < 0 ? -1 : 0;
}
