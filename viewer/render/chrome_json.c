/* SPDX-License-Identifier: MIT */
/*
 * chrome_json.c - a timeline in Chrome's trace event format: tape to file
 *
 * What viewers make of the format, and how this file meets it:
 * - Slices are B and E, not X: the ends of nested slices are then the same
 *   text, and no viewer adds two rounded numbers and finds the inner one
 *   longer.  They come in time order of each track, as the format demands.  A
 *   slice without length is an X of no duration.
 * - An E carries its B's name (speedscope compares it), and the arguments:
 *   viewers that merge both lose nothing, and speedscope, which takes the
 *   arguments of a B into its frame's name, shows plain names.
 * - An arrow binds to the innermost slice that its viewer has open there, and
 *   Perfetto draws it from that slice's end.  So it starts at an instant of
 *   its own, which is where the cause was, and ends in the slice that it
 *   caused, which begins there, or at an instant too.
 * - An id of an arrow is used once.
 */
#include "render/chrome_writer.h"

#include "out/quantity.h"

static const char *const categories[CT_SLICE_KINDS] = {
    [CT_SLICE_POLL] = "\"poll\"",           [CT_SLICE_FDMON] = "\"poll\"",
    [CT_SLICE_WAIT] = "\"poll\"",           [CT_SLICE_BH] = "\"bh\"",
    [CT_SLICE_TIMER] = "\"timer\"",         [CT_SLICE_FD] = "\"fd\"",
    [CT_SLICE_COROUTINE] = "\"coroutine\"", [CT_SLICE_WORK] = "\"work\"",
    [CT_SLICE_THREAD] = "\"thread\"",       [CT_SLICE_BUSY] = "\"poll\"",
};

static const struct {
    const char *name;
    const char *effect; /* NULL: a slice begins there */
} edges[CT_EDGE_KINDS] = {
    [CT_EDGE_SCHEDULE] = {"schedule", NULL},
    [CT_EDGE_WAKE] = {"wake", NULL},
    [CT_EDGE_SUBMIT] = {"submit", NULL},
    [CT_EDGE_DONE] = {"work done", "complete"},
    [CT_EDGE_RESUME] = {"resume", NULL},
    [CT_EDGE_SPAWN] = {"spawn", "worker starts"},
    [CT_EDGE_NOTIFY] = {"notify", "accept"},
    [CT_EDGE_HAND_OVER] = {"hand over", "lock taken"},
    [CT_EDGE_EVENTFD] = {"eventfd", "wait over"},
};

/* --- pieces -------------------------------------------------------------- */

static void at(struct ct_chrome_writer *writer, int64_t at_ns)
{
    ct_json_key(&writer->json, "ts");
    ct_json_us(&writer->json, at_ns);
}

/* @category: quoted */
static void named(struct ct_chrome_writer *writer, const char *category,
                  uint32_t label)
{
    struct ct_json *json = &writer->json;
    size_t length;
    const char *name = ct_labels_json(writer->chrome->labels, label, &length);

    ct_json_key(json, "cat");
    ct_json_put(json, category, strlen(category));
    ct_json_key(json, "name");
    ct_json_verbatim(json, name, length);
}

static void no_args(struct ct_chrome_writer *writer)
{
    ct_json_object_end(&writer->json);
}

static const char *text(const struct ct_chrome_writer *writer, uint32_t label)
{
    return ct_labels_text(writer->chrome->labels, label);
}

/* --- slices -------------------------------------------------------------- */

static void slice_args(struct ct_chrome_writer *writer,
                       const struct ct_tape_record *record)
{
    struct ct_json *json = &writer->json;
    bool is_entity =
        record->what == CT_SLICE_COROUTINE || record->what == CT_SLICE_WORK;

    if (!is_entity && !record->flags) {
        no_args(writer);
        return;
    }
    begin_args(writer);
    if (record->what == CT_SLICE_COROUTINE) {
        ct_json_key(json, "coroutine");
        ct_json_id(json, record->id);
    } else if (record->what == CT_SLICE_WORK) {
        ct_json_key(json, "work");
        ct_json_id(json, record->id);
    }
    if (is_entity && record->more) {
        ct_json_key(json, "request");
        ct_json_u64(json, record->more);
    }
    if (record->flags & (CT_TAPE_BEGAN_EARLIER | CT_TAPE_CUT_BEGIN)) {
        ct_json_key(json, "begin");
        ct_json_string(json, record->flags & CT_TAPE_CUT_BEGIN
                                 ? "in the file before"
                                 : "not seen");
    }
    if (record->flags & CT_TAPE_CUT_END) {
        ct_json_key(json, "end");
        ct_json_string(json, "in the next file");
    } else if (record->flags & (CT_TAPE_OPEN | CT_TAPE_END_LOST)) {
        ct_json_key(json, "end");
        ct_json_string(json, record->flags & CT_TAPE_OPEN ? "after the trace"
                                                          : "not seen");
    }
    end_args(writer);
}

static void slice(struct ct_chrome_writer *writer,
                  const struct ct_tape_record *record)
{
    char phase = record->kind == CT_TAPE_BEGIN ? 'B'
                 : record->kind == CT_TAPE_END ? 'E'
                                               : 'X';

    begin_event(writer, phase, record->pid, record->tid);
    at(writer, record->at_ns);
    if (record->kind == CT_TAPE_POINT) {
        ct_json_key(&writer->json, "dur");
        ct_json_us(&writer->json, 0);
    }
    named(writer, categories[record->what], record->label);
    if (record->kind == CT_TAPE_BEGIN) {
        no_args(writer);
    } else {
        slice_args(writer, record);
    }
}

/* --- arrows -------------------------------------------------------------- */

static void instant(struct ct_chrome_writer *writer, uint32_t label,
                    int32_t pid, int32_t tid, int64_t at_ns,
                    const struct ct_tape_record *record)
{
    struct ct_json *json = &writer->json;

    begin_event(writer, 'i', pid, tid);
    at(writer, at_ns);
    named(writer, "\"flow\"", label);
    ct_json_key(json, "s");
    ct_json_word(json, "t");
    begin_args(writer);
    ct_json_key(json, "id");
    ct_json_id(json, record->id);
    if (record->more) {
        ct_json_key(json, "request");
        ct_json_u64(json, record->more);
    }
    end_args(writer);
}

static void arrow_end(struct ct_chrome_writer *writer, char phase,
                      uint32_t label, int32_t pid, int32_t tid, int64_t at_ns)
{
    struct ct_json *json = &writer->json;

    begin_event(writer, phase, pid, tid);
    at(writer, at_ns);
    named(writer, "\"flow\"", label);
    ct_json_key(json, "id");
    ct_json_u64(json, writer->n_flows);
    if (phase == 'f') {
        ct_json_key(json, "bp");
        ct_json_word(json, "e");
    }
    no_args(writer);
}

static void flow(struct ct_chrome_writer *writer,
                 const struct ct_tape_record *record)
{
    uint32_t cause = writer->causes[record->what];

    writer->n_flows++;
    instant(writer, cause, record->pid, record->tid, record->at_ns, record);
    arrow_end(writer, 's', cause, record->pid, record->tid, record->at_ns);
    if (edges[record->what].effect) {
        instant(writer, writer->effects[record->what], record->pid,
                record->to_tid, record->until_ns, record);
    }
    arrow_end(writer, 'f', cause, record->pid, record->to_tid,
              record->until_ns);
}

/* --- counters and gaps --------------------------------------------------- */

static void counter(struct ct_chrome_writer *writer,
                    const struct ct_tape_record *record)
{
    struct ct_json *json = &writer->json;
    const char *name;
    size_t length;

    begin_event(writer, 'C', record->pid, record->tid);
    at(writer, record->at_ns);
    ct_json_key(json, "name");
    name = ct_labels_json(writer->chrome->labels, record->label, &length);
    ct_json_verbatim(json, name, length);
    begin_args(writer);
    switch ((enum ct_counter_kind)record->what) {
    case CT_COUNTER_WORK_QUEUED:
        ct_json_key(json, "work items");
        break;
    case CT_COUNTER_WORKERS_BUSY:
        ct_json_key(json, "idle");
        ct_json_i64(json, (int64_t)record->more);
        ct_json_key(json, "busy");
        break;
    case CT_COUNTER_CO_SCHEDULED:
        ct_json_key(json, "coroutines");
        break;
    case CT_COUNTER_REQUESTS:
        ct_json_key(json, "in flight");
        break;
    default:
        ct_json_key(json, "alive");
        break;
    }
    ct_json_i64(json, (int64_t)record->id);
    end_args(writer);
}

/* Which process it concerns is not known: told once, for all. */
static void gap(struct ct_chrome_writer *writer,
                const struct ct_tape_record *record)
{
    const GPtrArray *tracks = writer->chrome->tracks.all;
    const struct ct_track *first = tracks->len ? tracks->pdata[0] : NULL;
    struct ct_json *json = &writer->json;

    if (!first) {
        return;
    }
    begin_event(writer, 'i', first->pid, first->tid);
    at(writer, record->at_ns);
    ct_json_key(json, "cat");
    ct_json_word(json, "lost");
    ct_json_key(json, "name");
    ct_json_word(json, "events lost");
    ct_json_key(json, "s");
    ct_json_word(json, "g");
    begin_args(writer);
    ct_json_key(json, "events");
    if (record->id == UINT64_MAX) {
        ct_json_null(json);
    } else {
        ct_json_u64(json, record->id);
    }
    ct_json_key(json, "until_us");
    ct_json_us(json, record->until_ns);
    end_args(writer);
}

/* --- requests ------------------------------------------------------------ */

bool ct_chrome_next(struct ct_chrome_writer *writer,
                    struct ct_tape_record *record)
{
    bool is_read = writer->position < ct_spool_length(writer->chrome->tape) &&
                   ct_spool_read(writer->chrome->tape, writer->position, record,
                                 sizeof(*record));

    writer->position += sizeof(*record);
    return is_read;
}

static void segment(struct ct_chrome_writer *writer,
                    const struct ct_tape_record *record)
{
    uint32_t state = writer->states[record->what];
    struct ct_json *json = &writer->json;
    bool is_point = record->at_ns == record->until_ns;

    if (!is_point) {
        begin_event(writer, 'B', record->pid, record->tid);
        at(writer, record->at_ns);
        named(writer, "\"state\"", state);
        no_args(writer);
    }
    begin_event(writer, is_point ? 'X' : 'E', record->pid, record->tid);
    at(writer, record->until_ns);
    if (is_point) {
        ct_json_key(json, "dur");
        ct_json_us(json, 0);
    }
    named(writer, "\"state\"", state);
    if (!record->label && !record->to_tid) {
        no_args(writer);
        return;
    }
    begin_args(writer);
    if (record->to_tid) {
        ct_json_key(json, "tid");
        ct_json_i64(json, record->to_tid);
    }
    if (record->label) {
        ct_json_key(json, "cause");
        ct_json_string(json, ct_cause_word((enum ct_cause_kind)record->label));
    }
    if (record->id) {
        ct_json_key(json, "coroutine");
        ct_json_u64(json, record->id);
    }
    if (record->more) {
        ct_json_key(json, "request");
        ct_json_u64(json, record->more);
    }
    end_args(writer);
}

static void request_args(struct ct_chrome_writer *writer,
                         const struct ct_tape_record *request,
                         const struct ct_tape_record *more)
{
    struct ct_json *json = &writer->json;

    begin_args(writer);
    ct_json_key(json, "request");
    ct_json_u64(json, request->id);
    if (request->more) {
        ct_json_key(json, "parent");
        ct_json_u64(json, request->more);
    }
    ct_json_key(json, "layer");
    ct_json_string(json, text(writer, more->label));
    ct_json_key(json, "node");
    ct_json_string(json, text(writer, (uint32_t)more->tid));
    if (!(request->flags & CT_TAPE_NO_RANGE)) {
        ct_json_key(json, "offset");
        ct_json_u64(json, more->id);
        ct_json_key(json, "bytes");
        ct_json_u64(json, more->more);
    }
    if (request->flags & CT_TAPE_HAS_RET) {
        ct_json_key(json, "ret");
        ct_json_i64(json, request->to_tid);
    }
    ct_json_key(json, "complete");
    ct_json_bool(json, request->flags & CT_TAPE_COMPLETE);
    end_args(writer);
}

static void request_name(struct ct_chrome_writer *writer, const char *name)
{
    ct_json_key(&writer->json, "cat");
    ct_json_word(&writer->json, "request");
    ct_json_key(&writer->json, "name");
    ct_json_string(&writer->json, name);
}

static void request(struct ct_chrome_writer *writer,
                    const struct ct_tape_record *record)
{
    bool is_point = record->at_ns == record->until_ns;
    struct ct_tape_record more = {0};
    GString *name;

    if (!ct_chrome_next(writer, &more)) {
        return;
    }
    name = g_string_new(text(writer, more.label));
    g_string_append_c(name, ' ');
    g_string_append(name, text(writer, record->label));
    if (!(record->flags & CT_TAPE_NO_RANGE)) {
        g_string_append_c(name, ' ');
        ct_text_size(name, more.id);
        g_string_append_c(name, '+');
        ct_text_size(name, more.more);
    }
    begin_event(writer, is_point ? 'X' : 'B', record->pid, record->tid);
    at(writer, record->at_ns);
    if (is_point) {
        ct_json_key(&writer->json, "dur");
        ct_json_us(&writer->json, 0);
    }
    request_name(writer, name->str);
    if (is_point) {
        request_args(writer, record, &more);
    } else {
        no_args(writer);
    }
    for (uint32_t i = 0; i < record->count; i++) {
        struct ct_tape_record part = {0};

        if (ct_chrome_next(writer, &part)) {
            segment(writer, &part);
        }
    }
    if (!is_point) {
        begin_event(writer, 'E', record->pid, record->tid);
        at(writer, record->until_ns);
        request_name(writer, name->str);
        request_args(writer, record, &more);
    }
    g_string_free(name, TRUE);
}

/* --- the file ------------------------------------------------------------ */

static void about(struct ct_chrome_writer *writer,
                  const struct ct_summary *summary)
{
    struct ct_json *json = &writer->json;
    char origin[24];

    origin[ct_digits(origin, (uint64_t)summary->origin_ns)] = '\0';
    ct_json_key(json, "displayTimeUnit");
    ct_json_string(json, "ns");
    ct_json_key(json, "metadata");
    ct_json_object(json);
    ct_json_key(json, "producer");
    ct_json_string(json, "cotrace " CT_VERSION);
    ct_json_key(json, "origin_ns");
    ct_json_string(json, summary->has_clock ? origin : NULL);
    ct_json_key(json, "clock");
    ct_json_string(json, summary->clock);
    ct_json_key(json, "events");
    ct_json_u64(json, summary->events);
    ct_json_key(json, "discarded");
    if (summary->discarded_known) {
        ct_json_u64(json, summary->discarded);
    } else {
        ct_json_null(json);
    }
    ct_json_key(json, "complete");
    ct_json_bool(json, summary->complete);
    ct_json_object_end(json);
}

/* Names are resolved here, when no label can be added any more. */
static void resolve(struct ct_chrome_writer *writer,
                    const struct ct_images *images)
{
    struct ct_labels *labels = writer->chrome->labels;

    for (unsigned i = 0; i < CT_STATES; i++) {
        writer->states[i] =
            ct_labels_plain(labels, ct_state_word((enum ct_state)i));
    }
    for (unsigned i = 0; i < CT_EDGE_KINDS; i++) {
        writer->causes[i] = ct_labels_plain(labels, edges[i].name);
        writer->effects[i] = ct_labels_plain(labels, edges[i].effect);
    }
    ct_labels_resolve(labels, images);
}

static void begin_events(struct ct_json *json)
{
    ct_json_key(json, "traceEvents");
    ct_json_array(json);
    json->lines_depth = json->depth;
}

void ct_chrome_head(struct ct_chrome_writer *writer, struct ct_out *out,
                    const struct ct_summary *summary)
{
    struct ct_chrome_pair *pair = writer->chrome->pair;

    if (pair) {
        writer->json = pair->json;
        writer->n_flows = (uint64_t)writer->chrome->side << 32;
        pair->summary[writer->chrome->side] = *summary;
    } else {
        ct_json_init(&writer->json, out);
        ct_json_object(&writer->json);
        about(writer, summary);
        begin_events(&writer->json);
    }
    ct_chrome_names(writer);
}

void ct_chrome_tail(struct ct_chrome_writer *writer)
{
    if (writer->chrome->pair) {
        writer->chrome->pair->json = writer->json; /* the other run goes on */
        return;
    }
    ct_json_array_end(&writer->json);
    ct_json_object_end(&writer->json);
    ct_json_line(&writer->json);
}

void ct_chrome_record(struct ct_chrome_writer *writer,
                      const struct ct_tape_record *record)
{
    switch ((enum ct_tape_kind)record->kind) {
    case CT_TAPE_BEGIN:
    case CT_TAPE_END:
    case CT_TAPE_POINT:
        slice(writer, record);
        break;
    case CT_TAPE_FLOW:
        flow(writer, record);
        break;
    case CT_TAPE_COUNTER:
        counter(writer, record);
        break;
    case CT_TAPE_GAP:
        gap(writer, record);
        break;
    case CT_TAPE_REQUEST:
        request(writer, record);
        break;
    case CT_TAPE_MORE:
    case CT_TAPE_SEGMENT:
    case CT_TAPE_MARK:
        break;
    }
}

static void write_one(struct ct_chrome_writer *writer, struct ct_out *out,
                      const struct ct_summary *summary)
{
    struct ct_tape_record record;

    ct_chrome_head(writer, out, summary);
    while (!out->error && ct_chrome_next(writer, &record)) {
        ct_chrome_record(writer, &record);
    }
    ct_chrome_tail(writer);
}

bool ct_chrome_write(struct ct_chrome *chrome, struct ct_out *out,
                     const struct ct_summary *summary, GError **error)
{
    struct ct_chrome_writer writer = {.chrome = chrome};

    resolve(&writer, summary->images);
    if (chrome->split_bytes) {
        return ct_chrome_write_parts(&writer, out, summary, error);
    }
    write_one(&writer, out, summary);
    if (ct_spool_error(chrome->tape, error)) {
        return false;
    }
    return ct_out_flush(out) || ct_out_failed(out, error);
}

/* --- two runs ------------------------------------------------------------ */

void ct_chrome_pair_begin(struct ct_chrome_pair *pair, struct ct_out *out)
{
    *pair = (struct ct_chrome_pair){.out = out};
    ct_json_init(&pair->json, out);
    ct_json_object(&pair->json);
    begin_events(&pair->json);
}

void ct_chrome_pair_end(struct ct_chrome_pair *pair)
{
    const struct ct_summary *a = &pair->summary[0], *b = &pair->summary[1];
    struct ct_chrome_writer writer = {.json = pair->json};
    struct ct_summary both = *a;

    both.has_clock = false; /* two origins: none that both count from */
    both.clock = g_strcmp0(a->clock, b->clock) ? "none" : a->clock;
    both.events += b->events;
    both.discarded += b->discarded;
    both.discarded_known &= b->discarded_known;
    both.complete &= b->complete;
    ct_json_array_end(&writer.json);
    about(&writer, &both);
    ct_json_object_end(&writer.json);
    ct_json_line(&writer.json);
}
