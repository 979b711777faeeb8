/* SPDX-License-Identifier: MIT */
/*
 * held.c - rows that leave in the order in which they were announced
 *
 * Places are a ring: `first` is the oldest that has not left, `next` the one
 * that will be announced.  The usual row finds its place at the front and
 * leaves at once, without being copied.
 */
#include "out/held.h"

#include "ct/pre.h"

struct place {
    uint64_t position; /* of the row in the spool */
    uint32_t length;
    bool is_put;
};

struct ct_held {
    ct_held_leave *leave;
    void *data;
    struct place *ring;
    uint64_t size; /* a power of two */
    uint64_t first;
    uint64_t next;
    struct ct_spool *spool;
    char *row; /* read back */
    size_t row_size;
};

struct ct_held *ct_held_new(ct_held_leave *leave, void *data)
{
    struct ct_held *held = g_new0(struct ct_held, 1);

    held->leave = leave;
    held->data = data;
    held->size = 64;
    held->ring = g_new(struct place, held->size);
    held->spool = ct_spool_new(NULL);
    return held;
}

void ct_held_free(struct ct_held *held)
{
    if (held) {
        ct_spool_free(held->spool);
        g_free(held->ring);
        g_free(held->row);
        g_free(held);
    }
}

static struct place *at(struct ct_held *held, uint64_t place)
{
    return &held->ring[place & (held->size - 1)];
}

static void grow(struct ct_held *held)
{
    struct place *old = held->ring;
    uint64_t old_size = held->size;

    held->size *= 2;
    held->ring = g_new(struct place, held->size);
    for (uint64_t place = held->first; place < held->next; place++) {
        *at(held, place) = old[place & (old_size - 1)];
    }
    g_free(old);
}

uint64_t ct_held_announce(struct ct_held *held)
{
    if (held->next - held->first == held->size) {
        grow(held);
    }
    *at(held, held->next) = (struct place){.is_put = false};
    return held->next++;
}

static void leave(struct ct_held *held, const struct place *place)
{
    if (!place->length) {
        return;
    }
    if (place->length > held->row_size) {
        held->row_size = (size_t)place->length * 2;
        g_free(held->row);
        held->row = g_malloc(held->row_size);
    }
    if (ct_spool_read(held->spool, place->position, held->row, place->length)) {
        held->leave(held->data, held->row, place->length);
    }
}

void ct_held_put(struct ct_held *held, uint64_t place, const char *row,
                 size_t length)
{
    ct_pre("held-put/announced", place >= held->first && place < held->next);
    ct_pre("held-put/once", !at(held, place)->is_put);
    ct_pre("held-put/length", length <= UINT32_MAX / 2);
    if (place != held->first) {
        struct place *waits = at(held, place);

        waits->is_put = true;
        waits->length = (uint32_t)length;
        waits->position = ct_spool_append(held->spool, row, length);
        return;
    }
    if (length) {
        held->leave(held->data, row, length);
    }
    held->first++;
    while (held->first < held->next && at(held, held->first)->is_put) {
        leave(held, at(held, held->first));
        held->first++;
    }
    if (held->first == held->next) {
        ct_spool_clear(held->spool);
    }
}

bool ct_held_error(const struct ct_held *held, GError **error)
{
    return ct_spool_error(held->spool, error);
}
