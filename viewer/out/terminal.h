/* SPDX-License-Identifier: MIT */
/*
 * out/terminal.h - text for people: columns, colour, quantities, progress
 *
 * Model:    a struct ct_text says what the place that text goes to can do.  A
 *           terminal gets colour (unless NO_COLOR or TERM=dumb) and lines that
 *           fit it; everything else gets the same columns, plain and whole.
 *           A struct ct_table prints rows as they come: a column is as wide as
 *           its widest cell so far, at least as its title.  Words of more than
 *           CT_CELL_MOST columns widen no other row, and are cut on a terminal.
 * Threads:  one at a time.
 * Memory:   cells are borrowed for the call.
 * Errors:   those of struct ct_out.
 * Depends:  out/file.h.
 */
#ifndef CT_OUT_TERMINAL_H
#define CT_OUT_TERMINAL_H

#include "out/file.h"

enum ct_style {
    CT_PLAIN,
    CT_BOLD,
    CT_DIM,
    CT_RED,
    CT_GREEN,
    CT_YELLOW,
    CT_BLUE,
    CT_MAGENTA,
    CT_CYAN,
    CT_STYLES,
};

struct ct_text {
    struct ct_out *out;
    bool colour;
    bool utf8;        /* may show more than ASCII of our own */
    unsigned columns; /* 0: lines of any length */
};

void ct_text_init(struct ct_text *text, struct ct_out *out);

/** ct_text_styled() - append @words with a style, if the place has colour */
void ct_text_styled(const struct ct_text *text, GString *line,
                    enum ct_style style, const char *words);

/** ct_text_line() - write @line, which is empty afterwards */
void ct_text_line(const struct ct_text *text, GString *line);

/** ct_text_width() - columns that a string takes, escape sequences aside */
unsigned ct_text_width(const char *text);

/** ct_text_cut() - shorten to @columns, with a sign that something is missing;
 * escape sequences stay whole */
void ct_text_cut(const struct ct_text *text, GString *line, unsigned columns);

/* --- quantities ---------------------------------------------------------- */

/** ct_text_us() - microseconds with three decimals: exact, one unit, so that
 * columns line up and sort */
void ct_text_us(GString *line, int64_t value_ns);

/** ct_text_ns() - three digits or more in the unit that fits: "134.2 us" */
void ct_text_ns(const struct ct_text *text, GString *line, int64_t value_ns);

/** ct_text_count() - with thousands apart: 1 234 567 */
void ct_text_count(GString *line, uint64_t value);

/** ct_text_size() - bytes, exact: 64K, 12M, 1000; `sort -h` understands it */
void ct_text_size(GString *line, uint64_t bytes);

/* --- tables -------------------------------------------------------------- */

#define CT_TABLE_COLUMNS 16
#define CT_CELL_MOST     32

struct ct_column {
    const char *title;
    bool right;     /* numbers */
    unsigned width; /* at the start: at least so wide */
    bool hidden;    /* left out of every line */
};

struct ct_table {
    struct ct_text text;
    unsigned n_columns;
    struct ct_column columns[CT_TABLE_COLUMNS];
};

void ct_table_titles(struct ct_table *table);

/** ct_table_row() - @cells: inert, may hold styles; the last one is not padded
 * and is what is cut when the line is too long */
void ct_table_row(struct ct_table *table, const char *const cells[]);

/* --- progress ------------------------------------------------------------ */

struct ct_progress {
    bool shown;       /* a line stands there */
    bool wanted;      /* stderr is a terminal, and nothing else writes there */
    int64_t begin_us; /* g_get_monotonic_time() */
    int64_t last_us;
};

void ct_progress_init(struct ct_progress *progress, bool wanted);
void ct_progress_tell(struct ct_progress *progress, uint64_t bytes,
                      uint64_t total_bytes);

/** ct_progress_text() - share, rate and time left, in a line
 * @passed_us: since the begin
 * Return: to be freed with g_free(). */
char *ct_progress_text(uint64_t bytes, uint64_t total_bytes, int64_t passed_us);

void ct_progress_clear(struct ct_progress *progress);

#endif
