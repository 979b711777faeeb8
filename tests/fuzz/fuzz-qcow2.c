/* SPDX-License-Identifier: MIT */
/*
 * fuzz-qcow2.c - libFuzzer target: any bytes as a qcow2 image
 *
 * The image lies in memory.  It is opened, read and written in a fixed way:
 * requests may fail, and nothing else may happen.
 */
#include <errno.h>
#include <string.h>

#include "block/drivers/drivers.h"

/* What a file may grow to; a table may name any place. */
#define DISK_BYTES_MAX (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int coroutine_fn disk_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    GByteArray *disk = bs->opaque;
    IOVector part;
    int64_t at = offset;

    if (offset + bytes > DISK_BYTES_MAX) {
        return -ENOSPC;
    }
    if (offset + bytes > disk->len) {
        guint old = disk->len;
        g_byte_array_set_size(disk, (guint)(offset + bytes));
        memset(disk->data + old, 0, disk->len - old);
    }
    io_vector_init(&part);
    io_vector_add_part(&part, vector, offset_in, (size_t)bytes);
    for (int i = 0; i < part.niov; i++) {
        void *buf = part.iov[i].iov_base;
        size_t n = part.iov[i].iov_len;

        if (op == BLOCK_OP_READ) {
            memcpy(buf, disk->data + at, n);
        } else {
            memcpy(disk->data + at, buf, n);
        }
        at += (int64_t)n;
    }
    io_vector_fini(&part);
    return 0;
}

static const BlockDriver disk_driver = {
    .format_name = "disk",
    .co_prw = disk_co_prw,
};

static void coroutine_fn use(void *opaque)
{
    BlockDriverState *bs = opaque;
    static uint8_t data[3 * 4096];
    struct iovec iov = {data, sizeof(data)};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = sizeof(data)};
    int64_t length = bdrv_length(bs), n;
    const int64_t places[] = {0, 5000, length / 2, length - sizeof(data)};

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        int64_t at = places[i];
        if (at < 0 || at > length - (int64_t)sizeof(data)) {
            continue;
        }
        (void)bdrv_co_preadv(bs, at, sizeof(data), &vector, 0);
        (void)bdrv_co_block_status(bs, at, length - at, &n);
        (void)bdrv_co_pwritev_part(bs, at, sizeof(data), &vector, 0, 0);
        (void)bdrv_co_pwrite_zeroes(bs, at + 1, 9000, BDRV_REQ_MAY_UNMAP);
        (void)bdrv_co_pdiscard(bs, at, 8192);
        (void)bdrv_co_preadv(bs, at, sizeof(data), &vector, 0);
    }
    (void)bdrv_co_flush(bs);
    (void)bdrv_co_truncate(bs, 100 * 512);
    (void)bdrv_co_flush(bs);
}

static void run(AioContext *ctx, const uint8_t *data, size_t size, bool writes)
{
    g_autoptr(GError) error = NULL;
    GByteArray *disk = g_byte_array_new();
    BlockDriverState file = {
        .drv = &disk_driver,
        .opaque = disk,
        .node_name = (char *)"disk",
        .bytes = (int64_t)size,
        .options = {.is_writable = writes, .has_discard = true},
        .ctx = ctx,
    };
    BlockDriverState qcow2 = {
        .drv = &bdrv_qcow2,
        .node_name = (char *)"qcow2",
        .file = &file,
        .options = {.is_writable = writes,
                    .has_discard = true,
                    .cache_bytes = 1},
        .ctx = ctx,
    };

    g_byte_array_append(disk, data, (guint)size);
    bdrv_init(&file);
    bdrv_init(&qcow2);
    qcow2.opaque = g_malloc0(bdrv_qcow2.instance_bytes);
    if (bdrv_qcow2.open(&qcow2, &error) == 0) {
        aio_co_enter(ctx, coroutine_create(use, &qcow2));
        bdrv_drain(&qcow2);
        bdrv_qcow2.close(&qcow2);
    }
    g_free(qcow2.opaque);
    g_free(qcow2.fault);
    g_free(qcow2.backing_filename);
    g_free(qcow2.backing_format);
    g_byte_array_unref(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static AioContext *ctx;

    if (ctx == NULL) {
        ctx = aio_context_new("fuzz", NULL);
        aio_context_set_current(ctx);
    }
    run(ctx, data, size, false);
    run(ctx, data, size, true);
    return 0;
}
