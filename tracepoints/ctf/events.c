/* SPDX-License-Identifier: MIT */
/*
 * events.c - can every event of a packet be read?
 *
 * Passes over a packet's bytes by the programs that ops.c made: some ten
 * instructions an event.  Whatever gets through here, source.ctf.fs reads
 * without an error: events that are whole, known, and in order of time within
 * their packet's.
 *
 * A position is passed by value and is never behind the packet's end; NOWHERE
 * is behind every end, and says that what was to be read does not fit.
 */
#include "layout.h"

#define NOWHERE SIZE_MAX

/* What is the same for all events. */
struct packet {
    const struct ct_ctf_layout *layout;
    const struct ct_ctf_stream *stream;
    const uint8_t *v;
    size_t n;
};

/* An event's head. */
struct head {
    uint64_t id;
    uint64_t clock; /* before: of the event before */
};

static inline size_t skip(const struct packet *packet, size_t at, uint64_t n)
{
    return n > packet->n - at ? NOWHERE : at + (size_t)n;
}

/* @n: a power of two */
static inline size_t align(const struct packet *packet, size_t at, unsigned n)
{
    return skip(packet, at, -at & (n - 1));
}

/* The number at *at, which goes on behind it; 0 and NOWHERE if it can't. */
static inline uint64_t number(const struct packet *packet, size_t *at,
                              unsigned bytes)
{
    size_t from = *at;

    if (from == NOWHERE) {
        return 0;
    }
    *at = skip(packet, from, bytes);
    return *at == NOWHERE
               ? 0
               : ct_ctf_layout_number(packet->layout, packet->v + from, bytes);
}

static size_t string(const struct packet *packet, size_t at)
{
    const uint8_t *end = memchr(packet->v + at, '\0', packet->n - at);

    return end ? (size_t)(end - packet->v) + 1 : NOWHERE;
}

/* Behind the ops, from where the first fixed bytes end. */
static size_t run(const struct packet *packet, const struct ct_ctf_event *event,
                  size_t at)
{
    uint64_t registers[CT_OP_REGISTERS] = {0};

    for (unsigned i = 0; i < event->n_ops && at != NOWHERE; i++) {
        const struct ct_op *op = &event->ops[i];
        uint64_t *reg = &registers[op->reg];

        switch ((enum ct_op_kind)op->kind) {
        case CT_OP_FIXED:
            at = skip(packet, at, op->n);
            break;
        case CT_OP_ALIGN:
            at = align(packet, at, op->n);
            break;
        case CT_OP_LENGTH:
            *reg = number(packet, &at, op->n);
            at = *reg > CT_LAYOUT_ITEMS_MAX ? NOWHERE : at;
            break;
        case CT_OP_ITEMS:
            at = skip(packet, at, *reg * op->n);
            break;
        case CT_OP_STRING:
            at = string(packet, at);
            break;
        default:
            at = NOWHERE;
        }
    }
    return at;
}

/* A time of which only the lowest bits are told: the next one with them. */
static inline uint64_t next_clock(uint64_t clock, uint64_t low, unsigned bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint64_t next = (clock & ~mask) | low;

    return next < clock ? next + mask + 1 : next;
}

/* Behind the short form's "what follows is the long form". */
static size_t long_head(const struct packet *packet, size_t at,
                        struct head *head)
{
    const struct ct_ctf_layout *layout = packet->layout;
    unsigned align_both = layout->align_id > layout->align_clock
                              ? layout->align_id
                              : layout->align_clock;
    uint64_t clock;

    at = align(packet, at, align_both);
    head->id = number(packet, &at, 4);
    if (at == NOWHERE) {
        return NOWHERE;
    }
    at = align(packet, at, layout->align_clock);
    clock = number(packet, &at, 8);
    if (clock < head->clock) {
        return NOWHERE;
    }
    head->clock = clock;
    return at;
}

static inline size_t compact_head(const struct packet *packet, size_t at,
                                  struct head *head)
{
    bool big_endian = packet->layout->big_endian;
    uint64_t word;
    uint8_t first;

    if (at == packet->n) {
        return NOWHERE;
    }
    first = packet->v[at];
    head->id = big_endian ? first >> 3 : first & 31;
    if (head->id == 31) {
        return long_head(packet, at + 1, head);
    }
    word = number(packet, &at, 4);
    head->clock =
        next_clock(head->clock, big_endian ? word & 0x7ffffff : word >> 5, 27);
    return at;
}

static inline size_t large_head(const struct packet *packet, size_t at,
                                struct head *head)
{
    uint64_t low;

    head->id = number(packet, &at, 2);
    if (at == NOWHERE) {
        return NOWHERE;
    }
    if (head->id == UINT16_MAX) {
        return long_head(packet, at, head);
    }
    at = align(packet, at, packet->layout->align_id);
    low = number(packet, &at, 4);
    head->clock = next_clock(head->clock, low, 32);
    return at;
}

/* The event whose head lies here, and what is behind it; NULL: no such. */
static inline const struct ct_ctf_event *event_at(const struct packet *packet,
                                                  size_t *at, struct head *head)
{
    const struct ct_ctf_stream *stream = packet->stream;

    *at = align(packet, *at, stream->head_align);
    if (*at != NOWHERE) {
        *at = stream->head == CT_EVENT_HEAD_COMPACT
                  ? compact_head(packet, *at, head)
                  : large_head(packet, *at, head);
    }
    return *at != NOWHERE && head->id < stream->n_events &&
                   stream->events[head->id].is_there
               ? &stream->events[head->id]
               : NULL;
}

bool ct_ctf_layout_check_events(const struct ct_ctf_layout *layout,
                                const struct ct_ctf_stream *stream,
                                const uint8_t *packet, size_t bytes,
                                uint64_t begin, uint64_t end,
                                struct ct_ctf_events *ret_events)
{
    const struct packet all = {layout, stream, packet, bytes};
    struct ct_ctf_events events = {0};
    struct head head = {.clock = begin};
    size_t at = layout->bytes;

    while (at < bytes) {
        const struct ct_ctf_event *event = event_at(&all, &at, &head);

        if (!event || head.clock > end) {
            at = NOWHERE;
            break;
        }
        at = skip(&all, at, event->first_bytes);
        if (at != NOWHERE && event->n_ops > 0) {
            at = run(&all, event, at);
        }
        events.all += at != NOWHERE;
        events.own += at != NOWHERE && event->is_own;
    }
    *ret_events = events;
    return at == bytes;
}
