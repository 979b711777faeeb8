/* SPDX-License-Identifier: MIT */
/*
 * sink.c - babeltrace2's messages and lost counts become records
 *
 * One sink component feeds one pass.  Everything that a message says of lost
 * events becomes a hole: `discarded events` with a count, `discarded packets`
 * without, a stream that could be saved only in part ends in one.
 *
 * Invariant: a record's time never goes back.
 */
#include "ct/sink.h"

#include "ct/trace.h"
#include "source/carry.h"
#include "source/feed.h"
#include "source/merge.h"

/* Streams whose feed entry is found without looking it up by name. */
#define CACHE_SIZE 64

struct cached {
    const bt_stream *stream; /* weak: compared with streams of messages, each
                                of which is alive until its end */
    struct ct_feed_stream *entry;
};

struct sink {
    struct ct_feed *feed; /* owned if own_feed */
    bool own_feed;
    struct ct_sink_options options; /* own_feed */
    bool told;                      /* options.finished has been called */
    struct ct_carry *carry;
    struct ct_merge *merge;
    struct cached cache[CACHE_SIZE];
    struct ct_record record; /* reused; only its head is set anew */
};

/* --- streams -------------------------------------------------------------- */

static struct ct_feed_stream *look_up(struct sink *sink,
                                      const bt_stream *stream)
{
    const bt_trace *trace = bt_stream_borrow_trace_const(stream);
    char *name = ct_stream_name(
        bt_trace_get_uuid(trace),
        bt_stream_class_get_id(bt_stream_borrow_class_const(stream)),
        bt_stream_get_id(stream));
    struct ct_feed_stream *entry = ct_feed_stream(sink->feed, name);

    g_free(name);
    return entry;
}

static struct ct_feed_stream *stream_of(struct sink *sink,
                                        const bt_stream *stream)
{
    struct cached *place = &sink->cache[((uintptr_t)stream >> 5) % CACHE_SIZE];

    if (G_UNLIKELY(place->stream != stream)) {
        place->stream = stream;
        place->entry = look_up(sink, stream);
    }
    return place->entry;
}

static void stream_ended(struct sink *sink, const bt_stream *stream)
{
    struct cached *place = &sink->cache[((uintptr_t)stream >> 5) % CACHE_SIZE];

    if (place->stream == stream) {
        place->stream = NULL;
    }
}

/* --- times ---------------------------------------------------------------- */

/* Never less than what came before; without a clock 0. */
static int64_t reach(struct sink *sink, int64_t when_ns)
{
    struct ct_feed *feed = sink->feed;

    if (when_ns != CT_MERGE_NO_TIME) {
        feed->has_clock = true;
        feed->last_ns = MAX(feed->last_ns, when_ns);
    }
    return feed->last_ns;
}

/* Since 1970; 0 without a clock. */
static int64_t clock_at(const bt_stream *stream, uint64_t cycles)
{
    const bt_clock_class *clock =
        bt_stream_class_borrow_default_clock_class_const(
            bt_stream_borrow_class_const(stream));
    int64_t when_ns = 0;

    if (!clock ||
        bt_clock_class_cycles_to_ns_from_origin(clock, cycles, &when_ns) !=
            BT_CLOCK_CLASS_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK) {
        return 0;
    }
    return when_ns;
}

/* --- messages ------------------------------------------------------------- */

static void hand_over(struct sink *sink, struct ct_feed_stream *entry)
{
    struct ct_feed *feed = sink->feed;

    sink->record.seq = feed->seq++;
    sink->record.stream = entry->number;
    sink->record.only_names = entry->only_names;
    sink->record.has_clock = feed->has_clock;
    sink->record.zero_ns = entry->zero_ns;
    if (!ct_pass_record(feed->pass, &sink->record)) {
        feed->enough = true;
    }
}

static void take_event(struct sink *sink, const bt_message *message,
                       int64_t when_ns)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    struct ct_feed_stream *entry =
        stream_of(sink, bt_event_borrow_stream_const(event));

    sink->record.when_ns = reach(sink, when_ns);
    if (!ct_carry_read(sink->carry, event, &sink->record) &&
        sink->feed->needs_ids) {
        /* Something happened, and to whom can't be said. */
        sink->record.kind = CT_RECORD_HOLE;
        sink->record.to_ns = sink->record.when_ns;
        sink->record.lost = 1;
    }
    hand_over(sink, entry);
}

static void take_hole(struct sink *sink, const bt_stream *stream,
                      int64_t from_ns, const bt_clock_snapshot *to,
                      uint64_t lost)
{
    struct ct_feed_stream *entry = stream_of(sink, stream);
    int64_t to_ns;

    if (lost == CT_LOST_UNKNOWN && entry->packets == 0 &&
        entry->first_lost > 0) {
        lost = entry->first_lost;
    }
    sink->record.kind = CT_RECORD_HOLE;
    sink->record.when_ns = reach(sink, from_ns);
    if (!to || bt_clock_snapshot_get_ns_from_origin(to, &to_ns) !=
                   BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK) {
        to_ns = sink->record.when_ns;
    }
    sink->record.to_ns = MAX(to_ns, sink->record.when_ns);
    sink->record.lost = lost;
    hand_over(sink, entry);
}

static void take_discarded_events(struct sink *sink, const bt_message *message,
                                  int64_t from_ns)
{
    const bt_stream *stream =
        bt_message_discarded_events_borrow_stream_const(message);
    const bt_clock_snapshot *to = NULL;
    uint64_t lost;

    if (bt_stream_class_discarded_events_have_default_clock_snapshots(
            bt_stream_borrow_class_const(stream))) {
        to =
            bt_message_discarded_events_borrow_end_default_clock_snapshot_const(
                message);
    }
    if (bt_message_discarded_events_get_count(message, &lost) !=
        BT_PROPERTY_AVAILABILITY_AVAILABLE) {
        lost = CT_LOST_UNKNOWN;
    }
    take_hole(sink, stream, from_ns, to, lost);
}

static void take_discarded_packets(struct sink *sink, const bt_message *message,
                                   int64_t from_ns)
{
    const bt_stream *stream =
        bt_message_discarded_packets_borrow_stream_const(message);
    const bt_clock_snapshot *to = NULL;

    if (bt_stream_class_discarded_packets_have_default_clock_snapshots(
            bt_stream_borrow_class_const(stream))) {
        to =
            bt_message_discarded_packets_borrow_end_default_clock_snapshot_const(
                message);
    }
    take_hole(sink, stream, from_ns, to, CT_LOST_UNKNOWN);
}

static void take_packet_beginning(struct sink *sink, const bt_message *message)
{
    const bt_packet *packet =
        bt_message_packet_beginning_borrow_packet_const(message);
    const bt_stream *stream = bt_packet_borrow_stream_const(packet);
    struct ct_feed_stream *entry = stream_of(sink, stream);

    entry->packets++;
    sink->feed->packets++;
    if (sink->feed->progress) {
        sink->feed->progress(sink->feed->packets, sink->feed->data);
    }
}

/* A hole that no message tells of. */
static void hand_over_hole(struct sink *sink, struct ct_feed_stream *entry,
                           int64_t to_ns)
{
    sink->record.kind = CT_RECORD_HOLE;
    sink->record.when_ns = sink->feed->last_ns;
    sink->record.to_ns = to_ns;
    sink->record.lost = CT_LOST_UNKNOWN;
    hand_over(sink, entry);
}

static void take_stream_beginning(struct sink *sink, const bt_message *message)
{
    const bt_stream *stream =
        bt_message_stream_beginning_borrow_stream_const(message);
    struct ct_feed_stream *entry = stream_of(sink, stream);
    int64_t head_ns;

    entry->zero_ns = clock_at(stream, 0);
    if (entry->head_lost) {
        head_ns = clock_at(stream, entry->head_clock);
        hand_over_hole(sink, entry, MAX(head_ns, sink->feed->last_ns));
    }
}

static void take_stream_end(struct sink *sink, const bt_message *message)
{
    const bt_stream *stream =
        bt_message_stream_end_borrow_stream_const(message);
    struct ct_feed_stream *entry = stream_of(sink, stream);

    if (entry->tail_lost || sink->feed->all_tails_lost) {
        hand_over_hole(sink, entry, CT_HOLE_TO_END);
    }
    stream_ended(sink, stream);
}

static void take_message(struct sink *sink, const bt_message *message,
                         int64_t when_ns)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_EVENT:
        take_event(sink, message, when_ns);
        break;
    case BT_MESSAGE_TYPE_STREAM_BEGINNING:
        take_stream_beginning(sink, message);
        break;
    case BT_MESSAGE_TYPE_STREAM_END:
        take_stream_end(sink, message);
        break;
    case BT_MESSAGE_TYPE_PACKET_BEGINNING:
        take_packet_beginning(sink, message);
        break;
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        take_discarded_events(sink, message, when_ns);
        break;
    case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
        take_discarded_packets(sink, message, when_ns);
        break;
    default:
        break;
    }
}

/* --- component methods ---------------------------------------------------- */

static struct sink *data_of(bt_self_component_sink *self)
{
    return bt_self_component_get_data(
        bt_self_component_sink_as_self_component(self));
}

/* As the muxer's messages: one port.  Else one for each stream. */
static bool add_ports(bt_self_component_sink *self, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        char name[32] = "in";

        if (i > 0) {
            g_snprintf(name, sizeof(name), "in%" G_GUINT64_FORMAT, i);
        }
        if (bt_self_component_sink_add_input_port(self, name, NULL, NULL) !=
            BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
            return false;
        }
    }
    return true;
}

static bt_component_class_initialize_method_status initialize(
    bt_self_component_sink *self, struct ct_feed *feed, uint64_t ports,
    const struct ct_sink_options *options)
{
    struct sink *sink;

    if (!add_ports(self, ports)) {
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    }
    sink = g_new0(struct sink, 1);
    if (options) {
        sink->options = *options;
        sink->own_feed = true;
        feed = ct_feed_new(options->consumers, &options->span);
    }
    sink->feed = feed;
    sink->carry = ct_carry_new();
    sink->merge = ct_merge_new();
    bt_self_component_set_data(bt_self_component_sink_as_self_component(self),
                               sink);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

bt_component_class_initialize_method_status ct_sink_initialize(
    bt_self_component_sink *self, const struct ct_sink_options *options)
{
    return initialize(self, NULL, 1, options);
}

/* The plugin's sink is its pass's owner: it ends the pass itself. */
static bool finish(struct sink *sink, GError **error)
{
    GError *reason = NULL;
    bool good =
        ct_pass_has_span(sink->feed->pass, &reason) &&
        ct_pass_finish(sink->feed->pass, !sink->feed->all_tails_lost, &reason);

    sink->told = true;
    if (sink->options.finished) {
        sink->options.finished(sink->options.data, reason);
    }
    if (reason) {
        g_propagate_error(error, reason);
    }
    return good;
}

void ct_sink_finalize(bt_self_component_sink *self)
{
    struct sink *sink = data_of(self);
    GError *reason = NULL;

    if (!sink) {
        return;
    }
    if (sink->own_feed) {
        if (!sink->told && sink->options.finished) {
            g_set_error_literal(&reason, CT_TRACE_ERROR, CT_TRACE_ERROR_GRAPH,
                                "the trace was not read to its end");
            sink->options.finished(sink->options.data, reason);
            g_error_free(reason);
        }
        ct_feed_free(sink->feed);
    } else {
        sink->feed->report = *ct_carry_report(sink->carry);
    }
    ct_merge_free(sink->merge);
    ct_carry_free(sink->carry);
    g_free(sink);
}

bt_component_class_sink_graph_is_configured_method_status
ct_sink_graph_is_configured(bt_self_component_sink *self)
{
    struct sink *sink = data_of(self);
    uint64_t n = bt_component_sink_get_input_port_count(
        bt_self_component_sink_as_component_sink(self));

    for (uint64_t i = 0; i < n; i++) {
        bt_message_iterator *iterator;

        if (bt_message_iterator_create_from_sink_component(
                self,
                bt_self_component_sink_borrow_input_port_by_index(self, i),
                &iterator) !=
            BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK) {
            return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_ERROR;
        }
        ct_merge_add(sink->merge, iterator);
    }
    return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK;
}

static bt_component_class_sink_consume_method_status at_end(
    struct sink *sink, bt_self_component_sink *self)
{
    GError *error = NULL;

    if (!sink->own_feed || sink->told || finish(sink, &error)) {
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
    }
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(
        bt_self_component_sink_as_self_component(self), "%s",
        error ? error->message : "a view failed");
    g_clear_error(&error);
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
}

bt_component_class_sink_consume_method_status ct_sink_consume(
    bt_self_component_sink *self)
{
    struct sink *sink = data_of(self);
    struct ct_merge_run run;

    if (sink->feed->enough) {
        return at_end(sink, self);
    }
    switch (ct_merge_next(sink->merge, &run)) {
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_AGAIN;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return at_end(sink, self);
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_MEMORY_ERROR:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_MEMORY_ERROR;
    default:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
    }
    for (uint64_t i = 0; i < run.n; i++) {
        take_message(sink, run.messages[i], run.times_ns[i]);
        bt_message_put_ref(run.messages[i]);
    }
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}

/* --- the class that the command's graphs use ----------------------------- */

static bt_component_class_initialize_method_status class_initialize(
    bt_self_component_sink *self,
    bt_self_component_sink_configuration *configuration, const bt_value *params,
    void *data)
{
    const struct ct_sink_input *input = data;

    return initialize(self, input->feed, input->streams, NULL);
}

const bt_component_class_sink *ct_sink_class(void)
{
    bt_component_class_sink *class =
        bt_component_class_sink_create("pass", ct_sink_consume);

    if (class) {
        bt_component_class_sink_set_initialize_method(class, class_initialize);
        bt_component_class_sink_set_finalize_method(class, ct_sink_finalize);
        bt_component_class_sink_set_graph_is_configured_method(
            class, ct_sink_graph_is_configured);
    }
    return class;
}
