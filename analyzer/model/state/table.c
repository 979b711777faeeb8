/* SPDX-License-Identifier: MIT */
/*
 * Every event looks up two or three entities, so a look-up is one multiply and,
 * mostly, one cache line: open addressing with linear probing.  A removal moves
 * later entries of its run back, so that there are no tombstones and a table
 * through which millions of ids went is as fast as a new one.
 */
#include "model/state/table.h"

#include <string.h>

#include <glib.h>

#include "ct/pre.h"

enum {
    SLOTS_MIN = 16,
    CHUNK_BYTES = 16 * 1024,
    NAME_MAX_BYTES = 255,
    NAMES_MAX_BYTES = 16 * 1024 * 1024,
};

static void insert(struct ct_table *table, uint64_t id, void *value)
{
    uint32_t at = ct_table_home(table, id);

    while (table->slots[at].value) {
        at = (at + 1) & table->mask;
    }
    table->slots[at] = (struct ct_table_slot){id, value};
}

/* The home is the top bits of the product: `shift` leaves as many as needed. */
static void resize(struct ct_table *table, uint32_t n_slots)
{
    struct ct_table old = *table;

    table->slots = g_new0(struct ct_table_slot, n_slots);
    table->mask = n_slots - 1;
    table->shift = (unsigned)__builtin_clz(n_slots - 1) + 32;
    if (old.slots) {
        for (uint32_t i = 0; i <= old.mask; i++) {
            if (old.slots[i].value) {
                insert(table, old.slots[i].id, old.slots[i].value);
            }
        }
        g_free(old.slots);
    }
}

void ct_table_put(struct ct_table *table, uint64_t id, void *value)
{
    ct_pre("table-put/value", value);
    ct_pre("table-put/absent", !ct_table_get(table, id));
    if (!table->slots) {
        resize(table, SLOTS_MIN);
    } else if (table->n >= (table->mask + 1) / 4 * 3) {
        resize(table, (table->mask + 1) * 2);
    }
    insert(table, id, value);
    table->n++;
}

void *ct_table_take(struct ct_table *table, uint64_t id)
{
    if (!table->n) {
        return NULL;
    }
    uint32_t hole = ct_table_home(table, id);
    while (table->slots[hole].id != id || !table->slots[hole].value) {
        if (!table->slots[hole].value) {
            return NULL;
        }
        hole = (hole + 1) & table->mask;
    }
    void *value = table->slots[hole].value;

    /* An entry may fill the hole unless its home lies behind the hole. */
    for (uint32_t at = (hole + 1) & table->mask; table->slots[at].value;
         at = (at + 1) & table->mask) {
        uint32_t home = ct_table_home(table, table->slots[at].id);
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole].value = NULL;
    table->n--;
    return value;
}

void *ct_table_each(const struct ct_table *table, uint32_t *pos)
{
    if (!table->slots) {
        return NULL;
    }
    while (*pos <= table->mask) {
        void *value = table->slots[(*pos)++].value;
        if (value) {
            return value;
        }
    }
    return NULL;
}

void ct_table_fini(struct ct_table *table)
{
    g_free(table->slots);
    *table = (struct ct_table){0};
}

void ct_slab_init(struct ct_slab *slab, size_t size_bytes)
{
    size_t align = _Alignof(max_align_t);

    *slab = (struct ct_slab){
        .size_bytes = (size_bytes + align - 1) / align * align,
    };
}

void *ct_slab_new(struct ct_slab *slab)
{
    void *piece = slab->free;

    if (piece) {
        memcpy(&slab->free, piece, sizeof(void *));
    } else {
        if (slab->left_bytes < slab->size_bytes) {
            size_t head = _Alignof(max_align_t);
            size_t rest = CHUNK_BYTES / slab->size_bytes * slab->size_bytes;
            rest = rest ? rest : slab->size_bytes;
            char *chunk = g_malloc(head + rest);
            memcpy(chunk, &slab->chunks, sizeof(void *));
            slab->chunks = chunk;
            slab->next = chunk + head;
            slab->left_bytes = rest;
        }
        piece = slab->next;
        slab->next += slab->size_bytes;
        slab->left_bytes -= slab->size_bytes;
    }
    return memset(piece, 0, slab->size_bytes);
}

void ct_slab_free(struct ct_slab *slab, void *piece)
{
    memcpy(piece, &slab->free, sizeof(void *));
    slab->free = piece;
}

void ct_slab_fini(struct ct_slab *slab)
{
    while (slab->chunks) {
        void *chunk = slab->chunks;
        memcpy(&slab->chunks, chunk, sizeof(void *));
        g_free(chunk);
    }
    ct_slab_init(slab, slab->size_bytes);
}

/* Names are short: a multiplication a byte costs less than the calls that would
 * save some.  The table takes the top bits, which depend on all bytes. */
static uint64_t hash_of(const char *string, size_t *ret_length)
{
    uint64_t hash = 0;
    size_t n = 0;

    while (n < NAME_MAX_BYTES && string[n]) {
        hash = (hash ^ (uint8_t)string[n++]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    *ret_length = n;
    return hash ^ n;
}

const char *ct_names_get(struct ct_names *names, const char *string)
{
    if (!string) {
        return NULL;
    }
    size_t length;
    uint64_t hash = hash_of(string, &length);

    /* Another string with the same hash is looked for at the next one. */
    char *held;
    while ((held = ct_table_get(&names->strings, hash))) {
        if (strncmp(held, string, length) == 0 && !held[length]) {
            return held;
        }
        hash++;
    }
    if (names->held_bytes > NAMES_MAX_BYTES) {
        return NULL;
    }
    held = g_strndup(string, length);
    names->held_bytes += length + 1 + sizeof(struct ct_table_slot);
    ct_table_put(&names->strings, hash, held);
    return held;
}

void ct_names_fini(struct ct_names *names)
{
    uint32_t pos = 0;
    char *held;

    while ((held = ct_table_each(&names->strings, &pos))) {
        g_free(held);
    }
    ct_table_fini(&names->strings);
    names->held_bytes = 0;
}
