/* SPDX-License-Identifier: MIT */
/*
 * graph.c - the babeltrace2 graph of one run
 *
 *     source (one a trace) -> sink, which merges the streams (merge.c)
 *
 * libbabeltrace2's own components come from its plugins, found where its
 * installation has them.  An error leaves a chain of causes on the thread,
 * deepest first; people get the deepest one, in a line.
 */
#include "source/graph.h"

#include <string.h>

#include "source/feed.h"
#include "source/text/src-qemu-log.h"
#include "source/text/src-text.h"

#define SOURCES_MAX 4096

struct ct_graph {
    bt_graph *graph;
    GPtrArray *sources; /* const bt_component_source *, the graph's */
};

struct ct_graph *ct_graph_new(void)
{
    struct ct_graph *graph = g_new0(struct ct_graph, 1);

    graph->graph = bt_graph_create(0);
    graph->sources = g_ptr_array_new();
    return graph;
}

void ct_graph_free(struct ct_graph *graph)
{
    if (!graph) {
        return;
    }
    g_ptr_array_unref(graph->sources);
    bt_graph_put_ref(graph->graph);
    /* An iterator that had put an error off leaves it on the thread when it
     * goes, and the library's next call would abort. */
    bt_current_thread_clear_error();
    g_free(graph);
}

/* --- errors -------------------------------------------------------------- */

/* Takes the thread's error, always, so that none is left behind. */
static char *take_why(const char *otherwise)
{
    const bt_error *error = bt_current_thread_take_error();
    char *why = NULL;

    if (error && bt_error_get_cause_count(error) > 0) {
        const bt_error_cause *cause = bt_error_borrow_cause_by_index(error, 0);

        why = g_strdup(bt_error_cause_get_message(cause));
        /* "what happened: detail=value, ..." */
        if (strstr(why, ": ") && strchr(strstr(why, ": "), '=')) {
            *strstr(why, ": ") = '\0';
        }
        g_strdelimit(why, "\r\n\t", ' ');
        g_strchomp(why);
    }
    if (error) {
        bt_error_release(error);
    }
    return why ? why : g_strdup(otherwise);
}

static bool failed(char **ret_why, const char *otherwise)
{
    *ret_why = take_why(otherwise);
    return false;
}

/* --- components of libbabeltrace2 ---------------------------------------- */

static const bt_plugin *plugin_by_name(const char *name)
{
    const bt_plugin *plugin = NULL;

    if (bt_plugin_find(name, BT_TRUE, BT_FALSE, BT_TRUE, BT_FALSE, BT_FALSE,
                       &plugin) != BT_PLUGIN_FIND_STATUS_OK) {
        return NULL;
    }
    return plugin;
}

static bt_value *ctf_params(const GPtrArray *paths)
{
    bt_value *params = bt_value_map_create();
    bt_value *inputs = NULL;
    bool good =
        params &&
        bt_value_map_insert_bool_entry(
            params, "force-clock-class-origin-unix-epoch", BT_TRUE) ==
            BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK &&
        bt_value_map_insert_empty_array_entry(params, "inputs", &inputs) ==
            BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK;

    for (unsigned i = 0; good && i < paths->len; i++) {
        good = bt_value_array_append_string_element(
                   inputs, g_ptr_array_index(paths, i)) ==
               BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK;
    }
    if (!good) {
        bt_value_put_ref(params);
        return NULL;
    }
    return params;
}

static bool add_source(struct ct_graph *graph,
                       const bt_component_class_source *class, bt_value *params,
                       void *data, char **ret_why)
{
    const bt_component_source *source;
    char name[32];

    g_snprintf(name, sizeof(name), "source-%u", graph->sources->len);
    if (!class || !params || graph->sources->len >= SOURCES_MAX ||
        bt_graph_add_source_component_with_initialize_method_data(
            graph->graph, class, name, params, data, BT_LOGGING_LEVEL_NONE,
            &source) != BT_GRAPH_ADD_COMPONENT_STATUS_OK) {
        return failed(ret_why, "libbabeltrace2 can't read it");
    }
    g_ptr_array_add(graph->sources, (void *)source);
    return true;
}

bool ct_graph_add_ctf(struct ct_graph *graph, const GPtrArray *paths,
                      char **ret_why)
{
    const bt_plugin *plugin = plugin_by_name("ctf");
    bt_value *params;
    bool good;

    if (!plugin) {
        return failed(ret_why, "libbabeltrace2's plugin ctf is not installed");
    }
    params = ctf_params(paths);
    good = add_source(
        graph,
        bt_plugin_borrow_source_component_class_by_name_const(plugin, "fs"),
        params, NULL, ret_why);
    bt_value_put_ref(params);
    bt_plugin_put_ref(plugin);
    return good;
}

static bool add_file(struct ct_graph *graph,
                     const bt_component_class_source *class, const char *path,
                     void *data, char **ret_why)
{
    GPtrArray *paths = g_ptr_array_new();
    bt_value *params;
    bool good;

    g_ptr_array_add(paths, (void *)path);
    params = ctf_params(paths);
    good = add_source(graph, class, params, data, ret_why);
    bt_value_put_ref(params);
    bt_component_class_source_put_ref(class);
    g_ptr_array_unref(paths);
    return good;
}

bool ct_graph_add_text(struct ct_graph *graph, const char *path,
                       struct ct_text_report *report, char **ret_why)
{
    return add_file(graph, ct_text_class(), path, report, ret_why);
}

bool ct_graph_add_log(struct ct_graph *graph, const char *path, char **ret_why)
{
    return add_file(graph, ct_log_class(), path, NULL, ret_why);
}

/* --- connecting ---------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(bt_port_get_name(bt_port_output_as_port_const(
                      *(const bt_port_output *const *)a)),
                  bt_port_get_name(bt_port_output_as_port_const(
                      *(const bt_port_output *const *)b)));
}

/* Of all sources, a port each; in an order that does not depend on how the
 * files lie in their folder. */
static GPtrArray *streams_of(const struct ct_graph *graph)
{
    GPtrArray *ports = g_ptr_array_new();

    for (unsigned i = 0; i < graph->sources->len; i++) {
        const bt_component_source *source =
            g_ptr_array_index(graph->sources, i);
        uint64_t n = bt_component_source_get_output_port_count(source);

        for (uint64_t k = 0; k < n; k++) {
            g_ptr_array_add(
                ports,
                (void *)bt_component_source_borrow_output_port_by_index_const(
                    source, k));
        }
    }
    g_ptr_array_sort(ports, by_name);
    return ports;
}

static bool connect(struct ct_graph *graph, const GPtrArray *streams,
                    const bt_component_sink *sink)
{
    for (unsigned i = 0; i < streams->len; i++) {
        if (bt_graph_connect_ports(
                graph->graph, g_ptr_array_index(streams, i),
                bt_component_sink_borrow_input_port_by_index_const(sink, i),
                NULL) != BT_GRAPH_CONNECT_PORTS_STATUS_OK) {
            return false;
        }
    }
    return true;
}

enum ct_graph_end ct_graph_run(struct ct_graph *graph,
                               const bt_component_class_sink *class,
                               struct ct_feed *feed, char **ret_why)
{
    g_autoptr(GPtrArray) streams = streams_of(graph);
    struct ct_sink_input input = {feed, streams->len};
    const bt_component_sink *sink;

    if (streams->len == 0) {
        return CT_GRAPH_NO_STREAM;
    }
    if (bt_graph_add_sink_component_with_initialize_method_data(
            graph->graph, class, "sink", NULL, &input, BT_LOGGING_LEVEL_NONE,
            &sink) != BT_GRAPH_ADD_COMPONENT_STATUS_OK ||
        !connect(graph, streams, sink)) {
        failed(ret_why, "the graph could not be connected");
        return CT_GRAPH_FAILED;
    }
    if (bt_graph_run(graph->graph) != BT_GRAPH_RUN_STATUS_OK) {
        failed(ret_why, "libbabeltrace2 failed");
        return CT_GRAPH_FAILED;
    }
    return CT_GRAPH_DONE;
}
