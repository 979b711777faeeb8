/* SPDX-License-Identifier: MIT */
/*
 * test-count.c - events and losses out of streams as LTTng-UST writes them,
 * whole, cut, and of nonsense
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "session/output/count.h"
#include "ct/ctf.h"
#include "session/output/place.h"

#include "lib/tap.h"

#define BITS         8
#define PACKET_MAGIC 0xc1fc1fc1u
#define PACKET_HEAD  84 /* with a 64-bit `unsigned long` */
#define SEED         20261122

/* --- metadata ------------------------------------------------------------ */

#define INTEGER(size, name)   \
    "integer { size = " #size \
    "; align = 8; signed = 0; encoding = none; base = 10; } " name ";\n"
#define NUMBER(size, name)              \
    "typealias integer { size = " #size \
    "; align = 8; signed = false; } := " name ";\n"
/* what the size of `unsigned long` changes */
#define LONG(size)                                                        \
    NUMBER(size, "unsigned long")                                         \
    "struct packet_context { uint64_clock_monotonic_t timestamp_begin;\n" \
    "uint64_clock_monotonic_t timestamp_end; uint64_t content_size;\n"    \
    "uint64_t packet_size; uint64_t packet_seq_num;\n"                    \
    "unsigned long events_discarded; uint32_t cpu_id; };\n"
#define TRACE                                                                  \
    "/* CTF 1.8 */\n" NUMBER(8, "uint8_t") NUMBER(16, "uint16_t")              \
        NUMBER(32, "uint32_t") NUMBER(                                         \
            64,                                                                \
            "uint64_t") "trace { major = 1; byte_order = le;\n"                \
                        "  packet.header := struct { uint32_t magic; uint8_t " \
                        "uuid[16];\n"                                          \
                        "  uint32_t stream_id; uint64_t stream_instance_id; "  \
                        "}; };\n"                                              \
                        "env { hostname = \"odd } \\\" { name\"; };\n" NUMBER( \
                            27, "uint27_clock_monotonic_t")                    \
                            NUMBER(32, "uint32_clock_monotonic_t")             \
                                NUMBER(64, "uint64_clock_monotonic_t") NUMBER( \
                                    5,                                         \
                                    "uint5_t") "struct event_header_large {\n" \
                                               "enum : uint16_t { compact = "  \
                                               "0 ... 65534, extended = "      \
                                               "65535 } id;\n"                 \
                                               "variant <id> { struct { "      \
                                               "uint32_clock_monotonic_t "     \
                                               "timestamp; } compact;\n"       \
                                               "struct { uint32_t id; "        \
                                               "uint64_clock_monotonic_t "     \
                                               "timestamp; } extended;\n"      \
                                               "} v; } align(8);\n"
#define STREAM                                                      \
    "stream { id = 0; event.header := struct event_header_large;\n" \
    "  packet.context := struct packet_context;\n"                  \
    "  event.context := struct {\n" INTEGER(32, "_vpid")            \
        INTEGER(32, "_vtid") "}; };\n"
#define EVENT(name, id, fields)              \
    "event { name = \"" name "\"; id = " #id \
    "; stream_id = 0; loglevel = 13;\n fields := struct {\n" fields "}; };\n"

static const char events[] = EVENT(
    "cotrace:plain", 0,
    INTEGER(64, "_ctx")
        INTEGER(8, "_how")) EVENT("lttng_ust_statedump:end", 1, "")
    EVENT("cotrace:text", 2, "string _name;\n" INTEGER(16, "_n")) EVENT(
        "cotrace:many", 3,
        INTEGER(
            8,
            "__frames_length") "integer { size = 64; align = 8; signed = 0; } "
                               "_frames[ __frames_length ];\n" INTEGER(8,
                                                                       "_last"))
        EVENT("cotrace:odd", 4,
              "enum : integer { size = 8; align = 8; } { \"a;}\" = 0, } _e;\n"
              "floating_point { exp_dig = 11; mant_dig = 53; align = 8; } _f;\n"
              "integer { size = 8; align = 8; } _uuid[ 16 ];\n"
              "string { encoding = UTF8; } _s;\n")
            EVENT("cotrace:late", 70000, INTEGER(8, "_x"));
static const char late[] = EVENT("cotrace:long", 65000, INTEGER(8, "_x"));

static char *folder;

static char *metadata(const char *long_alias)
{
    return g_strconcat(TRACE, long_alias, STREAM, NULL);
}

static void put_file(const char *name, const void *bytes, size_t length)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    tap_check(g_file_set_contents_full(path, bytes, (gssize)length,
                                       G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

/* In packets, as LTTng writes it, padded, cut in the middle of a word. */
static GByteArray *packetise(const char *text)
{
    GByteArray *bytes = g_byte_array_new();
    size_t left = strlen(text);
    const uint32_t packet = 256;

    while (left) {
        uint8_t head[37] = {0};
        uint32_t take = (uint32_t)MIN(left, packet - sizeof(head));
        uint32_t magic = 0x75d11d57u;
        uint32_t content_bits = (uint32_t)(take + sizeof(head)) * BITS;
        uint32_t packet_bits = packet * BITS;

        memcpy(head, &magic, 4);
        memcpy(head + 24, &content_bits, 4);
        memcpy(head + 28, &packet_bits, 4);
        g_byte_array_append(bytes, head, sizeof(head));
        g_byte_array_append(bytes, (const uint8_t *)text, take);
        g_byte_array_set_size(bytes,
                              (bytes->len + packet - 1) / packet * packet);
        text += take;
        left -= take;
    }
    return bytes;
}

/* --- streams ------------------------------------------------------------- */

static void add(GByteArray *bytes, const void *value, guint length)
{
    g_byte_array_append(bytes, value, length);
}

static void begin_event(GByteArray *bytes, uint16_t id)
{
    const uint8_t time_and_context[4 + 8] = {0};

    add(bytes, &id, sizeof(id));
    add(bytes, time_and_context, sizeof(time_and_context));
}

static void begin_long_event(GByteArray *bytes, uint32_t id)
{
    const uint16_t marker = 0xffff;
    const uint8_t time_and_context[8 + 8] = {0};

    add(bytes, &marker, sizeof(marker));
    add(bytes, &id, sizeof(id));
    add(bytes, time_and_context, sizeof(time_and_context));
}

static void add_plain(GByteArray *bytes)
{
    begin_event(bytes, 0);
    add(bytes, "12345678h", 9);
}

/* One of each kind; six, of which five are the program's. */
static void add_kinds(GByteArray *bytes)
{
    add_plain(bytes);
    begin_event(bytes, 1);
    begin_event(bytes, 2);
    add(bytes, "name\0nn", 7);
    begin_event(bytes, 3);
    add(bytes, "\003aaaaaaaabbbbbbbbccccccccl", 26);
    begin_event(bytes, 4);
    add(bytes, "eddddddddUUUUUUUUUUUUUUUU\0", 26);
    begin_long_event(bytes, 65000);
    add(bytes, "x", 1);
}

static void add_packet(GByteArray *stream, uint64_t number, uint64_t discarded,
                       const GByteArray *content, guint padding)
{
    uint8_t head[PACKET_HEAD] = {0};
    uint32_t magic = PACKET_MAGIC;
    uint64_t content_bits = (uint64_t)(sizeof(head) + content->len) * BITS;
    uint64_t packet_bits = content_bits + (uint64_t)padding * BITS;

    memcpy(head, &magic, 4);
    memcpy(head + 32 + 16, &content_bits, 8);
    memcpy(head + 32 + 24, &packet_bits, 8);
    memcpy(head + 32 + 32, &number, 8);
    memcpy(head + 32 + 40, &discarded, 8);
    add(stream, head, sizeof(head));
    add(stream, content->data, content->len);
    g_byte_array_set_size(stream, stream->len + padding);
}

static GByteArray *kinds(void)
{
    GByteArray *content = g_byte_array_new();

    add_kinds(content);
    return content;
}

static GByteArray *three_packets(void)
{
    g_autoptr(GByteArray) content = kinds();
    GByteArray *stream = g_byte_array_new();

    add_packet(stream, 0, 0, content, 0);
    add_packet(stream, 1, 2, content, 100);
    add_packet(stream, 2, 7, content, 0);
    return stream;
}

static struct ct_count count_with(const char *text, const GByteArray *stream)
{
    g_autoptr(GByteArray) packets = packetise(text);
    struct ct_count count;

    put_file("metadata", packets->data, packets->len);
    put_file("stream_0", stream->data, stream->len);
    ct_count_trace(folder, &count);
    return count;
}

static char *whole_metadata(void)
{
    g_autofree char *head = metadata(LONG(64));

    return g_strconcat(head, events, late, NULL);
}

/* --- cases --------------------------------------------------------------- */

static void test_whole(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    g_autofree char *text = whole_metadata();
    struct ct_count count = count_with(text, stream);

    tap_equal(count.events, 3 * 6);
    tap_equal(count.own, 3 * 5);
    tap_equal(count.discarded, 7);
    tap_check(count.known && !count.damaged);
}

static void test_plain_metadata(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    g_autofree char *text = whole_metadata();
    struct ct_count count;

    put_file("metadata", text, strlen(text));
    put_file("stream_0", stream->data, stream->len);
    ct_count_trace(folder, &count);
    tap_equal(count.events, 18);
    tap_check(count.known && !count.damaged);
}

static void test_two_streams(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    g_autofree char *text = whole_metadata();
    g_autofree char *below = g_build_filename(folder, "index", NULL);
    struct ct_count count;

    put_file("stream_1", stream->data, stream->len);
    /* An index is no stream: its folder has no metadata. */
    g_mkdir(below, 0755);
    put_file("index/stream_0.idx", "nonsense", 8);
    count = count_with(text, stream);
    tap_equal(count.events, 36);
    tap_equal(count.discarded, 14);
    tap_check(count.known && !count.damaged);
}

static void test_32_bit_long(void)
{
    g_autofree char *head = metadata(LONG(32));
    g_autofree char *text = g_strconcat(head, events, late, NULL);
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) content = kinds();
    uint64_t bits = (uint64_t)(content->len + PACKET_HEAD - 4) * BITS;

    add_packet(stream, 0, 9, content, 0);
    g_byte_array_remove_range(stream, 32 + 44, 4);
    memcpy(stream->data + 32 + 16, &bits, 8);
    memcpy(stream->data + 32 + 24, &bits, 8);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 6);
    tap_equal(count.discarded, 9);
    tap_check(count.known && !count.damaged);
}

static void test_gap(void)
{
    g_autoptr(GByteArray) content = kinds();
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autofree char *text = whole_metadata();

    add_packet(stream, 0, 0, content, 0);
    add_packet(stream, 2, 0, content, 0);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 12);
    tap_check(count.known && count.damaged);
}

static void test_cut(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    g_autofree char *text = whole_metadata();

    g_byte_array_set_size(stream, stream->len - 1);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 12);
    tap_equal(count.discarded, 2);
    tap_check(count.known && count.damaged);
}

static void test_unknown_event(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_autofree char *text = whole_metadata();

    add_plain(content);
    begin_event(content, 999);
    add_packet(stream, 0, 0, content, 0);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 1);
    tap_check(!count.known && count.damaged);
}

/* What can be read of it, and the packets behind it, count. */
static void test_bad_packet_in_middle(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) good = kinds();
    g_autoptr(GByteArray) bad = kinds();
    g_autofree char *text = whole_metadata();

    begin_event(bad, 999);
    add_packet(stream, 0, 1, good, 8);
    add_packet(stream, 1, 2, bad, 0);
    add_packet(stream, 2, 2, good, 0);
    add_packet(stream, 3, 5, bad, 0);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 24);
    tap_equal(count.own, 20);
    tap_equal(count.discarded, 5);
    tap_check(!count.known && count.damaged);
}

static void test_no_packet_in_middle(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) content = kinds();
    g_autofree char *text = whole_metadata();

    add_packet(stream, 0, 1, content, 0);
    add(stream, "no packet", 9);
    add_packet(stream, 1, 2, content, 0);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 6);
    tap_equal(count.discarded, 1);
    tap_check(count.known && count.damaged);
}

static void test_empty_stream(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autofree char *text = whole_metadata();
    struct ct_count count = count_with(text, stream);

    tap_equal(count.events, 0);
    tap_check(count.known && !count.damaged);
}

static void test_event_beyond_content(void)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_autofree char *text = whole_metadata();

    begin_event(content, 3);
    add(content, "\377short", 6); /* says that 255 frames follow */
    add_packet(stream, 0, 0, content, 4096);
    struct ct_count count = count_with(text, stream);
    tap_equal(count.events, 0);
    tap_check(!count.known);
}

static void test_foreign_layout(void)
{
    static const char *const foreign[] = {
        /* another header */
        TRACE LONG(64) "stream { id = 0; event.header := struct "
                       "event_header_compact; };\n",
        /* bit fields */
        TRACE LONG(64)
            STREAM EVENT("a:b", 0, "integer { size = 5; align = 1; } _x;\n"),
        /* a type that LTTng-UST does not write */
        TRACE LONG(64) STREAM EVENT("a:b", 0, "variant <t> { int x; } _v;\n"),
        /* a length that is told nowhere */
        TRACE LONG(64) STREAM EVENT(
            "a:b", 0, "integer { size = 8; align = 8; } _x[ __n ];\n"),
        /* the same event twice */
        TRACE LONG(64) STREAM EVENT("a:b", 0, "") EVENT("a:c", 0, ""),
        /* big endian */
        "trace { byte_order = be; };\n" LONG(64) STREAM,
        "no metadata at all",
        "stream {",
        "event { name = \"x",
        "/*",
        "{{{{",
    };
    g_autoptr(GByteArray) stream = three_packets();

    for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++) {
        struct ct_count count = count_with(foreign[i], stream);
        tap_check(!count.known);
        tap_equal(count.events, 0);
    }
}

static void test_no_metadata(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    struct ct_count count = count_with("", stream);

    tap_check(!count.known && count.damaged);
}

static void test_nothing(void)
{
    struct ct_count count;

    ct_count_trace(folder, &count);
    tap_check(count.known && !count.damaged);
    tap_equal(count.events + count.discarded, 0);
    ct_count_trace("/does/not/exist", &count);
    tap_equal(count.events + count.discarded, 0);
}

/* An answer, and a reason if it is no. */
static void read_any(const char *text)
{
    const char *why = NULL;
    struct ct_ctf_layout *layout = ct_ctf_layout_read(text, &why);

    tap_check(!layout == (why != NULL));
    ct_ctf_layout_free(layout);
}

/* Every prefix, and random changes: no answer is wrong, but each must come,
 * without an access outside (the sanitizers watch). */
static void test_nonsense_metadata(void)
{
    g_autofree char *text = whole_metadata();
    size_t length = strlen(text);
    GRand *random = g_rand_new_with_seed(SEED);

    for (size_t cut = 0; cut < length; cut++) {
        g_autofree char *prefix = g_strndup(text, cut);
        read_any(prefix);
    }
    for (int i = 0; i < 5000; i++) {
        g_autofree char *changed = g_strndup(text, length);
        for (int j = 0; j < 4; j++) {
            changed[g_rand_int_range(random, 0, (gint32)length)] =
                "{};:=\"[]/* 0129abz\n"[g_rand_int_range(random, 0, 20)];
        }
        read_any(changed);
    }
    g_rand_free(random);
}

static void test_nonsense_stream(void)
{
    g_autoptr(GByteArray) stream = three_packets();
    g_autofree char *text = whole_metadata();
    GRand *random = g_rand_new_with_seed(SEED);

    for (int i = 0; i < 300; i++) {
        g_autoptr(GByteArray) changed = g_byte_array_new();
        add(changed, stream->data, stream->len);
        for (int j = 0; j < 3; j++) {
            changed->data[g_rand_int_range(random, 0, (gint32)stream->len)] =
                (uint8_t)g_rand_int(random);
        }
        struct ct_count count = count_with(text, changed);
        tap_check(count.events <= stream->len / 14);
    }
    g_rand_free(random);
}

static void in_folder(const char *name, void (*test)(void))
{
    folder = g_dir_make_tmp("cotrace-count-XXXXXX", NULL);
    tap_run(name, test);
    ct_place_remove(folder);
    g_free(folder);
}

int main(void)
{
    in_folder("a whole stream, every kind of field", test_whole);
    in_folder("metadata without packets", test_plain_metadata);
    in_folder("streams add up, an index is none", test_two_streams);
    in_folder("a 32-bit program's packets", test_32_bit_long);
    in_folder("a missing packet is noticed", test_gap);
    in_folder("a cut packet is noticed, the others count", test_cut);
    in_folder("an event without metadata is noticed", test_unknown_event);
    in_folder("a packet with a bad event counts as far as it goes",
              test_bad_packet_in_middle);
    in_folder("behind what is no packet nothing counts",
              test_no_packet_in_middle);
    in_folder("a stream may be empty", test_empty_stream);
    in_folder("an event does not reach beyond its packet",
              test_event_beyond_content);
    in_folder("a layout that is not understood gives no number",
              test_foreign_layout);
    in_folder("empty metadata is damage", test_no_metadata);
    in_folder("no trace, no events", test_nothing);
    in_folder("any metadata", test_nonsense_metadata);
    in_folder("any stream", test_nonsense_stream);
    return tap_end();
}
