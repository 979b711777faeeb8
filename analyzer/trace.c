/* SPDX-License-Identifier: MIT */
/*
 * trace.c - open a trace, whatever it is, and run one pass over it
 *
 * What runs when:
 *   1. find out what the path is (source/find.c);
 *   2. for CTF: check every packet and make a repaired view if one is needed
 *      (source/salvage.c);
 *   3. build the graph and run it into the pass;
 *   4. finish the pass.
 *
 * A trace that can't be opened, or has no event of ours, is an error and no
 * consumer's finish is called; whatever happens after the first event of ours,
 * finish is called, and what could not be read makes the trace incomplete.
 */
#include "ct/trace.h"

#include <string.h>

#include "source/feed.h"
#include "source/find.h"
#include "source/graph.h"
#include "source/salvage/salvage.h"
#include "source/text/src-text.h"

/* A trace that is being written can change again while we look. */
#define TRIES_MAX 3

G_DEFINE_QUARK(ct - trace - error - quark, ct_trace_error)

struct run {
    const char *path;
    const struct ct_trace_options *options;
    struct ct_feed *feed;
    uint64_t packets;
    uint64_t bytes;
    bool damaged;
};

__attribute__((format(printf, 2, 3))) static void warn(const struct run *run,
                                                       const char *format, ...)
{
    va_list args;
    char *text;

    if (run->options && run->options->warning) {
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        run->options->warning(text, run->options->data);
        g_free(text);
    }
}

static void warn_of_file(const char *text, void *data)
{
    warn(data, "%s", text);
}

static void progress(uint64_t packets, void *data)
{
    const struct run *run = data;

    if (run->packets > 0) {
        run->options->progress((uint64_t)((double)run->bytes *
                                          ((double)MIN(packets, run->packets) /
                                           (double)run->packets)),
                               run->bytes, run->options->data);
    }
}

static bool fail(const struct run *run, GError **error, int code,
                 const char *why)
{
    g_set_error(error, CT_TRACE_ERROR, code, "%s: %s", run->path, why);
    return false;
}

/* --- one graph ----------------------------------------------------------- */

/* CT_GRAPH_FAILED: *ret_why; *ret_built tells whether the sink got anything. */
static enum ct_graph_end run_ctf(struct run *run, const struct ct_view *view,
                                 bool *ret_built, char **ret_why)
{
    const bt_component_class_sink *class = ct_sink_class();
    struct ct_graph *graph = ct_graph_new();
    const GPtrArray *inputs = ct_view_inputs(view);
    enum ct_graph_end end = CT_GRAPH_FAILED;

    *ret_built = true;
    for (unsigned i = 0; *ret_built && i < inputs->len; i++) {
        *ret_built =
            ct_graph_add_ctf(graph, g_ptr_array_index(inputs, i), ret_why);
    }
    if (*ret_built) {
        end = ct_graph_run(graph, class, run->feed, ret_why);
    }
    ct_graph_free(graph);
    bt_component_class_sink_put_ref(class);
    return end;
}

/* --- CTF ----------------------------------------------------------------- */

static struct ct_view *open_view(struct run *run, const GPtrArray *dirs,
                                 bool copies, GError **error)
{
    const struct ct_view_warnings warnings = {warn_of_file, run};
    const struct ct_view_wish wish = {
        .copies = copies,
        .end_ns = ct_pass_end_ns(run->feed->pass),
    };
    struct ct_view *view = ct_view_new(dirs, &wish, &warnings, error);

    if (view) {
        run->packets = ct_view_packets(view, &run->bytes);
    }
    return view;
}

static bool run_found(struct run *run, const struct ct_found *found,
                      GError **error)
{
    struct ct_view *view = NULL;
    char *why = NULL;
    bool built = false;
    bool good = true;

    for (unsigned i = 0; !built && i < TRIES_MAX; i++) {
        if (view && !ct_view_has_changed(view)) {
            break;
        }
        ct_view_free(view);
        g_clear_pointer(&why, g_free);
        view = open_view(run, found->dirs, i > 0, error);
        if (!view) {
            return false;
        }
        ct_view_tell(view, run->feed);
        if (i == 0) {
            ct_feed_begin(run->feed);
        }
        run_ctf(run, view, &built, &why);
    }
    if (!built) {
        good = fail(run, error, CT_TRACE_ERROR_INPUT,
                    "libbabeltrace2 can't read its metadata: damaged or cut "
                    "short");
    } else if (why) {
        /* The pass has a part: that it can still tell. */
        run->damaged = true;
        warn(run, "%s: reading stopped in the middle: %s", run->path, why);
    }
    run->damaged = run->damaged || ct_view_is_damaged(view);
    g_free(why);
    ct_view_free(view);
    return good;
}

/* --- text ---------------------------------------------------------------- */

/* @graph: with its one source, or without if it could not be added; freed.
 * @why: why it could not. */
static bool run_one(struct run *run, struct ct_graph *graph, bool added,
                    char *why, GError **error)
{
    const bt_component_class_sink *class = ct_sink_class();
    bool good =
        added && ct_graph_run(graph, class, run->feed, &why) != CT_GRAPH_FAILED;

    ct_graph_free(graph);
    bt_component_class_sink_put_ref(class);
    if (!good) {
        fail(run, error, CT_TRACE_ERROR_INPUT, why);
        g_free(why);
    }
    return good;
}

static bool run_text(struct run *run, GError **error)
{
    struct ct_graph *graph = ct_graph_new();
    struct ct_text_report report = {0};
    char *why = NULL;
    bool added = ct_graph_add_text(graph, run->path, &report, &why);

    if (!run_one(run, graph, added, why, error)) {
        return false;
    }
    if (report.bad_lines > 0 && report.records == 0) {
        g_autofree char *none =
            g_strdup_printf("holds no cotrace events: %s", report.first_bad);
        return fail(run, error, CT_TRACE_ERROR_INPUT, none);
    }
    if (report.bad_lines > 0) {
        run->damaged = true;
        warn(run,
             "%s: %" G_GUINT64_FORMAT " line%s not understood and left out, "
             "the first: %s",
             run->path, report.bad_lines,
             report.bad_lines == 1 ? " was" : "s were", report.first_bad);
    }
    if (report.stepped_back > 0) {
        warn(run, "%s: %" G_GUINT64_FORMAT " time%s back and moved up",
             run->path, report.stepped_back,
             report.stepped_back == 1 ? " stepped" : "s stepped");
    }
    return true;
}

static bool run_log(struct run *run, GError **error)
{
    struct ct_graph *graph = ct_graph_new();
    char *why = NULL;
    bool added = ct_graph_add_log(graph, run->path, &why);

    return run_one(run, graph, added, why, error);
}

/* What the events tell otherwise than our list: once each, with the first. */
static void warn_of_schema(const struct run *run)
{
    const struct ct_carry_report *report = &run->feed->report;
    bool is_newer =
        report->major > CT_SCHEMA_MAJOR ||
        (report->major == CT_SCHEMA_MAJOR && report->minor > CT_SCHEMA_MINOR);
    bool is_older =
        report->has_schema && !is_newer &&
        (report->major != CT_SCHEMA_MAJOR || report->minor != CT_SCHEMA_MINOR);

    if (is_newer) {
        warn(
            run,
            "%s: recorded with schema %u.%u, and this is %u.%u: what is new in "
            "it is left out",
            run->path, report->major, report->minor, CT_SCHEMA_MAJOR,
            CT_SCHEMA_MINOR);
    }
    if (report->unknown > 0) {
        warn(run,
             "%s: %u kind%s of events not known here and left out, the "
             "first: %s",
             run->path, report->unknown, report->unknown == 1 ? "" : "s",
             report->first_unknown);
    }
    /* What came later than the trace is no surprise. */
    if (run->feed->needs_ids &&
        (report->partial > 0 || (report->lacking > 0 && !is_older))) {
        warn(run,
             "%s: %u kind%s of events without all their fields, the first: %s; "
             "what it would tell is unknown",
             run->path, report->lacking, report->lacking == 1 ? "" : "s",
             report->first_lacking);
    }
}

/* --- the pass ------------------------------------------------------------ */

/* What is damaged was warned of already. */
static void warn_of_loss(const struct run *run)
{
    uint64_t lost;
    bool known = ct_pass_lost(run->feed->pass, &lost);

    if (lost > 0) {
        warn(run,
             "%s: %s%" G_GUINT64_FORMAT " event%s lost; what may have changed "
             "meanwhile is unknown",
             run->path, known ? "" : "at least ", lost,
             known && lost == 1 ? " was" : "s were");
    } else if (!known && !run->damaged) {
        warn(run,
             "%s: events were lost; what may have changed meanwhile is "
             "unknown",
             run->path);
    }
}

static bool run_pass(struct run *run, const struct ct_found *found,
                     GError **error)
{
    uint64_t ours;

    if (run->options && run->options->progress) {
        run->feed->progress = progress;
        run->feed->data = run;
    }
    if (run->options && run->options->warning) {
        ct_pass_set_warning(run->feed->pass, run->options->warning,
                            run->options->data);
    }
    ct_pass_set_program(run->feed->pass, found->program);
    run->feed->all_tails_lost = found->cut_off;
    run->feed->needs_ids = !found->is_text && !found->is_log;
    if (found->cut_off) {
        warn(run,
             "%s: its recording was cut off; the last events may be "
             "missing",
             run->path);
    }
    if (found->chosen) {
        warn(run,
             "%s: only some events were recorded (%s); what others would tell "
             "is not seen, and a state that they would end goes on",
             run->path, found->chosen);
    }
    if (found->n_left_out > 0) {
        run->damaged = true;
        warn(run, "%s: not read%s", found->left_out,
             found->n_left_out > 1 ? ", and others likewise" : "");
    }
    if (!(found->is_text  ? run_text(run, error)
          : found->is_log ? run_log(run, error)
                          : run_found(run, found, error))) {
        return false;
    }
    if (!ct_pass_has_span(run->feed->pass, error)) {
        return false;
    }
    ct_pass_events(run->feed->pass, &ours);
    if (ours == 0 && !run->damaged && !found->cut_off &&
        !ct_pass_is_over(run->feed->pass)) {
        return fail(run, error, CT_TRACE_ERROR_INPUT,
                    "holds no cotrace events");
    }
    warn_of_schema(run);
    if (!found->cut_off) {
        warn_of_loss(run);
    }
    return ct_pass_finish(run->feed->pass, !run->damaged && !found->cut_off,
                          error);
}

bool ct_trace_run(const char *path, const struct ct_trace_options *options,
                  struct ct_consumer *const consumers[], GError **error)
{
    struct run run = {.path = path, .options = options};
    struct ct_found found;
    bool good;

    if (!ct_find(path, &found, error)) {
        return false;
    }
    run.feed = ct_feed_new(consumers, options ? &options->span : NULL);
    good = run_pass(&run, &found, error);
    ct_feed_free(run.feed);
    ct_found_fini(&found);
    return good;
}
