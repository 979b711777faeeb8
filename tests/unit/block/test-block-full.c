/* SPDX-License-Identifier: MIT */
/*
 * test-block-full.c - a qcow2 image on a disk that has no space for all of it
 *
 * Clusters that were freed wait for a flush before they are taken again: not
 * when there is no other space, and not so many that the file becomes much
 * longer than what is in it.  And other lengths: none, odd ones.
 */
#include <errno.h>
#include <string.h>

#include "block/drivers/drivers.h"
#include "ct/sync.h"
#include "image.h"
#include "loops.h"

/* --- the disk ------------------------------------------------------------ */

struct disk {
    GByteArray *bytes;
    uint64_t max; /* it can hold */
    unsigned flushes;
};

static int coroutine_fn disk_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    struct disk *disk = bs->opaque;
    uint64_t end = (uint64_t)offset + (uint64_t)bytes;

    /* Others go on meanwhile. */
    aio_co_schedule(bs->ctx, coroutine_self());
    coroutine_yield();
    if (op == BLOCK_OP_READ) {
        io_vector_from_buf(vector, offset_in, disk->bytes->data + offset,
                           (size_t)bytes);
        return 0;
    }
    if (end > disk->max) {
        return -ENOSPC;
    }
    if (end > disk->bytes->len) {
        guint old = disk->bytes->len;

        g_byte_array_set_size(disk->bytes, (guint)end);
        memset(disk->bytes->data + old, 0, end - old);
    }
    io_vector_to_buf(vector, offset_in, disk->bytes->data + offset,
                     (size_t)bytes);
    return 0;
}

static int coroutine_fn disk_co_flush(BlockDriverState *bs)
{
    struct disk *disk = bs->opaque;

    disk->flushes++;
    return 0;
}

static const BlockDriver disk_driver = {
    .format_name = "disk",
    .co_prw = disk_co_prw,
    .co_flush_to_disk = disk_co_flush,
};

/* --- an image on it ------------------------------------------------------ */

struct world {
    struct disk disk;
    BlockDriverState file, qcow2;
    struct loop *loop;
    void (*func)(struct world *world);
    uint64_t cluster;
    bool is_done;
};

static void world_open(struct world *world, struct loop *loop,
                       uint32_t cluster_bits, uint64_t clusters)
{
    struct image *image = image_new(3, cluster_bits, clusters << cluster_bits);
    g_autoptr(GError) error = NULL;

    image_count(image);
    *world = (struct world){
        .disk = {.bytes = g_byte_array_ref(image->file), .max = UINT32_MAX},
        .loop = loop,
        .cluster = UINT64_C(1) << cluster_bits,
        .file = {.drv = &disk_driver,
                 .opaque = &world->disk,
                 .node_name = (char *)"disk",
                 .bytes = image->file->len,
                 .options = {.is_writable = true},
                 .ctx = loop->ctx},
        .qcow2 = {.drv = &bdrv_qcow2,
                  .opaque = g_malloc0(bdrv_qcow2.instance_bytes),
                  .node_name = (char *)"qcow2",
                  .file = &world->file,
                  .options = {.is_writable = true, .has_discard = true},
                  .ctx = loop->ctx},
    };
    image_free(image);
    bdrv_init(&world->file);
    bdrv_init(&world->qcow2);
    bdrv_qcow2.open(&world->qcow2, &error);
    g_assert_no_error(error);
}

static void world_close(struct world *world)
{
    bdrv_qcow2.close(&world->qcow2);
    g_assert_null(world->qcow2.fault);
    g_free(world->qcow2.opaque);
    g_byte_array_unref(world->disk.bytes);
}

static void coroutine_fn entry(void *opaque)
{
    struct world *world = opaque;

    world->func(world);
    world->is_done = true;
}

static void world_run(struct world *world, void (*func)(struct world *world))
{
    world->func = func;
    world->is_done = false;
    aio_co_enter(world->loop->ctx, coroutine_create(entry, world));
    loop_until(world->loop, world->is_done);
}

/* One cluster of the guest's, all of it @byte */
static int coroutine_fn write_cluster(struct world *world, uint64_t n,
                                      uint8_t byte)
{
    g_autofree uint8_t *data = g_malloc(world->cluster);
    struct iovec iov = {data, world->cluster};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = world->cluster};

    memset(data, byte, world->cluster);
    return bdrv_co_pwritev_part(&world->qcow2, (int64_t)(n * world->cluster),
                                (int64_t)world->cluster, &vector, 0, 0);
}

static int coroutine_fn discard_cluster(struct world *world, uint64_t n)
{
    return bdrv_co_pdiscard(&world->qcow2, (int64_t)(n * world->cluster),
                            (int64_t)world->cluster);
}

static void coroutine_fn expect_cluster(struct world *world, uint64_t n,
                                        uint8_t byte)
{
    g_autofree uint8_t *data = g_malloc(world->cluster);
    struct iovec iov = {data, world->cluster};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = world->cluster};

    g_assert_cmpint(bdrv_co_preadv_part(&world->qcow2,
                                        (int64_t)(n * world->cluster),
                                        (int64_t)world->cluster, &vector, 0, 0),
                    ==, 0);
    for (uint64_t i = 0; i < world->cluster; i++) {
        g_assert_cmpuint(data[i], ==, byte);
    }
}

/* --- cases --------------------------------------------------------------- */

static void coroutine_fn fill(struct world *world)
{
    for (uint64_t n = 0; n < 8; n++) {
        g_assert_cmpint(write_cluster(world, n, 1), ==, 0);
    }
    g_assert_cmpint(bdrv_co_flush(&world->qcow2), ==, 0);
    world->disk.max = world->disk.bytes->len;
    unsigned flushes = world->disk.flushes;

    /* Nothing waits, so nothing is tried: not even what was just refused. */
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(write_cluster(world, 8, 2), ==, -ENOSPC);
    }
    g_assert_cmpuint(world->disk.flushes, ==, flushes);

    g_assert_cmpint(discard_cluster(world, 3), ==, 0);
    g_assert_cmpint(write_cluster(world, 8, 3), ==, 0);
    g_assert_cmpint(write_cluster(world, 9, 4), ==, -ENOSPC);
    for (uint64_t n = 0; n < 10; n++) {
        expect_cluster(world, n, n == 3 || n == 9 ? 0 : n == 8 ? 3 : 1);
    }
}

static void test_full(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 9, 32);
    world_run(&world, fill);
    world_close(&world);
}

struct write_task {
    AioTask task;
    struct world *world;
    uint64_t n;
};

static int coroutine_fn write_entry(AioTask *task)
{
    struct write_task *t = (struct write_task *)task;

    g_assert_cmpint(write_cluster(t->world, t->n, (uint8_t)t->n), ==, 0);
    return 0;
}

/* Of four that find no space the first has it made for all. */
static void coroutine_fn fill_at_once(struct world *world)
{
    for (uint64_t n = 0; n < 8; n++) {
        g_assert_cmpint(write_cluster(world, n, 1), ==, 0);
    }
    g_assert_cmpint(bdrv_co_flush(&world->qcow2), ==, 0);
    world->disk.max = world->disk.bytes->len;
    for (uint64_t n = 0; n < 4; n++) {
        g_assert_cmpint(discard_cluster(world, n), ==, 0);
    }
    AioTaskPool *pool = aio_task_pool_new(4);
    for (uint64_t n = 10; n < 14; n++) {
        struct write_task *t = g_new0(struct write_task, 1);

        *t = (struct write_task){
            {.pool = pool, .func = write_entry}, .world = world, .n = n};
        aio_task_pool_start_task(pool, &t->task);
    }
    aio_task_pool_wait_all(pool);
    aio_task_pool_free(pool);
    for (uint64_t n = 10; n < 14; n++) {
        expect_cluster(world, n, (uint8_t)n);
    }
    g_assert_cmpint(write_cluster(world, 14, 1), ==, -ENOSPC);
}

static void test_full_at_once(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 9, 32);
    world_run(&world, fill_at_once);
    world_close(&world);
}

/* Of a table that is not there yet: zeroes need a cluster, too. */
static void coroutine_fn fill_with_zeroes(struct world *world)
{
    int64_t far = 100 * (int64_t)world->cluster; /* in the next table */

    for (uint64_t n = 0; n < 8; n++) {
        g_assert_cmpint(write_cluster(world, n, 1), ==, 0);
    }
    g_assert_cmpint(bdrv_co_flush(&world->qcow2), ==, 0);
    world->disk.max = world->disk.bytes->len;
    g_assert_cmpint(
        bdrv_co_pwrite_zeroes(&world->qcow2, far, (int64_t)world->cluster, 0),
        ==, -ENOSPC);
    g_assert_cmpint(discard_cluster(world, 3), ==, 0);
    g_assert_cmpint(
        bdrv_co_pwrite_zeroes(&world->qcow2, far, (int64_t)world->cluster, 0),
        ==, 0);
    expect_cluster(world, 100, 0);
    expect_cluster(world, 2, 1);
}

static void test_full_of_zeroes(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 9, 200);
    world_run(&world, fill_with_zeroes);
    world_close(&world);
}

/* More than 100 MiB are written and given up, never more than one at once. */
static void coroutine_fn rewrite(struct world *world)
{
    for (int i = 0; i < 60; i++) {
        g_assert_cmpint(write_cluster(world, 0, (uint8_t)i), ==, 0);
        g_assert_cmpint(discard_cluster(world, 0), ==, 0);
    }
    g_assert_cmpint(write_cluster(world, 0, 7), ==, 0);
    expect_cluster(world, 0, 7);
}

/* Who only discards has a bound as well. */
static void coroutine_fn discard_all(struct world *world)
{
    for (uint64_t n = 0; n < 20; n++) {
        g_assert_cmpint(write_cluster(world, n, 1), ==, 0);
    }
    g_assert_cmpint(bdrv_co_flush(&world->qcow2), ==, 0);
    unsigned flushes = world->disk.flushes;
    for (uint64_t n = 0; n < 16; n++) {
        g_assert_cmpint(discard_cluster(world, n), ==, 0);
    }
    g_assert_cmpuint(world->disk.flushes, ==, flushes);
    g_assert_cmpint(discard_cluster(world, 16), ==, 0);
    g_assert_cmpuint(world->disk.flushes, >, flushes);
}

static void test_discards(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 21, 20);
    world_run(&world, discard_all);
    world_close(&world);
}

static void test_bounded(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 21, 4);
    guint before = world.disk.bytes->len;
    world_run(&world, rewrite);
    /* As much as may wait, a cluster more, and one for the L2 table */
    g_assert_cmpuint(world.disk.bytes->len - before, <=,
                     (32 << 20) + 2 * world.cluster);
    world_close(&world);
}

/* There is no table at first, not even one to be copied. */
static void coroutine_fn lengthen(struct world *world)
{
    g_assert_cmpint(
        bdrv_co_truncate(&world->qcow2, 4 * (int64_t)world->cluster), ==, 0);
    g_assert_cmpint(write_cluster(world, 3, 5), ==, 0);
    expect_cluster(world, 2, 0);
    expect_cluster(world, 3, 5);
}

static void test_from_nothing(struct loop *loop)
{
    struct world world;

    world_open(&world, loop, 9, 0);
    world_run(&world, lengthen);
    world_close(&world);
}

/* What the header says beyond whole sectors is not there. */
static void test_odd_size(struct loop *loop)
{
    struct image *image = image_new(3, 9, 32 * 512);
    g_autoptr(GError) error = NULL;
    uint8_t byte;

    image_count(image);
    image_put64(image, IMAGE_AT_SIZE, 20 * 512 + 100);
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, NULL, loop->ctx, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_length(blk), ==, 20 * 512);
    g_assert_cmpint(blk_pread(blk, 20 * 512 - 1, 1, &byte), ==, 0);
    g_assert_cmpint(blk_pread(blk, 20 * 512, 1, &byte), ==, -EIO);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/full/freed-clusters", test_full);
    loops_add("/full/at-once", test_full_at_once);
    loops_add("/full/zeroes", test_full_of_zeroes);
    loops_add("/full/freed-bytes", test_bounded);
    loops_add("/full/discards", test_discards);
    loops_add("/full/from-nothing", test_from_nothing);
    loops_add("/full/odd-size", test_odd_size);
    return g_test_run();
}
