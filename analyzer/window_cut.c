/* SPDX-License-Identifier: MIT */
/*
 * window_cut.c - the part of a request that lies in a window
 *
 * A request that began before the window is shown from there on, as one whose
 * begin was not seen.  Its first segment is cut; what ran meanwhile is not
 * known of a part of a segment, so that it has no pieces.
 *
 * Requests are numbered anew: first those that are open where the window
 * begins, then the others, both in the order of their begins.  So the numbers
 * do not depend on how much of the trace was read before it.
 */
#include "window_int.h"

uint64_t ct_window_number(const struct ct_window *window, uint64_t number)
{
    const uint64_t *found;

    if (number > window->last_number) {
        return number - window->last_number + window->n_open;
    }
    found = g_hash_table_lookup(window->numbers, &number);
    return found ? *found : 0;
}

static struct ct_segment cut_segment(const struct ct_window *window,
                                     const struct ct_segment *segment)
{
    struct ct_segment cut = *segment;

    if (cut.begin_ns < window->begin_ns) {
        cut.begin_ns = window->begin_ns;
        cut.cause.n_ran = 0;
        cut.cause.first_ran = 0;
    }
    cut.cause.request = ct_window_number(window, cut.cause.request);
    return cut;
}

static bool is_before(const struct ct_window *window,
                      const struct ct_segment *segment)
{
    return segment->end_ns <= window->begin_ns;
}

static void cut_segments(struct ct_window *window, struct ct_request *request)
{
    g_array_set_size(window->segments, 0);
    for (unsigned i = 0; i < request->n_segments; i++) {
        if (!is_before(window, &request->segments[i])) {
            struct ct_segment cut = cut_segment(window, &request->segments[i]);
            g_array_append_val(window->segments, cut);
        }
    }
    request->segments =
        (const struct ct_segment *)(void *)window->segments->data;
    request->n_segments = window->segments->len;
}

static void cut_path(struct ct_window *window, struct ct_request *request)
{
    if (!request->path) {
        return;
    }
    g_array_set_size(window->path_segments, 0);
    for (unsigned i = 0; i < request->n_path; i++) {
        const struct ct_path_segment *old = &request->path[i];

        if (!is_before(window, &old->segment)) {
            struct ct_path_segment cut = {
                ct_window_number(window, old->request),
                cut_segment(window, &old->segment),
            };
            g_array_append_val(window->path_segments, cut);
        }
    }
    request->path =
        (const struct ct_path_segment *)(void *)window->path_segments->data;
    request->n_path = window->path_segments->len;
}

/* Its length is what the segments' causes refer to. */
static void number_ran(struct ct_window *window, struct ct_request *request)
{
    unsigned n = 0;

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_cause *cause = &request->segments[i].cause;
        n = MAX(n, cause->first_ran + cause->n_ran);
    }
    g_array_set_size(window->ran, 0);
    for (unsigned i = 0; request->ran && i < n; i++) {
        struct ct_ran ran = request->ran[i];
        ran.request = ct_window_number(window, ran.request);
        g_array_append_val(window->ran, ran);
    }
    if (request->ran) {
        request->ran = (const struct ct_ran *)(void *)window->ran->data;
    }
}

void ct_window_tell_begin(struct ct_window *window, struct ct_request *request)
{
    struct ct_request saved = *request;

    /* Consumers keep its address, so it must be account's own. */
    request->number = ct_window_number(window, saved.number);
    request->parent = ct_window_number(window, saved.parent);
    if (request->begin_ns < window->begin_ns) {
        request->begin_ns = window->begin_ns;
        request->begin_known = request->begin_told = false;
    }
    CT_WINDOW_TELL(window, request_began, request);
    saved.user = request->user;
    *request = saved;
}

void ct_window_tell_request(struct ct_window *window,
                            const struct ct_request *told)
{
    struct ct_request *request = (struct ct_request *)told;
    struct ct_request saved = *request;

    request->number = ct_window_number(window, saved.number);
    request->parent = ct_window_number(window, saved.parent);
    number_ran(window, request);
    cut_segments(window, request);
    cut_path(window, request);
    if (request->begin_ns < window->begin_ns) {
        request->begin_ns = window->begin_ns;
        request->end_ns = MAX(request->end_ns, window->begin_ns);
        request->begin_known = request->begin_told = false;
        request->complete = false;
    }
    CT_WINDOW_TELL(window, request, told);
    *request = saved;
}
