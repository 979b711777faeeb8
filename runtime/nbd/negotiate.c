/* SPDX-License-Identifier: MIT */
/*
 * negotiate.c - the newstyle handshake as a machine without I/O
 *
 * An option is looked at once all of it is there, so its data lies in one
 * piece and every length in it can be compared with what is left.  An option
 * that is too long to be sensible is answered and its data thrown away; one
 * that is longer than any message of the protocol ends the connection.
 */
#include "nbd/negotiate.h"

#include <string.h>

#include "base/bytes.h"

static void put(struct nbd_negotiation *n, const void *data, size_t bytes)
{
    g_byte_array_append(n->out, data, (guint)bytes);
}

void nbd_negotiation_init(struct nbd_negotiation *n,
                          const struct nbd_export_info *info)
{
    uint8_t greeting[18], *p = greeting;

    *n = (struct nbd_negotiation){.info = info, .out = g_byte_array_new()};
    p = ct_put_be64(p, NBD_MAGIC);
    p = ct_put_be64(p, NBD_OPTS_MAGIC);
    ct_put_be16(p, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    put(n, greeting, sizeof(greeting));
}

void nbd_negotiation_fini(struct nbd_negotiation *n)
{
    g_byte_array_unref(n->out);
    n->out = NULL;
}

void nbd_option_reply(struct nbd_negotiation *n, uint32_t option, uint32_t type,
                      const void *data, size_t bytes)
{
    uint8_t head[20], *p = head;

    p = ct_put_be64(p, NBD_REP_MAGIC);
    p = ct_put_be32(p, option);
    p = ct_put_be32(p, type);
    ct_put_be32(p, (uint32_t)bytes);
    put(n, head, sizeof(head));
    if (bytes > 0) {
        put(n, data, bytes);
    }
}

void nbd_option_error(struct nbd_negotiation *n, uint32_t option, uint32_t type,
                      const char *text)
{
    nbd_option_reply(n, option, type, text, strlen(text));
}

static size_t take_flags(struct nbd_negotiation *n, const uint8_t *data,
                         size_t bytes)
{
    if (bytes < 4) {
        return 0;
    }
    uint32_t flags = ct_get_be32(data);
    n->is_fixed = flags & NBD_FLAG_FIXED_NEWSTYLE;
    n->has_zeroes = !(flags & NBD_FLAG_NO_ZEROES);
    flags &= ~(uint32_t)(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    n->state = flags != 0 ? NBD_NEGOTIATION_CLOSE : NBD_NEGOTIATION_OPTIONS;
    return 4;
}

/* This option has an answer of its own, and no way to say no. */
static void take_export_name(struct nbd_negotiation *n, const uint8_t *name,
                             size_t bytes)
{
    uint8_t answer[10 + 124] = {0}, *p = answer;
    size_t wanted = strlen(n->info->name);

    n->state = NBD_NEGOTIATION_CLOSE;
    if (bytes == wanted && memcmp(name, n->info->name, bytes) == 0) {
        uint16_t df = n->terms.is_structured ? NBD_FLAG_SEND_DF : 0;

        p = ct_put_be64(p, n->info->bytes);
        ct_put_be16(p, n->info->flags | df);
        put(n, answer, n->has_zeroes ? sizeof(answer) : 10);
        n->state = NBD_NEGOTIATION_TRANSMISSION;
    }
}

static size_t skip_some(struct nbd_negotiation *n, size_t bytes)
{
    size_t some = MIN(n->skip, bytes);

    n->skip -= some;
    return some;
}

static void refuse_length(struct nbd_negotiation *n, uint32_t option,
                          uint32_t length)
{
    n->skip = length;
    if (option != NBD_OPT_EXPORT_NAME) {
        nbd_option_error(n, option, NBD_REP_ERR_TOO_BIG, "option is too long");
    }
    if (option == NBD_OPT_EXPORT_NAME || length > NBD_PAYLOAD_BYTES_MAX) {
        n->state = NBD_NEGOTIATION_CLOSE;
    }
}

static size_t take_option(struct nbd_negotiation *n, const uint8_t *data,
                          size_t bytes)
{
    if (bytes >= 8 && ct_get_be64(data) != NBD_OPTS_MAGIC) {
        n->state = NBD_NEGOTIATION_CLOSE;
        return bytes;
    }
    if (bytes < NBD_OPTION_HEAD_BYTES) {
        return 0;
    }
    uint32_t option = ct_get_be32(data + 8);
    uint32_t length = ct_get_be32(data + 12);
    if (!n->is_fixed && option != NBD_OPT_EXPORT_NAME) {
        n->state = NBD_NEGOTIATION_CLOSE;
        return bytes;
    }
    if (length > NBD_OPTION_BYTES_MAX) {
        refuse_length(n, option, length);
        return NBD_OPTION_HEAD_BYTES;
    }
    if (bytes < NBD_OPTION_HEAD_BYTES + length) {
        return 0;
    }
    data += NBD_OPTION_HEAD_BYTES;
    if (option == NBD_OPT_EXPORT_NAME) {
        take_export_name(n, data, length);
    } else if (!nbd_option(n, option, data, length)) {
        nbd_option_error(n, option, NBD_REP_ERR_UNSUP,
                         "option is not supported");
    }
    return NBD_OPTION_HEAD_BYTES + length;
}

size_t nbd_negotiate(struct nbd_negotiation *n, const uint8_t *data,
                     size_t bytes)
{
    switch (n->state) {
    case NBD_NEGOTIATION_FLAGS:
        return take_flags(n, data, bytes);
    case NBD_NEGOTIATION_OPTIONS:
        return n->skip > 0 ? skip_some(n, bytes) : take_option(n, data, bytes);
    default:
        return 0;
    }
}
