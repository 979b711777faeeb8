/* SPDX-License-Identifier: MIT */
/*
 * test-merge.c - messages of several traces as one: all of them, by time, equal
 * times by the order of their streams
 */
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "reading.h"
#include "source/carry.h"
#include "source/feed.h"
#include "source/graph.h"
#include "source/merge.h"
#include "source/text/src-text.h"

#define TRACES_MAX 9

struct seen {
    int64_t when_ns;
    uint64_t context; /* what each event of these traces says: its number */
};

static struct ct_merge *merge;
static struct ct_carry *carry;
static GArray *seen;     /* struct seen */
static unsigned stop_at; /* after so many events; 0: never */
static int64_t last_ns;

/* --- a sink that writes down what comes ---------------------------------- */

static bt_component_class_initialize_method_status initialize(
    bt_self_component_sink *self,
    bt_self_component_sink_configuration *configuration, const bt_value *params,
    void *data)
{
    const struct ct_sink_input *input = data;

    for (uint64_t i = 0; i < input->streams; i++) {
        g_autofree char *name = g_strdup_printf("in%" PRIu64, i);
        bt_self_component_sink_add_input_port(self, name, NULL, NULL);
    }
    merge = ct_merge_new();
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static bt_component_class_sink_graph_is_configured_method_status configured(
    bt_self_component_sink *self)
{
    uint64_t n = bt_component_sink_get_input_port_count(
        bt_self_component_sink_as_component_sink(self));

    for (uint64_t i = 0; i < n; i++) {
        bt_message_iterator *iterator;
        g_assert_cmpint(
            bt_message_iterator_create_from_sink_component(
                self,
                bt_self_component_sink_borrow_input_port_by_index(self, i),
                &iterator),
            ==, BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK);
        ct_merge_add(merge, iterator);
    }
    return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK;
}

static void finalize(bt_self_component_sink *self)
{
    g_clear_pointer(&merge, ct_merge_free);
}

static void take(const bt_message *message, int64_t when_ns)
{
    struct ct_record record = {0};

    if (when_ns != CT_MERGE_NO_TIME) {
        g_assert_cmpint(when_ns, >=, last_ns);
        last_ns = when_ns;
    }
    if (bt_message_get_type(message) != BT_MESSAGE_TYPE_EVENT) {
        return;
    }
    ct_carry_read(carry, bt_message_event_borrow_event_const(message), &record);
    g_assert_cmpint(record.event, ==, CT_EV_AIO_NOTIFY);
    struct seen one = {when_ns, record.values[CT_FLD_AIO_NOTIFY_CTX].u};
    g_array_append_val(seen, one);
}

static bt_component_class_sink_consume_method_status consume(
    bt_self_component_sink *self)
{
    struct ct_merge_run run;

    switch (ct_merge_next(merge, &run)) {
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
    default:
        return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
    }
    g_assert_cmpuint(run.n, >, 0);
    for (uint64_t i = 0; i < run.n; i++) {
        take(run.messages[i], run.times_ns[i]);
        bt_message_put_ref(run.messages[i]);
    }
    return stop_at && seen->len >= stop_at
               ? BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END
               : BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}

/* --- traces -------------------------------------------------------------- */

static void run(char *const paths[], unsigned n)
{
    bt_component_class_sink *class =
        bt_component_class_sink_create("test", consume);
    struct ct_text_report reports[TRACES_MAX] = {{0}};
    struct ct_graph *graph = ct_graph_new();
    char *why = NULL;

    bt_component_class_sink_set_initialize_method(class, initialize);
    bt_component_class_sink_set_graph_is_configured_method(class, configured);
    bt_component_class_sink_set_finalize_method(class, finalize);
    carry = ct_carry_new();
    seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    last_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        g_assert_true(ct_graph_add_text(graph, paths[i], &reports[i], &why));
    }
    g_assert_cmpint(ct_graph_run(graph, class, NULL, &why), ==, CT_GRAPH_DONE);
    ct_graph_free(graph);
    ct_carry_free(carry);
    bt_component_class_sink_put_ref(class);
}

static int by_time(const void *a, const void *b)
{
    const struct seen *one = a;
    const struct seen *other = b;

    return (one->when_ns > other->when_ns) - (one->when_ns < other->when_ns);
}

/* Events in bursts, as threads have them, with many equal times; the number of
 * an event grows with its trace and in it, so a stable sort of all of them by
 * time is what has to come. */
static void check(uint32_t seed, unsigned n_traces, unsigned stop)
{
    GRand *rand = g_rand_new_with_seed(seed);
    GArray *expected = g_array_new(FALSE, FALSE, sizeof(struct seen));
    char *paths[TRACES_MAX];
    uint64_t number = 1;

    for (unsigned i = 0; i < n_traces; i++) {
        g_autofree char *name = g_strdup_printf("trace%u", i);
        GString *text = g_string_new("cotrace-text 1\n");
        unsigned n = i == 2 ? 0 : (unsigned)g_rand_int_range(rand, 1, 200);
        int64_t now_ns = g_rand_int_range(rand, 1000, 1050);

        for (unsigned k = 0; k < n; k++) {
            struct seen one = {now_ns, number++};
            g_string_append_printf(
                text, "@%" PRId64 " 1/1 aio_notify ctx=%" PRIu64 "\n",
                one.when_ns, one.context);
            g_array_append_val(expected, one);
            now_ns += g_rand_int_range(rand, 0, 10) ? 0 : 40;
            now_ns += g_rand_int_range(rand, 0, 2);
        }
        paths[i] = reading_file(name, text->str);
        g_string_free(text, TRUE);
    }
    g_array_sort(expected, by_time); /* stable, as GLib promises */
    stop_at = stop;
    run(paths, n_traces);
    g_assert_cmpuint(seen->len, >=, stop ? stop : expected->len);
    g_assert_cmpuint(seen->len, <=, expected->len);
    for (unsigned i = 0; i < seen->len; i++) {
        const struct seen *got = &g_array_index(seen, struct seen, i);
        const struct seen *want = &g_array_index(expected, struct seen, i);
        g_assert_cmpint(got->when_ns, ==, want->when_ns);
        g_assert_cmpuint(got->context, ==, want->context);
    }
    for (unsigned i = 0; i < n_traces; i++) {
        g_free(paths[i]);
    }
    g_array_unref(seen);
    g_array_unref(expected);
    g_rand_free(rand);
}

static void test_order(void)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        check(seed, 1 + seed % TRACES_MAX, 0);
    }
}

/* What was not consumed is released with the rest. */
static void test_stopped(void)
{
    for (uint32_t seed = 1; seed <= 10; seed++) {
        check(seed, TRACES_MAX, 20);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/merge/order", test_order);
    g_test_add_func("/merge/stopped", test_stopped);
    reading_init();
    int status = g_test_run();
    reading_fini();
    return status;
}
