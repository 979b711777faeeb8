/* SPDX-License-Identifier: MIT */
/*
 * out/table.h - text for people: columns
 *
 * Model:    a struct ct_table keeps its first rows, and prints them when it
 *           knows how wide they are, further ones as they come: a column is as
 *           wide as its widest cell so far, at least as its title.  Words of
 *           more than CT_CELL_MOST columns widen no other row, and are cut on a
 *           terminal; elsewhere the columns behind one have less room until
 *           that is made up for.
 * Threads:  one at a time.
 * Memory:   cells are borrowed for the call.  ct_table_end() or
 *           ct_table_drop() frees what is kept.
 * Errors:   those of struct ct_out.
 * Depends:  out/terminal.h.
 */
#ifndef CT_OUT_TABLE_H
#define CT_OUT_TABLE_H

#include "out/terminal.h"

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
    GPtrArray *held; /* rows, with that of the titles; NULL: none */
    bool is_measured;
};

void ct_table_titles(struct ct_table *table);

/** ct_table_row() - @cells: inert, may hold styles; the last one is not padded
 * and is what is cut when the line is too long */
void ct_table_row(struct ct_table *table, const char *const cells[]);

/** ct_table_end() - prints what is kept */
void ct_table_end(struct ct_table *table);
/** ct_table_drop() - forgets it */
void ct_table_drop(struct ct_table *table);

#endif
