/* SPDX-License-Identifier: MIT */
/*
 * image.h - qcow2 images made byte by byte, for tests
 *
 * An image is built in memory and written out when a test wants a file.  The
 * bytes of guest cluster N are image_byte(N) throughout where it is allocated.
 */
#ifndef CT_TEST_IMAGE_H
#define CT_TEST_IMAGE_H

#include <stdint.h>

#include <glib.h>

/* Where header fields lie that tests spoil. */
enum {
    IMAGE_AT_VERSION = 4,
    IMAGE_AT_BACKING_OFFSET = 8,
    IMAGE_AT_BACKING_BYTES = 16,
    IMAGE_AT_CLUSTER_BITS = 20,
    IMAGE_AT_SIZE = 24,
    IMAGE_AT_CRYPT = 32,
    IMAGE_AT_L1_ENTRIES = 36,
    IMAGE_AT_L1_OFFSET = 40,
    IMAGE_AT_REFCOUNT_OFFSET = 48,
    IMAGE_AT_REFCOUNT_CLUSTERS = 56,
    IMAGE_AT_SNAPSHOTS = 60,
    IMAGE_AT_SNAPSHOTS_OFFSET = 64,
    IMAGE_AT_INCOMPATIBLE = 72,
    IMAGE_AT_COMPATIBLE = 80,
    IMAGE_AT_REFCOUNT_ORDER = 96,
    IMAGE_AT_HEADER_BYTES = 100,
    IMAGE_AT_COMPRESSION = 104,
    IMAGE_HEADER_BYTES = 112,
};

enum image_cluster {
    IMAGE_ALLOCATED,
    IMAGE_ZERO,           /* reads as zeroes, has no cluster in the file */
    IMAGE_ZERO_ALLOCATED, /* has one, and reads as zeroes all the same */
    IMAGE_COMPRESSED,
};

struct image {
    GByteArray *file; /* all bytes */
    uint32_t version;
    uint32_t cluster_bits;
    uint64_t cluster_bytes;
    uint64_t size;
    uint64_t l1_offset;
    int *clusters; /* of the guest: enum image_cluster, -1: unallocated */
    uint64_t n_clusters;
};

struct image *image_new(uint32_t version, uint32_t cluster_bits, uint64_t size);
void image_free(struct image *image);

/* Maps guest cluster @n to the next cluster of the file. */
void image_set(struct image *image, uint64_t n, enum image_cluster how);

/* Sets the refcount of every cluster that the file has to 1, for writers. */
void image_count(struct image *image);

/* Skips clusters in the file, so that the next is not beside the last. */
void image_skip(struct image *image, uint64_t n);

uint8_t image_byte(uint64_t n);

/* What the guest reads at @offset. */
uint8_t image_expected(const struct image *image, uint64_t offset);

/* Offset in the file of the L2 entry of guest cluster @n; it has a table. */
uint64_t image_l2_entry(const struct image *image, uint64_t n);

void image_put32(struct image *image, uint64_t at, uint32_t value);
void image_put64(struct image *image, uint64_t at, uint64_t value);
uint64_t image_get64(const struct image *image, uint64_t at);

/* Appends a header extension to what the header has (one call an image). */
void image_add_extension(struct image *image, uint32_t type, const void *data,
                         uint32_t bytes);

/*
 * Writes the first @bytes of the image to a file of its own; Return: its name,
 * to be given to image_remove().
 */
char *image_save(const struct image *image, uint64_t bytes);
void image_remove(char *name);

#endif
