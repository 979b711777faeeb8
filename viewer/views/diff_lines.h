/* SPDX-License-Identifier: MIT */
/*
 * views/diff_lines.h - the page of `cotrace diff`, line by line
 *
 * Model:    what is said goes to the current line; when that ends, it is broken
 *           into as many as it takes.
 * Threads:  one.
 * Memory:   the page owns its line, and borrows the rest.
 * Errors:   those of struct ct_out.
 * Depends:  ct/diff.h, out/terminal.h.
 */
#ifndef CT_VIEWS_DIFF_LINES_H
#define CT_VIEWS_DIFF_LINES_H

#include "ct/diff.h"
#include "out/terminal.h"

struct ct_page {
    struct ct_text text;
    GString *line;
    const struct ct_diff *diff;
    const struct ct_diff_result *result;
};

/** ct_page_init() - `diff` and `result` are the caller's to set */
void ct_page_init(struct ct_page *page, struct ct_out *out);
void ct_page_fini(struct ct_page *page);

/** ct_page_say() - added to the line, control characters made visible */
__attribute__((format(printf, 2, 3))) void ct_page_say(struct ct_page *page,
                                                       const char *format, ...);

/** ct_page_end_line() - a line, or as many as it takes */
void ct_page_end_line(struct ct_page *page);

/** ct_page_heading() - a line of its own, after an empty one */
void ct_page_heading(struct ct_page *page, const char *words);

/* --- diff_times.c -------------------------------------------------------- */

/** ct_page_times() - what took longer or less than chance explains */
void ct_page_times(struct ct_page *page);

#endif
