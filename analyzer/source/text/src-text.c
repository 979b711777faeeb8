/* SPDX-License-Identifier: MIT */
/*
 * src-text.c - source.cotrace.text: a text trace as babeltrace2 messages
 *
 * For tests that people can read and write, and for whatever wants to tell a
 * trace without LTTng.  It splits the file into lines and makes messages of
 * what text-line.c reads in them; it knows no event.
 *
 * Invariants: times never decrease (one that does is moved up and counted,
 * since the muxer would end the graph); a stream begins before its first and
 * ends after its last message; a bad line is left out and counted, never fatal.
 */
#include "source/text/src-text.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "ct/sink.h"
#include "source/text/carry-write.h"
#include "source/text/text-line.h"
#include "source/text/text-trace.h"

struct text {
    char *path;
    bool has_clock;
    struct ct_text_trace trace;
    struct ct_text_report *report; /* NULL: nobody asks */
};

struct reader {
    struct text *text; /* its component outlives it */
    bt_self_message_iterator *self;
    FILE *file;
    uint64_t line_number;
    char *line; /* CT_TEXT_LINE_MAX + 1 */
    struct ct_text_parser *parser;
    struct ct_carry_writer *writer;
    bt_stream *streams[CT_TEXT_STREAMS_MAX];
    unsigned n_streams;
    int64_t last_ns;
    GQueue ready; /* const bt_message *, references */
    bool at_end;
    struct ct_text_report report;
};

/* --- lines ---------------------------------------------------------------- */

enum line { LINE_GOOD, LINE_BAD, LINE_NONE };

/* One line without its newline; too long or with a NUL in it: bad. */
static enum line read_line(FILE *file, char *line, size_t size)
{
    size_t n = 0;
    bool bad = false;
    int c;

    while ((c = getc_unlocked(file)) != EOF && c != '\n') {
        if (n + 1 < size && c != '\0') {
            line[n++] = (char)c;
        } else {
            bad = true;
        }
    }
    if (c == EOF && n == 0 && !bad) {
        return LINE_NONE;
    }
    if (n > 0 && line[n - 1] == '\r') {
        n--;
    }
    line[n] = '\0';
    return bad ? LINE_BAD : LINE_GOOD;
}

/* The head, behind which the file then stands. */
static bool read_head(FILE *file, bool *ret_clock, uint64_t *ret_lines)
{
    char line[64];
    long mark;

    *ret_clock = true;
    *ret_lines = 1;
    if (read_line(file, line, sizeof(line)) != LINE_GOOD ||
        strcmp(line, CT_TEXT_HEAD) != 0) {
        return false;
    }
    mark = ftell(file);
    if (read_line(file, line, sizeof(line)) == LINE_GOOD &&
        strcmp(line, CT_TEXT_NO_CLOCK) == 0) {
        *ret_clock = false;
        *ret_lines = 2;
        return true;
    }
    return mark >= 0 && fseek(file, mark, SEEK_SET) == 0;
}

bool ct_text_recognise(const char *path)
{
    FILE *file = fopen(path, "re");
    bool has_clock;
    uint64_t lines;
    bool good;

    if (!file) {
        return false;
    }
    good = read_head(file, &has_clock, &lines);
    fclose(file);
    return good;
}

/* --- the component -------------------------------------------------------- */

static void text_free(struct text *text)
{
    if (!text) {
        return;
    }
    ct_text_trace_fini(&text->trace);
    g_free(text->path);
    g_free(text);
}

#define COMPONENT_ERROR(self, ...)                       \
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT( \
        bt_self_component_source_as_self_component(self), __VA_ARGS__)

/* Sets what the head says; false: a cause was appended. */
static bool look_at_head(struct text *text, bt_self_component_source *self)
{
    FILE *file = fopen(text->path, "re");
    uint64_t lines;
    bool good;

    if (!file) {
        COMPONENT_ERROR(self, "%s", g_strerror(errno));
        return false;
    }
    good = read_head(file, &text->has_clock, &lines);
    fclose(file);
    if (!good) {
        COMPONENT_ERROR(self, "not a text trace: the first line is not '%s'",
                        CT_TEXT_HEAD);
    }
    return good;
}

bt_component_class_initialize_method_status ct_text_initialize(
    bt_self_component_source *self,
    bt_self_component_source_configuration *configuration,
    const bt_value *params, void *data)
{
    const char *path = ct_text_input(params);
    struct text *text;

    if (!path) {
        COMPONENT_ERROR(self,
                        "parameter 'inputs' must be an array of one path");
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    text = g_new0(struct text, 1);
    text->path = g_strdup(path);
    text->report = data;
    if (!look_at_head(text, self)) {
        text_free(text);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    if (!ct_text_trace_init(&text->trace,
                            bt_self_component_source_as_self_component(self),
                            text->has_clock ? "monotonic" : NULL) ||
        bt_self_component_source_add_output_port(self, "out", NULL, NULL) !=
            BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
        text_free(text);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    }
    bt_self_component_set_data(bt_self_component_source_as_self_component(self),
                               text);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ct_text_finalize(bt_self_component_source *self)
{
    text_free(bt_self_component_get_data(
        bt_self_component_source_as_self_component(self)));
}

bt_component_class_query_method_status ct_text_query(
    bt_self_component_class_source *self, bt_private_query_executor *executor,
    const char *object, const bt_value *params, void *data,
    const bt_value **result)
{
    return ct_text_support(object, params, ct_text_recognise, result);
}

/* --- the message iterator ------------------------------------------------ */

static void reader_free(struct reader *reader)
{
    const bt_message *message;

    while ((message = g_queue_pop_head(&reader->ready))) {
        bt_message_put_ref(message);
    }
    for (unsigned i = 0; i < reader->n_streams; i++) {
        bt_stream_put_ref(reader->streams[i]);
    }
    ct_carry_writer_free(reader->writer);
    if (reader->file) {
        fclose(reader->file);
    }
    g_free(reader->parser);
    g_free(reader->line);
    g_free(reader);
}

bt_message_iterator_class_initialize_method_status ct_text_iterator_initialize(
    bt_self_message_iterator *self,
    bt_self_message_iterator_configuration *configuration,
    bt_self_component_port_output *port)
{
    struct text *text = bt_self_component_get_data(
        bt_self_message_iterator_borrow_component(self));
    struct reader *reader = g_new0(struct reader, 1);
    bool has_clock;

    reader->text = text;
    reader->self = self;
    reader->file = fopen(text->path, "re");
    /* The file is read again from its head: it must still be the same kind. */
    if (!reader->file ||
        !read_head(reader->file, &has_clock, &reader->line_number) ||
        has_clock != text->has_clock) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_MESSAGE_ITERATOR(
            self, "the file was changed while it was read");
        reader_free(reader);
        return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    reader->line = g_malloc(CT_TEXT_LINE_MAX + 1);
    reader->parser = g_new0(struct ct_text_parser, 1);
    reader->parser->has_clock = has_clock;
    reader->writer = ct_carry_writer_new(text->trace.stream_class);
    g_queue_init(&reader->ready);
    bt_self_message_iterator_set_data(self, reader);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ct_text_iterator_finalize(bt_self_message_iterator *self)
{
    struct reader *reader = bt_self_message_iterator_get_data(self);

    if (reader) {
        reader_free(reader);
    }
}

static bool put(struct reader *reader, const bt_message *message)
{
    if (!message) {
        return false;
    }
    g_queue_push_tail(&reader->ready, (void *)message);
    return true;
}

/* Streams are numbered without gaps: those before @number begin as well. */
static bool begin_streams(struct reader *reader, unsigned number)
{
    while (reader->n_streams <= number) {
        bt_stream *stream = bt_stream_create(reader->text->trace.stream_class,
                                             reader->text->trace.trace);

        if (!stream) {
            return false;
        }
        reader->streams[reader->n_streams++] = stream;
        if (!put(reader,
                 bt_message_stream_beginning_create(reader->self, stream))) {
            return false;
        }
    }
    return true;
}

static int64_t not_before_last(struct reader *reader, int64_t when_ns)
{
    if (when_ns < reader->last_ns) {
        reader->report.stepped_back++;
        return reader->last_ns;
    }
    reader->last_ns = when_ns;
    return when_ns;
}

static bool put_event(struct reader *reader, const struct ct_record *record)
{
    const bt_event_class *class = ct_carry_class(reader->writer, record);
    bt_message *message;

    if (!class || !begin_streams(reader, 0)) {
        return false;
    }
    if (reader->text->has_clock) {
        message = bt_message_event_create_with_default_clock_snapshot(
            reader->self, class, reader->streams[0],
            (uint64_t)not_before_last(reader, record->when_ns));
    } else {
        message =
            bt_message_event_create(reader->self, class, reader->streams[0]);
    }
    return put(reader, message) &&
           ct_carry_write(record, bt_message_event_borrow_event(message));
}

static bool put_hole(struct reader *reader, const struct ct_record *record)
{
    bt_message *message;
    int64_t from_ns;

    if (!begin_streams(reader, record->stream)) {
        return false;
    }
    if (reader->text->has_clock) {
        from_ns = not_before_last(reader, record->when_ns);
        message =
            bt_message_discarded_events_create_with_default_clock_snapshots(
                reader->self, reader->streams[record->stream],
                (uint64_t)from_ns, (uint64_t)MAX(record->to_ns, from_ns));
    } else {
        message = bt_message_discarded_events_create(
            reader->self, reader->streams[record->stream]);
    }
    if (message && record->lost != CT_LOST_UNKNOWN && record->lost > 0) {
        bt_message_discarded_events_set_count(message, record->lost);
    }
    return put(reader, message);
}

static bool end_streams(struct reader *reader)
{
    for (unsigned i = 0; i < reader->n_streams; i++) {
        if (!put(reader, bt_message_stream_end_create(reader->self,
                                                      reader->streams[i]))) {
            return false;
        }
    }
    reader->at_end = true;
    if (reader->text->report) {
        *reader->text->report = reader->report;
    }
    return true;
}

static void count_bad(struct reader *reader, const char *reason)
{
    struct ct_text_report *report = &reader->report;

    if (report->bad_lines++ == 0) {
        snprintf(report->first_bad, sizeof(report->first_bad),
                 "line %" G_GUINT64_FORMAT ": %s", reader->line_number, reason);
    }
}

/* The next line; false: no memory. */
static bool advance(struct reader *reader)
{
    enum line line =
        read_line(reader->file, reader->line, CT_TEXT_LINE_MAX + 1);

    if (line == LINE_NONE) {
        return end_streams(reader);
    }
    reader->line_number++;
    if (line == LINE_BAD) {
        count_bad(reader, "too long, or not text");
        return true;
    }
    switch (ct_text_parse(reader->parser, reader->line)) {
    case CT_TEXT_EVENT:
        reader->report.records++;
        return put_event(reader, &reader->parser->record);
    case CT_TEXT_HOLE:
        reader->report.records++;
        return put_hole(reader, &reader->parser->record);
    case CT_TEXT_BAD:
        count_bad(reader, reader->parser->reason);
        break;
    case CT_TEXT_NOTHING:
        break;
    }
    return true;
}

bt_message_iterator_class_next_method_status ct_text_iterator_next(
    bt_self_message_iterator *self, bt_message_array_const messages,
    uint64_t capacity, uint64_t *count)
{
    struct reader *reader = bt_self_message_iterator_get_data(self);

    while (reader->ready.length < capacity && !reader->at_end) {
        if (!advance(reader)) {
            return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_MEMORY_ERROR;
        }
    }
    for (*count = 0; *count < capacity && reader->ready.length > 0; ++*count) {
        messages[*count] = g_queue_pop_head(&reader->ready);
    }
    return *count > 0 ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK
                      : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

/* --- the class that the command's graphs use ----------------------------- */

const bt_component_class_source *ct_text_class(void)
{
    return ct_text_source_class("text", ct_text_initialize, ct_text_finalize,
                                ct_text_query, ct_text_iterator_initialize,
                                ct_text_iterator_finalize,
                                ct_text_iterator_next);
}
