/* SPDX-License-Identifier: MIT */
/*
 * render/labels.h - the distinct texts of a timeline, as numbers
 *
 * Model:    number while the pass goes on; resolved at its end, when addresses
 *           have names; text afterwards.
 * Threads:  one at a time.
 * Memory:   one entry a distinct label, whatever the length of the trace.
 * Errors:   none: an address without a name is shown as the address.
 * Depends:  ct/consumer.h, ct/backtrace.h.
 */
#ifndef CT_RENDER_LABELS_H
#define CT_RENDER_LABELS_H

#include "ct/backtrace.h"
#include "ct/consumer.h"

struct ct_labels;

struct ct_labels *ct_labels_new(void);
void ct_labels_free(struct ct_labels *labels);

/**
 * ct_labels_slice() - the label of a slice
 *
 * Its kind, and the name that it has or else that of its function.  A thread's
 * slice has the name that the thread has at the end.
 */
uint32_t ct_labels_slice(struct ct_labels *labels,
                         const struct ct_slice *slice);

/** ct_labels_counter() - the label of a counter of one pool or context */
uint32_t ct_labels_counter(struct ct_labels *labels,
                           const struct ct_counter *counter);

/** ct_labels_text() - a label that is just this text; NULL: "" */
uint32_t ct_labels_plain(struct ct_labels *labels, const char *text);

/** ct_labels_thread() - the name of a thread, now; the last one counts
 * @pool: whose worker it is; 0: none */
void ct_labels_thread(struct ct_labels *labels, int32_t pid, int32_t tid,
                      const char *name, uint64_t pool);

/** ct_labels_thread_name() - what the last one was; NULL: none */
const char *ct_labels_thread_name(const struct ct_labels *labels, int32_t pid,
                                  int32_t tid);

/** ct_labels_thread_pool() - likewise, of its pool; 0: none */
uint64_t ct_labels_thread_pool(const struct ct_labels *labels, int32_t pid,
                               int32_t tid);

void ct_labels_resolve(struct ct_labels *labels,
                       const struct ct_images *images);

const char *ct_labels_text(const struct ct_labels *labels, uint32_t label);

/** ct_labels_json() - the same as a JSON string, quotes included */
const char *ct_labels_json(const struct ct_labels *labels, uint32_t label,
                           size_t *ret_length);

#endif
