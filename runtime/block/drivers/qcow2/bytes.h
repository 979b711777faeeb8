/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - big-endian numbers at any address
 */
#ifndef CT_QCOW2_BYTES_H
#define CT_QCOW2_BYTES_H

#include <stdint.h>
#include <string.h>

#include <glib.h>

static inline uint16_t qcow2_get16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return GUINT16_FROM_BE(value);
}

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

static inline void qcow2_put16(void *at, uint16_t value)
{
    value = GUINT16_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static inline void qcow2_put32(void *at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static inline void qcow2_put64(void *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

#endif
