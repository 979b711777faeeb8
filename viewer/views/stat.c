/* SPDX-License-Identifier: MIT */
/*
 * stat.c - totals over a whole trace
 *
 * Two consumers: the analyzer's gathers, and one of ours, which finishes after
 * it, prints; there the loaded files are still known, for the name of the
 * longest callback.
 */
#include "views/stat.h"

#include <inttypes.h>

#include "ct/span.h"
#include "out/inert.h"
#include "out/quantity.h"
#include "out/terminal.h"
#include "views/make.h"

enum { EMPTY_MOST = 3 }; /* so many empty lines are one */

struct view {
    struct ct_view_run run;
    struct ct_consumer printer;
    struct ct_out *out;
    bool json;
    struct ct_stat *stat;
};

bool ct_stat_is_bound(const struct ct_summary *summary)
{
    return summary->discarded > 0 || !summary->discarded_known ||
           !summary->complete;
}

struct ct_stat_certain ct_stat_certain(const struct ct_stat_result *result)
{
    struct ct_stat_certain certain = {0};

    for (unsigned i = 0; i < CT_STATES; i++) {
        if (__builtin_add_overflow(certain.of_ns, result->states_ns[i],
                                   &certain.of_ns)) {
            certain.of_ns = INT64_MAX;
        }
    }
    certain.ns = MAX(certain.of_ns - result->states_ns[CT_STATE_UNKNOWN], 0);
    return certain;
}

/* --- text ---------------------------------------------------------------- */

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
    g_string_append(words, summary->events == 1 ? " event, " : " events, ");
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
    g_string_append(words, log->lines == 1 ? " line" : " lines");
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
    const struct ct_stat_times *latency = &result->latency;
    const struct {
        const char *name;
        int64_t ns;
    } points[] = {
        {"p50", latency->p50_ns}, {"p90", latency->p90_ns},
        {"p99", latency->p99_ns}, {"p99.9", latency->p999_ns},
        {"max", latency->max_ns},
    };
    struct ct_stat_certain certain = ct_stat_certain(result);

    ct_text_count(words, result->requests);
    if (result->requests_complete < result->requests) {
        g_string_append(words, ", ");
        ct_text_count(words, result->requests - result->requests_complete);
        g_string_append(words, " of them not seen whole");
    }
    if (ct_stat_is_bound(&result->summary) && result->summary.has_clock &&
        certain.of_ns > 0) {
        /* Rounded down: 100 % is all of it. */
        int64_t tenths =
            (int64_t)((double)certain.ns * 1000 / (double)certain.of_ns);
        g_string_append_printf(words, ", %.1f %% of their time certain",
                               (double)tenths / 10);
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
        whole = ct_add_ns(whole, left[i]);
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

/* "32.77 us    12  ####", an octave of the latencies a line */
static void text_histogram(struct ct_text *text, GString *words,
                           const struct ct_stat_times *times)
{
    GString *cell = g_string_new(NULL);
    const char *title = "Latencies";
    unsigned first = 0, last = 0;
    uint64_t most = 0;

    for (unsigned i = 0; i < CT_STAT_OCTAVES; i++) {
        if (times->octaves[i]) {
            first = most ? first : i;
            last = i;
            most = MAX(most, times->octaves[i]);
        }
    }
    for (unsigned i = first; i <= last; i++) {
        unsigned next = i;

        while (!times->octaves[next]) {
            next++;
        }
        if (next - i >= EMPTY_MOST) {
            g_string_append(words, text->utf8 ? "\u2026" : "...");
            put(text, title, words);
            i = next;
        }
        g_string_truncate(cell, 0);
        g_string_append(cell, i ? "from " : "below ");
        ct_text_ns(text, cell, INT64_C(1) << MAX(i, 1));
        for (unsigned n = ct_text_width(cell->str); n < 14; n++) {
            g_string_insert_c(cell, -1, ' ');
        }
        g_string_append_len(words, cell->str, (gssize)cell->len);
        g_string_truncate(cell, 0);
        ct_text_count(cell, times->octaves[i]);
        for (unsigned n = ct_text_width(cell->str); n < 9; n++) {
            g_string_append_c(words, ' ');
        }
        g_string_append_printf(words, "%s  ", cell->str);
        if (times->octaves[i]) {
            bar(text, words, (int64_t)times->octaves[i], (int64_t)most, 24);
        }
        put(text, title, words);
        title = "";
    }
    g_string_free(cell, TRUE);
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
        if (result->latency.n) {
            text_histogram(&text, words, &result->latency);
        }
        text_states(&text, words, result);
    }
    const char *seen =
        ct_stat_is_bound(&result->summary) ? ", of what was recorded" : "";
    if (result->workers_spawned || result->workers_peak) {
        ct_text_count(words, result->workers_spawned);
        g_string_append(words, " spawned, ");
        ct_text_count(words, result->workers_exited);
        g_string_append(words, " exited, at most ");
        ct_text_count(words, result->workers_peak);
        g_string_append_printf(words, " at once%s", seen);
    } else {
        g_string_append(words, "none recorded");
    }
    put(&text, "Workers", words);
    if (result->coroutines_created || result->coroutines_peak) {
        ct_text_count(words, result->coroutines_created);
        g_string_append(words, " created, at most ");
        ct_text_count(words, result->coroutines_peak);
        g_string_append_printf(words, " at once%s", seen);
    } else {
        g_string_append(words, "none recorded");
    }
    put(&text, "Coroutines", words);
    if (result->n_contexts) {
        ct_out_line(text.out);
        ct_stat_contexts(&text, result, symbols);
    }
    if (result->n_pools) {
        ct_out_line(text.out);
        ct_stat_pools(&text, result);
    }
    if (result->summary.has_clock && result->n_classes) {
        ct_out_line(text.out);
        ct_stat_classes(&text, result);
    }
    if (result->summary.has_clock && (result->n_contexts || result->n_pools) &&
        result->n_buckets > 1) {
        ct_out_line(text.out);
        ct_stat_over_time(&text, result);
    }
    g_string_free(words, TRUE);
}

/* --- the pass ------------------------------------------------------------ */

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
    symbols = ct_symbols_new(summary->images, NULL);
    if (view->json) {
        ct_stat_json(view->out, result, symbols);
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
