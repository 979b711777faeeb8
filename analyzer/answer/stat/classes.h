/* SPDX-License-Identifier: MIT */
/*
 * answer/stat/classes.h - requests of one kind, and how long they took in each
 * state
 *
 * Model:    a class is interface, operation and node.  Beyond a number of them
 *           the later ones are one class without names.
 * Threads:  none.
 * Memory:   classes x states x a histogram of low precision.  Requests' names
 *           live as long as the classes.
 * Errors:   none.
 * Depends:  ct/stat.h.
 */
#ifndef CT_ANSWER_STAT_CLASSES_H
#define CT_ANSWER_STAT_CLASSES_H

#include "answer/histogram.h"
#include "ct/stat.h"

struct ct_classes;

struct ct_classes *ct_classes_new(void);
void ct_classes_free(struct ct_classes *classes);

/** ct_classes_add() - @states_ns: its time in each state */
void ct_classes_add(struct ct_classes *classes,
                    const struct ct_request *request,
                    const int64_t states_ns[CT_STATES]);

/** ct_classes_result() - those with most time first; owned by @classes */
const struct ct_stat_class *ct_classes_result(struct ct_classes *classes,
                                              unsigned *ret_n);

/** ct_stat_sum_up() - a histogram's numbers, which borrow from it */
struct ct_stat_times ct_stat_sum_up(struct ct_histogram *histogram);

#endif
