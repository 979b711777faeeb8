/* SPDX-License-Identifier: MIT */
/*
 * session/output/count.h - how many events a finished trace holds, and lost
 *
 * Model:    reads the streams that LTTng-UST wrote, packet by packet.  The
 *           daemon can't tell the first number, and tells a wrong second one
 *           in some cases.
 * Threads:  any; no state.
 * Errors:   none: what can't be read is told by the result.
 * Depends:  libc only.
 */
#ifndef CT_SESSION_OUTPUT_COUNT_H
#define CT_SESSION_OUTPUT_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct ct_count {
    uint64_t events;    /* all */
    uint64_t own;       /* LTTng's about loaded files left out */
    uint64_t discarded; /* because the buffers were full */
    bool known;         /* every stream could be read to its end */
    bool damaged;       /* a packet is missing or cut */
};

/** ct_count_trace() - count everything below a directory */
void ct_count_trace(const char *path, struct ct_count *ret_count);

#endif
