/* SPDX-License-Identifier: MIT */
/*
 * data.c - the buffers of a command, and its time
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "workloads/io/io.h"

int64_t io_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

uint8_t *io_make_buffer(int64_t bytes, int pattern)
{
    uint8_t *data = g_try_malloc((size_t)MAX(bytes, 1));

    if (data == NULL) {
        printf("%s\n", g_strerror(ENOMEM));
        return NULL;
    }
    memset(data, pattern, (size_t)bytes);
    return data;
}

bool io_make_vector(IOVector *vector, char **lengths, int n, int pattern,
                    uint8_t **ret_data)
{
    g_autofree int64_t *bytes = g_new(int64_t, n);
    int64_t all = 0;

    for (int i = 0; i < n; i++) {
        if (!io_parse_size(lengths[i], &bytes[i])) {
            return false;
        }
        if (bytes[i] > BLOCK_REQUEST_BYTES_MAX) {
            printf("Argument '%s' exceeds maximum size %d\n", lengths[i],
                   BLOCK_REQUEST_BYTES_MAX);
            return false;
        }
        if (bytes[i] > BLOCK_REQUEST_BYTES_MAX - all) {
            printf("The total number of bytes exceed the maximum size %d\n",
                   BLOCK_REQUEST_BYTES_MAX);
            return false;
        }
        all += bytes[i];
    }

    *ret_data = io_make_buffer(all, pattern);
    if (*ret_data == NULL) {
        return false;
    }
    uint8_t *at = *ret_data;
    io_vector_init(vector);
    for (int i = 0; i < n; i++) {
        io_vector_add(vector, at, (size_t)bytes[i]);
        at += bytes[i];
    }
    return true;
}

bool io_fill_from_file(uint8_t *data, int64_t bytes, const char *filename)
{
    FILE *file = fopen(filename, "rb");

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", filename, g_strerror(errno));
        return false;
    }
    size_t got = fread(data, 1, (size_t)bytes, file);
    bool is_bad = ferror(file);
    fclose(file);
    if (is_bad) {
        fprintf(stderr, "%s: %s\n", filename, g_strerror(errno));
        return false;
    }
    if (got == 0) {
        fprintf(stderr, "%s: file is empty\n", filename);
        return false;
    }
    for (int64_t at = (int64_t)got; at < bytes; at++) {
        data[at] = data[at - (int64_t)got];
    }
    return true;
}
