/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - kinds of requests: what they are once, a number afterwards
 *
 * A slot's place is the number, so nothing that a slot was given to is ever
 * moved or taken out; a kind that finds SPAN slots in a row taken has none.
 * A slot holds a hash of what it stands for, not the thing: two kinds of a
 * process meet with a chance of 2^-64, as stacks do (intern.h).
 *
 * As there, what was told is told again in a new generation, and stands before
 * its use:
 *
 *     tell:  event request_kind          use:  load `told` (acquire)
 *            store `told` (release)            event that names the number
 */
#include "ct/kinds.h"

#include <string.h>

#include "ct/emit.h"
#include "ct/retell.h"

#include "intern.h"
#include "retell.h"

enum {
    SLOTS = 4096, /* power of two */
    SPAN = 16,
};

static struct slot {
    uint64_t hash; /* atomic; 0: free, else as it was set first */
    uint64_t told; /* atomic: the generation that it was told in last */
} table[SLOTS];

/* Who recorded what was settled with ct_retell_settled; atomic, stored before.
 */
static const void *settled_kind, *settled_open;

static void settle(void)
{
    __atomic_store_n(&settled_kind, CT_EMIT_RECORDERS(request_kind),
                     __ATOMIC_RELEASE);
    __atomic_store_n(&settled_open, CT_EMIT_RECORDERS(request_open),
                     __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void register_teller(void)
{
    static struct ct_teller teller = {.settle = settle};

    ct_retell_register(&teller);
}

/* A session may be given an event while it records. */
static inline bool is_settled(void)
{
    const void *settled = __atomic_load_n(&ct_retell_settled, __ATOMIC_ACQUIRE);
    const void *kind = __atomic_load_n(&settled_kind, __ATOMIC_ACQUIRE);
    const void *open = __atomic_load_n(&settled_open, __ATOMIC_ACQUIRE);

    return settled && settled == CT_EMIT_RECORDERS(state_begin) && kind &&
           kind == CT_EMIT_RECORDERS(request_kind) &&
           open == CT_EMIT_RECORDERS(request_open);
}

static inline uint64_t hash_of(const char *layer, const char *op,
                               const char *node, unsigned flags)
{
    size_t left_bytes = strlen(node);
    uint64_t hash = ct_intern_mix((uintptr_t)layer ^ 0x2d358dccaa6c78a5u,
                                  (uintptr_t)op ^ 0x8bb84b93962eacc9u);
    uint64_t word;

    hash = ct_intern_mix(hash ^ (left_bytes | (uint64_t)flags << 32),
                         0xd1b54a32d192ed03u);
    for (; left_bytes >= sizeof(word); left_bytes -= sizeof(word)) {
        memcpy(&word, node, sizeof(word));
        hash = ct_intern_mix(hash ^ word, 0x4b33a62ed433d4a3u);
        node += sizeof(word);
    }
    word = 0;
    for (size_t i = 0; i < left_bytes; i++) {
        word = word << 8 | (unsigned char)node[i];
    }
    hash = ct_intern_mix(hash ^ word, 0x9fb21c651e98df25u);
    return hash ? hash : 1;
}

/* NULL: there is no room for it. */
static inline struct slot *find(uint64_t hash)
{
    for (unsigned i = 0; i < SPAN; i++) {
        struct slot *slot = &table[(hash + i) % SLOTS];
        uint64_t there = __atomic_load_n(&slot->hash, __ATOMIC_RELAXED);

        if (there == hash ||
            (there == 0 &&
             __atomic_compare_exchange_n(&slot->hash, &there, hash, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED)) ||
            there == hash) {
            return slot;
        }
    }
    return NULL;
}

uint32_t ct_kind_told(const char *layer, const char *op, const char *node,
                      unsigned flags)
{
    uint64_t generation;
    struct slot *slot;
    uint32_t kind;

    if (!is_settled()) {
        return 0;
    }
    generation = __atomic_load_n(&ct_intern_generation, __ATOMIC_RELAXED);
    slot = find(hash_of(layer, op, node, flags));
    if (!slot) {
        return 0;
    }
    kind = (uint32_t)(slot - table) + 1;
    if (__atomic_load_n(&slot->told, __ATOMIC_ACQUIRE) != generation) {
        ct_emit_request_kind(kind, layer, op, node, flags);
        __atomic_store_n(&slot->told, generation, __ATOMIC_RELEASE);
    }
    return kind;
}
