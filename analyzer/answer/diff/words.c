/* SPDX-License-Identifier: MIT */
/*
 * Interned keys and strings: a run of a million decisions has few different
 * names, so a decision keeps a number instead.
 *
 * Open addressing with linear probing; nothing is ever taken out.
 */
#include "answer/diff/words.h"

#include <string.h>

enum {
    SLOTS_MIN = 256,
    AHEAD = 8, /* keys whose slots are on their way */
};

void ct_interned_init(struct ct_interned *interned, size_t key_bytes)
{
    *interned = (struct ct_interned){.key_bytes = key_bytes};
    interned->slots = g_new0(struct ct_slot, SLOTS_MIN);
    interned->mask = SLOTS_MIN - 1;
}

void ct_interned_fini(struct ct_interned *interned)
{
    g_free(interned->keys);
    g_free(interned->slots);
}

static uint32_t hash_of(const void *key, size_t bytes)
{
    const char *at = key;
    uint64_t hash = bytes;

    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, at + i, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static struct ct_slot *find(const struct ct_interned *interned, const void *key,
                            uint32_t hash)
{
    uint32_t at = hash & interned->mask;

    while (interned->slots[at].number &&
           (interned->slots[at].hash != hash ||
            memcmp(ct_interned_key(interned, interned->slots[at].number - 1),
                   key, interned->key_bytes) != 0)) {
        at = (at + 1) & interned->mask;
    }
    return &interned->slots[at];
}

static void grow(struct ct_interned *interned)
{
    struct ct_slot *old = interned->slots;
    uint32_t n = interned->mask + 1;

    interned->mask = n * 2 - 1;
    interned->slots = g_new0(struct ct_slot, (size_t)n * 2);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = old[i].hash & interned->mask;
        if (!old[i].number) {
            continue;
        }
        while (interned->slots[at].number) {
            at = (at + 1) & interned->mask;
        }
        interned->slots[at] = old[i];
    }
    g_free(old);
}

static uint32_t get(struct ct_interned *interned, const void *key,
                    uint32_t hash)
{
    struct ct_slot *slot = find(interned, key, hash);

    if (slot->number) {
        return slot->number - 1;
    }
    if (interned->n == interned->capacity) {
        interned->capacity = MAX(64, interned->capacity * 2);
        interned->keys = g_realloc_n(interned->keys, interned->capacity,
                                     interned->key_bytes);
    }
    memcpy(interned->keys + interned->n * interned->key_bytes, key,
           interned->key_bytes);
    *slot = (struct ct_slot){hash, ++interned->n};
    if (interned->n > interned->mask / 2) {
        grow(interned);
    }
    return interned->n - 1;
}

uint32_t ct_interned_get(struct ct_interned *interned, const void *key)
{
    return get(interned, key, hash_of(key, interned->key_bytes));
}

void ct_interned_get_all(struct ct_interned *interned, const void *keys,
                         uint32_t n, uint32_t *ret_numbers)
{
    size_t bytes = interned->key_bytes;
    uint32_t hashes[2 * AHEAD];

    for (uint32_t i = 0; i < n + 2 * AHEAD; i++) {
        if (i >= 2 * AHEAD) {
            uint32_t k = i - 2 * AHEAD;
            ret_numbers[k] = get(interned, (const char *)keys + k * bytes,
                                 hashes[k % (2 * AHEAD)]);
        }
        if (i < n) {
            uint32_t hash = hash_of((const char *)keys + i * bytes, bytes);
            hashes[i % (2 * AHEAD)] = hash;
            __builtin_prefetch(&interned->slots[hash & interned->mask]);
        }
        if (i >= AHEAD && i - AHEAD < n) {
            uint32_t hash = hashes[(i - AHEAD) % (2 * AHEAD)];
            uint32_t number = interned->slots[hash & interned->mask].number;
            if (number) {
                __builtin_prefetch(ct_interned_key(interned, number - 1));
            }
        }
    }
}

bool ct_interned_has(const struct ct_interned *interned, const void *key)
{
    return find(interned, key, hash_of(key, interned->key_bytes))->number != 0;
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
