/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - whose logical backtrace, and of when; its frames are frames.c's
 */
#include "views/make.h"

#include <inttypes.h>

#include "out/inert.h"
#include "out/json.h"
#include "out/quantity.h"
#include "out/terminal.h"
#include "views/frames.h"

struct view {
    struct ct_view_run run;
    struct ct_consumer printer;
    struct ct_out *out;
    bool json;
    enum ct_backtrace_of of;
    uint64_t id;
    struct ct_backtrace_query *query;
};

/* --- JSON ---------------------------------------------------------------- */

static void print_json(struct view *view, const struct ct_backtrace *result)
{
    int64_t origin_ns = view->printer.origin_ns;
    struct ct_json json;

    ct_json_init(&json, view->out);
    ct_json_object(&json);
    ct_json_key(&json, "pid");
    ct_json_id(&json, result->pid > 0 ? (uint64_t)result->pid : 0);
    ct_json_key(&json, "stack_ns");
    ct_json_known_i64(&json, result->has_stack_ns,
                      result->stack_ns - origin_ns);
    ct_frames_json_stack(&json, result->stack);
    ct_json_key(&json, "complete");
    ct_json_bool(&json, result->complete);
    ct_json_key(&json, "frames");
    ct_frames_json(&json, result->frames, result->n_frames, origin_ns);
    ct_json_object_end(&json);
    ct_json_line(&json);
}

/* --- text ---------------------------------------------------------------- */

/* "worker 4712 of process 4711, 93306.123 us after the first event:" */
static void text_heading(const struct view *view, const struct ct_text *text,
                         GString *line, const struct ct_backtrace *result)
{
    static const char *const words[] = {
        [CT_BACKTRACE_REQUEST] = "request",
        [CT_BACKTRACE_COROUTINE] = "coroutine",
        [CT_BACKTRACE_WORKER] = "worker",
        [CT_BACKTRACE_WORK] = "work item",
    };
    GString *heading = g_string_new(NULL);

    g_string_append_printf(heading, "%s %" PRIu64, words[view->of], view->id);
    if (result->pid > 0) {
        g_string_append_printf(heading, " of process %d", result->pid);
    }
    if (result->has_stack_ns) {
        g_string_append(heading, ", ");
        ct_text_us(heading, result->stack_ns - view->printer.origin_ns);
        g_string_append(heading, " us after the first event");
    }
    ct_text_styled(text, line, CT_BOLD, heading->str);
    g_string_free(heading, TRUE);
}

static void print_text(struct view *view, const struct ct_backtrace *result)
{
    GString *line = g_string_new(NULL);
    struct ct_text text;

    ct_text_init(&text, view->out);
    text_heading(view, &text, line, result);
    ct_text_line(&text, line);
    ct_frames_text(&text, result->frames, result->n_frames, result->complete);
    g_string_free(line, TRUE);
}

/* --- the pass ------------------------------------------------------------ */

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct view *view =
        (struct view *)((char *)consumer - offsetof(struct view, printer));
    const struct ct_backtrace *result = ct_backtrace_result(view->query);

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

    ct_backtrace_free(view->query);
    g_free(view);
}

struct ct_view_run *ct_view_backtrace(const struct ct_settings *settings,
                                      struct ct_out *out, GError **error)
{
    struct view *view;

    if (!settings->has_of) {
        g_set_error(error, CT_VIEW_ERROR, 0,
                    "say of what: --request, --coroutine, --worker or --work");
        return NULL;
    }
    view = g_new0(struct view, 1);
    view->out = out;
    view->json = settings->json;
    view->of = settings->of;
    view->id = settings->id;
    view->query = ct_backtrace_new(settings->of, settings->id, settings->pid,
                                   settings->at_ns);
    view->printer.finish = on_finish;
    view->run.consumers[0] = ct_backtrace_consumer(view->query);
    view->run.consumers[1] = &view->printer;
    view->run.free = free_run;
    return &view->run;
}
