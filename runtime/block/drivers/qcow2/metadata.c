/* SPDX-License-Identifier: MIT */
/*
 * metadata.c - what in the file is no data, and what the header says of that
 *
 * Every write to the file asks first whether it hits a table of another kind,
 * and an image with two in one place, of whatever kinds, is not opened for
 * writing at all: every table has its clusters to itself.  In a
 * sound image it never does; in a damaged one, where a data cluster and a table
 * share a place, writing on would destroy what is left.  Then the image is
 * marked corrupt in its header, so that nobody else writes to it either, and is
 * not used any more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

static const char *const kind_names[] = {
    [QCOW2_HEADER] = "qcow2_header",
    [QCOW2_ACTIVE_L1] = "active L1 table",
    [QCOW2_ACTIVE_L2] = "active L2 table",
    [QCOW2_REFCOUNT_TABLE] = "refcount table",
    [QCOW2_REFCOUNT_BLOCK] = "refcount block",
    [QCOW2_SNAPSHOT_TABLE] = "snapshot table",
    [QCOW2_INACTIVE_L1] = "inactive L1 table",
};

void qcow2_metadata_add(struct qcow2_state *s, enum qcow2_metadata kind,
                        uint64_t offset, uint64_t bytes)
{
    uint64_t end = (offset + bytes + s->header.cluster_bytes - 1) >>
                   s->header.cluster_bits;

    if (s->metadata == NULL || bytes == 0) {
        return;
    }
    for (uint64_t i = offset >> s->header.cluster_bits; i < end; i++) {
        if (kind == QCOW2_DATA) {
            g_hash_table_remove(s->metadata, GSIZE_TO_POINTER(i));
        } else {
            g_hash_table_insert(s->metadata, GSIZE_TO_POINTER(i),
                                GINT_TO_POINTER(kind));
        }
    }
}

/* The first metadata in a range, but for one kind (QCOW2_DATA: of any);
 * QCOW2_DATA: there is none. */
static enum qcow2_metadata other_than(const struct qcow2_state *s,
                                      enum qcow2_metadata kind, uint64_t offset,
                                      uint64_t bytes)
{
    uint32_t bits = s->header.cluster_bits;

    for (uint64_t i = offset >> bits; i << bits < offset + bytes; i++) {
        int found = GPOINTER_TO_INT(
            g_hash_table_lookup(s->metadata, GSIZE_TO_POINTER(i)));

        if (found != QCOW2_DATA && found != (int)kind) {
            return (enum qcow2_metadata)found;
        }
    }
    return QCOW2_DATA;
}

int qcow2_metadata_found(struct qcow2_state *s, enum qcow2_metadata kind,
                         uint64_t offset, uint64_t bytes, GError **error)
{
    enum qcow2_metadata other =
        bytes > 0 ? other_than(s, QCOW2_DATA, offset, bytes) : QCOW2_DATA;

    if (other != QCOW2_DATA) {
        return block_error(
            error, EINVAL, "damaged: the %s at %" PRIu64 " overlaps with %s %s",
            kind_names[kind], offset, other == kind ? "another" : "the",
            kind_names[other]);
    }
    qcow2_metadata_add(s, kind, offset, bytes);
    return 0;
}

int coroutine_fn qcow2_pre_write_overlap_check(BlockDriverState *bs,
                                               enum qcow2_metadata kind,
                                               uint64_t offset, uint64_t bytes)
{
    const struct qcow2_state *s = bs->opaque;

    if (s->is_corrupt) {
        return -EIO;
    }
    enum qcow2_metadata other = other_than(s, kind, offset, bytes);
    if (other != QCOW2_DATA) {
        return qcow2_signal_corruption(bs,
                                       "damaged: a write to offset %" PRIu64
                                       " would overlap with the %s",
                                       offset, kind_names[other]);
    }
    return 0;
}

int coroutine_fn qcow2_signal_corruption(BlockDriverState *bs,
                                         const char *format, ...)
{
    struct qcow2_state *s = bs->opaque;
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    bdrv_fault(bs, "%s", text);
    if (!s->is_corrupt && bs->options.is_writable) {
        s->is_corrupt = true;
        if (s->header.version >= 3) {
            (void)qcow2_set_incompatible(bs, QCOW2_INCOMPAT_CORRUPT, 0);
        }
    }
    return -EIO;
}

int coroutine_fn qcow2_set_incompatible(BlockDriverState *bs, uint64_t set,
                                        uint64_t clear)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t bits = (s->header.incompatible | set) & ~clear;
    uint8_t buf[sizeof(bits)];

    ct_put_be64(buf, bits);
    int ret = bdrv_co_pwrite(bs->file, QCOW2_AT_INCOMPATIBLE, sizeof(buf), buf);
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file);
    }
    if (ret >= 0) {
        s->header.incompatible = bits;
    }
    return ret;
}

int coroutine_fn qcow2_mark_dirty(BlockDriverState *bs)
{
    const struct qcow2_state *s = bs->opaque;

    if (s->header.incompatible & QCOW2_INCOMPAT_DIRTY) {
        return 0;
    }
    return qcow2_set_incompatible(bs, QCOW2_INCOMPAT_DIRTY, 0);
}
