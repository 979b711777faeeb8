/* SPDX-License-Identifier: MIT */
/*
 * buffers.c - memory for requests' data, used again and again
 *
 * A buffer that was used a moment ago lies in the cache, and fresh pages cost
 * more than the requests that fill them.
 */
#include "nbd/buffers.h"

#include <stdlib.h>

#include <glib.h>

#define CLASS_BYTES_MIN ((size_t)4096)
#define FREE_BYTES_MAX  ((size_t)8 * 1024 * 1024)

struct nbd_free_buffer {
    struct nbd_free_buffer *next;
};

static size_t class_bytes(int class)
{
    return CLASS_BYTES_MIN << class;
}

/* Return: NBD_BUFFER_CLASSES: too long for any */
static int class_of(size_t bytes)
{
    int class = 0;

    while (class < NBD_BUFFER_CLASSES && class_bytes(class) < bytes) {
        class ++;
    }
    return class;
}

uint8_t *nbd_buffer_get(struct nbd_buffers *buffers, size_t bytes)
{
    int class = class_of(bytes);
    void *buf;

    if (class == NBD_BUFFER_CLASSES) {
        return posix_memalign(&buf, CLASS_BYTES_MIN, bytes) == 0 ? buf : NULL;
    }
    struct nbd_free_buffer *kept = buffers->free[class];
    if (kept != NULL) {
        buffers->free[class] = kept->next;
        buffers->free_bytes -= class_bytes(class);
        return (uint8_t *)kept;
    }
    return posix_memalign(&buf, CLASS_BYTES_MIN, class_bytes(class)) == 0
               ? buf
               : NULL;
}

void nbd_buffer_put(struct nbd_buffers *buffers, uint8_t *buf, size_t bytes)
{
    int class = class_of(bytes);

    if (buf == NULL || class == NBD_BUFFER_CLASSES ||
        buffers->free_bytes + class_bytes(class) > FREE_BYTES_MAX) {
        free(buf);
        return;
    }
    struct nbd_free_buffer *kept = (struct nbd_free_buffer *)buf;
    kept->next = buffers->free[class];
    buffers->free[class] = kept;
    buffers->free_bytes += class_bytes(class);
}

void nbd_buffers_fini(struct nbd_buffers *buffers)
{
    for (int class = 0; class < NBD_BUFFER_CLASSES; class ++) {
        while (buffers->free[class] != NULL) {
            struct nbd_free_buffer *kept = buffers->free[class];

            buffers->free[class] = kept->next;
            free(kept);
        }
    }
    *buffers = (struct nbd_buffers){0};
}
