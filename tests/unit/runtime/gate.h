/* SPDX-License-Identifier: MIT */
/*
 * gate.h - where threads of a test wait for one another
 *
 * Some thread arrives, another one waits until N have; some wait until it is
 * opened, another one opens it.
 */
#ifndef CT_TEST_GATE_H
#define CT_TEST_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int arrived;
    bool is_open;
};

static inline void gate_init(struct gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->arrived = 0;
    gate->is_open = false;
}

static inline void gate_fini(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

/* Arrives, and goes through once it is open. */
static inline void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_wait_arrived(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static inline int gate_arrived(struct gate *gate)
{
    int arrived;

    pthread_mutex_lock(&gate->lock);
    arrived = gate->arrived;
    pthread_mutex_unlock(&gate->lock);
    return arrived;
}

#endif
