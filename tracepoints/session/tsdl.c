/* SPDX-License-Identifier: MIT */
/*
 * tsdl.c - the metadata's text: out of its packets, and into words and blocks
 *
 * Every function takes a position in a terminated text and gives one further
 * on, so no malformed metadata can make them leave it or stand still.
 */
#include "tsdl.h"

#include <glib.h>
#include <string.h>

#define METADATA_MAGIC 0x75d11d57u
#define BITS           8

/* The layout of a packet of metadata: 37 bytes, then text. */
struct __attribute__((packed)) metadata_header {
    uint32_t magic;
    uint8_t uuid[16];
    uint32_t checksum;
    uint32_t content_bits;
    uint32_t packet_bits;
    uint8_t compression, encryption, checksum_scheme, major, minor;
};

char *ct_tsdl_unpack(const uint8_t *bytes, size_t length)
{
    GString *text;
    struct metadata_header header;
    uint32_t magic = 0;

    if (length >= sizeof(magic)) {
        memcpy(&magic, bytes, sizeof(magic));
    }
    if (magic != METADATA_MAGIC) {
        return g_strndup((const char *)bytes, length);
    }
    text = g_string_new(NULL);

    while (length >= sizeof(header)) {
        memcpy(&header, bytes, sizeof(header));
        size_t content = header.content_bits / BITS;
        size_t packet = header.packet_bits / BITS;
        if (header.magic != METADATA_MAGIC || content < sizeof(header) ||
            content > packet || content > length) {
            break;
        }
        g_string_append_len(text, (const char *)bytes + sizeof(header),
                            (gssize)(content - sizeof(header)));
        if (packet >= length) {
            break;
        }
        bytes += packet;
        length -= packet;
    }
    return g_string_free(text, FALSE);
}

const char *ct_tsdl_skip_space(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (strncmp(at, "/*", 2)) {
            return at;
        }
        const char *end = strstr(at, "*/");
        at = end ? end + 2 : at + strlen(at);
    }
}

const char *ct_tsdl_word(const char *at, const char *wanted)
{
    size_t length = strlen(wanted);

    at = ct_tsdl_skip_space(at);
    if (strncmp(at, wanted, length) ||
        (g_ascii_isalnum(wanted[length - 1]) &&
         (g_ascii_isalnum(at[length]) || at[length] == '_'))) {
        return NULL;
    }
    return at + length;
}

const char *ct_tsdl_block(const char *at, const char **ret_begin)
{
    unsigned depth = 0;

    at = ct_tsdl_skip_space(at);
    if (*at != '{') {
        return NULL;
    }
    *ret_begin = at + 1;
    for (; *at; at++) {
        if (*at == '"') {
            for (at++; *at && *at != '"'; at++) {
                at += *at == '\\' && at[1];
            }
            if (!*at) {
                return NULL;
            }
        } else if (*at == '{') {
            depth++;
        } else if (*at == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

int64_t ct_tsdl_attribute(const char *begin, const char *end, const char *name)
{
    for (const char *at = begin; at < end; at++) {
        const char *after = at == begin || !(g_ascii_isalnum(at[-1]) ||
                                             at[-1] == '_' || at[-1] == '.')
                                ? ct_tsdl_word(at, name)
                                : NULL;
        if (after && (after = ct_tsdl_word(after, "="))) {
            after = ct_tsdl_skip_space(after);
            return g_ascii_isdigit(*after)
                       ? (int64_t)g_ascii_strtoull(after, NULL, 10)
                       : -1;
        }
        if (*at == '{') { /* not those of a block inside */
            const char *inner;
            at = ct_tsdl_block(at, &inner);
            if (!at) {
                return -1;
            }
            at--;
        }
    }
    return -1;
}

char *ct_tsdl_identifier(const char **at)
{
    const char *begin = ct_tsdl_skip_space(*at);
    const char *end = begin;

    while (g_ascii_isalnum(*end) || *end == '_') {
        end++;
    }
    *at = end;
    return end == begin ? NULL : g_strndup(begin, (gsize)(end - begin));
}
