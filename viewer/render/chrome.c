/* SPDX-License-Identifier: MIT */
/*
 * chrome.c - a timeline in Chrome's trace event format: what goes on the tape
 *
 * The pass tells begins and ends in time order of each thread; they are put on
 * the tape as they come (see tape.h for why there is one), so memory holds
 * only what is open, the distinct labels and the tracks.  A request goes on
 * the tape whole, at its end: its lane is its own until then.
 */
#include "render/chrome.h"

#include "render/render.h"

/* A file may end every so many bytes of the tape. */
#define MARK_BYTES ((uint64_t)2048 * sizeof(struct ct_tape_record))

/* Two series of one counter: viewers want both in each event. */
struct pair {
    int64_t busy;
    int64_t idle;
};

struct view {
    struct ct_view_run run;
    struct ct_consumer consumer;
    struct ct_out *out;
    struct ct_chrome chrome;
    GHashTable *pairs; /* label -> owned struct pair */
    /* The last counter, as long as it could be told anew at its instant. */
    struct ct_tape_record counter;
    bool has_counter;
    int64_t last_ns;    /* the latest that has come */
    uint64_t marked_at; /* where the tape has its last mark */
};

static struct view *from_consumer(struct ct_consumer *consumer)
{
    return (struct view *)((char *)consumer - offsetof(struct view, consumer));
}

/* The format has no way to say that a number is not known; a log of QEMU's does
 * not tell the process, and some tell no threads (0, -1, -2 ...). */
static int32_t id_of(int32_t number)
{
    return number > 0 ? number : 1 - number;
}

static struct ct_tape_record slice_record(struct view *view,
                                          const struct ct_slice *slice)
{
    return (struct ct_tape_record){
        .what = (uint8_t)slice->kind,
        .pid = id_of(slice->pid),
        .tid = id_of(slice->tid),
        .id = slice->id,
        .more = slice->request,
        .flags = slice->begin_known ? 0 : CT_TAPE_BEGAN_EARLIER,
    };
}

static void flush_counter(struct view *view);

/* Where a file may end and the next begin: all that happened up to here is on
 * the tape, and what is open has a length. */
static void mark(struct view *view, int64_t at_ns)
{
    struct ct_tape_record record = {.kind = CT_TAPE_MARK, .at_ns = at_ns};

    if (ct_spool_length(view->chrome.tape) - view->marked_at >= MARK_BYTES) {
        flush_counter(view);
        ct_tracks_flush(&view->chrome.tracks);
        ct_spool_append(view->chrome.tape, &record, sizeof(record));
        view->marked_at = ct_spool_length(view->chrome.tape);
    }
}

/* Before anything of this instant is put on the tape. */
static void reach(struct view *view, int64_t at_ns)
{
    if (at_ns > view->last_ns) {
        /* A file's end lies between two instants: what is open there has a
         * length in both. */
        if (view->chrome.split_bytes && at_ns > view->last_ns + 1) {
            mark(view, at_ns - 1);
        }
        view->last_ns = at_ns;
    }
}

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    struct view *view = from_consumer(consumer);
    struct ct_tape_record record = slice_record(view, slice);

    reach(view, slice->begin_ns - consumer->origin_ns);
    record.kind = CT_TAPE_BEGIN;
    record.label = ct_labels_slice(view->chrome.labels, slice);
    record.at_ns = slice->begin_ns - consumer->origin_ns;
    ct_tracks_begin(&view->chrome.tracks, &record);
}

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct view *view = from_consumer(consumer);
    struct ct_tape_record record = slice_record(view, slice);

    reach(view, slice->end_ns - consumer->origin_ns);
    record.kind = CT_TAPE_END;
    record.at_ns = slice->end_ns - consumer->origin_ns;
    if (slice->open) {
        record.flags |= CT_TAPE_OPEN;
    } else if (!slice->end_known) {
        record.flags |= CT_TAPE_END_LOST;
    }
    ct_tracks_end(&view->chrome.tracks, &record);
}

static void on_edge(struct ct_consumer *consumer, const struct ct_edge *edge)
{
    struct view *view = from_consumer(consumer);
    struct ct_tape_record record = {
        .kind = CT_TAPE_FLOW,
        .what = (uint8_t)edge->kind,
        .pid = id_of(edge->pid),
        .tid = id_of(edge->from_tid),
        .to_tid = id_of(edge->to_tid),
        .at_ns = edge->from_ns - consumer->origin_ns,
        .until_ns = edge->to_ns - consumer->origin_ns,
        .id = edge->id,
        .more = edge->request,
    };

    /* Wake-ups of a loop are many and say nothing that a run does not. */
    if (edge->kind != CT_EDGE_NOTIFY) {
        ct_tracks_flow(&view->chrome.tracks, &record);
    }
}

static void flush_counter(struct view *view)
{
    if (view->has_counter) {
        ct_spool_append(view->chrome.tape, &view->counter,
                        sizeof(view->counter));
        view->has_counter = false;
    }
}

static void on_counter(struct ct_consumer *consumer,
                       const struct ct_counter *counter)
{
    struct view *view = from_consumer(consumer);
    struct ct_counter shown = *counter;
    struct ct_tape_record record = {
        .kind = CT_TAPE_COUNTER,
        .what = (uint8_t)counter->kind,
        .pid = id_of(counter->pid),
        .tid = id_of(counter->pid),
        .at_ns = counter->when_ns - consumer->origin_ns,
        .id = (uint64_t)counter->value,
    };

    if (counter->kind == CT_COUNTER_WORKERS_AWAITED ||
        counter->kind == CT_COUNTER_WORKERS_MAX) {
        return;
    }
    if (counter->kind == CT_COUNTER_WORKERS_IDLE) {
        shown.kind = CT_COUNTER_WORKERS_BUSY;
    }
    record.label = ct_labels_counter(view->chrome.labels, &shown);
    if (shown.kind == CT_COUNTER_WORKERS_BUSY) {
        gpointer key = GUINT_TO_POINTER(record.label);
        struct pair *pair = g_hash_table_lookup(view->pairs, key);

        if (!pair) {
            pair = g_new0(struct pair, 1);
            g_hash_table_insert(view->pairs, key, pair);
        }
        if (counter->kind == CT_COUNTER_WORKERS_BUSY) {
            pair->busy = counter->value;
        } else {
            pair->idle = counter->value;
        }
        record.what = CT_COUNTER_WORKERS_BUSY;
        record.id = (uint64_t)pair->busy;
        record.more = (uint64_t)pair->idle;
    }
    if (view->counter.label != record.label ||
        view->counter.at_ns != record.at_ns) {
        flush_counter(view);
    }
    view->counter = record;
    view->has_counter = true;
}

static void on_thread_name(struct ct_consumer *consumer,
                           const struct ct_thread_name *name)
{
    struct view *view = from_consumer(consumer);

    /* The process's own name is that of its thread -1, which no thread is. */
    ct_labels_thread(view->chrome.labels, id_of(name->pid),
                     name->is_process_name ? -1 : id_of(name->tid), name->name,
                     name->pool);
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct view *view = from_consumer(consumer);
    struct ct_tape_record record = {
        .kind = CT_TAPE_GAP,
        .at_ns = gap->from_ns - consumer->origin_ns,
        .until_ns = gap->to_ns - consumer->origin_ns,
        .id = gap->lost,
    };

    ct_spool_append(view->chrome.tape, &record, sizeof(record));
}

/* --- requests ------------------------------------------------------------ */

static enum ct_lane_group group_of(const struct ct_request *request)
{
    return request->parent_id ? CT_LANES_INNER : CT_LANES_OUTER;
}

static void on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct view *view = from_consumer(consumer);
    unsigned lane = ct_lanes_take(view->chrome.lanes, id_of(request->pid),
                                  group_of(request), request->begin_ns);

    request->user = GUINT_TO_POINTER(lane + 1);
}

/* A request may have begun before the trace; what is drawn begins with it. */
static int64_t since_origin(const struct ct_consumer *consumer, int64_t ns)
{
    return MAX(ns - consumer->origin_ns, 0);
}

static void put_segment(struct view *view, const struct ct_request *request,
                        const struct ct_segment *segment, int32_t lane_tid)
{
    struct ct_tape_record record = {
        .kind = CT_TAPE_SEGMENT,
        .what = (uint8_t)segment->state,
        .label = segment->cause.kind,
        .pid = id_of(request->pid),
        .tid = lane_tid,
        .to_tid = MAX(segment->tid, 0),
        .at_ns = since_origin(&view->consumer, segment->begin_ns),
        .until_ns = segment->end_ns - view->consumer.origin_ns,
        .id = segment->cause.coroutine,
        .more = segment->cause.request,
    };

    ct_spool_append(view->chrome.tape, &record, sizeof(record));
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct view *view = from_consumer(consumer);
    enum ct_lane_group group = group_of(request);
    unsigned lane = GPOINTER_TO_UINT(request->user) - 1;
    struct ct_labels *labels = view->chrome.labels;
    struct ct_tape_record record = {
        .kind = CT_TAPE_REQUEST,
        .label = ct_labels_plain(labels, request->op),
        .pid = id_of(request->pid),
        .tid = CT_LANE_TID(group, lane),
        .to_tid = request->ret,
        .count = request->n_segments,
        .at_ns = since_origin(consumer, request->begin_ns),
        .until_ns = request->end_ns - consumer->origin_ns,
        .id = request->number,
        .more = request->parent,
    };
    struct ct_tape_record more = {
        .kind = CT_TAPE_MORE,
        .label = ct_labels_plain(labels, request->layer),
        .tid = (int32_t)ct_labels_plain(labels, request->node),
        .id = request->offset,
        .more = request->bytes,
    };

    record.flags =
        (uint16_t)((request->has_ret ? CT_TAPE_HAS_RET : 0) |
                   (request->complete ? CT_TAPE_COMPLETE : 0) |
                   (request->range_unknown ? CT_TAPE_NO_RANGE : 0) |
                   (request->begin_known ? 0 : CT_TAPE_BEGAN_EARLIER));
    ct_spool_append(view->chrome.tape, &record, sizeof(record));
    ct_spool_append(view->chrome.tape, &more, sizeof(more));
    for (unsigned i = 0; i < request->n_segments; i++) {
        put_segment(view, request, &request->segments[i], record.tid);
    }
    ct_lanes_leave(view->chrome.lanes, id_of(request->pid), group, lane,
                   request->end_ns);
}

/* --- the end ------------------------------------------------------------- */

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct view *view = from_consumer(consumer);
    struct ct_chrome *chrome = &view->chrome;

    if (!summary || consumer->failed) {
        return true;
    }
    flush_counter(view);
    ct_tracks_finish(&chrome->tracks, summary->end_ns - summary->origin_ns);
    return ct_chrome_write(chrome, view->out, summary, error);
}

static void free_run(struct ct_view_run *run)
{
    struct view *view = (struct view *)run;

    ct_tracks_fini(&view->chrome.tracks);
    ct_labels_free(view->chrome.labels);
    ct_lanes_free(view->chrome.lanes);
    ct_spool_free(view->chrome.tape);
    g_hash_table_destroy(view->pairs);
    g_free(view);
}

struct ct_view_run *ct_view_chrome(const struct ct_settings *settings,
                                   struct ct_out *out, GError **error)
{
    struct view *view = g_new0(struct view, 1);
    g_autofree char *directory = NULL;

    /* Beside the output, which will be greater. */
    if (out->path) {
        directory = g_path_get_dirname(out->path);
    }
    view->out = out;
    view->chrome.split_bytes = settings->split_bytes;
    view->chrome.tape = ct_spool_new(directory);
    view->chrome.labels = ct_labels_new();
    view->chrome.lanes = ct_lanes_new();
    ct_tracks_init(&view->chrome.tracks, view->chrome.tape);
    view->pairs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    view->consumer = (struct ct_consumer){
        .request_began = on_request_began,
        .request = on_request,
        .slice_began = on_slice_began,
        .slice = on_slice,
        .edge = on_edge,
        .counter = on_counter,
        .thread_name = on_thread_name,
        .gap = on_gap,
        .finish = on_finish,
    };
    view->run.consumers[0] = &view->consumer;
    view->run.free = free_run;
    return &view->run;
}

struct ct_view_run *ct_view_chrome_of(struct ct_chrome_pair *pair,
                                      unsigned side)
{
    static const struct ct_settings settings;
    struct ct_view_run *run = ct_view_chrome(&settings, pair->out, NULL);
    struct view *view = (struct view *)run;

    view->chrome.pair = pair;
    view->chrome.side = side;
    return run;
}
