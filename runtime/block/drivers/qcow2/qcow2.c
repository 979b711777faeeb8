/* SPDX-License-Identifier: MIT */
/*
 * qcow2.c - opening and closing qcow2 images
 *
 * Opening reads the header and the L1 table, so it runs in a coroutine:
 *
 *   qcow2_open -> (coroutine) -> qcow2_open_entry -> qcow2_do_open
 *
 * while qcow2_open() polls the node's context until that has ended (a caller
 * that is a coroutine does it itself).  L2 tables are read when they are
 * needed, refcounts only of images that are written.
 *
 * What is refused here: what qcow2_header_parse() and qcow2_header_check()
 * refuse, and an L1 table whose L2 tables do not begin on a cluster or reach
 * beyond the end of the file.  What only a look at every L2 table could find
 * (data that is cut off) is refused when it is read.  For writing also: an
 * image that is marked corrupt.  One that is marked dirty is repaired.
 *
 * Closing an image that was written is a last flush, in a coroutine as well;
 * then a mark "dirty" of ours goes.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/atomics.h"
#include "block/drivers/drivers.h"
#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

/* Of L2 tables in memory, unless the options say otherwise. */
#define CACHE_BYTES_MAX (32 * 1024 * 1024)

/* Versions as `info` calls them, and bits of the compatible features. */
#define COMPAT_LAZY_REFCOUNTS 1

static int qcow2_probe(const uint8_t *buf, size_t bytes)
{
    return qcow2_header_probe(buf, bytes) ? 100 : 0;
}

/* Bytes that only a message needs, or NULL; one zero more than asked for. */
static void *coroutine_fn read_for_message(BlockDriverState *bs,
                                           uint64_t offset, size_t bytes)
{
    uint8_t *buf = g_malloc0(bytes + 1);

    if (bdrv_pread(bs->file, (int64_t)offset, (int64_t)bytes, buf) < 0) {
        g_clear_pointer(&buf, g_free);
    }
    return buf;
}

/* What the extensions say: names of features, the backing file's format */
static int coroutine_fn check_features(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    size_t bytes = (size_t)MIN(h->extensions_end - h->extensions,
                               QCOW2_EXTENSIONS_BYTES_MAX);
    g_autofree uint8_t *extensions = NULL;

    if (h->incompatible != 0 || h->backing_offset != 0) {
        extensions = read_for_message(bs, h->extensions, bytes);
    }
    bytes = extensions != NULL ? bytes : 0;
    int ret = qcow2_header_check(h, extensions, bytes, error);
    if (ret < 0 || h->backing_offset == 0) {
        return ret;
    }
    bs->backing_format = qcow2_header_backing_format(extensions, bytes);
    bs->backing_filename =
        read_for_message(bs, h->backing_offset, h->backing_bytes);
    if (bs->backing_filename == NULL) {
        return block_error(error, EIO, "name of the backing file: %s",
                           g_strerror(EIO));
    }
    return 0;
}

static int check_l1_entry(const BlockDriverState *bs, size_t i, GError **error)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t table = s->l1[i] & QCOW2_OFFSET_MASK;
    uint64_t file_bytes = (uint64_t)bdrv_length(bs->file);

    if (table % s->header.cluster_bytes != 0) {
        return block_error(error, EINVAL,
                           "damaged: L2 table %zu lies at %" PRIu64
                           ", inside another cluster",
                           i, table);
    }
    if (table != 0 &&
        (table > file_bytes || s->header.cluster_bytes > file_bytes - table)) {
        return block_error(error, EINVAL,
                           "cut short: L2 table %zu needs bytes %" PRIu64
                           " to %" PRIu64 ", the file has %" PRIu64,
                           i, table, table + s->header.cluster_bytes,
                           file_bytes);
    }
    return 0;
}

static int coroutine_fn read_l1(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    size_t n = s->header.l1_entries;
    int ret = 0;

    s->l1 = g_new(uint64_t, n);
    if (n > 0) {
        ret = bdrv_pread(bs->file, (int64_t)s->header.l1_offset,
                         (int64_t)(n * sizeof(uint64_t)), s->l1);
    }
    if (ret < 0) {
        return block_error(error, -ret, "L1 table: %s", g_strerror(-ret));
    }
    for (size_t i = 0; i < n && ret == 0; i++) {
        s->l1[i] = ct_get_be64(&s->l1[i]);
        ret = check_l1_entry(bs, i, error);
    }
    return ret;
}

/* For all L2 tables of the disk, or as much as is allowed. */
static size_t cache_bytes(const BlockDriverState *bs,
                          const struct qcow2_header *h)
{
    uint64_t all = (uint64_t)h->l1_entries << h->cluster_bits;

    if (bs->options.cache_bytes != 0) {
        return bs->options.cache_bytes;
    }
    return (size_t)MIN(all, CACHE_BYTES_MAX);
}

static int coroutine_fn check_l2_write(void *opaque, uint64_t offset,
                                       size_t bytes)
{
    return qcow2_pre_write_overlap_check(opaque, QCOW2_ACTIVE_L2, offset,
                                         bytes);
}

static int coroutine_fn add_inactive_l1(BlockDriverState *bs, uint64_t offset,
                                        uint32_t n, void *opaque)
{
    return qcow2_metadata_found(bs->opaque, QCOW2_INACTIVE_L1, offset,
                                n * sizeof(uint64_t), opaque);
}

static int coroutine_fn add_metadata(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t bytes = 0;

    GError *reason = NULL;

    s->metadata = g_hash_table_new(NULL, NULL);
    qcow2_metadata_add(s, QCOW2_HEADER, 0, h->cluster_bytes);
    int ret = qcow2_metadata_found(s, QCOW2_ACTIVE_L1, h->l1_offset,
                                   h->l1_entries * sizeof(uint64_t), error);
    for (uint32_t i = 0; i < h->l1_entries && ret == 0; i++) {
        if (s->l1[i] & QCOW2_OFFSET_MASK) {
            ret = qcow2_metadata_found(s, QCOW2_ACTIVE_L2,
                                       s->l1[i] & QCOW2_OFFSET_MASK,
                                       h->cluster_bytes, error);
        }
    }
    if (ret < 0) {
        return ret;
    }
    ret = qcow2_for_each_snapshot(bs, add_inactive_l1, &reason, &bytes);
    if (reason != NULL) {
        g_propagate_error(error, reason);
        return ret;
    }
    if (ret < 0) {
        return block_error(error, -ret, "snapshot table: %s", g_strerror(-ret));
    }
    return qcow2_metadata_found(s, QCOW2_SNAPSHOT_TABLE, h->snapshots_offset,
                                bytes, error);
}

/* Features that only programs which know them may keep up to date */
static int coroutine_fn clear_autoclear(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    uint8_t none[sizeof(s->header.autoclear)] = {0};
    int ret = 0;

    if (s->header.autoclear != 0) {
        ret = bdrv_co_pwrite(bs->file, QCOW2_AT_AUTOCLEAR, sizeof(none), none);
        if (ret >= 0) {
            ret = bdrv_co_flush(bs->file);
        }
    }
    return ret < 0 ? block_error(error, -ret, "header: %s", g_strerror(-ret))
                   : 0;
}

/* What writing needs beyond reading */
static int coroutine_fn open_for_writing(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;

    if (s->header.incompatible & QCOW2_INCOMPAT_CORRUPT) {
        return block_error(error, EACCES,
                           "the image is corrupt; it can be opened for "
                           "reading only");
    }
    int ret = add_metadata(bs, error);
    if (ret == 0) {
        ret = qcow2_refcount_open(bs, error);
    }
    if (ret == 0) {
        ret = clear_autoclear(bs, error);
    }
    /* After that: what autoclear bits stand for is not counted. */
    if (ret == 0 && (s->header.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        ret = qcow2_repair(bs, error);
    }
    s->has_lazy_refcounts = s->header.compatible & COMPAT_LAZY_REFCOUNTS;
    return ret;
}

static void free_state(struct qcow2_state *s)
{
    qcow2_refcount_close(s);
    g_clear_pointer(&s->metadata, g_hash_table_destroy);
    qcow2_cache_free(s->l2);
    g_free(s->l1);
}

static int coroutine_fn read_header(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    uint8_t buf[QCOW2_HEADER_BYTES];
    int64_t file_bytes = bdrv_length(bs->file);
    size_t bytes = (size_t)MIN(file_bytes, (int64_t)sizeof(buf));

    int ret = bdrv_pread(bs->file, 0, (int64_t)bytes, buf);
    if (ret < 0) {
        return block_error(error, -ret, "header: %s", g_strerror(-ret));
    }
    return qcow2_header_parse(buf, bytes, (uint64_t)file_bytes, &s->header,
                              error);
}

static int coroutine_fn qcow2_do_open(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;

    int ret = read_header(bs, error);
    if (ret == 0) {
        ret = check_features(bs, error);
    }
    if (ret == 0) {
        ret = read_l1(bs, error);
    }
    if (ret < 0) {
        g_clear_pointer(&s->l1, g_free);
        return ret;
    }
    list_init(&s->allocs);
    s->l2 = qcow2_cache_new(bs->file, qcow2_slice_bytes(&s->header),
                            cache_bytes(bs, &s->header), check_l2_write, bs);
    /* Whole sectors; what the header says beyond them nobody has. */
    bs->bytes =
        (int64_t)(s->header.size / QCOW2_SECTOR_BYTES * QCOW2_SECTOR_BYTES);
    bs->unit_bytes = (int64_t)s->header.cluster_bytes;
    if (bs->options.is_writable) {
        ret = open_for_writing(bs, error);
    }
    if (ret < 0) {
        free_state(s);
        return ret;
    }
    co_mutex_init(&s->lock);
    return 0;
}

/* In the frame of qcow2_open(). */
struct open_wait {
    BlockDriverState *bs;
    GError **error;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in the entry, acquire in qcow2_open() */
};

static void coroutine_fn qcow2_open_entry(void *opaque)
{
    struct open_wait *wait = opaque;

    wait->ret = qcow2_do_open(wait->bs, wait->error);
    ct_store_release(&wait->done, true);
    aio_wait_kick();
}

static int qcow2_open(BlockDriverState *bs, GError **error)
{
    struct open_wait wait = {.bs = bs, .error = error};

    if (in_coroutine()) {
        qcow2_open_entry(&wait);
        return wait.ret;
    }
    bdrv_coroutine_enter(bs, coroutine_create(qcow2_open_entry, &wait));
    BDRV_POLL_WHILE(bs, !ct_load_acquire(&wait.done));
    return wait.ret;
}

static int coroutine_fn qcow2_co_flush_to_os(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;

    co_mutex_lock(&s->lock);
    int ret = qcow2_write_caches(bs);
    co_mutex_unlock(&s->lock);
    return ret;
}

/* After a failure what is in the file is as after a crash: sound, or dirty. */
static int coroutine_fn qcow2_inactivate(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;

    int ret = qcow2_write_caches(bs);
    if (ret >= 0) {
        ret = qcow2_cache_flush(s->refcounts);
    }
    if (ret >= 0 && (s->header.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        ret = qcow2_set_incompatible(bs, 0, QCOW2_INCOMPAT_DIRTY);
    }
    return ret;
}

struct close_wait {
    BlockDriverState *bs;
    bool done; /* atomic: release in the entry, acquire in qcow2_close() */
};

static void coroutine_fn qcow2_close_entry(void *opaque)
{
    struct close_wait *wait = opaque;
    int ret = qcow2_inactivate(wait->bs);

    if (ret < 0) {
        bdrv_fault(wait->bs, "closing: %s", g_strerror(-ret));
    }
    ct_store_release(&wait->done, true);
    aio_wait_kick();
}

static void qcow2_close(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;
    struct close_wait wait = {.bs = bs};

    if (bs->options.is_writable && !s->is_corrupt) {
        if (in_coroutine()) {
            qcow2_close_entry(&wait);
        } else {
            bdrv_coroutine_enter(bs,
                                 coroutine_create(qcow2_close_entry, &wait));
            BDRV_POLL_WHILE(bs, !ct_load_acquire(&wait.done));
        }
    }
    co_mutex_fini(&s->lock);
    free_state(s);
}

/* In the frame of qcow2_reopen(). */
struct reopen_wait {
    BlockDriverState *bs;
    bool is_writable;
    GError **error;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in the entry, acquire in qcow2_reopen() */
};

static void coroutine_fn qcow2_reopen_entry(void *opaque)
{
    struct reopen_wait *wait = opaque;
    struct qcow2_state *s = wait->bs->opaque;

    if (wait->is_writable) {
        wait->ret = open_for_writing(wait->bs, wait->error);
    } else {
        wait->ret = s->is_corrupt ? 0 : qcow2_inactivate(wait->bs);
        if (wait->ret >= 0) {
            wait->ret = bdrv_co_flush(wait->bs->file);
        }
        if (wait->ret < 0) {
            block_error(wait->error, -wait->ret, "%s", g_strerror(-wait->ret));
        }
    }
    /* Else what writing needs is not needed any more, or not complete. */
    if (wait->is_writable == (wait->ret < 0)) {
        /* Of a corrupt image: what was changed is not on the disk, and the
         * cache that it would have to wait for goes. */
        qcow2_cache_drop(s->l2);
        qcow2_refcount_close(s);
        g_clear_pointer(&s->metadata, g_hash_table_destroy);
    }
    ct_store_release(&wait->done, true);
    aio_wait_kick();
}

static int qcow2_reopen(BlockDriverState *bs, bool is_writable, GError **error)
{
    struct reopen_wait wait = {
        .bs = bs, .is_writable = is_writable, .error = error};

    bdrv_coroutine_enter(bs, coroutine_create(qcow2_reopen_entry, &wait));
    BDRV_POLL_WHILE(bs, !ct_load_acquire(&wait.done));
    return wait.ret;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void qcow2_get_info(const BlockDriverState *bs, BlockInfo *info)
{
    const struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    GString *text = g_string_new(NULL);

    info->cluster_bytes = (int64_t)h->cluster_bytes;
    /* A saved machine lies behind the disk, in L1 entries of its own. */
    info->vm_state_offset = qcow2_vm_state_offset(h);

    g_string_append_printf(text, "compat: %s\n",
                           h->version < 3 ? "0.10" : "1.1");
    g_string_append_printf(text, "compression type: %s\n",
                           h->compression == 0 ? "zlib" : "zstd");
    if (h->version >= 3) {
        g_string_append_printf(text, "lazy refcounts: %s\n",
                               truth(h->compatible & COMPAT_LAZY_REFCOUNTS));
    }
    g_string_append_printf(text, "refcount bits: %u\n",
                           1u << h->refcount_order);
    if (h->version >= 3) {
        g_string_append_printf(
            text, "corrupt: %s\nextended l2: %s\n",
            truth(h->incompatible & QCOW2_INCOMPAT_CORRUPT),
            truth(h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2));
    }
    info->specific = g_string_free(text, FALSE);
}

const BlockDriver bdrv_qcow2 = {
    .format_name = "qcow2",
    .instance_bytes = sizeof(struct qcow2_state),
    .probe = qcow2_probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .reopen = qcow2_reopen,
    .co_preadv_part = qcow2_co_preadv_part,
    .co_pwritev_part = qcow2_co_pwritev_part,
    .co_pwrite_zeroes = qcow2_co_pwrite_zeroes,
    .co_pdiscard = qcow2_co_pdiscard,
    .co_flush_to_os = qcow2_co_flush_to_os,
    .co_preallocate = qcow2_co_preallocate,
    .co_truncate = qcow2_co_truncate,
    .co_load_vmstate = qcow2_co_load_vmstate,
    .co_save_vmstate = qcow2_co_save_vmstate,
    .co_block_status = qcow2_co_block_status,
    .get_info = qcow2_get_info,
};
