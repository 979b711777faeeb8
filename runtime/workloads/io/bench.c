/* SPDX-License-Identifier: MIT */
/*
 * bench.c - cotrace-io bench: many requests in flight, as a device makes them
 *
 * A front end with a queue of requests: `depth` are started, and each that
 * ends starts the next, from its callback.  Each step is taken round the disk;
 * a request that does not fit where it begins fails, as does a first one that
 * begins beyond the end.  With a flush interval every so many writes a flush is
 * due: without --no-drain it waits until nothing is in flight, as a guest that
 * orders its writes does; else it goes out beside the writes.
 *
 * Options and output are those of `qemu-img bench`.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/io/io.h"
#include "workloads/options.h"

struct bench {
    /* immutable while it runs */
    BlockBackend *blk;
    bool is_write;
    bool is_quiet;
    bool is_not_drained;
    bool is_shared; /* -U */
    int count;
    int depth;
    int64_t request_bytes;
    int64_t step_bytes; /* 0: as long as a request */
    int64_t first_offset;
    int flush_interval; /* writes; 0: never */
    int pattern;
    uint8_t *data; /* one buffer for all: nobody looks at what comes */
    IOVector vector;

    /* home thread */
    int64_t offset;
    int n_started; /* of count */
    int n_ended;
    int n_in_flight; /* flushes too */
    int n_since_flush;
    bool is_flush_due;
    bool is_starting; /* in start_more(): callbacks leave it to that */
    int ret;          /* the first error */
};

static void start_more(struct bench *b);

static void request_done(void *opaque, int ret)
{
    struct bench *b = opaque;

    b->n_in_flight--;
    b->n_ended++;
    b->ret = b->ret < 0 ? b->ret : MIN(ret, 0);
    start_more(b);
}

static void flush_done(void *opaque, int ret)
{
    struct bench *b = opaque;

    b->n_in_flight--;
    b->ret = b->ret < 0 ? b->ret : MIN(ret, 0);
    start_more(b);
}

static void start_request(struct bench *b)
{
    int64_t length = blk_length(b->blk);
    int64_t offset = b->offset;

    if (length > 0) {
        b->offset = (offset % length + b->step_bytes) % length;
    }
    b->n_started++;
    b->n_in_flight++;
    if (!b->is_write) {
        blk_aio_preadv(b->blk, offset, &b->vector, request_done, b);
        return;
    }
    b->n_since_flush++;
    if (b->n_since_flush == b->flush_interval) {
        b->n_since_flush = 0;
        b->is_flush_due = true;
    }
    blk_aio_pwritev(b->blk, offset, &b->vector, 0, request_done, b);
}

static void start_more(struct bench *b)
{
    if (b->is_starting) {
        return;
    }
    b->is_starting = true;
    while (b->ret >= 0) {
        if (b->is_flush_due) {
            if (!b->is_not_drained && b->n_in_flight > 0) {
                break;
            }
            b->is_flush_due = false;
            b->n_in_flight++;
            blk_aio_flush(b->blk, flush_done, b);
            if (!b->is_not_drained) {
                break;
            }
        }
        if (b->n_started == b->count || b->n_in_flight >= b->depth) {
            break;
        }
        start_request(b);
    }
    b->is_starting = false;
}

static bool is_over(const struct bench *b)
{
    return b->n_in_flight == 0 && (b->ret < 0 || b->n_ended == b->count);
}

static int run(struct bench *b)
{
    AioContext *ctx = blk_get_aio_context(b->blk);

    if (!b->is_quiet) {
        printf("Sending %d %s requests, %" PRId64 " bytes each, %d in parallel "
               "(starting at offset %" PRId64 ", step size %" PRId64 ")\n",
               b->count, b->is_write ? "write" : "read", b->request_bytes,
               b->depth, b->first_offset, b->step_bytes);
        if (b->flush_interval > 0) {
            printf("Sending flush every %d requests\n", b->flush_interval);
        }
    }
    b->data = io_make_buffer(b->request_bytes, b->pattern);
    if (b->data == NULL) {
        return -ENOMEM;
    }
    io_vector_init(&b->vector);
    io_vector_add(&b->vector, b->data, (size_t)b->request_bytes);
    b->offset = b->first_offset;

    int64_t start_ns = io_now_ns();
    start_more(b);
    AIO_WAIT_WHILE(ctx, !is_over(b));
    double seconds = (double)(io_now_ns() - start_ns) / 1e9;

    io_vector_fini(&b->vector);
    g_free(b->data);
    if (b->ret >= 0 && !b->is_quiet) {
        printf("Run completed in %3.3f seconds.\n", seconds);
    }
    return b->ret;
}

/* --- options ------------------------------------------------------------- */

static const char usage_text[] =
    "usage: cotrace-io bench [options] IMAGE\n"
    "\n"
    "Keeps many requests in flight, and says how long they took.\n"
    "\n"
    "  -c, --count N           requests in all; 75000\n"
    "  -d, --depth N           in flight at a time; 64\n"
    "  -f, --format FORMAT     raw or qcow2; default: by the file's beginning\n"
    "  -i, --aio MODE          engine that does the file's I/O\n"
    "  -o, --offset BYTES      of the first request; 0\n"
    "  -q, --quiet             print errors only\n"
    "  -s, --buffer-size BYTES of a request; 4096\n"
    "  -S, --step-size BYTES   from one request to the next; the size of one\n"
    "  -t, --cache MODE        writeback, none, writethrough, directsync or "
    "unsafe\n"
    "  -w, --write             write instead of read\n"
    "      --flush-interval N  flush after every N writes\n"
    "      --no-drain          don't wait for writes before a flush\n"
    "      --pattern BYTE      what is written; 0\n"
    "  -U, --force-share       without -w only; always the case\n"
    "  -h, --help              this text\n";

enum long_option {
    OPTION_FLUSH_INTERVAL = 256,
    OPTION_NO_DRAIN,
    OPTION_PATTERN,
};

static const struct option long_options[] = {
    {"count", required_argument, NULL, 'c'},
    {"depth", required_argument, NULL, 'd'},
    {"format", required_argument, NULL, 'f'},
    {"aio", required_argument, NULL, 'i'},
    {"offset", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"buffer-size", required_argument, NULL, 's'},
    {"step-size", required_argument, NULL, 'S'},
    {"cache", required_argument, NULL, 't'},
    {"write", no_argument, NULL, 'w'},
    {"flush-interval", required_argument, NULL, OPTION_FLUSH_INTERVAL},
    {"no-drain", no_argument, NULL, OPTION_NO_DRAIN},
    {"pattern", required_argument, NULL, OPTION_PATTERN},
    {"force-share", no_argument, NULL, 'U'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool invalid(const char *what)
{
    fprintf(stderr, "cotrace-io: bench: %s\n", what);
    return false;
}

static bool take_count(const char *text, int min, int *ret_n, const char *what)
{
    char *end;
    long n = strtol(text, &end, 0);

    if (end == text || *end != '\0' || n < min || n > INT32_MAX) {
        return invalid(what);
    }
    *ret_n = (int)n;
    return true;
}

static bool take_bytes(const char *text, int64_t max, int64_t *ret_bytes,
                       const char *what)
{
    int ret = io_check_size(text, ret_bytes);

    if (ret == -EINVAL) {
        fprintf(stderr, "cotrace-io: bench: Invalid %s specified\n", what);
        return false;
    }
    if (ret < 0 || *ret_bytes > max) {
        fprintf(stderr,
                "cotrace-io: bench: Invalid %s specified. Must be between 0 "
                "and %" PRId64 ".\n",
                what, max);
        return false;
    }
    return true;
}

static bool take_option(struct bench *b, BlockOptions *options, int letter)
{
    switch (letter) {
    case 'c':
        return take_count(optarg, 0, &b->count,
                          "Invalid request count specified");
    case 'd':
        return take_count(optarg, 1, &b->depth,
                          "Invalid queue depth specified");
    case 'f':
        options->format = optarg;
        return true;
    case 'i':
        options->engine = optarg;
        return true;
    case 'o':
        return take_bytes(optarg, INT64_MAX, &b->first_offset, "offset");
    case 'q':
        b->is_quiet = true;
        return true;
    case 's':
        return take_bytes(optarg, BLOCK_REQUEST_BYTES_MAX, &b->request_bytes,
                          "buffer size");
    case 'S':
        return take_bytes(optarg, INT32_MAX, &b->step_bytes, "step_size");
    case 't':
        return io_parse_cache(optarg, options) || invalid("Invalid cache mode");
    case 'w':
        b->is_write = true;
        return true;
    case 'U':
        b->is_shared = true;
        return true;
    case OPTION_FLUSH_INTERVAL:
        return take_count(optarg, 0, &b->flush_interval,
                          "Invalid flush interval specified");
    case OPTION_NO_DRAIN:
        b->is_not_drained = true;
        return true;
    case OPTION_PATTERN:
        return (take_count(optarg, 0, &b->pattern,
                           "Invalid pattern byte specified")) &&
               (b->pattern <= UINT8_MAX ||
                invalid("Invalid pattern byte specified"));
    default:
        g_assert_not_reached();
    }
}

/* Return: the image's name; NULL: told */
static const char *parse(struct bench *b, BlockOptions *options, int argc,
                         char **argv)
{
    int letter;

    optind = 0;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":hc:d:f:i:o:qs:S:t:wU",
                                 long_options, NULL)) != -1) {
        if (letter == '?' || letter == ':') {
            option_refused("cotrace-io: bench", long_options, argv, letter);
            return NULL;
        }
        if (letter == 'h') {
            fputs(usage_text, stdout);
            exit(fflush(stdout) == 0 ? IO_OK : IO_BAD_INPUT);
        }
        if (!take_option(b, options, letter)) {
            return NULL;
        }
    }
    if (optind != argc - 1) {
        (void)invalid("Expecting one image file name");
        return NULL;
    }
    if (b->step_bytes == 0) {
        b->step_bytes = b->request_bytes;
    }
    if (b->flush_interval > 0 && !b->is_write) {
        (void)invalid("--flush-interval is only available in write tests");
        return NULL;
    }
    if (b->flush_interval > 0 && b->flush_interval < b->depth) {
        (void)invalid("Flush interval can't be smaller than depth");
        return NULL;
    }
    return argv[optind];
}

int io_bench(int argc, char **argv)
{
    struct bench b = {.count = 75000, .depth = 64, .request_bytes = 4096};
    BlockOptions options = {0};
    const char *filename = parse(&b, &options, argc, argv);
    g_autoptr(GError) error = NULL;
    enum io_status status = IO_BAD_INPUT;

    if (filename == NULL) {
        return status;
    }
    options.is_writable = b.is_write;
    AioContext *ctx = aio_context_new("main", &error);
    if (ctx == NULL) {
        fprintf(stderr, "cotrace-io: %s\n", error->message);
        return status;
    }
    aio_context_set_current(ctx);
    if (io_check_share(b.is_shared, &options, &error)) {
        b.blk = blk_new_open(filename, &options, ctx, &error);
    }
    if (b.blk != NULL) {
        io_tell_guarded(b.blk, filename);
    }
    if (b.blk == NULL) {
        fprintf(stderr, "cotrace-io: %s: %s\n", filename, error->message);
    } else {
        int ret = run(&b);
        if (ret < 0) {
            fprintf(stderr, "cotrace-io: Failed request: %s\n",
                    g_strerror(-ret));
        }
        status = ret < 0 ? IO_COMMAND_FAILED : IO_OK;
        ret = blk_inactivate(b.blk);
        if (ret < 0) {
            fprintf(stderr, "cotrace-io: %s: closing: %s\n", filename,
                    g_strerror(-ret));
            status = IO_BAD_INPUT;
        }
    }
    blk_unref(b.blk);
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "cotrace-io: can't write to standard output\n");
        status = IO_BAD_INPUT;
    }
    return status;
}
