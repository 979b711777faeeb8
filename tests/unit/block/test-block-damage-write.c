/* SPDX-License-Identifier: MIT */
/*
 * test-block-damage-write.c - writing qcow2 images whose tables are damaged
 *
 * Whatever bit is wrong, requests end with success or an error: nothing
 * crashes, hangs, or is accessed out of bounds (under the sanitizers).  And
 * where a write was refused because it would have hit a table, the image is
 * marked, and what the tables were stays.
 */
#include <errno.h>
#include <string.h>

#include "ct/block.h"
#include "image.h"

static AioContext *ctx;

/* Every bit, or a sample. */
static guint step_of(guint step)
{
    return g_getenv("COTRACE_SOAK") != NULL ? 1 : step;
}

static struct image *mixed(uint32_t version)
{
    struct image *image = image_new(version, 9, 150 * 512);

    for (uint64_t n = 0; n < 140; n += 11) {
        image_set(image, n, IMAGE_ALLOCATED);
        image_set(image, n + 1 + n % 3, IMAGE_ALLOCATED);
    }
    if (version >= 3) {
        image_set(image, 50, IMAGE_ZERO_ALLOCATED);
        image_set(image, 51, IMAGE_ZERO);
    }
    image_count(image);
    return image;
}

static int write_one(BlockBackend *blk, GRand *rand, uint8_t *data)
{
    int64_t offset = g_rand_int_range(rand, 0, 149 * 512);
    int64_t bytes = g_rand_int_range(rand, 1, 8 * 512);

    offset = MIN(offset, blk_length(blk));
    bytes = MIN(bytes, blk_length(blk) - offset);
    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return blk_pwrite_zeroes(blk, offset, bytes, BDRV_REQ_MAY_UNMAP);
    case 1:
        return blk_pdiscard(blk, offset, bytes);
    case 2:
        return blk_flush(blk);
    case 3:
        return blk_pread(blk, offset, bytes, data);
    case 4:
        return blk_save_vmstate(blk, data, 0, 512);
    default:
        return blk_pwrite(blk, offset, bytes, data, 0);
    }
}

/* Return: how many of them failed with -EIO: what is damaged gives no other */
static guint write_all(BlockBackend *blk, GRand *rand)
{
    g_autofree uint8_t *data = g_malloc0(8 * 512);
    guint failed = 0;

    for (int i = 0; i < 40; i++) {
        failed += write_one(blk, rand, data) == -EIO;
    }
    failed += blk_truncate(blk, 200 * 512) == -EIO;
    failed += blk_truncate(blk, 100 * 512) == -EIO;
    failed += blk_flush(blk) == -EIO;
    return failed;
}

/* Return: -1: not opened; else the requests that failed */
static int try(const struct image *image, GRand *rand)
{
    BlockOptions options = {
        .format = "qcow2", .is_writable = true, .is_unsafe = true};
    g_autoptr(GError) error = NULL;
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);
    int failed = -1;

    image_remove(name); /* what is open stays */
    if (blk != NULL) {
        failed = (int)write_all(blk, rand);
        if (failed > 0) {
            g_assert_nonnull(blk_fault(blk));
        }
        blk_unref(blk);
    }
    return failed;
}

static void test_sound(void)
{
    GRand *rand = g_rand_new_with_seed(1);

    for (uint32_t version = 2; version <= 3; version++) {
        for (int i = 0; i < 20; i++) {
            struct image *image = mixed(version);
            g_assert_cmpint(try(image, rand), ==, 0);
            image_free(image);
        }
    }
    g_rand_free(rand);
}

/* An L2 entry leads into its own table, which must not be given away. */
static void test_table_as_data(void)
{
    BlockOptions options = {
        .format = "qcow2", .is_writable = true, .has_discard = true};
    struct image *image = mixed(3);
    uint64_t entry = image_l2_entry(image, 0);
    g_autoptr(GError) error = NULL;
    uint8_t data[512] = {0};

    image_put64(image, entry, entry | UINT64_C(1) << 63);
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_pdiscard(blk, 0, 512), ==, -EIO);
    g_autofree char *want = g_strdup_printf(
        "damaged: metadata at offset %" G_GUINT64_FORMAT " is used as data",
        entry);
    g_assert_cmpstr(blk_fault(blk), ==, want);
    g_assert_cmpint(blk_pwrite(blk, 512, 512, data, 0), ==, -EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

static void flip_bits(uint32_t version)
{
    GRand *rand = g_rand_new_with_seed(version);
    struct image *image = mixed(version);
    guint tables = (guint)image_l2_entry(image, 0) + 512;
    guint refused = 0, failed = 0, good = 0;

    for (guint bit = 0; bit < tables * 8; bit += step_of(31)) {
        image->file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int ret = try(image, rand);
        refused += ret < 0;
        failed += ret > 0;
        good += ret == 0;
        image->file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    g_assert_cmpuint(refused, >, 0);
    g_assert_cmpuint(failed, >, 0);
    g_assert_cmpuint(good, >, 0);
    image_free(image);
    g_rand_free(rand);
}

static void test_flips(void)
{
    flip_bits(2);
    flip_bits(3);
}

/* Bytes of all tables, several at a time, at random. */
static void test_noise(void)
{
    GRand *rand = g_rand_new_with_seed(20030101);
    guint rounds = g_getenv("COTRACE_SOAK") != NULL ? 5000 : 200;

    for (guint i = 0; i < rounds; i++) {
        struct image *image = mixed(2 + i % 2);
        guint tables = (guint)image_l2_entry(image, 0) + 512;

        for (int n = g_rand_int_range(rand, 1, 12); n > 0; n--) {
            image->file->data[g_rand_int_range(rand, 512, (gint32)tables)] =
                (uint8_t)g_rand_int_range(rand, 0, 256);
        }
        (void)try(image, rand);
        image_free(image);
    }
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ctx = aio_context_new("test", NULL);
    aio_context_set_current(ctx);
    g_test_add_func("/damage-write/sound", test_sound);
    g_test_add_func("/damage-write/table-as-data", test_table_as_data);
    g_test_add_func("/damage-write/flips", test_flips);
    g_test_add_func("/damage-write/noise", test_noise);
    int ret = g_test_run();
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return ret;
}
