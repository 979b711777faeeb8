/* SPDX-License-Identifier: MIT */
/*
 * test-block-damage.c - images that can't be read, or not everywhere
 *
 * Whatever a file holds, opening and reading it ends, with data or with a
 * reason.  The loops over truncations and flipped bits are for the sanitizers;
 * for a truncation the result is known as well: what is read without an error
 * is what was there.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "ct/block.h"
#include "image.h"
#include "loops.h"

static AioContext *ctx;

/* Each of the @steps-th truncations and flips; 1 with COTRACE_SOAK. */
static guint step_of(guint step)
{
    return g_getenv("COTRACE_SOAK") != NULL ? 1 : step;
}

static BlockBackend *open_part(const struct image *image, uint64_t bytes,
                               char **ret_message)
{
    BlockOptions options = {.format = "qcow2"};
    g_autoptr(GError) error = NULL;
    char *name = image_save(image, bytes);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);

    g_assert_true((blk == NULL) == (error != NULL));
    if (error != NULL) {
        g_assert_true(error->domain == BLOCK_ERROR);
        g_assert_null(strchr(error->message, '\n'));
        *ret_message = g_strdup(error->message);
    }
    image_remove(name); /* what is open stays */
    return blk;
}

static void expect_refused(const struct image *image, uint64_t bytes,
                           const char *want)
{
    g_autofree char *message = NULL;

    g_assert_null(open_part(image, bytes, &message));
    g_assert_cmpstr(message, ==, want);
}

static void expect_fault(const struct image *image, uint64_t offset, int want,
                         const char *fault)
{
    g_autofree char *message = NULL;
    BlockBackend *blk = open_part(image, image->file->len, &message);
    uint8_t data[512];

    g_assert_cmpstr(message, ==, NULL);
    g_assert_null(blk_fault(blk));
    g_assert_cmpint(blk_pread(blk, (int64_t)offset, 512, data), ==, want);
    g_assert_cmpstr(blk_fault(blk), ==, fault);
    blk_unref(blk);
}

/* --- by name ------------------------------------------------------------- */

static struct image *small_image(void)
{
    struct image *image = image_new(3, 9, 40 * 512);

    image_set(image, 0, IMAGE_ALLOCATED);
    image_set(image, 1, IMAGE_ZERO);
    image_set(image, 3, IMAGE_ALLOCATED);
    return image;
}

static void test_backing_name(void)
{
    struct image *image = small_image();

    image_put64(image, IMAGE_AT_BACKING_OFFSET, 400);
    image_put32(image, IMAGE_AT_BACKING_BYTES, 9);
    memcpy(image->file->data + 400, "/dir/base", 9);
    expect_refused(image, image->file->len,
                   "backing file '/dir/base': No such file or directory");
    image_free(image);
}

static void test_compressed(void)
{
    struct image *image = small_image();

    image_set(image, 5, IMAGE_COMPRESSED);
    expect_fault(image, 5 * 512, -EIO,
                 "damaged: the compressed cluster of guest offset 2560 can't "
                 "be read");
    image_free(image);
}

/* What lies there is no frame; a frame of another length is none either. */
static void test_compressed_with_zstd(void)
{
    static const uint8_t frames[][16] = {
        /* no blocks */
        {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1},
        /* a byte, again and again: 511 of them, a byte less than a cluster */
        {0x28, 0xb5, 0x2f, 0xfd, 0x60, 0xff, 0, 0xfb, 0x0f, 0, 7},
        /* a block that is cut short by the end of the sector */
        {0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 1, 1, 0x10, 0},
    };

    for (size_t i = 0; i <= G_N_ELEMENTS(frames); i++) {
        struct image *image = small_image();

        image_put64(image, IMAGE_AT_INCOMPATIBLE, 8);
        image->file->data[IMAGE_AT_COMPRESSION] = 1;
        image_set(image, 5, IMAGE_COMPRESSED);
        if (i < G_N_ELEMENTS(frames)) {
            memcpy(image->file->data + image->file->len - 512, frames[i],
                   sizeof(frames[i]));
        }
        expect_fault(image, 5 * 512, -EIO,
                     "damaged: the compressed cluster of guest offset 2560 "
                     "can't be read");
        image_free(image);
    }
}

static void test_compressed_elsewhere(void)
{
    struct image *image = small_image();
    g_autofree char *message = NULL;
    uint8_t data[512];

    image_set(image, 5, IMAGE_COMPRESSED);
    BlockBackend *blk = open_part(image, image->file->len, &message);
    g_assert_cmpint(blk_pread(blk, 3 * 512, 512, data), ==, 0);
    g_assert_cmpint(data[0], ==, image_byte(3));
    g_assert_null(blk_fault(blk));
    blk_unref(blk);
    image_free(image);
}

static void test_zero_in_version_2(void)
{
    struct image *image = image_new(2, 9, 40 * 512);

    image_set(image, 4, IMAGE_ZERO);
    expect_fault(image, 4 * 512, -EIO,
                 "damaged: zero cluster at guest offset 2048 in a version 2 "
                 "image");
    image_free(image);
}

static void test_misaligned(void)
{
    struct image *image = image_new(3, 12, 40 * 4096);

    image_set(image, 2, IMAGE_ALLOCATED);
    uint64_t at = image_l2_entry(image, 2);
    image_put64(image, at, image_get64(image, at) + 512);
    expect_fault(image, 8192, -EIO,
                 "damaged: the cluster of guest offset 8192 lies at 20992, "
                 "inside another cluster");

    image_put64(image, image->l1_offset,
                image_get64(image, image->l1_offset) + 1024);
    expect_refused(image, image->file->len,
                   "damaged: L2 table 0 lies at 17408, inside another "
                   "cluster");
    image_free(image);
}

static void test_cut_data(void)
{
    struct image *image = small_image();

    g_byte_array_set_size(image->file, image->file->len - 1);
    expect_fault(image, 3 * 512, -EIO,
                 "cut short: guest offset 1536 needs bytes 3072 to 3584, the "
                 "file has 3583");
    image_free(image);
}

/* The last cluster need not be longer than the disk. */
static void test_last_cluster(void)
{
    struct image *image = image_new(3, 16, 65536 + 1024);
    g_autofree char *message = NULL;
    uint8_t data[1024];

    image_set(image, 1, IMAGE_ALLOCATED);
    BlockBackend *blk =
        open_part(image, image->file->len - 65536 + 1024, &message);
    g_assert_cmpint(blk_pread(blk, 65536, 1024, data), ==, 0);
    g_assert_cmpint(data[1023], ==, image_byte(1));
    blk_unref(blk);

    blk = open_part(image, image->file->len - 65536 + 1023, &message);
    g_assert_cmpint(blk_pread(blk, 65536, 1023, data), ==, 0);
    g_assert_cmpint(blk_pread(blk, 65536, 1024, data), ==, -EIO);
    g_assert_nonnull(blk_fault(blk));
    blk_unref(blk);
    image_free(image);
}

static void test_cut_l2(void)
{
    struct image *image = small_image();

    expect_refused(image, 2559,
                   "cut short: L2 table 0 needs bytes 2048 to 2560, the file "
                   "has 2559");
    image_free(image);
}

/* The first fault is the one that is told. */
static void test_first_fault(void)
{
    struct image *image = small_image();
    g_autofree char *message = NULL;
    uint8_t data[512];

    image_set(image, 5, IMAGE_COMPRESSED);
    image_set(image, 6, IMAGE_ALLOCATED);
    BlockBackend *blk = open_part(image, image->file->len - 1, &message);
    g_assert_cmpint(blk_pread(blk, 5 * 512, 512, data), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, 6 * 512, 512, data), ==, -EIO);
    g_assert_cmpstr(blk_fault(blk), ==,
                    "damaged: the compressed cluster of guest offset 2560 "
                    "can't be read");
    blk_unref(blk);
    image_free(image);
}

/* --- what is no image ---------------------------------------------------- */

static void expect_not_opened(const char *name, const BlockOptions *options,
                              int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_new_open(name, options, ctx, &error));
    g_assert_error(error, BLOCK_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_files(void)
{
    g_autofree char *dir = g_dir_make_tmp("cotrace-block-XXXXXX", NULL);
    g_autofree char *none = g_build_filename(dir, "none", NULL);
    g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
    BlockOptions format = {.format = "vmdk"};
    BlockOptions engine = {.engine = "telepathy"};
    BlockOptions qcow2 = {.format = "qcow2"};

    expect_not_opened(none, NULL, ENOENT, "No such file or directory");
    expect_not_opened(dir, NULL, EISDIR, "Is a directory");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    expect_not_opened(fifo, NULL, EINVAL,
                      "neither a regular file nor a block device");
    g_unlink(fifo);
    expect_not_opened("/proc/self/exe", &format, EINVAL,
                      "unknown format 'vmdk'");
    expect_not_opened("/proc/self/exe", &engine, EINVAL,
                      "unknown engine 'telepathy'");
    expect_not_opened("/proc/self/exe", &qcow2, EINVAL, "not a qcow2 image");
    g_rmdir(dir);
}

/* --- every kind of damage ------------------------------------------------ */

/* Reads all of it, cluster by cluster; Return: how many could not be read */
static unsigned read_all(BlockBackend *blk, const struct image *image,
                         bool is_checked)
{
    g_autofree uint8_t *data = g_malloc(image->cluster_bytes);
    unsigned failed = 0;
    uint64_t length = (uint64_t)blk_length(blk);

    for (uint64_t at = 0; at < MIN(length, image->size);
         at += image->cluster_bytes) {
        uint64_t bytes = MIN(image->cluster_bytes, length - at);
        if (blk_pread(blk, (int64_t)at, (int64_t)bytes, data) < 0) {
            failed++;
            continue;
        }
        for (uint64_t i = 0; is_checked && i < bytes; i++) {
            g_assert_cmpint(data[i], ==, image_expected(image, at + i));
        }
    }
    return failed;
}

static struct image *all_kinds(uint32_t version)
{
    struct image *image = image_new(version, 9, 101 * 512);

    for (uint64_t n = 0; n < 95; n += 7) {
        image_set(image, n, IMAGE_ALLOCATED);
        image_set(image, n + 1 + n % 3, IMAGE_ALLOCATED);
    }
    if (version >= 3) {
        image_set(image, 50, IMAGE_ZERO_ALLOCATED);
        image_set(image, 51, IMAGE_ZERO);
    }
    image_set(image, 100, IMAGE_ALLOCATED); /* and lies last */
    return image;
}

static void test_truncations(void)
{
    struct image *image = all_kinds(3);
    guint opened = 0, refused = 0;

    for (guint bytes = 0; bytes < image->file->len;
         bytes += bytes < 120 ? 1 : step_of(53)) {
        g_autofree char *message = NULL;
        BlockBackend *blk = open_part(image, bytes, &message);

        if (blk == NULL) {
            refused++;
            continue;
        }
        opened++;
        g_assert_cmpuint(read_all(blk, image, true), >, 0);
        g_assert_true(g_str_has_prefix(blk_fault(blk), "cut short: "));
        blk_unref(blk);
    }
    g_assert_cmpuint(opened, >, 0);
    g_assert_cmpuint(refused, >, 0);
    image_free(image);
}

/* Bits of the header and of all tables, one at a time. */
static void flip_bits(uint32_t version)
{
    struct image *image = all_kinds(version);
    guint tables = (guint)image_l2_entry(image, 0) + 512;
    guint opened = 0, refused = 0, failed = 0;

    for (guint bit = 0; bit < tables * 8; bit += step_of(29)) {
        g_autofree char *message = NULL;

        image->file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        BlockBackend *blk = open_part(image, image->file->len, &message);
        if (blk != NULL) {
            opened++;
            failed += read_all(blk, image, false) > 0;
            blk_unref(blk);
        } else {
            refused++;
        }
        image->file->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    g_assert_cmpuint(opened, >, 0);
    g_assert_cmpuint(refused, >, 0);
    g_assert_cmpuint(failed, >, 0);
    image_free(image);
}

static void test_flips(void)
{
    flip_bits(2);
    flip_bits(3);
}

/* Bytes of all tables, several at a time, at random. */
static void test_noise(void)
{
    struct image *image = all_kinds(3);
    GRand *rand = g_rand_new_with_seed(19940613);
    guint tables = (guint)image_l2_entry(image, 0) + 512;
    guint rounds = g_getenv("COTRACE_SOAK") != NULL ? 5000 : 200;

    for (guint i = 0; i < rounds; i++) {
        g_autofree char *message = NULL;
        struct image copy = *image;

        copy.file = g_byte_array_new();
        g_byte_array_append(copy.file, image->file->data, image->file->len);
        for (int n = g_rand_int_range(rand, 1, 20); n > 0; n--) {
            copy.file->data[g_rand_int_range(rand, 112, (gint32)tables)] =
                (uint8_t)g_rand_int_range(rand, 0, 256);
        }
        BlockBackend *blk = open_part(&copy, copy.file->len, &message);
        if (blk != NULL) {
            (void)read_all(blk, &copy, false);
            blk_unref(blk);
        }
        g_byte_array_unref(copy.file);
    }
    image_free(image);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ctx = aio_context_new("test", NULL);
    aio_context_set_current(ctx);
    g_test_add_func("/damage/backing-name", test_backing_name);
    g_test_add_func("/damage/compressed", test_compressed);
    g_test_add_func("/damage/compressed-with-zstd", test_compressed_with_zstd);
    g_test_add_func("/damage/compressed-elsewhere", test_compressed_elsewhere);
    g_test_add_func("/damage/zero-in-version-2", test_zero_in_version_2);
    g_test_add_func("/damage/misaligned", test_misaligned);
    g_test_add_func("/damage/cut-data", test_cut_data);
    g_test_add_func("/damage/last-cluster", test_last_cluster);
    g_test_add_func("/damage/cut-l2", test_cut_l2);
    g_test_add_func("/damage/first-fault", test_first_fault);
    g_test_add_func("/damage/files", test_files);
    g_test_add_func("/damage/truncations", test_truncations);
    g_test_add_func("/damage/flips", test_flips);
    g_test_add_func("/damage/noise", test_noise);
    int ret = g_test_run();
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return ret;
}
