/* SPDX-License-Identifier: MIT */
/*
 * merge.c - several streams of messages as one, by time
 *
 * filter.utils.muxer does this too, one message at a time through a queue of
 * its own, which is an eighth of what reading a trace costs.  A thread's events
 * come in bursts, so here a whole run is taken from the stream that is first,
 * up to where the second begins: a comparison a message, and the heap is put in
 * order again once a run.
 *
 * The heap holds the streams that have a message in hand, the first one on top.
 */
#include "source/merge.h"

#include <glib.h>
#include <stdbool.h>

struct stream {
    bt_message_iterator *iterator; /* owned */
    bt_message_array_const messages;
    int64_t *times_ns; /* of the messages */
    uint64_t n, at;
    uint64_t capacity;     /* of `times_ns` */
    const bt_stream *seen; /* weak, compared only: whose clock is known */
    bool has_clock;
    unsigned number;
};

struct ct_merge {
    GPtrArray *streams; /* struct stream, in the order of adding */
    unsigned filled;    /* of them, so many have been asked for messages */
    struct stream **heap;
    unsigned n_heap;
    bool is_used; /* the top's run was handed out */
};

static void free_stream(void *data)
{
    struct stream *stream = data;

    while (stream->at < stream->n) {
        bt_message_put_ref(stream->messages[stream->at++]);
    }
    bt_message_iterator_put_ref(stream->iterator);
    g_free(stream->times_ns);
    g_free(stream);
}

struct ct_merge *ct_merge_new(void)
{
    struct ct_merge *merge = g_new0(struct ct_merge, 1);

    merge->streams = g_ptr_array_new_with_free_func(free_stream);
    return merge;
}

void ct_merge_free(struct ct_merge *merge)
{
    if (!merge) {
        return;
    }
    g_ptr_array_unref(merge->streams);
    g_free(merge->heap);
    g_free(merge);
}

void ct_merge_add(struct ct_merge *merge, bt_message_iterator *iterator)
{
    struct stream *stream = g_new0(struct stream, 1);

    stream->iterator = iterator;
    stream->number = merge->streams->len;
    g_ptr_array_add(merge->streams, stream);
    merge->heap = g_renew(struct stream *, merge->heap, merge->streams->len);
}

/* --- times ---------------------------------------------------------------- */

static const bt_clock_snapshot *event_clock(struct stream *stream,
                                            const bt_message *message)
{
    const bt_stream *of = bt_event_borrow_stream_const(
        bt_message_event_borrow_event_const(message));

    if (G_UNLIKELY(of != stream->seen)) {
        stream->seen = of;
        stream->has_clock = bt_stream_class_borrow_default_clock_class_const(
                                bt_stream_borrow_class_const(of)) != NULL;
    }
    return stream->has_clock
               ? bt_message_event_borrow_default_clock_snapshot_const(message)
               : NULL;
}

static const bt_clock_snapshot *packet_begin_clock(const bt_message *message)
{
    const bt_stream_class *class =
        bt_stream_borrow_class_const(bt_packet_borrow_stream_const(
            bt_message_packet_beginning_borrow_packet_const(message)));

    return bt_stream_class_packets_have_beginning_default_clock_snapshot(class)
               ? bt_message_packet_beginning_borrow_default_clock_snapshot_const(
                     message)
               : NULL;
}

static const bt_clock_snapshot *packet_end_clock(const bt_message *message)
{
    const bt_stream_class *class =
        bt_stream_borrow_class_const(bt_packet_borrow_stream_const(
            bt_message_packet_end_borrow_packet_const(message)));

    return bt_stream_class_packets_have_end_default_clock_snapshot(class)
               ? bt_message_packet_end_borrow_default_clock_snapshot_const(
                     message)
               : NULL;
}

static const bt_clock_snapshot *lost_events_clock(const bt_message *message)
{
    const bt_stream_class *class = bt_stream_borrow_class_const(
        bt_message_discarded_events_borrow_stream_const(message));

    return bt_stream_class_discarded_events_have_default_clock_snapshots(class)
               ? bt_message_discarded_events_borrow_beginning_default_clock_snapshot_const(
                     message)
               : NULL;
}

static const bt_clock_snapshot *lost_packets_clock(const bt_message *message)
{
    const bt_stream_class *class = bt_stream_borrow_class_const(
        bt_message_discarded_packets_borrow_stream_const(message));

    return bt_stream_class_discarded_packets_have_default_clock_snapshots(class)
               ? bt_message_discarded_packets_borrow_beginning_default_clock_snapshot_const(
                     message)
               : NULL;
}

/* A clock that is not known is handed out all the same, with any value. */
static const bt_clock_snapshot *stream_begin_clock(const bt_message *message)
{
    const bt_clock_snapshot *clock;

    return bt_message_stream_beginning_borrow_stream_class_default_clock_class_const(
               message) &&
                   bt_message_stream_beginning_borrow_default_clock_snapshot_const(
                       message, &clock) ==
                       BT_MESSAGE_STREAM_CLOCK_SNAPSHOT_STATE_KNOWN
               ? clock
               : NULL;
}

static const bt_clock_snapshot *stream_end_clock(const bt_message *message)
{
    const bt_clock_snapshot *clock;

    return bt_message_stream_end_borrow_stream_class_default_clock_class_const(
               message) &&
                   bt_message_stream_end_borrow_default_clock_snapshot_const(
                       message, &clock) ==
                       BT_MESSAGE_STREAM_CLOCK_SNAPSHOT_STATE_KNOWN
               ? clock
               : NULL;
}

static const bt_clock_snapshot *clock_of(struct stream *stream,
                                         const bt_message *message)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_EVENT:
        return event_clock(stream, message);
    case BT_MESSAGE_TYPE_PACKET_BEGINNING:
        return packet_begin_clock(message);
    case BT_MESSAGE_TYPE_PACKET_END:
        return packet_end_clock(message);
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        return lost_events_clock(message);
    case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
        return lost_packets_clock(message);
    case BT_MESSAGE_TYPE_MESSAGE_ITERATOR_INACTIVITY:
        return bt_message_message_iterator_inactivity_borrow_clock_snapshot_const(
            message);
    case BT_MESSAGE_TYPE_STREAM_BEGINNING:
        return stream_begin_clock(message);
    case BT_MESSAGE_TYPE_STREAM_END:
        stream->seen = NULL; /* its address may be another's */
        return stream_end_clock(message);
    }
    return NULL;
}

static int64_t time_of(struct stream *stream, const bt_message *message)
{
    const bt_clock_snapshot *clock = clock_of(stream, message);
    int64_t when_ns;

    if (!clock || bt_clock_snapshot_get_ns_from_origin(clock, &when_ns) !=
                      BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK) {
        return CT_MERGE_NO_TIME;
    }
    return when_ns;
}

/* --- the heap ------------------------------------------------------------- */

static bool is_before(const struct stream *a, const struct stream *b)
{
    int64_t a_ns = a->times_ns[a->at];
    int64_t b_ns = b->times_ns[b->at];

    return a_ns < b_ns || (a_ns == b_ns && a->number < b->number);
}

static void sift_up(struct ct_merge *merge, unsigned at)
{
    struct stream *stream = merge->heap[at];

    while (at > 0 && is_before(stream, merge->heap[(at - 1) / 2])) {
        merge->heap[at] = merge->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    merge->heap[at] = stream;
}

/* The lesser of the two below; NULL: there is none. */
static struct stream *below(const struct ct_merge *merge, unsigned at,
                            unsigned *ret_at)
{
    unsigned left = 2 * at + 1;

    if (left >= merge->n_heap) {
        return NULL;
    }
    *ret_at = left + 1 < merge->n_heap &&
                      is_before(merge->heap[left + 1], merge->heap[left])
                  ? left + 1
                  : left;
    return merge->heap[*ret_at];
}

static void sift_down(struct ct_merge *merge)
{
    struct stream *stream = merge->heap[0];
    struct stream *lesser;
    unsigned at = 0;
    unsigned next;

    while ((lesser = below(merge, at, &next)) && is_before(lesser, stream)) {
        merge->heap[at] = lesser;
        at = next;
    }
    merge->heap[at] = stream;
}

/* --- messages ------------------------------------------------------------- */

/* OK: it has at least one message in hand. */
static bt_message_iterator_next_status fill(struct stream *stream)
{
    bt_message_iterator_next_status status;

    stream->at = stream->n = 0;
    do {
        status = bt_message_iterator_next(stream->iterator, &stream->messages,
                                          &stream->n);
        if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
            stream->n = 0;
            return status;
        }
    } while (stream->n == 0);
    if (stream->n > stream->capacity) {
        stream->capacity = stream->n;
        stream->times_ns = g_renew(int64_t, stream->times_ns, stream->capacity);
    }
    for (uint64_t i = 0; i < stream->n; i++) {
        stream->times_ns[i] = time_of(stream, stream->messages[i]);
    }
    return status;
}

/* Those that were never asked. */
static bt_message_iterator_next_status fill_all(struct ct_merge *merge)
{
    while (merge->filled < merge->streams->len) {
        struct stream *stream =
            g_ptr_array_index(merge->streams, merge->filled);
        bt_message_iterator_next_status status = fill(stream);

        if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
            merge->heap[merge->n_heap++] = stream;
            sift_up(merge, merge->n_heap - 1);
        } else if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
            return status;
        }
        merge->filled++;
    }
    return BT_MESSAGE_ITERATOR_NEXT_STATUS_OK;
}

/* The top gave a run away: it comes where its next message belongs. */
static bt_message_iterator_next_status settle(struct ct_merge *merge)
{
    struct stream *top = merge->heap[0];

    if (top->at == top->n) {
        bt_message_iterator_next_status status = fill(top);

        if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
            merge->heap[0] = merge->heap[--merge->n_heap];
        } else if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
            return status;
        }
    }
    merge->is_used = false;
    if (merge->n_heap > 0) {
        sift_down(merge);
    }
    return BT_MESSAGE_ITERATOR_NEXT_STATUS_OK;
}

/* How many of the top's messages nothing else comes before. */
static uint64_t run_length(const struct ct_merge *merge)
{
    const struct stream *top = merge->heap[0];
    unsigned at;
    const struct stream *second = below(merge, 0, &at);
    uint64_t end = top->at + 1;

    if (!second) {
        return top->n - top->at;
    }
    int64_t second_ns = second->times_ns[second->at];
    while (end < top->n && (top->times_ns[end] < second_ns ||
                            (top->times_ns[end] == second_ns &&
                             top->number < second->number))) {
        end++;
    }
    return end - top->at;
}

bt_message_iterator_next_status ct_merge_next(struct ct_merge *merge,
                                              struct ct_merge_run *ret_run)
{
    bt_message_iterator_next_status status = fill_all(merge);

    if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_OK && merge->is_used) {
        status = settle(merge);
    }
    if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
        return status;
    }
    if (merge->n_heap == 0) {
        return BT_MESSAGE_ITERATOR_NEXT_STATUS_END;
    }
    struct stream *top = merge->heap[0];
    *ret_run = (struct ct_merge_run){
        .messages = top->messages + top->at,
        .times_ns = top->times_ns + top->at,
        .n = run_length(merge),
    };
    top->at += ret_run->n;
    merge->is_used = true;
    return status;
}
