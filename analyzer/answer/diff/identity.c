/* SPDX-License-Identifier: MIT */
/*
 * What a request is in every run: its interface, operation, node and range, and
 * the how-manieth of the same it is.
 */
#include <string.h>

#include "answer/diff/run_int.h"

/* "LAYER OP NODE", as far as they are told */
static uint32_t make_name(struct ct_run *run, const struct ct_request *request)
{
    const char *const parts[] = {request->layer, request->op, request->node};
    char text[512];
    size_t length = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        size_t room = sizeof(text) - 2 - length; /* a blank, and the end */
        size_t n = parts[i] ? MIN(strlen(parts[i]), room) : 0;
        if (length && n) {
            text[length++] = ' ';
        }
        memcpy(text + length, parts[i] ?: "", n);
        length += n;
    }
    text[length] = '\0';
    return ct_words_get(&run->shared->words, text);
}

/* The pass has each string once, so equal ones have the same address. */
static uint32_t name_of(struct ct_run *run, const struct ct_request *request)
{
    uint64_t hash = (uintptr_t)request->layer + 3 * (uintptr_t)request->op +
                    5 * (uintptr_t)request->node;
    struct request_name *name =
        &run->names[hash * UINT64_C(0x9e3779b97f4a7c15) >> 60];

    if (!name->is || name->layer != request->layer || name->op != request->op ||
        name->node != request->node) {
        *name = (struct request_name){true, request->layer, request->op,
                                      request->node, make_name(run, request)};
    }
    return name->name;
}

void ct_run_identify(struct ct_run *run, const struct ct_request *request)
{
    struct request_what what = {.name = name_of(run, request)};

    if (!request->range_unknown) {
        what.has_range = true;
        what.range = (struct ct_range){request->offset, request->bytes};
    }
    uint32_t number = ct_interned_get(&run->whats, &what);
    if (number == run->seen->len) {
        struct request_seen fresh = {0};
        if (what.has_range) {
            fresh.range =
                ct_interned_get(&run->shared->ranges, &what.range) + 1;
        }
        g_array_append_val(run->seen, fresh);
    }
    struct request_seen *seen =
        &g_array_index(run->seen, struct request_seen, number);
    struct identity identity = {
        .request = what.name, .range = seen->range, .nth = ++seen->n};
    if (request->number >= run->identities->len) {
        g_array_set_size(run->identities, (unsigned)request->number + 1);
    }
    g_array_index(run->identities, struct identity, request->number) = identity;
}
