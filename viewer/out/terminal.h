/* SPDX-License-Identifier: MIT */
/*
 * out/terminal.h - text for people: what its place can show
 *
 * Model:    a struct ct_text says what the place that text goes to can do.  A
 *           terminal gets colour (unless NO_COLOR or TERM=dumb) and lines that
 *           fit it; everything else gets the same text, plain and whole.
 * Threads:  one at a time.
 * Memory:   texts are borrowed for the call.
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

#endif
