/* SPDX-License-Identifier: MIT */
/*
 * client.c - one connection: its life
 *
 * A client is referred to by each of its requests in flight and by each call
 * that works on it; when the last reference goes and it is leaving, it goes.
 * So nobody looks at a client that is gone, however deep the call that ended
 * it was.
 */
#include "nbd/client.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who has not said what he wants by then is no client. */
#define NEGOTIATION_NS INT64_C(10000000000)

/* --- watching ------------------------------------------------------------ */

void nbd_client_watch(struct nbd_client *client)
{
    bool is_open = client->state < NBD_CLIENT_LEAVING;
    bool read = is_open && !client->is_full;
    bool write = client->is_blocked && client->state != NBD_CLIENT_CLOSED;

    /* Who does not take what was told is told nothing more. */
    if (client->state == NBD_CLIENT_NEGOTIATING) {
        read = !client->is_blocked;
    } else if (client->state == NBD_CLIENT_LINGERING) {
        read = true;
    }
    if (read == client->is_reading && write == client->is_writing) {
        return;
    }
    client->is_reading = read;
    client->is_writing = write;
    aio_set_fd_handler(client->host->ctx, client->fd,
                       read ? nbd_client_receive : NULL,
                       write ? nbd_client_send_ready : NULL, client);
}

/* --- life ---------------------------------------------------------------- */

static void free_client(struct nbd_client *client)
{
    struct nbd_host *host = client->host;
    bool was_served = client->was_served;

    nbd_client_watch(client);
    aio_bh_delete(client->send_bh);
    aio_timer_free(client->negotiation_timer);
    nbd_negotiation_fini(&client->negotiation);
    while (client->free_requests != NULL) {
        struct nbd_request *request = client->free_requests;

        client->free_requests = request->next;
        g_free(request);
    }
    close(client->fd);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    g_free(client->in);
    g_free(client);
    host->client_gone(host, was_served);
}

void nbd_client_ref(struct nbd_client *client)
{
    client->refs++;
}

void nbd_client_unref(struct nbd_client *client)
{
    if (--client->refs > 0) {
        return;
    }
    if (client->state == NBD_CLIENT_LEAVING && !client->is_blocked) {
        client->state = NBD_CLIENT_CLOSED;
        if (client->lingers && shutdown(client->fd, SHUT_WR) == 0) {
            client->state = NBD_CLIENT_LINGERING;
            nbd_client_watch(client);
        }
    }
    if (client->state == NBD_CLIENT_CLOSED) {
        free_client(client);
    }
}

void nbd_client_leave(struct nbd_client *client)
{
    client->state = MAX(client->state, NBD_CLIENT_LEAVING);
    if (client->incomplete != NULL) {
        struct nbd_request *request = client->incomplete;

        client->incomplete = NULL;
        nbd_request_free(request);
    }
    nbd_client_watch(client);
}

void nbd_client_close(struct nbd_client *client)
{
    nbd_client_leave(client);
    client->state = NBD_CLIENT_CLOSED;
    client->is_blocked = false;
    nbd_client_forget(client);
    nbd_client_watch(client);
}

static void negotiation_is_late(void *opaque)
{
    struct nbd_client *client = opaque;

    nbd_client_ref(client);
    nbd_client_close(client);
    nbd_client_unref(client);
}

void nbd_client_new(struct nbd_host *host, int fd)
{
    struct nbd_client *client = g_new0(struct nbd_client, 1);

    client->host = host;
    client->fd = fd;
    client->out_last = &client->out_first;
    client->in = g_malloc(NBD_IN_BYTES);
    client->send_bh = aio_bh_new(host->ctx, nbd_client_send_bh, client);
    client->next = host->clients;
    client->link = &host->clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    host->clients = client;

    nbd_negotiation_init(&client->negotiation, &host->info);
    client->negotiation_timer =
        aio_timer_new(host->ctx, negotiation_is_late, client);
    aio_timer_arm(client->negotiation_timer,
                  aio_context_now_ns(host->ctx) + NEGOTIATION_NS);
    nbd_client_ref(client);
    nbd_client_send(client);
    nbd_client_watch(client);
    nbd_client_unref(client);
}

static void for_each_client(struct nbd_host *host,
                            void (*what)(struct nbd_client *client))
{
    struct nbd_client *next;

    for (struct nbd_client *client = host->clients; client != NULL;
         client = next) {
        next = client->next;
        nbd_client_ref(client);
        what(client);
        nbd_client_unref(client);
    }
}

static void leave_in_order(struct nbd_client *client)
{
    int unread = 0;

    (void)ioctl(client->fd, FIONREAD, &unread);
    client->lingers = client->state == NBD_CLIENT_SERVING &&
                      (client->in_flight > 0 || client->skip > 0 || unread > 0);
    nbd_client_leave(client);
}

void nbd_clients_leave(struct nbd_host *host)
{
    for_each_client(host, leave_in_order);
}

void nbd_clients_close(struct nbd_host *host)
{
    for_each_client(host, nbd_client_close);
}
