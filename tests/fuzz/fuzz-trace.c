/* SPDX-License-Identifier: MIT */
/*
 * fuzz-trace.c - libFuzzer target: any bytes as a CTF trace, read to its end
 *
 * An input is metadata text, a NUL, two bytes that say how long the first of
 * two stream files is, and those files.  All
 * of it goes where a user's trace does: the packets are checked, a repaired
 * view is made, libbabeltrace2 reads that, a pass takes it.
 *
 * The directory is made in the current one and used again and again.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "ct/stat.h"
#include "ct/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIR "fuzz-trace.dir"

static void put(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ct_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void on_warning(const char *text, void *data)
{
    unsigned *warnings = data;

    ct_check(text[0] != '\0' && !strchr(text, '\n'));
    (*warnings)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size);
    unsigned warnings = 0;
    const struct ct_trace_options options = {.warning = on_warning,
                                             .data = &warnings};
    struct ct_checks *checks;
    struct ct_stat *stat;
    GError *error = NULL;
    size_t left, first;

    if (!nul || nul + 3 > data + size) {
        return 0;
    }
    left = size - (size_t)(nul + 3 - data);
    first = MIN(left, (size_t)(nul[1] | nul[2] << 8));
    mkdir(DIR, 0700);
    put(DIR "/metadata", data, (size_t)(nul - data));
    put(DIR "/c_0", nul + 3, first);
    put(DIR "/c_1", nul + 3 + first, left - first);
    checks = ct_checks_new(true);
    stat = ct_stat_new();
    struct ct_consumer *consumers[] = {ct_checks_consumer(checks),
                                       ct_stat_consumer(stat), NULL};
    if (ct_trace_run(DIR, &options, consumers, &error)) {
        /* What is missing is warned of: a file, or the whole. */
        ct_check(ct_stat_get(stat)->summary.complete || warnings > 0);
    } else {
        ct_check(error && error->message[0]);
        g_error_free(error);
    }
    ct_stat_free(stat);
    ct_checks_free(checks);
    return 0;
}
