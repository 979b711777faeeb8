/* SPDX-License-Identifier: MIT */
/*
 * views.c - the table of views: what can be made of one pass over a trace
 *
 * A new view: its file in views/ or render/, its make function below, a line
 * in the table.
 */
#include "views.h"

#include "render/render.h"
#include "views/make.h"

GQuark ct_view_error_quark(void)
{
    return g_quark_from_static_string("ct-view-error");
}

const struct ct_view ct_views[] = {
    {"stat", NULL,
     CT_OPTION_DEBUG | CT_OPTION_SPAN | CT_OPTION_JSON | CT_OPTION_PATH,
     "TRACE [--begin=NS] [--end=NS] [--debug-dir=DIR] [--json]",
     "totals: requests, latency, states, contexts, workers", NULL,
     ct_view_stat},
    {"requests", NULL,
     CT_OPTION_ALL | CT_OPTION_BLAME | CT_OPTION_CRITICAL | CT_OPTION_LAYER |
         CT_OPTION_SORT | CT_OPTION_LIMIT | CT_OPTION_DEBUG | CT_OPTION_SPAN |
         CT_OPTION_JSON | CT_OPTION_PATH,
     "TRACE [--all] [--blame] [--critical-path] [--layer=LAYER] "
     "[--begin=NS] [--end=NS] "
     "[--sort=start|latency] [--limit=N] [--debug-dir=DIR] [--json]",
     "every request, and where its time went",
     "By start, rows come as soon as no earlier request is open.  By latency,\n"
     "the slowest 20 on a terminal, else all.  With --json: one object a line.",
     ct_view_requests},
    {"backtrace", NULL,
     CT_OPTION_REQUEST | CT_OPTION_COROUTINE | CT_OPTION_WORKER |
         CT_OPTION_WORK | CT_OPTION_AT | CT_OPTION_PID | CT_OPTION_DEBUG |
         CT_OPTION_SPAN | CT_OPTION_JSON | CT_OPTION_PATH,
     "TRACE (--request=ID | --coroutine=ID | --worker=TID | --work=ID) "
     "[--at=NS] [--pid=PID] [--begin=NS] [--end=NS] [--debug-dir=DIR] [--json]",
     "the stack that was cut, joined back to main",
     "Without --at: of a worker its start, of a coroutine its last yield, of "
     "a\n"
     "work item its begin, of a request the start of its longest wait.",
     ct_view_backtrace},
    {"coroutines", NULL,
     CT_OPTION_AT | CT_OPTION_PID | CT_OPTION_DEBUG | CT_OPTION_SPAN |
         CT_OPTION_JSON | CT_OPTION_PATH,
     "TRACE [--at=NS] [--pid=PID] [--begin=NS] [--end=NS] [--debug-dir=DIR] "
     "[--json]",
     "every coroutine alive at an instant, and where it is",
     "Without --at: at the end of the trace.  Coroutines in the same state "
     "with "
     "the\nsame backtrace stand together.",
     ct_view_coroutines},
    {"findings", NULL,
     CT_OPTION_LIMITS | CT_OPTION_DEBUG | CT_OPTION_SPAN | CT_OPTION_JSON |
         CT_OPTION_PATH,
     "TRACE [--block=NS] [--stuck=NS] [--spawns=N] [--idles=N] "
     "[--tracing=PERCENT] [--begin=NS] [--end=NS] [--debug-dir=DIR] [--json]",
     "what held requests up, worst first", NULL, ct_view_findings},
    {"chrome", ".json",
     CT_OPTION_DEBUG | CT_OPTION_SPAN | CT_OPTION_SPLIT | CT_OPTION_PATH,
     "TRACE -o FILE.json",
     "a timeline for Perfetto, speedscope or chrome://tracing", NULL,
     ct_view_chrome},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL},
};

const struct ct_view *ct_view_find(const char *name)
{
    for (const struct ct_view *view = ct_views; view->name; view++) {
        if (!strcmp(view->name, name)) {
            return view;
        }
    }
    return NULL;
}

struct ct_view_run *ct_view_open(const struct ct_view *view,
                                 const struct ct_settings *settings,
                                 GError **error)
{
    struct ct_out *out = ct_out_open(settings->path, error);
    struct ct_view_run *run;

    if (!out) {
        return NULL;
    }
    run = view->make(settings, out, error);
    if (!run) {
        ct_out_close(out, false, NULL);
        return NULL;
    }
    run->out = out;
    return run;
}

bool ct_view_close(struct ct_view_run *run, bool keep, GError **error)
{
    struct ct_out *out = run->out;

    run->free(run);
    return ct_out_close(out, keep, error);
}
