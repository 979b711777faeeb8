/* SPDX-License-Identifier: MIT */
/*
 * test-block-late.c - what was true when a request came and is not any more
 * when its turn comes
 */
#include <errno.h>

#include "base/atomics.h"
#include "ct/block.h"
#include "image.h"
#include "loops.h"

#define CLUSTER 512
#define TABLE   (64 * CLUSTER) /* what an L2 table maps */

static BlockBackend *open_saved(struct loop *loop, const struct image *image,
                                const BlockOptions *options, char **ret_name)
{
    g_autoptr(GError) error = NULL;

    *ret_name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(*ret_name, options, loop->ctx, &error);
    g_assert_no_error(error);
    return blk;
}

/* --- a write behind a truncation ----------------------------------------- */

struct pair {
    BlockBackend *blk;
    int truncated, written; /* 1: not yet */
};

static void coroutine_fn shrinks(void *opaque)
{
    struct pair *pair = opaque;

    pair->truncated = blk_co_truncate(pair->blk, 10 * CLUSTER);
}

static void coroutine_fn writes(void *opaque)
{
    struct pair *pair = opaque;
    uint8_t data[CLUSTER] = {1};
    IOVector vector;

    io_vector_init(&vector);
    io_vector_add(&vector, data, CLUSTER);
    pair->written = blk_co_pwritev(pair->blk, 50 * CLUSTER, &vector, 0);
    io_vector_fini(&vector);
}

/* It was inside when it came; the disk is not longer for it. */
static void test_write_behind_shrink(struct loop *loop)
{
    BlockOptions options = {
        .format = "qcow2", .is_writable = true, .is_unsafe = true};
    struct image *image = image_new(3, 9, 64 * CLUSTER);
    char *name;

    for (uint64_t n = 0; n < 64; n++) {
        image_set(image, n, IMAGE_ALLOCATED);
    }
    image_count(image);
    struct pair pair = {.blk = open_saved(loop, image, &options, &name),
                        .truncated = 1,
                        .written = 1};
    coroutine_enter(coroutine_create(shrinks, &pair));
    g_assert_cmpint(pair.truncated, ==, 1);
    g_assert_cmpint(blk_length(pair.blk), ==, 64 * CLUSTER);
    coroutine_enter(coroutine_create(writes, &pair));
    g_assert_cmpint(pair.written, ==, 1);
    loop_until(loop, pair.truncated != 1 && pair.written != 1);
    g_assert_cmpint(pair.truncated, ==, 0);
    g_assert_cmpint(pair.written, ==, -EIO);
    g_assert_cmpint(blk_length(pair.blk), ==, 10 * CLUSTER);
    blk_unref(pair.blk);
    image_remove(name);
    image_free(image);
}

/* --- tables that can't be written any more ------------------------------- */

/*
 * A table was changed, and waits for refcounts; then the image is found to be
 * corrupt, and is opened anew for reading only.  What reading needs pushes the
 * table out of the cache: it is not written, and nobody asks for the refcounts.
 */
static void test_corrupt_reopened(struct loop *loop)
{
    BlockOptions options = {.format = "qcow2",
                            .is_writable = true,
                            .is_unsafe = true,
                            .cache_bytes = 1}; /* as few places as there are */
    BlockOptions reading = {.format = "qcow2", .cache_bytes = 1};
    struct image *image = image_new(3, 9, 16 * TABLE);
    g_autoptr(GError) error = NULL;
    uint8_t data[CLUSTER] = {1}, back[CLUSTER];
    char *name;

    for (uint64_t table = 0; table < 16; table++) {
        image_set(image, table * 64, IMAGE_ALLOCATED);
    }
    image_count(image);
    /* An entry that leads into the L1 table */
    image_put64(image, image_l2_entry(image, 64),
                image->l1_offset | UINT64_C(1) << 63);
    BlockBackend *blk = open_saved(loop, image, &options, &name);

    g_assert_cmpint(blk_pwrite(blk, CLUSTER, CLUSTER, data, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, TABLE, CLUSTER, data, 0), ==, -EIO);
    g_assert_nonnull(blk_fault(blk));
    g_assert_cmpint(blk_reopen(blk, &reading, &error), ==, 0);
    g_assert_no_error(error);
    for (uint64_t table = 2; table < 16; table++) {
        g_assert_cmpint(blk_pread(blk, (int64_t)table * TABLE, CLUSTER, back),
                        ==, 0);
        g_assert_cmpint(back[0], ==, image_byte(table * 64));
    }
    /* As it is on the disk: nothing was there. */
    g_assert_cmpint(blk_pread(blk, CLUSTER, CLUSTER, back), ==, 0);
    g_assert_cmpint(back[0], ==, 0);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/late/write-behind-shrink", test_write_behind_shrink);
    loops_add("/late/corrupt-reopened", test_corrupt_reopened);
    return g_test_run();
}
