/* SPDX-License-Identifier: MIT */
/*
 * buffers.h - memory for requests' data, used again and again
 *
 * Threads:  the server's home thread.
 * Memory:   what is kept for later is bounded; a buffer is aligned as the
 *           strictest disk wants it.
 */
#ifndef CT_NBD_BUFFERS_H
#define CT_NBD_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

/* Powers of two from 4 KiB to 1 MiB; what is longer is not kept. */
#define NBD_BUFFER_CLASSES 9

struct nbd_buffers {
    struct nbd_free_buffer *free[NBD_BUFFER_CLASSES];
    size_t free_bytes;
};

/** nbd_buffer_get() - at least @bytes; NULL: no memory */
uint8_t *nbd_buffer_get(struct nbd_buffers *buffers, size_t bytes);

/** nbd_buffer_put() - @bytes as it was got; NULL is allowed */
void nbd_buffer_put(struct nbd_buffers *buffers, uint8_t *buf, size_t bytes);

/** nbd_buffers_fini() - free what is kept */
void nbd_buffers_fini(struct nbd_buffers *buffers);

#endif
