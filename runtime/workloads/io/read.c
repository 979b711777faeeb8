/* SPDX-License-Identifier: MIT */
/*
 * read.c - the commands that read: read, readv, aio_read
 *
 * An aio_read outlives its command: what it needs (buffers, options) is a
 * struct of its own, freed by its callback.  The callback may run on another
 * thread than the commands, so its report is printed in one piece.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

/* What the buffers hold before a read: neither zeroes nor a usual pattern. */
#define POISON 0xab

struct read_options {
    bool is_for_machines;
    bool is_quiet;
    bool is_dumped;
    bool is_vm_state;
    bool is_part;         /* not all of the data is checked */
    bool is_injected;     /* nothing is read: told, and done */
    int pattern;          /* -1: not checked */
    int64_t check_offset; /* in the data */
    int64_t check_bytes;  /* -1: to the end */
};

/*
 * Reads options up to the first argument that is none (optind); false: told.
 * @letters: as for getopt(3)
 */
static bool take_options(int argc, char **argv, const char *letters,
                         struct read_options *o)
{
    int letter;

    *o = (struct read_options){.pattern = -1, .check_bytes = -1};
    optind = 0;
    while (!o->is_injected && (letter = getopt(argc, argv, letters)) != -1) {
        bool is_good = true;
        switch (letter) {
        case 'b':
            o->is_vm_state = true;
            break;
        case 'C':
            o->is_for_machines = true;
            break;
        case 'i':
            o->is_injected = true;
            break;
        case 'l':
            o->is_part = true;
            is_good = io_parse_size(optarg, &o->check_bytes);
            break;
        case 'p': /* had a meaning in old scripts */
            break;
        case 'P':
            is_good = io_parse_pattern(optarg, &o->pattern);
            break;
        case 'q':
            o->is_quiet = true;
            break;
        case 's':
            o->is_part = true;
            is_good = io_parse_size(optarg, &o->check_offset);
            break;
        case 'v':
            o->is_dumped = true;
            break;
        default:
            io_usage(argv[0]);
            is_good = false;
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

/* Prints what came of a read that succeeded; false: not the pattern. */
static bool report(const struct read_options *o, const uint8_t *data,
                   int64_t offset, int64_t bytes, int64_t ns)
{
    bool is_expected = true;

    flockfile(stdout);
    if (o->pattern >= 0) {
        int64_t n =
            o->check_bytes >= 0 ? o->check_bytes : bytes - o->check_offset;
        const uint8_t *at = data + o->check_offset;
        for (int64_t i = 0; i < n && is_expected; i++) {
            is_expected = at[i] == o->pattern;
        }
        if (!is_expected) {
            printf("Pattern verification failed at offset %" PRId64 ", %" PRId64
                   " bytes\n",
                   offset + o->check_offset, n);
        }
    }
    if (!o->is_quiet) {
        if (o->is_dumped) {
            io_dump(data, offset, bytes);
        }
        io_print_report("read", ns, offset, bytes, o->is_for_machines);
    }
    funlockfile(stdout);
    return is_expected;
}

bool io_read(struct io_session *io, int argc, char **argv)
{
    struct read_options o;
    int64_t offset, bytes;

    if (!take_options(argc, argv, "bCl:pP:qs:v", &o)) {
        return false;
    }
    if (!io_take_range(argc, argv, &offset, &bytes)) {
        return false;
    }
    if (o.is_part && o.pattern < 0) {
        io_usage(argv[0]);
        return false;
    }
    int64_t check_end = MAX(o.check_bytes, 0);
    if (o.pattern >= 0 &&
        (o.check_offset > bytes || check_end > bytes - o.check_offset)) {
        printf("pattern verification range exceeds end of read data\n");
        return false;
    }
    if (o.is_vm_state && !io_check_sectors(offset, bytes)) {
        return false;
    }

    g_autofree uint8_t *data = io_make_buffer(bytes, POISON);
    if (data == NULL) {
        return false;
    }
    int64_t start = io_now_ns();
    int ret = o.is_vm_state ? blk_load_vmstate(io->blk, data, offset, bytes)
                            : blk_pread(io->blk, offset, bytes, data);
    int64_t ns = io_now_ns() - start;
    if (ret < 0) {
        printf("read failed: %s\n", g_strerror(-ret));
        return false;
    }
    return report(&o, data, offset, bytes, ns);
}

/* The arguments that readv and aio_read share; false: told. */
static bool take_vector(int argc, char **argv, const char *letters,
                        struct read_options *o, int64_t *ret_offset,
                        IOVector *vector, uint8_t **ret_data)
{
    if (!take_options(argc, argv, letters, o) || o->is_injected) {
        return false;
    }
    if (optind > argc - 2) {
        io_usage(argv[0]);
        return false;
    }
    return io_parse_size(argv[optind], ret_offset) &&
           io_make_vector(vector, &argv[optind + 1], argc - optind - 1, POISON,
                          ret_data);
}

bool io_readv(struct io_session *io, int argc, char **argv)
{
    struct read_options o;
    int64_t offset;
    IOVector vector;
    g_autofree uint8_t *data = NULL;

    if (!take_vector(argc, argv, "CP:qv", &o, &offset, &vector, &data)) {
        return false;
    }
    int64_t bytes = (int64_t)vector.bytes;
    int64_t start = io_now_ns();
    int ret = blk_preadv(io->blk, offset, &vector);
    int64_t ns = io_now_ns() - start;
    io_vector_fini(&vector);
    if (ret < 0) {
        printf("readv failed: %s\n", g_strerror(-ret));
        return false;
    }
    return report(&o, data, offset, bytes, ns);
}

struct aio_read {
    struct read_options options;
    int64_t offset;
    int64_t start_ns;
    IOVector vector;
    uint8_t *data;
};

/* A wrong result is told, and not the command's failure: that has succeeded. */
static void aio_read_done(void *opaque, int ret)
{
    struct aio_read *read = opaque;

    if (ret < 0) {
        printf("readv failed: %s\n", g_strerror(-ret));
    } else {
        (void)report(&read->options, read->data, read->offset,
                     (int64_t)read->vector.bytes, io_now_ns() - read->start_ns);
    }
    io_vector_fini(&read->vector);
    g_free(read->data);
    g_free(read);
}

bool io_aio_read(struct io_session *io, int argc, char **argv)
{
    struct aio_read *read = g_new0(struct aio_read, 1);

    if (!take_vector(argc, argv, "CiP:qv", &read->options, &read->offset,
                     &read->vector, &read->data)) {
        bool is_injected = read->options.is_injected;
        if (is_injected) {
            printf("injecting invalid read request\n");
        }
        g_free(read);
        return is_injected;
    }
    read->start_ns = io_now_ns();
    blk_aio_preadv(io->blk, read->offset, &read->vector, aio_read_done, read);
    return true;
}
