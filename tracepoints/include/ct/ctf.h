/* SPDX-License-Identifier: MIT */
/*
 * ct/ctf.h - a trace's files as LTTng-UST writes them: which packets are whole
 *
 * Model:    metadata's text -> layout -> a walk over each stream file, from
 *           packet to packet; what lies between two whole packets, or behind
 *           the last, is damage.  A packet is whole if its head is this
 *           trace's, agrees with itself and its neighbours, and every event in
 *           it can be read.
 * Threads:  a layout: any, it is immutable; a walk: one.
 * Memory:   a layout is freed with ct_ctf_layout_free(), and outlives its
 *           walks; a walk is the caller's.
 * Errors:   a constant string: why metadata could not be read; -errno when a
 *           file can't be.  Nothing is printed.
 * Depends:  libc.
 */
#ifndef CT_CTF_H
#define CT_CTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * ct_ctf_text() - the text of a metadata file, in packets or plain
 * @ret_why: set on failure: what is wrong, "its metadata is cut short"
 *
 * Return: to be freed with g_free(); NULL: unreadable, cut short, or no
 * metadata.
 */
char *ct_ctf_text(const char *path, const char **ret_why);

struct ct_ctf_layout;

/**
 * ct_ctf_layout_read() - understand the text of a metadata file (TSDL)
 * @ret_why: set on failure: what is in it that we don't know, "a type that is
 *           not declared"
 *
 * Understands what LTTng-UST writes, in any byte order and alignment; anything
 * else is refused, never guessed.
 * Return: NULL: @ret_why.
 */
struct ct_ctf_layout *ct_ctf_layout_read(const char *text,
                                         const char **ret_why);
void ct_ctf_layout_free(struct ct_ctf_layout *layout);

/** ct_ctf_layout_uuid() - the trace's, 16 bytes, borrowed; NULL: it has none */
const uint8_t *ct_ctf_layout_uuid(const struct ct_ctf_layout *layout);

/** ct_ctf_layout_has_own() - may packets of this stream class have a program's
 * events?  false: the metadata says that there are none but LTTng's */
bool ct_ctf_layout_has_own(const struct ct_ctf_layout *layout,
                           uint64_t stream_id);

/**
 * ct_ctf_layout_respelled() - the metadata as libbabeltrace2 reads it, too
 * @text: that @layout was read from
 *
 * Return: to be freed with g_free(); NULL: @text is such metadata.
 */
char *ct_ctf_layout_respelled(const struct ct_ctf_layout *layout,
                              const char *text);

/** ct_ctf_layout_since_1970() - when the clock stood so, ns since 1970
 * Return: false: the metadata doesn't say. */
bool ct_ctf_layout_since_1970(const struct ct_ctf_layout *layout,
                              uint64_t clock, int64_t *ret_ns);

/** ct_ctf_layout_clock() - the clock at @ns since 1970: 0 before its zero,
 * UINT64_MAX if the metadata doesn't say */
uint64_t ct_ctf_layout_clock(const struct ct_ctf_layout *layout, int64_t ns);

/* Numbers of events. */
struct ct_ctf_events {
    uint64_t all;
    uint64_t own; /* a program's: names that don't begin with lttng_ust_ */
};

struct ct_ctf_packet {
    uint64_t offset; /* in the file */
    uint64_t bytes;
    uint64_t content_bits;
    uint64_t stream_id;
    uint64_t instance_id; /* (uint64_t)-1: the layout has none */
    uint64_t begin;       /* clock; 0: none */
    uint64_t end;
    uint64_t seq_num;
    uint64_t discarded; /* in the whole stream, so far */
    struct ct_ctf_events events;
};

enum ct_ctf_damage {
    CT_CTF_DAMAGE_NONE,
    CT_CTF_DAMAGE_CUT,    /* the file ends within a packet */
    CT_CTF_DAMAGE_ZEROS,  /* nothing but zeros to the end */
    CT_CTF_DAMAGE_PACKET, /* no packet, or one that contradicts itself */
    CT_CTF_DAMAGE_EMPTY,  /* no byte at all */
};

/* What a step passed over before the packet that it found, or the end. */
struct ct_ctf_skipped {
    enum ct_ctf_damage damage;
    uint64_t bytes;
    /* of them, packets with a head that can be believed and an event that
     * can't be read */
    uint64_t packet_bytes;
    struct ct_ctf_events events; /* before that event */
    uint64_t discarded;          /* as the last of these packets tells */
};

struct ct_ctf_walk {
    uint64_t size;                 /* of the file when the walk began */
    uint64_t until;                /* see ct_ctf_walk_until() */
    struct ct_ctf_packet packet;   /* that the last step found */
    struct ct_ctf_skipped skipped; /* by the last step */
    /* the walk's own */
    const struct ct_ctf_layout *layout;
    int fd;
    bool has_packet; /* that later ones must agree with */
    bool has_cut;    /* the file's first packet was cut, behind its head: */
    uint64_t cut_stream_id;
    bool is_beyond;  /* a packet with events began after `until` */
    uint64_t at;     /* where the next packet is looked for */
    uint8_t *buffer; /* a packet's content */
    size_t buffer_bytes;
};

/** ct_ctf_walk_begin() - over a stream file from its begin
 * @fd: borrowed
 * Return: 0; -errno: nothing to end. */
int ct_ctf_walk_begin(struct ct_ctf_walk *walk,
                      const struct ct_ctf_layout *layout, int fd);

/**
 * ct_ctf_walk_until() - of what is later only the heads are looked at
 * @clock: of the packets that begin after it, the events of the first that has
 *         any are checked; of the others a head that can be believed is enough,
 *         and their events are not counted
 *
 * To be called before the first step.
 */
void ct_ctf_walk_until(struct ct_ctf_walk *walk, uint64_t clock);

/**
 * ct_ctf_walk_step() - find the next whole packet
 * Return: 1: walk->packet; 0: none any more; -errno.  In every case
 * walk->skipped tells what was passed over.
 */
int ct_ctf_walk_step(struct ct_ctf_walk *walk);

void ct_ctf_walk_end(struct ct_ctf_walk *walk);

#endif
