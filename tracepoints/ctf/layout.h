/* SPDX-License-Identifier: MIT */
/*
 * layout.h - how the packets of a CTF trace are laid out
 *
 * Model:    read once from a trace's metadata; then any packet can be checked
 *           without libbabeltrace2: its head, and every event in it.
 * Threads:  any; immutable after reading.
 * Memory:   ct_ctf_layout_free().
 * Errors:   see ct/ctf.h.
 * Depends:  ct/bytes.h, ct/ctf.h.
 */
#ifndef CT_CTF_LAYOUT_H
#define CT_CTF_LAYOUT_H

#include <string.h>

#include "ct/bytes.h"
#include "ct/ctf.h"

#define CT_LITTLE_ENDIAN      (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define CT_LAYOUT_STREAMS_MAX 64
#define CT_LAYOUT_BYTES_MAX   512      /* of a packet's head */
#define CT_LAYOUT_EVENTS_MAX  0x100000 /* ids, over all stream classes */
#define CT_LAYOUT_ITEMS_MAX   16384    /* of an array in an event */

/* --- a packet's head ----------------------------------------------------- */

enum ct_head_field {
    CT_HEAD_MAGIC,
    CT_HEAD_UUID,
    CT_HEAD_STREAM_ID,
    CT_HEAD_INSTANCE_ID,
    CT_HEAD_BEGIN,
    CT_HEAD_END,
    CT_HEAD_CONTENT_SIZE,
    CT_HEAD_PACKET_SIZE,
    CT_HEAD_SEQ_NUM,
    CT_HEAD_DISCARDED,
    CT_HEAD_FIELDS,
};

/* --- an event's bytes: a small program ----------------------------------- */

enum ct_op_kind {
    CT_OP_FIXED,  /* n bytes, whatever they are */
    CT_OP_ALIGN,  /* to n bytes, a power of two, from the packet's begin */
    CT_OP_LENGTH, /* an unsigned number of n bytes, kept in register `reg` */
    CT_OP_ITEMS,  /* n bytes, as many times as the register says */
    CT_OP_STRING, /* up to and with a NUL */
};

struct ct_op {
    uint8_t kind; /* enum ct_op_kind */
    uint8_t reg;
    uint16_t n;
};

#define CT_OP_REGISTERS 16

/* The contexts' and fields' bytes, all that follows the event's head. */
struct ct_ctf_event {
    struct ct_op *ops; /* NULL: none behind the first bytes */
    uint16_t n_ops;
    uint16_t first_bytes; /* fixed, before the first op */
    bool is_there;        /* the stream has such an event */
    bool is_own;          /* a program's, see struct ct_ctf_events */
};

enum ct_event_head {
    CT_EVENT_HEAD_COMPACT, /* 5 bits of id, 27 of time */
    CT_EVENT_HEAD_LARGE,   /* 16 bits of id, 32 of time */
};

struct ct_ctf_stream {
    uint64_t id;
    bool is_there; /* not only mentioned by its events */
    enum ct_event_head head;
    unsigned head_align;         /* bytes, of every event */
    struct ct_ctf_event *events; /* by event id */
    unsigned n_events;
};

struct ct_ctf_clock {
    bool is_known;     /* else nobody knows when its zero was */
    bool is_respelled; /* by ct_ctf_layout_respelled() */
    int64_t zero_ns;   /* since 1970; the clock counts nanoseconds */
    size_t text_at;    /* where the metadata says it */
    size_t text_end;
};

struct ct_ctf_layout {
    struct {
        uint16_t offset;
        uint16_t bytes; /* 0: there is no such field */
    } fields[CT_HEAD_FIELDS];
    unsigned bytes; /* of a packet's head */
    bool big_endian;
    bool has_uuid;
    uint8_t uuid[16];
    struct ct_ctf_clock clock;
    unsigned n_clocks;
    unsigned align_id;    /* bytes, of the long form of an event's id */
    unsigned align_clock; /* ... and time */
    struct ct_ctf_stream streams[CT_LAYOUT_STREAMS_MAX];
    unsigned n_streams;
};

/** ct_ctf_layout_stream() - by id; NULL: there is none */
const struct ct_ctf_stream *ct_ctf_layout_stream(
    const struct ct_ctf_layout *layout, uint64_t id);

/** ct_ctf_layout_number() - an unsigned number of up to 8 bytes */
static inline uint64_t ct_ctf_layout_number(const struct ct_ctf_layout *layout,
                                            const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    if (!layout->big_endian && CT_LITTLE_ENDIAN && bytes <= sizeof(value)) {
        memcpy(&value, at, bytes);
        return value;
    }
    return ct_bytes_get(at, bytes, layout->big_endian);
}

/** ct_ctf_layout_head() - a field of a packet's head; 0 if there is none */
static inline uint64_t ct_ctf_layout_head(const struct ct_ctf_layout *layout,
                                          const uint8_t *packet,
                                          enum ct_head_field field)
{
    return ct_ctf_layout_number(layout, packet + layout->fields[field].offset,
                                layout->fields[field].bytes);
}

/**
 * ct_ctf_layout_check_events() - can every event of a packet be read?
 * @stream:     that the packet belongs to
 * @packet:     its content, from its first byte
 * @bytes:      of the content
 * @begin:      of its clock
 * @end:        likewise
 * @ret_events: set in any case: those that can be read, up to the first that
 *              can't
 *
 * Whole events up to the end of the content, known ids, times that don't
 * decrease and lie between @begin and @end.
 */
bool ct_ctf_layout_check_events(const struct ct_ctf_layout *layout,
                                const struct ct_ctf_stream *stream,
                                const uint8_t *packet, size_t bytes,
                                uint64_t begin, uint64_t end,
                                struct ct_ctf_events *ret_events);

#endif
