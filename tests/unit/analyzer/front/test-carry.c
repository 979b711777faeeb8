/* SPDX-License-Identifier: MIT */
/*
 * test-carry.c - what a source puts into a message, a sink takes out again
 *
 * Every event of the schema with every field, with none, and with one left
 * out, goes as text through a real graph; the sink at its end reads records
 * with the carry and writes them as text again, which must be the same.
 */
#include <babeltrace2/babeltrace.h>
#include <glib.h>
#include <string.h>

#include "reading.h"
#include "source/carry.h"
#include "source/graph.h"
#include "source/text/src-text.h"

static bt_message_iterator *iterator;
static struct ct_carry *carry;
static GString *read_back;

/* --- records as text ----------------------------------------------------- */

static void put_value(GString *text, const struct ct_field *field,
                      const struct ct_value *value)
{
    g_string_append_printf(text, " %s=", field->name);
    switch (field->kind) {
    case CT_FIELD_STRING:
        g_string_append_printf(text, "\"%s\"", value->s);
        break;
    case CT_FIELD_HEXES:
        for (uint32_t i = 0; i < value->len; i++) {
            g_string_append_printf(text, "%s0x%" G_GINT64_MODIFIER "x",
                                   i ? "," : "", value->v[i]);
        }
        break;
    case CT_FIELD_BYTES:
        for (uint32_t i = 0; i < value->len; i++) {
            g_string_append_printf(text, "%02x", value->b[i]);
        }
        break;
    case CT_FIELD_I32:
    case CT_FIELD_I64:
        g_string_append_printf(text, "%" G_GINT64_FORMAT, value->i);
        break;
    default:
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, value->u);
        break;
    }
}

static void put_record(GString *text, const struct ct_record *record)
{
    const struct ct_event *event = ct_schema_event((unsigned)record->event);

    g_string_append_printf(text, "@%" G_GINT64_FORMAT " %d/%d %s:%s",
                           record->when_ns, record->pid, record->tid,
                           event->provider, event->name);
    for (unsigned i = 0; i < event->n_fields; i++) {
        if (record->values[i].present) {
            put_value(text, &event->fields[i], &record->values[i]);
        }
    }
    g_string_append_c(text, '\n');
}

/* --- the sink ------------------------------------------------------------ */

static bt_component_class_initialize_method_status initialize(
    bt_self_component_sink *self,
    bt_self_component_sink_configuration *configuration, const bt_value *params,
    void *data)
{
    bt_self_component_sink_add_input_port(self, "in", NULL, NULL);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static bt_component_class_sink_graph_is_configured_method_status configured(
    bt_self_component_sink *self)
{
    g_assert_cmpint(
        bt_message_iterator_create_from_sink_component(
            self, bt_self_component_sink_borrow_input_port_by_index(self, 0),
            &iterator),
        ==, BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK);
    return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK;
}

static void finalize(bt_self_component_sink *self)
{
    g_clear_pointer(&iterator, bt_message_iterator_put_ref);
}

static void take(const bt_message *message)
{
    struct ct_record record;
    const bt_event *event;

    if (bt_message_get_type(message) != BT_MESSAGE_TYPE_EVENT) {
        return;
    }
    memset(&record, 0xa5, sizeof(record)); /* what is not set must show */
    event = bt_message_event_borrow_event_const(message);
    g_assert_cmpint(
        bt_clock_snapshot_get_ns_from_origin(
            bt_message_event_borrow_default_clock_snapshot_const(message),
            &record.when_ns),
        ==, BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK);
    ct_carry_read(carry, event, &record);
    g_assert_cmpint(record.kind, ==, CT_RECORD_EVENT);
    g_assert_cmpint(record.event, >=, 0);
    put_record(read_back, &record);
}

static bt_component_class_sink_consume_method_status consume(
    bt_self_component_sink *self)
{
    bt_message_array_const messages;
    uint64_t n;

    switch (bt_message_iterator_next(iterator, &messages, &n)) {
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
    default:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
    }
    for (uint64_t i = 0; i < n; i++) {
        take(messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}

static void check_round_trip(const char *body)
{
    g_autofree char *text = g_strconcat("cotrace-text 1\n", body, NULL);
    g_autofree char *path = reading_file("trace", text);
    bt_component_class_sink *class =
        bt_component_class_sink_create("test", consume);
    struct ct_graph *graph = ct_graph_new();
    struct ct_text_report report = {0};
    char *why = NULL;

    bt_component_class_sink_set_initialize_method(class, initialize);
    bt_component_class_sink_set_graph_is_configured_method(class, configured);
    bt_component_class_sink_set_finalize_method(class, finalize);
    carry = ct_carry_new();
    read_back = g_string_new(NULL);
    g_assert_true(ct_graph_add_text(graph, path, &report, &why));
    g_assert_cmpint(ct_graph_run(graph, class, NULL, &why), ==, CT_GRAPH_DONE);
    g_assert_cmpuint(report.bad_lines, ==, 0);
    g_assert_cmpuint(report.stepped_back, ==, 0);
    g_assert_cmpstr(read_back->str, ==, body);
    g_string_free(read_back, TRUE);
    ct_graph_free(graph);
    ct_carry_free(carry);
    bt_component_class_sink_put_ref(class);
}

/* --- what goes through --------------------------------------------------- */

/* A value that tells fields apart, and is at its kind's limit for some. */
static void set_value(struct ct_value *value, const struct ct_field *field,
                      uint64_t n)
{
    static const uint64_t array[] = {1, UINT64_MAX, 0x401000};
    static const uint8_t bytes[] = {0, 0xff, 0x1f};

    value->present = true;
    switch (field->kind) {
    case CT_FIELD_STRING:
        value->s = n % 2 ? "a name with = and @" : "";
        break;
    case CT_FIELD_HEXES:
        value->v = array;
        value->len = n % 2 ? G_N_ELEMENTS(array) : 0;
        break;
    case CT_FIELD_BYTES:
        value->b = bytes;
        value->len = G_N_ELEMENTS(bytes);
        break;
    case CT_FIELD_I32:
        value->i = n % 2 ? INT32_MIN : (int64_t)n;
        break;
    case CT_FIELD_I64:
        value->i = n % 2 ? INT64_MIN : INT64_MAX;
        break;
    case CT_FIELD_U32:
        value->u = UINT32_MAX - n;
        break;
    case CT_FIELD_ENUM:
        value->u = n % 256;
        break;
    default:
        value->u = UINT64_MAX - n;
        break;
    }
}

static void put_event(GString *text, unsigned id, uint64_t n,
                      bool (*has)(unsigned field))
{
    const struct ct_event *event = ct_schema_event(id);
    struct ct_record record = {
        .kind = CT_RECORD_EVENT,
        .event = (int)id,
        .when_ns = (int64_t)(1000 + n),
        .pid = (int32_t)(n + 1),
        .tid = INT32_MAX,
    };

    for (unsigned i = 0; i < event->n_fields; i++) {
        if (has(i)) {
            set_value(&record.values[i], &event->fields[i], n + i);
        }
    }
    put_record(text, &record);
}

static bool all(unsigned field)
{
    return true;
}

static bool none(unsigned field)
{
    return false;
}

static bool odd(unsigned field)
{
    return field % 2 == 1;
}

static bool even(unsigned field)
{
    return field % 2 == 0;
}

static void test_every_event(void)
{
    static bool (*const sets[])(unsigned) = {all, none, odd, even, all};
    GString *text = g_string_new(NULL);
    uint64_t n = 0;

    for (unsigned set = 0; set < G_N_ELEMENTS(sets); set++) {
        for (unsigned id = 0; id < CT_EV_COUNT; id++) {
            put_event(text, id, n++, sets[set]);
        }
    }
    check_round_trip(text->str);
    g_string_free(text, TRUE);
}

/* Far more messages than a batch. */
static void test_many(void)
{
    GString *text = g_string_new(NULL);

    for (uint64_t n = 0; n < 5000; n++) {
        put_event(text, (unsigned)(n % CT_EV_COUNT), n, n % 3 ? all : even);
    }
    check_round_trip(text->str);
    g_string_free(text, TRUE);
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/carry/every-event", test_every_event);
    g_test_add_func("/carry/many", test_many);
    status = g_test_run();
    reading_fini();
    return status;
}
