/* SPDX-License-Identifier: MIT */
/*
 * cache.c - pieces of tables, least recently used out first
 *
 * Every place is in `by_use`, the one that was used last at the head.  Places
 * that hold a piece are in `by_offset` as well; one whose piece could not be
 * read goes to the tail, empty, and is the next to be taken.
 */
#include "block/drivers/qcow2/cache.h"

#include "base/list.h"

struct place {
    int64_t offset; /* of its piece in the file; 0: empty */
    uint8_t *piece; /* owned; NULL until first used */
    struct list by_use;
};

struct qcow2_cache {
    size_t piece_bytes;    /* immutable */
    GHashTable *by_offset; /* offset (in the place) -> place (weak) */
    struct list by_use;
    size_t n_places;
    struct place places[];
};

struct qcow2_cache *qcow2_cache_new(size_t piece_bytes, size_t max_bytes)
{
    size_t n_places = MAX(2, max_bytes / piece_bytes);
    struct qcow2_cache *cache =
        g_malloc0(sizeof(*cache) + n_places * sizeof(cache->places[0]));

    cache->piece_bytes = piece_bytes;
    cache->by_offset = g_hash_table_new(g_int64_hash, g_int64_equal);
    cache->n_places = n_places;
    list_init(&cache->by_use);
    for (size_t i = 0; i < n_places; i++) {
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
        g_free(cache->places[i].piece);
    }
    g_hash_table_destroy(cache->by_offset);
    g_free(cache);
}

static void move_to_head(struct qcow2_cache *cache, struct place *place)
{
    list_del(&place->by_use);
    list_add_head(&cache->by_use, &place->by_use);
}

int coroutine_fn qcow2_cache_get(struct qcow2_cache *cache,
                                 BlockDriverState *file, uint64_t offset,
                                 const uint8_t **ret_piece)
{
    int64_t key = (int64_t)offset;
    struct place *place = g_hash_table_lookup(cache->by_offset, &key);

    if (place == NULL) {
        place = list_entry(cache->by_use.prev, struct place, by_use);
        if (place->offset != 0) {
            g_hash_table_remove(cache->by_offset, &place->offset);
            place->offset = 0;
        }
        if (place->piece == NULL) {
            place->piece = g_malloc(cache->piece_bytes);
        }
        int ret =
            bdrv_pread(file, key, (int64_t)cache->piece_bytes, place->piece);
        if (ret < 0) {
            return ret; /* empty, and still at the tail */
        }
        place->offset = key;
        g_hash_table_insert(cache->by_offset, &place->offset, place);
    }
    move_to_head(cache, place);
    *ret_piece = place->piece;
    return 0;
}
