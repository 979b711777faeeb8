/* SPDX-License-Identifier: MIT */
/*
 * source/feed.h - what a sink hands to its pass, over one graph or several
 *
 * Model:    a feed belongs to a pass.  One graph is the rule; when a damaged
 *           packet stopped one in the middle, another graph over a repaired
 *           view begins again, and the feed skips what the pass already has.
 * Threads:  one.
 * Memory:   owned by who made it; streams are named by ct_stream_name().
 * Errors:   none.
 * Depends:  pass.h.
 */
#ifndef CT_SOURCE_FEED_H
#define CT_SOURCE_FEED_H

#include <babeltrace2/babeltrace.h>

#include "pass.h"

struct ct_feed_stream {
    uint32_t number; /* in the trace, from 0 */
    int64_t zero_ns; /* what 0 of its clock is since 1970 */
    /* in this graph */
    uint64_t events;
    uint64_t holes;
    uint64_t packets;       /* begun */
    uint64_t events_before; /* `events` when the open packet began */
    uint64_t holes_before;  /* `holes` when the packet before it ended */
    /* that the pass has from graphs before this one */
    uint64_t had_events;
    uint64_t had_holes;
    /* told by who checked the files */
    bool tail_lost;      /* more was recorded than could be saved */
    uint64_t first_lost; /* lost in the first packet; 0: not known */
};

struct ct_feed {
    struct ct_pass *pass;
    GHashTable *streams; /* name (owned) -> struct ct_feed_stream (owned) */
    uint64_t seq;
    int64_t last_ns;
    uint64_t packets;      /* begun, in all graphs */
    unsigned streams_lost; /* nothing at all was saved of them */
    bool all_tails_lost;   /* of every stream: the recording was cut off */
    bool enough;           /* the pass wants no more */
    bool has_clock;
    void (*progress)(uint64_t packets, void *data); /* NULL: none */
    void *data;
};

struct ct_feed *ct_feed_new(struct ct_consumer *const consumers[]);
void ct_feed_free(struct ct_feed *feed);

/** ct_feed_stream() - by name; made when it is new */
struct ct_feed_stream *ct_feed_stream(struct ct_feed *feed, const char *name);

/** ct_feed_begin() - tell the pass of the streams that are lost, before the
 * first graph */
void ct_feed_begin(struct ct_feed *feed);

/**
 * ct_feed_again() - another graph begins, over a view without some packets
 *
 * Every stream is read from its start again: what the pass has of it will be
 * skipped.  Then tell of each removed packet with ct_feed_removed().
 */
void ct_feed_again(struct ct_feed *feed);

/**
 * ct_feed_removed() - a packet is no longer in the view
 * @packet: its number in the stream, as it was read so far
 *
 * Of the packet that was being read, the pass has some events already; they
 * don't come again.
 */
void ct_feed_removed(struct ct_feed *feed, const char *name, uint64_t packet);

/**
 * ct_stream_name() - names a stream over all graphs that read it
 * @uuid:   of the trace, 16 bytes; NULL: none
 * @class:  stream class id
 * @stream: stream id; (uint64_t)-1: none
 * Return: to be freed by the caller.
 */
char *ct_stream_name(const uint8_t *uuid, uint64_t class, uint64_t stream);

/** ct_sink_class() - a component class whose data at initialization is a feed
 */
const bt_component_class_sink *ct_sink_class(void);

#endif
