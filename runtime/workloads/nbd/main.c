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

    /* Handed to and fro between the two threads by call_there(). */
    struct nbd_server *server;
    struct nbd_listeners listeners;
    GError *error;
    bool is_done; /* atomic */
};

/* --- calls in the server's context -----------------------------------------
 */

static void done_there(struct program *p)
{
    __atomic_store_n(&p->is_done, true, __ATOMIC_RELEASE);
    aio_wait_kick();
}

static void open_bh(void *opaque)
{
    struct program *p = opaque;

    p->server = nbd_server_open(&p->args.server, p->serve_ctx, &p->error);
    done_there(p);
}

static void start_bh(void *opaque)
{
    struct program *p = opaque;

    nbd_server_start(p->server, &p->listeners);
    done_there(p);
}

static void stop_bh(void *opaque)
{
    struct program *p = opaque;

    nbd_server_stop(p->server);
    done_there(p);
}

/* Pairs with done_there(): its work is seen. */
#define CALL_THERE(p, bh)                                                  \
    do {                                                                   \
        __atomic_store_n(&(p)->is_done, false, __ATOMIC_RELAXED);          \
        aio_bh_schedule_oneshot((p)->serve_ctx, bh, p);                    \
        AIO_WAIT_WHILE((p)->serve_ctx,                                     \
                       !__atomic_load_n(&(p)->is_done, __ATOMIC_ACQUIRE)); \
    } while (0)

/* --- signals ---------------------------------------------------------------
 */

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
        !nbd_server_is_closed(p->server)) {
        aio_bh_schedule_oneshot(p->serve_ctx, stop_bh, p);
    }
}

/* --- one after the other ---------------------------------------------------
 */

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

    CALL_THERE(p, start_bh);
    aio_set_fd_handler(p->ctx, p->signals, take_signal, NULL, p);
    if (!is_good) {
        aio_bh_schedule_oneshot(p->serve_ctx, stop_bh, p);
    }
    AIO_WAIT_WHILE(p->serve_ctx, !nbd_server_is_closed(p->server));
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
    if (!make_contexts(p)) {
        return complain(NULL, p->error->message);
    }
    CALL_THERE(p, open_bh);
    if (p->server == NULL) {
        return complain(p->args.server.filename, p->error->message);
    }
    if (!listen_as_told(p)) {
        complain(NULL, p->error->message);
        CALL_THERE(p, stop_bh);
        AIO_WAIT_WHILE(p->serve_ctx, !nbd_server_is_closed(p->server));
        return false;
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
