/* SPDX-License-Identifier: MIT */
/*
 * ct/bytes.h - numbers as they lie in files
 *
 * Model:    a file says itself in which order a number's bytes lie, and how
 *           many they are; what it says may be another machine's.
 * Threads:  any.
 * Memory:   the caller's, read only; aligned or not.
 * Errors:   none; the bytes are there.
 * Depends:  nothing.
 */
#ifndef CT_BYTES_H
#define CT_BYTES_H

#include <stdbool.h>
#include <stdint.h>

/** ct_bytes_get() - the number in @n bytes, at most 8, of either order */
static inline uint64_t ct_bytes_get(const void *at, unsigned n, bool big_endian)
{
    const uint8_t *bytes = at;
    uint64_t value = 0;

    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | bytes[big_endian ? i : n - 1 - i];
    }
    return value;
}

#endif
