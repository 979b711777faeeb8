/* SPDX-License-Identifier: MIT */
/*
 * listen.c - sockets that wait for clients
 */
#include "nbd/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      128
#define FIRST_FD     3 /* of those that are inherited */
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static bool fail(GError **error, const char *what, int err)
{
    g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(err),
                "%s: %s", what, g_strerror(err));
    return false;
}

static void add(struct nbd_listeners *l, int fd)
{
    l->fds[l->n++] = fd;
}

/* --- unix ---------------------------------------------------------------- */

/* Return: nobody listens behind that name, which is a socket's */
static bool is_left_behind(const struct sockaddr_un *address)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);

    if (fd < 0) {
        return false;
    }
    bool is_refused =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
        errno == ECONNREFUSED;
    close(fd);
    return is_refused && lstat(address->sun_path, &st) == 0 &&
           S_ISSOCK(st.st_mode);
}

static int bind_unix(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *to = (const struct sockaddr *)address;

    if (bind(fd, to, sizeof(*address)) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE) {
        return -errno;
    }
    if (!is_left_behind(address)) {
        return -EADDRINUSE;
    }
    unlink(address->sun_path);
    return bind(fd, to, sizeof(*address)) == 0 ? 0 : -errno;
}

bool nbd_listen_unix(struct nbd_listeners *l, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        return fail(error, path, ENAMETOOLONG);
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) {
        return fail(error, path, errno);
    }
    int ret = bind_unix(fd, &address);
    if (ret < 0) {
        close(fd);
        return fail(error, path, -ret);
    }
    if (listen(fd, BACKLOG) < 0) {
        ret = errno;
        close(fd);
        unlink(path);
        return fail(error, path, ret);
    }
    l->path = g_strdup(path);
    add(l, fd);
    return true;
}

/* --- TCP ----------------------------------------------------------------- */

/* Return: the socket; -errno */
static int listen_at(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCKET_FLAGS, 0);
    int on = 1;

    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int err = errno;

        close(fd);
        return -err;
    }
    return fd;
}

bool nbd_listen_tcp(struct nbd_listeners *l, const char *host, int port,
                    GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    g_autofree char *service = g_strdup_printf("%d", port);
    g_autofree char *what = g_strdup_printf("%s:%d", host, port);
    struct addrinfo *all;
    int ret = -EADDRNOTAVAIL;

    int code = getaddrinfo(host, service, &hints, &all);
    if (code != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", what,
                    gai_strerror(code));
        return false;
    }
    for (const struct addrinfo *at = all;
         at != NULL && l->n < NBD_LISTENERS_MAX; at = at->ai_next) {
        int fd = listen_at(at);

        if (fd < 0) {
            ret = fd;
        } else {
            add(l, fd);
        }
    }
    freeaddrinfo(all);
    return l->n > 0 || fail(error, what, -ret);
}

/* --- inherited ----------------------------------------------------------- */

static int number_in(const char *name)
{
    const char *text = g_getenv(name);

    return text != NULL ? atoi(text) : 0;
}

static bool is_listening(int fd)
{
    int value = 0;
    socklen_t bytes = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &bytes) == 0 &&
           value != 0;
}

bool nbd_listen_inherited(struct nbd_listeners *l)
{
    int n = number_in("LISTEN_FDS");

    if (number_in("LISTEN_PID") != getpid() || n < 1 || n > NBD_LISTENERS_MAX) {
        return false;
    }
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        if (!is_listening(fd)) {
            return false;
        }
    }
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        add(l, fd);
    }
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    return true;
}

void nbd_listeners_close(struct nbd_listeners *l)
{
    while (l->n > 0) {
        close(l->fds[--l->n]);
    }
    if (l->path != NULL) {
        unlink(l->path);
        g_clear_pointer(&l->path, g_free);
    }
}
