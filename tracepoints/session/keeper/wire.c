/* SPDX-License-Identifier: MIT */
/*
 * wire.c - whole messages over a socket pair
 *
 * SOCK_SEQPACKET keeps message borders, so a reader never sees half a message,
 * and a writer whose peer died gets EPIPE instead of a signal.
 */
#include "session/keeper/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

int ct_wire_pair(int ret_ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends)) {
        return -errno;
    }
    return 0;
}

int ct_wire_send(int end, enum ct_wire kind, int number, const char *text)
{
    struct ct_wire_message message = {.kind = kind, .number = number};

    if (text) {
        strncpy(message.text, text, sizeof(message.text) - 1);
    }
    while (send(end, &message, sizeof(message), MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int ct_wire_receive(int end, struct ct_wire_message *ret_message,
                    int timeout_ms)
{
    struct pollfd poll_end = {.fd = end, .events = POLLIN};
    ssize_t length;

    int ready = poll(&poll_end, 1, timeout_ms);
    if (ready <= 0) {
        return ready == 0 || errno == EINTR ? -EAGAIN : -errno;
    }
    do {
        length = recv(end, ret_message, sizeof(*ret_message), 0);
    } while (length < 0 && errno == EINTR);
    if (length != (ssize_t)sizeof(*ret_message)) {
        *ret_message = (struct ct_wire_message){.kind = CT_WIRE_GONE};
        return 0;
    }
    ret_message->text[sizeof(ret_message->text) - 1] = '\0';
    return 0;
}
