/* SPDX-License-Identifier: MIT */
/*
 * space.c - the commands about space, not data: discard, truncate, map, alloc
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

#define SECTOR_BYTES 512

bool io_discard(struct io_session *io, int argc, char **argv)
{
    bool is_for_machines = false, is_quiet = false;
    int64_t offset, bytes;
    int letter;

    optind = 0;
    while ((letter = getopt(argc, argv, "Cq")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        *(letter == 'C' ? &is_for_machines : &is_quiet) = true;
    }
    if (!io_take_range(argc, argv, &offset, &bytes)) {
        return false;
    }
    int64_t start_ns = io_now_ns();
    int ret = blk_pdiscard(io->blk, offset, bytes);
    if (ret < 0) {
        printf("discard failed: %s\n", g_strerror(-ret));
        return false;
    }
    if (!is_quiet) {
        io_print_report("discard", io_now_ns() - start_ns, offset, bytes,
                        is_for_machines);
    }
    return true;
}

/* Space is never taken ahead of data here. */
static bool check_preallocation(const char *mode)
{
    static const char *const modes[] = {"metadata", "falloc", "full", NULL};

    if (strcmp(mode, "off") == 0) {
        return true;
    }
    if (g_strv_contains(modes, mode)) {
        fprintf(stderr, "cotrace-io: Unsupported preallocation mode: %s\n",
                mode);
    } else {
        fprintf(stderr, "cotrace-io: Invalid preallocation mode '%s'\n", mode);
    }
    return false;
}

/* What a format found wrong has its own words; the rest is the file's. */
static void print_truncate_error(const char *format, int err)
{
    bool is_raw = strcmp(format, "raw") == 0;

    if (err == EINVAL && !is_raw) {
        fprintf(stderr, "cotrace-io: The new size must be a multiple of 512\n");
    } else {
        fprintf(stderr, "cotrace-io: %s: %s\n",
                err == EFBIG && !is_raw ? "Failed to grow the L1 table"
                                        : "Could not resize file",
                g_strerror(err));
    }
}

bool io_truncate(struct io_session *io, int argc, char **argv)
{
    int64_t bytes;
    int letter;

    optind = 0;
    while ((letter = getopt(argc, argv, "m:")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        if (!check_preallocation(optarg)) {
            return false;
        }
    }
    if (optind >= argc || !io_parse_size(argv[optind], &bytes)) {
        return false;
    }
    int ret = blk_truncate(io->blk, bytes);
    if (ret < 0) {
        print_truncate_error(blk_format(io->blk), -ret);
        return false;
    }
    return true;
}

/* From @offset on: does it lie in this image, and how far? */
static int is_allocated(struct io_session *io, int64_t offset, int64_t bytes,
                        int64_t *ret_bytes)
{
    int ret = blk_block_status(io->blk, offset, bytes, ret_bytes);

    return ret < 0 ? ret : (ret & BDRV_BLOCK_ALLOCATED) != 0;
}

bool io_alloc(struct io_session *io, int argc, char **argv)
{
    int64_t offset, n, allocated = 0, done = 0, bytes = SECTOR_BYTES;
    char size[IO_SIZE_CHARS];

    if (!io_parse_size(argv[1], &offset) ||
        (argc == 3 && !io_parse_size(argv[2], &bytes))) {
        return false;
    }
    do {
        int ret = is_allocated(io, offset + done, bytes - done, &n);
        if (ret < 0) {
            printf("is_allocated failed: %s\n", g_strerror(-ret));
            return false;
        }
        done += n;
        allocated += ret ? n : 0;
    } while (n > 0 && done < bytes);
    printf("%" PRId64 "/%" PRId64 " bytes allocated at offset %s\n", allocated,
           done, io_format_size(size, (double)offset));
    return true;
}

bool io_map(struct io_session *io, int argc, char **argv)
{
    int64_t length = blk_length(io->blk);
    char size[IO_SIZE_CHARS], place[IO_SIZE_CHARS];

    for (int64_t offset = 0, n; offset < length; offset += n) {
        int64_t more;
        int is_first = is_allocated(io, offset, length - offset, &n);
        int is_next = is_first;
        while (is_next >= 0 && is_next == is_first && offset + n < length) {
            is_next = is_allocated(io, offset + n, length - offset - n, &more);
            n += is_next == is_first ? more : 0;
        }
        if (is_first < 0) {
            fprintf(stderr, "cotrace-io: Failed to get allocation status: %s\n",
                    g_strerror(-is_first));
            return false;
        }
        printf("%s (0x%" PRIx64 ") bytes %s at offset %s (0x%" PRIx64 ")\n",
               io_format_size(size, (double)n), n,
               is_first ? "    allocated" : "not allocated",
               io_format_size(place, (double)offset), offset);
    }
    return true;
}
