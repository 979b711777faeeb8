/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - big-endian numbers at any address
 */
#ifndef CT_QCOW2_BYTES_H
#define CT_QCOW2_BYTES_H

#include <stdint.h>
#include <string.h>

#include <glib.h>

static inline uint32_t qcow2_get32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_BE(value);
}

static inline uint64_t qcow2_get64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_BE(value);
}

#endif
