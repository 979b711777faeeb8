/* SPDX-License-Identifier: MIT */
/*
 * test-log.c - a log's lines: heads, pieces, times, and every event's texts
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "decode/decode.h"
#include "decode/line.h"
#include "source/text/log-line.h"
#include "source/text/log-lines.h"
#include "source/text/log-pieces.h"

/* --- heads ---------------------------------------------------------------- */

static bool head_of(const char *line, struct ct_log_head *head)
{
    /* of its own size: reading one byte too far is seen */
    size_t n = strlen(line);
    g_autofree char *copy = g_memdup2(line, n);

    return ct_log_head(copy, n, head);
}

static void test_heads(void)
{
    static const char *const wrong[] = {
        "",           "1",           "1@",          "@1.000000:x",
        "1@1.00000:", "1@1.0000000", "1@1.000000",  "1@1,000000:x",
        "x1@1.00000", "1@.000000:x", "1@1.0000a0:", "1@12345678901.000000:x",
    };
    struct ct_log_head head;

    g_assert_true(head_of("29083@1795309930.519071:x", &head));
    g_assert_cmpint(head.stamp_ns, ==, INT64_C(1795309930519071000));
    g_assert_true(head_of("1@0.000001:", &head));
    g_assert_cmpint(head.stamp_ns, ==, 1000);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_false(head_of(wrong[i], &head));
    }
}

static void test_threads(void)
{
    static const char most[] = "2147483647", more[] = "2147483648";

    g_assert_cmpint(ct_log_thread(most, most + 10), ==, INT32_MAX);
    g_assert_cmpint(ct_log_thread(most, most + 2), ==, 21);
    g_assert_cmpint(ct_log_thread(more, more + 10), ==, 0);
    g_assert_cmpint(ct_log_thread(most, most), ==, 0);
}

/* --- pieces --------------------------------------------------------------- */

/* "tid ms.us flags text" of each piece, a line each. */
static char *pieces_of(const char *text)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("cotrace-log-XXXXXX", &path, NULL);
    GString *out = g_string_new(NULL);
    struct ct_log_pieces *pieces;
    const struct ct_record *piece;
    struct ct_log_kind kind;
    int64_t last_ns = 0;

    g_assert_cmpint(write(fd, text, strlen(text)), ==, (int)strlen(text));
    close(fd);
    g_assert_cmpint(ct_log_look(path, &kind), ==, 0);
    g_assert_cmpint(ct_log_pieces_open(path, &kind, &pieces), ==, 0);
    while ((piece = ct_log_pieces_next(pieces))) {
        const struct ct_value *values = piece->values;

        g_assert_cmpint(piece->when_ns, >=, last_ns);
        last_ns = piece->when_ns;
        g_string_append_printf(out, "%d %d %d %s\n", piece->tid,
                               (int)(values[CT_FLD_LOG_LINE_STAMP].i / 1000),
                               (int)values[CT_FLD_LOG_LINE_FLAGS].u,
                               values[CT_FLD_LOG_LINE_TEXT].s);
    }
    ct_log_pieces_free(pieces);
    g_unlink(path);
    return g_string_free(out, FALSE);
}

static void check_pieces(const char *text, const char *want)
{
    g_autofree char *got = pieces_of(text);

    g_assert_cmpstr(got, ==, want);
}

static void test_pieces(void)
{
    check_pieces("7@0.000001:a b\n"
                 "other output\n"
                 "8@0.000003:c\r\n"
                 "7@0.000002:d",
                 "7 1 0 a b\n"
                 "7 1 4 other output\n"
                 "8 3 0 c\n"
                 "7 2 1 d\n");
    /* two lines in one; digits before "@" that belong to the first */
    check_pieces("71@0.000001:a 0x5571@0.000002:b c\n"
                 "x72@0.000003:d e\n"
                 "72@0.000004:f\n",
                 "71 1 0 a 0x55\n"
                 "71 2 2 b c\n"
                 "71 2 4 x\n"
                 "72 3 2 d e\n"
                 "72 4 0 f\n");
    check_pieces("aio_co_schedule ctx 0x1 co 0x2\n\nx\n",
                 "0 0 4 aio_co_schedule ctx 0x1 co 0x2\n"
                 "0 0 4 \n"
                 "0 0 4 x\n");
}

static void test_times(void)
{
    /* between threads a stamp may go back, in one it can't */
    check_pieces("1@5.000000:a\n2@4.999999:b\n1@5.000001:c\n"
                 "1@3.000000:d\n2@3.000001:e\n",
                 "1 5000000 0 a\n2 4999999 0 b\n1 5000001 0 c\n"
                 "1 5000001 16 d\n2 5000002 0 e\n");
    /* far from both neighbours: damage */
    check_pieces("1@500.000000:a\n1@9100000000.000000:b\n1@500.000002:c\n",
                 "1 500000000 0 a\n1 500000000 12 b\n1 500000002 0 c\n");
    /* the same with a real pause */
    check_pieces("1@500.000000:a\n1@900.000000:b\n1@900.000002:c\n",
                 "1 500000000 0 a\n1 900000000 0 b\n1 900000002 0 c\n");
}

/* Lines longer than what is kept, at every place of a block. */
static void test_long_lines(void)
{
    for (unsigned n = 0; n < 6; n++) {
        GString *text = g_string_new("1@0.000001:first\n");
        g_autofree char *long_line = g_strnfill(100000 + n * 37000, 'x');
        g_autofree char *got = NULL;

        for (unsigned i = 0; i < 4; i++) {
            g_string_append_printf(text, "%s\n1@0.00000%u:y\n", long_line,
                                   i + 2);
        }
        got = pieces_of(text->str);
        g_string_free(text, TRUE);
        g_auto(GStrv) lines = g_strsplit(got, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines), ==, 10);
        for (unsigned i = 0; i < 4; i++) {
            g_autofree char *want = g_strdup_printf("1 %u 0 y", i + 2);

            g_assert_cmpuint(strlen(lines[1 + 2 * i]), ==,
                             strlen("1 1 5 ") + CT_LOG_LINE_MAX);
            g_assert_cmpstr(lines[2 + 2 * i], ==, want);
        }
    }
}

/* --- every event ---------------------------------------------------------- */

/* A text with its fields filled in; each gets another value. */
static char *fill(const struct ct_event *event, const char *text,
                  bool is_extreme)
{
    GString *line = g_string_new(NULL);
    unsigned n = 1;

    while (*text) {
        const char *close = strchr(text, '}');

        if (*text != '{' || !close || text[1] == ' ') {
            g_string_append_c(line, *text++);
            continue;
        }
        g_autofree char *name = g_strndup(text + 1, (size_t)(close - text - 1));
        switch (event->fields[ct_schema_field(event, name)].kind) {
        case CT_FIELD_STRING:
            g_string_append_printf(line, is_extreme ? "a, \"b\" %u: c" : "s%u",
                                   n);
            break;
        case CT_FIELD_HEX:
            g_string_append(line, is_extreme ? "(nil)" : "0x7f00deadbee");
            break;
        case CT_FIELD_I32:
        case CT_FIELD_I64:
            g_string_append_printf(line, is_extreme ? "-%u" : "%u", n);
            break;
        default:
            g_string_append_printf(line, is_extreme ? "0x%x" : "%u", n);
        }
        n++;
        text = close + 1;
    }
    return g_string_free(line, FALSE);
}

static enum ct_line_kind read_kind(struct ct_lines *lines, const char *name,
                                   const char *arguments, uint64_t flags,
                                   struct ct_record *record)
{
    g_autofree char *text =
        g_strconcat(name, *arguments ? " " : "", arguments, NULL);
    struct ct_record line = {.kind = CT_RECORD_EVENT, .event = CT_EV_LOG_LINE};

    line.values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
        .s = text, .len = (uint32_t)strlen(text), .present = true};
    line.values[CT_FLD_LOG_LINE_FLAGS].u = flags;
    return ct_lines_read(lines, &line, record);
}

static bool read_line(struct ct_lines *lines, const char *name,
                      const char *arguments, struct ct_record *record)
{
    return read_kind(lines, name, arguments, 0, record) == CT_LINE_EVENT;
}

static void test_every_text(void)
{
    struct ct_lines *lines = ct_lines_new();
    unsigned n = 0;

    for (unsigned id = 0; id < CT_EV_COUNT; id++) {
        const struct ct_event *event = ct_schema_event(id);

        for (unsigned i = 0; event->texts && event->texts[i]; i++) {
            for (unsigned extreme = 0; extreme < 2; extreme++) {
                g_autofree char *text = fill(event, event->texts[i], extreme);
                struct ct_record record = {0};

                g_assert_true(read_line(lines, event->name, text, &record));
                g_assert_cmpint(record.event, ==, (int)id);
                for (unsigned k = 0; event->was && event->was[k]; k++) {
                    g_assert_true(
                        read_line(lines, event->was[k], text, &record));
                }
                n++;
            }
        }
    }
    g_assert_cmpuint(n, >, 400);
    g_assert_cmpuint(ct_lines_counts(lines)->malformed, ==, 0);
    ct_lines_free(lines);
}

#define CHECK(lines, name, text, id, field, value)                        \
    do {                                                                  \
        struct ct_record record_ = {0};                                   \
        g_assert_true(read_line(lines, name, text, &record_));            \
        g_assert_cmpint(record_.event, ==, CT_EV_QEMU_##id);              \
        g_assert_cmpint(record_.values[CT_FLD_QEMU_##id##_##field].i, ==, \
                        (int64_t)(value));                                \
    } while (0)

/* The same event as versions 5.2, 7.2 and 10.0 print it. */
static void test_versions(void)
{
    struct ct_lines *lines = ct_lines_new();
    struct ct_record record = {0};

    CHECK(lines, "thread_pool_submit", "pool 0x1 req 0x2 opaque 0x3",
          THREAD_POOL_SUBMIT_AIO, REQ, 2);
    CHECK(lines, "thread_pool_submit_aio", "pool 0x1 req 0x2 opaque 0x3",
          THREAD_POOL_SUBMIT_AIO, OPAQUE, 3);
    CHECK(lines, "thread_pool_complete",
          "pool 0x1 req 0x2 opaque (nil) ret -27", THREAD_POOL_COMPLETE_AIO,
          RET, -27);
    CHECK(lines, "bdrv_co_preadv", "bs 0x1 offset 7 nbytes 512 flags 0x0",
          BDRV_CO_PREADV_PART, BYTES, 512);
    CHECK(lines, "bdrv_co_preadv_part", "bs 0x1 offset 7 bytes 512 flags 0x0",
          BDRV_CO_PREADV_PART, BYTES, 512);
    CHECK(lines, "bdrv_co_pwrite_zeroes", "bs 0x1 offset 7 count 512 flags 0x2",
          BDRV_CO_PWRITE_ZEROES, BYTES, 512);
    CHECK(lines, "nbd_co_send_structured_read",
          "Send structured read data reply: handle = 9, offset = 0, data = "
          "0x5, len = 4096",
          NBD_CO_SEND_CHUNK_READ, COOKIE, 9);
    CHECK(lines, "nbd_co_send_chunk_read",
          "Send structured read data reply: cookie = 9, offset = 0, data = "
          "0x5, len = 4096",
          NBD_CO_SEND_CHUNK_READ, SIZE, 4096);
    CHECK(lines, "pci_nvme_rw",
          "cid 5 opname 'read' nsid 1 nlb 8 count 4096 lba 0x10",
          PCI_NVME_WRITE, LBA, 16);
    CHECK(lines, "nbd_receive_request",
          "Got request: { magic = 0x25609513, .flags = 0x0, .type = 0x1, "
          "from = 4046848, len = 12288 }",
          NBD_RECEIVE_REQUEST, LEN, 12288);
    g_assert_true(read_line(
        lines, "bdrv_open_common",
        "bs 0x1 filename \"a \"b\" flags c\" flags 0x1 format_name \"raw\"",
        &record));
    g_assert_cmpstr(record.values[CT_FLD_QEMU_BDRV_OPEN_COMMON_FILENAME].s, ==,
                    "a \"b\" flags c");
    g_assert_cmpstr(record.values[CT_FLD_QEMU_BDRV_OPEN_COMMON_FORMAT_NAME].s,
                    ==, "raw");
    ct_lines_free(lines);
}

static void test_not_read(void)
{
    static const char *const texts[] = {
        "",
        "ctx 0x1",
        "ctx 0x1 co",
        "ctx 0x1 co ",
        "ctx 0x1 co 2x",
        "ctx 0x1 co 0x2 ",
        "ctx 0x1 co 0x2 co 0x3",
        "ctx 0x1  co 0x2",
        "ctx 0x co 0x2",
        "ctx 0x10000000000000000 co 0x2",
        "ctx 18446744073709551616 co 0x2",
        "ctx (nul) co 0x2",
    };
    struct ct_lines *lines = ct_lines_new();
    struct ct_record record = {0};

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_assert_cmpint(
            read_kind(lines, "aio_co_schedule", texts[i], 0, &record), ==,
            CT_LINE_UNREAD);
        g_assert_cmpuint(ct_lines_counts(lines)->malformed, ==, i + 1);
    }
    g_assert_cmpint(
        read_kind(lines, "aio_co_schedul", "ctx 0x1 co 0x2", 0, &record), ==,
        CT_LINE_OTHER);
    g_assert_cmpuint(ct_lines_counts(lines)->foreign, ==, 1);
    ct_lines_free(lines);
}

/* A time that can't be: of an event, or of digits in any text? */
static void test_bad_stamp(void)
{
    struct ct_lines *lines = ct_lines_new();
    struct ct_record record = {0};

    g_assert_cmpint(read_kind(lines, "aio_co_schedule", "ctx 0x1 co 0x2",
                              CT_LOG_BAD_STAMP | CT_LOG_PIECE, &record),
                    ==, CT_LINE_UNREAD);
    g_assert_cmpint(
        read_kind(lines, "no_event_of_ours", "x", CT_LOG_BAD_STAMP, &record),
        ==, CT_LINE_UNREAD);
    g_assert_cmpint(read_kind(lines, "no_event_of_ours", "x",
                              CT_LOG_BAD_STAMP | CT_LOG_PIECE, &record),
                    ==, CT_LINE_OTHER);
    g_assert_cmpuint(ct_lines_counts(lines)->malformed, ==, 3);
    ct_lines_free(lines);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/heads", test_heads);
    g_test_add_func("/log/threads", test_threads);
    g_test_add_func("/log/pieces", test_pieces);
    g_test_add_func("/log/times", test_times);
    g_test_add_func("/log/long-lines", test_long_lines);
    g_test_add_func("/log/every-text", test_every_text);
    g_test_add_func("/log/versions", test_versions);
    g_test_add_func("/log/not-read", test_not_read);
    g_test_add_func("/log/bad-stamp", test_bad_stamp);
    return g_test_run();
}
