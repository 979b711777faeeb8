/* SPDX-License-Identifier: MIT */
/*
 * requests.c - every request, and where its time went
 *
 * A request is known at its end, and shown by its begin: what it shows is made
 * at its end (the analyzer's memory is only lent) and waits in out/held.c
 * until no earlier request is open.  By latency, out/best.c keeps the rows.
 */
#include "views/make.h"

#include <inttypes.h>

#include "out/best.h"
#include "out/held.h"
#include "out/inert.h"
#include "out/quantity.h"
#include "out/table.h"
#include "out/terminal.h"
#include "views/requests.h"

#define TERMINAL_LIMIT 20
#define NARROW_COLUMNS 100

struct requests {
    struct ct_view_run run;
    struct ct_consumer consumer;
    struct ct_out *out;
    struct ct_place place;
    bool json;
    bool all;
    char *layer;
    bool has_limit; /* by start: so many more */
    uint64_t limit;
    struct ct_held *held; /* by start, else NULL */
    struct ct_best *best; /* by latency, else NULL */
    struct ct_request_rows rows;
    struct ct_table table;
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

/* --- the table ----------------------------------------------------------- */

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
    struct ct_out *row = view->rows.out;
    /* Of one that began before what is read, more is known than is shown. */
    int64_t latency_ns =
        MAX(request->end_ns - request->begin_ns, request->latency_min_ns);

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
    row->used_bytes = 0;
    if (view->json) {
        ct_request_json(&view->rows, request);
    } else {
        ct_request_text(&view->rows, request);
    }
    if (view->held) {
        ct_held_put(view->held, (uint64_t)(uintptr_t)request->user - 1,
                    row->buffer, row->used_bytes);
    } else {
        ct_best_put(view->best, latency_ns, row->buffer, row->used_bytes);
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
    ct_table_end(&view->table);
    if (!view->json && !view->shown) {
        text_none(view);
    }
    if (!view->json && view->out->is_terminal && view->slowest) {
        ct_text_next(&view->table.text, &view->place, view->slowest);
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
    ct_table_drop(&view->table);
    ct_blame_view_fini(&view->rows.causes);
    ct_out_close(view->rows.out, false, NULL);
    g_tree_unref(view->layers);
    g_free(view->layer);
    g_free(view);
}

struct ct_view_run *ct_view_requests(const struct ct_settings *settings,
                                     struct ct_out *out, GError **error)
{
    struct requests *view = g_new0(struct requests, 1);

    view->out = out;
    view->place = settings->place;
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
    view->rows.out = ct_out_memory();
    view->rows.text = &view->table.text;
    view->rows.consumer = &view->consumer;
    view->rows.path = settings->critical_path;
    view->rows.blame = settings->blame;
    view->consumer.wants_blame = settings->blame || settings->critical_path;
    view->consumer.request = on_request;
    view->consumer.finish = on_finish;
    view->run.consumers[0] = &view->consumer;
    view->run.streams = view->held != NULL;
    view->run.free = free_run;
    table_init(view);
    return &view->run;
}
