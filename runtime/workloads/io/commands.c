/* SPDX-License-Identifier: MIT */
/*
 * commands.c - the table of commands, and the short ones
 *
 * A command runs where the script runs: on the main thread, or (--loop=glib)
 * in a coroutine; what waits, waits the way that suits the place.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
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
    enum { NO_FILE, ANY_FILE, WRITABLE_FILE } needs;
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

static void set_status(struct io_session *io, enum io_status status)
{
    io->status = MAX(io->status, status);
}

/* --- the file ------------------------------------------------------------ */

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

/* --- the script ---------------------------------------------------------- */

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

/* Of a driver that stops requests, and that is not here: --fault is. */
static bool io_break(struct io_session *io, int argc, char **argv)
{
    const char *why = g_strerror(EOPNOTSUPP);

    if (strcmp(argv[0], "break") == 0) {
        printf("Could not set breakpoint: %s\n", why);
    } else if (strcmp(argv[0], "remove_break") == 0) {
        printf("Could not remove breakpoint %s: %s\n", argv[1], why);
    } else {
        printf("Could not %s request: %s\n",
               strcmp(argv[0], "resume") == 0 ? "resume" : "wait for a", why);
    }
    return false;
}

static bool io_abort(struct io_session *io, int argc, char **argv)
{
    abort();
}

static bool io_sigraise(struct io_session *io, int argc, char **argv)
{
    int64_t signal;

    if (!io_parse_size(argv[1], &signal)) {
        return false;
    }
    if (signal > SIGRTMAX) {
        printf("signal argument '%s' is too large to be a valid signal\n",
               argv[1]);
        return false;
    }
    fflush(stdout);
    raise((int)signal);
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

/* --- the table ----------------------------------------------------------- */

#define READ_OPTIONS                                            \
    "\n"                                                        \
    " -C          one line of numbers instead of two of text\n" \
    " -P pattern  say so if a byte is not this one\n"           \
    " -q          no report\n"                                  \
    " -v          print the data as well\n"

#define WRITE_OPTIONS                                           \
    "\n"                                                        \
    " -C          one line of numbers instead of two of text\n" \
    " -f          it is on the disk when it has ended\n"        \
    " -P pattern  the byte to write; 0xcd\n"                    \
    " -q          no report\n"

#define ZERO_OPTIONS                                      \
    " -u          with -z: the space may be given back\n" \
    " -z          zeroes, by the format's tables if it "  \
    "can\n"

static const struct command commands[] = {
    {"abort", NULL, io_abort, 0, 0, NO_FILE, "", "crashes, by abort(3)", NULL},
    {"aio_flush", NULL, io_aio_flush, 0, 0, ANY_FILE, "",
     "waits until no aio_read or aio_write is in flight", NULL},
    {"aio_read", NULL, io_aio_read, 2, NO_LIMIT, ANY_FILE,
     "[-Ciqv] [-P pattern] off len [len..] ",
     "starts a read and does not wait for it",
     READ_OPTIONS " -i          an invalid request: only says so\n"},
    {"aio_write", NULL, io_aio_write, 2, NO_LIMIT, WRITABLE_FILE,
     "[-Cfiquz] [-P pattern] off len [len..] ",
     "starts a write and does not wait for it",
     WRITE_OPTIONS
     " -i          an invalid request: only says so\n" ZERO_OPTIONS},
    {"alloc", NULL, io_alloc, 1, 2, ANY_FILE, "offset [count] ",
     "says how much of a range lies in this image", NULL},
    {"break", NULL, io_break, 2, 2, ANY_FILE, "event tag ",
     "stops a request: not supported, see --fault", NULL},
    {"close", "c", io_close, 0, 0, ANY_FILE, "", "closes the file", NULL},
    {"discard", "d", io_discard, 2, NO_LIMIT, WRITABLE_FILE, "[-Cq] off len ",
     "gives the space of a range back",
     "\n"
     " -C          one line of numbers instead of two of text\n"
     " -q          no report\n"},
    {"flush", "f", io_flush, 0, 0, ANY_FILE, "",
     "has what was written on the disk", NULL},
    {"help", "?", io_help, 0, 1, NO_FILE, "[command] ",
     "lists the commands, or explains one", NULL},
    {"info", "i", io_info, 0, 0, ANY_FILE, "",
     "prints what the format says of itself", NULL},
    {"length", "l", io_length, 0, 0, ANY_FILE, "", "prints the disk's length",
     NULL},
    {"map", NULL, io_map, 0, 0, ANY_FILE, "",
     "lists what lies in this image and what does not", NULL},
    {"open", "o", io_open, 1, NO_LIMIT, NO_FILE,
     "[-knrU] [-i aio] [-t cache] [-d discard] [-o options] [path] ",
     "opens a file",
     "\n"
     " -k          as -i native\n"
     " -n          as -t none\n"
     " -r          for reading only\n"
     " -U          with -r only; always the case\n"
     " -i aio      threads, native or io_uring\n"
     " -t cache    writeback, none, writethrough, directsync\n"
     "             or unsafe\n"
     " -d discard  unmap, or ignore: discards do nothing\n"
     " -o options  key=value,..: driver, read-only, cache.direct,\n"
     "             cache.no-flush, discard; file.filename instead of path\n"},
    {"quit", "q", io_quit, 0, NO_LIMIT, NO_FILE, "", "ends the program", NULL},
    {"read", "r", io_read, 2, NO_LIMIT, ANY_FILE,
     "[-bCqv] [-P pattern [-s off] [-l len]] off len ",
     "reads a range of the disk",
     READ_OPTIONS " -b          of the machine's state, not the disk\n"
                  " -s off      with -P: of the data, check from here on\n"
                  " -l len      with -P: of the data, check so many bytes\n"},
    {"readv", NULL, io_readv, 2, NO_LIMIT, ANY_FILE,
     "[-Cqv] [-P pattern] off len [len..] ",
     "reads a range into one buffer for each length", READ_OPTIONS},
    {"remove_break", NULL, io_break, 1, 1, ANY_FILE, "tag ",
     "undoes break: not supported", NULL},
    {"reopen", NULL, io_reopen, 0, NO_LIMIT, ANY_FILE,
     "[(-r|-w)] [-c cache] [-o options] ", "changes how the file is open",
     "\n"
     " -r          for reading only\n"
     " -w          for writing, too\n"
     " -c cache    as for open -t\n"
     " -o options  key=value,..: read-only, cache.direct, cache.no-flush, "
     "discard\n"},
    {"resume", NULL, io_break, 1, 1, ANY_FILE, "tag ",
     "lets a stopped request go on: not supported", NULL},
    {"sigraise", NULL, io_sigraise, 1, 1, NO_FILE, "signal ", "raises a signal",
     NULL},
    {"sleep", NULL, io_sleep, 1, 1, NO_FILE, "ms ",
     "waits so many milliseconds", NULL},
    {"truncate", "t", io_truncate, 1, 3, WRITABLE_FILE,
     "[-m prealloc_mode] off ", "changes the disk's length", NULL},
    {"wait_break", NULL, io_break, 1, 1, ANY_FILE, "tag ",
     "waits for a stopped request: not supported", NULL},
    {"write", "w", io_write, 2, NO_LIMIT, WRITABLE_FILE,
     "[-bCfnquz] [-P pattern | -s source_file] off len ",
     "writes a range of the disk",
     WRITE_OPTIONS
     " -b          to the machine's state, not the disk\n"
     " -n          with -z: fail rather than write data\n"
     " -s file     write its bytes, again and again\n" ZERO_OPTIONS},
    {"writev", NULL, io_writev, 2, NO_LIMIT, WRITABLE_FILE,
     "[-Cfq] [-P pattern] off len [len..] ",
     "writes a range from one buffer for each length", WRITE_OPTIONS},
    {0},
};

static bool has_arguments(const struct command *c, const char *as_typed, int n)
{
    if (n >= c->args_min && (c->args_max == NO_LIMIT || n <= c->args_max)) {
        return true;
    }
    fprintf(stderr, "bad argument count %d to %s, expected ", n, as_typed);
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
    if (c->needs != NO_FILE && io->blk == NULL) {
        fprintf(stderr, "no file open, try 'help open'\n");
        return false;
    }
    if (!has_arguments(c, argv[0], argc - 1)) {
        return false;
    }
    if (c->needs == WRITABLE_FILE && !blk_is_writable(io->blk)) {
        fprintf(stderr, "cotrace-io: Block node is read-only\n");
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
