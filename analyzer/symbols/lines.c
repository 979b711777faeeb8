/* SPDX-License-Identifier: MIT */
/*
 * lines.c - the source line of an address, as gdb has it
 *
 * People look at a frame here and in gdb, and both must say the same line.
 * The line table often has several rows for one address (views of variables,
 * a file's rows between another's), and the readers of such tables choose
 * differently among them.  gdb's choice, row by row through a sequence:
 *   - a row without a line says nothing;
 *   - a row of another file that is no statement does not count at an address
 *     that has a statement's row already;
 *   - a row that tells the line of the row before it again does not count if
 *     discriminators were used since that line began;
 *   - of the rest, the last row at or before the address, within its file;
 *   - but if that is no statement, the statement's row at the same address
 *     and of the same stretch of the file, if there is one.
 */
#include <string.h>

#include "symbols/object_int.h"

struct row {
    Dwarf_Addr address;
    const char *file;
    int line;
    unsigned discriminator;
    bool is_statement;
};

static bool read_row(Dwarf_Line *line, struct row *ret_row)
{
    bool statement = true;

    ret_row->file = dwarf_linesrc(line, NULL, NULL);
    ret_row->discriminator = 0;
    dwarf_linediscriminator(line, &ret_row->discriminator);
    dwarf_linebeginstatement(line, &statement);
    ret_row->is_statement = statement;
    return dwarf_lineaddr(line, &ret_row->address) == 0 &&
           dwarf_lineno(line, &ret_row->line) == 0;
}

static bool ends_sequence(Dwarf_Line *line)
{
    bool end = false;

    dwarf_lineendsequence(line, &end);
    return end;
}

/* The last row at or before the address; -1: none, or behind a sequence. */
static ssize_t last_row(Dwarf_Lines *lines, size_t n, Dwarf_Addr address)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        Dwarf_Addr at = 0;

        dwarf_lineaddr(dwarf_onesrcline(lines, middle), &at);
        if (at <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && !ends_sequence(dwarf_onesrcline(lines, low - 1))
               ? (ssize_t)low - 1
               : -1;
}

static bool is_same_file(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What has been chosen on the way through the rows of a sequence. */
struct choice {
    bool any;
    struct row row;     /* the last that counts */
    bool has_statement; /* a row at the same address and stretch: */
    struct row statement;
    Dwarf_Addr statement_at; /* the last address with a statement's row */
    bool any_statement;
    int line_before;    /* of the row before, whether it counted or not */
    bool discriminated; /* since that line began */
};

static void take_row(struct choice *choice, const struct row *row)
{
    bool other_file = choice->any && !is_same_file(choice->row.file, row->file);

    choice->discriminated =
        row->discriminator != 0 ||
        (choice->discriminated && row->line == choice->line_before);
    choice->line_before = row->line;
    if (row->line == 0 ||
        (choice->any && !other_file && row->line == choice->row.line &&
         choice->discriminated) ||
        (other_file && !row->is_statement && choice->any_statement &&
         choice->statement_at == row->address)) {
        return;
    }
    if (!choice->any || other_file || choice->row.address != row->address) {
        choice->has_statement = false;
    }
    if (row->is_statement) {
        choice->has_statement = true;
        choice->statement = *row;
        choice->any_statement = true;
        choice->statement_at = row->address;
    }
    choice->any = true;
    choice->row = *row;
}

bool ct_line_find(Dwarf_Die *unit, Dwarf_Addr address, const char **ret_file,
                  unsigned *ret_line)
{
    struct choice choice = {0};
    Dwarf_Lines *lines;
    size_t n;
    ssize_t last;
    ssize_t first;

    if (dwarf_getsrclines(unit, &lines, &n) != 0) {
        return false;
    }
    last = last_row(lines, n, address);
    if (last < 0) {
        return false;
    }
    first = last;
    while (first > 0 &&
           !ends_sequence(dwarf_onesrcline(lines, (size_t)first - 1))) {
        first--;
    }
    for (ssize_t i = first; i <= last; i++) {
        struct row row;

        if (read_row(dwarf_onesrcline(lines, (size_t)i), &row)) {
            take_row(&choice, &row);
        }
    }
    if (!choice.any) {
        return false;
    }
    if (!choice.row.is_statement && choice.has_statement) {
        choice.row = choice.statement;
    }
    *ret_file = choice.row.file;
    *ret_line = (unsigned)choice.row.line;
    return true;
}
