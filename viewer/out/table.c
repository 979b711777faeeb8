/* SPDX-License-Identifier: MIT */
/*
 * table.c - text for people: columns
 */
#include "out/table.h"

enum { HELD_MAX = 256 }; /* rows that are measured before one is printed */

struct held {
    char **cells; /* owned; those of hidden columns are empty */
    enum ct_style style;
};

static void put_line(const struct ct_text *text, GString *line)
{
    while (line->len && line->str[line->len - 1] == ' ') {
        g_string_truncate(line, line->len - 1);
    }
    ct_text_cut(text, line, text->columns);
    ct_text_line(text, line);
    g_string_free(line, TRUE);
}

static bool is_word(const struct ct_table *table, unsigned i)
{
    return i + 1 < table->n_columns && !table->columns[i].right;
}

static void cut_word(const struct ct_table *table, unsigned i, GString *cell)
{
    if (is_word(table, i) && table->text.columns) {
        ct_text_cut(&table->text, cell, CT_CELL_MOST);
    }
}

/* Return: what the cell takes; its column has room for it, if it is to have */
static unsigned measure(struct ct_table *table, unsigned i, const char *cell)
{
    struct ct_column *column = &table->columns[i];
    unsigned width = ct_text_width(cell);
    bool is_last = i + 1 == table->n_columns;

    if (!is_last && (!is_word(table, i) || width <= CT_CELL_MOST)) {
        column->width = MAX(column->width, width);
    }
    return width;
}

/* @over: by how much what stands before is too wide: that is made up for. */
static void pad(GString *line, const struct ct_column *column, unsigned width,
                unsigned *over)
{
    unsigned n = column->width > width ? column->width - width : 0;
    unsigned saved = MIN(n, *over);

    *over -= saved;
    for (n -= saved; n > 0; n--) {
        g_string_append_c(line, ' ');
    }
}

static void put_row(struct ct_table *table, const char *const cells[],
                    enum ct_style style)
{
    GString *line = g_string_new(NULL);
    GString *cell = g_string_new(NULL);
    unsigned over = 0;

    for (unsigned i = 0; i < table->n_columns; i++) {
        const struct ct_column *column = &table->columns[i];
        unsigned width;

        if (column->hidden) {
            continue;
        }
        g_string_assign(cell, cells[i]);
        cut_word(table, i, cell);
        width = measure(table, i, cell->str);
        if (line->len) {
            g_string_append(line, "  ");
        }
        if (column->right) {
            pad(line, column, width, &over);
        }
        ct_text_styled(&table->text, line, style, cell->str);
        if (is_word(table, i)) {
            over += width > column->width ? width - column->width : 0;
            pad(line, column, width, &over);
        }
    }
    g_string_free(cell, TRUE);
    put_line(&table->text, line);
}

static void free_held(gpointer data)
{
    struct held *held = data;

    g_strfreev(held->cells);
    g_free(held);
}

static void hold_row(struct ct_table *table, const char *const cells[],
                     enum ct_style style)
{
    struct held *held = g_new0(struct held, 1);
    GString *cell = g_string_new(NULL);

    held->cells = g_new0(char *, table->n_columns + 1);
    held->style = style;
    for (unsigned i = 0; i < table->n_columns; i++) {
        held->cells[i] = g_strdup(table->columns[i].hidden ? "" : cells[i]);
        g_string_assign(cell, held->cells[i]);
        cut_word(table, i, cell);
        (void)measure(table, i, cell->str);
    }
    g_string_free(cell, TRUE);
    if (!table->held) {
        table->held = g_ptr_array_new_with_free_func(free_held);
    }
    g_ptr_array_add(table->held, held);
}

static void take_row(struct ct_table *table, const char *const cells[],
                     enum ct_style style)
{
    if (table->is_measured) {
        put_row(table, cells, style);
        return;
    }
    hold_row(table, cells, style);
    if (table->held->len == HELD_MAX) {
        ct_table_end(table);
        table->is_measured = true;
    }
}

void ct_table_titles(struct ct_table *table)
{
    const char *titles[CT_TABLE_COLUMNS];

    for (unsigned i = 0; i < table->n_columns; i++) {
        titles[i] = table->columns[i].title;
    }
    take_row(table, titles, CT_BOLD);
}

void ct_table_row(struct ct_table *table, const char *const cells[])
{
    take_row(table, cells, CT_PLAIN);
}

void ct_table_end(struct ct_table *table)
{
    for (unsigned i = 0; table->held && i < table->held->len; i++) {
        const struct held *held = g_ptr_array_index(table->held, i);

        put_row(table, (const char *const *)held->cells, held->style);
    }
    ct_table_drop(table);
}

void ct_table_drop(struct ct_table *table)
{
    g_clear_pointer(&table->held, g_ptr_array_unref);
}
