/* SPDX-License-Identifier: MIT */
/*
 * contents.c - packets whose head is good and whose contents are not
 *
 * Only reading a packet tells whether its events can be read, and reading
 * everything twice would double the cost of every trace.  So this comes last:
 * when a graph has failed in the middle, each stream is read by itself into a
 * sink that counts packets; where that fails is the bad packet, and reading
 * goes on behind it.  An event's time outside its packet's is a failure, too:
 * left in, it would push the whole trace's time forward.
 */
#include "source/view.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "source/graph.h"

/* Of one stream; a file with more is given up behind the last of them. */
#define BAD_PACKETS_MAX 32

/* What the counting sink has seen of a stream. */
struct counter {
    bt_message_iterator *iterator;
    uint64_t begun;
    uint64_t ended;
    uint64_t begin; /* clock, of the open packet */
    uint64_t last;  /* latest event in it */
    bool distrusts; /* the open packet contradicts itself */
};

/* --- the sink --------------------------------------------------------------
 */

static struct counter *counter_of(bt_self_component_sink *self)
{
    return bt_self_component_get_data(
        bt_self_component_sink_as_self_component(self));
}

static bt_component_class_initialize_method_status counter_initialize(
    bt_self_component_sink *self,
    bt_self_component_sink_configuration *configuration, const bt_value *params,
    void *data)
{
    bt_self_component_set_data(bt_self_component_sink_as_self_component(self),
                               data);
    return bt_self_component_sink_add_input_port(self, "in", NULL, NULL) ==
                   BT_SELF_COMPONENT_ADD_PORT_STATUS_OK
               ? BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK
               : BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
}

static void counter_finalize(bt_self_component_sink *self)
{
    struct counter *counter = counter_of(self);

    bt_message_iterator_put_ref(counter->iterator);
    counter->iterator = NULL;
}

static bt_component_class_sink_graph_is_configured_method_status
counter_configured(bt_self_component_sink *self)
{
    return bt_message_iterator_create_from_sink_component(
               self, bt_self_component_sink_borrow_input_port_by_index(self, 0),
               &counter_of(self)->iterator) ==
                   BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK
               ? BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK
               : BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_ERROR;
}

static uint64_t clock_of(const bt_clock_snapshot *snapshot)
{
    return bt_clock_snapshot_get_value(snapshot);
}

static void count_event(struct counter *counter, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    uint64_t clock;

    if (bt_stream_class_borrow_default_clock_class_const(
            bt_stream_borrow_class_const(
                bt_event_borrow_stream_const(event)))) {
        clock = clock_of(
            bt_message_event_borrow_default_clock_snapshot_const(message));
        counter->distrusts = counter->distrusts || clock < counter->begin;
        counter->last = MAX(counter->last, clock);
    }
}

static void count_beginning(struct counter *counter, const bt_message *message)
{
    const bt_stream_class *class =
        bt_stream_borrow_class_const(bt_packet_borrow_stream_const(
            bt_message_packet_beginning_borrow_packet_const(message)));

    counter->begun++;
    counter->begin = counter->last = 0;
    if (bt_stream_class_packets_have_beginning_default_clock_snapshot(class)) {
        counter->begin = counter->last = clock_of(
            bt_message_packet_beginning_borrow_default_clock_snapshot_const(
                message));
    }
}

static void count_end(struct counter *counter, const bt_message *message)
{
    const bt_stream_class *class =
        bt_stream_borrow_class_const(bt_packet_borrow_stream_const(
            bt_message_packet_end_borrow_packet_const(message)));

    if (bt_stream_class_packets_have_end_default_clock_snapshot(class)) {
        counter->distrusts =
            counter->distrusts ||
            clock_of(bt_message_packet_end_borrow_default_clock_snapshot_const(
                message)) < counter->last;
    }
    counter->ended += !counter->distrusts;
}

static bt_component_class_sink_consume_method_status counter_consume(
    bt_self_component_sink *self)
{
    struct counter *counter = counter_of(self);
    bt_message_array_const messages;
    uint64_t n;

    switch (bt_message_iterator_next(counter->iterator, &messages, &n)) {
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_AGAIN;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
    default:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
    }
    for (uint64_t i = 0; i < n; i++) {
        bt_message_type type = bt_message_get_type(messages[i]);

        if (!counter->distrusts && type == BT_MESSAGE_TYPE_EVENT) {
            count_event(counter, messages[i]);
        } else if (!counter->distrusts &&
                   type == BT_MESSAGE_TYPE_PACKET_BEGINNING) {
            count_beginning(counter, messages[i]);
        } else if (!counter->distrusts && type == BT_MESSAGE_TYPE_PACKET_END) {
            count_end(counter, messages[i]);
        }
        bt_message_put_ref(messages[i]);
    }
    return counter->distrusts
               ? BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR
               : BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}

static const bt_component_class_sink *counter_class(void)
{
    bt_component_class_sink *class =
        bt_component_class_sink_create("counter", counter_consume);

    if (class) {
        bt_component_class_sink_set_initialize_method(class,
                                                      counter_initialize);
        bt_component_class_sink_set_finalize_method(class, counter_finalize);
        bt_component_class_sink_set_graph_is_configured_method(
            class, counter_configured);
    }
    return class;
}

/* --- one stream ------------------------------------------------------------
 */

/* Return: whole packets read from @dir's only stream; *ret_all: to its end. */
static uint64_t readable_packets(const char *dir, bool *ret_all)
{
    const bt_component_class_sink *class = counter_class();
    struct ct_graph *graph = ct_graph_new();
    GPtrArray *paths = g_ptr_array_new();
    struct counter counter = {0};
    char *why = NULL;

    g_ptr_array_add(paths, (void *)dir);
    *ret_all = ct_graph_add_ctf(graph, paths, &why) &&
               ct_graph_run(graph, class, &counter, &why) == CT_GRAPH_DONE;
    ct_graph_free(graph);
    bt_component_class_sink_put_ref(class);
    g_ptr_array_unref(paths);
    g_free(why);
    return counter.ended;
}

static bool in_ranges(const GArray *ranges, uint64_t offset)
{
    for (unsigned i = 0; i < ranges->len; i++) {
        const struct ct_range *range =
            &g_array_index(ranges, struct ct_range, i);

        if (offset - range->offset < range->bytes) {
            return true;
        }
    }
    return false;
}

/* Takes @n packets from number @first on out of the ranges. */
static bool take_out(const struct ct_view_trace *trace,
                     struct ct_view_file *file, uint64_t first, uint64_t n)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(struct ct_range));
    int fd = open(file->original, O_RDONLY | O_CLOEXEC);
    uint64_t number = 0;
    struct ct_walk walk;
    bool good = fd >= 0 && ct_walk_begin(&walk, &trace->layout, fd) == 0;

    while (good && ct_walk_step(&walk) > 0) {
        if (in_ranges(file->ranges, walk.packet.offset)) {
            if (number < first || number - first >= n) {
                ct_view_range_add(ranges, &walk.packet);
            }
            number++;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!good) {
        g_array_unref(ranges);
        return false;
    }
    g_array_unref(file->ranges);
    file->ranges = ranges;
    file->packets -= n;
    file->whole = false;
    file->tail_lost = file->tail_lost || first == file->packets;
    return true;
}

static void remove_dir(const char *dir, const struct ct_view_file *file)
{
    char *name = g_path_get_basename(file->original);
    char *stream = g_build_filename(dir, name, NULL);
    char *metadata = g_build_filename(dir, "metadata", NULL);

    unlink(stream);
    unlink(metadata);
    rmdir(dir);
    g_free(metadata);
    g_free(stream);
    g_free(name);
}

/* A stream in several files counts its packets through all of them. */
static uint64_t packets_before(const struct ct_view *view,
                               const struct ct_view_file *file)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < view->traces->len; i++) {
        const struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);

        for (unsigned k = 0; k < trace->files->len; k++) {
            const struct ct_view_file *other =
                g_ptr_array_index(trace->files, k);

            if (other != file && other->stream &&
                strcmp(other->stream, file->stream) == 0 &&
                other->begin < file->begin) {
                n += other->packets;
            }
        }
    }
    return n;
}

/* Return: how many packets were taken out; -1: @error. */
static int check_stream(struct ct_view *view, struct ct_view_trace *trace,
                        struct ct_view_file *file, struct ct_feed *feed,
                        GError **error)
{
    uint64_t base = packets_before(view, file);
    uint64_t from = 0;
    unsigned n_bad = 0;
    bool all = false;

    while (!all && from < file->packets) {
        char *dir = ct_view_make_dir(view, trace, file, from, error);

        if (!dir) {
            return -1;
        }
        from += readable_packets(dir, &all);
        remove_dir(dir, file);
        g_free(dir);
        if (all || from >= file->packets) {
            break;
        }
        ct_feed_removed(feed, file->stream, base + from + n_bad);
        n_bad++;
        if (!take_out(trace, file, from,
                      n_bad < BAD_PACKETS_MAX ? 1 : file->packets - from)) {
            break;
        }
    }
    if (n_bad > 0) {
        view->damaged = true;
        ct_view_warn(view,
                     "%s: the events of %u packet%s can't be read; read "
                     "without %s",
                     file->shown, n_bad, n_bad == 1 ? "" : "s",
                     n_bad == 1 ? "it" : "them");
    }
    return (int)n_bad;
}

/* Return: as check_stream(). */
static int check_trace(struct ct_view *view, struct ct_view_trace *trace,
                       struct ct_feed *feed, GError **error)
{
    int n_bad = 0;

    for (unsigned i = 0; i < trace->files->len; i++) {
        struct ct_view_file *file = g_ptr_array_index(trace->files, i);
        int n = check_stream(view, trace, file, feed, error);

        if (n < 0) {
            return -1;
        }
        n_bad += n;
    }
    return n_bad;
}

bool ct_view_check_contents(struct ct_view *view, struct ct_feed *feed,
                            GError **error)
{
    bool changed = false;

    ct_feed_again(feed);
    for (unsigned i = 0; i < view->traces->len; i++) {
        struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);
        int n_bad = check_trace(view, trace, feed, error);

        if (n_bad < 0) {
            return false;
        }
        if (n_bad > 0) {
            changed = true;
            g_free(trace->view_dir);
            trace->view_dir = ct_view_make_dir(view, trace, NULL, 0, error);
            if (!trace->view_dir) {
                return false;
            }
        }
    }
    ct_view_group(view);
    ct_view_tell(view, feed);
    return changed;
}
