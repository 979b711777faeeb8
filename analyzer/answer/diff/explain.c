/* SPDX-License-Identifier: MIT */
/*
 * Backtraces of decisions: of a coroutine where it goes on (or waits next), of
 * a work item its function's begin, of a callback what asked for it, of a
 * request where it was begun.
 */
#include "answer/diff/explain.h"

#include <glib.h>

#include "answer/diff/labels.h"
#include "answer/frames.h"

struct wanted {
    uint32_t slice;
    bool waits;
    bool seen;
    bool waits_for_stack; /* a work item tells it after its begin */
    bool is_base;         /* a request's stack, which reaches a thread's base */
    bool is_running;      /* it is a coroutine, and has not waited since */
    int32_t pid, tid;
    uint64_t id;
    uint64_t stack;
    int64_t when_ns;
    struct ct_origin *origin; /* one reference */
    struct ct_explained explained;
};

struct ct_explain {
    struct ct_consumer consumer;
    struct wanted wanted[CT_EXPLAIN_MAX];
    unsigned n;
    uint32_t n_slices;
    struct ct_frames *frames;
    struct ct_symbol_files *files; /* borrowed */
};

static struct ct_explain *explain_of(struct ct_consumer *consumer)
{
    return (struct ct_explain *)consumer; /* its first member */
}

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    struct ct_explain *explain = explain_of(consumer);

    explain->n_slices++;
    for (unsigned i = 0; i < explain->n; i++) {
        struct wanted *wanted = &explain->wanted[i];
        if (wanted->slice != explain->n_slices) {
            continue;
        }
        wanted->seen = true;
        wanted->is_running = slice->kind == CT_SLICE_COROUTINE;
        wanted->waits_for_stack = slice->kind == CT_SLICE_WORK;
        wanted->pid = slice->pid;
        wanted->tid = slice->tid;
        wanted->id = slice->id;
        wanted->stack = slice->stack;
        wanted->when_ns = slice->begin_ns;
        wanted->origin = ct_origin_ref((struct ct_origin *)slice->origin);
    }
}

static void on_own_stack(struct ct_consumer *consumer,
                         const struct ct_own_stack *own)
{
    struct ct_explain *explain = explain_of(consumer);

    for (unsigned i = 0; i < explain->n; i++) {
        struct wanted *wanted = &explain->wanted[i];
        if (own->pid != wanted->pid || own->id != wanted->id) {
            continue;
        }
        if (wanted->waits_for_stack && own->kind == CT_ENTITY_WORK) {
            wanted->stack = own->stack;
            wanted->waits_for_stack = false;
        } else if (wanted->waits && wanted->is_running && own->waits &&
                   own->kind == CT_ENTITY_COROUTINE) {
            ct_origin_unref(wanted->origin);
            wanted->origin = ct_origin_ref((struct ct_origin *)own->origin);
            wanted->stack = own->stack;
            wanted->when_ns = own->when_ns;
            wanted->is_running = false;
        }
    }
}

static void on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct ct_explain *explain = explain_of(consumer);

    for (unsigned i = 0; i < explain->n; i++) {
        struct wanted *wanted = &explain->wanted[i];
        if (wanted->slice & CT_SLICE_IS_REQUEST &&
            request->number == (wanted->slice & ~CT_SLICE_IS_REQUEST)) {
            wanted->seen = true;
            wanted->is_base = !request->origin;
            wanted->pid = request->pid;
            wanted->tid = request->tid;
            wanted->stack = request->stack;
            wanted->when_ns = request->begin_ns;
            wanted->origin = ct_origin_ref(request->origin);
        }
    }
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_explain *explain = explain_of(consumer);

    explain->frames = ct_frames_new(summary, explain->files);
    for (unsigned i = 0; i < explain->n; i++) {
        struct wanted *wanted = &explain->wanted[i];
        struct ct_explained *explained = &wanted->explained;
        if (!wanted->seen) {
            continue;
        }
        ct_frames_begin(explain->frames);
        if (wanted->stack) {
            ct_frames_add_stack(explain->frames, wanted->pid, wanted->stack);
        }
        ct_frames_add_origins(explain->frames, wanted->origin, true,
                              wanted->when_ns);
        explained->frames = ct_frames_end(explain->frames, &explained->n_frames,
                                          &explained->complete);
        explained->complete &= wanted->origin || wanted->is_base;
        explained->is = true;
        explained->pid = wanted->pid;
        explained->tid = wanted->tid;
    }
    return true;
}

struct ct_explain *ct_explain_new(struct ct_symbol_files *files)
{
    struct ct_explain *explain = g_new0(struct ct_explain, 1);

    explain->files = files;
    explain->consumer = (struct ct_consumer){
        .slice_began = on_slice_began,
        .own_stack = on_own_stack,
        .request_began = on_request_began,
        .finish = on_finish,
        .wants_origins = true,
        .has_until = true,
    };
    return explain;
}

void ct_explain_free(struct ct_explain *explain)
{
    if (!explain) {
        return;
    }
    for (unsigned i = 0; i < explain->n; i++) {
        ct_origin_unref(explain->wanted[i].origin);
    }
    ct_frames_free(explain->frames);
    g_free(explain);
}

void ct_explain_add(struct ct_explain *explain, uint32_t slice, bool waits,
                    int64_t when_ns)
{
    struct ct_consumer *consumer = &explain->consumer;

    if (!slice || explain->n == CT_EXPLAIN_MAX ||
        ct_explain_get(explain, slice, waits)) {
        return;
    }
    explain->wanted[explain->n++] =
        (struct wanted){.slice = slice, .waits = waits};
    /* a stack that follows at once may be told a little later */
    consumer->until_ns = MAX(consumer->until_ns, when_ns + 1000000);
}

struct ct_consumer *ct_explain_consumer(struct ct_explain *explain)
{
    return &explain->consumer;
}

const struct ct_explained *ct_explain_get(const struct ct_explain *explain,
                                          uint32_t slice, bool waits)
{
    for (unsigned i = 0; i < explain->n; i++) {
        if (explain->wanted[i].slice == slice &&
            explain->wanted[i].waits == waits) {
            return &explain->wanted[i].explained;
        }
    }
    return NULL;
}
