/* SPDX-License-Identifier: MIT */
/*
 * header.c - the qcow2 header, from bytes to checked numbers
 *
 * The file is untrusted.  Every number is bounded before anything is computed
 * with it, in this order: its own limit, then (for what the driver follows
 * later) that all of it lies inside the file.  So the rest of the driver can
 * multiply and allocate without asking again:
 *
 *   - cluster_bits is 9 to 21, l1_entries at most QCOW2_L1_BYTES_MAX / 8, so
 *     no product of the two overflows;
 *   - the L1 table covers the guest's disk;
 *   - L1 table, refcount table and snapshot table begin on a cluster.
 *
 * Numbers are big-endian.  Bytes that a version 2 header does not have read as
 * their version 3 defaults.
 */
#include "block/drivers/qcow2/header.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "block/driver.h"
#include "base/bytes.h"

#define HEADER_V2_BYTES 72
#define HEADER_V3_BYTES 104

#define SECTOR_BYTES 512

#define MAGIC 0x514649fbu /* "QFI\xfb" */

#define CLUSTER_BITS_MIN 9
#define CLUSTER_BITS_MAX 21

#define REFCOUNT_ORDER_MAX     6
#define REFCOUNT_ORDER_DEFAULT 4
#define SNAPSHOTS_MAX          65536
#define BACKING_NAME_MAX       1023

/* Where the fields lie */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_BACKING_OFFSET = 8,
    AT_BACKING_BYTES = 16,
    AT_CLUSTER_BITS = 20,
    AT_SIZE = 24,
    AT_CRYPT_METHOD = 32,
    AT_L1_ENTRIES = 36,
    AT_L1_OFFSET = 40,
    AT_REFCOUNT_OFFSET = 48,
    AT_REFCOUNT_CLUSTERS = 56,
    AT_SNAPSHOTS = 60,
    AT_SNAPSHOTS_OFFSET = 64,
    AT_COMPATIBLE = 80,
    AT_REFCOUNT_ORDER = 96,
    AT_HEADER_BYTES = 100,
    AT_COMPRESSION = 104,
};

#define EXTENSION_END            0u
#define EXTENSION_FEATURE_NAMES  0x6803f857u
#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_HEAD_BYTES     8

/* A row of the feature name table: type, bit, name padded with zeroes */
#define FEATURE_BYTES             48
#define FEATURE_NAME_BYTES        46
#define FEATURE_TYPE_INCOMPATIBLE 0

#define malformed(error, ...) block_error(error, EINVAL, __VA_ARGS__)

/* @...: what, with its verb; the rest of the sentence is always the same */
#define unsupported(error, format, ...) \
    block_error(error, ENOTSUP, format " not supported", ##__VA_ARGS__)

int qcow2_header_probe(const uint8_t *buf, size_t bytes)
{
    return bytes >= 8 && ct_get_be32(buf + AT_MAGIC) == MAGIC &&
           ct_get_be32(buf + AT_VERSION) >= 2;
}

/* A table that the header points at: on a cluster, and all of it there? */
static int check_table(const struct qcow2_header *h, const char *what,
                       uint64_t offset, uint64_t table_bytes,
                       uint64_t file_bytes, GError **error)
{
    if (offset % h->cluster_bytes != 0) {
        return malformed(error,
                         "%s at offset %" PRIu64 " does not begin on a cluster",
                         what, offset);
    }
    if (offset > file_bytes || table_bytes > file_bytes - offset) {
        return malformed(error,
                         "cut short: %s needs bytes %" PRIu64 " to %" PRIu64
                         ", the file has %" PRIu64,
                         what, offset, offset + table_bytes, file_bytes);
    }
    return 0;
}

static void read_fields(const uint8_t *buf, size_t bytes,
                        struct qcow2_header *h)
{
    *h = (struct qcow2_header){
        .version = ct_get_be32(buf + AT_VERSION),
        .backing_offset = ct_get_be64(buf + AT_BACKING_OFFSET),
        .backing_bytes = ct_get_be32(buf + AT_BACKING_BYTES),
        .cluster_bits = ct_get_be32(buf + AT_CLUSTER_BITS),
        .size = ct_get_be64(buf + AT_SIZE),
        .crypt_method = ct_get_be32(buf + AT_CRYPT_METHOD),
        .l1_entries = ct_get_be32(buf + AT_L1_ENTRIES),
        .l1_offset = ct_get_be64(buf + AT_L1_OFFSET),
        .refcount_offset = ct_get_be64(buf + AT_REFCOUNT_OFFSET),
        .refcount_clusters = ct_get_be32(buf + AT_REFCOUNT_CLUSTERS),
        .snapshots = ct_get_be32(buf + AT_SNAPSHOTS),
        .snapshots_offset = ct_get_be64(buf + AT_SNAPSHOTS_OFFSET),
        .refcount_order = REFCOUNT_ORDER_DEFAULT,
        .header_bytes = HEADER_V2_BYTES,
    };
    if (h->version < 3 || bytes < HEADER_V3_BYTES) {
        return;
    }
    h->incompatible = ct_get_be64(buf + QCOW2_AT_INCOMPATIBLE);
    h->compatible = ct_get_be64(buf + AT_COMPATIBLE);
    h->autoclear = ct_get_be64(buf + QCOW2_AT_AUTOCLEAR);
    h->refcount_order = ct_get_be32(buf + AT_REFCOUNT_ORDER);
    h->header_bytes = ct_get_be32(buf + AT_HEADER_BYTES);
    if (h->header_bytes > AT_COMPRESSION && bytes > AT_COMPRESSION) {
        h->compression = buf[AT_COMPRESSION];
    }
}

/* The numbers that everything else is computed from */
static int check_geometry(struct qcow2_header *h, GError **error)
{
    if (h->cluster_bits < CLUSTER_BITS_MIN ||
        h->cluster_bits > CLUSTER_BITS_MAX) {
        return malformed(
            error, "cluster size 2^%" PRIu32 " is not between 2^%d and 2^%d",
            h->cluster_bits, CLUSTER_BITS_MIN, CLUSTER_BITS_MAX);
    }
    h->cluster_bytes = UINT64_C(1) << h->cluster_bits;
    h->l2_bits = h->cluster_bits - 3;

    if (h->header_bytes > h->cluster_bytes) {
        return malformed(error,
                         "header of %" PRIu32 " bytes is longer than a cluster",
                         h->header_bytes);
    }
    if (h->refcount_order > REFCOUNT_ORDER_MAX) {
        return malformed(
            error, "refcounts of 2^%" PRIu32 " bits are wider than 64 bits",
            h->refcount_order);
    }
    if (h->size > INT64_MAX) {
        return malformed(error, "disk of %" PRIu64 " bytes is too large",
                         h->size);
    }

    h->l1_needed = qcow2_l1_needed(h, h->size);
    if (h->l1_entries > QCOW2_L1_BYTES_MAX / sizeof(uint64_t)) {
        return malformed(error, "L1 table of %" PRIu32 " entries is too large",
                         h->l1_entries);
    }
    if (h->l1_entries < h->l1_needed) {
        return malformed(error,
                         "L1 table of %" PRIu32
                         " entries is too small for a disk of %" PRIu64
                         " bytes",
                         h->l1_entries, h->size);
    }
    return 0;
}

static int check_tables(const struct qcow2_header *h, uint64_t file_bytes,
                        GError **error)
{
    int ret = check_table(h, "the L1 table", h->l1_offset,
                          h->l1_entries * sizeof(uint64_t), file_bytes, error);
    if (ret < 0) {
        return ret;
    }
    uint64_t refcount_bytes = (uint64_t)h->refcount_clusters << h->cluster_bits;
    if (refcount_bytes == 0 || refcount_bytes > QCOW2_REFCOUNT_BYTES_MAX) {
        return malformed(error,
                         "refcount table of %" PRIu32
                         " clusters is empty or too large",
                         h->refcount_clusters);
    }
    ret = check_table(h, "the refcount table", h->refcount_offset,
                      refcount_bytes, file_bytes, error);
    if (ret < 0) {
        return ret;
    }
    if (h->snapshots > SNAPSHOTS_MAX) {
        return malformed(error, "%" PRIu32 " snapshots are too many",
                         h->snapshots);
    }
    if (h->snapshots > 0) {
        /* one byte of it at least; snapshots are not read */
        ret = check_table(h, "the snapshot table", h->snapshots_offset, 1,
                          file_bytes, error);
    }
    return ret;
}

/* Where the extensions lie: from the header to the backing file's name */
static int place_extensions(struct qcow2_header *h, GError **error)
{
    h->extensions = h->header_bytes;
    h->extensions_end = h->cluster_bytes;
    if (h->backing_offset == 0) {
        return 0;
    }
    if (h->backing_offset < h->header_bytes ||
        h->backing_offset > h->cluster_bytes ||
        h->backing_bytes > h->cluster_bytes - h->backing_offset) {
        return malformed(error,
                         "backing file name at offset %" PRIu64
                         " is not in the first cluster",
                         h->backing_offset);
    }
    if (h->backing_bytes == 0 || h->backing_bytes > BACKING_NAME_MAX) {
        return malformed(error,
                         "backing file name of %" PRIu32
                         " bytes is empty or too long",
                         h->backing_bytes);
    }
    h->extensions_end = h->backing_offset;
    return 0;
}

int qcow2_header_parse(const uint8_t *buf, size_t bytes, uint64_t file_bytes,
                       struct qcow2_header *ret_header, GError **error)
{
    if (bytes < 4 || ct_get_be32(buf + AT_MAGIC) != MAGIC) {
        return malformed(error, "not a qcow2 image");
    }
    if (bytes < HEADER_V2_BYTES) {
        return malformed(error,
                         "cut short: %zu bytes are less than a "
                         "qcow2 header",
                         bytes);
    }

    struct qcow2_header h;
    read_fields(buf, bytes, &h);
    if (h.version != 2 && h.version != 3) {
        return unsupported(error, "qcow2 version %" PRIu32 " is", h.version);
    }
    if (h.version == 3 && bytes < HEADER_V3_BYTES) {
        return malformed(error,
                         "cut short: %zu bytes are less than a "
                         "qcow2 version 3 header",
                         bytes);
    }
    if (h.version == 3 && h.header_bytes < HEADER_V3_BYTES) {
        return malformed(
            error, "header of %" PRIu32 " bytes is too short for version 3",
            h.header_bytes);
    }

    int ret = check_geometry(&h, error);
    if (ret == 0) {
        ret = place_extensions(&h, error);
    }
    if (ret == 0) {
        ret = check_tables(&h, file_bytes, error);
    }
    if (ret == 0) {
        *ret_header = h;
    }
    return ret;
}

/* Return: the data of an extension, NULL: not there, or not readable so far */
static const uint8_t *find_extension(const uint8_t *extensions, size_t bytes,
                                     uint32_t wanted, size_t *ret_length)
{
    size_t at = 0;
    while (bytes - at >= EXTENSION_HEAD_BYTES) {
        uint32_t type = ct_get_be32(extensions + at);
        size_t length = ct_get_be32(extensions + at + 4);
        at += EXTENSION_HEAD_BYTES;
        if (type == EXTENSION_END || length > bytes - at) {
            return NULL;
        }
        if (type == wanted) {
            *ret_length = length;
            return extensions + at;
        }
        /* padded to a multiple of 8; the last may lack its padding */
        size_t padded = (length + 7) & ~(size_t)7;
        at += MIN(padded, bytes - at);
    }
    return NULL;
}

/*
 * The name that the image gives to an incompatible bit; g_free() it.  NULL: it
 * gives none, or its extensions are not readable that far.
 */
static char *feature_name(const uint8_t *extensions, size_t bytes, unsigned bit)
{
    size_t length;
    const uint8_t *row =
        find_extension(extensions, bytes, EXTENSION_FEATURE_NAMES, &length);

    for (; row != NULL && length >= FEATURE_BYTES; length -= FEATURE_BYTES) {
        if (row[0] == FEATURE_TYPE_INCOMPATIBLE && row[1] == bit) {
            g_autofree char *name =
                g_strndup((const char *)row + 2, FEATURE_NAME_BYTES);
            return g_strescape(name, NULL);
        }
        row += FEATURE_BYTES;
    }
    return NULL;
}

char *qcow2_header_backing_format(const uint8_t *extensions, size_t bytes)
{
    size_t length;
    const uint8_t *name =
        find_extension(extensions, bytes, EXTENSION_BACKING_FORMAT, &length);

    return name != NULL ? g_strndup((const char *)name, length) : NULL;
}

static int check_incompatible(const struct qcow2_header *h,
                              const uint8_t *extensions, size_t bytes,
                              GError **error)
{
    if (h->incompatible & QCOW2_INCOMPAT_DATA_FILE) {
        return unsupported(error, "an external data file is");
    }
    if (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) {
        return unsupported(error, "extended L2 entries are");
    }
    /* A dirty or corrupt image may be read; both concern who writes it. */
    uint64_t unknown =
        h->incompatible &
        ~(uint64_t)(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT |
                    QCOW2_INCOMPAT_COMPRESSION);
    if (unknown != 0) {
        unsigned bit = (unsigned)__builtin_ctzll(unknown);
        g_autofree char *name = feature_name(extensions, bytes, bit);
        if (name != NULL && *name != '\0') {
            return unsupported(error, "incompatible feature '%s' (bit %u) is",
                               name, bit);
        }
        return unsupported(error, "unknown incompatible feature bit %u is",
                           bit);
    }

    bool has_type = h->incompatible & QCOW2_INCOMPAT_COMPRESSION;
    if (has_type != (h->compression != 0)) {
        return malformed(error,
                         "compression type %u contradicts the "
                         "feature bits",
                         h->compression);
    }
    if (h->compression > QCOW2_COMPRESSION_ZSTD) {
        return unsupported(error, "compression type %u is", h->compression);
    }
    return 0;
}

int qcow2_header_check(const struct qcow2_header *h, const uint8_t *extensions,
                       size_t bytes, GError **error)
{
    int ret = check_incompatible(h, extensions, bytes, error);
    if (ret < 0) {
        return ret;
    }
    switch (h->crypt_method) {
    case 0:
        break;
    case 1:
        return unsupported(error, "encryption (AES) is");
    case 2:
        return unsupported(error, "encryption (LUKS) is");
    default:
        return unsupported(error, "encryption method %" PRIu32 " is",
                           h->crypt_method);
    }
    return 0;
}

uint64_t qcow2_l1_needed(const struct qcow2_header *header, uint64_t size)
{
    uint32_t bits = header->cluster_bits + header->l2_bits;

    return (size >> bits) + ((size & ((UINT64_C(1) << bits) - 1)) != 0);
}

void qcow2_compressed_place(const struct qcow2_header *header, uint64_t entry,
                            uint64_t *ret_offset, uint64_t *ret_bytes)
{
    uint32_t shift = 62 - (header->cluster_bits - 8);
    uint64_t sectors_mask = (UINT64_C(1) << (header->cluster_bits - 8)) - 1;
    uint64_t sectors = ((entry >> shift) & sectors_mask) + 1;
    uint64_t offset = entry & ((UINT64_C(1) << shift) - 1);

    *ret_offset = offset;
    *ret_bytes = sectors * SECTOR_BYTES - offset % SECTOR_BYTES;
}
