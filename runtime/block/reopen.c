/* SPDX-License-Identifier: MIT */
/*
 * reopen.c - other options for an image that is open
 *
 * The image is drained, and the graph's writer changes what requests rely on.
 * Before, on the way to reading only, the format writes what it holds, and what
 * was written is flushed, since a node that is not writable never is; then
 * each file is opened anew, from the bottom of the chain; and on the way to
 * writing the format reads what writing needs.  What fails leaves the image as
 * it was: files that were opened anew are opened as before.
 */
#include <errno.h>

#include "block/graph.h"

struct reopen {
    BlockDriverState *bs;
    const BlockOptions *options;
    GError **error;
    int ret;
};

static void set_options(BlockDriverState *bs, const BlockOptions *options,
                        bool is_writable)
{
    bs->options.is_writable = is_writable;
    bs->options.is_direct = options->is_direct;
    bs->options.is_writethrough = options->is_writethrough;
    bs->options.is_unsafe = options->is_unsafe;
    bs->options.has_discard = options->has_discard;
}

/* A node and all below it; backing files stay for reading only. */
static int reopen_files(BlockDriverState *bs, const BlockOptions *options,
                        bool is_writable, GError **error)
{
    const BlockOptions old = bs->options;
    BlockOptions new = *options;
    int ret = 0;

    bdrv_graph_assert_writer();
    if (bs->file != NULL) {
        ret = reopen_files(bs->file, options, is_writable, error);
    }
    if (ret >= 0 && bs->backing != NULL) {
        ret = reopen_files(bs->backing, options, false, error);
    }
    new.is_writable = is_writable;
    if (ret >= 0 && bs->drv->file_reopen != NULL) {
        ret = bs->drv->file_reopen(bs, &new, error);
    }
    if (ret < 0) {
        if (bs->file != NULL) {
            (void)reopen_files(bs->file, &old, old.is_writable, NULL);
        }
        return ret;
    }
    set_options(bs, options, is_writable);
    return 0;
}

static int reopen_format(BlockDriverState *bs, bool is_writable, GError **error)
{
    return bs->drv->reopen != NULL ? bs->drv->reopen(bs, is_writable, error)
                                   : 0;
}

struct flush {
    BlockDriverState *bs;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in the entry, acquire in flush_all() */
};

static void coroutine_fn flush_entry(void *opaque)
{
    struct flush *flush = opaque;

    flush->ret = bdrv_co_flush(flush->bs);
    ct_store_release(&flush->done, true);
    aio_wait_kick();
}

static int flush_all(BlockDriverState *bs, GError **error)
{
    struct flush flush = {.bs = bs};

    bdrv_coroutine_enter(bs, coroutine_create(flush_entry, &flush));
    BDRV_POLL_WHILE(bs, !ct_load_acquire(&flush.done));
    return flush.ret < 0 ? block_error(error, -flush.ret, "flushing: %s",
                                       g_strerror(-flush.ret))
                         : 0;
}

static int reopen_drained(BlockDriverState *bs, const BlockOptions *options,
                          GError **error)
{
    const BlockOptions old = bs->options;
    bool is_writable = options->is_writable;
    int ret = 0;

    if (old.is_writable && !is_writable) {
        /* A format that has something to write flushes that, too. */
        ret = bs->drv->reopen != NULL ? reopen_format(bs, false, error)
                                      : flush_all(bs, error);
    }
    if (ret >= 0) {
        bdrv_graph_wrlock();
        ret = reopen_files(bs, options, is_writable, error);
        bdrv_graph_wrunlock();
        if (ret < 0 && old.is_writable && !is_writable &&
            reopen_format(bs, true, NULL) < 0) {
            bs->options.is_writable = false;
        }
    }
    if (ret >= 0 && is_writable && !old.is_writable) {
        ret = reopen_format(bs, true, error);
        if (ret < 0) {
            bdrv_graph_wrlock();
            (void)reopen_files(bs, &old, false, NULL);
            bdrv_graph_wrunlock();
        }
    }
    return ret;
}

static void reopen_outside(void *opaque)
{
    struct reopen *reopen = opaque;

    bdrv_drained_begin(reopen->bs);
    reopen->ret = reopen_drained(reopen->bs, reopen->options, reopen->error);
    bdrv_drained_end(reopen->bs);
}

int bdrv_reopen(BlockDriverState *bs, const BlockOptions *options,
                GError **error)
{
    struct reopen reopen = {.bs = bs, .options = options, .error = error};

    if (in_coroutine()) {
        bdrv_co_outside(reopen_outside, &reopen);
    } else {
        reopen_outside(&reopen);
    }
    return reopen.ret;
}

/* --- before closing ------------------------------------------------------ */

static void inactivate_outside(void *opaque)
{
    struct reopen *reopen = opaque;
    BlockDriverState *bs = reopen->bs;

    bdrv_drained_begin(bs);
    for (; bs != NULL && reopen->ret >= 0; bs = bs->file) {
        if (bs->options.is_writable) {
            reopen->ret = reopen_format(bs, false, NULL);
            bs->options.is_writable = reopen->ret < 0;
        }
    }
    bdrv_drained_end(reopen->bs);
}

int bdrv_inactivate(BlockDriverState *bs)
{
    struct reopen reopen = {.bs = bs};

    if (in_coroutine()) {
        bdrv_co_outside(inactivate_outside, &reopen);
    } else {
        inactivate_outside(&reopen);
    }
    return reopen.ret;
}
