/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - big-endian numbers at any address, as files and protocols have them
 */
#ifndef CT_BASE_BYTES_H
#define CT_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t ct_get_be16(const void *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return be16toh(value);
}

static inline uint32_t ct_get_be32(const void *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return be32toh(value);
}

static inline uint64_t ct_get_be64(const void *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return be64toh(value);
}

/* These return what lies behind the number. */
static inline uint8_t *ct_put_be16(void *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof(value));
    return (uint8_t *)at + sizeof(value);
}

static inline uint8_t *ct_put_be32(void *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
    return (uint8_t *)at + sizeof(value);
}

static inline uint8_t *ct_put_be64(void *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof(value));
    return (uint8_t *)at + sizeof(value);
}

#endif
