/* SPDX-License-Identifier: MIT */
/*
 * plugin.c - the same components for babeltrace2's own command and graphs
 *
 *     babeltrace2 --plugin-path=DIR TRACE -c sink.cotrace.requests
 *     babeltrace2 --plugin-path=DIR TRACE -c sink.cotrace.chrome
 *         -p 'path="timeline.json"'
 *
 * Every view of views.c is a sink; its options are parameters of the same
 * name (a flag is a boolean).  The component owns the view's run; the pass's
 * end closes it.
 */
#include <babeltrace2/babeltrace.h>

#include <inttypes.h>

#include "ct/sink.h"
#include "out/inert.h"
#include "views.h"

/* --- parameters ---------------------------------------------------------- */

struct wanted {
    const struct ct_view *view;
    struct ct_settings *settings;
    GError *error;
};

static bt_value_map_foreach_entry_const_func_status take_parameter(
    const char *name, const bt_value *value, void *data)
{
    struct wanted *wanted = data;
    g_autofree char *number = NULL;
    const char *text = NULL;

    switch (bt_value_get_type(value)) {
    case BT_VALUE_TYPE_BOOL:
        if (!bt_value_bool_get(value)) {
            return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK;
        }
        break;
    case BT_VALUE_TYPE_SIGNED_INTEGER:
        text = number =
            g_strdup_printf("%" PRId64, bt_value_integer_signed_get(value));
        break;
    case BT_VALUE_TYPE_UNSIGNED_INTEGER:
        text = number =
            g_strdup_printf("%" PRIu64, bt_value_integer_unsigned_get(value));
        break;
    case BT_VALUE_TYPE_STRING:
        text = bt_value_string_get(value);
        break;
    default:
        g_set_error(&wanted->error, CT_VIEW_ERROR, 0,
                    "%s: neither a number nor text nor a flag", name);
        return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT;
    }
    if (!ct_settings_set(wanted->settings, wanted->view, name, text,
                         &wanted->error)) {
        return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT;
    }
    return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK;
}

static struct ct_view_run *open_view(const char *name, const bt_value *params,
                                     struct ct_span *ret_span, GError **error)
{
    struct ct_settings settings;
    struct wanted wanted = {ct_view_find(name), &settings, NULL};
    struct ct_view_run *run = NULL;

    ct_settings_init(&settings);
    (void)bt_value_map_foreach_entry_const(params, take_parameter, &wanted);
    *ret_span = settings.place.span;
    if (wanted.error) {
        g_propagate_error(error, wanted.error);
    } else if (ct_settings_check(&settings, error)) {
        run = ct_view_open(wanted.view, &settings, error);
    }
    ct_settings_fini(&settings);
    return run;
}

/* --- a sink -------------------------------------------------------------- */

static void on_finished(void *data, const GError *error)
{
    g_autoptr(GError) reason = NULL;

    /* No method runs that could still return it. */
    if (!ct_view_close(data, !error, &reason)) {
        GString *line = g_string_new("cotrace: ");

        ct_inert_append(line, reason->message);
        g_printerr("%s\n", line->str);
        g_string_free(line, TRUE);
    }
}

static bt_component_class_initialize_method_status initialize(
    bt_self_component_sink *self, const char *name, const bt_value *params)
{
    g_autoptr(GError) error = NULL;
    struct ct_span span;
    struct ct_view_run *run = open_view(name, params, &span, &error);
    struct ct_sink_options options = {
        .span = span, .finished = on_finished, .data = run};
    bt_component_class_initialize_method_status status;

    if (!run) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(
            bt_self_component_sink_as_self_component(self), "%s",
            error->message);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    options.consumers = run->consumers;
    status = ct_sink_initialize(self, &options);
    if (status != BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK) {
        (void)ct_view_close(run, false, NULL);
    }
    return status;
}

/* The one thing that is to be seen from outside: babeltrace2 looks it up. */
#pragma GCC visibility push(default)
BT_PLUGIN_MODULE();
#pragma GCC visibility pop

BT_PLUGIN(cotrace);
BT_PLUGIN_DESCRIPTION(
    "How coroutine-based I/O programs schedule their work, and where the time "
    "of their requests goes");
BT_PLUGIN_LICENSE("MIT");

/* The class's name is a literal of babeltrace2's macros, so a view that the
 * table gets needs a line here too; the test compares both. */
#define SINK(name, description, help)                                          \
    static bt_component_class_initialize_method_status name##_initialize(      \
        bt_self_component_sink *self,                                          \
        bt_self_component_sink_configuration *configuration,                   \
        const bt_value *params, void *data)                                    \
    {                                                                          \
        return initialize(self, #name, params);                                \
    }                                                                          \
    BT_PLUGIN_SINK_COMPONENT_CLASS(name, ct_sink_consume);                     \
    BT_PLUGIN_SINK_COMPONENT_CLASS_DESCRIPTION(name, description);             \
    BT_PLUGIN_SINK_COMPONENT_CLASS_HELP(name, help);                           \
    BT_PLUGIN_SINK_COMPONENT_CLASS_INITIALIZE_METHOD(name, name##_initialize); \
    BT_PLUGIN_SINK_COMPONENT_CLASS_FINALIZE_METHOD(name, ct_sink_finalize);    \
    BT_PLUGIN_SINK_COMPONENT_CLASS_GRAPH_IS_CONFIGURED_METHOD(                 \
        name, ct_sink_graph_is_configured)

SINK(findings, "What held requests up, worst first",
     "Parameters: block=NS, stuck=NS, spawns=N, idles=N, tracing=PERCENT, "
     "begin=NS, end=NS, json=yes, debug_dir=\"DIR\", path=\"FILE\".");
SINK(stat, "Totals: requests, latency, states, contexts, workers",
     "Parameters: begin=NS, end=NS, json=yes, debug_dir=\"DIR\", "
     "path=\"FILE\".");
SINK(requests, "Every request, and where its time went",
     "Parameters: json=yes, all=yes, blame=yes, critical_path=yes, "
     "layer=\"LAYER\", "
     "sort=\"start\"|\"latency\", limit=N, begin=NS, end=NS, "
     "debug_dir=\"DIR\", path=\"FILE\".");
SINK(backtrace, "The stack that was cut, joined back to main",
     "Parameters: one of request=ID, coroutine=ID, worker=TID, work=ID; "
     "at=NS, pid=PID, begin=NS, end=NS, json=yes, debug_dir=\"DIR\", "
     "path=\"FILE\".");
SINK(coroutines, "Every coroutine alive at an instant, and where it is",
     "Parameters: at=NS, pid=PID, begin=NS, end=NS, json=yes, "
     "debug_dir=\"DIR\", path=\"FILE\".");
SINK(chrome, "A timeline for Perfetto, speedscope or chrome://tracing",
     "Parameters: begin=NS, end=NS, split=\"SIZE\", debug_dir=\"DIR\", "
     "path=\"FILE\".");

/* --- a log as a source --------------------------------------------------- */

BT_PLUGIN_SOURCE_COMPONENT_CLASS(text, ct_text_iterator_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_DESCRIPTION(text, "Reads a trace as text");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_HELP(text, "Parameters: inputs=[\"FILE\"].");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD(text, ct_text_initialize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD(text, ct_text_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_QUERY_METHOD(text, ct_text_query);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(
    text, ct_text_iterator_initialize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(
    text, ct_text_iterator_finalize);

BT_PLUGIN_SOURCE_COMPONENT_CLASS(qemu_log, ct_log_iterator_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_DESCRIPTION(qemu_log,
                                             "Reads QEMU's trace log");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_HELP(qemu_log,
                                      "Parameters: inputs=[\"FILE\"].");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD(qemu_log, ct_log_initialize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD(qemu_log, ct_log_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_QUERY_METHOD(qemu_log, ct_log_query);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(
    qemu_log, ct_log_iterator_initialize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(
    qemu_log, ct_log_iterator_finalize);
