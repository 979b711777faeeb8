/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - text for people: columns, colour, quantities, progress
 *
 * Cells hold only what inert.c let through and our own escape sequences, all
 * of the form ESC [ ... m; so a width is counted by skipping exactly those.
 */
#include "out/terminal.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "out/inert.h"
#include "out/json.h"

#define RESET "\033[0m"

static const char *const styles[CT_STYLES] = {
    [CT_PLAIN] = "",        [CT_BOLD] = "\033[1m",     [CT_DIM] = "\033[2m",
    [CT_RED] = "\033[31m",  [CT_GREEN] = "\033[32m",   [CT_YELLOW] = "\033[33m",
    [CT_BLUE] = "\033[34m", [CT_MAGENTA] = "\033[35m", [CT_CYAN] = "\033[36m",
};

static unsigned terminal_columns(int fd)
{
    struct winsize size;

    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col) {
        return size.ws_col;
    }
    return 80;
}

/* By the environment: as a plugin we are in a program that may not have set
 * its locale. */
static bool takes_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool is_utf8 = false;

    if (locale) {
        is_utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
        freelocale(locale);
    }
    return is_utf8;
}

void ct_text_init(struct ct_text *text, struct ct_out *out)
{
    const char *no_colour = g_getenv("NO_COLOR");
    const char *term = g_getenv("TERM");

    *text = (struct ct_text){.out = out};
    text->utf8 = takes_utf8();
    if (out->is_terminal) {
        text->colour =
            !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
        text->columns = terminal_columns(out->fd);
    }
}

void ct_text_styled(const struct ct_text *text, GString *line,
                    enum ct_style style, const char *words)
{
    bool coloured = text->colour && style != CT_PLAIN && *words;

    if (coloured) {
        g_string_append(line, styles[style]);
    }
    g_string_append(line, words);
    if (coloured) {
        g_string_append(line, RESET);
    }
}

/* One character or one whole escape sequence; its columns. */
static unsigned step(const char *at, unsigned *ret_columns)
{
    uint32_t character;
    unsigned length = ct_utf8_next(at, &character);

    *ret_columns = 1;
    if (!length) {
        return 1;
    }
    if (character == '\033') {
        *ret_columns = 0;
        for (length = 1; at[length] && at[length - 1] != 'm'; length++) {
        }
        return length;
    }
    if (g_unichar_iszerowidth(character)) {
        *ret_columns = 0;
    } else if (g_unichar_iswide(character)) {
        *ret_columns = 2;
    }
    return length;
}

void ct_text_line(const struct ct_text *text, GString *line)
{
    ct_out_write(text->out, line->str, line->len);
    ct_out_line(text->out);
    g_string_truncate(line, 0);
}

unsigned ct_text_width(const char *text)
{
    unsigned width = 0;

    while (*text) {
        unsigned columns;

        text += step(text, &columns);
        width += columns;
    }
    return width;
}

void ct_text_cut(const struct ct_text *text, GString *line, unsigned columns)
{
    const char *sign = text->utf8 ? "\u2026" : "~";
    unsigned width = 0;
    size_t cut = 0, at = 0;

    if (!columns || ct_text_width(line->str) <= columns) {
        return;
    }
    while (line->str[at]) {
        unsigned more;
        unsigned length = step(line->str + at, &more);

        if (width + more > columns - 1) {
            break;
        }
        width += more;
        at += length;
        cut = at;
    }
    g_string_truncate(line, cut);
    if (text->colour) {
        g_string_append(line, RESET);
    }
    g_string_append(line, sign);
}

void ct_text_us(GString *line, int64_t value_ns)
{
    char digits[24];

    g_string_append_len(line, digits, ct_digits_us(digits, value_ns));
}

void ct_text_ns(const struct ct_text *text, GString *line, int64_t value_ns)
{
    static const struct {
        int64_t ns;
        const char *ascii;
        const char *utf8;
    } units[] = {
        {1000000000, " s", " s"},
        {1000000, " ms", " ms"},
        {1000, " us", " \u00b5s"},
    };
    uint64_t value = value_ns < 0 ? -(uint64_t)value_ns : (uint64_t)value_ns;

    if (value_ns < 0) {
        g_string_append_c(line, '-');
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        uint64_t unit = (uint64_t)units[i].ns;
        uint64_t whole = value / unit;
        unsigned decimals;

        if (!whole) {
            continue;
        }
        decimals = (unsigned)(value % unit / (unit / 1000));
        g_string_append_printf(line, "%" PRIu64, whole);
        if (whole < 10) {
            g_string_append_printf(line, ".%03u", decimals);
        } else if (whole < 100) {
            g_string_append_printf(line, ".%02u", decimals / 10);
        } else {
            g_string_append_printf(line, ".%u", decimals / 100);
        }
        g_string_append(line, text->utf8 ? units[i].utf8 : units[i].ascii);
        return;
    }
    g_string_append_printf(line, "%" PRIu64 " ns", value);
}

void ct_text_count(GString *line, uint64_t value)
{
    char digits[20];
    unsigned n = ct_digits(digits, value);

    for (unsigned i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) {
            g_string_append_c(line, ' ');
        }
        g_string_append_c(line, digits[i]);
    }
}

void ct_text_size(GString *line, uint64_t bytes)
{
    static const char units[] = "KMGT";
    unsigned n = 0;

    while (n < strlen(units) && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        n++;
    }
    g_string_append_printf(line, "%" PRIu64, bytes);
    if (n) {
        g_string_append_c(line, units[n - 1]);
    }
}

static void spaces(GString *line, unsigned n)
{
    while (n--) {
        g_string_append_c(line, ' ');
    }
}

static void put_line(const struct ct_text *text, GString *line)
{
    while (line->len && line->str[line->len - 1] == ' ') {
        g_string_truncate(line, line->len - 1);
    }
    ct_text_cut(text, line, text->columns);
    ct_out_write(text->out, line->str, line->len);
    ct_out_line(text->out);
    g_string_free(line, TRUE);
}

static void put_row(struct ct_table *table, const char *const cells[],
                    enum ct_style style)
{
    GString *line = g_string_new(NULL);
    GString *cell = g_string_new(NULL);

    for (unsigned i = 0; i < table->n_columns; i++) {
        struct ct_column *column = &table->columns[i];
        bool last = i + 1 == table->n_columns;
        bool is_word = !last && !column->right;
        unsigned width;

        if (column->hidden) {
            continue;
        }
        g_string_assign(cell, cells[i]);
        if (is_word && table->text.columns) {
            ct_text_cut(&table->text, cell, CT_CELL_MOST);
        }
        width = ct_text_width(cell->str);
        if (line->len) {
            spaces(line, 2);
        }
        if (!last && !(is_word && width > CT_CELL_MOST)) {
            column->width = MAX(column->width, width);
        }
        if (column->right) {
            spaces(line, column->width > width ? column->width - width : 0);
        }
        ct_text_styled(&table->text, line, style, cell->str);
        if (is_word) {
            spaces(line, column->width > width ? column->width - width : 0);
        }
    }
    g_string_free(cell, TRUE);
    put_line(&table->text, line);
}

void ct_table_titles(struct ct_table *table)
{
    const char *titles[CT_TABLE_COLUMNS];

    for (unsigned i = 0; i < table->n_columns; i++) {
        titles[i] = table->columns[i].title;
    }
    put_row(table, titles, CT_BOLD);
}

void ct_table_row(struct ct_table *table, const char *const cells[])
{
    put_row(table, cells, CT_PLAIN);
}

/* --- progress ------------------------------------------------------------ */

#define PROGRESS_FIRST_US 500000
#define PROGRESS_EVERY_US 100000
/* Before that the time left is no more than a guess. */
#define PROGRESS_LEFT_SHARE 0.02

void ct_progress_init(struct ct_progress *progress, bool wanted)
{
    *progress = (struct ct_progress){
        .wanted = wanted && isatty(STDERR_FILENO),
        .begin_us = g_get_monotonic_time(),
    };
}

char *ct_progress_text(uint64_t bytes, uint64_t total_bytes, int64_t passed_us)
{
    GString *text = g_string_new(NULL);
    double share =
        (double)MIN(bytes, total_bytes) / (double)MAX(total_bytes, 1);
    double passed_s = (double)MAX(passed_us, 1) / 1e6;

    if (total_bytes) {
        g_string_append_printf(text, "%3u %%  ", (unsigned)(share * 100));
    }
    g_string_append_printf(text, "%" PRIu64 " of %" PRIu64 " MiB, %.0f MiB/s",
                           bytes >> 20, total_bytes >> 20,
                           (double)bytes / (1 << 20) / passed_s);
    if (share >= PROGRESS_LEFT_SHARE && share < 1) {
        uint64_t left_s = (uint64_t)(passed_s * (1 - share) / share + 0.5);

        if (left_s >= 3600) {
            g_string_append_printf(text,
                                   ", %" PRIu64 " h %02" PRIu64 " min left",
                                   left_s / 3600, left_s / 60 % 60);
        } else if (left_s >= 60) {
            g_string_append_printf(text,
                                   ", %" PRIu64 " min %02" PRIu64 " s left",
                                   left_s / 60, left_s % 60);
        } else {
            g_string_append_printf(text, ", %" PRIu64 " s left", left_s);
        }
    }
    return g_string_free(text, FALSE);
}

void ct_progress_tell(struct ct_progress *progress, uint64_t bytes,
                      uint64_t total_bytes)
{
    g_autofree char *text = NULL;
    int64_t now_us;

    if (!progress->wanted) {
        return;
    }
    now_us = g_get_monotonic_time();
    if (now_us - progress->begin_us < PROGRESS_FIRST_US ||
        now_us - progress->last_us < PROGRESS_EVERY_US) {
        return;
    }
    progress->last_us = now_us;
    progress->shown = true;
    text = ct_progress_text(bytes, total_bytes, now_us - progress->begin_us);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
}

void ct_progress_clear(struct ct_progress *progress)
{
    if (progress->shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        progress->shown = false;
    }
}
