/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/tally.h - changes of a comparison, counted by classes
 *
 * Model:    one call, after the real ones are known.
 * Threads:  one.
 * Memory:   labels are kept in `texts`, classes among the shared words.
 * Errors:   none.
 * Depends:  answer/diff/compare.h.
 */
#ifndef CT_DIFF_TALLY_H
#define CT_DIFF_TALLY_H

#include "answer/diff/compare.h"

/**
 * ct_tally() - fill @pairs (struct ct_diff_pair, most frequent first) and @only
 * by side (struct ct_diff_only, in order of the first)
 * @turned: struct ct_turned
 */
void ct_tally(const struct ct_compare *compare, const GArray *turned,
              GArray *pairs, GArray *const only[], GPtrArray *texts);

#endif
