/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the generated ct/emit.h, for block/tracked.c alone: what it
 * tells of requests goes to the test, and its teller is the test's to call.
 */
#ifndef CT_EMIT_H
#define CT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "ct/coroutine.h"
#include "ct/events.h"

#include "ct/retell.h"

void fake_begin(uint64_t id, uint64_t parent, uint64_t co, const char *layer,
                const char *op, const char *node, int64_t offset,
                int64_t bytes);
void fake_open(uint64_t id, uint64_t parent, uint64_t co, uint32_t kind,
               int64_t offset, int64_t bytes);
void fake_coroutine(uint64_t id, uint64_t co);
void fake_start(uint64_t id, uint64_t ctx, uint64_t co, CoroutineEntry *entry,
                uint64_t waker, enum ct_wake_how how);
extern bool fake_joins; /* request_start is recorded */
void fake_end(uint64_t id, int ret);
void fake_state(uint64_t telling, uint64_t id, uint64_t parent, uint64_t co,
                const char *layer, const char *op, const char *node,
                int64_t offset, int64_t bytes, int64_t since_ns);
void fake_register(struct ct_teller *teller);

#define ct_emit_request_begin(id, parent, co, layer, op, node, offset, bytes, \
                              flags)                                          \
    fake_begin(id, parent, co, layer, op, node, offset, bytes)
#define ct_emit_on_request_open() 1
#define ct_emit_request_open(id, parent, co, kind, offset, bytes) \
    fake_open(id, parent, co, kind, offset, bytes)
#define ct_emit_request_coroutine(id, co) fake_coroutine(id, co)
#define ct_emit_on_request_start()        fake_joins
#define ct_emit_request_start             fake_start
#define ct_emit_request_end(id, ret)      fake_end(id, ret)
#define ct_emit_on_state_request()        1
#define ct_emit_state_request             fake_state
#define ct_retell_register                fake_register

#endif
