/* SPDX-License-Identifier: MIT */
/*
 * model/state/state.h - what the model's rooms share
 *
 * Model:    the state (what lives: model/state/entities.h), time and doubt.
 *
 *           Doubt.  Every gap raises model->epoch.  An entity is sure while
 *           its own epoch is the model's, that is, when something absolute was
 *           told of it since the last gap ended; during a gap nothing is sure.
 * Threads:  one pass, one thread.
 * Memory:   entities live in slabs; each is freed by the room that made it.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/entities.h, model/state/table.h.
 */
#ifndef CT_MODEL_STATE_H
#define CT_MODEL_STATE_H

#include "ct/step.h"
#include "model/state/entities.h"
#include "model/state/table.h"

struct ct_model {
    unsigned wants;
    int64_t time_ns; /* of the trace */
    int64_t now_ns;  /* the same; on a thread with its own clock, that one's */
    uint32_t epoch;
    bool in_gap;
    int64_t gap_from_ns;
    int64_t gap_end_ns; /* inclusive */
    uint32_t n_gaps;
    /* Requests of which something was told since the last gap began.  Of all
       others nothing is known since quiet_ns at the latest. */
    struct ct_req *restless;
    int64_t quiet_ns;
    /* Threads of which something was told since the last gap began.  All events
       of the others were seen since horizon_ns: there were none. */
    struct ct_thread *restless_threads;
    int64_t horizon_ns;
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
    struct ct_slab workers, locks, requests, births, kinds;
};

static inline bool ct_model_wants_any(const struct ct_model *model,
                                      unsigned wants)
{
    return model->wants & wants;
}

static inline void ct_model_odd(struct ct_model *model)
{
    model->oddities += !model->in_gap;
}

/** ct_model_time() - time goes on; what the end of a gap changes comes before
 * anything after it */
void ct_model_time(struct ct_model *model, int64_t when_ns);

/** ct_model_gap_over() - what is told from here on makes things sure again */
void ct_model_gap_over(struct ct_model *model);

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

/** ct_process_is_telling() - it tells what is alive, and nothing is missing */
static inline bool ct_process_is_telling(const struct ct_model *model,
                                         const struct ct_process *process)
{
    return process->telling.open && process->telling.n_gaps == model->n_gaps;
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

#endif
