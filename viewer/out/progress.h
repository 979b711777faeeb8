/* SPDX-License-Identifier: MIT */
/*
 * out/progress.h - a line on the terminal that says how far it is
 *
 * Model:    of what takes longer than half a second: a line on stderr that is
 *           written again and again, and cleared before anything else is.
 * Threads:  one at a time.
 * Memory:   the caller's.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_OUT_PROGRESS_H
#define CT_OUT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct ct_progress {
    bool shown;       /* a line stands there */
    bool wanted;      /* stderr is a terminal, and nothing else writes there */
    int64_t begin_us; /* g_get_monotonic_time() */
    int64_t last_us;
};

void ct_progress_init(struct ct_progress *progress, bool wanted);
void ct_progress_tell(struct ct_progress *progress, uint64_t bytes,
                      uint64_t total_bytes);

/** ct_progress_text() - share, rate and time left, in a line
 * @passed_us: since the begin
 * Return: to be freed with g_free(). */
char *ct_progress_text(uint64_t bytes, uint64_t total_bytes, int64_t passed_us);

void ct_progress_clear(struct ct_progress *progress);

#endif
