/* SPDX-License-Identifier: MIT */
/*
 * receive.c - from bytes to requests
 *
 * One recv() fetches whatever has come, often several requests.  Data of a
 * write is copied to where the image takes it from; if a part of it has yet to
 * come, that is received into its place, and what follows behind it.
 *
 * A client that asks for more than it may have in flight is not listened to
 * until answers have been sent: so one that sends and never reads holds a
 * bounded amount of memory, and nobody else's attention.
 */
#include "nbd/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* --- the negotiation ----------------------------------------------------- */

static void begin_serving(struct nbd_client *client)
{
    client->terms = client->negotiation.terms;
    client->state = NBD_CLIENT_SERVING;
    client->was_served = true;
    g_clear_pointer(&client->negotiation_timer, aio_timer_free);
}

/* Return: something has been done */
static bool negotiate(struct nbd_client *client, const uint8_t *data,
                      size_t bytes)
{
    struct nbd_negotiation *n = &client->negotiation;
    size_t used = nbd_negotiate(n, data, bytes);

    client->in_from += used;
    if (n->out->len > 0) {
        nbd_client_send(client);
    }
    if (client->state != NBD_CLIENT_NEGOTIATING) {
        return false; /* it has gone, whatever was agreed upon */
    }
    if (n->state == NBD_NEGOTIATION_TRANSMISSION) {
        begin_serving(client);
    } else if (n->state == NBD_NEGOTIATION_CLOSE) {
        nbd_client_leave(client);
    }
    /* What is asked for behind the agreement is answered behind it, and has a
     * bound of its own. */
    return used > 0 &&
           (!client->is_blocked || client->state == NBD_CLIENT_SERVING);
}

/* --- requests ------------------------------------------------------------ */

static void start(struct nbd_request *request)
{
    if (request->ret < 0) {
        nbd_client_answer(request, request->ret, 0);
    } else {
        nbd_request_start(request);
    }
}

/* Its data, as far as it has come, is copied; the rest is waited for. */
static void take_write(struct nbd_client *client, struct nbd_request *request)
{
    size_t have = MIN(client->in_to - client->in_from, request->data_bytes);

    if (have > 0) {
        memcpy(request->data, client->in + client->in_from, have);
        client->in_from += have;
    }
    if (have < request->data_bytes) {
        client->incomplete = request;
        client->incomplete_have = have;
    } else {
        start(request);
    }
}

static bool has_room_for(const struct nbd_client *client, size_t bytes)
{
    return client->in_flight == 0 ||
           (client->in_flight < NBD_REQUESTS_MAX &&
            client->in_flight_bytes + bytes <= NBD_REQUESTS_BYTES_MAX);
}

static void take_command(struct nbd_client *client,
                         const struct nbd_command *command)
{
    int ret = nbd_command_check(command, &client->host->info, &client->terms);
    size_t data_bytes = ret < 0 ? 0 : nbd_request_data_bytes(command);

    if (!has_room_for(client, data_bytes)) {
        client->is_full = true;
        return;
    }
    client->in_from += NBD_REQUEST_BYTES;
    if (command->type == NBD_CMD_DISC) {
        nbd_client_leave(client);
        return;
    }
    struct nbd_request *request = nbd_request_new(client, command, data_bytes);
    if (data_bytes > 0 && request->data == NULL) {
        ret = -ENOMEM;
    }
    request->ret = ret;
    if (command->type == NBD_CMD_WRITE && ret == 0) {
        take_write(client, request);
        return;
    }
    client->skip = command->type == NBD_CMD_WRITE ? command->bytes : 0;
    start(request);
}

/* Return: something has been done */
static bool take(struct nbd_client *client, const uint8_t *data, size_t bytes)
{
    struct nbd_command command;

    if (client->skip > 0) {
        size_t some = MIN(client->skip, bytes);

        client->skip -= some;
        client->in_from += some;
        return some > 0;
    }
    if (bytes < NBD_REQUEST_BYTES) {
        return false;
    }
    if (!nbd_command_decode(data, &command)) {
        nbd_client_close(client); /* it can't be followed any more */
        return false;
    }
    take_command(client, &command);
    return !client->is_full;
}

/* Return: something has been done, there may be more */
static bool step(struct nbd_client *client)
{
    const uint8_t *data = client->in + client->in_from;
    size_t bytes = client->in_to - client->in_from;

    if (client->state == NBD_CLIENT_NEGOTIATING) {
        return negotiate(client, data, bytes);
    }
    return client->state == NBD_CLIENT_SERVING && client->incomplete == NULL &&
           take(client, data, bytes);
}

void nbd_client_process(struct nbd_client *client)
{
    if (client->is_processing) {
        return;
    }
    client->is_processing = true;
    do {
        client->is_full = false;
        while (step(client)) {
        }
        nbd_client_send_soon(client);
    } while (client->is_full && client->in_flight == 0);
    client->is_processing = false;
    nbd_client_watch(client);
}

/* --- bytes --------------------------------------------------------------- */

static void move_to_front(struct nbd_client *client)
{
    size_t left = client->in_to - client->in_from;

    memmove(client->in, client->in + client->in_from, left);
    client->in_from = 0;
    client->in_to = left;
}

/* Return: bytes; 0: end of file; -errno */
static ssize_t receive_some(struct nbd_client *client)
{
    struct nbd_request *request = client->incomplete;
    size_t lacks = 0;
    struct iovec iov[2];
    ssize_t got;

    move_to_front(client);
    if (request != NULL) {
        lacks = request->data_bytes - client->incomplete_have;
        iov[0] = (struct iovec){request->data + client->incomplete_have, lacks};
    }
    iov[1] = (struct iovec){client->in + client->in_to,
                            NBD_IN_BYTES - client->in_to};
    do {
        got = request != NULL
                  ? readv(client->fd, iov, 2)
                  : recv(client->fd, iov[1].iov_base, iov[1].iov_len, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return -errno;
    }
    size_t there = MIN((size_t)got, lacks);
    client->incomplete_have += there;
    client->in_to += (size_t)got - there;
    return got;
}

void nbd_client_receive(void *opaque)
{
    struct nbd_client *client = opaque;

    nbd_client_ref(client);
    if (client->state == NBD_CLIENT_LINGERING) {
        client->in_from = client->in_to = 0; /* nobody looks at it */
    }
    ssize_t got = receive_some(client);
    struct nbd_request *request = client->incomplete;

    if (got == 0 && client->state == NBD_CLIENT_LINGERING) {
        nbd_client_close(client);
    } else if (got == 0) {
        nbd_client_leave(client);
    } else if (got < 0 && got != -EAGAIN) {
        nbd_client_close(client);
    } else if (request != NULL &&
               client->incomplete_have == request->data_bytes) {
        client->incomplete = NULL;
        start(request);
    }
    nbd_client_process(client);
    nbd_client_unref(client);
}
