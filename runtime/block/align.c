/* SPDX-License-Identifier: MIT */
/*
 * align.c - see align.h
 *
 * A widened request is one of the driver's: a pad, the caller's buffers, a pad.
 * The pads are one block each; where the range lies in a single block both are
 * in the first.  Only nodes at the bottom have an alignment, so co_prw is what
 * they are asked by.
 */
#include "block/align.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct widened {
    int64_t offset; /* whole blocks */
    int64_t bytes;
    size_t head;    /* bytes that come before the caller's */
    size_t tail;    /* and after */
    uint8_t *first; /* a block each; the last one is first + align */
    uint8_t *last;
    IOVector vector;
};

bool bdrv_is_aligned(const BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    int64_t align = bs->request_alignment;

    return align <= 1 || (offset % align == 0 && bytes % align == 0);
}

int64_t bdrv_end_of_blocks(const BlockDriverState *bs)
{
    int64_t bytes = bdrv_length(bs);
    int64_t align = MAX(bs->request_alignment, 1);
    int64_t rest = bytes % align;

    return rest > 0 ? bytes + align - rest : bytes;
}

static int widen(struct widened *w, const BlockDriverState *bs, int64_t offset,
                 int64_t bytes, const IOVector *vector, size_t offset_in)
{
    int64_t align = bs->request_alignment;
    void *pads;

    *w = (struct widened){0};
    w->head = (size_t)(offset % align);
    w->tail = (size_t)((align - (offset + bytes) % align) % align);
    w->offset = offset - (int64_t)w->head;
    w->bytes = bytes + (int64_t)(w->head + w->tail);
    if (posix_memalign(&pads, (size_t)align, 2 * (size_t)align) != 0) {
        return -ENOMEM;
    }
    w->first = pads;
    w->last = w->first + align;
    io_vector_init(&w->vector);
    if (w->head > 0) {
        io_vector_add(&w->vector, w->first, w->head);
    }
    io_vector_add_part(&w->vector, vector, offset_in, (size_t)bytes);
    if (w->tail > 0) {
        io_vector_add(&w->vector, w->last + align - w->tail, w->tail);
    }
    return 0;
}

static void widened_fini(struct widened *w)
{
    io_vector_fini(&w->vector);
    free(w->first);
}

/* One block; what lies beyond the file's end is zeroes. */
static int coroutine_fn read_block(BlockDriverState *bs, int64_t offset,
                                   uint8_t *block)
{
    size_t align = (size_t)bs->request_alignment;
    struct iovec iov = {block, align};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = align};

    if (offset >= bdrv_length(bs)) {
        memset(block, 0, align);
        return 0;
    }
    return bs->drv->co_prw(bs, BLOCK_OP_READ, offset, (int64_t)align, &vector,
                           0);
}

int coroutine_fn bdrv_read_widened(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, const IOVector *vector,
                                   size_t offset_in)
{
    struct widened w;
    int ret = widen(&w, bs, offset, bytes, vector, offset_in);

    if (ret < 0) {
        return ret;
    }
    ret = bs->drv->co_prw(bs, BLOCK_OP_READ, w.offset, w.bytes, &w.vector, 0);
    widened_fini(&w);
    return ret;
}

int coroutine_fn bdrv_write_widened(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, const IOVector *vector,
                                    size_t offset_in)
{
    int64_t align = bs->request_alignment;
    struct widened w;
    int ret = widen(&w, bs, offset, bytes, vector, offset_in);

    if (ret < 0) {
        return ret;
    }
    if (w.head > 0) {
        ret = read_block(bs, w.offset, w.first);
    }
    if (ret >= 0 && w.tail > 0) {
        ret = read_block(bs, w.offset + w.bytes - align, w.last);
    }
    if (ret >= 0) {
        ret = bs->drv->co_prw(bs, BLOCK_OP_WRITE, w.offset, w.bytes, &w.vector,
                              0);
    }
    widened_fini(&w);
    return ret;
}
