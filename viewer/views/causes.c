/* SPDX-License-Identifier: MIT */
/*
 * causes.c - who is to blame for a segment
 *
 * Function names come from the files that the trace has told of by now.  Where
 * it has not yet told of the file, the address is shown, never another name.
 */
#include "views/causes.h"

#include <inttypes.h>
#include <string.h>

#include "out/inert.h"

void ct_blame_view_fini(struct ct_blame_view *causes)
{
    ct_symbols_free(causes->symbols);
    causes->symbols = NULL;
}

/* Its name; NULL: it has none. */
static const char *name_of(struct ct_blame_view *causes,
                           const struct ct_consumer *consumer, int32_t pid,
                           const struct ct_ran *ran)
{
    if (ran->name) {
        return ran->name;
    }
    if (!ran->fn || !consumer->images) {
        return NULL;
    }
    if (!causes->symbols) {
        causes->symbols = ct_symbols_new(consumer->images, NULL);
    }
    return ct_symbols_function(causes->symbols, pid, ran->fn, false);
}

static void json_ran(struct ct_blame_view *causes, struct ct_json *json,
                     const struct ct_consumer *consumer, int32_t pid,
                     const struct ct_ran *ran)
{
    ct_json_object(json);
    ct_json_key(json, "kind");
    ct_json_string(json, ct_ran_word(ran->kind));
    if (ran->kind == CT_RAN_STATE) {
        ct_json_key(json, "state");
        ct_json_string(json, ct_state_word(ran->state));
    } else {
        const char *name = name_of(causes, consumer, pid, ran);
        ct_json_key(json, "name");
        ct_json_string(json, name);
        if (!name && ran->fn) {
            ct_json_key(json, "address");
            ct_json_hex(json, ran->fn);
        }
        if (ran->id) {
            ct_json_u64_of(json, "id", true, ran->id);
        }
        ct_json_u64_of(json, "count", true, ran->count);
    }
    if (ran->depth) {
        ct_json_u64_of(json, "depth", true, ran->depth);
    }
    ct_json_u64_of(json, "request", ran->request != 0, ran->request);
    ct_json_i64_of(json, "ns", consumer->has_clock, ran->ns);
    ct_json_object_end(json);
}

static void json_cause(struct ct_blame_view *causes, struct ct_json *json,
                       const struct ct_consumer *consumer,
                       const struct ct_request *request,
                       const struct ct_segment *segment)
{
    const struct ct_cause *cause = &segment->cause;

    if (cause->kind == CT_CAUSE_NONE) {
        ct_json_null(json);
        return;
    }
    ct_json_object(json);
    ct_json_key(json, "kind");
    ct_json_string(json, ct_cause_word(cause->kind));
    ct_json_u64_of(json, "id", cause->id != 0, cause->id);
    ct_json_u64_of(json, "coroutine", cause->coroutine != 0, cause->coroutine);
    ct_json_u64_of(json, "request", cause->request != 0, cause->request);
    if (segment->state == CT_STATE_WORK_QUEUED && request->path) {
        uint64_t ahead = 0;
        for (unsigned i = 0; i < cause->n_ran; i++) {
            ahead += request->ran[cause->first_ran + i].count;
        }
        ct_json_u64_of(json, "pool", cause->pool != 0, cause->pool);
        ct_json_u64_of(json, "ahead", true, ahead);
    }
    if (cause->n_ran) {
        ct_json_key(json, "ran");
        ct_json_array(json);
        for (unsigned i = 0; i < cause->n_ran; i++) {
            json_ran(causes, json, consumer, request->pid,
                     &request->ran[cause->first_ran + i]);
        }
        ct_json_array_end(json);
    }
    ct_json_object_end(json);
}

void ct_blame_view_json(struct ct_blame_view *causes, struct ct_json *json,
                        const struct ct_consumer *consumer,
                        const struct ct_request *request,
                        const struct ct_segment *segment, uint64_t of)
{
    ct_json_object(json);
    if (of) {
        ct_json_u64_of(json, "request", true, of);
    }
    ct_json_key(json, "state");
    ct_json_string(json, ct_state_word(segment->state));
    ct_json_i64_of(json, "begin_ns", consumer->has_clock,
                   segment->begin_ns - consumer->origin_ns);
    ct_json_i64_of(json, "end_ns", consumer->has_clock,
                   segment->end_ns - consumer->origin_ns);
    if (!consumer->has_clock) {
        ct_json_i64_of(json, "seq", true, segment->begin_ns);
        ct_json_i64_of(json, "end_seq", true, segment->end_ns);
    }
    if (consumer->has_errors && !of) {
        unsigned i = (unsigned)(segment - request->segments);

        ct_json_i64_of(json, "error_ns", true, ct_segment_error(request, i));
    }
    if (segment->state == CT_STATE_RUNNING) {
        ct_json_key(json, "on_top");
        ct_json_bool(json, segment->on_top);
    }
    if (segment->tid > 0) {
        ct_json_i64_of(json, "tid", true, segment->tid);
    }
    if (segment->certainty == CT_BOUND) {
        ct_json_key(json, "bound");
        ct_json_bool(json, true);
    }
    if (segment->file) {
        ct_json_key(json, "file");
        ct_json_string(json, segment->file);
    }
    ct_json_key(json, "cause");
    json_cause(causes, json, consumer, request, segment);
    ct_json_object_end(json);
}

/* --- text ---------------------------------------------------------------- */

static bool is_like(const struct ct_ran *a, const struct ct_ran *b)
{
    return a->kind == b->kind && a->state == b->state && a->fn == b->fn &&
           a->request == b->request && !g_strcmp0(a->name, b->name);
}

/* The like of each piece added up; the longest. */
static bool longest(const struct ct_request *request, enum ct_state state,
                    struct ct_ran *ret_most)
{
    struct ct_ran most = {0};

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_cause *one = &request->segments[i].cause;

        /* The first of each is its longest. */
        if (request->segments[i].state != state || !one->n_ran) {
            continue;
        }
        struct ct_ran sum = request->ran[one->first_ran];
        sum.ns = 0;
        for (unsigned j = 0; j < request->n_segments; j++) {
            const struct ct_cause *other = &request->segments[j].cause;
            const struct ct_ran *ran = request->ran + other->first_ran;

            if (request->segments[j].state == state && other->n_ran &&
                is_like(ran, &sum)) {
                sum.ns += ran->ns;
            }
        }
        if (sum.ns > most.ns) {
            most = sum;
        }
        if (i > 64) {
            break; /* of a request in a thousand pieces the first ones */
        }
    }
    *ret_most = most;
    return most.ns > 0;
}

/* The file that it spent most of that state at; @ret_others: there are more. */
static const char *file_of(const struct ct_request *request,
                           enum ct_state state, bool *ret_others)
{
    const char *file = NULL;
    int64_t most_ns = -1;

    *ret_others = false;
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        int64_t ns = segment->end_ns - segment->begin_ns;

        if (segment->state != state || !segment->file) {
            continue;
        }
        *ret_others |= file && strcmp(file, segment->file) != 0;
        if (ns > most_ns) {
            file = segment->file;
            most_ns = ns;
        }
    }
    return file;
}

static bool text_file(GString *words, const struct ct_request *request,
                      enum ct_state state)
{
    bool has_others;
    const char *file = file_of(request, state, &has_others);

    if (file) {
        const char *slash = strrchr(file, '/');

        g_string_append(words, " (in ");
        ct_inert_append(words, slash && slash[1] ? slash + 1 : file);
        g_string_append(words, has_others ? " and others)" : ")");
    }
    return file != NULL;
}

void ct_blame_view_text(struct ct_blame_view *causes, GString *words,
                        const struct ct_consumer *consumer,
                        const struct ct_request *request, enum ct_state state)
{
    struct ct_ran most;
    const char *name;

    if (text_file(words, request, state)) {
        return;
    }
    if (!longest(request, state, &most)) {
        for (unsigned i = 0; i < request->n_segments; i++) {
            enum ct_cause_kind kind = request->segments[i].cause.kind;

            if (request->segments[i].state == state && kind == CT_CAUSE_SPAWN) {
                g_string_append_printf(words, " (%s)", ct_cause_word(kind));
                return;
            }
        }
        return;
    }
    if (most.kind == CT_RAN_UNKNOWN || most.kind == CT_RAN_OTHERS) {
        return;
    }
    name = name_of(causes, consumer, request->pid, &most);
    g_string_append(words, " (");
    g_string_append(words, most.kind == CT_RAN_STATE ? ct_state_word(most.state)
                                                     : ct_ran_word(most.kind));
    if (name && most.kind != CT_RAN_STATE) {
        g_string_append_c(words, ' ');
        ct_inert_append(words, name);
    }
    if (most.request) {
        g_string_append_printf(words, " of %" PRIu64, most.request);
    }
    g_string_append_c(words, ')');
}
