/* SPDX-License-Identifier: MIT */
/*
 * source/text/log-stamps.h - when the lines of a log were written, by somebody
 * who looked on
 *
 * Model:    `record --qemu` leaves them beside a log that has no times (the
 *           format stands in docs/RECORDING.md).  They are asked for in the
 *           order of the log, by the place where a line ends.
 * Threads:  one a reader.
 * Errors:   -errno in opening, -EINVAL: not such a file; what can't be read
 *           any further has ended.
 * Depends:  libc only.
 */
#ifndef CT_SOURCE_TEXT_LOG_STAMPS_H
#define CT_SOURCE_TEXT_LOG_STAMPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ct_log_stamps {
    FILE *file;       /* NULL: none */
    uint64_t bytes;   /* of the log that the last stamp covers */
    int64_t when_ns;  /* since 1970, never decreasing */
    int64_t error_ns; /* written at most so long before */
};

int ct_log_stamps_open(struct ct_log_stamps *stamps, const char *path);
void ct_log_stamps_close(struct ct_log_stamps *stamps);

/** ct_log_stamps_at() - when what ends at byte @end was written; in the struct
 * Return: false: nobody looked on any more. */
bool ct_log_stamps_at(struct ct_log_stamps *stamps, uint64_t end);

#endif
