/* SPDX-License-Identifier: MIT */
/*
 * text-trace.c - the trace that a source out of text gives
 *
 * Beside its messages a source has to say what its trace is: classes, a clock
 * or none, what it answers when it is asked whether a file is its own.
 */
#include "source/text/text-trace.h"

#include <string.h>

#include "source/text/carry-write.h"

static bool set_clock(bt_stream_class *stream_class, bt_self_component *self,
                      const char *name)
{
    bt_clock_class *clock = bt_clock_class_create(self);
    bool good;

    if (!clock) {
        return false;
    }
    good = bt_clock_class_set_name(clock, name) ==
               BT_CLOCK_CLASS_SET_NAME_STATUS_OK &&
           bt_stream_class_set_default_clock_class(stream_class, clock) ==
               BT_STREAM_CLASS_SET_DEFAULT_CLOCK_CLASS_STATUS_OK;
    bt_clock_class_put_ref(clock);
    return good;
}

static bool set_stream_class(struct ct_text_trace *trace,
                             bt_trace_class *trace_class,
                             bt_self_component *self, const char *clock)
{
    bt_stream_class *stream_class = bt_stream_class_create(trace_class);
    bt_field_class *context = ct_carry_context_class(trace_class);
    bool good = stream_class && context;

    trace->stream_class = stream_class;
    if (good && clock) {
        good = set_clock(stream_class, self, clock);
    }
    if (good) {
        bt_stream_class_set_supports_discarded_events(
            stream_class, BT_TRUE, clock ? BT_TRUE : BT_FALSE);
        good = bt_stream_class_set_event_common_context_field_class(
                   stream_class, context) ==
               BT_STREAM_CLASS_SET_FIELD_CLASS_STATUS_OK;
    }
    bt_field_class_put_ref(context);
    return good;
}

bool ct_text_trace_init(struct ct_text_trace *trace, bt_self_component *self,
                        const char *clock)
{
    bt_trace_class *trace_class = bt_trace_class_create(self);
    bool good;

    *trace = (struct ct_text_trace){.has_clock = clock != NULL};
    good = trace_class && set_stream_class(trace, trace_class, self, clock);
    if (good) {
        trace->trace = bt_trace_create(trace_class);
        good = trace->trace != NULL;
    }
    bt_trace_class_put_ref(trace_class);
    return good;
}

void ct_text_trace_fini(struct ct_text_trace *trace)
{
    bt_trace_put_ref(trace->trace);
    bt_stream_class_put_ref(trace->stream_class);
    *trace = (struct ct_text_trace){0};
}

const char *ct_text_input(const bt_value *params)
{
    const bt_value *inputs =
        bt_value_map_borrow_entry_value_const(params, "inputs");
    const bt_value *input;

    if (!inputs || !bt_value_is_array(inputs) ||
        bt_value_array_get_length(inputs) != 1) {
        return NULL;
    }
    input = bt_value_array_borrow_element_by_index_const(inputs, 0);
    return bt_value_is_string(input) ? bt_value_string_get(input) : NULL;
}

bt_component_class_query_method_status ct_text_support(
    const char *object, const bt_value *params,
    bool (*recognise)(const char *path), const bt_value **result)
{
    const bt_value *type;
    const bt_value *input;
    bool ours;

    if (strcmp(object, "babeltrace.support-info") != 0) {
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_UNKNOWN_OBJECT;
    }
    type = bt_value_map_borrow_entry_value_const(params, "type");
    input = bt_value_map_borrow_entry_value_const(params, "input");
    ours = type && input && bt_value_is_string(type) &&
           bt_value_is_string(input) &&
           (strcmp(bt_value_string_get(type), "file") == 0 ||
            strcmp(bt_value_string_get(type), "directory") == 0) &&
           recognise(bt_value_string_get(input));
    *result = bt_value_real_create_init(ours ? 0.9 : 0.0);
    return *result ? BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_OK
                   : BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_MEMORY_ERROR;
}

const bt_component_class_source *ct_text_source_class(
    const char *name, bt_component_class_source_initialize_method initialize,
    bt_component_class_source_finalize_method finalize,
    bt_component_class_source_query_method query,
    bt_message_iterator_class_initialize_method iterator_initialize,
    bt_message_iterator_class_finalize_method iterator_finalize,
    bt_message_iterator_class_next_method next)
{
    bt_message_iterator_class *iterator =
        bt_message_iterator_class_create(next);
    bt_component_class_source *class = NULL;

    if (iterator) {
        bt_message_iterator_class_set_initialize_method(iterator,
                                                        iterator_initialize);
        bt_message_iterator_class_set_finalize_method(iterator,
                                                      iterator_finalize);
        class = bt_component_class_source_create(name, iterator);
        bt_message_iterator_class_put_ref(iterator);
    }
    if (class) {
        bt_component_class_source_set_initialize_method(class, initialize);
        bt_component_class_source_set_finalize_method(class, finalize);
        bt_component_class_source_set_query_method(class, query);
    }
    return class;
}
