/* SPDX-License-Identifier: MIT */
/*
 * findings.c - what held requests up, worst first
 */
#include "ct/findings.h"

#include <inttypes.h>

#include "out/inert.h"
#include "out/json.h"
#include "out/quantity.h"
#include "out/terminal.h"
#include "views/frames.h"
#include "views/make.h"

struct view {
    struct ct_view_run run;
    struct ct_findings *findings;
    struct ct_consumer printer; /* after it: shows what it answered */
    struct ct_out *out;
    bool json;
    struct ct_place place;
};

/* Those of which it says more how often they came than how long one took. */
static void append_counted(const struct ct_text *text, GString *line,
                           const struct ct_finding *finding)
{
    switch (finding->kind) {
    case CT_FINDING_SPAWN_STORM:
        g_string_append_printf(line,
                               "%" PRIu64 " of %" PRIu64
                               " workers of pool %" PRIu64
                               " were made when others had just ended",
                               finding->count, finding->of, finding->object);
        if (finding->cost_ns > 0) {
            g_string_append(line, "; requests waited for them for ");
            ct_text_ns(text, line, finding->cost_ns);
        }
        break;
    case CT_FINDING_IDLE_WAKEUP:
        if (finding->context) {
            g_string_append_printf(line, "context %" PRIu64, finding->context);
        } else {
            g_string_append_printf(line, "those in queue %" PRIu64,
                                   finding->object);
        }
        g_string_append_printf(line,
                               " woke up for nothing %" PRIu64 " of %" PRIu64
                               " times, awake for ",
                               finding->count, finding->of);
        ct_text_ns(text, line, finding->cost_ns);
        break;
    default:
        g_string_append_printf(line, "tracing took about %.0f %% of the ",
                               (double)finding->cost_ns * 100 /
                                   (double)MAX(finding->of, 1));
        ct_text_ns(text, line, (int64_t)finding->of);
        g_string_append(line, " in which threads did something: ");
        ct_text_count(line, finding->count);
        g_string_append(line, " events");
        if (finding->n_requests) {
            g_string_append_printf(line, ", %.1f a request",
                                   (double)finding->count /
                                       (double)finding->n_requests);
        }
        g_string_append(line, ", of about ");
        ct_text_ns(text, line,
                   finding->cost_ns / (int64_t)MAX(finding->count, 1));
        g_string_append(line, " (as short as it gets between two on a thread)");
        break;
    }
}

/* ": it waits in queue 7, and nothing is left that could wake it" */
static void append_wait(GString *line, const struct ct_finding *finding)
{
    const struct ct_finding_wait *wait = &finding->wait;

    switch (wait->is_created ? CT_STATE_RUNNING : wait->state) {
    case CT_STATE_RUNNABLE:
        g_string_append(line, ": it is to be entered");
        break;
    case CT_STATE_WORK_QUEUED:
        g_string_append_printf(line,
                               ": no worker has taken its work item %" PRIu64,
                               wait->waits_for);
        break;
    case CT_STATE_WORK_RUNNING:
        g_string_append_printf(line,
                               ": a worker is still at its work item %" PRIu64,
                               wait->waits_for);
        break;
    case CT_STATE_WORK_DONE:
        g_string_append_printf(
            line, ": its work item %" PRIu64 " is done, and it was not told",
            wait->waits_for);
        break;
    case CT_STATE_WORK:
        g_string_append_printf(line, ": it waits for work item %" PRIu64,
                               wait->waits_for);
        break;
    case CT_STATE_IO:
        g_string_append(line, ": it waits for I/O");
        break;
    case CT_STATE_LOCK:
        g_string_append_printf(line, ": it waits for mutex %" PRIu64,
                               wait->waits_for);
        break;
    case CT_STATE_QUEUE:
        g_string_append_printf(line, ": it waits in queue %" PRIu64,
                               wait->waits_for);
        break;
    case CT_STATE_TIMER:
        g_string_append_printf(
            line, ": it waits for timer %" PRIu64 ", which is not armed",
            wait->waits_for);
        break;
    case CT_STATE_CHILDREN:
        g_string_append(line, ": it waits for others of its own");
        break;
    case CT_STATE_RUNNING: /* created */
        g_string_append(line, ": nobody has entered it");
        break;
    case CT_STATE_COMPLETING:
        g_string_append(line, ": its coroutine did");
        return;
    default:
        g_string_append(line, ": it gave way without telling for what");
        break;
    }
    if (wait->by) {
        g_string_append_printf(line, ", coroutine %" PRIu64, wait->by);
        g_string_append(line, wait->state == CT_STATE_LOCK ? " has it" : "");
    }
    if (wait->is_passed_over && (wait->state == CT_STATE_RUNNABLE ||
                                 wait->state == CT_STATE_WORK_DONE)) {
        g_string_append(line, ", and its loop passed it over");
    } else if (wait->is_sure) {
        g_string_append(line, ", and nothing is left that could wake it");
    } else {
        g_string_append(line, "; something may still come of it");
    }
}

/* "fn() kept the loop for 30.1 ms at once, 3 times: 45.2 ms in all" */
static void append_text(const struct ct_text *text, GString *line,
                        const struct ct_finding *finding)
{
    GString *who = g_string_new(NULL);
    int64_t worst_ns = finding->end_ns - finding->begin_ns;

    if (finding->function) {
        ct_inert_append(who, finding->function);
    } else {
        g_string_append(who, "code without a name");
    }
    switch (finding->kind) {
    case CT_FINDING_BLOCKED_LOOP:
        g_string_append_printf(line, "%s kept its loop from turning", who->str);
        break;
    case CT_FINDING_NESTED_POLL:
        g_string_append_printf(line, "%s polled by itself, %u deep", who->str,
                               finding->depth);
        break;
    case CT_FINDING_POOL_SATURATED:
        g_string_append_printf(
            line, "items waited for a free worker of pool %" PRIu64,
            finding->object);
        break;
    case CT_FINDING_LOCK_CONVOY:
        g_string_append_printf(
            line, "%" PRIu64 " request%s waited for mutex %" PRIu64,
            finding->n_requests, finding->n_requests == 1 ? "" : "s",
            finding->object);
        break;
    case CT_FINDING_STUCK_COROUTINE:
        g_string_append_printf(
            line, "coroutine %" PRIu64 " of %s %s", finding->object, who->str,
            finding->wait.is_cut    ? "had not run again by the end asked for"
            : finding->wait.is_sure ? "never ran again"
                                    : "did not run again");
        break;
    case CT_FINDING_STUCK_REQUEST:
        g_string_append_printf(
            line, "request %" PRIu64 " %s", finding->requests[0],
            finding->wait.is_cut ? "had not ended by the end asked for"
                                 : "did not end");
        break;
    case CT_FINDING_STARVED_CONTEXT:
        g_string_append_printf(
            line, "context %" PRIu64 " was not turned while it had work",
            finding->context);
        break;
    case CT_FINDING_SERIALISED:
        g_string_append_printf(line, "%" PRIu64 " requests of ",
                               finding->n_requests);
        if (finding->node) {
            ct_inert_append(line, finding->node);
        } else {
            g_string_append(line, "a node without a name");
        }
        g_string_append(line, " waited for one another to end");
        break;
    default:
        append_counted(text, line, finding);
        g_string_free(who, TRUE);
        return;
    }
    g_string_append(line, ", for ");
    ct_text_ns(text, line, worst_ns);
    if (finding->count > 1) {
        g_string_append_printf(line, " at the worst of %" PRIu64 " times, ",
                               finding->count);
        ct_text_ns(text, line, finding->cost_ns);
        g_string_append(line, " in all");
    }
    if (ct_finding_is_stuck(finding)) {
        append_wait(line, finding);
    }
    g_string_free(who, TRUE);
}

static void json_wait(struct ct_json *json, const struct ct_finding_wait *wait)
{
    ct_json_key(json, "sure");
    ct_json_bool(json, wait->is_sure);
    ct_json_key(json, "state");
    ct_json_string(json,
                   wait->is_created ? "created" : ct_state_word(wait->state));
    ct_json_key(json, "waits_for");
    ct_json_id(json, wait->waits_for);
    ct_json_key(json, "by");
    ct_json_id(json, wait->by);
}

static void json_finding(const struct view *view, struct ct_json *json,
                         const struct ct_finding *finding)
{
    int64_t origin_ns = view->printer.origin_ns;
    struct ct_text plain = {0};
    GString *words = g_string_new(NULL);

    ct_json_object(json);
    ct_json_key(json, "kind");
    ct_json_string(json, ct_finding_word(finding->kind));
    ct_json_key(json, "pid");
    ct_json_known_i64(json, finding->pid > 0, finding->pid);
    ct_json_key(json, "cost_ns");
    ct_json_i64(json, finding->cost_ns);
    ct_json_key(json, "count");
    ct_json_u64(json, finding->count);
    if (finding->of) {
        ct_json_key(json, "of");
        ct_json_u64(json, finding->of);
    }
    ct_json_key(json, "function");
    ct_json_string(json, finding->function);
    if (finding->kind == CT_FINDING_SERIALISED) {
        ct_json_key(json, "node");
        ct_json_string(json, finding->node);
    }
    ct_json_key(json, "context");
    ct_json_id(json, finding->context);
    ct_json_key(json, "object");
    ct_json_id(json, finding->object);
    ct_json_key(json, "begin_ns");
    ct_json_i64(json, finding->begin_ns - origin_ns);
    ct_json_key(json, "end_ns");
    ct_json_i64(json, finding->end_ns - origin_ns);
    if (finding->depth) {
        ct_json_key(json, "depth");
        ct_json_u64(json, finding->depth);
    }
    if (ct_finding_is_stuck(finding)) {
        json_wait(json, &finding->wait);
    }
    ct_json_key(json, "n_requests");
    ct_json_u64(json, finding->n_requests);
    ct_json_key(json, "requests");
    ct_json_array(json);
    for (unsigned i = 0;
         i < MIN(finding->n_requests, (uint64_t)CT_FINDING_REQUESTS); i++) {
        ct_json_u64(json, finding->requests[i]);
    }
    ct_json_array_end(json);
    append_text(&plain, words, finding);
    ct_json_key(json, "text");
    ct_json_string(json, words->str);
    ct_json_key(json, "complete");
    ct_json_bool(json, finding->complete);
    ct_json_key(json, "frames");
    ct_frames_json(json, finding->frames, finding->n_frames, origin_ns);
    ct_json_object_end(json);
    g_string_free(words, TRUE);
}

static void print_json(const struct view *view,
                       const struct ct_findings_result *result)
{
    struct ct_json json;

    ct_json_init(&json, view->out);
    ct_json_object(&json);
    ct_json_key(&json, "complete");
    ct_json_bool(&json, result->complete);
    if (!result->has_times) {
        ct_json_key(&json, "examined");
        ct_json_bool(&json, false);
    }
    if (result->has_lost) {
        ct_json_key(&json, "lost_events");
        if (result->lost_known) {
            ct_json_u64(&json, result->lost);
        } else {
            ct_json_null(&json);
        }
    }
    if (result->truncated) {
        ct_json_key(&json, "truncated");
        ct_json_bool(&json, true);
    }
    ct_json_key(&json, "findings");
    ct_json_array(&json);
    for (unsigned i = 0; i < result->n; i++) {
        json_finding(view, &json, &result->v[i]);
    }
    ct_json_array_end(&json);
    ct_json_object_end(&json);
    ct_json_line(&json);
}

static void text_finding(const struct view *view, const struct ct_text *text,
                         GString *line, const struct ct_finding *finding)
{
    ct_text_line(text, line);
    ct_text_styled(text, line, CT_BOLD, ct_finding_word(finding->kind));
    g_string_append(line, ": ");
    append_text(text, line, finding);
    ct_text_line(text, line);
    g_string_append(line, "  from ");
    ct_text_us(line, finding->begin_ns - view->printer.origin_ns);
    g_string_append(line, " to ");
    ct_text_us(line, finding->end_ns - view->printer.origin_ns);
    g_string_append(line, " us after the first event");
    ct_text_line(text, line);
    if (finding->n_requests) {
        unsigned shown =
            (unsigned)MIN(finding->n_requests, (uint64_t)CT_FINDING_REQUESTS);
        g_string_append_printf(
            line, "  held up %" PRIu64 " request%s:", finding->n_requests,
            finding->n_requests == 1 ? "" : "s");
        for (unsigned i = 0; i < shown; i++) {
            g_string_append_printf(line, " %" PRIu64, finding->requests[i]);
        }
        g_string_append(line, shown < finding->n_requests ? " ..." : "");
        ct_text_line(text, line);
    }
    ct_frames_text(text, finding->frames, finding->n_frames, finding->complete);
}

/* What is not there is not judged. */
static void append_missing(GString *line,
                           const struct ct_findings_result *result)
{
    if (!result->has_lost) {
        g_string_append(line, result->complete || !result->has_times
                                  ? ""
                                  : " (parts of the trace are missing)");
        return;
    }
    g_string_append(line, " (");
    if (result->lost_known && result->lost) {
        ct_text_count(line, result->lost);
        g_string_append(line, " events");
    } else {
        g_string_append(line, "events");
    }
    g_string_append(line, " were lost: what they would have told, and what is "
                          "unknown without them, was not judged)");
}

static void print_text(const struct view *view,
                       const struct ct_findings_result *result)
{
    GString *line = g_string_new(NULL);
    struct ct_text text;

    ct_text_init(&text, view->out);
    if (!result->has_times) {
        g_string_append(line, "Nothing was examined: findings need times, and "
                              "this trace has none");
    } else if (result->n) {
        g_string_append_printf(line, "%u finding%s, worst first", result->n,
                               result->n == 1 ? "" : "s");
    } else {
        g_string_append(line, result->truncated ? "No findings"
                                                : "Nothing to point at");
    }
    g_string_append(line, result->truncated
                              ? " (too many causes to keep them all: of those "
                                "that cost least, some may be missing)"
                              : "");
    append_missing(line, result);
    ct_text_line(&text, line);
    for (unsigned i = 0; i < result->n; i++) {
        text_finding(view, &text, line, &result->v[i]);
    }
    if (text.columns && result->n && result->v[0].n_requests) {
        ct_text_next(&text, &view->place, result->v[0].requests[0]);
    }
    g_string_free(line, TRUE);
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct view *view =
        (struct view *)((char *)consumer - offsetof(struct view, printer));
    const struct ct_findings_result *result =
        ct_findings_result(view->findings);

    if (!result || consumer->failed) {
        return true;
    }
    if (view->json) {
        print_json(view, result);
    } else {
        print_text(view, result);
    }
    return ct_out_flush(view->out) || ct_out_failed(view->out, error);
}

static void free_run(struct ct_view_run *run)
{
    struct view *view = (struct view *)run;

    ct_findings_free(view->findings);
    g_free(view);
}

struct ct_view_run *ct_view_findings(const struct ct_settings *settings,
                                     struct ct_out *out, GError **error)
{
    struct view *view = g_new0(struct view, 1);
    struct ct_findings_limits limits = {
        .spawns = settings->spawns < 0 ? CT_FINDINGS_SPAWNS
                                       : (uint64_t)settings->spawns,
        .idles =
            settings->idles < 0 ? CT_FINDINGS_IDLES : (uint64_t)settings->idles,
        .tracing_percent = settings->tracing < 0 ? CT_FINDINGS_TRACING
                                                 : (uint64_t)settings->tracing,
        .block_ns =
            settings->block_ns < 0 ? CT_FINDINGS_BLOCK_NS : settings->block_ns,
        .stuck_ns =
            settings->stuck_ns < 0 ? CT_FINDINGS_STUCK_NS : settings->stuck_ns,
    };

    view->out = out;
    view->json = settings->json;
    view->place = settings->place;
    view->findings = ct_findings_new(&limits);
    view->printer.finish = on_finish;
    view->run.consumers[0] = ct_findings_consumer(view->findings);
    view->run.consumers[1] = &view->printer;
    view->run.free = free_run;
    return &view->run;
}
