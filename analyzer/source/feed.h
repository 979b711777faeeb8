/* SPDX-License-Identifier: MIT */
/*
 * source/feed.h - between a sink and its pass
 *
 * Model:    who checked the files tells what is missing of which stream; the
 *           sink numbers the streams and hands records over.
 * Threads:  one.
 * Memory:   owned by who made it; streams are named by ct_stream_name().
 * Errors:   none.
 * Depends:  pass.h.
 */
#ifndef CT_SOURCE_FEED_H
#define CT_SOURCE_FEED_H

#include <babeltrace2/babeltrace.h>

#include "pass.h"
#include "source/carry.h"

struct ct_feed_stream {
    uint32_t number;  /* in the trace, from 0 */
    int64_t zero_ns;  /* what 0 of its clock is since 1970 */
    uint64_t packets; /* begun */
    /* told by who checked the files */
    bool head_lost;      /* more was recorded before the first packet that */
    uint64_t head_clock; /* could be saved, which begins then */
    bool tail_lost;      /* more was recorded than could be saved */
    bool only_names;     /* see struct ct_record */
    uint64_t first_lost; /* lost in the first packet; 0: not known */
};

struct ct_feed {
    struct ct_pass *pass;
    GHashTable *streams; /* name (owned) -> struct ct_feed_stream (owned) */
    uint64_t seq;
    int64_t last_ns;
    uint64_t packets;      /* begun */
    unsigned streams_lost; /* nothing at all was saved of them */
    unsigned names_lost;   /* likewise, and they have only names */
    bool all_tails_lost;   /* of every stream: the recording was cut off */
    bool enough;           /* the pass wants no more */
    bool has_clock;
    bool needs_ids; /* an event without one is lost; a written trace may leave
                       out what is 0 */
    struct ct_carry_report report;                  /* once the graph has run */
    void (*progress)(uint64_t packets, void *data); /* NULL: none */
    void *data;
};

/** @span: of the trace, that consumers are told of; NULL: all */
struct ct_feed *ct_feed_new(struct ct_consumer *const consumers[],
                            const struct ct_span *span);
void ct_feed_free(struct ct_feed *feed);

/** ct_feed_stream() - by name; made when it is new */
struct ct_feed_stream *ct_feed_stream(struct ct_feed *feed, const char *name);

/** ct_feed_begin() - tell the pass of the streams that are lost, before the
 * first graph */
void ct_feed_begin(struct ct_feed *feed);

/**
 * ct_stream_name() - names a stream: who checks files and who reads messages
 * agree
 * @uuid:   of the trace, 16 bytes; NULL: none
 * @class:  stream class id
 * @stream: stream id; (uint64_t)-1: none
 * Return: to be freed by the caller.
 */
char *ct_stream_name(const uint8_t *uuid, uint64_t class, uint64_t stream);

/* What ct_sink_class() wants at initialization. */
struct ct_sink_input {
    struct ct_feed *feed;
    uint64_t streams; /* so many input ports, equal times by their order */
};

/** ct_sink_class() - a component class that merges streams into a feed */
const bt_component_class_sink *ct_sink_class(void);

#endif
