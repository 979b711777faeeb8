/* SPDX-License-Identifier: MIT */
/*
 * events.c - can every event of a packet be read?
 *
 * Passes over a packet's bytes by the programs that layout.c made: some
 * nanoseconds an event, a few per cent of what reading it costs.  Whatever
 * gets through here, source.ctf.fs reads without an error: events that are
 * whole, known, and in order of time within their packet's.
 */
#include "source/layout.h"

#include <string.h>

struct position {
    const struct ct_ctf_layout *layout;
    const uint8_t *packet;
    size_t bytes;
    size_t at;
    uint64_t clock;
    uint64_t registers[CT_OP_REGISTERS];
};

static bool skip(struct position *position, uint64_t n)
{
    if (n > position->bytes - position->at) {
        return false;
    }
    position->at += (size_t)n;
    return true;
}

/* @n: a power of two */
static bool align(struct position *position, unsigned n)
{
    return skip(position, -position->at & (n - 1));
}

static bool number(struct position *position, unsigned bytes,
                   uint64_t *ret_value)
{
    if (bytes > position->bytes - position->at) {
        return false;
    }
    *ret_value = ct_ctf_layout_number(position->layout,
                                      position->packet + position->at, bytes);
    position->at += bytes;
    return true;
}

static bool string(struct position *position)
{
    const uint8_t *from = position->packet + position->at;
    const uint8_t *end = memchr(from, '\0', position->bytes - position->at);

    if (!end) {
        return false;
    }
    position->at += (size_t)(end - from) + 1;
    return true;
}

static bool run(struct position *position, const struct ct_ops *ops)
{
    for (unsigned i = 0; i < ops->n; i++) {
        const struct ct_op *op = &ops->v[i];
        uint64_t *reg = &position->registers[op->reg];
        bool good = false;

        switch ((enum ct_op_kind)op->kind) {
        case CT_OP_FIXED:
            good = skip(position, op->n);
            break;
        case CT_OP_ALIGN:
            good = align(position, op->n);
            break;
        case CT_OP_LENGTH:
            good = number(position, op->n, reg) && *reg <= CT_LAYOUT_ITEMS_MAX;
            break;
        case CT_OP_ITEMS:
            good = skip(position, *reg * op->n);
            break;
        case CT_OP_STRING:
            good = string(position);
            break;
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

/* A time of which only the lowest bits are told: the next one with them. */
static void move_clock(struct position *position, uint64_t low, unsigned bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint64_t clock = (position->clock & ~mask) | low;

    position->clock = clock < position->clock ? clock + mask + 1 : clock;
}

/* Behind the short form's "what follows is the long form". */
static bool long_head(struct position *position, uint64_t *ret_id)
{
    const struct ct_ctf_layout *layout = position->layout;
    uint64_t clock;
    unsigned align_both = layout->align_id > layout->align_clock
                              ? layout->align_id
                              : layout->align_clock;

    if (!align(position, align_both) || !number(position, 4, ret_id) ||
        !align(position, layout->align_clock) || !number(position, 8, &clock) ||
        clock < position->clock) {
        return false;
    }
    position->clock = clock;
    return true;
}

static bool compact_head(struct position *position, uint64_t *ret_id)
{
    bool big_endian = position->layout->big_endian;
    uint64_t first;
    uint64_t word;

    if (position->at == position->bytes) {
        return false;
    }
    first = position->packet[position->at];
    *ret_id = big_endian ? first >> 3 : first & 31;
    if (*ret_id == 31) {
        position->at++;
        return long_head(position, ret_id);
    }
    if (!number(position, 4, &word)) {
        return false;
    }
    move_clock(position, big_endian ? word & 0x7ffffff : word >> 5, 27);
    return true;
}

static bool large_head(struct position *position, uint64_t *ret_id)
{
    uint64_t low;

    if (!number(position, 2, ret_id)) {
        return false;
    }
    if (*ret_id == UINT16_MAX) {
        return long_head(position, ret_id);
    }
    if (!align(position, position->layout->align_id) ||
        !number(position, 4, &low)) {
        return false;
    }
    move_clock(position, low, 32);
    return true;
}

bool ct_ctf_layout_check_events(const struct ct_ctf_layout *layout,
                                const struct ct_ctf_layout_stream *stream,
                                const uint8_t *packet, size_t bytes,
                                uint64_t begin, uint64_t end)
{
    struct position position = {
        .layout = layout,
        .packet = packet,
        .bytes = bytes,
        .at = layout->bytes,
        .clock = begin,
    };

    while (position.at < bytes) {
        uint64_t id;

        if (!align(&position, stream->head_align) ||
            !(stream->head == CT_EVENT_HEAD_COMPACT
                  ? compact_head(&position, &id)
                  : large_head(&position, &id)) ||
            id >= stream->n_events || !stream->events[id].v ||
            position.clock > end || !run(&position, &stream->context) ||
            !run(&position, &stream->events[id])) {
            return false;
        }
    }
    return position.at == bytes;
}
