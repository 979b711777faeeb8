/* SPDX-License-Identifier: MIT */
/*
 * source/text/text-trace.h - the trace that a source out of text gives
 *
 * Model:    one trace, one stream class, with a clock or without; what both
 *           sources out of text need of libbabeltrace2 beside their messages.
 * Threads:  one graph, one thread.
 * Memory:   ct_text_trace_fini() gives the references back.
 * Errors:   false: no memory.
 * Depends:  babeltrace2.
 */
#ifndef CT_SOURCE_TEXT_TEXT_TRACE_H
#define CT_SOURCE_TEXT_TEXT_TRACE_H

#include <babeltrace2/babeltrace.h>
#include <stdbool.h>

struct ct_text_trace {
    bool has_clock;
    bt_trace *trace;
    bt_stream_class *stream_class;
};

/** ct_text_trace_init() - @clock: its name; NULL: none, only an order */
bool ct_text_trace_init(struct ct_text_trace *trace, bt_self_component *self,
                        const char *clock);
void ct_text_trace_fini(struct ct_text_trace *trace);

/** ct_text_input() - the one path in parameter `inputs`; NULL: not so */
const char *ct_text_input(const bt_value *params);

/** ct_text_support() - answers babeltrace.support-info
 * @recognise: is the file ours? */
bt_component_class_query_method_status ct_text_support(
    const char *object, const bt_value *params,
    bool (*recognise)(const char *path), const bt_value **result);

/** ct_text_source_class() - a component class of these methods; NULL: no
 * memory */
const bt_component_class_source *ct_text_source_class(
    const char *name, bt_component_class_source_initialize_method initialize,
    bt_component_class_source_finalize_method finalize,
    bt_component_class_source_query_method query,
    bt_message_iterator_class_initialize_method iterator_initialize,
    bt_message_iterator_class_finalize_method iterator_finalize,
    bt_message_iterator_class_next_method next);

#endif
