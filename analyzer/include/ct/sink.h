/* SPDX-License-Identifier: MIT */
/*
 * ct/sink.h - our babeltrace2 components, for whoever registers them
 *
 * Model:    a sink component feeds one pass; a component class of any name
 *           calls these functions from its own methods, and its initialize
 *           method brings the consumers.  The text source likewise.
 *           analyzer/trace.c makes classes of its own for the command; the
 *           plugin makes static ones of the same functions.
 * Threads:  as the graph: one.
 * Memory:   consumers and options are borrowed until `finished` was called.
 * Errors:   bt statuses, causes appended to the thread's error chain.
 * Depends:  ct/consumer.h, ct/span.h, babeltrace2.
 */
#ifndef CT_SINK_H
#define CT_SINK_H

#include <babeltrace2/babeltrace.h>

#include "ct/consumer.h"
#include "ct/span.h"

struct ct_sink_options {
    struct ct_consumer *const *consumers; /* NULL-terminated */
    struct ct_span span;                  /* that they are told of */
    /* Every consumer's finish has been called, or (with an error) never will
     * be: called exactly once, at the trace's end or when the component goes.
     * What the consumers answered can be shown now. */
    void (*finished)(void *data, const GError *error);
    void *data;
};

bt_component_class_initialize_method_status ct_sink_initialize(
    bt_self_component_sink *self, const struct ct_sink_options *options);

void ct_sink_finalize(bt_self_component_sink *self);

bt_component_class_sink_graph_is_configured_method_status
ct_sink_graph_is_configured(bt_self_component_sink *self);

bt_component_class_sink_consume_method_status ct_sink_consume(
    bt_self_component_sink *self);

/* --- source.cotrace.text: parameter `inputs`, an array of one path ------- */

bt_component_class_initialize_method_status ct_text_initialize(
    bt_self_component_source *self,
    bt_self_component_source_configuration *configuration,
    const bt_value *params, void *data);

void ct_text_finalize(bt_self_component_source *self);

/** ct_text_query() - babeltrace.support-info: is it a text trace? */
bt_component_class_query_method_status ct_text_query(
    bt_self_component_class_source *self, bt_private_query_executor *executor,
    const char *object, const bt_value *params, void *data,
    const bt_value **result);

bt_message_iterator_class_initialize_method_status ct_text_iterator_initialize(
    bt_self_message_iterator *self,
    bt_self_message_iterator_configuration *configuration,
    bt_self_component_port_output *port);

void ct_text_iterator_finalize(bt_self_message_iterator *self);

bt_message_iterator_class_next_method_status ct_text_iterator_next(
    bt_self_message_iterator *self, bt_message_array_const messages,
    uint64_t capacity, uint64_t *count);

/* --- source.cotrace.qemu_log: parameter `inputs`, an array of one path
 * ---------
 */

bt_component_class_initialize_method_status ct_log_initialize(
    bt_self_component_source *self,
    bt_self_component_source_configuration *configuration,
    const bt_value *params, void *data);

void ct_log_finalize(bt_self_component_source *self);

/** ct_log_query() - babeltrace.support-info: is it QEMU's trace log? */
bt_component_class_query_method_status ct_log_query(
    bt_self_component_class_source *self, bt_private_query_executor *executor,
    const char *object, const bt_value *params, void *data,
    const bt_value **result);

bt_message_iterator_class_initialize_method_status ct_log_iterator_initialize(
    bt_self_message_iterator *self,
    bt_self_message_iterator_configuration *configuration,
    bt_self_component_port_output *port);

void ct_log_iterator_finalize(bt_self_message_iterator *self);

bt_message_iterator_class_next_method_status ct_log_iterator_next(
    bt_self_message_iterator *self, bt_message_array_const messages,
    uint64_t capacity, uint64_t *count);

#endif
