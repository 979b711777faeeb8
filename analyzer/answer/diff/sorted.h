/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/sorted.h - many times, put in order
 *
 * Model:    a distribution sort by digits, the least significant first (D. E.
 *           Knuth, The Art of Computer Programming, vol. 3, 5.2.5).  Times of
 *           one kind differ in their low digits only, and a digit that is the
 *           same in all is passed over: two or three walks over the values,
 *           where a comparison sort makes one for each doubling of them and
 *           guesses each comparison wrong half of the time.
 * Threads:  any; nothing is shared.
 * Memory:   as much again as the values, while it runs.
 * Errors:   none.
 */
#ifndef CT_ANSWER_DIFF_SORTED_H
#define CT_ANSWER_DIFF_SORTED_H

#include <stdint.h>

/** ct_sort_times() - the @n @times (any unit), in place, the smallest first */
void ct_sort_times(int64_t *times, unsigned n);

#endif
