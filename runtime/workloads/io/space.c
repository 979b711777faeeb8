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

/* As long as a disk can be for qemu-io: offsets rounded up still are numbers */
#define LENGTH_MAX ((INT64_MAX >> 30) << 30)

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

/* Return: a PreallocMode; -1: told */
static int parse_preallocation(const char *word)
{
    static const char *const words[] = {"off", "metadata", "falloc", "full"};

    for (int mode = PREALLOC_MODE_OFF; mode <= PREALLOC_MODE_FULL; mode++) {
        if (strcmp(word, words[mode]) == 0) {
            return mode;
        }
    }
    fprintf(stderr, "cotrace-io: Invalid preallocation mode '%s'\n", word);
    return -1;
}

/* In the words of the formats; false: told */
static bool check_truncation(BlockBackend *blk, int64_t bytes, int mode)
{
    bool is_raw = strcmp(blk_format(blk), "raw") == 0;

    if (bytes > LENGTH_MAX) {
        fprintf(stderr,
                "cotrace-io: offset(%" PRId64 ") exceeds maximum(%" PRId64
                ")\n",
                bytes, LENGTH_MAX);
        return false;
    }
    if (mode == PREALLOC_MODE_METADATA && is_raw) {
        fprintf(stderr, "cotrace-io: Unsupported preallocation mode: %s\n",
                "metadata");
        return false;
    }
    if (mode != PREALLOC_MODE_OFF && bytes < blk_length(blk) &&
        (is_raw || bytes % SECTOR_BYTES == 0)) {
        fprintf(stderr, "cotrace-io: %s\n",
                is_raw ? "Cannot use preallocation for shrinking files"
                       : "Preallocation can't be used for shrinking an image");
        return false;
    }
    return true;
}

/* A version 2 image with snapshots: it can't have even the length it has. */
static bool is_length_fixed(BlockBackend *blk)
{
    return blk_truncate(blk, blk_length(blk)) == -ENOTSUP;
}

/* What a format found wrong has its own words; the rest is the file's. */
static void print_truncate_error(BlockBackend *blk, int mode, int err)
{
    bool is_raw = strcmp(blk_format(blk), "raw") == 0;

    if (err == EINVAL && !is_raw) {
        fprintf(stderr, "cotrace-io: The new size must be a multiple of 512\n");
    } else if (err == ENOTSUP && !is_raw && is_length_fixed(blk)) {
        fprintf(stderr,
                "cotrace-io: Can't resize a v2 image which has snapshots\n");
    } else if (err == ENOTSUP && !is_raw && mode <= PREALLOC_MODE_METADATA) {
        /* it has no way to hide what its backing file has there */
        fprintf(stderr, "cotrace-io: Failed to zero out new clusters: %s\n",
                g_strerror(err));
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
    int letter, mode = PREALLOC_MODE_OFF;

    optind = 0;
    while ((letter = getopt(argc, argv, "m:")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        mode = parse_preallocation(optarg);
        if (mode < 0) {
            return false;
        }
    }
    if (optind >= argc) {
        io_usage(argv[0]);
        return false;
    }
    if (!io_parse_size(argv[optind], &bytes) ||
        !check_truncation(io->blk, bytes, mode)) {
        return false;
    }
    int ret = blk_truncate_prealloc(io->blk, bytes, (PreallocMode)mode);
    if (ret < 0) {
        print_truncate_error(io->blk, mode, -ret);
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
