/* SPDX-License-Identifier: MIT */
/*
 * requests.c - every request, and where its time went
 *
 * A request is known at its end, and shown by its begin: what it shows is made
 * at its end (the analyzer's memory is only lent) and waits in out/held.c
 * until no earlier request is open.  By latency, out/best.c keeps the rows.
 *
 * A row is what is printed: a line of JSON, or the cells of a table with tabs
 * between them (inert text holds no tab).
 */
#include "views/make.h"

#include <inttypes.h>
#include <stdio.h>

#include "out/best.h"
#include "out/held.h"
#include "out/inert.h"
#include "out/json.h"
#include "out/quantity.h"
#include "out/table.h"
#include "out/terminal.h"
#include "views/causes.h"

#define TERMINAL_LIMIT 20
#define NARROW_COLUMNS 100

struct requests {
    struct ct_view_run run;
    struct ct_consumer consumer;
    struct ct_out *out;
    bool json;
    bool all;
    char *layer;
    bool has_limit; /* by start: so many more */
    uint64_t limit;
    struct ct_held *held; /* by start, else NULL */
    struct ct_best *best; /* by latency, else NULL */
    struct ct_out *row;   /* the row that is being made */
    struct ct_table table;
    bool blame;
    bool path; /* the critical path instead of the segments */
    struct ct_blame_view causes;
    uint64_t wanted; /* so far; a limit but 0 may end the pass early */
    uint64_t shown;
    bool wants_no_more;
    GTree *layers;    /* char *, of all requests; with `layer` only */
    uint64_t slowest; /* of those that are wanted; 0: none yet */
    int64_t slowest_ns;
};

static struct requests *from_consumer(struct ct_consumer *consumer)
{
    return (struct requests *)((char *)consumer -
                               offsetof(struct requests, consumer));
}

static bool is_shown(const struct requests *view,
                     const struct ct_request *request)
{
    return (view->all || !request->parent_id) &&
           (!view->layer || !g_strcmp0(view->layer, request->layer));
}

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

static void json_size(struct ct_json *json, const struct ct_request *request,
                      uint64_t bytes)
{
    if (request->range_unknown) {
        ct_json_null(json);
    } else {
        ct_json_u64(json, bytes);
    }
}

/* Without a clock all times are an order, and shown as that. */
static void json_time(struct ct_json *json, const struct requests *view,
                      bool known, int64_t ns)
{
    ct_json_known_i64(json, known && view->consumer.has_clock,
                      ns - view->consumer.origin_ns);
}

static void json_order(struct ct_json *json, const struct requests *view,
                       bool begin_known, int64_t begin_ns, bool end_known,
                       int64_t end_ns)
{
    if (!view->consumer.has_clock) {
        ct_json_key(json, "seq");
        ct_json_known_i64(json, begin_known, begin_ns);
        ct_json_key(json, "end_seq");
        ct_json_known_i64(json, end_known, end_ns);
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

static void json_row(struct requests *view, const struct ct_request *request)
{
    bool has_end = end_known(request);
    struct ct_json json;

    ct_json_init(&json, view->row);
    ct_json_object(&json);
    ct_json_key(&json, "request");
    ct_json_u64(&json, request->number);
    ct_json_key(&json, "id");
    ct_json_u64(&json, request->id);
    ct_json_key(&json, "pid");
    ct_json_known_i64(&json, request->pid > 0, request->pid);
    ct_json_key(&json, "tid");
    ct_json_known_i64(&json, request->tid > 0, request->tid);
    ct_json_key(&json, "layer");
    ct_json_string(&json, request->layer);
    ct_json_key(&json, "op");
    ct_json_string(&json, request->op);
    ct_json_key(&json, "node");
    ct_json_string(&json, request->node);
    ct_json_key(&json, "offset");
    json_size(&json, request, request->offset);
    ct_json_key(&json, "bytes");
    json_size(&json, request, request->bytes);
    ct_json_key(&json, "ret");
    ct_json_known_i64(&json, request->has_ret, request->ret);
    ct_json_key(&json, "begin_ns");
    json_time(&json, view, has_begin(request), request->begin_ns);
    ct_json_key(&json, "begin_seen");
    ct_json_bool(&json, request->begin_known);
    ct_json_key(&json, "end_ns");
    json_time(&json, view, has_end, request->end_ns);
    json_order(&json, view, has_begin(request), request->begin_ns, has_end,
               request->end_ns);
    ct_json_key(&json, "latency_ns");
    ct_json_known_i64(&json,
                      view->consumer.has_clock && has_begin(request) && has_end,
                      request->end_ns - request->begin_ns);
    ct_json_key(&json, "latency_min_ns");
    ct_json_known_i64(&json, view->consumer.has_clock, request->latency_min_ns);
    ct_json_key(&json, "latency_max_ns");
    ct_json_known_i64(&json,
                      view->consumer.has_clock && request->has_latency_max,
                      request->latency_max_ns);
    if (view->consumer.has_errors) {
        ct_json_key(&json, "error_ns");
        ct_json_known_i64(&json, has_begin(request) && has_end,
                          ct_request_error(request));
    }
    if (request->end_bound) {
        ct_json_key(&json, "end_bound");
        ct_json_bool(&json, true);
    }
    ct_json_key(&json, "complete");
    ct_json_bool(&json, request->complete);
    ct_json_key(&json, "parent");
    ct_json_id(&json, request->parent);
    json_lists(&json, request);
    ct_json_key(&json, "segments");
    ct_json_array(&json);
    for (unsigned i = 0; !view->path && i < request->n_segments; i++) {
        ct_blame_view_json(&view->causes, &json, &view->consumer, request,
                           &request->segments[i], 0);
    }
    for (unsigned i = 0; view->path && i < request->n_path; i++) {
        ct_blame_view_json(&view->causes, &json, &view->consumer, request,
                           &request->path[i].segment, request->path[i].request);
    }
    ct_json_array_end(&json);
    ct_json_object_end(&json);
}

/* --- text ---------------------------------------------------------------- */

/* "lock 62% (work-running of 4), work-queued 21% (work-item f)": the greatest
 * first, down to 1 %, each with what held it up for longest. */
static void where(struct requests *view, GString *cell,
                  const struct ct_request *request)
{
    int64_t spent_ns[CT_STATES] = {0};
    int64_t total_ns = request->end_ns - request->begin_ns;
    bool first = true;

    for (unsigned i = 0;
         i < (view->path ? request->n_path : request->n_segments); i++) {
        const struct ct_segment *segment =
            view->path ? &request->path[i].segment : &request->segments[i];

        spent_ns[segment->state] += segment->end_ns - segment->begin_ns;
    }
    while (total_ns > 0 && view->consumer.has_clock) {
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
        ct_text_styled(&view->table.text, cell,
                       ct_state_style((enum ct_state)state), share);
        if (view->blame && !view->path) {
            ct_blame_view_text(&view->causes, cell, &view->consumer, request,
                               (enum ct_state)state);
        }
        first = false;
    }
}

static void text_times(const struct requests *view, GString *cells,
                       const struct ct_request *request)
{
    int64_t origin_ns = view->consumer.origin_ns;
    bool has_end = end_known(request);

    if (!view->consumer.has_clock) {
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
    if (view->consumer.has_errors && has_begin(request) && has_end) {
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

static void text_result(const struct requests *view, GString *cells,
                        const struct ct_request *request)
{
    if (!request->has_ret) {
        ct_text_styled(&view->table.text, cells, CT_YELLOW,
                       end_known(request) ? "?" : "open");
    } else if (request->ret < 0) {
        /* INT32_MIN, which no errno is, has no positive twin. */
        const char *name =
            request->ret > INT32_MIN ? strerrorname_np(-request->ret) : NULL;
        g_autofree char *words = name ? g_strdup_printf("-%s", name)
                                      : g_strdup_printf("%d", request->ret);

        ct_text_styled(&view->table.text, cells, CT_RED, words);
    } else {
        g_string_append_printf(cells, "%d", request->ret);
    }
    g_string_append_c(cells, '\t');
}

static void text_row(struct requests *view, const struct ct_request *request)
{
    GString *cells = g_string_new(NULL);

    g_string_append_printf(cells, "%" PRIu64 "\t", request->number);
    if (request->parent) {
        g_string_append_printf(cells, "%" PRIu64 "\t", request->parent);
    } else {
        g_string_append(cells, request->parent_id ? "?\t" : "-\t");
    }
    text_word(cells, request->layer);
    text_word(cells, request->op);
    text_word(cells, request->node);
    text_size(cells, request, request->offset);
    text_size(cells, request, request->bytes);
    text_result(view, cells, request);
    text_times(view, cells, request);
    where(view, cells, request);
    ct_out_write(view->row, cells->str, cells->len);
    g_string_free(cells, TRUE);
}

static void text_leave(struct requests *view, const char *row, size_t length)
{
    const char *cells[CT_TABLE_COLUMNS] = {NULL};
    g_autofree char *text = g_strndup(row, length);
    unsigned n = 0;

    for (char *at = text; at && n < view->table.n_columns; n++) {
        char *tab = n + 1 < view->table.n_columns ? strchr(at, '\t') : NULL;

        cells[n] = at;
        if (tab) {
            *tab++ = '\0';
        }
        at = tab;
    }
    if (n == view->table.n_columns) {
        ct_table_row(&view->table, cells);
    }
}

static void table_init(struct requests *view)
{
    static const struct ct_column columns[] = {
        {.title = "REQUEST", .right = true},
        {.title = "PARENT", .right = true},
        {.title = "LAYER"},
        {.title = "OP", .width = 5},
        {.title = "NODE", .width = 12},
        {.title = "OFFSET", .right = true, .width = 7},
        {.title = "BYTES", .right = true},
        {.title = "RET", .right = true},
        {.title = "BEGIN us", .right = true, .width = 11},
        {.title = "LATENCY us", .right = true},
        {.title = "WHERE THE TIME WENT"},
    };
    struct ct_table *table = &view->table;
    bool is_narrow;

    ct_text_init(&table->text, view->out);
    is_narrow = table->text.columns && table->text.columns < NARROW_COLUMNS;
    table->n_columns = G_N_ELEMENTS(columns);
    for (unsigned i = 0; i < table->n_columns; i++) {
        struct ct_column *column = &table->columns[i];

        *column = columns[i];
        /* A narrow terminal shows what the command is for. */
        column->hidden = (!view->all && !strcmp(column->title, "PARENT")) ||
                         (is_narrow && (!strcmp(column->title, "NODE") ||
                                        !strcmp(column->title, "BEGIN us")));
    }
}

/* --- the pass ------------------------------------------------------------ */

/* A row's turn has come. */
static void on_leave(void *data, const char *row, size_t length)
{
    struct requests *view = data;

    if (view->wants_no_more || view->out->error) {
        return;
    }
    if (view->json) {
        ct_out_write(view->out, row, length);
        ct_out_line(view->out);
    } else {
        if (!view->shown) {
            ct_table_titles(&view->table);
        }
        text_leave(view, row, length);
    }
    view->shown++;
    if (view->held && view->has_limit && view->shown >= view->limit) {
        view->wants_no_more = true;
    }
    view->consumer.failed = view->wants_no_more || view->out->error;
}

static void on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct requests *view = from_consumer(consumer);

    request->user = NULL;
    if (is_shown(view, request)) {
        uint64_t place = ct_held_announce(view->held);

        request->user = (void *)(uintptr_t)(place + 1);
    }
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct requests *view = from_consumer(consumer);
    int64_t latency_ns = request->end_ns - request->begin_ns;

    if (view->layer && request->layer) {
        g_tree_insert(view->layers, g_strdup(request->layer), NULL);
    }
    view->wanted += is_shown(view, request);
    if (is_shown(view, request) &&
        (!view->slowest || latency_ns > view->slowest_ns)) {
        view->slowest = request->number;
        view->slowest_ns = latency_ns;
    }
    if (view->best &&
        (!is_shown(view, request) || !ct_best_wants(view->best, latency_ns))) {
        return;
    }
    if (view->held && !request->user) {
        return;
    }
    view->row->used_bytes = 0;
    if (view->json) {
        json_row(view, request);
    } else {
        text_row(view, request);
    }
    if (view->held) {
        ct_held_put(view->held, (uint64_t)(uintptr_t)request->user - 1,
                    view->row->buffer, view->row->used_bytes);
    } else {
        ct_best_put(view->best, latency_ns, view->row->buffer,
                    view->row->used_bytes);
    }
}

/* " blk, nvme" */
static gboolean add_layer(gpointer key, gpointer value, gpointer data)
{
    GString *line = data;

    g_string_append(line, g_str_has_suffix(line->str, "are") ? " " : ", ");
    ct_inert_append(line, key);
    return FALSE;
}

/* Instead of a table without rows. */
static void text_none(const struct requests *view)
{
    GString *line = g_string_new("no requests");

    if (view->wanted) {
        g_string_truncate(line, 0);
        ct_text_count(line, view->wanted);
        g_string_append_printf(line, " request%s, of which 0 are to be shown",
                               view->wanted == 1 ? "" : "s");
    } else if (view->layer && g_tree_nnodes(view->layers) > 0) {
        g_string_assign(line, "no request of layer ");
        ct_inert_append(line, view->layer);
        g_string_append(line, "; there are");
        g_tree_foreach(view->layers, add_layer, line);
    }
    ct_text_line(&view->table.text, line);
    g_string_free(line, TRUE);
}

/* Who reads it is told where to go from here. */
static void text_next(const struct requests *view)
{
    GString *line = g_string_new(NULL);
    g_autofree char *words = g_strdup_printf(
        "next: cotrace backtrace TRACE --request=%" PRIu64, view->slowest);

    ct_text_styled(&view->table.text, line, CT_DIM, words);
    ct_text_line(&view->table.text, line);
    g_string_free(line, TRUE);
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct requests *view = from_consumer(consumer);

    if (consumer->failed && !view->wants_no_more && !view->out->error) {
        return true;
    }
    if (view->best && !ct_best_leave(view->best, on_leave, view, error)) {
        return false;
    }
    if (view->held && !view->wants_no_more &&
        ct_held_error(view->held, error)) {
        return false;
    }
    if (!view->json && !view->shown) {
        text_none(view);
    }
    if (!view->json && view->out->is_terminal && view->slowest) {
        text_next(view);
    }
    return ct_out_flush(view->out) || ct_out_failed(view->out, error);
}

static int by_name(const void *a, const void *b, void *data)
{
    return strcmp(a, b);
}

static void free_run(struct ct_view_run *run)
{
    struct requests *view = (struct requests *)run;

    ct_held_free(view->held);
    ct_best_free(view->best);
    ct_blame_view_fini(&view->causes);
    ct_out_close(view->row, false, NULL);
    g_tree_unref(view->layers);
    g_free(view->layer);
    g_free(view);
}

struct ct_view_run *ct_view_requests(const struct ct_settings *settings,
                                     struct ct_out *out, GError **error)
{
    struct requests *view = g_new0(struct requests, 1);

    view->out = out;
    view->json = settings->json;
    view->all = settings->all;
    view->layer = g_strdup(settings->layer);
    view->layers = g_tree_new_full(by_name, NULL, g_free, NULL);
    view->has_limit = settings->has_limit;
    view->limit = settings->limit;
    if (settings->sort == CT_SORT_LATENCY) {
        if (!view->has_limit && !view->json && out->is_terminal) {
            view->has_limit = true;
            view->limit = TERMINAL_LIMIT;
        }
        view->best = ct_best_new(view->has_limit, view->limit);
    } else {
        view->held = ct_held_new(on_leave, view);
        view->wants_no_more = view->has_limit && !view->limit;
        view->consumer.request_began = on_request_began;
    }
    view->row = ct_out_memory();
    view->path = settings->critical_path;
    view->blame = settings->blame;
    view->consumer.wants_blame = settings->blame || settings->critical_path;
    view->consumer.request = on_request;
    view->consumer.finish = on_finish;
    view->run.consumers[0] = &view->consumer;
    view->run.streams = view->held != NULL;
    view->run.free = free_run;
    table_init(view);
    return &view->run;
}
