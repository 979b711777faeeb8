/* SPDX-License-Identifier: MIT */
/*
 * best.c - the rows with the greatest keys, greatest first
 *
 * With a limit the entries form a heap whose root is the one to go next: the
 * least key, among equals the last that came.  Without one they are a list
 * that is sorted at the end.
 */
#include "out/best.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    int64_t key;
    uint64_t number; /* in the order of put */
    char *row;       /* NULL: in the spool, at `position` */
    uint64_t position;
    uint32_t length;
};

struct ct_best {
    bool has_limit;
    uint64_t limit;
    uint64_t n_put;
    struct entry *entries;
    uint64_t n;
    uint64_t size;
    struct ct_spool *spool; /* without a limit */
};

struct ct_best *ct_best_new(bool has_limit, uint64_t limit)
{
    struct ct_best *best = g_new0(struct ct_best, 1);

    best->has_limit = has_limit;
    best->limit = limit;
    if (!has_limit) {
        best->spool = ct_spool_new(NULL);
    }
    return best;
}

void ct_best_free(struct ct_best *best)
{
    if (!best) {
        return;
    }
    for (uint64_t i = 0; i < best->n; i++) {
        g_free(best->entries[i].row);
    }
    g_free(best->entries);
    ct_spool_free(best->spool);
    g_free(best);
}

/* Does @a leave before @b? */
static bool before(const struct entry *a, const struct entry *b)
{
    return a->key != b->key ? a->key > b->key : a->number < b->number;
}

bool ct_best_wants(const struct ct_best *best, int64_t key)
{
    return !best->has_limit || best->n < best->limit ||
           (best->limit && key > best->entries[0].key);
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_up(struct ct_best *best, uint64_t at)
{
    while (at) {
        uint64_t parent = (at - 1) / 2;

        if (!before(&best->entries[parent], &best->entries[at])) {
            return;
        }
        swap(&best->entries[parent], &best->entries[at]);
        at = parent;
    }
}

static void sift_down(struct ct_best *best)
{
    uint64_t at = 0;

    for (;;) {
        uint64_t last = at;

        for (uint64_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < best->n &&
                before(&best->entries[last], &best->entries[child])) {
                last = child;
            }
        }
        if (last == at) {
            return;
        }
        swap(&best->entries[at], &best->entries[last]);
        at = last;
    }
}

void ct_best_put(struct ct_best *best, int64_t key, const char *row,
                 size_t length)
{
    struct entry entry = {
        .key = key,
        .number = best->n_put++,
        .length = (uint32_t)length,
    };

    if (!ct_best_wants(best, key)) {
        return;
    }
    if (best->has_limit) {
        entry.row = g_malloc(length);
        memcpy(entry.row, row, length);
    } else {
        entry.position = ct_spool_append(best->spool, row, length);
    }
    if (best->has_limit && best->n == best->limit) {
        g_free(best->entries[0].row);
        best->entries[0] = entry;
        sift_down(best);
        return;
    }
    if (best->n == best->size) {
        best->size = best->size ? best->size * 2 : 64;
        best->entries = g_renew(struct entry, best->entries, best->size);
    }
    best->entries[best->n++] = entry;
    if (best->has_limit) {
        sift_up(best, best->n - 1);
    }
}

static int compare(const void *a, const void *b)
{
    return before(a, b) ? -1 : 1;
}

bool ct_best_leave(struct ct_best *best, ct_held_leave *leave, void *data,
                   GError **error)
{
    g_autofree char *row = NULL;
    size_t size = 0;

    if (best->n) {
        qsort(best->entries, best->n, sizeof(*best->entries), compare);
    }
    for (uint64_t i = 0; i < best->n; i++) {
        struct entry *entry = &best->entries[i];

        if (entry->row) {
            leave(data, entry->row, entry->length);
            continue;
        }
        if (entry->length > size) {
            size = (size_t)entry->length * 2;
            g_free(row);
            row = g_malloc(size);
        }
        if (!ct_spool_read(best->spool, entry->position, row, entry->length)) {
            break;
        }
        leave(data, row, entry->length);
    }
    return !best->spool || !ct_spool_error(best->spool, error);
}
