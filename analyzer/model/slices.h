/* SPDX-License-Identifier: MIT */
/*
 * model/slices.h - what is open on a thread
 *
 * Model:    turns, waits and runs, truly nested, outermost first.  What opens
 *           or closes one here is told to the coroutine that it covers.
 * Threads:  one pass, one thread.
 * Memory:   a slice holds a reference to its origin.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_SLICES_H
#define CT_MODEL_SLICES_H

#include "ct/step.h"
#include "model/state/state.h"

/**
 * ct_thread_push() - opens a slice
 * @like: what is known of it; its origin is taken over
 * Return: false in a gap, or absurdly deep: it was not opened.
 */
bool ct_thread_push(struct ct_model *model, struct ct_thread *thread,
                    struct ct_open like);

/**
 * ct_thread_push_below() - opens one that has been open, unseen
 * Return: false where that can't be: something is open, or nothing can be.
 */
bool ct_thread_push_below(struct ct_model *model, struct ct_thread *thread,
                          struct ct_open like);

/**
 * ct_thread_pop() - closes the innermost slice of that kind and id, after what
 * is above it; one that was never seen to open is told if that is sound
 * @flag: goes into the slice
 * Return: it was open.
 */
bool ct_thread_pop(struct ct_model *model, struct ct_thread *thread,
                   enum ct_slice_kind kind, uint64_t id, bool flag,
                   const struct ct_step *step);

/** ct_thread_unwind() - closes what lies above the first @keep, ends unseen */
void ct_thread_unwind(struct ct_model *model, struct ct_thread *thread,
                      unsigned keep);

/** ct_thread_find_co() - where the coroutine is open; [.../open] it is */
struct ct_open *ct_thread_find_co(struct ct_thread *thread,
                                  const struct ct_co *co, unsigned *ret_at);

/** ct_thread_top_changed() - tell whose coroutine is on top now, or no more */
void ct_thread_top_changed(struct ct_model *model, struct ct_thread *thread);

/**
 * ct_thread_origin() - a new origin for @id, brought into being by this step
 * Return: with one reference; NULL if nobody wants origins.
 */
struct ct_origin *ct_thread_origin(struct ct_model *model,
                                   const struct ct_thread *thread,
                                   const struct ct_step *step,
                                   enum ct_boundary boundary, uint64_t id);

/** ct_thread_base() - what code that runs there now was brought by; borrowed
 * @ret_cut: true: not known */
struct ct_origin *ct_thread_base(const struct ct_model *model,
                                 const struct ct_thread *thread, bool *ret_cut);

/** ct_thread_own_stack() - the step's stack belongs to what runs there */
void ct_thread_own_stack(struct ct_model *model, struct ct_thread *thread,
                         const struct ct_step *step);

/** ct_slice_tell_begin() - @open: what began; NULL: the thread itself */
void ct_slice_tell_begin(struct ct_model *model, const struct ct_slice *slice,
                         const struct ct_open *open);
void ct_slice_tell_end(struct ct_model *model, struct ct_slice *slice,
                       bool end_known);

#endif
