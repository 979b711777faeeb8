/* SPDX-License-Identifier: MIT */
/*
 * commands.c - the table of commands, and the short ones
 *
 * A command runs where the script runs: on the main thread, or (--loop=glib)
 * in a coroutine; what waits, waits the way that suits the place.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

#define NO_LIMIT (-1)

struct command {
    const char *name;
    const char *short_name; /* NULL: none */
    IoFunc *func;
    int args_min;
    int args_max; /* or NO_LIMIT */
    bool needs_file;
    const char *args;
    const char *summary;
    const char *details; /* NULL: the summary says it all */
};

static const struct command commands[];

static const struct command *find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0 ||
            (c->short_name != NULL && strcmp(c->short_name, name) == 0)) {
            return c;
        }
    }
    return NULL;
}

static void print_summary(const struct command *c)
{
    printf("%s %s-- %s\n", c->name, c->args, c->summary);
}

void io_usage(const char *name)
{
    print_summary(find(name));
}

/* --- opening and closing ---------------------------------------------------
 */

static void set_status(struct io_session *io, enum io_status status)
{
    io->status = MAX(io->status, status);
}

bool io_session_open(struct io_session *io, const char *filename)
{
    g_autoptr(GError) error = NULL;

    io->blk = blk_new_open(filename, &io->options, io->ctx, &error);
    if (io->blk == NULL) {
        fprintf(stderr, "cotrace-io: %s: %s\n", filename, error->message);
        set_status(io, IO_BAD_INPUT);
        return false;
    }
    io->filename = g_strdup(filename);
    if (io->blk_ctx != io->ctx) {
        blk_set_aio_context(io->blk, io->blk_ctx);
    }
    return true;
}

void io_session_close(struct io_session *io)
{
    if (io->blk == NULL) {
        return;
    }
    blk_drain(io->blk);
    const char *fault = blk_fault(io->blk);
    if (fault != NULL) {
        fprintf(stderr, "cotrace-io: %s: %s\n", io->filename, fault);
        set_status(io, IO_BAD_INPUT);
    }
    blk_unref(io->blk);
    io->blk = NULL;
    g_clear_pointer(&io->filename, g_free);
}

static bool io_open(struct io_session *io, int argc, char **argv)
{
    int letter;

    optind = 0;
    while ((letter = getopt(argc, argv, "rU")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
    }
    if (optind != argc - 1) {
        io_usage(argv[0]);
        return false;
    }
    if (io->blk != NULL) {
        fprintf(stderr, "cotrace-io: file open already, try 'help close'\n");
        return false;
    }
    return io_session_open(io, argv[optind]);
}

static bool io_close(struct io_session *io, int argc, char **argv)
{
    io_session_close(io);
    return true;
}

/* --- the file --------------------------------------------------------------
 */

static bool io_length(struct io_session *io, int argc, char **argv)
{
    char size[IO_SIZE_CHARS];

    printf("%s\n", io_format_size(size, (double)blk_length(io->blk)));
    return true;
}

static bool io_info(struct io_session *io, int argc, char **argv)
{
    char size[IO_SIZE_CHARS];
    BlockInfo info;

    blk_get_info(io->blk, &info);
    printf("format name: %s\n", blk_format(io->blk));
    printf("cluster size: %s\n",
           io_format_size(size, (double)info.cluster_bytes));
    printf("vm state offset: %s\n",
           io_format_size(size, (double)info.vm_state_offset));
    if (info.specific != NULL) {
        g_auto(GStrv) lines = g_strsplit(info.specific, "\n", -1);
        printf("Format specific information:\n");
        for (int i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
            printf("    %s\n", lines[i]);
        }
        g_free(info.specific);
    }
    return true;
}

static bool io_flush(struct io_session *io, int argc, char **argv)
{
    int ret = blk_flush(io->blk);

    if (ret < 0) {
        printf("flush failed: %s\n", g_strerror(-ret));
    }
    return ret >= 0;
}

static bool io_aio_flush(struct io_session *io, int argc, char **argv)
{
    blk_drain(io->blk);
    return true;
}

/* --- the script ------------------------------------------------------------
 */

struct sleeper {
    Coroutine *co; /* NULL: a thread that polls */
    bool is_over;  /* thread of the timer's context */
};

static void sleep_over(void *opaque)
{
    struct sleeper *sleeper = opaque;

    sleeper->is_over = true;
    if (sleeper->co != NULL) {
        aio_co_wake(sleeper->co);
    }
}

static bool io_sleep(struct io_session *io, int argc, char **argv)
{
    AioContext *ctx = aio_context_current();
    struct sleeper sleeper = {.co = coroutine_self()};
    char *end;
    long ms = strtol(argv[1], &end, 0);

    if (*end != '\0' || end == argv[1] || ms < 0 || ms > INT32_MAX) {
        printf("%s is not a valid number\n", argv[1]);
        return false;
    }
    AioTimer *timer = aio_timer_new(ctx, sleep_over, &sleeper);
    aio_timer_arm(timer, aio_context_now_ns(ctx) + ms * INT64_C(1000000));
    if (in_coroutine()) {
        coroutine_yield_for(CT_YIELD_REASON_TIMER, aio_timer_id(timer));
    } else {
        AIO_WAIT_WHILE(ctx, !sleeper.is_over);
    }
    aio_timer_free(timer);
    return true;
}

static bool io_quit(struct io_session *io, int argc, char **argv)
{
    io->is_quit = true;
    return true;
}

static bool io_help(struct io_session *io, int argc, char **argv)
{
    if (argc == 1) {
        for (const struct command *c = commands; c->name != NULL; c++) {
            print_summary(c);
        }
        printf("\nUse 'help commandname' for extended help.\n");
        return true;
    }
    const struct command *c = find(argv[1]);
    if (c == NULL) {
        printf("command %s not found\n", argv[1]);
        return false;
    }
    print_summary(c);
    if (c->details != NULL) {
        fputs(c->details, stdout);
    }
    return true;
}

/* --- the table -------------------------------------------------------------
 */

#define READ_OPTIONS                                            \
    "\n"                                                        \
    " -C          one line of numbers instead of two of text\n" \
    " -P pattern  say so if a byte is not this one\n"           \
    " -q          no report\n"                                  \
    " -v          print the data as well\n"

static const struct command commands[] = {
    {"aio_flush", NULL, io_aio_flush, 0, 0, true, "",
     "waits until no aio_read is in flight", NULL},
    {"aio_read", NULL, io_aio_read, 2, NO_LIMIT, true,
     "[-Cqv] [-P pattern] off len [len..] ",
     "starts a read and does not wait for it", READ_OPTIONS},
    {"close", "c", io_close, 0, 0, true, "", "closes the file", NULL},
    {"flush", "f", io_flush, 0, 0, true, "", "has what was written on the disk",
     NULL},
    {"help", "?", io_help, 0, 1, false, "[command] ",
     "lists the commands, or explains one", NULL},
    {"info", "i", io_info, 0, 0, true, "",
     "prints what the format says of itself", NULL},
    {"length", "l", io_length, 0, 0, true, "", "prints the disk's length",
     NULL},
    {"open", "o", io_open, 0, NO_LIMIT, false, "[-rU] path ",
     "opens a file, always for reading only", NULL},
    {"quit", "q", io_quit, 0, NO_LIMIT, false, "", "ends the program", NULL},
    {"read", "r", io_read, 2, NO_LIMIT, true,
     "[-Cqv] [-P pattern [-s off] [-l len]] off len ",
     "reads a range of the disk",
     READ_OPTIONS " -s off      with -P: of the data, check from here on\n"
                  " -l len      with -P: of the data, check so many bytes\n"},
    {"readv", NULL, io_readv, 2, NO_LIMIT, true,
     "[-Cqv] [-P pattern] off len [len..] ",
     "reads a range into one buffer for each length", READ_OPTIONS},
    {"sleep", NULL, io_sleep, 1, 1, false, "ms ", "waits so many milliseconds",
     NULL},
    {0},
};

static bool has_arguments(const struct command *c, int n)
{
    if (n >= c->args_min && (c->args_max == NO_LIMIT || n <= c->args_max)) {
        return true;
    }
    fprintf(stderr, "bad argument count %d to %s, expected ", n, c->name);
    if (c->args_max == NO_LIMIT) {
        fprintf(stderr, "at least %d arguments\n", c->args_min);
    } else if (c->args_max != c->args_min) {
        fprintf(stderr, "between %d and %d arguments\n", c->args_min,
                c->args_max);
    } else {
        fprintf(stderr, "%d arguments\n", c->args_min);
    }
    return false;
}

static bool run_command(struct io_session *io, int argc, char **argv)
{
    const struct command *c = find(argv[0]);

    if (c == NULL) {
        fprintf(stderr, "command \"%s\" not found\n", argv[0]);
        return false;
    }
    if (c->needs_file && io->blk == NULL) {
        fprintf(stderr, "no file open, try 'help open'\n");
        return false;
    }
    if (!has_arguments(c, argc - 1)) {
        return false;
    }
    bool is_good = c->func(io, argc, argv);
    return is_good;
}

void io_command(struct io_session *io, const char *line)
{
    g_autofree char *words = g_strdup(line);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    char *rest = words, *word;

    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word != '\0') {
            g_ptr_array_add(argv, word);
        }
    }
    int argc = (int)argv->len;
    g_ptr_array_add(argv, NULL);
    if (argc > 0 && !run_command(io, argc, (char **)argv->pdata)) {
        set_status(io, IO_COMMAND_FAILED);
    }
}
