/* SPDX-License-Identifier: MIT */
/*
 * thread.h - threads of the runtime
 *
 * They leave signals to the program's own threads, whose handlers then never
 * interrupt a worker or a loop.
 */
#ifndef CT_THREAD_H
#define CT_THREAD_H

#include <pthread.h>
#include <stdint.h>

/**
 * ct_thread_create() - pthread_create() with all signals blocked, but those
 * that a thread causes itself by a fault
 *
 * Return: 0 or an errno value, as pthread_create().
 */
int ct_thread_create(pthread_t *ret_thread, void *(*run)(void *), void *arg);

/**
 * ct_thread_set_slice() - ask for the CPU in shorter turns
 * @slice_ns: at least 100000
 *
 * Since Linux 6.12 a thread that wakes with a shorter slice than that of the
 * running one preempts it as a rule: if it has not had more than its share, and
 * its deadline, which the slice brings nearer, is the earlier.  Its share stays
 * the same.  Older kernels take no notice.  Another policy than SCHED_OTHER,
 * and a slice that is shorter already, are somebody's choice, and stay.
 * Context: for the calling thread.
 * Source: sched(7) and sched_setattr(2); EEVDF: I. Stoica, H. Abdel-Wahab,
 * "Earliest Eligible Virtual Deadline First" (1995).
 */
void ct_thread_set_slice(uint64_t slice_ns);

#endif
