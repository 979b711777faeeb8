/* SPDX-License-Identifier: MIT */
/*
 * session/qemu/plan.h - how a QEMU is run to be recorded, and where its lines
 * go
 *
 * Model:    the one place that decides: from what the program says of itself
 *           and the arguments that it was given to the arguments that it is
 *           run with.  Other ways of getting at its events (something that is
 *           preloaded, say) are another enum ct_qemu_way and another plan;
 *           nothing else has to know.
 * Threads:  any; no state.
 * Memory:   ct_qemu_plan_fini() frees the plan.
 * Errors:   GError, domain CT_SESSION_ERROR, code PROGRAM: arguments that can't
 *           be recorded beside.
 * Depends:  session/qemu/program.h.
 */
#ifndef CT_SESSION_QEMU_PLAN_H
#define CT_SESSION_QEMU_PLAN_H

#include "session/qemu/program.h"

/* In the directory of the recording. */
#define CT_QEMU_LOG    "qemu.log"
#define CT_QEMU_STAMPS "qemu.log.stamps"

enum ct_qemu_way {
    CT_QEMU_WAY_UST,     /* LTTng-UST; the program is run as it was given */
    CT_QEMU_WAY_LOG,     /* QEMU writes its log to a file of ours */
    CT_QEMU_WAY_PRELOAD, /* what is preloaded takes the lines of its log */
};

struct ct_qemu_plan {
    enum ct_qemu_way way;
    bool needs_stamps; /* QEMU writes no times: somebody has to look on */
    char **argv;       /* to run */
    char *patterns;    /* UST: "qemu:blk_*,..." */
    char *events;      /* that are switched on, a name a line */
};

/**
 * ct_qemu_plan_make()
 * @argv: as the user gave it
 * @patterns: of event names, comma-separated; NULL: what the analysis reads
 * @output: the directory of the recording, absolute
 * @preloads: the lines can be taken by something that is preloaded
 */
bool ct_qemu_plan_make(const struct ct_qemu_program *program, char *const *argv,
                       const char *patterns, const char *output, bool preloads,
                       struct ct_qemu_plan *ret_plan, GError **error);

void ct_qemu_plan_fini(struct ct_qemu_plan *plan);

#endif
