/* SPDX-License-Identifier: MIT */
/*
 * position.h - where a read or write that came back short goes on
 *
 * Model:    a cursor over a vector, from its first byte to behind its last.
 * Threads:  one.
 * Memory:   the vector is borrowed and not changed.
 * Errors:   none; going beyond the end leaves niov 0.
 * Depends:  libc.
 */
#ifndef CT_ENGINE_POSITION_H
#define CT_ENGINE_POSITION_H

#include <string.h>
#include <sys/uio.h>

struct position {
    const struct iovec *iov;
    int niov;
    size_t skip; /* bytes of iov[0] that are done */
};

/** position_advance() - @bytes more are done */
static inline void position_advance(struct position *at, size_t bytes)
{
    bytes += at->skip;
    while (at->niov > 0 && bytes >= at->iov->iov_len) {
        bytes -= at->iov->iov_len;
        at->iov++;
        at->niov--;
    }
    at->skip = bytes;
}

/** position_fill_zeroes() - behind the file's end: the rest reads as zeroes */
static inline void position_fill_zeroes(struct position *at)
{
    while (at->niov > 0) {
        size_t bytes = at->iov->iov_len - at->skip;

        memset((char *)at->iov->iov_base + at->skip, 0, bytes);
        position_advance(at, bytes);
    }
}

#endif
