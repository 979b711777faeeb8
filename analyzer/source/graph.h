/* SPDX-License-Identifier: MIT */
/*
 * source/graph.h - the babeltrace2 graph of one run
 *
 * Model:    new -> sources added -> run once, into one sink -> freed.
 * Threads:  one.
 * Memory:   what is given to components is borrowed until ct_graph_free().
 * Errors:   a line of text, to be freed by the caller: the first cause of
 *           libbabeltrace2's error, never its dump.
 * Depends:  babeltrace2, glib.h.
 */
#ifndef CT_SOURCE_GRAPH_H
#define CT_SOURCE_GRAPH_H

#include <babeltrace2/babeltrace.h>
#include <glib.h>
#include <stdbool.h>

struct ct_feed;
struct ct_graph;
struct ct_text_report;

struct ct_graph *ct_graph_new(void);
void ct_graph_free(struct ct_graph *graph);

/** ct_graph_add_ctf() - one trace; @paths: char *, its directories */
bool ct_graph_add_ctf(struct ct_graph *graph, const GPtrArray *paths,
                      char **ret_why);

/** ct_graph_add_text() - a text trace; @report: filled when it was read */
bool ct_graph_add_text(struct ct_graph *graph, const char *path,
                       struct ct_text_report *report, char **ret_why);

/** ct_graph_add_log() - QEMU's trace log */
bool ct_graph_add_log(struct ct_graph *graph, const char *path, char **ret_why);

enum ct_graph_end {
    CT_GRAPH_DONE,      /* the sink has got everything, or wants no more */
    CT_GRAPH_NO_STREAM, /* there is nothing to read */
    CT_GRAPH_FAILED,    /* *ret_why is set; the sink has got a part */
};

/**
 * ct_graph_run() - connect all streams to a sink, and run
 * @class: of the sink; its initialize method gets a struct ct_sink_input
 * @feed:  goes into that
 */
enum ct_graph_end ct_graph_run(struct ct_graph *graph,
                               const bt_component_class_sink *class,
                               struct ct_feed *feed, char **ret_why);

#endif
