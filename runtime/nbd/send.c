/* SPDX-License-Identifier: MIT */
/*
 * send.c - from answers to bytes
 *
 * Answers wait for the end of the turn that made them, and go together in one
 * sendmsg(): head, data, head, data ...  Only if a client has nothing else in
 * flight there is nothing to wait for.
 *
 * The negotiation's words go before all answers.
 */
#include "nbd/client.h"

#include <errno.h>
#include <sys/socket.h>

#define BUFFERS_MAX 128

/* Return: bytes; 0: not now; -1: never, the client has been closed */
static ssize_t send_some(struct nbd_client *client, struct iovec *iov, size_t n)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t sent;

    do {
        sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN) {
        client->is_blocked = true;
        return 0;
    }
    if (sent < 0) {
        nbd_client_close(client);
        return -1;
    }
    return sent;
}

static bool send_words(struct nbd_client *client)
{
    GByteArray *out = client->negotiation.out;

    while (out->len > 0) {
        struct iovec iov = {out->data, out->len};
        ssize_t sent = send_some(client, &iov, 1);

        if (sent <= 0) {
            return false;
        }
        g_byte_array_remove_range(out, 0, (guint)sent);
    }
    return true;
}

/* --- answers ------------------------------------------------------------- */

/* The first buffers of what is to be sent; Return: how many */
static size_t gather(const struct nbd_client *client,
                     struct iovec iov[BUFFERS_MAX])
{
    size_t n = 0, skip = client->out_done;

    for (const struct nbd_request *request = client->out_first;
         request != NULL && n + 2 <= BUFFERS_MAX; request = request->next) {
        if (skip < request->head_bytes) {
            iov[n++] = (struct iovec){(void *)(request->head + skip),
                                      request->head_bytes - skip};
            skip = 0;
        } else {
            skip -= request->head_bytes;
        }
        if (request->payload_bytes > 0) {
            iov[n++] = (struct iovec){request->data + skip,
                                      request->payload_bytes - skip};
        }
        skip = 0;
    }
    return n;
}

static struct nbd_request *pop(struct nbd_client *client)
{
    struct nbd_request *request = client->out_first;

    client->out_first = request->next;
    if (client->out_first == NULL) {
        client->out_last = &client->out_first;
    }
    client->out_count--;
    client->out_done = 0;
    return request;
}

static void advance(struct nbd_client *client, size_t sent)
{
    sent += client->out_done;
    while (client->out_first != NULL) {
        size_t bytes =
            client->out_first->head_bytes + client->out_first->payload_bytes;

        if (sent < bytes) {
            break;
        }
        sent -= bytes;
        nbd_request_free(pop(client));
    }
    client->out_done = sent;
}

static void send_answers(struct nbd_client *client)
{
    struct iovec iov[BUFFERS_MAX];

    while (client->out_first != NULL) {
        ssize_t sent = send_some(client, iov, gather(client, iov));

        if (sent <= 0) {
            return;
        }
        advance(client, (size_t)sent);
    }
}

void nbd_client_send(struct nbd_client *client)
{
    nbd_client_ref(client);
    if (client->state != NBD_CLIENT_CLOSED && !client->is_blocked &&
        send_words(client)) {
        send_answers(client);
    }
    if (client->is_full || client->state == NBD_CLIENT_NEGOTIATING) {
        nbd_client_process(client); /* there may be room again */
    }
    nbd_client_watch(client);
    nbd_client_unref(client);
}

void nbd_client_send_ready(void *opaque)
{
    struct nbd_client *client = opaque;

    client->is_blocked = false;
    nbd_client_send(client);
}

void nbd_client_send_bh(void *opaque)
{
    struct nbd_client *client = opaque;

    client->is_send_scheduled = false;
    nbd_client_send(client);
}

void nbd_client_send_soon(struct nbd_client *client)
{
    if (client->out_count == 0) {
        return;
    }
    if (client->out_count == client->in_flight) {
        nbd_client_send(client);
    } else if (!client->is_send_scheduled) {
        client->is_send_scheduled = true;
        aio_bh_schedule(client->send_bh);
    }
}

void nbd_client_answer(struct nbd_request *request, int ret,
                       size_t payload_bytes)
{
    struct nbd_client *client = request->client;

    request->ret = ret; /* its trace has it, whoever is told */
    if (client->state == NBD_CLIENT_CLOSED) {
        nbd_request_free(request);
        return;
    }
    request->payload_bytes = ret < 0 ? 0 : payload_bytes;
    request->head_bytes =
        nbd_reply_encode(request->head, &request->command, &client->terms, ret,
                         request->payload_bytes);
    if (request->payload_bytes == 0) {
        nbd_request_drop_data(request);
    }
    *client->out_last = request;
    client->out_last = &request->next;
    client->out_count++;
    if (!client->is_processing) {
        nbd_client_send_soon(client);
    }
}

void nbd_client_forget(struct nbd_client *client)
{
    while (client->out_first != NULL) {
        nbd_request_free(pop(client));
    }
}
