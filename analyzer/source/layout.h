/* SPDX-License-Identifier: MIT */
/*
 * source/layout.h - where a CTF packet says what it is
 *
 * Model:    read once from a trace's metadata; then any packet's header and
 *           context can be read from its first `bytes` bytes.
 * Threads:  any; immutable after reading.
 * Memory:   caller's.
 * Errors:   false: a layout that we don't know, which is no damage: LTTng's
 *           is known, whatever its version.
 * Depends:  libc.
 */
#ifndef CT_SOURCE_LAYOUT_H
#define CT_SOURCE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_LAYOUT_STREAMS_MAX 64
#define CT_LAYOUT_BYTES_MAX   512

enum ct_layout_field {
    CT_LAYOUT_MAGIC,
    CT_LAYOUT_UUID,
    CT_LAYOUT_STREAM_ID,
    CT_LAYOUT_INSTANCE_ID,
    CT_LAYOUT_BEGIN,
    CT_LAYOUT_END,
    CT_LAYOUT_CONTENT_SIZE,
    CT_LAYOUT_PACKET_SIZE,
    CT_LAYOUT_SEQ_NUM,
    CT_LAYOUT_DISCARDED,
    CT_LAYOUT_FIELDS,
};

struct ct_layout {
    struct {
        uint16_t offset;
        uint16_t bytes; /* 0: there is no such field */
    } fields[CT_LAYOUT_FIELDS];
    unsigned bytes; /* of header and context together */
    bool big_endian;
    bool has_uuid;
    uint8_t uuid[16];
    uint64_t streams[CT_LAYOUT_STREAMS_MAX]; /* known stream class ids */
    unsigned n_streams;
};

/** ct_layout_read() - from the text of a metadata file
 * @text: TSDL, NUL-terminated */
bool ct_layout_read(const char *text, struct ct_layout *ret_layout);

/**
 * ct_metadata_text() - the text of a metadata file, packetized or not
 * Return: to be freed by the caller; NULL: unreadable or cut short, *ret_why is
 * a constant string.
 */
char *ct_metadata_text(const char *path, const char **ret_why);

/** ct_layout_get() - a field of a packet; 0 if the layout has none
 * @packet: its first layout->bytes bytes */
uint64_t ct_layout_get(const struct ct_layout *layout, const uint8_t *packet,
                       enum ct_layout_field field);

#endif
