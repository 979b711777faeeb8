/* SPDX-License-Identifier: MIT */
/*
 * client.h - one connection, and its requests in flight
 *
 * Model:    negotiating -> serving -> leaving (nothing is received any more;
 *           what was begun ends and is answered) -> closed (nothing is sent
 *           any more) -> gone.
 *           A *request* is taken from what was received, run by a coroutine
 *           (request.c), answered, sent (send.c), and then free again.
 * Threads:  the home thread of the host's context.
 * Memory:   a client frees itself after its last request, and then tells the
 *           host.
 */
#ifndef CT_NBD_CLIENT_H
#define CT_NBD_CLIENT_H

#include "ct/block.h"
#include "ct/traced.h"
#include "nbd/buffers.h"
#include "nbd/negotiate.h"

/* What one recv() can fetch. */
#define NBD_IN_BYTES ((size_t)64 * 1024)

/* As many requests of a client are in flight at most .. */
#define NBD_REQUESTS_MAX 128
/* .. with so much data, unless it is one alone. */
#define NBD_REQUESTS_BYTES_MAX NBD_PAYLOAD_BYTES_MAX

struct nbd_client;

/* What clients need, and whom they tell. */
struct nbd_host {
    AioContext *ctx;
    BlockBackend *blk;
    struct nbd_export_info info;
    struct nbd_buffers buffers;
    struct nbd_client *clients; /* all, linked by next */

    /* @client is about to be freed; did it come as far as transmission? */
    void (*client_gone)(struct nbd_host *host, bool was_served);
};

struct nbd_request {
    struct nbd_request *next; /* free, or to be sent */
    struct nbd_client *client;
    struct nbd_command command;

    /* What a write brings, what a read or a status is answered with */
    uint8_t *data;
    size_t data_bytes;

    int ret; /* 0; what is wrong with it from the start; the answer's */
    CtRequest *traced; /* NULL: it has been refused, or has no coroutine yet */

    /* The answer, once there is one */
    uint8_t head[NBD_REPLY_HEAD_BYTES_MAX];
    size_t head_bytes;
    size_t payload_bytes; /* of data, behind the head */
};

enum nbd_client_state {
    NBD_CLIENT_NEGOTIATING,
    NBD_CLIENT_SERVING,
    NBD_CLIENT_LEAVING,   /* what was begun ends, and is answered */
    NBD_CLIENT_LINGERING, /* was told that there is no more; has yet to go */
    NBD_CLIENT_CLOSED,
};

struct nbd_client {
    struct nbd_host *host;
    struct nbd_client *next, **link; /* of the host's clients */
    int fd;                          /* open until the client is freed */
    enum nbd_client_state state;
    unsigned refs; /* requests in flight, and calls that are inside */
    bool was_served;
    bool lingers;                /* when it has left */
    bool is_reading, is_writing; /* what the fd handler watches for */

    struct nbd_negotiation negotiation; /* while negotiating */
    AioTimer *negotiation_timer;        /* the same; else NULL */
    struct nbd_terms terms;

    /* Received: [in_from, in_to) of `in` has not been looked at. */
    uint8_t *in;
    size_t in_from, in_to;
    struct nbd_request *incomplete; /* a write that lacks a part of its data */
    size_t incomplete_have;
    uint64_t skip;      /* data of a write that was refused: still to come */
    bool is_processing; /* nbd_client_process() is on the stack */
    bool is_full;       /* too much in flight to take one more */

    /* Requests: each is in flight until its answer has been sent. */
    struct nbd_request *free_requests;
    unsigned in_flight;
    size_t in_flight_bytes;

    /* To be sent, in order; of the first so many bytes are sent already. */
    struct nbd_request *out_first, **out_last;
    unsigned out_count; /* requests to be sent */
    size_t out_done;
    bool is_blocked; /* the socket takes nothing just now */
    AioBH *send_bh;
    bool is_send_scheduled; /* said once, since each time is an event */
};

/* --- client.c ------------------------------------------------------------ */

/** nbd_client_new() - serve a connection; @fd is taken */
void nbd_client_new(struct nbd_host *host, int fd);

/**
 * nbd_clients_leave() - have all finish what they have begun, and go
 *
 * Who may be sending just now is listened to until it closes its end, since TCP
 * would take a connection that is closed before for broken, and the client's
 * kernel throw away the answers that it has not read.
 */
void nbd_clients_leave(struct nbd_host *host);

/** nbd_clients_close() - have all go without being sent anything more */
void nbd_clients_close(struct nbd_host *host);

/** nbd_client_ref() - it stays, at least until nbd_client_unref() */
void nbd_client_ref(struct nbd_client *client);
void nbd_client_unref(struct nbd_client *client);

/** nbd_client_leave() - receive nothing any more */
void nbd_client_leave(struct nbd_client *client);

/** nbd_client_close() - and send nothing */
void nbd_client_close(struct nbd_client *client);

/** nbd_client_watch() - have the fd handler watch for what is wanted */
void nbd_client_watch(struct nbd_client *client);

/* --- receive.c ----------------------------------------------------------- */

/** nbd_client_receive() - fd handler: something has come */
void nbd_client_receive(void *opaque);

/** nbd_client_process() - look at what has been received */
void nbd_client_process(struct nbd_client *client);

/* --- request.c ----------------------------------------------------------- */

/** nbd_request_data_bytes() - how long the command's data can be at most */
size_t nbd_request_data_bytes(const struct nbd_command *command);

/**
 * nbd_request_new() - one more is in flight
 * @data_bytes: room for its data; if there is no memory, `data` is NULL
 */
struct nbd_request *nbd_request_new(struct nbd_client *client,
                                    const struct nbd_command *command,
                                    size_t data_bytes);

/** nbd_request_free() - it is not in flight any more */
void nbd_request_free(struct nbd_request *request);

/** nbd_request_drop_data() - of the request nobody needs any more */
void nbd_request_drop_data(struct nbd_request *request);

/** nbd_request_start() - serve it in a coroutine of its own */
void nbd_request_start(struct nbd_request *request);

/* --- send.c -------------------------------------------------------------- */

/**
 * nbd_client_answer() - have the answer sent, and forget the request
 * @ret:           0, or -errno
 * @payload_bytes: of the request's data, if @ret is 0
 *
 * Answers that are there at the end of a turn go together.
 */
void nbd_client_answer(struct nbd_request *request, int ret,
                       size_t payload_bytes);

/** nbd_client_send() - send what there is, as far as the socket takes it */
void nbd_client_send(struct nbd_client *client);

/** nbd_client_send_soon() - at once if nothing else is in flight */
void nbd_client_send_soon(struct nbd_client *client);

/** nbd_client_send_ready() - fd handler: the socket takes more */
void nbd_client_send_ready(void *opaque);

/** nbd_client_send_bh() - bottom half: the turn with the answers is over */
void nbd_client_send_bh(void *opaque);

/** nbd_client_forget() - free what is to be sent, unsent */
void nbd_client_forget(struct nbd_client *client);

#endif
