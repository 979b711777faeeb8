/* SPDX-License-Identifier: MIT */
/*
 * node.c - opening and closing chains of nodes
 *
 * bdrv_open() makes the protocol node first (the host file), finds the format
 * in the table of drivers, by its name or by the file's first bytes, and lets
 * the format's driver open itself on top:
 *
 *   bdrv_open -> bdrv_open_common -> bdrv_open_driver -> the driver's open
 *
 * A format that has a backing file says so, and it is opened in the same way,
 * for reading only (bdrv_open_backing_file).
 *
 * A node whose open fails never existed: bdrv_open_common() frees it, and the
 * driver has left nothing behind.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/atomics.h"
#include "block/graph.h"
#include "ct/id.h"
#include "ct/pre.h"

const char *const block_op_words[BLOCK_OPS] = {
    [BLOCK_OP_READ] = "read",         [BLOCK_OP_WRITE] = "write",
    [BLOCK_OP_FLUSH] = "flush",       [BLOCK_OP_DISCARD] = "discard",
    [BLOCK_OP_TRUNCATE] = "truncate",
};

G_DEFINE_QUARK(ct - block - error - quark, block_error)

int block_error(GError **error, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, BLOCK_ERROR, err, text);
    return -err;
}

static const BlockDriver *find_format(const char *name)
{
    for (int i = 0; ct_drivers[i] != NULL; i++) {
        if (ct_drivers[i]->open != NULL &&
            strcmp(ct_drivers[i]->format_name, name) == 0) {
            return ct_drivers[i];
        }
    }
    return NULL;
}

static const BlockDriver *find_protocol(void)
{
    int i = 0;

    while (ct_drivers[i]->file_open == NULL) {
        i++;
    }
    return ct_drivers[i];
}

const BlockDriver *bdrv_probe(const uint8_t *buf, size_t bytes,
                              const char **ret_foreign)
{
    const BlockDriver *best = NULL;
    int best_score = 0;

    for (int i = 0; ct_drivers[i] != NULL; i++) {
        int score =
            ct_drivers[i]->probe != NULL ? ct_drivers[i]->probe(buf, bytes) : 0;
        if (score > best_score) {
            best = ct_drivers[i];
            best_score = score;
        }
    }
    *ret_foreign =
        best_score <= BLOCK_PROBE_ANY ? block_foreign_format(buf, bytes) : NULL;
    return *ret_foreign == NULL ? best : NULL;
}

static const BlockDriver *probe_format(BlockDriverState *file, GError **error)
{
    uint8_t buf[BLOCK_PROBE_BYTES];
    size_t bytes = (size_t)MIN(bdrv_length(file), (int64_t)sizeof(buf));
    const char *foreign;

    int ret = bdrv_pread(file, 0, (int64_t)bytes, buf);
    if (ret < 0) {
        block_error(error, -ret, "%s", g_strerror(-ret));
        return NULL;
    }
    const BlockDriver *drv = bdrv_probe(buf, bytes, &foreign);
    if (drv == NULL) {
        block_error(error, ENOTSUP,
                    "format '%s' not supported (as 'raw' it can be opened)",
                    foreign);
    }
    return drv;
}

static int bdrv_open_driver(BlockDriverState *bs, GError **error)
{
    int ret;

    bs->opaque = g_malloc0(bs->drv->instance_bytes);
    if (bs->drv->file_open != NULL) {
        ret = bs->drv->file_open(bs, error);
    } else {
        ret = bs->drv->open(bs, error);
    }
    if (ret < 0) {
        g_clear_pointer(&bs->opaque, g_free);
    }
    return ret;
}

static void free_node(BlockDriverState *bs)
{
    ct_pre("bdrv-close/drained", ct_load_acquire(&bs->in_flight) == 0);
    ct_pre("bdrv-close/parents", list_is_empty(&bs->parents));
    g_free(bs->opaque);
    g_free(bs->backing_filename);
    g_free(bs->backing_format);
    g_free(bs->filename);
    g_free(bs->node_name);
    g_free(bs->fault);
    g_free(bs);
}

void bdrv_init(BlockDriverState *bs)
{
    bs->id = ct_id_new();
    bs->refs = 1;
    list_init(&bs->requests);
    list_init(&bs->parents);
    co_queue_init(&bs->flush_queue);
}

/* @file: taken on success only; NULL for a protocol */
static BlockDriverState *bdrv_open_common(const BlockDriver *drv,
                                          BlockDriverState *file,
                                          const char *filename,
                                          const char *node_name,
                                          const BlockOptions *options,
                                          AioContext *ctx, GError **error)
{
    BlockDriverState *bs = g_new0(BlockDriverState, 1);
    g_autofree char *base = g_path_get_basename(filename);

    bs->drv = drv;
    bs->file = file;
    bs->filename = g_strdup(filename);
    bs->node_name = node_name != NULL
                        ? g_strdup(node_name)
                        : g_strdup_printf("%s:%s", drv->format_name, base);
    bs->ctx = ctx;
    bs->options = *options;
    if (drv->co_pwritev_part == NULL && drv->co_prw == NULL) {
        bs->options.is_writable = false;
    }
    bdrv_init(bs);
    if (file != NULL) {
        bdrv_attach_child(&bs->file_edge, bs, file);
    }
    if (bdrv_open_driver(bs, error) < 0) {
        bdrv_detach(&bs->file_edge);
        free_node(bs);
        return NULL;
    }
    bs->options.format = NULL;
    bs->options.node_name = NULL;
    bs->options.engine = NULL;
    bs->options.faults = NULL;
    return bs;
}

/* A chain that is longer leads back to itself, or nobody meant it. */
#define CHAIN_MAX 200

/* "file:NAME" is NAME; Return: NULL: something that is no file */
static const char *local_name(const char *name)
{
    size_t scheme = strcspn(name, "/:");

    if (name[scheme] != ':') {
        return name;
    }
    return g_str_has_prefix(name, "file:") ? name + strlen("file:") : NULL;
}

static BlockDriverState *open_chain(const char *filename,
                                    const BlockOptions *options,
                                    AioContext *ctx, int depth, GError **error);

/* A name that is not absolute starts in the folder of the image. */
static int bdrv_open_backing_file(BlockDriverState *bs, int depth,
                                  GError **error)
{
    BlockOptions options = {
        .format = bs->backing_format,
        .engine = bs->options.engine,
        .cache_bytes = bs->options.cache_bytes,
        .is_direct = bs->options.is_direct,
    };
    const char *name = local_name(bs->backing_filename);
    g_autofree char *shown = g_strescape(bs->backing_filename, NULL);

    if (name == NULL) {
        return block_error(error, ENOTSUP,
                           "backing file '%s': only files are supported",
                           shown);
    }
    if (depth == CHAIN_MAX) {
        return block_error(error, ELOOP,
                           "backing file '%s': more than %d in a chain", shown,
                           CHAIN_MAX);
    }
    g_autofree char *folder = g_path_get_dirname(bs->filename);
    g_autofree char *path = g_path_is_absolute(name)
                                ? g_strdup(name)
                                : g_build_filename(folder, name, NULL);
    bs->backing = open_chain(path, &options, bs->ctx, depth + 1, error);
    if (bs->backing == NULL) {
        g_prefix_error(error, "backing file '%s': ", shown);
        return -EIO;
    }
    bdrv_attach_child(&bs->backing_edge, bs, bs->backing);
    return 0;
}

static BlockDriverState *open_chain(const char *filename,
                                    const BlockOptions *options,
                                    AioContext *ctx, int depth, GError **error)
{
    const BlockDriver *drv = NULL;
    BlockDriverState *file, *bs = NULL;

    if (options->format != NULL) {
        drv = find_format(options->format);
        if (drv == NULL) {
            block_error(error, EINVAL, "unknown format '%s'", options->format);
            return NULL;
        }
    }
    file = bdrv_open_common(find_protocol(), NULL, filename, NULL, options, ctx,
                            error);
    if (file == NULL) {
        return NULL;
    }
    if (options->faults != NULL) {
        BlockDriverState *faults = bdrv_open_common(
            find_format("faults"), file, filename, NULL, options, ctx, error);
        if (faults == NULL) {
            bdrv_close(file);
            return NULL;
        }
        file = faults;
    }
    if (drv == NULL) {
        drv = probe_format(file, error);
    }
    if (drv != NULL) {
        bs = bdrv_open_common(drv, file, filename, options->node_name, options,
                              ctx, error);
    }
    if (bs == NULL) {
        bdrv_close(file);
        return NULL;
    }
    if (bs->backing_filename != NULL) {
        bs->options.engine = options->engine;
        int ret = bdrv_open_backing_file(bs, depth, error);
        bs->options.engine = NULL;
        if (ret < 0) {
            bdrv_close(bs);
            return NULL;
        }
    }
    return bs;
}

BlockDriverState *bdrv_open(const char *filename, const BlockOptions *options,
                            AioContext *ctx, GError **error)
{
    return open_chain(filename, options, ctx, 0, error);
}

void bdrv_close(BlockDriverState *bs)
{
    if (bs == NULL) {
        return;
    }
    if (bs->drv->close != NULL) {
        bs->drv->close(bs);
    }
    bdrv_detach(&bs->backing_edge);
    bdrv_close(bs->backing);
    bdrv_detach(&bs->file_edge);
    bdrv_close(bs->file);
    free_node(bs);
}

BlockDriverState *bdrv_ref(BlockDriverState *bs)
{
    (void)ct_fetch_add(&bs->refs, 1);
    return bs;
}

void bdrv_unref(BlockDriverState *bs)
{
    /* Orders what each backend's user did before the close. */
    if (ct_fetch_sub(&bs->refs, 1) == 1) {
        if (!in_coroutine()) {
            bdrv_drain(bs);
        }
        bdrv_close(bs);
    }
}

void bdrv_fault(BlockDriverState *bs, const char *format, ...)
{
    char *none = NULL;
    va_list args;

    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    /* Publishes the text; pairs with the acquire in blk_fault(). */
    if (!ct_cmpxchg(&bs->fault, &none, text)) {
        g_free(text);
    }
}
