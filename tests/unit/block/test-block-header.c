/* SPDX-License-Identifier: MIT */
/*
 * test-block-header.c - qcow2 headers: what is read, what is refused by name
 */
#include <errno.h>
#include <inttypes.h>

#include "block/drivers/qcow2/header.h"
#include "image.h"

#define CLUSTER_BITS 12
#define SIZE         (3 * 1024 * 1024)

/* Parses and checks @image as if it were a file of @file_bytes. */
static int parse(const struct image *image, uint64_t file_bytes,
                 struct qcow2_header *header, GError **error)
{
    size_t bytes = (size_t)MIN(file_bytes, QCOW2_HEADER_BYTES);
    int ret =
        qcow2_header_parse(image->file->data, bytes, file_bytes, header, error);
    if (ret < 0) {
        return ret;
    }
    return qcow2_header_check(
        header, image->file->data + header->extensions,
        (size_t)(header->extensions_end - header->extensions), error);
}

static void expect_good(const struct image *image)
{
    g_autoptr(GError) error = NULL;
    struct qcow2_header header;
    int ret = parse(image, image->file->len, &header, &error);

    g_assert_no_error(error);
    g_assert_cmpint(ret, ==, 0);
}

/* Frees the image. */
static void expect_refused(struct image *image, int want, const char *message)
{
    g_autoptr(GError) error = NULL;
    struct qcow2_header header;
    int ret = parse(image, image->file->len, &header, &error);

    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, message);
    g_assert_cmpint(ret, ==, want);
    image_free(image);
}

static struct image *version_3(void)
{
    return image_new(3, CLUSTER_BITS, SIZE);
}

static void test_fields(void)
{
    struct image *image = version_3();
    struct qcow2_header h;

    g_assert_cmpint(parse(image, image->file->len, &h, NULL), ==, 0);
    g_assert_cmpuint(h.version, ==, 3);
    g_assert_cmpuint(h.cluster_bytes, ==, 4096);
    g_assert_cmpuint(h.l2_bits, ==, 9);
    g_assert_cmpuint(h.size, ==, SIZE);
    g_assert_cmpuint(h.l1_needed, ==, 2);
    g_assert_cmpuint(h.l1_offset, ==, image->l1_offset);
    g_assert_cmpuint(h.extensions, ==, IMAGE_HEADER_BYTES);
    g_assert_cmpuint(h.extensions_end, ==, 4096);
    image_free(image);
}

/* Bytes behind a version 2 header are no feature bits. */
static void test_version_2(void)
{
    struct image *image = image_new(2, CLUSTER_BITS, SIZE);
    struct qcow2_header h;

    image_put64(image, IMAGE_AT_INCOMPATIBLE, UINT64_MAX);
    g_assert_cmpint(parse(image, image->file->len, &h, NULL), ==, 0);
    g_assert_cmpuint(h.incompatible, ==, 0);
    g_assert_cmpuint(h.refcount_order, ==, 4);
    g_assert_cmpuint(h.extensions, ==, 72);
    image_free(image);
}

static void test_every_cluster_size(void)
{
    for (uint32_t bits = 9; bits <= 21; bits++) {
        for (uint32_t version = 2; version <= 3; version++) {
            struct image *image = image_new(version, bits, SIZE);
            expect_good(image);
            image_free(image);
        }
    }
}

static void test_not_qcow2(void)
{
    struct image *image = version_3();
    image_put32(image, 0, 0x514649fa);
    expect_refused(image, -EINVAL, "not a qcow2 image");

    image = version_3();
    g_byte_array_set_size(image->file, 3);
    expect_refused(image, -EINVAL, "not a qcow2 image");

    image = version_3();
    g_byte_array_set_size(image->file, 0);
    expect_refused(image, -EINVAL, "not a qcow2 image");
}

static void test_versions(void)
{
    struct image *image = version_3();
    image_put32(image, IMAGE_AT_VERSION, 4);
    expect_refused(image, -ENOTSUP, "qcow2 version 4 is not supported");

    image = version_3();
    image_put32(image, IMAGE_AT_VERSION, 1);
    expect_refused(image, -ENOTSUP, "qcow2 version 1 is not supported");
}

static void test_features(void)
{
    static const struct {
        uint64_t bits;
        const char *message;
    } cases[] = {
        {4, "an external data file is not supported"},
        {16, "extended L2 entries are not supported"},
        {32, "unknown incompatible feature bit 5 is not supported"},
        {UINT64_C(1) << 63,
         "unknown incompatible feature bit 63 is not supported"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct image *image = version_3();
        image_put64(image, IMAGE_AT_INCOMPATIBLE, cases[i].bits);
        expect_refused(image, -ENOTSUP, cases[i].message);
    }

    /* dirty, corrupt: may be read */
    struct image *image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 3);
    expect_good(image);
    image_free(image);
}

static void add_feature_name(struct image *image, uint8_t type, uint8_t bit,
                             const char *name)
{
    uint8_t rows[2 * 48] = {0};

    rows[0] = 1; /* a compatible one of the same bit, which is not meant */
    rows[1] = bit;
    memcpy(rows + 2, "wrong", 5);
    rows[48] = type;
    rows[49] = bit;
    memcpy(rows + 50, name, strlen(name));
    image_add_extension(image, 0x6803f857, rows, sizeof(rows));
}

static void test_feature_name(void)
{
    struct image *image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 64);
    add_feature_name(image, 0, 6, "quantum\tclusters");
    expect_refused(image, -ENOTSUP,
                   "incompatible feature 'quantum\\tclusters' (bit 6) is not "
                   "supported");

    /* 46 characters have no terminator */
    image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 64);
    add_feature_name(image, 0, 6,
                     "0123456789012345678901234567890123456789012345");
    expect_refused(image, -ENOTSUP,
                   "incompatible feature "
                   "'0123456789012345678901234567890123456789012345' (bit 6) "
                   "is not supported");

    image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 64);
    add_feature_name(image, 0, 7, "of another bit");
    expect_refused(image, -ENOTSUP,
                   "unknown incompatible feature bit 6 is not supported");
}

static void test_compression_type(void)
{
    struct image *image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 8);
    image->file->data[IMAGE_AT_COMPRESSION] = 1;
    expect_good(image); /* its clusters may not be compressed at all */
    image_free(image);

    image = version_3();
    image->file->data[IMAGE_AT_COMPRESSION] = 1;
    expect_refused(image, -EINVAL,
                   "compression type 1 contradicts the feature bits");

    image = version_3();
    image_put64(image, IMAGE_AT_INCOMPATIBLE, 8);
    image->file->data[IMAGE_AT_COMPRESSION] = 2;
    expect_refused(image, -ENOTSUP, "compression type 2 is not supported");
}

static void test_encryption(void)
{
    static const char *const messages[] = {
        "encryption (AES) is not supported",
        "encryption (LUKS) is not supported",
        "encryption method 3 is not supported",
    };

    for (uint32_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        struct image *image = version_3();
        image_put32(image, IMAGE_AT_CRYPT, i + 1);
        expect_refused(image, -ENOTSUP, messages[i]);
    }
}

static void test_backing_file(void)
{
    struct image *image = version_3();
    image_put64(image, IMAGE_AT_BACKING_OFFSET, 512);
    image_put32(image, IMAGE_AT_BACKING_BYTES, 8);
    expect_good(image);
    image_free(image);

    image = version_3();
    image_put64(image, IMAGE_AT_BACKING_OFFSET, 4090);
    image_put32(image, IMAGE_AT_BACKING_BYTES, 8);
    expect_refused(image, -EINVAL,
                   "backing file name at offset 4090 is not in the first "
                   "cluster");

    image = version_3();
    image_put64(image, IMAGE_AT_BACKING_OFFSET, 512);
    image_put32(image, IMAGE_AT_BACKING_BYTES, 1024);
    expect_refused(image, -EINVAL,
                   "backing file name of 1024 bytes is empty or too long");
}

static void test_backing_format(void)
{
    struct image *image = version_3();
    size_t bytes = image->cluster_bytes - IMAGE_HEADER_BYTES;
    const uint8_t *extensions = image->file->data + IMAGE_HEADER_BYTES;

    g_assert_null(qcow2_header_backing_format(extensions, bytes));
    image_add_extension(image, 0xe2792aca, "qcow2", 5);
    g_autofree char *format = qcow2_header_backing_format(extensions, bytes);
    g_assert_cmpstr(format, ==, "qcow2");
    g_assert_null(qcow2_header_backing_format(extensions, 8 + 4));
    g_assert_null(qcow2_header_backing_format(extensions, 0));
    image_free(image);
}

static void test_geometry(void)
{
    struct image *image = version_3();
    image_put32(image, IMAGE_AT_CLUSTER_BITS, 8);
    expect_refused(image, -EINVAL,
                   "cluster size 2^8 is not between 2^9 and 2^21");

    image = version_3();
    image_put32(image, IMAGE_AT_CLUSTER_BITS, 22);
    expect_refused(image, -EINVAL,
                   "cluster size 2^22 is not between 2^9 and 2^21");

    image = version_3();
    image_put32(image, IMAGE_AT_HEADER_BYTES, 103);
    expect_refused(image, -EINVAL,
                   "header of 103 bytes is too short for version 3");

    image = version_3();
    image_put32(image, IMAGE_AT_HEADER_BYTES, 4097);
    expect_refused(image, -EINVAL,
                   "header of 4097 bytes is longer than a cluster");

    image = version_3();
    image_put32(image, IMAGE_AT_REFCOUNT_ORDER, 7);
    expect_refused(image, -EINVAL,
                   "refcounts of 2^7 bits are wider than 64 bits");

    image = version_3();
    image_put64(image, IMAGE_AT_SIZE, UINT64_C(1) << 63);
    expect_refused(image, -EINVAL,
                   "disk of 9223372036854775808 bytes is too large");
}

static void test_l1(void)
{
    struct image *image = version_3();
    image_put32(image, IMAGE_AT_L1_ENTRIES, 1);
    expect_refused(image, -EINVAL,
                   "L1 table of 1 entries is too small for a disk of 3145728 "
                   "bytes");

    image = version_3();
    image_put32(image, IMAGE_AT_L1_ENTRIES, 4194305);
    expect_refused(image, -EINVAL, "L1 table of 4194305 entries is too large");

    image = version_3();
    image_put64(image, IMAGE_AT_L1_OFFSET, 12289);
    expect_refused(image, -EINVAL,
                   "the L1 table at offset 12289 does not begin on a cluster");

    image = version_3();
    image_put64(image, IMAGE_AT_L1_OFFSET, 16384);
    expect_refused(image, -EINVAL,
                   "cut short: the L1 table needs bytes 16384 to 16400, the "
                   "file has 16384");

    image = version_3();
    image_put64(image, IMAGE_AT_L1_OFFSET, UINT64_MAX << 12);
    expect_refused(image, -EINVAL,
                   "cut short: the L1 table needs bytes "
                   "18446744073709547520 to 18446744073709547536, the file "
                   "has 16384");
}

static void test_other_tables(void)
{
    struct image *image = version_3();
    image_put32(image, IMAGE_AT_REFCOUNT_CLUSTERS, 0);
    expect_refused(image, -EINVAL,
                   "refcount table of 0 clusters is empty or too large");

    image = version_3();
    image_put32(image, IMAGE_AT_REFCOUNT_CLUSTERS, 2049);
    expect_refused(image, -EINVAL,
                   "refcount table of 2049 clusters is empty or too large");

    image = version_3();
    image_put64(image, IMAGE_AT_REFCOUNT_OFFSET, 1 << 20);
    expect_refused(image, -EINVAL,
                   "cut short: the refcount table needs bytes 1048576 to "
                   "1052672, the file has 16384");

    image = version_3();
    image_put32(image, IMAGE_AT_SNAPSHOTS, 65537);
    expect_refused(image, -EINVAL, "65537 snapshots are too many");

    image = version_3();
    image_put32(image, IMAGE_AT_SNAPSHOTS, 1);
    image_put64(image, IMAGE_AT_SNAPSHOTS_OFFSET, 16384);
    expect_refused(image, -EINVAL,
                   "cut short: the snapshot table needs bytes 16384 to "
                   "16385, the file has 16384");
}

/* A file that ends inside the header, at every byte. */
static void test_cut_header(void)
{
    struct image *image = version_3();

    for (uint64_t bytes = 4; bytes < 104; bytes++) {
        g_autoptr(GError) error = NULL;
        struct qcow2_header header;

        g_assert_cmpint(parse(image, bytes, &header, &error), ==, -EINVAL);
        g_assert_true(g_str_has_prefix(error->message, "cut short: "));
    }
    image_free(image);
}

/* What passes must be safe to compute with. */
static void check_invariants(const struct qcow2_header *h, uint64_t file_bytes)
{
    uint64_t l1_bytes = h->l1_needed * sizeof(uint64_t);

    g_assert_cmpuint(h->l1_needed, <=, h->l1_entries);
    g_assert_cmpuint(l1_bytes, <=, QCOW2_L1_BYTES_MAX);
    g_assert_cmpuint(h->l1_offset, <=, file_bytes);
    g_assert_cmpuint(l1_bytes, <=, file_bytes - h->l1_offset);
    g_assert_cmpuint(h->size, <=, INT64_MAX);
    g_assert_cmpuint(h->extensions, <=, h->extensions_end);
    g_assert_cmpuint(h->extensions_end, <=, h->cluster_bytes);
    g_assert_cmpuint(h->size, <=,
                     h->l1_needed << (h->cluster_bits + h->l2_bits));
}

static int fuzz_round(GRand *rand, const struct image *image)
{
    struct image copy = *image;
    struct qcow2_header header;
    g_autoptr(GError) error = NULL;
    int ret;

    copy.file = g_byte_array_new();
    g_byte_array_append(copy.file, image->file->data, image->file->len);
    for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
        guint at = (guint)g_rand_int_range(rand, 0, 320);
        if (g_rand_boolean(rand)) {
            copy.file->data[at] ^= (uint8_t)(1 << g_rand_int_range(rand, 0, 8));
        } else {
            copy.file->data[at] = (uint8_t)g_rand_int_range(rand, 0, 256);
        }
    }
    /* The extensions that are looked at are at most what the file has. */
    ret = qcow2_header_parse(copy.file->data, QCOW2_HEADER_BYTES,
                             copy.file->len, &header, &error);
    if (ret == 0) {
        check_invariants(&header, copy.file->len);
        size_t n = (size_t)MIN(header.extensions_end, copy.file->len) -
                   header.extensions;
        ret = qcow2_header_check(&header, copy.file->data + header.extensions,
                                 n, &error);
    }
    g_assert_true((ret < 0) == (error != NULL));
    g_byte_array_unref(copy.file);
    return ret;
}

static void test_fuzz(void)
{
    GRand *rand = g_rand_new_with_seed(20240611);
    struct image *image = version_3();
    int passed = 0;

    add_feature_name(image, 0, 6, "a name");
    for (int i = 0; i < 20000; i++) {
        passed += fuzz_round(rand, image) == 0;
    }
    /* The loop means something only if it sees both. */
    g_assert_cmpint(passed, >, 1000);
    g_assert_cmpint(passed, <, 19000);
    image_free(image);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/header/fields", test_fields);
    g_test_add_func("/header/version-2", test_version_2);
    g_test_add_func("/header/every-cluster-size", test_every_cluster_size);
    g_test_add_func("/header/not-qcow2", test_not_qcow2);
    g_test_add_func("/header/versions", test_versions);
    g_test_add_func("/header/features", test_features);
    g_test_add_func("/header/feature-name", test_feature_name);
    g_test_add_func("/header/compression-type", test_compression_type);
    g_test_add_func("/header/encryption", test_encryption);
    g_test_add_func("/header/backing-file", test_backing_file);
    g_test_add_func("/header/backing-format", test_backing_format);
    g_test_add_func("/header/geometry", test_geometry);
    g_test_add_func("/header/l1", test_l1);
    g_test_add_func("/header/other-tables", test_other_tables);
    g_test_add_func("/header/cut-short", test_cut_header);
    g_test_add_func("/header/fuzz", test_fuzz);
    return g_test_run();
}
