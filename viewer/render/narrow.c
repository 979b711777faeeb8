/* SPDX-License-Identifier: MIT */
/*
 * narrow.c - a timeline of some requests: what of a pass goes on to the view
 *
 * Whether a slice belongs to it is known at its begin, or only when something
 * in it does, or at its end.  So what is open waits, by thread, until it is
 * known; with a slice all that lie around it go on, so that brackets stay
 * brackets.  One that went on late begins no earlier than what went on of its
 * thread before.
 */
#include "render/narrow.h"

#include "render/narrow_int.h"

struct open_slice {
    struct ct_slice slice;
    bool is_told;
};

struct open_thread {
    GArray *slices; /* struct open_slice, from the outside in */
    int64_t told_ns;
};

/* What the pass sets before its first call is the view's to know. */
static struct ct_narrow *from_filter(struct ct_consumer *consumer)
{
    struct ct_narrow *narrow =
        (struct ct_narrow *)((char *)consumer -
                             offsetof(struct ct_narrow, filter));

    narrow->inner->origin_ns = consumer->origin_ns;
    narrow->inner->has_clock = consumer->has_clock;
    narrow->inner->has_errors = consumer->has_errors;
    narrow->inner->images = consumer->images;
    return narrow;
}

bool ct_narrow_touches(const GArray *stretches, int64_t begin_ns,
                       int64_t end_ns)
{
    unsigned low = 0, high = stretches ? stretches->len : 0;

    /* The first that ends at or after the begin. */
    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (g_array_index(stretches, struct ct_stretch, middle).end_ns <
            begin_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return stretches && low < stretches->len &&
           g_array_index(stretches, struct ct_stretch, low).begin_ns <= end_ns;
}

static bool is_shown(const struct ct_narrow *narrow, uint64_t request)
{
    return request && (g_hash_table_contains(narrow->chosen, &request) ||
                       g_hash_table_contains(narrow->related, &request));
}

static bool lies_in(const struct ct_narrow *narrow, int32_t pid, int32_t tid,
                    int64_t begin_ns, int64_t end_ns)
{
    uint64_t key = ct_narrow_thread(pid, (uint32_t)tid);

    return ct_narrow_touches(g_hash_table_lookup(narrow->regions, &key),
                             begin_ns, end_ns);
}

/* --- slices --------------------------------------------------------------- */

static void free_thread(void *data)
{
    struct open_thread *thread = data;

    g_array_unref(thread->slices);
    g_free(thread);
}

static struct open_thread *thread_of(struct ct_narrow *narrow,
                                     const struct ct_slice *slice)
{
    uint64_t key = ct_narrow_thread(slice->pid, (uint32_t)slice->tid);
    struct open_thread *thread = g_hash_table_lookup(narrow->threads, &key);

    if (!thread) {
        thread = g_new0(struct open_thread, 1);
        thread->slices = g_array_new(FALSE, FALSE, sizeof(struct open_slice));
        thread->told_ns = INT64_MIN;
        g_hash_table_insert(narrow->threads, ct_narrow_key(key), thread);
    }
    return thread;
}

static void tell_open(struct ct_narrow *narrow, struct open_thread *thread)
{
    for (unsigned i = 0; i < thread->slices->len; i++) {
        struct open_slice *open =
            &g_array_index(thread->slices, struct open_slice, i);

        if (!open->is_told) {
            open->is_told = true;
            open->slice.begin_ns = MAX(open->slice.begin_ns, thread->told_ns);
            thread->told_ns = open->slice.begin_ns;
            narrow->inner->slice_began(narrow->inner, &open->slice);
        }
    }
}

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    struct ct_narrow *narrow = from_filter(consumer);
    struct open_thread *thread = thread_of(narrow, slice);
    struct open_slice open = {.slice = *slice};

    open.slice.origin = NULL; /* borrowed for the call */
    g_array_append_val(thread->slices, open);
    if (is_shown(narrow, slice->request) ||
        lies_in(narrow, slice->pid, slice->tid, slice->begin_ns,
                slice->begin_ns)) {
        tell_open(narrow, thread);
    }
}

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct ct_narrow *narrow = from_filter(consumer);
    struct open_thread *thread = thread_of(narrow, slice);
    unsigned n = thread->slices->len;

    if (!n) {
        return;
    }
    if (lies_in(narrow, slice->pid, slice->tid, slice->begin_ns,
                slice->end_ns)) {
        tell_open(narrow, thread);
    }
    if (g_array_index(thread->slices, struct open_slice, n - 1).is_told) {
        thread->told_ns = MAX(thread->told_ns, slice->end_ns);
        narrow->inner->slice(narrow->inner, slice);
    }
    g_array_set_size(thread->slices, n - 1);
}

/* --- requests, arrows, counters ------------------------------------------ */

static void on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct ct_narrow *narrow = from_filter(consumer);

    if (request->parent &&
        g_hash_table_contains(narrow->chosen, &request->parent)) {
        g_hash_table_add(narrow->chosen, ct_narrow_key(request->number));
    }
    if (is_shown(narrow, request->number)) {
        narrow->inner->request_began(narrow->inner, request);
    }
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_narrow *narrow = from_filter(consumer);

    if (is_shown(narrow, request->number)) {
        narrow->inner->request(narrow->inner, request);
    }
}

static void on_edge(struct ct_consumer *consumer, const struct ct_edge *edge)
{
    struct ct_narrow *narrow = from_filter(consumer);

    if (is_shown(narrow, edge->request) ||
        (lies_in(narrow, edge->pid, edge->from_tid, edge->from_ns,
                 edge->from_ns) &&
         lies_in(narrow, edge->pid, edge->to_tid, edge->to_ns, edge->to_ns))) {
        narrow->inner->edge(narrow->inner, edge);
    }
}

static void on_counter(struct ct_consumer *consumer,
                       const struct ct_counter *counter)
{
    struct ct_narrow *narrow = from_filter(consumer);

    if (ct_narrow_touches(narrow->times, counter->when_ns, counter->when_ns)) {
        narrow->inner->counter(narrow->inner, counter);
    }
}

static void on_thread_name(struct ct_consumer *consumer,
                           const struct ct_thread_name *name)
{
    struct ct_narrow *narrow = from_filter(consumer);

    narrow->inner->thread_name(narrow->inner, name);
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct ct_narrow *narrow = from_filter(consumer);

    narrow->inner->gap(narrow->inner, gap);
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_narrow *narrow = from_filter(consumer);

    narrow->inner->failed |= consumer->failed;
    return narrow->inner->finish(narrow->inner, summary, error);
}

/* --- both ---------------------------------------------------------------- */

struct ct_narrow *ct_narrow_new(const GArray *numbers, uint64_t slowest)
{
    struct ct_narrow *narrow = g_new0(struct ct_narrow, 1);

    ct_narrow_find_init(narrow, numbers, slowest);
    narrow->threads =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_thread);
    return narrow;
}

void ct_narrow_free(struct ct_narrow *narrow)
{
    if (narrow) {
        ct_narrow_find_fini(narrow);
        g_hash_table_unref(narrow->threads);
        g_free(narrow);
    }
}

struct ct_consumer *ct_narrow_finder(struct ct_narrow *narrow)
{
    return &narrow->finder;
}

struct ct_consumer *ct_narrow_filter(struct ct_narrow *narrow,
                                     struct ct_consumer *inner)
{
    narrow->inner = inner;
    narrow->filter = (struct ct_consumer){
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
    return &narrow->filter;
}
