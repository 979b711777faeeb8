/* SPDX-License-Identifier: MIT */
/*
 * image.c - see image.h
 *
 * File: header, refcount table, refcount block (of zeroes until image_count():
 * who only reads never looks there), L1 table, then L2 tables and data as they
 * come.
 */
#include "image.h"

#include <unistd.h>

#include <glib/gstdio.h>

#define L2_ZERO       UINT64_C(1)
#define L2_COMPRESSED (UINT64_C(1) << 62)
#define COPIED        (UINT64_C(1) << 63)
#define OFFSET_MASK   UINT64_C(0x00fffffffffffe00)

void image_put32(struct image *image, uint64_t at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(image->file->data + at, &value, sizeof(value));
}

void image_put64(struct image *image, uint64_t at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(image->file->data + at, &value, sizeof(value));
}

uint64_t image_get64(const struct image *image, uint64_t at)
{
    uint64_t value;

    memcpy(&value, image->file->data + at, sizeof(value));
    return GUINT64_FROM_BE(value);
}

/* Return: the offset of @n new clusters of zeroes */
static uint64_t grow(struct image *image, uint64_t n)
{
    guint at = image->file->len;
    guint bytes = (guint)(n * image->cluster_bytes);

    g_byte_array_set_size(image->file, at + bytes);
    memset(image->file->data + at, 0, bytes);
    return at;
}

static uint64_t l2_entries(const struct image *image)
{
    return image->cluster_bytes / sizeof(uint64_t);
}

struct image *image_new(uint32_t version, uint32_t cluster_bits, uint64_t size)
{
    struct image *image = g_new0(struct image, 1);

    image->file = g_byte_array_new();
    image->version = version;
    image->cluster_bits = cluster_bits;
    image->cluster_bytes = UINT64_C(1) << cluster_bits;
    image->size = size;
    image->n_clusters =
        (size + image->cluster_bytes - 1) / image->cluster_bytes;
    image->clusters = g_new(int, image->n_clusters);
    for (uint64_t i = 0; i < image->n_clusters; i++) {
        image->clusters[i] = -1;
    }

    uint64_t n_l1 =
        (image->n_clusters + l2_entries(image) - 1) / l2_entries(image);
    uint64_t l1_clusters = n_l1 / l2_entries(image) + 1;
    (void)grow(image, 1);
    uint64_t refcounts = grow(image, 2);
    image->l1_offset = grow(image, l1_clusters);

    image_put32(image, 0, 0x514649fb);
    image_put32(image, IMAGE_AT_VERSION, version);
    image_put32(image, IMAGE_AT_CLUSTER_BITS, cluster_bits);
    image_put64(image, IMAGE_AT_SIZE, size);
    image_put32(image, IMAGE_AT_L1_ENTRIES, (uint32_t)n_l1);
    image_put64(image, IMAGE_AT_L1_OFFSET, image->l1_offset);
    image_put64(image, IMAGE_AT_REFCOUNT_OFFSET, refcounts);
    image_put32(image, IMAGE_AT_REFCOUNT_CLUSTERS, 1);
    image_put64(image, refcounts, refcounts + image->cluster_bytes);
    if (version >= 3) {
        image_put32(image, IMAGE_AT_REFCOUNT_ORDER, 4);
        image_put32(image, IMAGE_AT_HEADER_BYTES, IMAGE_HEADER_BYTES);
    }
    return image;
}

void image_free(struct image *image)
{
    g_byte_array_unref(image->file);
    g_free(image->clusters);
    g_free(image);
}

uint64_t image_l2_entry(const struct image *image, uint64_t n)
{
    uint64_t l1 = image->l1_offset + n / l2_entries(image) * sizeof(uint64_t);
    uint64_t table = image_get64(image, l1) & OFFSET_MASK;

    g_assert_cmpuint(table, !=, 0);
    return table + n % l2_entries(image) * sizeof(uint64_t);
}

uint8_t image_byte(uint64_t n)
{
    return (uint8_t)(1 + n % 251);
}

void image_set(struct image *image, uint64_t n, enum image_cluster how)
{
    uint64_t l1 = image->l1_offset + n / l2_entries(image) * sizeof(uint64_t);
    uint64_t entry = 0;

    g_assert_cmpuint(n, <, image->n_clusters);
    if (image_get64(image, l1) == 0) {
        image_put64(image, l1, grow(image, 1) | COPIED);
    }
    if (how != IMAGE_ZERO) {
        uint64_t at = grow(image, 1);
        memset(image->file->data + at, image_byte(n), image->cluster_bytes);
        entry = at | COPIED;
    }
    if (how == IMAGE_ZERO || how == IMAGE_ZERO_ALLOCATED) {
        entry |= L2_ZERO;
    }
    if (how == IMAGE_COMPRESSED) {
        entry = (entry & ~COPIED) | L2_COMPRESSED;
    }
    image_put64(image, image_l2_entry(image, n), entry);
    image->clusters[n] = (int)how;
}

void image_count(struct image *image)
{
    uint64_t block =
        image_get64(image, image_get64(image, IMAGE_AT_REFCOUNT_OFFSET));
    uint64_t n = image->file->len >> image->cluster_bits;

    g_assert_cmpuint(n, <=, image->cluster_bytes / 2); /* one block */
    for (uint64_t i = 0; i < n; i++) {
        image->file->data[block + i * 2 + 1] = 1;
    }
}

void image_skip(struct image *image, uint64_t n)
{
    (void)grow(image, n);
}

uint8_t image_expected(const struct image *image, uint64_t offset)
{
    uint64_t n = offset / image->cluster_bytes;

    return image->clusters[n] == IMAGE_ALLOCATED ? image_byte(n) : 0;
}

void image_add_extension(struct image *image, uint32_t type, const void *data,
                         uint32_t bytes)
{
    uint64_t at = image->version >= 3 ? IMAGE_HEADER_BYTES : 72;

    g_assert_cmpuint(at + 8 + bytes, <=, image->cluster_bytes);
    image_put32(image, at, type);
    image_put32(image, at + 4, bytes);
    memcpy(image->file->data + at + 8, data, bytes);
}

char *image_save(const struct image *image, uint64_t bytes)
{
    g_autoptr(GError) error = NULL;
    char *name = NULL;
    int fd = g_file_open_tmp("cotrace-image-XXXXXX", &name, &error);

    g_assert_no_error(error);
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = write(fd, image->file->data + done, bytes - done);
        g_assert_cmpint(n, >, 0);
        done += (uint64_t)n;
    }
    close(fd);
    return name;
}

void image_remove(char *name)
{
    g_assert_cmpint(g_unlink(name), ==, 0);
    g_free(name);
}
