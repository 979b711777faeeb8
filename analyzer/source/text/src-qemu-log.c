/* SPDX-License-Identifier: MIT */
/*
 * src-qemu-log.c - source.cotrace.qemu_log: QEMU's trace log, or the binary
 * file of its backend `simple`, as messages
 *
 * One stream in the order of the file, one `log:line` event a line, or a piece
 * of one where two lines ran into each other (log-pieces.c).  A log without
 * times has no clock class.  The binary file has events, one stream, too.
 */
#include "source/text/src-qemu-log.h"

#include <errno.h>
#include <glib.h>

#include "ct/sink.h"
#include "source/text/carry-write.h"
#include "source/text/log-pieces.h"
#include "source/text/simple-file.h"
#include "source/text/text-trace.h"

struct log {
    char *path;
    struct ct_log_kind kind;
    bool is_simple;
    struct ct_text_trace trace;
};

struct reader {
    struct log *log; /* its component outlives it */
    bt_self_message_iterator *self;
    struct ct_log_pieces *pieces;
    struct ct_simple *simple;
    struct ct_carry_writer *writer;
    bt_stream *stream;
    enum { READER_NEW, READER_LINES, READER_OVER } state;
};

static bool is_simple(const char *path)
{
    g_autofree char *file = ct_log_file(path);

    return ct_simple_recognise(file);
}

bool ct_log_recognise(const char *path)
{
    struct ct_log_kind kind;

    return is_simple(path) || (ct_log_look(path, &kind) == 0 && kind.is_log);
}

/* NULL: it can be read. */
static const char *why_not(int status)
{
    return status == -ENOENT
               ? "QEMU's list of events, trace-events-all, must lie beside it"
           : status == -EPROTO ? "a version of the format that is not known"
           : status < 0        ? g_strerror(-status)
                               : NULL;
}

static const char *look(struct log *log)
{
    struct ct_simple *simple;
    int status;

    log->is_simple = is_simple(log->path);
    if (!log->is_simple) {
        status = ct_log_look(log->path, &log->kind);
        return status < 0          ? g_strerror(-status)
               : !log->kind.is_log ? "no line of QEMU's trace log in it"
                                   : NULL;
    }
    g_autofree char *file = ct_log_file(log->path);
    status = ct_simple_open(file, &simple);
    if (status == 0) {
        log->kind = (struct ct_log_kind){
            .is_log = true,
            .has_clock = true,
            .first_ns = ct_simple_first_ns(simple),
        };
        ct_simple_free(simple);
    }
    return why_not(status);
}

/* --- the component -------------------------------------------------------- */

#define COMPONENT_ERROR(self, ...)                       \
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT( \
        bt_self_component_source_as_self_component(self), __VA_ARGS__)

static void log_free(struct log *log)
{
    if (log) {
        ct_text_trace_fini(&log->trace);
        g_free(log->path);
        g_free(log);
    }
}

bt_component_class_initialize_method_status ct_log_initialize(
    bt_self_component_source *self,
    bt_self_component_source_configuration *configuration,
    const bt_value *params, void *data)
{
    bt_self_component *component =
        bt_self_component_source_as_self_component(self);
    const char *path = ct_text_input(params);
    struct log *log;
    const char *why;

    if (!path) {
        COMPONENT_ERROR(self,
                        "parameter 'inputs' must be an array of one path");
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    log = g_new0(struct log, 1);
    log->path = g_strdup(path);
    why = look(log);
    if (why) {
        COMPONENT_ERROR(self, "%s", why);
        log_free(log);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    if (!ct_text_trace_init(&log->trace, component,
                            log->kind.by_reader   ? "reader"
                            : log->is_simple      ? "monotonic"
                            : log->kind.has_clock ? "gettimeofday"
                                                  : NULL) ||
        bt_self_component_source_add_output_port(self, "out", NULL, NULL) !=
            BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
        log_free(log);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    }
    bt_self_component_set_data(component, log);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ct_log_finalize(bt_self_component_source *self)
{
    log_free(bt_self_component_get_data(
        bt_self_component_source_as_self_component(self)));
}

bt_component_class_query_method_status ct_log_query(
    bt_self_component_class_source *self, bt_private_query_executor *executor,
    const char *object, const bt_value *params, void *data,
    const bt_value **result)
{
    return ct_text_support(object, params, ct_log_recognise, result);
}

/* --- the message iterator ------------------------------------------------ */

static void reader_free(struct reader *reader)
{
    ct_log_pieces_free(reader->pieces);
    ct_simple_free(reader->simple);
    ct_carry_writer_free(reader->writer);
    bt_stream_put_ref(reader->stream);
    g_free(reader);
}

bt_message_iterator_class_initialize_method_status ct_log_iterator_initialize(
    bt_self_message_iterator *self,
    bt_self_message_iterator_configuration *configuration,
    bt_self_component_port_output *port)
{
    struct log *log = bt_self_component_get_data(
        bt_self_message_iterator_borrow_component(self));
    struct reader *reader = g_new0(struct reader, 1);
    g_autofree char *file = ct_log_file(log->path);
    int status = log->is_simple ? ct_simple_open(file, &reader->simple)
                                : ct_log_pieces_open(log->path, &log->kind,
                                                     &reader->pieces);

    reader->log = log;
    reader->self = self;
    reader->stream =
        bt_stream_create(log->trace.stream_class, log->trace.trace);
    reader->writer = ct_carry_writer_new(log->trace.stream_class);
    if (status < 0 || !reader->stream) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_MESSAGE_ITERATOR(
            self, "%s", g_strerror(status < 0 ? -status : ENOMEM));
        reader_free(reader);
        return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    bt_self_message_iterator_set_data(self, reader);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ct_log_iterator_finalize(bt_self_message_iterator *self)
{
    struct reader *reader = bt_self_message_iterator_get_data(self);

    if (reader) {
        reader_free(reader);
    }
}

/* --- messages ------------------------------------------------------------ */

/* Only the binary file tells of them. */
static const bt_message *hole_message(struct reader *reader,
                                      const struct ct_record *record)
{
    bt_message *message =
        bt_message_discarded_events_create_with_default_clock_snapshots(
            reader->self, reader->stream, (uint64_t)record->when_ns,
            (uint64_t)record->to_ns);

    if (message && record->lost != CT_LOST_UNKNOWN) {
        bt_message_discarded_events_set_count(message, record->lost);
    }
    return message;
}

static const bt_message *event_message(struct reader *reader,
                                       const struct ct_record *record)
{
    const bt_event_class *class = record->kind == CT_RECORD_HOLE
                                      ? NULL
                                      : ct_carry_class(reader->writer, record);
    bt_message *message = NULL;

    if (record->kind == CT_RECORD_HOLE) {
        return hole_message(reader, record);
    }
    if (class && reader->log->kind.has_clock) {
        message = bt_message_event_create_with_default_clock_snapshot(
            reader->self, class, reader->stream, (uint64_t)record->when_ns);
    } else if (class) {
        message = bt_message_event_create(reader->self, class, reader->stream);
    }
    if (message &&
        !ct_carry_write(record, bt_message_event_borrow_event(message))) {
        bt_message_put_ref(message);
        message = NULL;
    }
    return message;
}

/* NULL: no memory. */
static const bt_message *next_message(struct reader *reader)
{
    const struct ct_record *record;

    if (reader->state == READER_NEW) {
        reader->state = READER_LINES;
        return bt_message_stream_beginning_create(reader->self, reader->stream);
    }
    record = reader->simple ? ct_simple_next(reader->simple)
                            : ct_log_pieces_next(reader->pieces);
    if (record) {
        return event_message(reader, record);
    }
    reader->state = READER_OVER;
    return bt_message_stream_end_create(reader->self, reader->stream);
}

bt_message_iterator_class_next_method_status ct_log_iterator_next(
    bt_self_message_iterator *self, bt_message_array_const messages,
    uint64_t capacity, uint64_t *count)
{
    struct reader *reader = bt_self_message_iterator_get_data(self);

    for (*count = 0; *count < capacity && reader->state != READER_OVER;
         ++*count) {
        const bt_message *message = next_message(reader);

        if (!message) {
            while (*count > 0) {
                bt_message_put_ref(messages[--*count]);
            }
            return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_MEMORY_ERROR;
        }
        messages[*count] = message;
    }
    return *count > 0 ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK
                      : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

const bt_component_class_source *ct_log_class(void)
{
    return ct_text_source_class("qemu_log", ct_log_initialize, ct_log_finalize,
                                ct_log_query, ct_log_iterator_initialize,
                                ct_log_iterator_finalize, ct_log_iterator_next);
}
