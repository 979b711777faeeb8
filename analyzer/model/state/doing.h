/* SPDX-License-Identifier: MIT */
/*
 * model/state/doing.h - what a coroutine is doing, as far as is known
 *
 * Model:    worked out of what lives; nothing is kept, nothing is changed.
 * Threads:  one pass, one thread.
 * Memory:   nothing is held.
 * Errors:   none.
 * Depends:  ct/change.h, model/state/state.h.
 */
#ifndef CT_MODEL_DOING_H
#define CT_MODEL_DOING_H

#include "ct/change.h"
#include "model/state/state.h"

/* Nested turns that wait for nested turns: so far it is looked. */
enum { CT_AWAITS_MAX = 8 };

static inline bool ct_co_is_woken(const struct ct_model *model,
                                  const struct ct_co *co)
{
    return !model->in_gap && co->woken_epoch == model->epoch;
}

/** ct_co_state() - what it is doing in a word, for lists; requests say it finer
 */
enum ct_state ct_co_state(const struct ct_model *model, const struct ct_co *co);

/** ct_co_situation() - what it is doing, as far as is known */
struct ct_situation ct_co_situation(const struct ct_model *model,
                                    const struct ct_co *co);

/** ct_co_awaits() - @co waits for that coroutine in a nested turn */
bool ct_co_awaits(const struct ct_co *co, uint64_t id);

/** ct_co_awaiter() - its parent, if that waits for it in a nested turn */
static inline struct ct_co *ct_co_awaiter(const struct ct_co *co)
{
    struct ct_co *parent = co->parent;

    return parent && parent->thread && ct_co_awaits(parent, co->entity.id)
               ? parent
               : NULL;
}

/** ct_co_request() - number of the innermost request of a coroutine, or 0 */
uint64_t ct_co_request(const struct ct_process *process, uint64_t co);

#endif
