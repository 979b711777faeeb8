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
#include <sys/resource.h>

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

/* Tables in one place: either would destroy the other. */
static void expect_overlap(const struct image *image, const char *want)
{
    BlockOptions options = {.format = "qcow2", .is_writable = true};
    g_autoptr(GError) error = NULL;
    char *name = image_save(image, image->file->len);

    g_assert_null(blk_new_open(name, &options, ctx, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, want);
    image_remove(name);
}

static void test_tables_overlap(void)
{
    struct image *image = mixed(3);
    uint64_t table = image_get64(image, IMAGE_AT_REFCOUNT_OFFSET);
    uint64_t block = image_get64(image, table);

    g_autofree char *refcounts =
        g_strdup_printf("damaged: the refcount block at %" G_GUINT64_FORMAT
                        " overlaps with the active L2 table",
                        block);
    image_put64(image, image->l1_offset, block | UINT64_C(1) << 63);
    expect_overlap(image, refcounts);
    g_autofree char *l1 =
        g_strdup_printf("damaged: the refcount table at %" G_GUINT64_FORMAT
                        " overlaps with the active L1 table",
                        table);
    image_put64(image, IMAGE_AT_L1_OFFSET, table);
    expect_overlap(image, l1);
    image_free(image);
}

/* What is written to the first part of the disk would be in another, too. */
static void test_same_tables_overlap(void)
{
    struct image *image = mixed(3);
    uint64_t refcounts = image_get64(image, IMAGE_AT_REFCOUNT_OFFSET);
    uint64_t block = image_get64(image, refcounts);
    uint64_t entry = image_get64(image, image->l1_offset);
    uint64_t table = entry & UINT64_C(0xfffffffffffe00);
    uint64_t second = image_get64(image, image->l1_offset + 8);

    g_autofree char *l2 =
        g_strdup_printf("damaged: the active L2 table at %" G_GUINT64_FORMAT
                        " overlaps with another active L2 table",
                        table);
    image_put64(image, image->l1_offset + 8, entry);
    expect_overlap(image, l2);
    image_put64(image, image->l1_offset + 8, second);
    g_autofree char *blocks =
        g_strdup_printf("damaged: the refcount block at %" G_GUINT64_FORMAT
                        " overlaps with another refcount block",
                        block);
    image_put64(image, refcounts + 8, block);
    expect_overlap(image, blocks);
    image_free(image);
}

/* After a power cut: an entry is there, the file's new length is not. */
static void test_lost_length(void)
{
    BlockOptions options = {.format = "qcow2", .is_writable = true};
    struct image *image = mixed(3);
    uint64_t lost = ((image->file->len + 511) & ~UINT64_C(511)) + 3 * 512;
    g_autoptr(GError) error = NULL;
    uint8_t data[512] = {0};
    gsize bytes;
    char *after;

    image_put64(image, image_l2_entry(image, 5), lost | UINT64_C(1) << 63);
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 1);
    image_put64(image, IMAGE_AT_COMPATIBLE, 1);
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);
    g_assert_no_error(error);
    for (uint64_t n = 6; n < 11; n++) {
        memset(data, (int)n, sizeof(data));
        g_assert_cmpint(blk_pwrite(blk, (int64_t)n * 512, 512, data, 0), ==, 0);
    }
    g_assert_cmpint(blk_inactivate(blk), ==, 0);
    blk_unref(blk);
    g_assert_true(g_file_get_contents(name, &after, &bytes, NULL));
    memcpy(image->file->data, after, image->file->len);
    for (uint64_t n = 6; n < 11; n++) {
        uint64_t entry = image_get64(image, image_l2_entry(image, n));

        g_assert_cmpuint(entry & 0xfffffffffffe00, !=, 0);
        g_assert_cmpuint(entry & 0xfffffffffffe00, !=, lost);
    }
    g_free(after);
    image_remove(name);
    image_free(image);
}

/* Zeroes behind the last cluster; Return: where they begin */
static uint64_t append(struct image *image, uint64_t bytes)
{
    guint end = image->file->len;
    uint64_t at =
        (end + image->cluster_bytes - 1) & ~(image->cluster_bytes - 1);

    g_byte_array_set_size(image->file, (guint)(at + bytes));
    memset(image->file->data + end, 0, image->file->len - end);
    return at;
}

/* Clusters with room for a reference to @cluster: a longer refcount table, and
 * the one block that it lacks; both at the end of the file.  Return: the block.
 */
static uint64_t count_far(struct image *image, uint64_t cluster)
{
    uint64_t per_block = image->cluster_bytes / 2;
    uint64_t bytes = (cluster / per_block / 64 + 1) * image->cluster_bytes;
    uint64_t old = image_get64(image, IMAGE_AT_REFCOUNT_OFFSET);
    uint64_t first = image_get64(image, old);
    uint64_t table = append(image, bytes + image->cluster_bytes);

    image_put64(image, table, first);
    image_put64(image, table + cluster / per_block * 8, table + bytes);
    image_put64(image, IMAGE_AT_REFCOUNT_OFFSET, table);
    image_put32(image, IMAGE_AT_REFCOUNT_CLUSTERS,
                (uint32_t)(bytes / image->cluster_bytes));
    return table + bytes;
}

/* Far behind the file's end: counted where there is a block to count it in. */
static void test_far_references(void)
{
    const uint64_t far = 400 * 256 + 77;
    BlockOptions options = {.format = "qcow2", .is_writable = true};
    struct image *image = mixed(3);
    uint64_t block = count_far(image, far);
    uint64_t entry = image_l2_entry(image, 5);
    g_autoptr(GError) error = NULL;
    gsize bytes;
    char *after;

    image_put64(image, entry, far * 512 | UINT64_C(1) << 63);
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 1);
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);
    g_assert_no_error(error);
    blk_unref(blk);
    g_assert_true(g_file_get_contents(name, &after, &bytes, NULL));
    for (uint64_t i = 0; i < 256; i++) {
        g_assert_cmpuint((uint8_t)after[block + 2 * i], ==, 0);
        g_assert_cmpuint((uint8_t)after[block + 2 * i + 1], ==, i == far % 256);
    }
    g_free(after);
    image_remove(name);

    image_free(image);
}

static long resident_kib(void)
{
    struct rusage usage;

    g_assert_cmpint(getrusage(RUSAGE_SELF, &usage), ==, 0);
    return usage.ru_maxrss;
}

/* How far an entry points is the image's own word, and takes no memory. */
static void test_farthest_reference(void)
{
    const uint64_t disk = UINT64_C(1) << 45;
    const uint64_t n_l1 = disk >> 29; /* entries, each for 2^13 clusters */
    BlockOptions options = {.format = "qcow2", .is_writable = true};
    struct image *image = image_new(3, 16, 65536);
    g_autoptr(GError) error = NULL;

    image_set(image, 0, IMAGE_ALLOCATED);
    image_count(image);
    image_put64(image, image_l2_entry(image, 0), disk | UINT64_C(1) << 63);
    uint64_t l1 = append(image, n_l1 * 8);
    image_put64(image, l1, image_get64(image, image->l1_offset));
    image_put64(image, IMAGE_AT_L1_OFFSET, l1);
    image_put32(image, IMAGE_AT_L1_ENTRIES, (uint32_t)n_l1);
    image_put64(image, IMAGE_AT_SIZE, disk);
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 1);
    char *name = image_save(image, image->file->len);
    long before = resident_kib();
    g_assert_null(blk_new_open(name, &options, ctx, &error));
    g_assert_cmpstr(error->message, ==,
                    "counting references anew: Invalid argument");
    g_assert_cmpint(resident_kib() - before, <, 256 * 1024);
    image_remove(name);
    image_free(image);
}

/* Return: what blk_inactivate() gave while write @n of the file failed */
static int inactivate_once(const struct image *image, unsigned n)
{
    g_autofree char *rule = g_strdup_printf("write@%u=EIO", n);
    const char *const rules[] = {rule, NULL};
    BlockOptions options = {
        .format = "qcow2", .is_writable = true, .faults = rules};
    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, NULL);
    uint8_t data[512] = {0};
    int ret = 1;

    if (blk != NULL && blk_pwrite(blk, 5 * 512, 512, data, 0) >= 0) {
        ret = blk_inactivate(blk);
        g_assert_true(blk_is_writable(blk) == (ret < 0));
    }
    if (ret < 0) { /* nothing is given up: it can be tried again */
        g_assert_cmpint(blk_pwrite(blk, 6 * 512, 512, data, 0), ==, 0);
        g_assert_cmpint(blk_inactivate(blk), ==, 0);
    }
    if (ret <= 0) {
        g_assert_false(blk_is_writable(blk));
        g_assert_cmpint(blk_pwrite(blk, 7 * 512, 512, data, 0), ==, -EPERM);
    }
    blk_unref(blk);
    image_remove(name);
    return ret;
}

static void test_failed_inactivate(void)
{
    struct image *image = mixed(3);
    unsigned failed = 0;

    image_put64(image, IMAGE_AT_COMPATIBLE, 1); /* lazy refcounts */
    for (unsigned n = 1; n < 12; n++) {
        int ret = inactivate_once(image, n);

        g_assert_true(ret == 0 || ret == 1 || ret == -EIO);
        failed += ret < 0;
    }
    g_assert_cmpuint(failed, >=, 2); /* refcounts, the dirty bit */
    image_free(image);
}

/* The file is gone, so it can't be opened anew: all goes on as before. */
static void test_failed_reopen(void)
{
    BlockOptions options = {.format = "qcow2", .is_writable = true};
    BlockOptions reading = {.format = "qcow2"};
    struct image *image = mixed(3);
    g_autoptr(GError) error = NULL;
    uint8_t data[512] = {1}, back[512];

    char *name = image_save(image, image->file->len);
    BlockBackend *blk = blk_new_open(name, &options, ctx, &error);
    g_assert_no_error(error);
    image_remove(name);
    g_assert_cmpint(blk_reopen(blk, &reading, &error), ==, -ENOENT);
    g_assert_true(blk_is_writable(blk));
    g_assert_cmpint(blk_pwrite(blk, 5 * 512, 512, data, 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 5 * 512, 512, back), ==, 0);
    g_assert_cmpmem(back, 512, data, 512);
    g_assert_null(blk_fault(blk));
    blk_unref(blk);
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
    g_test_add_func("/damage-write/tables-overlap", test_tables_overlap);
    g_test_add_func("/damage-write/same-tables-overlap",
                    test_same_tables_overlap);
    g_test_add_func("/damage-write/lost-length", test_lost_length);
    g_test_add_func("/damage-write/far-references", test_far_references);
    g_test_add_func("/damage-write/farthest-reference",
                    test_farthest_reference);
    g_test_add_func("/damage-write/failed-inactivate", test_failed_inactivate);
    g_test_add_func("/damage-write/failed-reopen", test_failed_reopen);
    g_test_add_func("/damage-write/flips", test_flips);
    g_test_add_func("/damage-write/noise", test_noise);
    int ret = g_test_run();
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return ret;
}
