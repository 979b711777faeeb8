/* SPDX-License-Identifier: MIT */
/*
 * views/diff.h - a comparison of two runs: JSON, text, a page of HTML
 *
 * Depends:  ct/diff.h, out/file.h.
 */
#ifndef CT_VIEWS_DIFF_H
#define CT_VIEWS_DIFF_H

#include "ct/diff.h"
#include "out/file.h"

/** ct_view_diff_json() - @edits: with both sequences and what makes one of the
 * other */
void ct_view_diff_json(struct ct_out *out, const struct ct_diff *diff,
                       bool edits);

/** ct_view_diff_text() - @name_a, @name_b: what the runs are called */
void ct_view_diff_text(struct ct_out *out, const struct ct_diff *diff,
                       const char *name_a, const char *name_b);

/** ct_view_diff_html() - one page that needs nothing else: both timelines */
void ct_view_diff_html(struct ct_out *out, const struct ct_diff *diff,
                       const char *name_a, const char *name_b);

#endif
