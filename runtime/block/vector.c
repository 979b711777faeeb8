/* SPDX-License-Identifier: MIT */
/*
 * vector.c - the buffers of a request
 *
 * A part of a vector is another vector whose buffers are pieces of the same
 * memory.
 */
#include <string.h>

#include "ct/block.h"
#include "ct/pre.h"

void io_vector_init(IOVector *vector)
{
    *vector = (IOVector){0};
}

void io_vector_fini(IOVector *vector)
{
    g_free(vector->iov);
    io_vector_init(vector);
}

void io_vector_add(IOVector *vector, void *buf, size_t bytes)
{
    if (vector->niov == vector->allocated) {
        vector->allocated = vector->allocated * 2 + 1;
        vector->iov = g_renew(struct iovec, vector->iov, vector->allocated);
    }
    vector->iov[vector->niov++] = (struct iovec){buf, bytes};
    vector->bytes += bytes;
}

/* Calls what(piece) for the pieces of [offset, offset + bytes), in order. */
#define for_each_piece(vector, offset, bytes, what)              \
    do {                                                         \
        size_t skip_ = (offset);                                 \
        size_t left_ = (bytes);                                  \
        for (int i_ = 0; left_ > 0; i_++) {                      \
            struct iovec piece_ = (vector)->iov[i_];             \
            if (skip_ >= piece_.iov_len) {                       \
                skip_ -= piece_.iov_len;                         \
                continue;                                        \
            }                                                    \
            piece_.iov_base = (char *)piece_.iov_base + skip_;   \
            piece_.iov_len = MIN(piece_.iov_len - skip_, left_); \
            skip_ = 0;                                           \
            left_ -= piece_.iov_len;                             \
            what(piece_);                                        \
        }                                                        \
    } while (0)

static bool is_inside(const IOVector *vector, size_t offset, size_t bytes)
{
    return offset <= vector->bytes && bytes <= vector->bytes - offset;
}

void io_vector_add_part(IOVector *vector, const IOVector *from, size_t offset,
                        size_t bytes)
{
    ct_pre("io-vector/inside", is_inside(from, offset, bytes));
#define add(piece) io_vector_add(vector, (piece).iov_base, (piece).iov_len)
    for_each_piece(from, offset, bytes, add);
#undef add
}

void io_vector_memset(const IOVector *vector, size_t offset, int byte,
                      size_t bytes)
{
    ct_pre("io-vector/inside", is_inside(vector, offset, bytes));
#define fill(piece) memset((piece).iov_base, byte, (piece).iov_len)
    for_each_piece(vector, offset, bytes, fill);
#undef fill
}

void io_vector_to_buf(const IOVector *vector, size_t offset, void *buf,
                      size_t bytes)
{
    uint8_t *to = buf;

    ct_pre("io-vector/inside", is_inside(vector, offset, bytes));
#define copy(piece)                                    \
    do {                                               \
        memcpy(to, (piece).iov_base, (piece).iov_len); \
        to += (piece).iov_len;                         \
    } while (0)
    for_each_piece(vector, offset, bytes, copy);
#undef copy
}

void io_vector_from_buf(const IOVector *vector, size_t offset, const void *buf,
                        size_t bytes)
{
    const uint8_t *from = buf;

    ct_pre("io-vector/inside", is_inside(vector, offset, bytes));
#define copy(piece)                                      \
    do {                                                 \
        memcpy((piece).iov_base, from, (piece).iov_len); \
        from += (piece).iov_len;                         \
    } while (0)
    for_each_piece(vector, offset, bytes, copy);
#undef copy
}
