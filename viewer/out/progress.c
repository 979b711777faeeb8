/* SPDX-License-Identifier: MIT */
/*
 * progress.c - a line on the terminal that says how far it is
 */
#include "out/progress.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_FIRST_US 500000
#define PROGRESS_EVERY_US 100000
/* Before that the time left is no more than a guess. */
#define PROGRESS_LEFT_SHARE 0.02

void ct_progress_init(struct ct_progress *progress, bool wanted)
{
    *progress = (struct ct_progress){
        .wanted = wanted && isatty(STDERR_FILENO),
        .begin_us = g_get_monotonic_time(),
    };
}

char *ct_progress_text(uint64_t bytes, uint64_t total_bytes, int64_t passed_us)
{
    GString *text = g_string_new(NULL);
    double share =
        (double)MIN(bytes, total_bytes) / (double)MAX(total_bytes, 1);
    double passed_s = (double)MAX(passed_us, 1) / 1e6;

    if (total_bytes) {
        g_string_append_printf(text, "%3u %%  ", (unsigned)(share * 100));
    }
    g_string_append_printf(text, "%" PRIu64 " of %" PRIu64 " MiB, %.0f MiB/s",
                           bytes >> 20, total_bytes >> 20,
                           (double)bytes / (1 << 20) / passed_s);
    if (share >= PROGRESS_LEFT_SHARE && share < 1) {
        uint64_t left_s = (uint64_t)(passed_s * (1 - share) / share + 0.5);

        if (left_s >= 3600) {
            g_string_append_printf(text,
                                   ", %" PRIu64 " h %02" PRIu64 " min left",
                                   left_s / 3600, left_s / 60 % 60);
        } else if (left_s >= 60) {
            g_string_append_printf(text,
                                   ", %" PRIu64 " min %02" PRIu64 " s left",
                                   left_s / 60, left_s % 60);
        } else {
            g_string_append_printf(text, ", %" PRIu64 " s left", left_s);
        }
    }
    return g_string_free(text, FALSE);
}

void ct_progress_tell(struct ct_progress *progress, uint64_t bytes,
                      uint64_t total_bytes)
{
    g_autofree char *text = NULL;
    int64_t now_us;

    if (!progress->wanted) {
        return;
    }
    now_us = g_get_monotonic_time();
    if (now_us - progress->begin_us < PROGRESS_FIRST_US ||
        now_us - progress->last_us < PROGRESS_EVERY_US) {
        return;
    }
    progress->last_us = now_us;
    progress->shown = true;
    text = ct_progress_text(bytes, total_bytes, now_us - progress->begin_us);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
}

void ct_progress_clear(struct ct_progress *progress)
{
    if (progress->shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        progress->shown = false;
    }
}
