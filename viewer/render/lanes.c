/* SPDX-License-Identifier: MIT */
/*
 * lanes.c - who lies beside whom: requests on as few tracks as can be
 *
 * The first free lane is found by a scan: there are as many lanes as requests
 * in flight, some tens, rarely thousands; `hint` skips those in front that are
 * all taken.
 */
#include "render/lanes.h"

struct lane {
    bool is_taken;
    int64_t end_ns; /* of the last one */
};

struct group {
    GArray *lanes; /* of struct lane */
    unsigned hint; /* all before it are taken */
};

struct process {
    struct group groups[CT_LANE_GROUPS];
};

struct ct_lanes {
    GHashTable *processes; /* pid -> owned struct process */
};

static void process_free(gpointer data)
{
    struct process *process = data;

    for (unsigned i = 0; i < CT_LANE_GROUPS; i++) {
        g_array_free(process->groups[i].lanes, TRUE);
    }
    g_free(process);
}

struct ct_lanes *ct_lanes_new(void)
{
    struct ct_lanes *lanes = g_new0(struct ct_lanes, 1);

    lanes->processes = g_hash_table_new_full(NULL, NULL, NULL, process_free);
    return lanes;
}

void ct_lanes_free(struct ct_lanes *lanes)
{
    if (lanes) {
        g_hash_table_destroy(lanes->processes);
        g_free(lanes);
    }
}

static struct group *group_of(struct ct_lanes *lanes, int32_t pid,
                              enum ct_lane_group group)
{
    struct process *process =
        g_hash_table_lookup(lanes->processes, GINT_TO_POINTER(pid));

    if (!process) {
        process = g_new0(struct process, 1);
        for (unsigned i = 0; i < CT_LANE_GROUPS; i++) {
            process->groups[i].lanes =
                g_array_new(FALSE, TRUE, sizeof(struct lane));
        }
        g_hash_table_insert(lanes->processes, GINT_TO_POINTER(pid), process);
    }
    return &process->groups[group];
}

unsigned ct_lanes_take(struct ct_lanes *lanes, int32_t pid,
                       enum ct_lane_group group, int64_t begin_ns)
{
    struct group *found = group_of(lanes, pid, group);
    struct lane taken = {.is_taken = true};
    bool all_taken = true;

    for (unsigned i = found->hint; i < found->lanes->len; i++) {
        struct lane *lane = &g_array_index(found->lanes, struct lane, i);

        /* One that is told late may begin before the last one ended. */
        if (!lane->is_taken && lane->end_ns <= begin_ns) {
            lane->is_taken = true;
            found->hint += all_taken;
            return i;
        }
        if (all_taken && lane->is_taken) {
            found->hint = i + 1;
        } else {
            all_taken = false;
        }
    }
    g_array_append_val(found->lanes, taken);
    return found->lanes->len - 1;
}

void ct_lanes_leave(struct ct_lanes *lanes, int32_t pid,
                    enum ct_lane_group group, unsigned lane, int64_t end_ns)
{
    struct group *found = group_of(lanes, pid, group);
    struct lane *left = &g_array_index(found->lanes, struct lane, lane);

    left->is_taken = false;
    left->end_ns = end_ns;
    found->hint = MIN(found->hint, lane);
}

unsigned ct_lanes_count(const struct ct_lanes *lanes, int32_t pid,
                        enum ct_lane_group group)
{
    const struct process *process =
        g_hash_table_lookup(lanes->processes, GINT_TO_POINTER(pid));

    return process ? process->groups[group].lanes->len : 0;
}
