/* SPDX-License-Identifier: MIT */
/*
 * source/packets.h - the whole packets of a stream file
 *
 * Model:    a walk goes from packet to packet; what lies between two whole
 *           packets, or behind the last, is damage.
 * Threads:  one walk a thread.
 * Memory:   caller's.
 * Errors:   -errno when the file can't be read.
 * Depends:  source/layout.h.
 */
#ifndef CT_SOURCE_PACKETS_H
#define CT_SOURCE_PACKETS_H

#include "source/layout.h"

struct ct_packet {
    uint64_t offset; /* in the file */
    uint64_t bytes;
    uint64_t content_bits;
    uint64_t stream_id;
    uint64_t instance_id; /* (uint64_t)-1: the layout has none */
    uint64_t begin;       /* clock; 0: none */
    uint64_t end;
    uint64_t seq_num;
    uint64_t discarded;
};

enum ct_damage {
    CT_DAMAGE_NONE,
    CT_DAMAGE_CUT,    /* the file ends within a packet */
    CT_DAMAGE_ZEROS,  /* nothing but zeros to the end */
    CT_DAMAGE_PACKET, /* no packet, or one that contradicts itself */
    CT_DAMAGE_EMPTY,  /* no byte at all */
};

struct ct_walk {
    const struct ct_ctf_layout *layout;
    int fd;
    uint64_t size;           /* of the file when the walk began */
    uint64_t at;             /* where the next packet is looked for */
    struct ct_packet packet; /* that the last step found */
    bool has_packet;         /* ... and that later ones must agree with */
    uint8_t *buffer;         /* a packet's content */
    size_t buffer_bytes;
    /* what the last step skipped before the packet, or before the end */
    enum ct_damage damage;
    uint64_t skipped;
};

/** ct_walk_begin() - @fd is borrowed. Return: 0; -errno: nothing to end. */
int ct_walk_begin(struct ct_walk *walk, const struct ct_ctf_layout *layout,
                  int fd);

/**
 * ct_walk_step() - find the next whole packet
 * Return: 1: walk->packet; 0: none any more; -errno.  In every case
 * walk->damage and walk->skipped tell what was passed over.
 */
int ct_walk_step(struct ct_walk *walk);

void ct_walk_end(struct ct_walk *walk);

#endif
