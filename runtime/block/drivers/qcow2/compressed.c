/* SPDX-License-Identifier: MIT */
/*
 * compressed.c - clusters that were compressed, with zlib or zstd
 *
 * The L2 entry says where the bytes begin, at any byte, and how many sectors
 * they touch; they are a raw deflate stream, or a zstd frame (one kind an
 * image, as the header says), that gives one cluster.  What follows in the last
 * sector belongs to others.  A worker does it, since it takes longer than a
 * loop should be kept waiting.
 */
#include <errno.h>
#include <inttypes.h>
#include <zlib.h>
#include <zstd.h>

#include "block/drivers/qcow2/qcow2.h"
#include "ct/pool.h"

/* Of the stream's window, log2; negative: no zlib header */
#define WINDOW_BITS (-12)

/* For a worker; in the frame of the coroutine that waits */
struct inflation {
    const uint8_t *from;
    size_t from_bytes;
    uint8_t *to;
    size_t to_bytes;
};

/* Runs on a worker. */
static int qcow2_zlib_decompress(void *opaque)
{
    struct inflation *job = opaque;
    z_stream stream = {
        .next_in = (Bytef *)job->from,
        .avail_in = (uInt)job->from_bytes,
        .next_out = job->to,
        .avail_out = (uInt)job->to_bytes,
    };

    if (inflateInit2(&stream, WINDOW_BITS) != Z_OK) {
        return -ENOMEM;
    }
    int ret = inflate(&stream, Z_FINISH);
    bool is_whole = stream.avail_out == 0 &&
                    (ret == Z_STREAM_END || ret == Z_BUF_ERROR || ret == Z_OK);
    inflateEnd(&stream);
    return is_whole ? 0 : -EIO;
}

/* Runs on a worker.  The library bounds what a frame may ask it to remember. */
static int qcow2_zstd_decompress(void *opaque)
{
    struct inflation *job = opaque;
    ZSTD_inBuffer in = {.src = job->from, .size = job->from_bytes};
    ZSTD_outBuffer out = {.dst = job->to, .size = job->to_bytes};
    ZSTD_DCtx *context = ZSTD_createDCtx();
    bool is_going_on = true;

    if (context == NULL) {
        return -ENOMEM;
    }
    while (is_going_on && out.pos < out.size) {
        size_t in_before = in.pos, out_before = out.pos;
        size_t ret = ZSTD_decompressStream(context, &out, &in);

        is_going_on = !ZSTD_isError(ret) && ret != 0 &&
                      (in.pos > in_before || out.pos > out_before);
    }
    ZSTD_freeDCtx(context);
    return out.pos == out.size ? 0 : -EIO;
}

static int coroutine_fn qcow2_co_decompress(struct inflation *job,
                                            enum qcow2_compression how)
{
    ThreadPool *pool = aio_get_thread_pool(aio_context_current());
    int ret = thread_pool_submit_co(pool,
                                    how == QCOW2_COMPRESSION_ZSTD
                                        ? qcow2_zstd_decompress
                                        : qcow2_zlib_decompress,
                                    job);

    return ret;
}

int coroutine_fn qcow2_co_preadv_compressed(const struct qcow2_task *t)
{
    const struct qcow2_state *s = t->bs->opaque;
    size_t in_cluster = (size_t)(t->offset & (s->header.cluster_bytes - 1));
    uint64_t offset, bytes;

    qcow2_compressed_place(&s->header, t->host, &offset, &bytes);
    if (offset >= (uint64_t)bdrv_length(t->bs->file)) {
        bdrv_fault(t->bs,
                   "cut short: the compressed cluster of guest offset %" PRIu64
                   " lies at %" PRIu64 ", the file has %" PRIu64,
                   t->offset, offset, (uint64_t)bdrv_length(t->bs->file));
        return -EIO;
    }
    g_autofree uint8_t *from = g_malloc(bytes);
    g_autofree uint8_t *to = g_malloc(s->header.cluster_bytes);
    struct inflation job = {from, bytes, to, s->header.cluster_bytes};
    int ret = bdrv_pread(t->bs->file, (int64_t)offset, (int64_t)bytes, from);
    if (ret < 0) {
        return ret;
    }
    ret = qcow2_co_decompress(&job, s->header.compression);
    if (ret == -EIO) {
        bdrv_fault(t->bs,
                   "damaged: the compressed cluster of guest offset %" PRIu64
                   " can't be read",
                   t->offset);
    }
    if (ret >= 0) {
        io_vector_from_buf(t->vector, t->offset_in, to + in_cluster,
                           (size_t)t->bytes);
    }
    return ret;
}
