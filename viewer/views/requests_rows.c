/* SPDX-License-Identifier: MIT */
/*
 * requests_rows.c - one request: as JSON, and as the cells of a table
 */
#include "views/requests.h"

#include <inttypes.h>
#include <stdio.h>

#include "out/inert.h"
#include "out/json.h"
#include "out/quantity.h"
#include "views/make.h"

/* Seen, or told by the process. */
static bool has_begin(const struct ct_request *request)
{
    return request->begin_known || request->begin_told;
}

static bool end_known(const struct ct_request *request)
{
    return request->complete || request->has_ret || request->end_known;
}

/* --- JSON ---------------------------------------------------------------- */

/* Without a clock all times are an order, and shown as that. */
static void json_order(struct ct_json *json, const struct ct_request_rows *rows,
                       bool begin_known, int64_t begin_ns, bool end_known,
                       int64_t end_ns)
{
    if (!rows->consumer->has_clock) {
        ct_json_i64_of(json, "seq", begin_known, begin_ns);
        ct_json_i64_of(json, "end_seq", end_known, end_ns);
    }
}

static void json_lists(struct ct_json *json, const struct ct_request *request)
{
    ct_json_key(json, "coroutines");
    ct_json_array(json);
    for (unsigned i = 0; i < request->n_coroutines; i++) {
        ct_json_u64(json, request->coroutines[i]);
    }
    ct_json_array_end(json);
    ct_json_key(json, "workers");
    ct_json_array(json);
    for (unsigned i = 0; i < request->n_workers; i++) {
        ct_json_i64(json, request->workers[i]);
    }
    ct_json_array_end(json);
}

void ct_request_json(struct ct_request_rows *rows,
                     const struct ct_request *request)
{
    bool has_end = end_known(request);
    struct ct_json json;

    ct_json_init(&json, rows->out);
    ct_json_object(&json);
    ct_json_u64_of(&json, "request", true, request->number);
    ct_json_u64_of(&json, "id", true, request->id);
    ct_json_i64_of(&json, "pid", request->pid > 0, request->pid);
    ct_json_i64_of(&json, "tid", request->tid > 0, request->tid);
    ct_json_key(&json, "layer");
    ct_json_string(&json, request->layer);
    ct_json_key(&json, "op");
    ct_json_string(&json, request->op);
    ct_json_key(&json, "node");
    ct_json_string(&json, request->node);
    ct_json_u64_of(&json, "offset", !request->range_unknown, request->offset);
    ct_json_u64_of(&json, "bytes", !request->range_unknown, request->bytes);
    ct_json_i64_of(&json, "ret", request->has_ret, request->ret);
    ct_json_i64_of(&json, "begin_ns",
                   has_begin(request) && rows->consumer->has_clock,
                   request->begin_ns - rows->consumer->origin_ns);
    ct_json_key(&json, "begin_seen");
    ct_json_bool(&json, request->begin_known);
    ct_json_i64_of(&json, "end_ns", has_end && rows->consumer->has_clock,
                   request->end_ns - rows->consumer->origin_ns);
    json_order(&json, rows, has_begin(request), request->begin_ns, has_end,
               request->end_ns);
    ct_json_i64_of(&json, "latency_ns",
                   rows->consumer->has_clock && has_begin(request) && has_end,
                   request->end_ns - request->begin_ns);
    ct_json_i64_of(&json, "latency_min_ns", rows->consumer->has_clock,
                   request->latency_min_ns);
    ct_json_i64_of(&json, "latency_max_ns",
                   rows->consumer->has_clock && request->has_latency_max,
                   request->latency_max_ns);
    if (rows->consumer->has_errors) {
        ct_json_i64_of(&json, "error_ns", has_begin(request) && has_end,
                       ct_request_error(request));
    }
    if (request->end_bound) {
        ct_json_key(&json, "end_bound");
        ct_json_bool(&json, true);
    }
    ct_json_key(&json, "complete");
    ct_json_bool(&json, request->complete);
    ct_json_u64_of(&json, "parent", request->parent != 0, request->parent);
    json_lists(&json, request);
    ct_json_key(&json, "segments");
    ct_json_array(&json);
    for (unsigned i = 0; !rows->path && i < request->n_segments; i++) {
        ct_blame_view_json(&rows->causes, &json, rows->consumer, request,
                           &request->segments[i], 0);
    }
    for (unsigned i = 0; rows->path && i < request->n_path; i++) {
        ct_blame_view_json(&rows->causes, &json, rows->consumer, request,
                           &request->path[i].segment, request->path[i].request);
    }
    ct_json_array_end(&json);
    ct_json_object_end(&json);
}

/* --- text ---------------------------------------------------------------- */

/* "lock 62% (work-running of 4), work-queued 21% (work-item f)": the greatest
 * first, down to 1 %, each with what held it up for longest. */
static void where(struct ct_request_rows *rows, GString *cell,
                  const struct ct_request *request)
{
    int64_t spent_ns[CT_STATES] = {0};
    int64_t total_ns = request->end_ns - request->begin_ns;
    bool first = true;

    for (unsigned i = 0;
         i < (rows->path ? request->n_path : request->n_segments); i++) {
        const struct ct_segment *segment =
            rows->path ? &request->path[i].segment : &request->segments[i];

        spent_ns[segment->state] += segment->end_ns - segment->begin_ns;
    }
    while (total_ns > 0 && rows->consumer->has_clock) {
        char share[64];
        unsigned state = 0;
        unsigned percent;

        for (unsigned i = 1; i < CT_STATES; i++) {
            if (spent_ns[i] > spent_ns[state]) {
                state = i;
            }
        }
        percent =
            (unsigned)((double)spent_ns[state] * 100 / (double)total_ns + 0.5);
        if (!percent) {
            break;
        }
        spent_ns[state] = 0;
        snprintf(share, sizeof(share), "%s %u%%",
                 ct_state_word((enum ct_state)state), percent);
        g_string_append(cell, first ? "" : ", ");
        ct_text_styled(rows->text, cell, ct_state_style((enum ct_state)state),
                       share);
        if (rows->blame && !rows->path) {
            ct_blame_view_text(&rows->causes, cell, rows->consumer, request,
                               (enum ct_state)state);
        }
        first = false;
    }
}

static void text_times(const struct ct_request_rows *rows, GString *cells,
                       const struct ct_request *request)
{
    int64_t origin_ns = rows->consumer->origin_ns;
    bool has_end = end_known(request);

    if (!rows->consumer->has_clock) {
        g_string_append_printf(cells, "#%" PRIi64 "\t?\t", request->begin_ns);
        return;
    }
    if (has_begin(request)) {
        ct_text_us(cells, request->begin_ns - origin_ns);
    } else {
        g_string_append_c(cells, '?');
    }
    g_string_append_c(cells, '\t');
    if (has_begin(request) && has_end) {
        g_string_append(cells, request->end_bound ? "<=" : "");
        ct_text_us(cells, request->end_ns - request->begin_ns);
    } else {
        g_string_append(cells, request->has_latency_max ? "" : ">");
        ct_text_us(cells, request->latency_min_ns);
        if (request->has_latency_max) {
            g_string_append(cells, "..");
            ct_text_us(cells, request->latency_max_ns);
        }
    }
    if (rows->consumer->has_errors && has_begin(request) && has_end) {
        g_string_append(cells, " +-");
        ct_text_us(cells, ct_request_error(request));
    }
    g_string_append_c(cells, '\t');
}

static void text_word(GString *cells, const char *word)
{
    if (word && *word) {
        ct_inert_append(cells, word);
    } else {
        g_string_append_c(cells, '-');
    }
    g_string_append_c(cells, '\t');
}

static void text_size(GString *cells, const struct ct_request *request,
                      uint64_t bytes)
{
    if (request->range_unknown) {
        g_string_append_c(cells, '?');
    } else {
        ct_text_size(cells, bytes);
    }
    g_string_append_c(cells, '\t');
}

static void text_result(const struct ct_request_rows *rows, GString *cells,
                        const struct ct_request *request)
{
    if (!request->has_ret) {
        ct_text_styled(rows->text, cells, CT_YELLOW,
                       end_known(request) ? "?" : "open");
    } else if (request->ret < 0) {
        /* INT32_MIN, which no errno is, has no positive twin. */
        const char *name =
            request->ret > INT32_MIN ? strerrorname_np(-request->ret) : NULL;
        g_autofree char *words = name ? g_strdup_printf("-%s", name)
                                      : g_strdup_printf("%d", request->ret);

        ct_text_styled(rows->text, cells, CT_RED, words);
    } else {
        ct_text_number(cells, (uint64_t)request->ret);
    }
    g_string_append_c(cells, '\t');
}

void ct_request_text(struct ct_request_rows *rows,
                     const struct ct_request *request)
{
    GString *cells = g_string_new(NULL);

    ct_text_number(cells, request->number);
    g_string_append_c(cells, '\t');
    if (request->parent) {
        ct_text_number(cells, request->parent);
        g_string_append_c(cells, '\t');
    } else {
        g_string_append(cells, request->parent_id ? "?\t" : "-\t");
    }
    text_word(cells, request->layer);
    text_word(cells, request->op);
    text_word(cells, request->node);
    text_size(cells, request, request->offset);
    text_size(cells, request, request->bytes);
    text_result(rows, cells, request);
    text_times(rows, cells, request);
    where(rows, cells, request);
    ct_out_write(rows->out, cells->str, cells->len);
    g_string_free(cells, TRUE);
}
