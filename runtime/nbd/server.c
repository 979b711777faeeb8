/* SPDX-License-Identifier: MIT */
/*
 * server.c - an image, the clients that it is served to, and its end
 *
 * Stopping: listeners are closed, clients finish what they have begun; those
 * that do not take their answers are dropped after a while.  When the last has
 * gone the image is flushed and closed.
 *
 * When there is no file descriptor or no memory for one more client, listening
 * rests for a moment, since the kernel would report the waiting client again
 * and again.
 */
#include "nbd/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "nbd/client.h"

#define REST_NS    INT64_C(100000000)
#define GOODBYE_NS INT64_C(2000000000)
/* Accepted in one go, before others get their turn. */
#define ACCEPTS_MAX 16

struct nbd_server {
    struct nbd_host host;
    const struct nbd_server_options *options;
    struct nbd_listeners listeners;
    unsigned n_clients;
    bool is_listening;
    bool is_stopping;
    AioTimer *timer; /* end of a rest; while stopping: of patience */
    AioBH *close_bh;

    char *complaint; /* NULL: none */
};

/* --- listening ----------------------------------------------------------- */

static void accept_clients(void *opaque);

static void watch(struct nbd_server *server)
{
    unsigned max = server->options->clients_max;
    bool listen = !server->is_stopping && !aio_timer_is_armed(server->timer) &&
                  (max == 0 || server->n_clients < max);

    if (listen == server->is_listening) {
        return;
    }
    server->is_listening = listen;
    for (unsigned i = 0; i < server->listeners.n; i++) {
        aio_set_fd_handler(server->host.ctx, server->listeners.fds[i],
                           listen ? accept_clients : NULL, NULL, server);
    }
}

/* Return: there may be more */
static bool accept_one(struct nbd_server *server, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int on = 1;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM) {
            aio_timer_arm(server->timer,
                          aio_context_now_ns(server->host.ctx) + REST_NS);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    /* Refused by a unix socket, which needs it not. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    server->n_clients++;
    nbd_client_new(&server->host, fd);
    return true;
}

/* Which of them is ready is not told; the others say so at once. */
static void accept_clients(void *opaque)
{
    struct nbd_server *server = opaque;

    for (unsigned i = 0; i < server->listeners.n; i++) {
        int left = ACCEPTS_MAX;

        while (left-- > 0 && server->is_listening &&
               accept_one(server, server->listeners.fds[i])) {
            watch(server);
        }
        watch(server);
    }
}

static void client_gone(struct nbd_host *host, bool was_served)
{
    struct nbd_server *server = (struct nbd_server *)host;

    server->n_clients--;
    if (was_served && server->n_clients == 0 &&
        !server->options->is_persistent) {
        nbd_server_stop(server);
    }
    if (server->is_stopping && server->n_clients == 0) {
        aio_bh_schedule(server->close_bh);
    }
    watch(server);
}

/* --- the end ------------------------------------------------------------- */

static void close_bh(void *opaque)
{
    struct nbd_server *server = opaque;
    BlockBackend *blk = server->host.blk;

    int ret = blk_inactivate(blk);
    if (blk_fault(blk) != NULL) {
        server->complaint = g_strdup(blk_fault(blk));
    } else if (ret < 0) {
        server->complaint = g_strdup_printf("closing: %s", g_strerror(-ret));
    }
    blk_unref(blk);
    server->host.blk = NULL;
    nbd_buffers_fini(&server->host.buffers);
    g_clear_pointer(&server->timer, aio_timer_free);
    g_clear_pointer(&server->close_bh, aio_bh_delete);
    server->options->closed(server->options->opaque);
}

static void time_is_up(void *opaque)
{
    struct nbd_server *server = opaque;

    if (server->is_stopping) {
        nbd_clients_close(&server->host);
    } else {
        watch(server);
    }
}

void nbd_server_stop(struct nbd_server *server)
{
    if (server->is_stopping) {
        return;
    }
    server->is_stopping = true;
    watch(server);
    nbd_listeners_close(&server->listeners);
    aio_timer_arm(server->timer,
                  aio_context_now_ns(server->host.ctx) + GOODBYE_NS);
    if (server->n_clients == 0) {
        aio_bh_schedule(server->close_bh);
    }
    nbd_clients_leave(&server->host);
}

/* --- the beginning ------------------------------------------------------- */

static struct nbd_export_info describe(const struct nbd_server_options *options,
                                       BlockBackend *blk)
{
    uint16_t flags =
        NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA;
    BlockInfo info;

    blk_get_info(blk, &info);
    g_free(info.specific);
    /* One image, one cache; but a second connection would wait for the first.
     */
    flags |= options->clients_max != 1 ? NBD_FLAG_CAN_MULTI_CONN : 0;
    if (blk_is_writable(blk)) {
        flags |= NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |
                 NBD_FLAG_SEND_FAST_ZERO;
    } else {
        flags |= NBD_FLAG_READ_ONLY;
    }
    return (struct nbd_export_info){
        .name = options->name,
        .description = options->description,
        .bytes = (uint64_t)blk_length(blk),
        .preferred_bytes = (uint32_t)MAX(info.cluster_bytes, 4096),
        .flags = flags,
    };
}

struct nbd_server *nbd_server_open(const struct nbd_server_options *options,
                                   AioContext *ctx, GError **error)
{
    BlockBackend *blk =
        blk_new_open(options->filename, &options->block, ctx, error);

    if (blk == NULL) {
        return NULL;
    }
    struct nbd_server *server = g_new0(struct nbd_server, 1);
    server->options = options;
    server->host.ctx = ctx;
    server->host.blk = blk;
    server->host.info = describe(options, blk);
    server->host.client_gone = client_gone;
    server->timer = aio_timer_new(ctx, time_is_up, server);
    server->close_bh = aio_bh_new(ctx, close_bh, server);
    return server;
}

void nbd_server_start(struct nbd_server *server,
                      struct nbd_listeners *listeners)
{
    server->listeners = *listeners;
    *listeners = (struct nbd_listeners){0};
    watch(server);
}

BlockBackend *nbd_server_image(const struct nbd_server *server)
{
    return server->host.blk;
}

const char *nbd_server_complaint(const struct nbd_server *server)
{
    return server->complaint;
}

void nbd_server_free(struct nbd_server *server)
{
    if (server == NULL) {
        return;
    }
    g_free(server->complaint);
    g_free(server);
}
