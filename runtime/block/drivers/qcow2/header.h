/* SPDX-License-Identifier: MIT */
/*
 * header.h - what a qcow2 file says about itself
 *
 * Model:    bytes in, numbers out: nothing here does I/O, so that every
 *           refusal can be tested on a few bytes.  A header that passes
 *           qcow2_header_parse() and qcow2_header_check() has sizes that can
 *           be computed with and lies, tables included, inside its file.
 * Memory:   the caller's.
 * Errors:   -EINVAL (malformed or cut short) or -ENOTSUP (well-formed, and
 *           more than this driver can do), with the reason by name.
 */
#ifndef CT_QCOW2_HEADER_H
#define CT_QCOW2_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* Where fields lie that are written, in bytes */
enum {
    QCOW2_AT_SIZE = 24,
    QCOW2_AT_L1 = 36,              /* entries (4), offset (8) */
    QCOW2_AT_REFCOUNT_OFFSET = 48, /* offset (8), clusters (4) */
    QCOW2_AT_INCOMPATIBLE = 72,
    QCOW2_AT_AUTOCLEAR = 88,
};

/* The longest part of the header that has a meaning to us. */
#define QCOW2_HEADER_BYTES 112

/* Header extensions are read as one piece; longer ones are refused. */
#define QCOW2_EXTENSIONS_BYTES_MAX 65536

/* The L1 table is kept in memory. */
#define QCOW2_L1_BYTES_MAX (32 * 1024 * 1024)

/* And the refcount table, if the image is written. */
#define QCOW2_REFCOUNT_BYTES_MAX (8 * 1024 * 1024)

enum qcow2_incompatible {
    QCOW2_INCOMPAT_DIRTY = 1 << 0,
    QCOW2_INCOMPAT_CORRUPT = 1 << 1,
    QCOW2_INCOMPAT_DATA_FILE = 1 << 2,
    QCOW2_INCOMPAT_COMPRESSION = 1 << 3,
    QCOW2_INCOMPAT_EXTENDED_L2 = 1 << 4,
};

enum qcow2_compression {
    QCOW2_COMPRESSION_ZLIB = 0,
    QCOW2_COMPRESSION_ZSTD = 1,
};

/* Host byte order; offsets and sizes in bytes unless the name says otherwise */
struct qcow2_header {
    uint32_t version;
    uint64_t backing_offset;
    uint32_t backing_bytes;
    uint32_t cluster_bits; /* log2 */
    uint64_t size;         /* of the guest's disk */
    uint32_t crypt_method;
    uint32_t l1_entries;
    uint64_t l1_offset;
    uint64_t refcount_offset;
    uint32_t refcount_clusters;
    uint32_t snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible;
    uint64_t compatible;
    uint64_t autoclear;
    uint32_t refcount_order; /* log2 of the bits a refcount has */
    uint32_t header_bytes;
    enum qcow2_compression compression;

    /* worked out */
    uint64_t cluster_bytes;
    uint32_t l2_bits;        /* log2 of the entries of an L2 table */
    uint64_t l1_needed;      /* entries that the guest's disk takes */
    uint64_t extensions;     /* where the header extensions start, */
    uint64_t extensions_end; /* and where they end at the latest */
};

/** qcow2_header_probe() - the bytes could be the beginning of a qcow2 file */
int qcow2_header_probe(const uint8_t *buf, size_t bytes);

/**
 * qcow2_header_parse() - read the fixed part of the header
 * @buf, @bytes: the beginning of the file: QCOW2_HEADER_BYTES, or all of it
 * @file_bytes:  size of the file
 * @ret_header:  set only on success
 *
 * Refuses what is not qcow2, what is malformed, and what reaches beyond the
 * end of the file.  Which features it uses is qcow2_header_check()'s.
 */
int qcow2_header_parse(const uint8_t *buf, size_t bytes, uint64_t file_bytes,
                       struct qcow2_header *ret_header, GError **error);

/**
 * qcow2_header_check() - refuse by name what the driver does not do
 * @extensions, @bytes: the header extensions, as far as they could be read;
 *                      unknown features have their names there
 */
int qcow2_header_check(const struct qcow2_header *header,
                       const uint8_t *extensions, size_t bytes, GError **error);

/** qcow2_header_backing_format() - as the extensions say; g_free(); or NULL */
char *qcow2_header_backing_format(const uint8_t *extensions, size_t bytes);

/** qcow2_l1_needed() - L1 entries for a disk of @size bytes */
uint64_t qcow2_l1_needed(const struct qcow2_header *header, uint64_t size);

/** qcow2_compressed_place() - where an L2 entry says that its bytes lie */
void qcow2_compressed_place(const struct qcow2_header *header, uint64_t entry,
                            uint64_t *ret_offset, uint64_t *ret_bytes);

#endif
