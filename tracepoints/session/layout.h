/* SPDX-License-Identifier: MIT */
/*
 * layout.h - how long an event in a stream is, from LTTng-UST's metadata
 *
 * Model:    understands the metadata that LTTng-UST writes, not all of TSDL:
 *           byte-aligned little-endian integers, floats, enumerations, strings,
 *           arrays and sequences behind the large event header.  Anything else
 *           is refused, never guessed.
 * Threads:  any; immutable after ct_layout_new().
 * Memory:   ct_layout_free().
 * Errors:   NULL, 0.
 * Depends:  libc only.
 */
#ifndef CT_SESSION_LAYOUT_H
#define CT_SESSION_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_layout;

/**
 * ct_layout_new() - understand a metadata stream
 * @bytes: packetised metadata as LTTng writes it, or plain text; borrowed for
 *         the call
 * Return: NULL if it is not understood.
 */
struct ct_layout *ct_layout_new(const void *bytes, size_t length);

void ct_layout_free(struct ct_layout *layout);

/** ct_layout_long_bytes() - size of `unsigned long` in the traced program */
unsigned ct_layout_long_bytes(const struct ct_layout *layout);

/**
 * ct_layout_event() - length of the event that starts at @bytes
 * @room:        bytes that there are
 * @stream_id:   of the packet
 * @ret_is_ours: the event is a program's, not LTTng's own
 * Return: 0 if it is unknown or does not fit.
 */
size_t ct_layout_event(const struct ct_layout *layout, uint32_t stream_id,
                       const uint8_t *bytes, size_t room, bool *ret_is_ours);

#endif
