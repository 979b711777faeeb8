/* SPDX-License-Identifier: MIT */
/*
 * cache.c - pieces of tables, least recently used out first
 *
 * Every place is in `by_use`, the one that was used last at the head.  Places
 * that hold a piece are in `by_offset` as well; one whose piece could not be
 * read stays where it is, empty, until its turn to be taken.
 *
 * Nothing is written out of order: before the first piece goes to the file,
 * qcow2_cache_write_piece() serves what the cache depends on.  There is at
 * most one dependency a cache, and it never leads back, since
 * qcow2_cache_set_dependency() serves older ones first.
 */
#include "block/drivers/qcow2/cache.h"

#include <string.h>

#include "base/list.h"
#include "ct/pre.h"

#define PLACES_MIN 4

struct qcow2_cache {
    BlockDriverState *file;   /* immutable */
    size_t piece_bytes;       /* immutable */
    qcow2_cache_check *check; /* immutable */
    void *opaque;             /* immutable */

    struct qcow2_cache *depends; /* NULL: on none */
    bool depends_on_flush;
    struct list dirty;     /* in the order in which they were changed */
    GHashTable *by_offset; /* offset (in the place) -> place (weak) */
    struct list by_use;
    size_t n_places;
    struct qcow2_piece places[];
};

struct qcow2_cache *qcow2_cache_new(BlockDriverState *file, size_t piece_bytes,
                                    size_t max_bytes, qcow2_cache_check *check,
                                    void *opaque)
{
    size_t n_places = MAX(PLACES_MIN, max_bytes / piece_bytes);
    struct qcow2_cache *cache =
        g_malloc0(sizeof(*cache) + n_places * sizeof(cache->places[0]));

    cache->file = file;
    cache->piece_bytes = piece_bytes;
    cache->check = check;
    cache->opaque = opaque;
    cache->by_offset = g_hash_table_new(g_int64_hash, g_int64_equal);
    cache->n_places = n_places;
    list_init(&cache->by_use);
    list_init(&cache->dirty);
    for (size_t i = 0; i < n_places; i++) {
        list_init(&cache->places[i].dirty);
        list_add_tail(&cache->by_use, &cache->places[i].by_use);
    }
    return cache;
}

void qcow2_cache_free(struct qcow2_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < cache->n_places; i++) {
        g_free(cache->places[i].data);
    }
    g_hash_table_destroy(cache->by_offset);
    g_free(cache);
}

/* --- writing ------------------------------------------------------------- */

static int coroutine_fn qcow2_cache_flush_dependency(struct qcow2_cache *cache)
{
    int ret = qcow2_cache_flush(cache->depends);

    if (ret >= 0) {
        cache->depends = NULL;
        cache->depends_on_flush = false;
    }
    return ret;
}

static int coroutine_fn qcow2_cache_write_piece(struct qcow2_cache *cache,
                                                struct qcow2_piece *piece)
{
    int ret = 0;

    if (cache->depends != NULL) {
        ret = qcow2_cache_flush_dependency(cache);
    } else if (cache->depends_on_flush) {
        ret = bdrv_co_flush(cache->file);
        if (ret >= 0) {
            cache->depends_on_flush = false;
        }
    }
    if (ret >= 0 && cache->check != NULL) {
        ret = cache->check(cache->opaque, piece->offset, cache->piece_bytes);
    }
    if (ret >= 0) {
        ret = bdrv_co_pwrite(cache->file, (int64_t)piece->offset,
                             (int64_t)cache->piece_bytes, piece->data);
    }
    if (ret >= 0) {
        list_del(&piece->dirty);
    }
    return ret;
}

int coroutine_fn qcow2_cache_write(struct qcow2_cache *cache)
{
    int ret = 0;

    while (ret >= 0 && !list_is_empty(&cache->dirty)) {
        ret = qcow2_cache_write_piece(
            cache, list_entry(cache->dirty.next, struct qcow2_piece, dirty));
    }
    return ret;
}

int coroutine_fn qcow2_cache_flush(struct qcow2_cache *cache)
{
    int ret = qcow2_cache_write(cache);

    if (ret >= 0) {
        ret = bdrv_co_flush(cache->file);
    }
    return ret;
}

int coroutine_fn qcow2_cache_set_dependency(struct qcow2_cache *cache,
                                            struct qcow2_cache *other)
{
    int ret = 0;

    if (other->depends != NULL) {
        ret = qcow2_cache_flush_dependency(other);
    }
    if (ret >= 0 && cache->depends != NULL && cache->depends != other) {
        ret = qcow2_cache_flush_dependency(cache);
    }
    if (ret >= 0) {
        cache->depends = other;
    }
    return ret;
}

void qcow2_cache_depends_on_flush(struct qcow2_cache *cache)
{
    cache->depends_on_flush = true;
}

void qcow2_cache_entry_mark_dirty(struct qcow2_cache *cache,
                                  struct qcow2_piece *piece)
{
    if (!list_is_linked(&piece->dirty)) {
        list_add_tail(&cache->dirty, &piece->dirty);
    }
}

/* --- places -------------------------------------------------------------- */

static void forget(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
    if (piece->offset != 0) {
        g_hash_table_remove(cache->by_offset, &piece->offset);
        piece->offset = 0;
    }
    list_del(&piece->dirty);
}

/* An empty place, its piece allocated; Return: 0, or what a write returned */
static int coroutine_fn take_place(struct qcow2_cache *cache,
                                   struct qcow2_piece **ret_piece)
{
    struct list *node = cache->by_use.prev;

    while (node != &cache->by_use &&
           list_entry(node, struct qcow2_piece, by_use)->users > 0) {
        node = node->prev;
    }
    ct_pre("qcow2-cache-get/places", node != &cache->by_use);
    struct qcow2_piece *piece = list_entry(node, struct qcow2_piece, by_use);
    if (list_is_linked(&piece->dirty)) {
        int ret = qcow2_cache_write_piece(cache, piece);
        if (ret < 0) {
            return ret;
        }
    }
    forget(cache, piece);
    if (piece->data == NULL) {
        piece->data = g_malloc(cache->piece_bytes);
    }
    *ret_piece = piece;
    return 0;
}

static void fill_place(struct qcow2_cache *cache, struct qcow2_piece *piece,
                       uint64_t offset)
{
    piece->offset = offset;
    g_hash_table_insert(cache->by_offset, &piece->offset, piece);
}

static void mark_used(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
    list_del(&piece->by_use);
    list_add_head(&cache->by_use, &piece->by_use);
}

static void use(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
    piece->users++;
    mark_used(cache, piece);
}

const struct qcow2_piece *qcow2_cache_find(struct qcow2_cache *cache,
                                           uint64_t offset)
{
    struct qcow2_piece *piece = g_hash_table_lookup(cache->by_offset, &offset);

    if (piece != NULL) {
        mark_used(cache, piece);
    }
    return piece;
}

int coroutine_fn qcow2_cache_get(struct qcow2_cache *cache, uint64_t offset,
                                 struct qcow2_piece **ret_piece)
{
    struct qcow2_piece *piece = g_hash_table_lookup(cache->by_offset, &offset);

    if (piece == NULL) {
        int ret = take_place(cache, &piece);
        if (ret >= 0) {
            ret = bdrv_pread(cache->file, (int64_t)offset,
                             (int64_t)cache->piece_bytes, piece->data);
        }
        if (ret < 0) {
            return ret; /* the place is empty now */
        }
        fill_place(cache, piece, offset);
    }
    use(cache, piece);
    *ret_piece = piece;
    return 0;
}

int coroutine_fn qcow2_cache_get_empty(struct qcow2_cache *cache,
                                       uint64_t offset,
                                       struct qcow2_piece **ret_piece)
{
    struct qcow2_piece *piece = g_hash_table_lookup(cache->by_offset, &offset);

    if (piece == NULL) {
        int ret = take_place(cache, &piece);
        if (ret < 0) {
            return ret;
        }
        fill_place(cache, piece, offset);
    }
    memset(piece->data, 0, cache->piece_bytes);
    qcow2_cache_entry_mark_dirty(cache, piece);
    use(cache, piece);
    *ret_piece = piece;
    return 0;
}

void qcow2_cache_put(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
    ct_pre("qcow2-cache-put/got", piece->users > 0);
    piece->users--;
}

void qcow2_cache_discard(struct qcow2_cache *cache, uint64_t offset,
                         uint64_t bytes)
{
    for (uint64_t end = offset + bytes; offset < end;
         offset += cache->piece_bytes) {
        struct qcow2_piece *piece =
            g_hash_table_lookup(cache->by_offset, &offset);
        if (piece != NULL) {
            ct_pre("qcow2-cache-discard/unused", piece->users == 0);
            forget(cache, piece);
        }
    }
}

void qcow2_cache_drop(struct qcow2_cache *cache)
{
    while (!list_is_empty(&cache->dirty)) {
        struct qcow2_piece *piece =
            list_entry(cache->dirty.next, struct qcow2_piece, dirty);

        ct_pre("qcow2-cache-drop/unused", piece->users == 0);
        forget(cache, piece);
    }
    cache->depends = NULL;
    cache->depends_on_flush = false;
}
