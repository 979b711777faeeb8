/* SPDX-License-Identifier: MIT */
/*
 * test-block-align.c - any range on a node that takes whole blocks only
 *
 * The disk lies in memory, refuses what is no whole block, and yields in every
 * operation, so that requests meet in the middle of their reads and writes.
 */
#include <errno.h>
#include <string.h>

#include "block/driver.h"
#include "loops.h"

#define BLOCK     64
#define BYTES     (40 * BLOCK)
#define ROUNDS    300
#define SMALL     10
#define SMALL_ALL 100

struct disk {
    uint8_t data[BYTES];
    int64_t end; /* what was written */
    unsigned reads;
};

static int coroutine_fn disk_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    struct disk *disk = bs->opaque;

    g_assert_cmpint(offset % BLOCK, ==, 0);
    g_assert_cmpint(bytes % BLOCK, ==, 0);
    g_assert_cmpint(offset + bytes, <=, BYTES);
    if (op == BLOCK_OP_READ) {
        disk->reads++;
        io_vector_from_buf(vector, offset_in, disk->data + offset,
                           (size_t)bytes);
    }
    aio_co_schedule(bs->ctx, coroutine_self());
    coroutine_yield();
    if (op == BLOCK_OP_WRITE) {
        io_vector_to_buf(vector, offset_in, disk->data + offset, (size_t)bytes);
        disk->end = MAX(disk->end, offset + bytes);
    }
    return 0;
}

static const BlockDriver disk_driver = {.format_name = "disk",
                                        .co_prw = disk_co_prw};

struct request {
    BlockDriverState *bs;
    bool is_write, is_zeroes;
    int64_t offset, bytes;
    uint8_t data[BYTES];
    bool is_done;
};

static void coroutine_fn request_entry(void *opaque)
{
    struct request *r = opaque;
    struct iovec iov[2] = {{r->data, (size_t)(r->bytes / 3)}};
    IOVector vector = {.iov = iov, .niov = 2, .bytes = (size_t)r->bytes};
    int ret;

    iov[1] = (struct iovec){r->data + iov[0].iov_len,
                            (size_t)r->bytes - iov[0].iov_len};
    if (r->is_zeroes) {
        ret = bdrv_co_pwrite_zeroes(r->bs, r->offset, r->bytes, 0);
    } else if (r->is_write) {
        ret = bdrv_co_pwritev_part(r->bs, r->offset, r->bytes, &vector, 0, 0);
    } else {
        ret = bdrv_co_preadv(r->bs, r->offset, r->bytes, &vector, 0);
    }
    g_assert_cmpint(ret, ==, 0);
    r->is_done = true;
}

static void start(struct request *r)
{
    r->is_done = false;
    aio_co_enter(r->bs->ctx, coroutine_create(request_entry, r));
}

static void node_init(BlockDriverState *bs, struct disk *disk,
                      struct loop *loop, int64_t bytes)
{
    *disk = (struct disk){0};
    *bs = (BlockDriverState){.drv = &disk_driver,
                             .opaque = disk,
                             .node_name = (char *)"disk",
                             .bytes = bytes,
                             .request_alignment = BLOCK,
                             .ctx = loop->ctx,
                             .options.is_writable = true};
    bdrv_init(bs);
}

/* One after the other, beside a plain array. */
static void test_any_range(struct loop *loop)
{
    static uint8_t expected[BYTES];
    g_autofree struct request *r = g_new0(struct request, 1);
    g_autofree struct disk *disk = g_new(struct disk, 1);
    GRand *rand = g_rand_new_with_seed(3);
    BlockDriverState bs;

    node_init(&bs, disk, loop, BYTES - 10);
    memset(expected, 0, sizeof(expected));
    r->bs = &bs;
    for (int i = 0; i < ROUNDS; i++) {
        r->offset = g_rand_int_range(rand, 0, BYTES - 10);
        r->bytes = g_rand_int_range(rand, 0, (int)(BYTES - 9 - r->offset));
        r->bytes = i % 2 == 0 ? MIN(r->bytes, 3 * BLOCK) : r->bytes;
        r->is_write = g_rand_int(rand) % 2 == 0;
        r->is_zeroes = r->is_write && g_rand_int(rand) % 4 == 0;
        memset(r->data, r->is_zeroes ? 0 : i, sizeof(r->data));
        start(r);
        loop_until(loop, r->is_done);
        if (r->is_write) {
            memcpy(expected + r->offset, r->data, (size_t)r->bytes);
        }
        g_assert_cmpmem(r->data, (size_t)r->bytes, expected + r->offset,
                        (size_t)r->bytes);
    }
    g_rand_free(rand);
}

/* A whole block is not read before it is written. */
static void test_whole_blocks(struct loop *loop)
{
    g_autofree struct request *r = g_new0(struct request, 1);
    g_autofree struct disk *disk = g_new(struct disk, 1);
    BlockDriverState bs;

    node_init(&bs, disk, loop, BYTES);
    *r = (struct request){.bs = &bs, .is_write = true, .bytes = 3 * BLOCK};
    start(r);
    loop_until(loop, r->is_done);
    g_assert_cmpuint(disk->reads, ==, 0);
    r->offset = 1; /* parts of the first and of the last one */
    start(r);
    loop_until(loop, r->is_done);
    g_assert_cmpuint(disk->reads, ==, 2);
    g_assert_cmpint(disk->end, ==, 4 * BLOCK);
}

/* Writes to parts of the same blocks lose nothing of one another. */
static void test_beside(struct loop *loop)
{
    g_autofree struct request *r = g_new0(struct request, SMALL_ALL);
    g_autofree struct disk *disk = g_new(struct disk, 1);
    BlockDriverState bs;

    node_init(&bs, disk, loop, BYTES);
    for (int i = 0; i < SMALL_ALL; i++) {
        r[i] = (struct request){
            .bs = &bs, .is_write = true, .offset = i * SMALL, .bytes = SMALL};
        memset(r[i].data, i + 1, SMALL);
        start(&r[i]);
    }
    for (int i = 0; i < SMALL_ALL; i++) {
        loop_until(loop, r[i].is_done);
    }
    for (int i = 0; i < SMALL_ALL * SMALL; i++) {
        g_assert_cmpint(disk->data[i], ==, i / SMALL + 1);
    }
    g_assert_cmpuint(bs.serialising, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/align/any-range", test_any_range);
    loops_add("/align/whole-blocks", test_whole_blocks);
    loops_add("/align/beside", test_beside);
    return g_test_run();
}
