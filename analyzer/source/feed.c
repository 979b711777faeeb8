/* SPDX-License-Identifier: MIT */
/*
 * feed.c - what is known of a trace's streams beside their messages
 */
#include "source/feed.h"

#include <stdio.h>

struct ct_feed *ct_feed_new(struct ct_consumer *const consumers[],
                            const struct ct_span *span)
{
    struct ct_feed *feed = g_new0(struct ct_feed, 1);

    feed->pass = ct_pass_new(consumers, span);
    feed->streams =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return feed;
}

void ct_feed_free(struct ct_feed *feed)
{
    if (!feed) {
        return;
    }
    g_hash_table_destroy(feed->streams);
    ct_pass_free(feed->pass);
    g_free(feed);
}

struct ct_feed_stream *ct_feed_stream(struct ct_feed *feed, const char *name)
{
    struct ct_feed_stream *stream = g_hash_table_lookup(feed->streams, name);

    if (!stream) {
        stream = g_new0(struct ct_feed_stream, 1);
        stream->number = g_hash_table_size(feed->streams);
        g_hash_table_insert(feed->streams, g_strdup(name), stream);
    }
    return stream;
}

void ct_feed_begin(struct ct_feed *feed)
{
    struct ct_record hole = {
        .kind = CT_RECORD_HOLE,
        .event = -1,
        .to_ns = CT_HOLE_TO_END,
        .lost = CT_LOST_UNKNOWN,
    };

    for (unsigned i = 0; i < feed->streams_lost + feed->names_lost; i++) {
        hole.stream = g_hash_table_size(feed->streams) + i;
        hole.only_names = i >= feed->streams_lost;
        hole.seq = feed->seq++;
        ct_pass_record(feed->pass, &hole);
    }
}

char *ct_stream_name(const uint8_t *uuid, uint64_t class, uint64_t stream)
{
    GString *name = g_string_new(NULL);

    for (unsigned i = 0; uuid && i < 16; i++) {
        g_string_append_printf(name, "%02x", uuid[i]);
    }
    g_string_append_printf(name, "/%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                           class, stream);
    return g_string_free(name, FALSE);
}
