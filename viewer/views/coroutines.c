/* SPDX-License-Identifier: MIT */
/*
 * coroutines.c - the coroutines that were alive at an instant, by where they
 * are
 *
 * A debugger's "thread apply all backtrace" for coroutines: each distinct
 * logical backtrace once, with those that are in it.
 */
#include "views/make.h"

#include <inttypes.h>

#include "ct/alive.h"
#include "out/inert.h"
#include "out/json.h"
#include "out/quantity.h"
#include "out/terminal.h"
#include "views/frames.h"

/* In text; JSON has them all. */
#define MEMBERS_MAX 8

struct view {
    struct ct_view_run run;
    struct ct_consumer printer;
    struct ct_out *out;
    bool json;
    struct ct_alive_query *query;
};

static const char *state_of(const struct ct_alive_group *group)
{
    return group->is_created ? "created" : ct_state_word(group->state);
}

/* What it waits for, or is in the way: a word that goes with the state. */
static const char *waits_for(const struct ct_alive_group *group)
{
    if (group->is_created) {
        return NULL;
    }
    switch (group->state) {
    case CT_STATE_WORK_QUEUED:
    case CT_STATE_WORK_RUNNING:
    case CT_STATE_WORK_DONE:
    case CT_STATE_WORK:
        return "work item";
    case CT_STATE_LOCK:
        return "mutex";
    case CT_STATE_TIMER:
        return "timer";
    case CT_STATE_QUEUE:
        return "queue";
    case CT_STATE_IO:
        return "io";
    case CT_STATE_CHILDREN:
        return "children";
    default:
        return NULL;
    }
}

/* --- JSON ---------------------------------------------------------------- */

static void json_member(const struct view *view, struct ct_json *json,
                        const struct ct_alive *alive)
{
    bool has_clock = ct_alive_result(view->query)->has_clock;

    ct_json_object(json);
    ct_json_key(json, "id");
    ct_json_u64(json, alive->id);
    ct_json_key(json, "since_ns");
    ct_json_known_i64(json, alive->since_known && has_clock,
                      alive->since_ns - view->printer.origin_ns);
    ct_json_key(json, "request");
    ct_json_id(json, alive->request);
    ct_json_key(json, "object");
    ct_json_id(json, alive->waits_for);
    ct_json_key(json, "by_coroutine");
    ct_json_id(json, alive->by);
    ct_json_key(json, "by_request");
    ct_json_id(json, alive->by_request);
    ct_json_key(json, "context");
    ct_json_id(json, alive->context);
    ct_json_key(json, "tid");
    ct_json_id(json, alive->tid > 0 ? (uint64_t)alive->tid : 0);
    ct_json_object_end(json);
}

static void json_group(const struct view *view, struct ct_json *json,
                       const struct ct_alive_group *group)
{
    ct_json_object(json);
    ct_json_key(json, "pid");
    ct_json_id(json, group->pid > 0 ? (uint64_t)group->pid : 0);
    ct_json_key(json, "count");
    ct_json_u64(json, group->n);
    ct_json_key(json, "sure");
    ct_json_bool(json, group->is_sure);
    ct_json_key(json, "state");
    ct_json_string(json, state_of(group));
    ct_json_key(json, "waits_for");
    ct_json_string(json, waits_for(group));
    ct_json_key(json, "entry");
    ct_json_string(json, group->function);
    ct_json_key(json, "coroutines");
    ct_json_array(json);
    for (unsigned i = 0; i < group->n; i++) {
        json_member(view, json, &group->coroutines[i]);
    }
    ct_json_array_end(json);
    ct_json_key(json, "complete");
    ct_json_bool(json, group->complete);
    ct_json_key(json, "frames");
    ct_frames_json(json, group->frames, group->n_frames,
                   view->printer.origin_ns);
    ct_json_object_end(json);
}

static void print_json(const struct view *view,
                       const struct ct_alive_result *result)
{
    struct ct_json json;

    ct_json_init(&json, view->out);
    ct_json_object(&json);
    ct_json_key(&json, "at_ns");
    ct_json_known_i64(&json, result->has_clock, result->at_ns);
    ct_json_key(&json, "complete");
    ct_json_bool(&json, result->complete);
    ct_json_key(&json, "groups");
    ct_json_array(&json);
    for (unsigned i = 0; i < result->n_groups; i++) {
        json_group(view, &json, &result->groups[i]);
    }
    ct_json_array_end(&json);
    ct_json_object_end(&json);
    ct_json_line(&json);
}

/* --- text ---------------------------------------------------------------- */

static void text_heading(const struct ct_text *text, GString *line,
                         const struct ct_alive_group *group)
{
    GString *words = g_string_new(NULL);

    g_string_append_printf(
        words, "%u coroutine%s: %s", group->n, group->n == 1 ? "" : "s",
        group->is_sure ? state_of(group)
                       : "may have ended, events are missing");
    if (group->function) {
        g_string_append(words, ", of ");
        ct_inert_append(words, group->function);
        g_string_append(words, "()");
    }
    if (group->pid > 0) {
        g_string_append_printf(words, ", process %d", group->pid);
    }
    ct_text_styled(text, line, CT_BOLD, words->str);
    g_string_free(words, TRUE);
    ct_text_line(text, line);
}

/* "coroutine 12 of request 3, for 134.2 us, mutex 7 held by coroutine 2" */
static void text_member(const struct view *view, const struct ct_text *text,
                        GString *line, const struct ct_alive_group *group,
                        const struct ct_alive *alive)
{
    const struct ct_alive_result *result = ct_alive_result(view->query);
    int64_t at_ns = result->at_ns + view->printer.origin_ns;
    const char *what = waits_for(group);

    g_string_append_printf(line, "  coroutine %" PRIu64, alive->id);
    if (alive->request) {
        g_string_append_printf(line, " of request %" PRIu64, alive->request);
    }
    if (alive->since_known && result->has_clock) {
        int64_t for_ns;
        /* --at may be any number, a damaged clock begin before 1970 */
        if (__builtin_sub_overflow(at_ns, alive->since_ns, &for_ns)) {
            for_ns = INT64_MAX;
        }
        g_string_append(line, ", for ");
        ct_text_ns(text, line, for_ns);
    }
    if (what && alive->waits_for) {
        g_string_append_printf(line, ", %s %" PRIu64, what, alive->waits_for);
    }
    if (alive->by) {
        g_string_append_printf(
            line, " %s coroutine %" PRIu64,
            group->state == CT_STATE_LOCK ? "held by" : "with", alive->by);
        if (alive->by_request) {
            g_string_append_printf(line, " of request %" PRIu64,
                                   alive->by_request);
        }
    }
    if (alive->tid > 0) {
        g_string_append_printf(line, ", on thread %d", alive->tid);
    }
    ct_text_line(text, line);
}

static void text_group(const struct view *view, const struct ct_text *text,
                       GString *line, const struct ct_alive_group *group)
{
    unsigned shown =
        group->n > MEMBERS_MAX + 1 ? (unsigned)MEMBERS_MAX : group->n;

    ct_text_line(text, line);
    text_heading(text, line, group);
    for (unsigned i = 0; i < shown; i++) {
        text_member(view, text, line, group, &group->coroutines[i]);
    }
    if (shown < group->n) {
        g_string_append_printf(line, "  and %u more", group->n - shown);
        ct_text_line(text, line);
    }
    ct_frames_text(text, group->frames, group->n_frames, group->complete);
}

static void print_text(const struct view *view,
                       const struct ct_alive_result *result)
{
    GString *line = g_string_new(NULL);
    struct ct_text text;

    ct_text_init(&text, view->out);
    g_string_append_printf(line, "%u coroutine%s alive", result->n_coroutines,
                           result->n_coroutines == 1 ? "" : "s");
    if (result->n_unsure) {
        g_string_append_printf(line, ", and perhaps %u more", result->n_unsure);
    }
    if (result->has_clock) {
        g_string_append(line, " ");
        ct_text_us(line, result->at_ns);
        g_string_append(line, " us after the first event");
    }
    ct_text_line(&text, line);
    for (unsigned i = 0; i < result->n_groups; i++) {
        text_group(view, &text, line, &result->groups[i]);
    }
    g_string_free(line, TRUE);
}

/* --- the pass ------------------------------------------------------------ */

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct view *view =
        (struct view *)((char *)consumer - offsetof(struct view, printer));
    const struct ct_alive_result *result = ct_alive_result(view->query);

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

    ct_alive_free(view->query);
    g_free(view);
}

struct ct_view_run *ct_view_coroutines(const struct ct_settings *settings,
                                       struct ct_out *out, GError **error)
{
    struct view *view = g_new0(struct view, 1);

    view->out = out;
    view->json = settings->json;
    view->query = ct_alive_new(settings->at_ns, settings->pid);
    view->printer.finish = on_finish;
    view->run.consumers[0] = ct_alive_consumer(view->query);
    view->run.consumers[1] = &view->printer;
    view->run.free = free_run;
    return &view->run;
}
