/* SPDX-License-Identifier: MIT */
/*
 * Interned keys and strings: a run of a million decisions has few different
 * names, so a decision keeps a number instead.
 *
 * Open addressing with linear probing; nothing is ever taken out.
 */
#include "answer/diff/words.h"

#include <string.h>

enum { SLOTS_MIN = 256 };

void ct_interned_init(struct ct_interned *interned, size_t key_bytes)
{
    *interned = (struct ct_interned){.key_bytes = key_bytes};
    interned->slots = g_new0(uint32_t, SLOTS_MIN);
    interned->mask = SLOTS_MIN - 1;
}

void ct_interned_fini(struct ct_interned *interned)
{
    g_free(interned->keys);
    g_free(interned->slots);
}

static uint32_t hash_of(const void *key, size_t bytes)
{
    const unsigned char *at = key;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t *find(const struct ct_interned *interned, const void *key)
{
    uint32_t at = hash_of(key, interned->key_bytes) & interned->mask;

    while (interned->slots[at] &&
           memcmp(ct_interned_key(interned, interned->slots[at] - 1), key,
                  interned->key_bytes) != 0) {
        at = (at + 1) & interned->mask;
    }
    return &interned->slots[at];
}

static void grow(struct ct_interned *interned)
{
    interned->mask = interned->mask * 2 + 1;
    g_free(interned->slots);
    interned->slots = g_new0(uint32_t, (size_t)interned->mask + 1);
    for (uint32_t i = 0; i < interned->n; i++) {
        *find(interned, ct_interned_key(interned, i)) = i + 1;
    }
}

uint32_t ct_interned_get(struct ct_interned *interned, const void *key)
{
    uint32_t *slot = find(interned, key);

    if (*slot) {
        return *slot - 1;
    }
    if (interned->n == interned->capacity) {
        interned->capacity = MAX(64, interned->capacity * 2);
        interned->keys = g_realloc_n(interned->keys, interned->capacity,
                                     interned->key_bytes);
    }
    memcpy(interned->keys + interned->n * interned->key_bytes, key,
           interned->key_bytes);
    *slot = ++interned->n;
    if (interned->n > interned->mask / 2) {
        grow(interned);
    }
    return interned->n - 1;
}

bool ct_interned_has(const struct ct_interned *interned, const void *key)
{
    return *find(interned, key) != 0;
}

void ct_words_init(struct ct_words *words)
{
    words->text = g_string_chunk_new(65536);
    words->numbers = g_hash_table_new(g_str_hash, g_str_equal);
    words->strings = g_ptr_array_new();
    ct_words_get(words, "");
}

void ct_words_fini(struct ct_words *words)
{
    g_hash_table_unref(words->numbers);
    g_ptr_array_unref(words->strings);
    g_string_chunk_free(words->text);
}

uint32_t ct_words_get(struct ct_words *words, const char *text)
{
    gpointer number;

    if (g_hash_table_lookup_extended(words->numbers, text, NULL, &number)) {
        return GPOINTER_TO_UINT(number);
    }
    char *copy = g_string_chunk_insert(words->text, text);
    g_hash_table_insert(words->numbers, copy,
                        GUINT_TO_POINTER(words->strings->len));
    g_ptr_array_add(words->strings, copy);
    return words->strings->len - 1;
}
