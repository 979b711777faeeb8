/* SPDX-License-Identifier: MIT */
/*
 * negotiate.h - from the first byte of a connection to its transmission phase
 *
 * Model:    a machine without I/O: it is given what the client sent, and makes
 *           what is to be sent.  The greeting is there from the start.
 *               flags -> option* -> transmission | close
 * Threads:  one at a time.
 * Memory:   `out` is ours; the caller sends it and sets its length to 0.
 * Errors:   a client's mistake is answered, or ends the connection.
 */
#ifndef CT_NBD_NEGOTIATE_H
#define CT_NBD_NEGOTIATE_H

#include <glib.h>

#include "nbd/codec.h"

enum nbd_negotiation_state {
    NBD_NEGOTIATION_FLAGS,
    NBD_NEGOTIATION_OPTIONS,
    NBD_NEGOTIATION_TRANSMISSION, /* what follows is requests */
    NBD_NEGOTIATION_CLOSE,        /* send what is to be sent, then close */
};

struct nbd_negotiation {
    const struct nbd_export_info *info; /* borrowed */
    GByteArray *out;
    enum nbd_negotiation_state state;
    struct nbd_terms terms;

    /* private */
    bool is_fixed; /* the client knows options beside EXPORT_NAME */
    bool has_zeroes;
    uint64_t skip; /* of an option that is too long: still to come */
};

/*
 * Data of an option that is looked at; with the option's head it has to fit
 * into what nbd_negotiate() is given.
 */
#define NBD_OPTION_BYTES_MAX (16 * 1024)

void nbd_negotiation_init(struct nbd_negotiation *n,
                          const struct nbd_export_info *info);
void nbd_negotiation_fini(struct nbd_negotiation *n);

/**
 * nbd_negotiate() - one step
 * @data, @bytes: what has been received and not been consumed yet
 *
 * Return: how much was consumed; 0: nothing can be done without more
 */
size_t nbd_negotiate(struct nbd_negotiation *n, const uint8_t *data,
                     size_t bytes);

/* --- options.c: what the options do; for negotiate.c --------------------- */

/** nbd_option() - answer an option; false: it is unknown */
bool nbd_option(struct nbd_negotiation *n, uint32_t option, const uint8_t *data,
                size_t bytes);

/** nbd_option_reply() - one reply to an option */
void nbd_option_reply(struct nbd_negotiation *n, uint32_t option, uint32_t type,
                      const void *data, size_t bytes);

/** nbd_option_error() - one of NBD_REP_ERR_*, with a text for people */
void nbd_option_error(struct nbd_negotiation *n, uint32_t option, uint32_t type,
                      const char *text);

#endif
