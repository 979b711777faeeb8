/* SPDX-License-Identifier: MIT */
/*
 * known.c - a thread learns a stack
 *
 * A set keeps the last few stacks that were learnt in it; where more than fit
 * are taken in turns, each is walked, which costs time and nothing else.
 */
#include "known.h"

#include "intern.h"

/* Compares with stacks that may be others, so reads where this one may have
 * anything. */
__attribute__((noinline, no_sanitize("address", "thread"))) struct ct_known *
ct_known_search(const uintptr_t *start, uintptr_t distance, uint64_t outer)
{
    struct ct_known_table *table = ct_known_table;
    uint64_t tag = ct_known_tag(start, distance, outer);
    uint64_t set = ct_known_set(tag);
    uint32_t latest = table->latest[set];

    for (uint32_t i = 1; i < CT_KNOWN_WAYS; i++) {
        uint32_t way = (latest + i) % CT_KNOWN_WAYS;
        struct ct_known *known = &table->stacks[set][way];

        if (table->tags[set][way] == tag &&
            ct_known_is(known, start, distance, outer)) {
            table->latest[set] = (uint8_t)way;
            return known;
        }
    }
    return NULL;
}

/*
 * Where it is, told in an older generation; else the one of its set that is
 * behind the latest makes room.
 */
__attribute__((no_sanitize("address", "thread"))) static struct ct_known *
place_of(const uintptr_t *start, uintptr_t distance, uint64_t outer)
{
    struct ct_known_table *table = ct_known_table;
    struct ct_known *known = ct_known_find(start, distance, outer);
    uint64_t tag = ct_known_tag(start, distance, outer);
    uint64_t set = ct_known_set(tag);

    if (!known) {
        uint32_t way = (table->latest[set] + 1u) % CT_KNOWN_WAYS;

        table->latest[set] = (uint8_t)way;
        table->tags[set][way] = tag;
        known = &table->stacks[set][way];
    }
    return known;
}

__attribute__((no_sanitize("address", "thread"))) void ct_known_learn(
    const uintptr_t *start, uintptr_t distance, const struct ct_piece *piece,
    uint64_t id)
{
    const uintptr_t *frame = start;
    struct ct_known *known;
    uint32_t i;

    if (!ct_known_table || piece->n > CT_KNOWN_FRAMES ||
        distance > UINT32_MAX) {
        return;
    }
    known = place_of(start, distance, piece->outer);
    for (i = 0; i < piece->n; i++) {
        known->at[i] = (uint32_t)((uintptr_t)frame - (uintptr_t)start);
        known->records[i] = (ct_record){frame[0] - (uintptr_t)start, frame[1]};
        frame = (const uintptr_t *)frame[0];
    }
    for (; i % 4 != 0; i++) {
        known->at[i] = known->at[i - 1];
        known->records[i] = known->records[i - 1];
    }
    known->id = id;
    known->outer = piece->outer;
    known->distance = (uint32_t)distance;
    known->n = i;
    known->generation =
        __atomic_load_n(&ct_intern_generation, __ATOMIC_RELAXED);
}
