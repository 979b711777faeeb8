/* SPDX-License-Identifier: MIT */
/*
 * retell.h - the decision behind ct/retell.h, with its clock from outside
 */
#ifndef CT_PROVIDER_RETELL_H
#define CT_PROVIDER_RETELL_H

#include <stdint.h>

#include "ct/events.h"

#pragma GCC visibility push(hidden)

/*
 * When the next telling is due.  One thread at a time (retell.c's lock, or a
 * test).
 */
struct ct_retell {
    const void *recorders; /* who recorded the state events at the last look */
    uint64_t tellings;     /* done so far */
    uint64_t next_ns;      /* next telling, 0: never */
    uint64_t period_ns;    /* 0: never again */
};

/*
 * Who records state_begin and lets through what is told from here on; whoever
 * joins makes them others, CT_EMIT_RECORDERS(state_begin), before it lets
 * anything through.  They may be back at the old address if nobody looked
 * meanwhile: the period repairs it.  NULL: nobody.  Atomic; loaded with
 * acquire, then the generation (intern.h) and what tellers settled:
 * pairs with tell_all().
 */
extern const void *ct_retell_settled;

/** ct_retell_start() - the provider is loaded; before anybody polls */
void ct_retell_start(void);

/**
 * ct_retell_is_due() - whether to tell now; if so, counts it
 * @recorders:  changes when a recording joins or leaves, NULL: none
 * @ret_reason: set only if due
 */
int ct_retell_is_due(struct ct_retell *retell, const void *recorders,
                     uint64_t now_ns, enum ct_tell_reason *ret_reason);

#pragma GCC visibility pop

#endif
