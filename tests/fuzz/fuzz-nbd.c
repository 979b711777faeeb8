/* SPDX-License-Identifier: MIT */
/*
 * fuzz-nbd.c - whatever a client says in the negotiation, and as requests
 *
 * It is given in pieces, as a socket would; whether they are long or short is
 * in the last byte.  What is not taken is given again with what follows.
 */
#include <stdlib.h>

#include "nbd/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct nbd_export_info info = {
    .name = "disk",
    .description = "a disk",
    .bytes = 1 << 20,
    .preferred_bytes = 4096,
    .flags = 0x0d05,
};

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* What is received is a copy of its own, so that reading beyond it is seen. */
static size_t give(struct nbd_negotiation *n, const uint8_t *data, size_t bytes)
{
    uint8_t *piece = g_memdup2(data, bytes);
    size_t taken = 0, used;

    do {
        used = nbd_negotiate(n, piece + taken, bytes - taken);
        must(used <= bytes - taken);
        taken += used;
        /* Answers are bounded by what is asked for. */
        must(n->out->len < 64 * 1024);
        g_byte_array_set_size(n->out, 0);
    } while (used > 0 && taken < bytes);
    g_free(piece);
    return taken;
}

static void serve(const struct nbd_terms *terms, const uint8_t *data,
                  size_t bytes)
{
    uint8_t head[NBD_REPLY_HEAD_BYTES_MAX];
    struct nbd_command command;

    for (; bytes >= NBD_REQUEST_BYTES && nbd_command_decode(data, &command);
         data += NBD_REQUEST_BYTES, bytes -= NBD_REQUEST_BYTES) {
        int ret = nbd_command_check(&command, &info, terms);

        must(ret <= 0);
        must(ret < 0 || command.type == NBD_CMD_FLUSH ||
             (command.offset <= info.bytes &&
              command.bytes <= info.bytes - command.offset));
        must(nbd_reply_encode(head, &command, terms, ret, command.bytes) <=
             sizeof(head));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct nbd_negotiation n;
    size_t taken = 0, there = 0;

    if (bytes == 0) {
        return 0;
    }
    size_t step = (size_t)data[bytes - 1] * 64 + 1;
    nbd_negotiation_init(&n, &info);
    while (there < bytes && n.state < NBD_NEGOTIATION_TRANSMISSION) {
        there = MIN(bytes, there + step);
        taken += give(&n, data + taken, there - taken);
    }
    if (n.state == NBD_NEGOTIATION_TRANSMISSION) {
        serve(&n.terms, data + taken, bytes - taken);
    }
    nbd_negotiation_fini(&n);
    return 0;
}
