/* SPDX-License-Identifier: MIT */
/*
 * log-stamps.c - the file of stamps, a line a look
 *
 * Whatever stands in it, times never decrease and no bound reaches back behind
 * the look before: a line that says otherwise, or is cut, is the last one.
 */
#include "source/text/log-stamps.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LINE_BYTES 80
#define TIME_MAX   (INT64_MAX / 2)

/* One that has its end; false: there is none. */
static bool read_line(struct ct_log_stamps *stamps, char line[LINE_BYTES])
{
    return fgets(line, LINE_BYTES, stamps->file) && strchr(line, '\n');
}

int ct_log_stamps_open(struct ct_log_stamps *stamps, const char *path)
{
    char line[LINE_BYTES];
    int version, used = 0;

    *stamps = (struct ct_log_stamps){.file = fopen(path, "re")};
    if (!stamps->file) {
        return -errno;
    }
    if (!read_line(stamps, line) ||
        sscanf(line, "cotrace-stamps %d %" SCNd64 "%n", &version,
               &stamps->when_ns, &used) != 2 ||
        version != 1 || line[used] != '\n' || stamps->when_ns < 0 ||
        stamps->when_ns > TIME_MAX) {
        ct_log_stamps_close(stamps);
        return -EINVAL;
    }
    return 0;
}

void ct_log_stamps_close(struct ct_log_stamps *stamps)
{
    if (stamps->file) {
        (void)fclose(stamps->file);
        stamps->file = NULL;
    }
}

static bool next(struct ct_log_stamps *stamps)
{
    char line[LINE_BYTES];
    uint64_t bytes;
    int64_t after_ns, bound_ns;
    int used = 0;

    if (!stamps->file || !read_line(stamps, line) ||
        sscanf(line, "%" SCNu64 " %" SCNd64 " %" SCNd64 "%n", &bytes, &after_ns,
               &bound_ns, &used) != 3 ||
        line[used] != '\n' || bytes > UINT64_MAX - stamps->bytes ||
        after_ns < 0 || after_ns > TIME_MAX - stamps->when_ns || bound_ns < 0) {
        ct_log_stamps_close(stamps);
        return false;
    }
    stamps->bytes += bytes;
    stamps->when_ns += after_ns;
    stamps->error_ns = bound_ns;
    return true;
}

bool ct_log_stamps_at(struct ct_log_stamps *stamps, uint64_t end)
{
    while (stamps->bytes < end) {
        if (!next(stamps)) {
            return false;
        }
    }
    return true;
}
