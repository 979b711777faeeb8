/* SPDX-License-Identifier: MIT */
/*
 * out/quantity.h - text for people: times, counts and sizes
 *
 * Model:    a quantity is appended to a line, either exact and in one unit, so
 *           that columns line up and sort, or short, to be read.
 * Threads:  one at a time.
 * Memory:   none.
 * Errors:   none.
 * Depends:  out/terminal.h.
 */
#ifndef CT_OUT_QUANTITY_H
#define CT_OUT_QUANTITY_H

#include "out/terminal.h"

/** ct_text_number() - as it is: 1234567 */
void ct_text_number(GString *line, uint64_t value);

/** ct_text_us() - microseconds with three decimals: exact, one unit, so that
 * columns line up and sort */
void ct_text_us(GString *line, int64_t value_ns);

/** ct_text_ns() - three digits or more in the unit that fits: "134.2 us" */
void ct_text_ns(const struct ct_text *text, GString *line, int64_t value_ns);

/** ct_text_count() - with thousands apart: 1 234 567 */
void ct_text_count(GString *line, uint64_t value);

/** ct_text_size() - bytes, exact: 64K, 12M, 1000; `sort -h` understands it */
void ct_text_size(GString *line, uint64_t bytes);

#endif
