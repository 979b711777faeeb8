/* SPDX-License-Identifier: MIT */
/*
 * model/state/table.h - id -> live entity, and the memory that entities live in
 *
 * Model:    a table holds no memory of its entities; an entity is taken out
 *           before it is freed.  A slab hands out zeroed pieces of one size,
 *           and gives its memory back when it is emptied as a whole.
 * Threads:  one pass, one thread.
 * Memory:   key: copied; value: weak, not NULL, taken out by who frees it.
 * Errors:   none; memory that can't be had ends the program (GLib).
 * Depends:  glib.h.
 */
#ifndef CT_MODEL_TABLE_H
#define CT_MODEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_table_slot {
    uint64_t id;
    void *value; /* NULL: free */
};

struct ct_table {
    struct ct_table_slot *slots; /* NULL: none yet */
    uint32_t n;
    uint32_t mask; /* number of slots - 1 */
    unsigned shift;
};

static inline uint32_t ct_table_home(const struct ct_table *table, uint64_t id)
{
    return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> table->shift);
}

/** ct_table_get() - the value at @id, or NULL */
static inline void *ct_table_get(const struct ct_table *table, uint64_t id)
{
    if (!table->n) {
        return NULL;
    }
    uint32_t at = ct_table_home(table, id);
    while (table->slots[at].value) {
        if (table->slots[at].id == id) {
            return table->slots[at].value;
        }
        at = (at + 1) & table->mask;
    }
    return NULL;
}

/** ct_table_put() - adds @value; Pre: [table-put/absent] @id is not in it */
void ct_table_put(struct ct_table *table, uint64_t id, void *value);

/** ct_table_take() - takes the value out, NULL if there is none */
void *ct_table_take(struct ct_table *table, uint64_t id);

/**
 * ct_table_each() - walk all values, in no order
 * @pos: 0 at first; the table may not change during the walk
 * Return: the next value, NULL at the end.
 */
void *ct_table_each(const struct ct_table *table, uint32_t *pos);

void ct_table_fini(struct ct_table *table);

struct ct_slab {
    size_t size_bytes;
    void *free;   /* pieces handed back, linked through their first word */
    void *chunks; /* linked through their first word */
    char *next;   /* unused rest of the newest chunk */
    size_t left_bytes;
};

void ct_slab_init(struct ct_slab *slab, size_t size_bytes);
void *ct_slab_new(struct ct_slab *slab);
void ct_slab_free(struct ct_slab *slab, void *piece);
void ct_slab_fini(struct ct_slab *slab);

/*
 * Strings that outlive the step that brought them: each distinct one once.
 * What a trace can make it hold is limited; past the limit there is no name.
 */
struct ct_names {
    struct ct_table strings; /* by hash; the string's own copy */
    size_t held_bytes;
};

/** ct_names_get() - a copy that lives as long as @names; NULL for NULL, and
 * where the limit is reached */
const char *ct_names_get(struct ct_names *names, const char *string);
void ct_names_fini(struct ct_names *names);

#endif
