/* SPDX-License-Identifier: MIT */
/*
 * write.c - the commands that write: write, writev, aio_write
 *
 * As in read.c an aio_write outlives its command, and its callback may run on
 * another thread, so its report is printed in one piece.
 *
 * Options that exclude one another are found in qemu-io's order, and told in
 * its words: scripts with expected output depend on both.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "workloads/io/io.h"

/* What is written unless the options say otherwise. */
#define PATTERN 0xcd

#define SECTOR_BYTES 512

struct write_options {
    bool is_for_machines;
    bool is_quiet;
    bool is_compressed;
    bool is_vm_state;
    bool is_zero;
    bool has_pattern;
    bool is_injected; /* nothing is written: told, and done */
    unsigned flags;   /* BDRV_REQ_* */
    int pattern;
    const char *source; /* file with the data; NULL: none */
};

static bool take_option(struct write_options *o, int letter)
{
    switch (letter) {
    case 'b':
        o->is_vm_state = true;
        return true;
    case 'c':
        o->is_compressed = true;
        return true;
    case 'C':
        o->is_for_machines = true;
        return true;
    case 'f':
        o->flags |= BDRV_REQ_FUA;
        return true;
    case 'i':
        o->is_injected = true;
        return true;
    case 'n':
        o->flags |= BDRV_REQ_NO_FALLBACK;
        return true;
    case 'p': /* had a meaning in old scripts */
        return true;
    case 'P':
        o->has_pattern = true;
        return io_parse_pattern(optarg, &o->pattern);
    case 'q':
        o->is_quiet = true;
        return true;
    case 's':
        o->source = optarg;
        return true;
    case 'u':
        o->flags |= BDRV_REQ_MAY_UNMAP;
        return true;
    default:
        o->is_zero = true;
        return true;
    }
}

/* Up to the first argument that is no option (optind); false: told */
static bool take_options(int argc, char **argv, const char *letters,
                         struct write_options *o)
{
    int letter;

    *o = (struct write_options){.pattern = PATTERN};
    optind = 0;
    while (!o->is_injected && (letter = getopt(argc, argv, letters)) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        if (!take_option(o, letter)) {
            return false;
        }
    }
    return true;
}

static bool refuse(const char *why)
{
    printf("%s\n", why);
    return false;
}

static bool check_options(const struct write_options *o)
{
    if (o->is_vm_state && o->is_zero) {
        return refuse("-b and -z cannot be specified at the same time");
    }
    if ((o->flags & BDRV_REQ_FUA) && (o->is_vm_state || o->is_compressed)) {
        return refuse("-f and -b or -c cannot be specified at the same time");
    }
    if ((o->flags & BDRV_REQ_NO_FALLBACK) && !o->is_zero) {
        return refuse("-n requires -z to be specified");
    }
    if ((o->flags & BDRV_REQ_MAY_UNMAP) && !o->is_zero) {
        return refuse("-u requires -z to be specified");
    }
    if (o->is_zero + o->has_pattern + (o->source != NULL) > 1) {
        return refuse(
            "Only one of -z, -P, and -s can be specified at the same time");
    }
    return true;
}

bool io_check_sectors(int64_t offset, int64_t bytes)
{
    if (offset % SECTOR_BYTES != 0) {
        printf("%" PRId64 " is not a sector-aligned value for 'offset'\n",
               offset);
        return false;
    }
    if (bytes % SECTOR_BYTES != 0) {
        printf("%" PRId64 " is not a sector-aligned value for 'count'\n",
               bytes);
        return false;
    }
    return true;
}

static void report(const struct write_options *o, int64_t offset, int64_t bytes,
                   int64_t start_ns)
{
    if (!o->is_quiet) {
        io_print_report("wrote", io_now_ns() - start_ns, offset, bytes,
                        o->is_for_machines);
    }
}

static int do_write(struct io_session *io, const struct write_options *o,
                    int64_t offset, int64_t bytes, const uint8_t *data)
{
    if (o->is_compressed) {
        return -ENOTSUP;
    }
    if (o->is_vm_state) {
        return blk_save_vmstate(io->blk, data, offset, bytes);
    }
    if (o->is_zero) {
        return blk_pwrite_zeroes(io->blk, offset, bytes, o->flags);
    }
    return blk_pwrite(io->blk, offset, bytes, data, o->flags);
}

bool io_write(struct io_session *io, int argc, char **argv)
{
    struct write_options o;
    int64_t offset, bytes;
    g_autofree uint8_t *data = NULL;

    if (!take_options(argc, argv, "bcCfnpP:qs:uz", &o)) {
        return false;
    }
    if (optind != argc - 2) {
        io_usage(argv[0]);
        return false;
    }
    if (!check_options(&o) || !io_parse_size(argv[optind], &offset) ||
        !io_parse_size(argv[optind + 1], &bytes)) {
        return false;
    }
    if (bytes > BLOCK_REQUEST_BYTES_MAX && !(o.flags & BDRV_REQ_NO_FALLBACK)) {
        printf("length cannot exceed %d without -n, given %s\n",
               BLOCK_REQUEST_BYTES_MAX, argv[optind + 1]);
        return false;
    }
    if ((o.is_vm_state || o.is_compressed) &&
        !io_check_sectors(offset, bytes)) {
        return false;
    }
    if (!o.is_zero) {
        data = io_make_buffer(bytes, o.pattern);
        if (data == NULL ||
            (o.source != NULL && !io_fill_from_file(data, bytes, o.source))) {
            return false;
        }
    }
    int64_t start_ns = io_now_ns();
    int ret = do_write(io, &o, offset, bytes, data);
    if (ret < 0) {
        printf("write failed: %s\n", g_strerror(-ret));
        return false;
    }
    report(&o, offset, bytes, start_ns);
    return true;
}

bool io_writev(struct io_session *io, int argc, char **argv)
{
    struct write_options o;
    int64_t offset;
    IOVector vector;
    g_autofree uint8_t *data = NULL;

    if (!take_options(argc, argv, "CfqP:", &o)) {
        return false;
    }
    if (optind > argc - 2) {
        io_usage(argv[0]);
        return false;
    }
    if (!io_parse_size(argv[optind], &offset) ||
        !io_make_vector(&vector, &argv[optind + 1], argc - optind - 1,
                        o.pattern, &data)) {
        return false;
    }
    int64_t bytes = (int64_t)vector.bytes;
    int64_t start_ns = io_now_ns();
    int ret = blk_pwritev(io->blk, offset, &vector, o.flags);
    io_vector_fini(&vector);
    if (ret < 0) {
        printf("writev failed: %s\n", g_strerror(-ret));
        return false;
    }
    report(&o, offset, bytes, start_ns);
    return true;
}

struct aio_write {
    struct write_options options;
    int64_t offset;
    int64_t bytes;
    int64_t start_ns;
    IOVector vector;
    uint8_t *data; /* NULL: zeroes */
};

static void aio_write_free(struct aio_write *write)
{
    io_vector_fini(&write->vector);
    g_free(write->data);
    g_free(write);
}

/* A wrong result is told, and not the command's failure: that has succeeded. */
static void aio_write_done(void *opaque, int ret)
{
    struct aio_write *write = opaque;

    if (ret < 0) {
        printf("aio_write failed: %s\n", g_strerror(-ret));
    } else {
        report(&write->options, write->offset, write->bytes, write->start_ns);
    }
    aio_write_free(write);
}

static bool take_aio_write(int argc, char **argv, struct aio_write *write)
{
    struct write_options *o = &write->options;

    if (optind > argc - 2) {
        io_usage(argv[0]);
        return false;
    }
    if (o->is_zero && optind != argc - 2) {
        return refuse("-z supports only a single length parameter");
    }
    if ((o->flags & BDRV_REQ_MAY_UNMAP) && !o->is_zero) {
        return refuse("-u requires -z to be specified");
    }
    if (!io_parse_size(argv[optind], &write->offset)) {
        return false;
    }
    if (o->is_zero) {
        return io_parse_size(argv[optind + 1], &write->bytes);
    }
    bool is_good = io_make_vector(&write->vector, &argv[optind + 1],
                                  argc - optind - 1, o->pattern, &write->data);
    write->bytes = (int64_t)write->vector.bytes;
    return is_good;
}

bool io_aio_write(struct io_session *io, int argc, char **argv)
{
    struct aio_write *write = g_new0(struct aio_write, 1);

    bool is_good = take_options(argc, argv, "CfiP:quz", &write->options);
    if (is_good && write->options.is_injected) {
        printf("injecting invalid write request\n");
        aio_write_free(write);
        return true;
    }
    if (!is_good || !take_aio_write(argc, argv, write)) {
        aio_write_free(write);
        return false;
    }
    write->start_ns = io_now_ns();
    if (write->options.is_zero) {
        blk_aio_pwrite_zeroes(io->blk, write->offset, write->bytes,
                              write->options.flags, aio_write_done, write);
    } else {
        blk_aio_pwritev(io->blk, write->offset, &write->vector,
                        write->options.flags, aio_write_done, write);
    }
    return true;
}
