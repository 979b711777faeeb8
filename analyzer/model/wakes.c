/* SPDX-License-Identifier: MIT */
/*
 * Who woke whom by an eventfd, where nothing else tells it.
 *
 * Several may write before a wait ends; the first of them ended it.  Of those
 * that nobody has noticed the last few are kept: one that nobody waits for is
 * forgotten by and by.
 */
#include "model/wakes.h"

#include "model/state/changes.h"

static struct ct_fd_wake *find(const struct ct_model *model,
                               struct ct_process *process, uint64_t fd)
{
    for (unsigned i = 0; i < CT_FD_WAKES; i++) {
        struct ct_fd_wake *wake = &process->wakes[i];

        if (wake->epoch == model->epoch && wake->fd == fd) {
            return wake;
        }
    }
    return NULL;
}

void ct_wake_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_fd_wake *wake = find(model, process, step->value);

    if (model->in_gap) {
        return;
    }
    if (step->kind == CT_STEP_FD_WAKE) {
        if (!wake) {
            wake = &process->wakes[process->next_wake++ % CT_FD_WAKES];
            *wake = (struct ct_fd_wake){
                .fd = step->value,
                .epoch = model->epoch,
                .tid = step->tid,
                .when_ns = model->now_ns,
            };
        }
        return;
    }
    if (wake) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_EVENTFD,
                                 .pid = step->pid,
                                 .from_tid = wake->tid,
                                 .from_ns = wake->when_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->value,
                             });
        wake->epoch = 0;
    }
}
