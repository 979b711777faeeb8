/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/words.h - the same content, the same small number
 *
 * Model:    a struct ct_interned gives keys of one size dense numbers from 0;
 *           a struct ct_words does so for strings, 0 being the empty one.  Both
 *           runs of a comparison share them, so that equal numbers mean equal
 *           content.
 * Threads:  one.
 * Memory:   keys and strings are copied.
 * Errors:   none; memory that can't be had ends the program (GLib).
 * Depends:  glib.h.
 */
#ifndef CT_DIFF_WORDS_H
#define CT_DIFF_WORDS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ct_slot {
    uint32_t hash;
    uint32_t number; /* + 1; 0: free */
};

struct ct_interned {
    size_t key_bytes;
    char *keys; /* by number */
    uint32_t n, capacity;
    struct ct_slot *slots;
    uint32_t mask;
};

/** ct_interned_init() - @key_bytes: a multiple of four */
void ct_interned_init(struct ct_interned *interned, size_t key_bytes);
void ct_interned_fini(struct ct_interned *interned);

/** ct_interned_get() - the number of @key, made if it is new
 * @key: without padding that differs between equal keys */
uint32_t ct_interned_get(struct ct_interned *interned, const void *key);

/**
 * ct_interned_get_all() - the same for @n keys, one behind the other
 *
 * Fetches what the next ones need while it looks for one: a table that is
 * larger than the caches is then a few times as fast.
 */
void ct_interned_get_all(struct ct_interned *interned, const void *keys,
                         uint32_t n, uint32_t *ret_numbers);

bool ct_interned_has(const struct ct_interned *interned, const void *key);

static inline const void *ct_interned_key(const struct ct_interned *interned,
                                          uint32_t number)
{
    return interned->keys + number * interned->key_bytes;
}

struct ct_words {
    GStringChunk *text;
    GHashTable *numbers; /* string (owned by text) -> number */
    GPtrArray *strings;  /* by number */
};

void ct_words_init(struct ct_words *words);
void ct_words_fini(struct ct_words *words);
uint32_t ct_words_get(struct ct_words *words, const char *text);

static inline const char *ct_words_text(const struct ct_words *words,
                                        uint32_t number)
{
    return (const char *)g_ptr_array_index(words->strings, number);
}

#endif
