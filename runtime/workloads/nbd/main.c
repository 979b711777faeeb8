/* SPDX-License-Identifier: MIT */
/*
 * main.c - cotrace-nbd: serves a disk image to NBD clients, as qemu-nbd does
 *
 * The main thread waits for signals, and for the server's end.  The image and
 * its clients live in one context: the main thread's, or with --iothread that
 * of a thread of its own.  What is to be done there is done by bottom halves.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "workloads/nbd/args.h"

struct program {
    struct nbd_args args;
    AioContext *ctx;       /* the main thread's */
    AioContext *serve_ctx; /* the server's */
    IOThread *iothread;    /* or NULL */
    int signals;           /* fd */

    /* Handed to and fro between the two threads, by bottom halves. */
    struct nbd_server *server;
    struct nbd_listeners listeners;
    GError *error;

    bool is_done;   /* main thread: what it asked for there has been done */
    bool is_closed; /* main thread: the server is */
};

/* --- calls in the server's context --------------------------------------- */

static void done_bh(void *opaque)
{
    struct program *p = opaque;

    p->is_done = true;
}

static void open_bh(void *opaque)
{
    struct program *p = opaque;

    p->server = nbd_server_open(&p->args.server, p->serve_ctx, &p->error);
    aio_bh_schedule_oneshot(p->ctx, done_bh, p);
}

static void start_bh(void *opaque)
{
    struct program *p = opaque;

    nbd_server_start(p->server, &p->listeners);
    aio_bh_schedule_oneshot(p->ctx, done_bh, p);
}

static void call_there(struct program *p, AioBHFunc *bh, const char *name)
{
    p->is_done = false;
    aio_bh_schedule_oneshot_full(p->serve_ctx, bh, p, name);
    AIO_WAIT_WHILE(p->ctx, !p->is_done);
}

static void stop_bh(void *opaque)
{
    struct program *p = opaque;

    nbd_server_stop(p->server);
}

static void closed_bh(void *opaque)
{
    struct program *p = opaque;

    p->is_closed = true;
}

static void server_closed(void *opaque)
{
    struct program *p = opaque;

    aio_bh_schedule_oneshot(p->ctx, closed_bh, p);
}

/* --- signals ------------------------------------------------------------- */

/* Before there is another thread, which would get them too. */
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_signal(void *opaque)
{
    struct program *p = opaque;
    struct signalfd_siginfo info;

    if (read(p->signals, &info, sizeof(info)) == sizeof(info) &&
        !p->is_closed) {
        aio_bh_schedule_oneshot(p->serve_ctx, stop_bh, p);
    }
}

/* --- one after the other ------------------------------------------------- */

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "cotrace-nbd: %s%s%s\n", what != NULL ? what : "",
            what != NULL ? ": " : "", why);
    return false;
}

static bool listen_as_told(struct program *p)
{
    const struct nbd_args *args = &p->args;

    if (args->socket != NULL) {
        return nbd_listen_unix(&p->listeners, args->socket, &p->error);
    }
    if (args->port != 0) {
        return nbd_listen_tcp(&p->listeners,
                              args->bind != NULL ? args->bind : "127.0.0.1",
                              args->port, &p->error);
    }
    if (nbd_listen_inherited(&p->listeners)) {
        return true;
    }
    g_set_error(&p->error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "where to listen: --socket or --port");
    return false;
}

static bool write_pid_file(const struct program *p)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());

    return p->args.pid_file == NULL ||
           g_file_set_contents(p->args.pid_file, text, -1, &error) ||
           complain(NULL, error->message);
}

static bool make_contexts(struct program *p)
{
    p->ctx = aio_context_new("main", &p->error);
    if (p->ctx == NULL) {
        return false;
    }
    aio_context_set_current(p->ctx);
    p->serve_ctx = p->ctx;
    if (p->args.is_iothread) {
        p->iothread = iothread_new("iothread", &p->error);
        if (p->iothread == NULL) {
            return false;
        }
        p->serve_ctx = iothread_get_aio_context(p->iothread);
    }
    return true;
}

static bool serve(struct program *p)
{
    bool is_good = write_pid_file(p);

    call_there(p, start_bh, "start_bh");
    aio_set_fd_handler(p->ctx, p->signals, take_signal, NULL, p);
    if (!is_good) {
        aio_bh_schedule_oneshot(p->serve_ctx, stop_bh, p);
    }
    AIO_WAIT_WHILE(p->ctx, !p->is_closed);
    aio_set_fd_handler(p->ctx, p->signals, NULL, NULL, NULL);
    if (p->args.pid_file != NULL) {
        unlink(p->args.pid_file);
    }
    if (nbd_server_complaint(p->server) != NULL) {
        is_good =
            complain(p->args.server.filename, nbd_server_complaint(p->server));
    }
    return is_good;
}

static bool run(struct program *p)
{
    p->args.server.closed = server_closed;
    p->args.server.opaque = p;
    if (!make_contexts(p)) {
        return complain(NULL, p->error->message);
    }
    call_there(p, open_bh, "open_bh");
    if (p->server == NULL) {
        return complain(p->args.server.filename, p->error->message);
    }
    if (!listen_as_told(p)) {
        complain(NULL, p->error->message);
        aio_bh_schedule_oneshot(p->serve_ctx, stop_bh, p);
        AIO_WAIT_WHILE(p->ctx, !p->is_closed);
        return false;
    }
    if (blk_is_guarded(nbd_server_image(p->server)) &&
        blk_is_writable(nbd_server_image(p->server))) {
        complain(p->args.server.filename,
                 "raw, as far as it tells by itself: no client may write "
                 "another format's header (with -f raw any may)");
    }
    return serve(p);
}

int main(int argc, char **argv)
{
    struct program p = {.signals = open_signals()};
    enum nbd_status status;

    if (nbd_args_parse(&p.args, argc, argv, &status)) {
        status = run(&p) ? NBD_OK : NBD_BAD_INPUT;
    }
    iothread_free(p.iothread);
    nbd_server_free(p.server);
    if (p.ctx != NULL) {
        aio_context_set_current(NULL);
        aio_context_unref(p.ctx);
    }
    g_clear_error(&p.error);
    close(p.signals);
    nbd_args_fini(&p.args);
    return status;
}
