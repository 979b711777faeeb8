/* SPDX-License-Identifier: MIT */
/*
 * control.c - carries out what the recorder asks, with liblttng-ctl
 *
 * Stopping:  stop (no wait) -> ask whether data is pending until it is not ->
 *            destroy -> ask whether it is done until it is -> DONE 1.
 *            HURRY -> no more asking -> DONE 0.
 * After a program was killed in the middle of an event, one sub-buffer never
 * completes.  LTTng then says that no data is pending, but is never done with
 * the session; any of the calls may block, too.  So the recorder says HURRY
 * when nothing grows any more, and has this process ended when that does not
 * help either.
 */
#include "session/keeper/control.h"

#include <errno.h>
#include <unistd.h>

#include "session/daemon/shared.h"
#include "session/keeper/wire.h"

#define PENDING_POLL_MS 5

static bool exists; /* the session was asked for and is not yet destroyed */

static void answer(int end, bool ok, int number, char *reason)
{
    (void)ct_wire_send(end, ok ? CT_WIRE_DONE : CT_WIRE_FAILED, number, reason);
    g_free(reason);
}

static bool create(const struct ct_lttng_plan *plan, bool shared,
                   char **ret_reason)
{
    if (shared && ct_shared_enter(ret_reason)) {
        return false;
    }
    exists = true;
    int ret = ct_lttng_create(plan, ret_reason);
    if (shared) {
        ct_shared_created();
    }
    return !ret;
}

static bool start(const struct ct_lttng_plan *plan, bool shared, pid_t pid,
                  char **ret_reason)
{
    return (!shared || !ct_lttng_limit(plan->session, pid, ret_reason)) &&
           !ct_lttng_start(plan->session, ret_reason);
}

/* Until no data is pending; false if the recorder does not want to wait. */
static bool drain(int end, const char *session)
{
    for (;;) {
        struct ct_wire_message message;
        int pending = ct_lttng_is_pending(session);

        if (pending <= 0) {
            return pending == 0;
        }
        if (ct_wire_receive(end, &message, PENDING_POLL_MS) != -EAGAIN) {
            return false;
        }
    }
}

/* Until the session is closed; false as above. */
static bool destroy(int end, const char *session)
{
    struct lttng_destruction_handle *destruction = ct_lttng_destroy(session);
    int closed = destruction ? 0 : -1;

    exists = false;
    while (!closed) {
        struct ct_wire_message message;

        closed = ct_lttng_is_destroyed(destruction, PENDING_POLL_MS);
        if (!closed && ct_wire_receive(end, &message, 0) != -EAGAIN) {
            closed = -1;
        }
    }
    ct_lttng_forget(destruction);
    return closed > 0;
}

static bool stop(int end, const struct ct_lttng_plan *plan, char **ret_reason)
{
    bool drained =
        !ct_lttng_stop(plan->session, ret_reason) && drain(end, plan->session);

    return destroy(end, plan->session) && drained;
}

void ct_control_run(int end, const struct ct_lttng_plan *plan, bool shared)
{
    struct ct_wire_message message;

    ct_lttng_init();
    do {
        char *reason = NULL;
        bool done;

        if (ct_wire_receive(end, &message, -1)) {
            continue;
        }
        switch (message.kind) {
        case CT_WIRE_CREATE:
            done = create(plan, shared, &reason);
            answer(end, done, 0, reason);
            break;
        case CT_WIRE_START:
            done = start(plan, shared, message.number, &reason);
            answer(end, done, 0, reason);
            break;
        case CT_WIRE_STOP:
            done = stop(end, plan, &reason);
            answer(end, !reason, done, reason);
            break;
        default:
            break;
        }
    } while (message.kind != CT_WIRE_GONE);

    if (exists) {
        (void)ct_lttng_stop(plan->session, &(char *){NULL});
        ct_lttng_forget(ct_lttng_destroy(plan->session));
    }
}
