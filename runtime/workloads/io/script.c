/* SPDX-License-Identifier: MIT */
/*
 * script.c - where commands come from: the command line or standard input
 *
 * Standard input is a handler of the loop, so that requests go on while a
 * line is awaited.  Lines that have arrived together are kept here; the
 * handler is set only while none is left.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/io/io.h"

#define READ_BYTES 4096

struct input {
    GString *text; /* what has been read and is not taken yet */
    bool is_at_end;
    bool is_ready;     /* read(2) will not block */
    Coroutine *waiter; /* NULL: a thread that polls */
};

static void input_ready(void *opaque)
{
    struct input *in = opaque;

    in->is_ready = true;
    aio_set_fd_handler(aio_context_current(), STDIN_FILENO, NULL, NULL, NULL);
    if (in->waiter != NULL) {
        aio_co_wake(in->waiter);
    }
}

static void wait_for_input(struct input *in)
{
    AioContext *ctx = aio_context_current();
    struct stat st;

    if (fstat(STDIN_FILENO, &st) < 0 || S_ISREG(st.st_mode)) {
        return; /* never blocks, and not every monitor can watch it */
    }
    in->is_ready = false;
    in->waiter = coroutine_self();
    aio_set_fd_handler(ctx, STDIN_FILENO, input_ready, NULL, in);
    if (in_coroutine()) {
        coroutine_yield_for(CT_YIELD_REASON_IO,
                            aio_fd_handler_id(ctx, STDIN_FILENO));
    } else {
        AIO_WAIT_WHILE(ctx, !in->is_ready);
    }
}

static void read_more(struct input *in)
{
    char buf[READ_BYTES];
    ssize_t got;

    wait_for_input(in);
    do {
        got = read(STDIN_FILENO, buf, sizeof(buf));
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        g_string_append_len(in->text, buf, got);
    } else if (got == 0 || errno != EAGAIN) {
        in->is_at_end = true;
    }
}

/* A line ends where it says so, whatever bytes are in it; a command that holds
 * a zero byte ends there.  Return: g_free() the line; NULL: there is no more.
 */
static char *take_line(struct input *in)
{
    const char *end;

    while ((end = memchr(in->text->str, '\n', in->text->len)) == NULL &&
           !in->is_at_end) {
        read_more(in);
    }
    if (end == NULL && in->text->len == 0) {
        return NULL;
    }
    gssize n = end != NULL ? end - in->text->str : (gssize)in->text->len;
    char *line = g_strndup(in->text->str, (gsize)n);
    g_string_erase(in->text, 0, end != NULL ? n + 1 : n);
    return line;
}

/* Lets coroutines start that the last command has made. */
static void give_way(void)
{
    if (in_coroutine()) {
        aio_co_schedule(aio_context_current(), coroutine_self());
        coroutine_yield_for(CT_YIELD_REASON_SCHEDULE, 0);
    }
}

static void run_lines(struct io_session *io)
{
    struct input in = {.text = g_string_new(NULL)};
    char *line;

    while (!io->is_quit) {
        printf("cotrace-io> ");
        fflush(stdout);
        line = take_line(&in);
        if (line == NULL) {
            break;
        }
        io_command(io, line);
        g_free(line);
        give_way();
    }
    g_string_free(in.text, TRUE);
}

void io_script_run(struct io_session *io, char **commands)
{
    if (commands[0] == NULL) {
        run_lines(io);
    }
    for (int i = 0; commands[i] != NULL && !io->is_quit; i++) {
        io_command(io, commands[i]);
        give_way();
    }
    io_session_close(io);
}
