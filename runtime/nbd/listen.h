/* SPDX-License-Identifier: MIT */
/*
 * listen.h - sockets that wait for clients
 *
 * Model:    zeroed -> filled by one of nbd_listen_*() -> nbd_listeners_close().
 * Threads:  one.
 * Memory:   the fds and the path are the struct's; fds don't block.
 * Errors:   GError, or false alone where nothing was asked for; then nothing
 *           is open.
 * Depends:  GLib.
 */
#ifndef CT_NBD_LISTEN_H
#define CT_NBD_LISTEN_H

#include <stdbool.h>

#include <glib.h>

#define NBD_LISTENERS_MAX 8

struct nbd_listeners {
    int fds[NBD_LISTENERS_MAX];
    unsigned n;
    char *path; /* of a unix socket that is ours to remove; or NULL */
};

/**
 * nbd_listen_unix() - listen on a unix socket
 *
 * One that a server left behind when it was killed is replaced; one that
 * somebody listens on is not.
 */
bool nbd_listen_unix(struct nbd_listeners *l, const char *path, GError **error);

/** nbd_listen_tcp() - listen on all addresses that @host has */
bool nbd_listen_tcp(struct nbd_listeners *l, const char *host, int port,
                    GError **error);

/**
 * nbd_listen_inherited() - take the sockets that whoever started us opened, as
 * systemd does (LISTEN_PID, LISTEN_FDS)
 *
 * Return: there were some; with none, or with what is no socket, nothing.
 */
bool nbd_listen_inherited(struct nbd_listeners *l);

/** nbd_listeners_close() - close them; the path goes */
void nbd_listeners_close(struct nbd_listeners *l);

#endif
