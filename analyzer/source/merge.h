/* SPDX-License-Identifier: MIT */
/*
 * source/merge.h - several streams of messages as one, by time
 *
 * Model:    iterators go in; runs of messages that no other stream comes before
 *           go out, each message with its time.  Equal times: the iterator that
 *           was added first.  A message without a time comes at once.
 * Threads:  one.
 * Memory:   iterators are taken over; a run's messages are the caller's, each
 *           to be released with bt_message_put_ref(), its arrays are borrowed
 *           until the next call.
 * Errors:   as the iterators tell them.
 * Depends:  babeltrace2.
 */
#ifndef CT_SOURCE_MERGE_H
#define CT_SOURCE_MERGE_H

#include <babeltrace2/babeltrace.h>
#include <stdint.h>

#define CT_MERGE_NO_TIME INT64_MIN

struct ct_merge;

struct ct_merge_run {
    const bt_message *const *messages;
    const int64_t *times_ns; /* since 1970; CT_MERGE_NO_TIME */
    uint64_t n;              /* at least 1 */
};

struct ct_merge *ct_merge_new(void);
void ct_merge_free(struct ct_merge *merge);

void ct_merge_add(struct ct_merge *merge, bt_message_iterator *iterator);

/** ct_merge_next() - the next run; OK: there is one */
bt_message_iterator_next_status ct_merge_next(struct ct_merge *merge,
                                              struct ct_merge_run *ret_run);

#endif
