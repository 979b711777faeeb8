/* SPDX-License-Identifier: MIT */
/*
 * ct/retell.h - who can tell the live state again
 *
 * Model:    a recording may start late or lose events; what is alive is told
 *           (events state_*) when a recording starts, and again every period.
 *           Every part of the runtime that keeps live entities registers a
 *           teller; ct_retell_poll() decides whether a telling is due and
 *           frames it with state_begin and state_end.  Stacks and kinds of
 *           requests are told again with it, each before its next use.
 * Threads:  ct_retell_register() any thread, before or while others poll.
 *           ct_retell_poll() any thread; one telling at a time, the others
 *           return at once.  A teller runs on the thread that polls, beside
 *           running threads: it may read entities of other threads and must
 *           cope with their changing (see each teller).
 * Memory:   a struct ct_teller is borrowed for ever.
 * Errors:   none; what a recording loses of a telling is told in the next one.
 *           A COTRACE_RETELL_MS that can't be read is ignored.
 * Depends:  libc only; empty in a build without tracing.
 */
#ifndef CT_RETELL_H
#define CT_RETELL_H

#include <stdint.h>

/* Either function may be NULL. */
struct ct_teller {
    void (*tell)(uint64_t telling); /* emits state_* events */
    void (*settle)(void);   /* who records now drops nothing from here on */
    struct ct_teller *next; /* atomic list; written by register only */
};

#ifdef CT_TRACING

void ct_retell_register(struct ct_teller *teller);

/**
 * ct_retell_poll() - tell the live state if a telling is due
 *
 * Due: when the state events have become enabled since the last call
 * (a recording started); CT_RETELL_AGAIN_NS later, since LTTng still drops what
 * a recording's first milliseconds bring; and CT_RETELL_PERIOD_NS after the
 * last telling (or COTRACE_RETELL_MS from the environment; 0: never again).  A
 * context calls it at the begin of a turn and when it has slept in it; with
 * tracing off it costs one predicted branch, with tracing on and nothing due a
 * clock read at most.
 */
void ct_retell_poll(void);

#else

static inline void ct_retell_register(struct ct_teller *teller)
{
}

static inline void ct_retell_poll(void)
{
}

#endif

#define CT_RETELL_PERIOD_NS 1000000000
#define CT_RETELL_AGAIN_NS  100000000

#endif
