/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/programs.h - are two runs of one program?
 *
 * Model:    asked once, when two runs have been laid beside one another.
 * Threads:  one.
 * Memory:   borrows the comparison.
 * Errors:   GError, domain CT_TRACE_ERROR: why not, with what differs.
 * Depends:  answer/diff/compare.h.
 */
#ifndef CT_DIFF_PROGRAMS_H
#define CT_DIFF_PROGRAMS_H

#include "answer/diff/compare.h"

/**
 * ct_programs_check() - have the two runs anything to compare?
 * @is_any: programs of different names are compared, too
 */
bool ct_programs_check(const struct ct_compare *compare, bool is_any,
                       GError **error);

#endif
