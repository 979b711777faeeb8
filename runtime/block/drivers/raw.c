/* SPDX-License-Identifier: MIT */
/*
 * raw.c - the format that is none: the disk is the file
 *
 * A disk is whole sectors: what the file lacks of its last one reads as
 * zeroes, and the file grows when it is written.
 *
 * If nobody said that it is raw, whoever guesses the format next must find the
 * same, whatever the guest writes: a header of its making could name any file
 * as what lies below.  So writes to the first bytes are done one after the
 * other, of a copy that has been looked at; zeroes in a part of them are such
 * writes, too, since there are some in headers, and a discard leaves them.
 */
#include <errno.h>

#include "block/drivers/drivers.h"
#include "ct/sync.h"

struct raw_state {
    CoMutex beginning; /* only if the node is guarded: writes to it */
};

#define SECTOR_BYTES 512

static int64_t whole_sectors(int64_t bytes)
{
    int64_t rest = bytes % SECTOR_BYTES;

    return rest > 0 ? bytes + SECTOR_BYTES - rest : bytes;
}

static int raw_probe(const uint8_t *buf, size_t bytes)
{
    return BLOCK_PROBE_ANY; /* whatever nobody else claims */
}

static int raw_open(BlockDriverState *bs, GError **error)
{
    struct raw_state *s = bs->opaque;

    bs->is_guarded = bs->options.format == NULL;
    if (bs->is_guarded) {
        co_mutex_init(&s->beginning);
        bs->unit_bytes = BLOCK_PROBE_BYTES; /* zeroes end at its border */
    }
    bs->bytes = whole_sectors(bdrv_length(bs->file));
    return 0;
}

static void raw_close(BlockDriverState *bs)
{
    struct raw_state *s = bs->opaque;

    if (bs->is_guarded) {
        co_mutex_fini(&s->beginning);
    }
}

static int coroutine_fn raw_co_preadv(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    int ret =
        bdrv_co_preadv_part(bs->file, offset, bytes, vector, offset_in, flags);

    return ret;
}

/* The beginning, as it will be; Return: -EPERM: an image of another format */
static int coroutine_fn look_at(BlockDriverState *bs,
                                uint8_t beginning[BLOCK_PROBE_BYTES],
                                size_t offset, size_t bytes,
                                const IOVector *vector, size_t offset_in)
{
    const char *foreign;

    if (bytes < BLOCK_PROBE_BYTES) {
        int ret = bdrv_pread(bs->file, 0, BLOCK_PROBE_BYTES, beginning);
        if (ret < 0) {
            return ret;
        }
    }
    io_vector_to_buf(vector, offset_in, beginning + offset, bytes);
    return bdrv_probe(beginning, BLOCK_PROBE_BYTES, &foreign) == &bdrv_raw
               ? 0
               : -EPERM;
}

static int coroutine_fn write_beginning(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, const IOVector *vector,
                                        size_t offset_in, unsigned flags)
{
    struct raw_state *s = bs->opaque;
    uint8_t beginning[BLOCK_PROBE_BYTES];
    size_t n = (size_t)MIN(bytes, (int64_t)sizeof(beginning) - offset);
    IOVector copy;

    co_mutex_lock(&s->beginning);
    int ret = look_at(bs, beginning, (size_t)offset, n, vector, offset_in);
    if (ret >= 0) {
        io_vector_init(&copy);
        io_vector_add(&copy, beginning + offset, n);
        io_vector_add_part(&copy, vector, offset_in + n, (size_t)bytes - n);
        ret = bdrv_co_pwritev_part(bs->file, offset, bytes, &copy, 0, flags);
        io_vector_fini(&copy);
    }
    co_mutex_unlock(&s->beginning);
    return ret;
}

static int coroutine_fn raw_co_pwritev(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags)
{
    if (bs->is_guarded && offset < BLOCK_PROBE_BYTES) {
        return write_beginning(bs, offset, bytes, vector, offset_in, flags);
    }
    int ret =
        bdrv_co_pwritev_part(bs->file, offset, bytes, vector, offset_in, flags);

    return ret;
}

/* All of it zeroed begins an image of no format. */
static bool is_part_of_beginning(const BlockDriverState *bs, int64_t offset,
                                 int64_t bytes)
{
    return bs->is_guarded && offset < BLOCK_PROBE_BYTES &&
           (offset > 0 || bytes < BLOCK_PROBE_BYTES);
}

static int coroutine_fn raw_co_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             unsigned flags)
{
    if (is_part_of_beginning(bs, offset, bytes)) {
        return -ENOTSUP;
    }
    int ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);

    return ret;
}

static int coroutine_fn raw_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    if (is_part_of_beginning(bs, offset, bytes)) {
        return -ENOTSUP;
    }
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
    .instance_bytes = sizeof(struct raw_state),
    .probe = raw_probe,
    .open = raw_open,
    .close = raw_close,
    .co_preadv_part = raw_co_preadv,
    .co_pwritev_part = raw_co_pwritev,
    .co_pwrite_zeroes = raw_co_pwrite_zeroes,
    .co_pdiscard = raw_co_pdiscard,
    .co_preallocate = raw_co_preallocate,
    .co_truncate = raw_co_truncate,
    .co_block_status = raw_co_block_status,
};
