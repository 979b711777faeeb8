/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the generated ct/emit.h: the events of coroutines go to a
 * function of the test, with LTTng or without it, on every machine.
 */
#ifndef CT_EMIT_H
#define CT_EMIT_H

#include <stdint.h>

#include "ct/events.h"
#include "ct/retell.h"

struct fake_event {
    enum ct_event_id event;
    uint64_t fields[10]; /* in the order of the list, the stack left out */
};

/* Runs on the stack that records, in the place of the emitter. */
extern void (*fake_emit)(const struct fake_event *event);

/* The last one that was registered. */
extern struct ct_teller *fake_teller;

#define FAKE_EMIT(id, ...)                                                     \
    do {                                                                       \
        if (fake_emit != NULL) {                                               \
            fake_emit(                                                         \
                &(struct fake_event){.event = (id), .fields = {__VA_ARGS__}}); \
        }                                                                      \
    } while (0)

#define ct_emit_coroutine_create(co, entry) \
    FAKE_EMIT(CT_EV_COROUTINE_CREATE, co, (uintptr_t)(entry))
#define ct_emit_aio_coroutine_enter(ctx, from, to) \
    FAKE_EMIT(CT_EV_AIO_COROUTINE_ENTER, ctx, from, to)
#define ct_emit_coroutine_start(ctx, from, co, entry) \
    FAKE_EMIT(CT_EV_COROUTINE_START, ctx, from, co, (uintptr_t)(entry))
#define ct_emit_coroutine_yield(from, to, reason, object) \
    FAKE_EMIT(CT_EV_COROUTINE_YIELD, from, to, reason, object)
#define ct_emit_coroutine_next(ctx, self, from, to) \
    FAKE_EMIT(CT_EV_COROUTINE_NEXT, ctx, self, from, to)
#define ct_emit_coroutine_terminate(self, to) \
    FAKE_EMIT(CT_EV_COROUTINE_TERMINATE, self, to)
#define ct_emit_state_coroutine(telling, co, entry, state, reason, object,   \
                                from, since, created_stack, yield_stack)     \
    FAKE_EMIT(CT_EV_STATE_COROUTINE, telling, co, (uintptr_t)(entry), state, \
              reason, object, from, since, created_stack, yield_stack)
#define ct_emit_on_coroutine_create() (fake_emit != NULL)
#define ct_emit_on_coroutine_start()  (fake_emit != NULL)
#define ct_emit_on_coroutine_next()   (fake_emit != NULL)
#define ct_emit_on_state_coroutine()  (fake_emit != NULL)

#endif
