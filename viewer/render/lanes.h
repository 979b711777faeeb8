/* SPDX-License-Identifier: MIT */
/*
 * render/lanes.h - who lies beside whom: requests on as few tracks as can be
 *
 * Model:    a request takes the first lane of its process and group that is
 *           free at its begin, and leaves it at its end; so two on one lane
 *           never overlap, and a lane's contents come in time order.
 * Threads:  one at a time.
 * Memory:   one entry a lane: as many as requests were ever open at once.
 * Errors:   none.
 * Depends:  glib.h.
 */
#ifndef CT_RENDER_LANES_H
#define CT_RENDER_LANES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum ct_lane_group {
    CT_LANES_OUTER, /* what the user of the block layer asked for */
    CT_LANES_INNER, /* requests inside of these */
    CT_LANE_GROUPS,
};

struct ct_lanes;

struct ct_lanes *ct_lanes_new(void);
void ct_lanes_free(struct ct_lanes *lanes);

/** ct_lanes_take() - Return: the lane's number in its group, from 0 */
unsigned ct_lanes_take(struct ct_lanes *lanes, int32_t pid,
                       enum ct_lane_group group, int64_t begin_ns);

void ct_lanes_leave(struct ct_lanes *lanes, int32_t pid,
                    enum ct_lane_group group, unsigned lane, int64_t end_ns);

/** ct_lanes_count() - lanes that a process ever had in a group */
unsigned ct_lanes_count(const struct ct_lanes *lanes, int32_t pid,
                        enum ct_lane_group group);

/* A lane is a track of the process, as threads are; its number must be none
 * that Linux gives to a thread (those stay below 2^22). */
#define CT_LANE_TID(group, lane) \
    ((int32_t)((1 << 30) + ((int)(group) << 26) + (int)(lane)))

#endif
