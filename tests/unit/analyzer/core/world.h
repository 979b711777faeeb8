/* SPDX-License-Identifier: MIT */
/*
 * world.h - a small process that never ran, and the trace that it would leave
 *
 * Two loops, a worker pool, coroutines with random programs, as steps in the
 * order in which the runtime records them; and beside them, worked out from the
 * world itself and not from its steps, what each request was doing when.  The
 * same seed is the same world.
 */
#ifndef CT_TEST_WORLD_H
#define CT_TEST_WORLD_H

#include <glib.h>

#include "ct/request.h"
#include "ct/step.h"

struct world_segment {
    enum ct_state state;
    bool on_top;
    int32_t tid;
    int64_t begin_ns;
    int64_t end_ns;
};

struct world_request {
    uint64_t id;
    bool ended;
    int64_t begin_ns;
    int64_t end_ns;
    GArray *segments; /* struct world_segment */
};

struct world {
    GArray *steps;    /* struct ct_step */
    GPtrArray *truth; /* struct world_request, by begin */
};

/** world_new() - runs one of about @n_steps steps, then until all requests end
 */
struct world *world_new(uint32_t seed, unsigned n_steps);
void world_free(struct world *world);

#define WORLD_PID 1000

#endif
