/* SPDX-License-Identifier: MIT */
/*
 * model/model_int.h - what the model's rooms share
 *
 * Model:    the state (what lives: model/entities.h), and what the rooms do for
 *           one another.
 *
 *           Doubt.  Every gap raises model->epoch.  An entity is sure while its
 *           own epoch is the model's, that is, when something absolute was told
 *           of it since the last gap ended; during a gap nothing is sure.
 * Threads:  one pass, one thread.
 * Memory:   entities live in slabs; each is freed by the room that made it.
 *           What a change still points to is freed at the next step.
 * Errors:   none.
 * Depends:  model/entities.h, model/model.h, model/table.h,
 *           model/origin.h, ct/schema.h.
 */
#ifndef CT_MODEL_INT_H
#define CT_MODEL_INT_H

#include "ct/schema.h"
#include "model/model.h"
#include "model/entities.h"
#include "model/origin.h"
#include "model/table.h"

/* --- the model -------------------------------------------------------- */

struct ct_model {
    unsigned wants;
    int64_t time_ns; /* of the trace */
    int64_t now_ns;  /* the same; on a thread with its own clock, that one's */
    uint32_t epoch;
    bool in_gap;
    int64_t gap_from_ns;
    int64_t gap_end_ns; /* inclusive */
    /* Requests of which something was told since the last gap began.  Of all
       others nothing is known since quiet_ns at the latest. */
    struct ct_req *restless;
    int64_t quiet_ns;
    bool finishing;
    uint32_t finishing_at; /* in processes: all before have been told */
    uint64_t oddities;
    uint64_t next_number; /* of requests */

    struct ct_table processes;  /* pid -> struct ct_process (owner) */
    struct ct_process *process; /* of the last step */
    struct ct_thread *thread;   /* of the last step */
    struct ct_names names;

    struct ct_change *changes;
    unsigned n_changes, changes_capacity;
    struct ct_origin **held; /* that changes point to */
    unsigned n_held, held_capacity;
    struct ct_req **dead; /* whose slots changes point to */
    unsigned n_dead, dead_capacity;

    struct ct_slab threads, contexts, callbacks, coroutines, pools, works;
    struct ct_slab workers, locks, requests, births;
};

static inline bool ct_model_wants_any(const struct ct_model *model,
                                      unsigned wants)
{
    return model->wants & wants;
}

/* model.c */

/** ct_model_forget() - free what the changes of the step before pointed to */
void ct_model_forget(struct ct_model *model);

/** ct_model_time() - time goes on; what the end of a gap changes comes before
 * anything after it */
void ct_model_time(struct ct_model *model, int64_t when_ns);

void ct_model_grow_changes(struct ct_model *model);

/** ct_model_change() - a new change of this step; the caller fills all of what
 * its kind has */
static inline struct ct_change *ct_model_change(struct ct_model *model,
                                                enum ct_change_kind kind)
{
    if (model->n_changes == model->changes_capacity) {
        ct_model_grow_changes(model);
    }
    struct ct_change *change = &model->changes[model->n_changes++];
    change->kind = kind;
    return change;
}

/** ct_model_hold() - keep @origin until the changes were handed on */
const struct ct_origin *ct_model_hold(struct ct_model *model,
                                      struct ct_origin *origin);

static inline void ct_model_odd(struct ct_model *model)
{
    model->oddities += !model->in_gap;
}

static inline bool ct_entity_is_sure(const struct ct_model *model,
                                     const struct ct_entity *entity)
{
    return !model->in_gap && entity->epoch == model->epoch;
}

/** ct_entity_told() - something absolute was told of it */
static inline void ct_entity_told(const struct ct_model *model,
                                  struct ct_entity *entity)
{
    entity->epoch = model->in_gap ? 0 : model->epoch;
    entity->missed = 0;
}

/** ct_entity_init() - @is_begin: its beginning is this step */
void ct_entity_init(struct ct_model *model, struct ct_entity *entity,
                    const struct ct_step *step, uint64_t id, bool is_begin);

/** ct_entity_since() - a telling speaks of it for the first time, and may know
 * since when it is there; never later than now */
static inline void ct_entity_since(struct ct_entity *entity,
                                   const struct ct_step *step)
{
    if (!entity->begin_known && step->ns > 0 && step->ns <= entity->begin_ns) {
        entity->begin_ns = step->ns;
        entity->since_told = true;
    }
}

/** ct_process_is_whole() - we have seen all of its life */
static inline bool ct_process_is_whole(const struct ct_model *model,
                                       const struct ct_process *process)
{
    return model->epoch == 1 && !model->in_gap && !process->attached;
}

/** ct_process_is_counted() - how many there are is known */
static inline bool ct_process_is_counted(const struct ct_model *model,
                                         const struct ct_process *process)
{
    return !model->in_gap && process->counted_epoch == model->epoch;
}

struct ct_process *ct_process_find(struct ct_model *model, int32_t pid);

/** ct_process_get() - the process, made if it is new */
static inline struct ct_process *ct_process_get(struct ct_model *model,
                                                int32_t pid)
{
    return model->process && model->process->pid == pid
               ? model->process
               : ct_process_find(model, pid);
}

void ct_model_edge(struct ct_model *model, const struct ct_edge *edge);
/** ct_model_count() - tell how many coroutines and requests there are, if that
 * is known */
void ct_model_count(struct ct_model *model, const struct ct_process *process);
void ct_model_counter(struct ct_model *model, const struct ct_process *process,
                      enum ct_counter_kind kind, uint64_t id, uint64_t value);

/** ct_model_life() - @entity ended, or is open at the trace's end */
struct ct_life *ct_model_life(struct ct_model *model, enum ct_entity_kind kind,
                              const struct ct_entity *entity,
                              struct ct_origin *origin, bool end_known);

/* threads.c */

struct ct_thread *ct_thread_get(struct ct_model *model,
                                struct ct_process *process, int32_t tid);
/** ct_thread_name() - @pool: whose worker it is; 0: none */
void ct_thread_name(struct ct_model *model, struct ct_thread *thread,
                    const char *name, uint64_t pool);
void ct_thread_end(struct ct_model *model, struct ct_thread *thread,
                   bool end_known);
void ct_birth_free(struct ct_model *model, struct ct_birth *birth);
void ct_thread_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step);

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

/** ct_thread_restart() - another thread has the tid now
 * Return: that one. */
struct ct_thread *ct_thread_restart(struct ct_model *model,
                                    struct ct_thread *thread);

/** ct_thread_find_co() - where the coroutine is open; [.../open] it is */
struct ct_open *ct_thread_find_co(struct ct_thread *thread,
                                  const struct ct_co *co, unsigned *ret_at);

/** ct_thread_top_changed() - tell whose coroutine is on top now, or no more */
void ct_thread_top_changed(struct ct_model *model, struct ct_thread *thread);

static inline struct ct_open *ct_thread_top(const struct ct_thread *thread)
{
    return thread->n_open ? &thread->open[thread->n_open - 1] : NULL;
}

/** ct_thread_run() - innermost run of an entity; NULL: the thread itself */
static inline struct ct_open *ct_thread_run(const struct ct_thread *thread)
{
    unsigned inner =
        thread->n_open ? thread->open[thread->n_open - 1].inner : 0;
    return inner ? &thread->open[inner - 1] : NULL;
}

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

/* coroutines.c */

/** ct_co_get() - the coroutine, made (its begin unseen) if it is not known */
struct ct_co *ct_co_get(struct ct_model *model, struct ct_process *process,
                        const struct ct_step *step, uint64_t id);
void ct_co_step(struct ct_model *model, struct ct_thread *thread,
                const struct ct_step *step);
void ct_co_told(struct ct_model *model, struct ct_process *process,
                const struct ct_step *step);

/** ct_co_end() - it is gone; takes it out and frees it */
void ct_co_end(struct ct_model *model, struct ct_co *co, bool end_known);

/** ct_co_left() - its thread lost it: it may be anywhere */
void ct_co_left(struct ct_model *model, struct ct_co *co);

/** ct_co_edge() - what will enter it next; the first one counts */
void ct_co_edge(const struct ct_model *model, struct ct_co *co,
                enum ct_edge_kind kind, int32_t tid);

/** ct_co_work_told() - an item was told; somebody may be waiting for it */
void ct_co_work_told(struct ct_model *model, struct ct_process *process,
                     struct ct_work *work);

/** ct_co_completed() - the work item that it may be waiting for was */
void ct_co_completed(struct ct_model *model, struct ct_co *co,
                     const struct ct_step *step);

/* doing.c */

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

/** ct_co_changed() - tell it to the requests that it serves, and to those of
 * the coroutines that wait for it in a nested turn */
void ct_co_changed(struct ct_model *model, struct ct_co *co);

/** ct_co_awaiter() - its parent, if that waits for it in a nested turn */
struct ct_co *ct_co_awaiter(const struct ct_co *co);

/** ct_co_request() - number of the innermost request of a coroutine, or 0 */
uint64_t ct_co_request(const struct ct_process *process, uint64_t co);

/* wakes.c */

/** ct_wake_step() - an eventfd is written to, or has ended a wait */
void ct_wake_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);

/* loops.c */

void ct_loop_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_context_told(struct ct_model *model, struct ct_process *process,
                     const struct ct_step *step);
void ct_context_end(struct ct_model *model, struct ct_context *context,
                    bool end_known);
void ct_context_scheduled(struct ct_model *model, struct ct_co *co,
                          uint64_t context);
void ct_callback_free(struct ct_model *model, struct ct_table *table,
                      struct ct_callback *callback);
void ct_callbacks_free(struct ct_model *model, struct ct_table *table);

/** ct_callback_missed() - a telling was complete: forget it in the end if it
 * has been in doubt for long */
void ct_callback_missed(struct ct_model *model, struct ct_table *table,
                        struct ct_callback *callback);

/* work.c */

void ct_work_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_work_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step);
void ct_worker_told(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step);
void ct_work_end(struct ct_model *model, struct ct_work *work, bool end_known);
void ct_work_left(struct ct_model *model, struct ct_work *work);
void ct_worker_end(struct ct_model *model, struct ct_worker *worker,
                   bool end_known);
void ct_pool_told_all(struct ct_model *model, struct ct_process *process);
void ct_pool_free(struct ct_model *model, struct ct_pool *pool);

/** ct_work_situation() - of a coroutine that waits for a work item */
void ct_work_situation(const struct ct_model *model, const struct ct_co *co,
                       struct ct_situation *situation);

/* locks.c */

void ct_lock_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_lock_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step);
void ct_lock_wait(struct ct_model *model, struct ct_co *co,
                  const struct ct_step *step);
void ct_lock_leave(struct ct_model *model, struct ct_co *co);
void ct_lock_free(struct ct_model *model, struct ct_lock *lock);

/* requests.c */

void ct_req_step(struct ct_model *model, struct ct_thread *thread,
                 const struct ct_step *step);
void ct_req_told(struct ct_model *model, struct ct_process *process,
                 const struct ct_step *step);
void ct_req_end(struct ct_model *model, struct ct_req *req,
                const struct ct_step *step);

/** ct_req_situation() - tell @situation of its coroutine, if it is news */
void ct_req_situation(struct ct_model *model, struct ct_req *req,
                      const struct ct_situation *situation);

/** ct_req_in_gap() - nothing is known of them since @from_ns; many gaps without
 * anything told in between cost nothing for each of the requests */
void ct_req_in_gap(struct ct_model *model, int64_t from_ns);

/** ct_req_tell() - work its situation out and tell it */
void ct_req_tell(struct ct_model *model, struct ct_req *req);
/** ct_req_worker() - a worker runs a work item that it waits for */
void ct_req_worker(struct ct_model *model, struct ct_req *req, int32_t tid);
void ct_req_waker(struct ct_model *model, struct ct_co *co, uint64_t waker);

/* gaps.c */

void ct_gap_begin(struct ct_model *model, const struct ct_step *step);
void ct_gap_end(struct ct_model *model);
void ct_telling_step(struct ct_model *model, struct ct_process *process,
                     struct ct_thread *thread, const struct ct_step *step);

/** ct_process_end() - everything that lives in it is over */
void ct_process_end(struct ct_model *model, struct ct_process *process);

#endif
