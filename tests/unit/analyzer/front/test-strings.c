/* SPDX-License-Identifier: MIT */
/*
 * test-strings.c - each event of a CTF trace has its own text
 *
 * libbabeltrace2 uses one field again for all events of a kind: what an earlier
 * one had there, longer or shorter, must not show in a later one.
 */
#include <string.h>

#include "ct/schema.h"
#include "reading.h"

static const char metadata[] =
    "/* CTF 1.8 */\n\n"
    "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
    "typealias integer { size = 16; align = 8; signed = false; } := "
    "uint16_t;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := "
    "uint32_t;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := "
    "uint64_t;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := "
    "unsigned long;\n"
    "typealias integer { size = 5; align = 1; signed = false; } := uint5_t;\n"
    "typealias integer { size = 27; align = 1; signed = false; } := uint27_t;\n"
    "\ntrace {\n\tmajor = 1;\n\tminor = 8;\n"
    "\tuuid = \"00112233-4455-6677-8899-aabbccddeeff\";\n"
    "\tbyte_order = le;\n"
    "\tpacket.header := struct {\n\t\tuint32_t magic;\n"
    "\t\tuint8_t  uuid[16];\n\t\tuint32_t stream_id;\n"
    "\t\tuint64_t stream_instance_id;\n\t};\n};\n\n"
    "env {\n\tdomain = \"ust\";\n\ttracer_name = \"lttng-ust\";\n};\n\n"
    "clock {\n\tname = \"monotonic\";\n\tfreq = 1000000000;\n"
    "\toffset = 1000000;\n};\n\n"
    "typealias integer {\n\tsize = 27; align = 1; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint27_clock_monotonic_t;\n\n"
    "typealias integer {\n\tsize = 32; align = 8; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint32_clock_monotonic_t;\n\n"
    "typealias integer {\n\tsize = 64; align = 8; signed = false;\n"
    "\tmap = clock.monotonic.value;\n} := uint64_clock_monotonic_t;\n\n"
    "struct packet_context {\n\tuint64_clock_monotonic_t timestamp_begin;\n"
    "\tuint64_clock_monotonic_t timestamp_end;\n\tuint64_t content_size;\n"
    "\tuint64_t packet_size;\n\tuint64_t packet_seq_num;\n"
    "\tunsigned long events_discarded;\n\tuint32_t cpu_id;\n};\n\n"
    "struct event_header_large {\n"
    "\tenum : uint16_t { compact = 0 ... 65534, extended = 65535 } id;\n"
    "\tvariant <id> {\n\t\tstruct {\n"
    "\t\t\tuint32_clock_monotonic_t timestamp;\n\t\t} compact;\n"
    "\t\tstruct {\n\t\t\tuint32_t id;\n"
    "\t\t\tuint64_clock_monotonic_t timestamp;\n\t\t} extended;\n\t} v;\n"
    "} align(8);\n\n"
    "stream {\n\tid = 0;\n\tevent.header := struct event_header_large;\n"
    "\tpacket.context := struct packet_context;\n"
    "\tevent.context := struct {\n"
    "\t\tinteger { size = 32; align = 8; signed = 1; encoding = none; "
    "base = 10; } _vpid;\n"
    "\t\tinteger { size = 32; align = 8; signed = 1; encoding = none; "
    "base = 10; } _vtid;\n\t};\n};\n\n"
    "event {\n\tname = \"cotrace:thread_start\";\n\tid = 0;\n"
    "\tstream_id = 0;\n\tfields := struct {\n"
    "\t\tinteger { size = 64; align = 8; signed = 0; encoding = none; "
    "base = 10; } _thread;\n"
    "\t\tstring _name;\n\t};\n};\n\n";

static void put_number(GByteArray *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        guint8 byte = (guint8)(value >> 8 * i);

        g_byte_array_append(out, &byte, 1);
    }
}

/* One packet, in it an event with each of the @texts, a nanosecond apart. */
static GByteArray *packet_of(const char *const *texts, unsigned n)
{
    static const guint8 uuid[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                  0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                  0xcc, 0xdd, 0xee, 0xff};
    GByteArray *events = g_byte_array_new();
    GByteArray *out = g_byte_array_new();
    unsigned head_bytes = 4 + 16 + 4 + 8 + 6 * 8 + 4;

    for (unsigned i = 0; i < n; i++) {
        put_number(events, 0, 2);        /* id */
        put_number(events, 1000 + i, 4); /* clock */
        put_number(events, 100, 4);      /* vpid */
        put_number(events, 101 + i, 4);  /* vtid */
        put_number(events, 1 + i, 8);    /* thread */
        g_byte_array_append(events, (const guint8 *)texts[i],
                            (guint)strlen(texts[i]) + 1);
    }
    put_number(out, 0xc1fc1fc1, 4);
    g_byte_array_append(out, uuid, sizeof(uuid));
    put_number(out, 0, 4); /* stream */
    put_number(out, 0, 8); /* its instance */
    put_number(out, 1000, 8);
    put_number(out, 1000 + n, 8);
    put_number(out, (head_bytes + events->len) * 8ull, 8); /* content */
    put_number(out, (head_bytes + events->len) * 8ull, 8); /* packet */
    put_number(out, 0, 8);                                 /* number */
    put_number(out, 0, 8);                                 /* discarded */
    put_number(out, 0, 4);                                 /* cpu */
    g_assert_cmpuint(out->len, ==, head_bytes);
    g_byte_array_append(out, events->data, events->len);
    g_byte_array_unref(events);
    return out;
}

struct names {
    struct ct_consumer consumer;
    const char *const *expected;
    unsigned n;
};

static void take_event(struct ct_consumer *consumer,
                       const struct ct_record *record)
{
    struct names *names = (struct names *)consumer;
    const struct ct_value *name = &record->values[CT_FLD_THREAD_START_NAME];

    g_assert_cmpint(record->event, ==, CT_EV_THREAD_START);
    g_assert_true(name->present);
    g_assert_cmpstr(name->s, ==, names->expected[names->n]);
    g_assert_cmpuint(name->len, ==, strlen(name->s));
    names->n++;
}

static void test_own_text(void)
{
    static const char *const words[] = {
        "a-file-with-a-name",
        "",
        "short",
        "as long as never before",
        "",
        "x",
        "again",
    };
    const char *texts[500]; /* it has many fields out at a time */
    g_autofree char *dir = reading_scratch();

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        texts[i] = words[i % G_N_ELEMENTS(words)];
    }
    GByteArray *packet = packet_of(texts, G_N_ELEMENTS(texts));
    struct names names = {.consumer = {.event = take_event}, .expected = texts};
    struct ct_consumer *consumers[] = {&names.consumer, NULL};
    GError *error = NULL;

    file_write(dir, "metadata", 0, metadata, strlen(metadata));
    file_write(dir, "stream", 0, packet->data, packet->len);
    g_byte_array_unref(packet);
    ct_trace_run(dir, NULL, consumers, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(names.n, ==, G_N_ELEMENTS(texts));
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/strings/own-text", test_own_text);
    status = g_test_run();
    reading_fini();
    return status;
}
