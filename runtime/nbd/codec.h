/* SPDX-License-Identifier: MIT */
/*
 * codec.h - requests and replies of the transmission phase, as bytes
 *
 * Pure functions: no I/O, no state.
 */
#ifndef CT_NBD_CODEC_H
#define CT_NBD_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nbd/proto.h"

/* What a client may be told of an export; immutable while it is served. */
struct nbd_export_info {
    const char *name;
    const char *description; /* NULL: none */
    uint64_t bytes;
    uint32_t preferred_bytes; /* of a request, for speed */
    uint16_t flags;           /* NBD_FLAG_*, but DF */
};

/* What a connection's two sides have agreed on. */
struct nbd_terms {
    bool is_structured;
    bool has_allocation; /* the context base:allocation */
};

/* The one context that we have; its id is ours to choose. */
#define NBD_BASE_ALLOCATION    "base:allocation"
#define NBD_BASE_ALLOCATION_ID UINT32_C(1)

struct nbd_command {
    uint16_t flags;
    uint16_t type;
    uint64_t cookie;
    uint64_t offset;
    uint32_t bytes;
};

/** nbd_command_decode() - Return: false: that is no request */
bool nbd_command_decode(const uint8_t head[NBD_REQUEST_BYTES],
                        struct nbd_command *ret_command);

/**
 * nbd_command_check() - may this be asked?
 * Return: 0; the -errno to answer with
 */
int nbd_command_check(const struct nbd_command *command,
                      const struct nbd_export_info *info,
                      const struct nbd_terms *terms);

/** nbd_error_of() - how the protocol says -errno; what it lacks is EIO */
enum nbd_error nbd_error_of(int ret);

/* Room for the head of any reply: a chunk's, and an offset or an error. */
#define NBD_REPLY_HEAD_BYTES_MAX (NBD_CHUNK_BYTES + 8)

/**
 * nbd_reply_encode() - the head of the one reply to a command
 * @ret:     0, or -errno
 * @payload_bytes: what follows the head, if @ret is 0
 *
 * Return: bytes of the head
 */
size_t nbd_reply_encode(uint8_t head[NBD_REPLY_HEAD_BYTES_MAX],
                        const struct nbd_command *command,
                        const struct nbd_terms *terms, int ret,
                        size_t payload_bytes);

#endif
