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

/**
 * ct_thread_create() - pthread_create() with all signals blocked, but those
 * that a thread causes itself by a fault
 *
 * Return: 0 or an errno value, as pthread_create().
 */
int ct_thread_create(pthread_t *ret_thread, void *(*run)(void *), void *arg);

#endif
