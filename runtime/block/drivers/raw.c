/* SPDX-License-Identifier: MIT */
/*
 * raw.c - the format that is none: the disk is the file
 *
 * A disk is whole sectors: what the file lacks of its last one reads as
 * zeroes.
 */
#include "block/drivers/drivers.h"

#define SECTOR_BYTES 512

static int raw_probe(const uint8_t *buf, size_t bytes)
{
    return 1; /* whatever nobody else claims */
}

static int raw_open(BlockDriverState *bs, GError **error)
{
    int64_t rest = bs->file->bytes % SECTOR_BYTES;

    bs->bytes = bs->file->bytes;
    if (rest > 0) {
        bs->bytes += SECTOR_BYTES - rest;
    }
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

const BlockDriver bdrv_raw = {
    .format_name = "raw",
    .probe = raw_probe,
    .open = raw_open,
    .co_preadv_part = raw_co_preadv,
};
