/* SPDX-License-Identifier: MIT */
/*
 * raw.c - the format that is none: the disk is the file
 *
 * A disk is whole sectors: what the file lacks of its last one reads as
 * zeroes, and the file grows when it is written.
 */
#include "block/drivers/drivers.h"

#define SECTOR_BYTES 512

static int64_t whole_sectors(int64_t bytes)
{
    int64_t rest = bytes % SECTOR_BYTES;

    return rest > 0 ? bytes + SECTOR_BYTES - rest : bytes;
}

static int raw_probe(const uint8_t *buf, size_t bytes)
{
    return 1; /* whatever nobody else claims */
}

static int raw_open(BlockDriverState *bs, GError **error)
{
    bs->bytes = whole_sectors(bdrv_length(bs->file));
    return 0;
}

static int coroutine_fn raw_co_preadv(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    int ret =
        bdrv_co_preadv_part(bs->file, offset, bytes, vector, offset_in, flags);

    return ret;
}

static int coroutine_fn raw_co_pwritev(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags)
{
    int ret =
        bdrv_co_pwritev_part(bs->file, offset, bytes, vector, offset_in, flags);

    return ret;
}

static int coroutine_fn raw_co_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             unsigned flags)
{
    int ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);

    return ret;
}

static int coroutine_fn raw_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    int ret = bdrv_co_pdiscard(bs->file, offset, bytes);

    return ret;
}

static int coroutine_fn raw_co_truncate(BlockDriverState *bs, int64_t bytes)
{
    int ret = bdrv_co_truncate(bs->file, bytes);

    if (ret >= 0) {
        bdrv_set_length(bs, whole_sectors(bytes));
    }
    return ret;
}

static int coroutine_fn raw_co_preallocate(BlockDriverState *bs, int64_t offset,
                                           int64_t bytes, PreallocMode mode)
{
    if (mode == PREALLOC_MODE_METADATA) {
        return -ENOTSUP; /* it has none */
    }
    /* The disk is whole sectors, the file need not be. */
    int64_t inside = MIN(bytes, bdrv_length(bs->file) - offset);
    int ret = bdrv_co_preallocate(bs->file, offset, inside, mode);

    return ret;
}

static int coroutine_fn raw_co_block_status(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            int64_t *ret_bytes)
{
    int ret = bdrv_co_block_status(bs->file, offset, bytes, ret_bytes);

    if (ret >= 0 && *ret_bytes == 0) { /* the rest of the last sector */
        *ret_bytes = bytes;
        ret = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    }
    return ret;
}

const BlockDriver bdrv_raw = {
    .format_name = "raw",
    .probe = raw_probe,
    .open = raw_open,
    .co_preadv_part = raw_co_preadv,
    .co_pwritev_part = raw_co_pwritev,
    .co_pwrite_zeroes = raw_co_pwrite_zeroes,
    .co_pdiscard = raw_co_pdiscard,
    .co_preallocate = raw_co_preallocate,
    .co_truncate = raw_co_truncate,
    .co_block_status = raw_co_block_status,
};
