/* SPDX-License-Identifier: MIT */
/*
 * test-terminal.c - widths, cuts, quantities, tables
 */
#include <glib.h>

#include "out/progress.h"
#include "out/quantity.h"
#include "out/table.h"
#include "out/terminal.h"

static void test_width(void)
{
    g_assert_cmpuint(ct_text_width(""), ==, 0);
    g_assert_cmpuint(ct_text_width("abc"), ==, 3);
    g_assert_cmpuint(ct_text_width("\u00b5s"), ==, 2);
    g_assert_cmpuint(ct_text_width("\u4e16\u754c"), ==, 4);
    g_assert_cmpuint(ct_text_width("e\u0301"), ==, 1);
    g_assert_cmpuint(ct_text_width("\033[31mabc\033[0m"), ==, 3);
}

static void expect_cut(const struct ct_text *text, const char *whole,
                       unsigned columns, const char *wanted)
{
    GString *line = g_string_new(whole);

    ct_text_cut(text, line, columns);
    g_assert_cmpstr(line->str, ==, wanted);
    g_string_free(line, TRUE);
}

static void test_cut(void)
{
    struct ct_text plain = {.utf8 = false};
    struct ct_text utf8 = {.utf8 = true, .colour = true};

    expect_cut(&plain, "abcdef", 0, "abcdef");
    expect_cut(&plain, "abcdef", 6, "abcdef");
    expect_cut(&plain, "abcdef", 5, "abcd~");
    expect_cut(&utf8, "\033[31mabcdef\033[0m", 4, "\033[31mabc\033[0m\u2026");
    expect_cut(&utf8, "\u4e16\u754cx", 4, "\u4e16\033[0m\u2026");
}

static void expect_ns(bool utf8, int64_t ns, const char *wanted)
{
    struct ct_text text = {.utf8 = utf8};
    GString *line = g_string_new(NULL);

    ct_text_ns(&text, line, ns);
    g_assert_cmpstr(line->str, ==, wanted);
    g_string_free(line, TRUE);
}

static void test_quantities(void)
{
    static const uint64_t sizes[] = {
        0,
        1,
        1000,
        1024,
        1025,
        65536,
        1048576,
        UINT64_C(3) << 40,
        UINT64_C(2) << 50,
    };
    GString *line = g_string_new(NULL);

    expect_ns(true, 0, "0 ns");
    expect_ns(true, 999, "999 ns");
    expect_ns(true, 1000, "1.000 \u00b5s");
    expect_ns(false, 134256, "134.2 us");
    expect_ns(false, 13425600, "13.42 ms");
    expect_ns(false, 999999999, "999.9 ms");
    expect_ns(false, 61000000000, "61.00 s");
    expect_ns(false, -1500, "-1.500 us");
    expect_ns(false, INT64_MIN, "-9223372036.8 s");
    ct_text_count(line, 0);
    g_string_append_c(line, '|');
    ct_text_count(line, 999);
    g_string_append_c(line, '|');
    ct_text_count(line, 1000);
    g_string_append_c(line, '|');
    ct_text_count(line, 1234567);
    g_assert_cmpstr(line->str, ==, "0|999|1 000|1 234 567");
    g_string_truncate(line, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        ct_text_size(line, sizes[i]);
        g_string_append_c(line, '|');
    }
    g_assert_cmpstr(line->str, ==, "0|1|1000|1K|1025|64K|1M|3T|2048T|");
    g_string_free(line, TRUE);
}

/* Columns are as wide as the widest of what is known when a row is printed. */
static void test_table(void)
{
    struct ct_table table = {
        .n_columns = 4,
        .columns = {{.title = "N", .right = true, .width = 3},
                    {.title = "NAME"},
                    {.title = "SECRET", .hidden = true},
                    {.title = "REST"}},
    };
    static const char *const rows[][4] = {
        {"1", "a", "s", "x"},
        {"12345", "abcdefg", "s", "\u00b5"},
        {"2", "", "s", ""},
    };
    struct ct_out *out = ct_out_memory();

    table.text.out = out;
    ct_table_titles(&table);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        ct_table_row(&table, rows[i]);
    }
    g_assert_cmpuint(out->used_bytes, ==, 0);
    ct_table_end(&table);
    *ct_out_room(out) = '\0';
    g_assert_cmpstr(out->buffer, ==,
                    "    N  NAME     REST\n"
                    "    1  a        x\n"
                    "12345  abcdefg  \u00b5\n"
                    "    2\n");
    ct_out_close(out, false, NULL);
}

/* Of very many rows those that come late can't be waited for. */
static void test_table_late(void)
{
    struct ct_table table = {.n_columns = 2,
                             .columns = {{.title = "NAME"}, {.title = "REST"}}};
    static const char *const early[] = {"abcde", "x"};
    static const char *const late[] = {"abcdefg", "y"};
    struct ct_out *out = ct_out_memory();
    unsigned n = 0;

    table.text.out = out;
    ct_table_titles(&table);
    while (!out->used_bytes) {
        g_assert_cmpuint(n++, <, 1000);
        ct_table_row(&table, early);
    }
    g_assert_cmpuint(n, >, 100);
    ct_table_row(&table, late);
    ct_table_row(&table, early);
    ct_table_end(&table);
    *ct_out_room(out) = '\0';
    g_assert_true(g_str_has_prefix(out->buffer, "NAME   REST\nabcde  x\n"));
    g_assert_true(g_str_has_suffix(out->buffer, "\nabcde  x\nabcdefg  y\n"
                                                "abcde    x\n"));
    ct_out_close(out, false, NULL);
}

/* A long word widens no other row, and on a terminal not its own either. */
static void test_table_word(unsigned columns, const char *wanted)
{
    struct ct_table table = {
        .n_columns = 3,
        .columns = {{.title = "NAME"},
                    {.title = "N", .right = true},
                    {.title = "REST"}},
    };
    static const char *const rows[][3] = {
        {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", "1", "x"},
        {"ab", "2", "y"},
    };
    struct ct_out *out = ct_out_memory();

    table.text.out = out;
    table.text.columns = columns;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        ct_table_row(&table, rows[i]);
    }
    ct_table_end(&table);
    *ct_out_room(out) = '\0';
    g_assert_cmpstr(out->buffer, ==, wanted);
    ct_out_close(out, false, NULL);
}

static void test_table_words(void)
{
    test_table_word(0, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop  1  x\n"
                       "ab  2  y\n");
    test_table_word(80, "abcdefghijklmnopqrstuvwxyzabcde~  1  x\n"
                        "ab                                2  y\n");
}

/* Behind a long word the next columns stand as soon as they can. */
static void test_table_made_up(void)
{
    struct ct_table table = {
        .n_columns = 4,
        .columns = {{.title = "NAME"},
                    {.title = "N", .right = true},
                    {.title = "WORD"},
                    {.title = "REST"}},
    };
    static const char *const rows[][4] = {
        {"abcdefghijklmnopqrstuvwxyzabcdefgh", "1", "a", "x"},
        {"abcdefghijklmnopqrstuvwxyz", "1234567", "b", "y"},
    };
    struct ct_out *out = ct_out_memory();

    table.text.out = out;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        ct_table_row(&table, rows[i]);
    }
    ct_table_end(&table);
    *ct_out_room(out) = '\0';
    g_assert_cmpstr(out->buffer, ==,
                    "abcdefghijklmnopqrstuvwxyzabcdefgh  1  a  x\n"
                    "abcdefghijklmnopqrstuvwxyz  1234567  b  y\n");
    ct_out_close(out, false, NULL);
}

static void check_progress(uint64_t mib, uint64_t total_mib, int64_t seconds,
                           const char *text)
{
    g_autofree char *got =
        ct_progress_text(mib << 20, total_mib << 20, seconds * 1000000);

    g_assert_cmpstr(got, ==, text);
}

static void test_progress(void)
{
    check_progress(10, 40, 5, " 25 %  10 of 40 MiB, 2 MiB/s, 15 s left");
    check_progress(100, 1000, 10,
                   " 10 %  100 of 1000 MiB, 10 MiB/s, 1 min 30 s left");
    check_progress(100, 100000, 10, "  0 %  100 of 100000 MiB, 10 MiB/s");
    check_progress(3000, 100000, 300,
                   "  3 %  3000 of 100000 MiB, 10 MiB/s, 2 h 41 min left");
    check_progress(40, 40, 20, "100 %  40 of 40 MiB, 2 MiB/s");
    check_progress(7, 0, 7, "7 of 0 MiB, 1 MiB/s");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/terminal/width", test_width);
    g_test_add_func("/terminal/cut", test_cut);
    g_test_add_func("/terminal/quantities", test_quantities);
    g_test_add_func("/terminal/table", test_table);
    g_test_add_func("/terminal/table-late", test_table_late);
    g_test_add_func("/terminal/table-words", test_table_words);
    g_test_add_func("/terminal/table-made-up", test_table_made_up);
    g_test_add_func("/terminal/progress", test_progress);
    return g_test_run();
}
