/* SPDX-License-Identifier: MIT */
/*
 * server.h - an image, the clients that it is served to, and its end
 *
 * Model:    opened -> serving -> stopping (no new clients; what was begun ends)
 *           -> closed.
 * Threads:  nbd_server_open(), _start(), _stop(): home thread of its context.
 *           The others: whoever knows that it is closed.
 * Errors:   opening tells a GError; later ones nbd_server_complaint().
 */
#ifndef CT_NBD_SERVER_H
#define CT_NBD_SERVER_H

#include "ct/block.h"
#include "nbd/listen.h"

struct nbd_server;

struct nbd_server_options {
    BlockOptions block;
    const char *filename;
    const char *name;        /* of the export */
    const char *description; /* NULL: none */
    unsigned clients_max;    /* at a time; 0: no limit */
    bool is_persistent;      /* stays when its last client has gone */

    /* The image is closed; called once, in the server's context */
    void (*closed)(void *opaque);
    void *opaque;
};

/**
 * nbd_server_open() - open the image
 * @options: borrowed
 * @ctx:     the image and all clients are served there
 *
 * Return: NULL: @error says why
 */
struct nbd_server *nbd_server_open(const struct nbd_server_options *options,
                                   AioContext *ctx, GError **error);

/** nbd_server_start() - accept clients; @listeners are taken */
void nbd_server_start(struct nbd_server *server,
                      struct nbd_listeners *listeners);

/** nbd_server_stop() - finish; a second call does nothing */
void nbd_server_stop(struct nbd_server *server);

/** nbd_server_image() - what is served; borrowed, until it is closed.  Whoever
 * moves or drains it does so beside its clients */
BlockBackend *nbd_server_image(const struct nbd_server *server);

/** nbd_server_complaint() - what was wrong with the image while it was served,
 * or when it was closed; NULL: nothing.  Once it is closed */
const char *nbd_server_complaint(const struct nbd_server *server);

/** nbd_server_free() - once it is closed, or was never started */
void nbd_server_free(struct nbd_server *server);

#endif
