/* SPDX-License-Identifier: MIT */
/*
 * table.c - text for people: columns
 */
#include "out/table.h"

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
    ct_text_line(text, line);
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
