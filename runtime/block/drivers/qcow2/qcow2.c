/* SPDX-License-Identifier: MIT */
/*
 * qcow2.c - opening and closing qcow2 images
 *
 * Opening reads the header and the L1 table, so it runs in a coroutine:
 *
 *   qcow2_open -> (coroutine) -> qcow2_open_entry -> qcow2_do_open
 *
 * while qcow2_open() polls the node's context until that has ended (a caller
 * that is a coroutine does it itself).  After it the header and the L1 table
 * never change; L2 tables are read when they are needed.
 *
 * What is refused here: what qcow2_header_parse() and qcow2_header_check()
 * refuse, and an L1 table whose L2 tables do not begin on a cluster or reach
 * beyond the end of the file.  What only a look at every L2 table could find
 * (compressed clusters, data that is cut off) is refused when it is read.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/atomics.h"
#include "block/drivers/drivers.h"
#include "block/drivers/qcow2/bytes.h"
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

/* Names are read only if there is something to refuse. */
static int coroutine_fn check_features(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    size_t bytes = (size_t)MIN(h->extensions_end - h->extensions,
                               QCOW2_EXTENSIONS_BYTES_MAX);
    g_autofree uint8_t *extensions = NULL;
    g_autofree char *backing_name = NULL;

    if (h->incompatible != 0) {
        extensions = read_for_message(bs, h->extensions, bytes);
    }
    if (h->backing_offset != 0) {
        backing_name =
            read_for_message(bs, h->backing_offset, h->backing_bytes);
    }
    return qcow2_header_check(h, extensions, extensions != NULL ? bytes : 0,
                              backing_name, error);
}

static int check_l1_entry(const struct qcow2_state *s, size_t i, GError **error)
{
    uint64_t table = s->l1[i];

    if (table % s->header.cluster_bytes != 0) {
        return block_error(error, EINVAL,
                           "damaged: L2 table %zu lies at %" PRIu64
                           ", inside another cluster",
                           i, table);
    }
    if (table != 0 && (table > s->file_bytes ||
                       s->header.cluster_bytes > s->file_bytes - table)) {
        return block_error(error, EINVAL,
                           "cut short: L2 table %zu needs bytes %" PRIu64
                           " to %" PRIu64 ", the file has %" PRIu64,
                           i, table, table + s->header.cluster_bytes,
                           s->file_bytes);
    }
    return 0;
}

static int coroutine_fn read_l1(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    size_t n = (size_t)s->header.l1_needed;
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
        s->l1[i] = qcow2_get64(&s->l1[i]) & QCOW2_OFFSET_MASK;
        ret = check_l1_entry(s, i, error);
    }
    return ret;
}

/* For all L2 tables of the disk, or as much as is allowed. */
static size_t cache_bytes(const BlockDriverState *bs,
                          const struct qcow2_header *h)
{
    uint64_t all = h->l1_needed << h->cluster_bits;

    if (bs->options.cache_bytes != 0) {
        return bs->options.cache_bytes;
    }
    return (size_t)MIN(all, CACHE_BYTES_MAX);
}

static int coroutine_fn qcow2_do_open(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    uint8_t buf[QCOW2_HEADER_BYTES];
    size_t bytes;

    s->file_bytes = (uint64_t)bdrv_length(bs->file);
    bytes = (size_t)MIN(s->file_bytes, sizeof(buf));
    int ret = bdrv_pread(bs->file, 0, (int64_t)bytes, buf);
    if (ret < 0) {
        return block_error(error, -ret, "header: %s", g_strerror(-ret));
    }
    ret = qcow2_header_parse(buf, bytes, s->file_bytes, &s->header, error);
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
    s->l2 = qcow2_cache_new(qcow2_slice_bytes(&s->header),
                            cache_bytes(bs, &s->header));
    co_mutex_init(&s->lock);
    bs->bytes = (int64_t)s->header.size;
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

static void qcow2_close(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;

    co_mutex_fini(&s->lock);
    qcow2_cache_free(s->l2);
    g_free(s->l1);
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
    info->vm_state_offset =
        (int64_t)(h->l1_needed << (h->cluster_bits + h->l2_bits));

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
    .co_preadv_part = qcow2_co_preadv_part,
    .get_info = qcow2_get_info,
};
