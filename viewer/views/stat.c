/* SPDX-License-Identifier: MIT */
/*
 * stat.c - totals over a whole trace
 *
 * Two consumers: the analyzer's gathers, and one of ours, which finishes after
 * it, prints; there the loaded files are still known, for the name of the
 * longest callback.
 */
#include "views/make.h"

#include <inttypes.h>

#include "ct/stat.h"
#include "out/inert.h"
#include "out/json.h"
#include "out/terminal.h"

struct view {
    struct ct_view_run run;
    struct ct_consumer printer;
    struct ct_out *out;
    bool json;
    struct ct_stat *stat;
};

/* --- JSON -------------------------------------------------------------------
 */

static void json_requests(struct ct_json *json,
                          const struct ct_stat_result *result)
{
    bool known = result->has_latency;

    ct_json_key(json, "requests");
    ct_json_object(json);
    ct_json_key(json, "count");
    ct_json_u64(json, result->requests);
    ct_json_key(json, "complete");
    ct_json_u64(json, result->requests_complete);
    ct_json_key(json, "latency_ns");
    ct_json_object(json);
    ct_json_key(json, "p50");
    ct_json_known_i64(json, known, result->p50_ns);
    ct_json_key(json, "p90");
    ct_json_known_i64(json, known, result->p90_ns);
    ct_json_key(json, "p99");
    ct_json_known_i64(json, known, result->p99_ns);
    ct_json_key(json, "p999");
    ct_json_known_i64(json, known, result->p999_ns);
    ct_json_key(json, "max");
    ct_json_known_i64(json, known, result->max_ns);
    ct_json_object_end(json);
    ct_json_object_end(json);
}

static void json_states(struct ct_json *json,
                        const struct ct_stat_result *result)
{
    ct_json_key(json, "states");
    ct_json_object(json);
    for (unsigned i = 0; i < CT_STATES; i++) {
        char quoted[64];
        int n = g_snprintf(quoted, sizeof(quoted),
                           "\"%s\":", ct_state_word((enum ct_state)i));

        ct_json_key_text(json, quoted, (size_t)n);
        ct_json_known_i64(json, result->summary.has_clock,
                          result->states_ns[i]);
    }
    ct_json_object_end(json);
}

/* Where the clock is that of a reader: how far off durations may be. */
static void json_errors(struct ct_json *json,
                        const struct ct_stat_result *result)
{
    if (!result->has_errors) {
        return;
    }
    ct_json_key(json, "clock_error_ns");
    ct_json_object(json);
    ct_json_key(json, "p50");
    ct_json_known_i64(json, result->has_latency, result->error_p50_ns);
    ct_json_key(json, "p99");
    ct_json_known_i64(json, result->has_latency, result->error_p99_ns);
    ct_json_key(json, "max");
    ct_json_i64(json, result->summary.error_ns);
    ct_json_object_end(json);
}

/* What became of a log's lines. */
static void json_log(struct ct_json *json, const struct ct_log_counts *log)
{
    if (!log->lines && !log->pieces) {
        return;
    }
    ct_json_key(json, "log");
    ct_json_object(json);
    ct_json_key(json, "lines");
    ct_json_u64(json, log->lines);
    ct_json_key(json, "pieces");
    ct_json_u64(json, log->pieces);
    ct_json_key(json, "foreign");
    ct_json_u64(json, log->foreign);
    ct_json_key(json, "malformed");
    ct_json_u64(json, log->malformed);
    ct_json_key(json, "stepped_back");
    ct_json_u64(json, log->stepped_back);
    ct_json_key(json, "clock_set");
    ct_json_u64(json, log->clock_set);
    ct_json_object_end(json);
}

static void json_contexts(struct ct_json *json,
                          const struct ct_stat_result *result,
                          struct ct_symbols *symbols)
{
    bool has_clock = result->summary.has_clock;

    ct_json_key(json, "contexts");
    ct_json_array(json);
    for (unsigned i = 0; i < result->n_contexts; i++) {
        const struct ct_stat_context *context = &result->contexts[i];

        ct_json_object(json);
        ct_json_key(json, "pid");
        ct_json_i64(json, context->pid);
        ct_json_key(json, "id");
        ct_json_id(json, context->id);
        ct_json_key(json, "name");
        ct_json_string(json, context->name);
        ct_json_key(json, "polls");
        ct_json_u64(json, context->polls);
        ct_json_key(json, "max_poll_depth");
        ct_json_u64(json, context->max_poll_depth);
        ct_json_key(json, "bh_runs");
        ct_json_u64(json, context->bh_runs);
        ct_json_key(json, "busy_ns");
        ct_json_known_i64(json, has_clock, context->busy_ns);
        ct_json_key(json, "longest_callback_ns");
        ct_json_known_i64(json, has_clock && context->longest_callback_fn,
                          context->longest_callback_ns);
        ct_json_key(json, "longest_callback");
        ct_json_string(
            json, context->longest_callback_fn
                      ? ct_symbols_function(symbols, context->pid,
                                            context->longest_callback_fn, false)
                      : NULL);
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

/* Events are missing: counts are of what was seen. */
static bool is_bound(const struct ct_summary *summary)
{
    return summary->discarded > 0 || !summary->discarded_known ||
           !summary->complete;
}

static void json_bound(struct ct_json *json, const struct ct_summary *summary)
{
    if (is_bound(summary)) {
        ct_json_key(json, "bound");
        ct_json_bool(json, true);
    }
}

static void print_json(struct view *view, const struct ct_stat_result *result,
                       struct ct_symbols *symbols)
{
    const struct ct_summary *summary = &result->summary;
    char origin[24];
    struct ct_json json;

    origin[ct_digits(origin, (uint64_t)summary->origin_ns)] = '\0';
    ct_json_init(&json, view->out);
    ct_json_object(&json);
    ct_json_key(&json, "origin_ns");
    ct_json_string(&json, summary->has_clock ? origin : NULL);
    ct_json_key(&json, "clock");
    ct_json_string(&json, summary->clock);
    ct_json_key(&json, "events");
    ct_json_u64(&json, summary->events);
    ct_json_key(&json, "unknown_events");
    ct_json_u64(&json, summary->unknown_events);
    ct_json_key(&json, "discarded");
    if (summary->discarded_known) {
        ct_json_u64(&json, summary->discarded);
    } else {
        ct_json_null(&json);
    }
    ct_json_key(&json, "complete");
    ct_json_bool(&json, summary->complete);
    ct_json_key(&json, "duration_ns");
    ct_json_known_i64(&json, summary->has_clock,
                      summary->end_ns - summary->begin_ns);
    json_errors(&json, result);
    json_log(&json, &summary->log);
    json_requests(&json, result);
    json_states(&json, result);
    json_contexts(&json, result, symbols);
    ct_json_key(&json, "workers");
    ct_json_object(&json);
    ct_json_key(&json, "spawned");
    ct_json_u64(&json, result->workers_spawned);
    ct_json_key(&json, "exited");
    ct_json_u64(&json, result->workers_exited);
    ct_json_key(&json, "peak");
    ct_json_u64(&json, result->workers_peak);
    json_bound(&json, summary);
    ct_json_object_end(&json);
    ct_json_key(&json, "coroutines");
    ct_json_object(&json);
    ct_json_key(&json, "created");
    ct_json_u64(&json, result->coroutines_created);
    ct_json_key(&json, "peak");
    ct_json_u64(&json, result->coroutines_peak);
    json_bound(&json, summary);
    ct_json_object_end(&json);
    ct_json_object_end(&json);
    ct_json_line(&json);
}

/* --- text -------------------------------------------------------------------
 */

/* A line "Title      words", the title bold. */
static void put(struct ct_text *text, const char *title, GString *words)
{
    GString *line = g_string_new(NULL);

    ct_text_styled(text, line, CT_BOLD, title);
    for (size_t n = strlen(title); n < 12; n++) {
        g_string_append_c(line, ' ');
    }
    g_string_append_len(line, words->str, (gssize)words->len);
    ct_out_write(text->out, line->str, line->len);
    ct_out_line(text->out);
    g_string_free(line, TRUE);
    g_string_truncate(words, 0);
}

static void text_trace(struct ct_text *text, GString *words,
                       const struct ct_summary *summary)
{
    if (summary->has_clock) {
        ct_text_ns(text, words, summary->end_ns - summary->begin_ns);
        g_string_append(words, ", ");
    }
    ct_text_count(words, summary->events);
    g_string_append(words, " events, ");
    if (!summary->discarded_known) {
        ct_text_styled(text, words, CT_YELLOW, "an unknown number lost");
    } else if (summary->discarded) {
        GString *lost = g_string_new(NULL);

        ct_text_count(lost, summary->discarded);
        g_string_append(lost, " lost");
        ct_text_styled(text, words, CT_RED, lost->str);
        g_string_free(lost, TRUE);
    } else {
        g_string_append(words, "none lost");
    }
    if (summary->unknown_events) {
        g_string_append(words, ", ");
        ct_text_count(words, summary->unknown_events);
        g_string_append(words, " of unknown kinds");
    }
    if (!summary->complete) {
        g_string_append(words, ", ");
        ct_text_styled(text, words, CT_YELLOW, "incomplete");
    }
    put(text, "Trace", words);
}

static void text_log(struct ct_text *text, GString *words,
                     const struct ct_log_counts *log)
{
    const struct {
        uint64_t n;
        const char *what;
    } counts[] = {
        {log->foreign, "no events"},
        {log->malformed, "not readable"},
        {log->pieces, "within others"},
        {log->stepped_back, "with a time before another thread's"},
        {log->clock_set, "where the clock was set back"},
    };

    if (!log->lines && !log->pieces) {
        return;
    }
    ct_text_count(words, log->lines);
    g_string_append(words, " lines");
    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        if (counts[i].n) {
            g_string_append(words, ", ");
            ct_text_count(words, counts[i].n);
            g_string_append_printf(words, " %s", counts[i].what);
        }
    }
    put(text, "Log", words);
}

static void text_errors(struct ct_text *text, GString *words,
                        const struct ct_stat_result *result)
{
    if (!result->has_errors) {
        return;
    }
    g_string_append(words, "a reader's, late by at most ");
    ct_text_ns(text, words, result->summary.error_ns);
    if (result->has_latency) {
        g_string_append(words, "; of latencies p50 +-");
        ct_text_ns(text, words, result->error_p50_ns);
        g_string_append(words, "   p99 +-");
        ct_text_ns(text, words, result->error_p99_ns);
    }
    put(text, "Clock", words);
}

static void text_requests(struct ct_text *text, GString *words,
                          const struct ct_stat_result *result)
{
    const struct {
        const char *name;
        int64_t ns;
    } points[] = {
        {"p50", result->p50_ns}, {"p90", result->p90_ns},
        {"p99", result->p99_ns}, {"p99.9", result->p999_ns},
        {"max", result->max_ns},
    };

    ct_text_count(words, result->requests);
    if (result->requests_complete < result->requests) {
        g_string_append(words, ", ");
        ct_text_count(words, result->requests - result->requests_complete);
        g_string_append(words, " of them not seen whole");
    }
    put(text, "Requests", words);
    if (!result->has_latency) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(points); i++) {
        g_string_append_printf(words, "%s%s ", i ? "   " : "", points[i].name);
        ct_text_ns(text, words, points[i].ns);
    }
    put(text, "Latency", words);
}

/* A bar of @width columns, eighths of a column where the place has them. */
static void bar(const struct ct_text *text, GString *words, int64_t part,
                int64_t whole, unsigned width)
{
    static const char *const eighths[] = {
        "",       "\u258f", "\u258e", "\u258d",
        "\u258c", "\u258b", "\u258a", "\u2589",
    };
    uint64_t n = (uint64_t)((double)part / (double)whole * width * 8 + 0.5);

    /* What is there is seen. */
    n = MAX(n, text->utf8 ? 1 : 8);
    for (; n >= 8; n -= 8) {
        g_string_append(words, text->utf8 ? "\u2588" : "#");
    }
    if (text->utf8) {
        g_string_append(words, eighths[n]);
    }
}

/* "lock           71.71 ms  63.7 %  #####" */
static void state_line(const struct ct_text *text, GString *words,
                       enum ct_state state, int64_t part_ns, int64_t whole_ns)
{
    const char *word = ct_state_word(state);
    GString *cell = g_string_new(NULL);

    ct_text_styled(text, words, ct_state_style(state), word);
    ct_text_ns(text, cell, part_ns);
    g_string_append_printf(words, "%*s", (int)(13 - strlen(word)), "");
    for (unsigned n = ct_text_width(cell->str); n < 10; n++) {
        g_string_append_c(words, ' ');
    }
    g_string_append_printf(words, "%s %5.1f %%  ", cell->str,
                           (double)part_ns * 100 / (double)whole_ns);
    g_string_truncate(cell, 0);
    bar(text, cell, part_ns, whole_ns, 24);
    ct_text_styled(text, words, ct_state_style(state), cell->str);
    g_string_free(cell, TRUE);
}

static void text_states(struct ct_text *text, GString *words,
                        const struct ct_stat_result *result)
{
    int64_t left[CT_STATES];
    int64_t whole = 0;
    const char *title = "Their time";

    for (unsigned i = 0; i < CT_STATES; i++) {
        left[i] = result->states_ns[i];
        whole += left[i];
    }
    while (whole > 0) {
        unsigned greatest = 0;

        for (unsigned i = 1; i < CT_STATES; i++) {
            if (left[i] > left[greatest]) {
                greatest = i;
            }
        }
        if (left[greatest] <= 0) {
            break;
        }
        state_line(text, words, (enum ct_state)greatest, left[greatest], whole);
        put(text, title, words);
        title = "";
        left[greatest] = 0;
    }
}

static void text_contexts(struct ct_text *text,
                          const struct ct_stat_result *result,
                          struct ct_symbols *symbols)
{
    struct ct_table table = {
        .text = *text,
        .n_columns = 6,
        .columns = {{.title = "Context", .width = 10},
                    {.title = "turns", .right = true, .width = 6},
                    {.title = "depth", .right = true},
                    {.title = "BHs", .right = true, .width = 6},
                    {.title = "busy", .right = true, .width = 9},
                    {.title = "longest callback"}},
    };

    ct_table_titles(&table);
    for (unsigned i = 0; i < result->n_contexts; i++) {
        const struct ct_stat_context *context = &result->contexts[i];
        GString *cells[6];
        const char *texts[6];
        const char *name;

        for (unsigned k = 0; k < 6; k++) {
            cells[k] = g_string_new(NULL);
        }
        if (context->name && *context->name) {
            ct_inert_append(cells[0], context->name);
        } else {
            g_string_append_printf(cells[0], "%" PRIu64, context->id);
        }
        ct_text_count(cells[1], context->polls);
        g_string_append_printf(cells[2], "%u", context->max_poll_depth);
        ct_text_count(cells[3], context->bh_runs);
        if (result->summary.has_clock) {
            ct_text_ns(text, cells[4], context->busy_ns);
        }
        if (context->longest_callback_fn && result->summary.has_clock) {
            ct_text_ns(text, cells[5], context->longest_callback_ns);
            name = ct_symbols_function(symbols, context->pid,
                                       context->longest_callback_fn, false);
            g_string_append(cells[5], "  ");
            ct_inert_append(cells[5], name ? name : "?");
        }
        for (unsigned k = 0; k < 6; k++) {
            texts[k] = cells[k]->str;
        }
        ct_table_row(&table, texts);
        for (unsigned k = 0; k < 6; k++) {
            g_string_free(cells[k], TRUE);
        }
    }
}

static void print_text(struct view *view, const struct ct_stat_result *result,
                       struct ct_symbols *symbols)
{
    GString *words = g_string_new(NULL);
    struct ct_text text;

    ct_text_init(&text, view->out);
    text_trace(&text, words, &result->summary);
    text_log(&text, words, &result->summary.log);
    text_errors(&text, words, result);
    text_requests(&text, words, result);
    if (result->summary.has_clock) {
        text_states(&text, words, result);
    }
    const char *seen =
        is_bound(&result->summary) ? ", of what was recorded" : "";
    ct_text_count(words, result->workers_spawned);
    g_string_append(words, " spawned, ");
    ct_text_count(words, result->workers_exited);
    g_string_append(words, " exited, at most ");
    ct_text_count(words, result->workers_peak);
    g_string_append_printf(words, " at once%s", seen);
    put(&text, "Workers", words);
    ct_text_count(words, result->coroutines_created);
    g_string_append(words, " created, at most ");
    ct_text_count(words, result->coroutines_peak);
    g_string_append_printf(words, " at once%s", seen);
    put(&text, "Coroutines", words);
    if (result->n_contexts) {
        ct_out_line(text.out);
        text_contexts(&text, result, symbols);
    }
    g_string_free(words, TRUE);
}

/* --- the pass
 * ----------------------------------------------------------------- */

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct view *view =
        (struct view *)((char *)consumer - offsetof(struct view, printer));
    const struct ct_stat_result *result = ct_stat_get(view->stat);
    struct ct_symbols *symbols;

    if (!result || !summary || consumer->failed) {
        return true;
    }
    symbols = ct_symbols_new(summary->images);
    if (view->json) {
        print_json(view, result, symbols);
    } else {
        print_text(view, result, symbols);
    }
    ct_symbols_free(symbols);
    return ct_out_flush(view->out) || ct_out_failed(view->out, error);
}

static void free_run(struct ct_view_run *run)
{
    struct view *view = (struct view *)run;

    ct_stat_free(view->stat);
    g_free(view);
}

struct ct_view_run *ct_view_stat(const struct ct_settings *settings,
                                 struct ct_out *out, GError **error)
{
    struct view *view = g_new0(struct view, 1);

    view->out = out;
    view->json = settings->json;
    view->stat = ct_stat_new();
    view->printer.finish = on_finish;
    view->run.consumers[0] = ct_stat_consumer(view->stat);
    view->run.consumers[1] = &view->printer;
    view->run.free = free_run;
    return &view->run;
}
