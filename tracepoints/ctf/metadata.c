/* SPDX-License-Identifier: MIT */
/*
 * metadata.c - the text of a CTF metadata file
 *
 * LTTng writes it in packets, each with a head that tells how much of it is
 * text; a plain text file is metadata, too.
 */
#include "ct/ctf.h"

#include <glib.h>

#include "ct/bytes.h"

#define METADATA_MAX    (64u << 20)
#define METADATA_MAGIC  0x75d11d57u
#define METADATA_HEADER 37 /* bytes before a metadata packet's content */

/* A packet: magic, uuid, checksum, content and packet size in bits, ... */
static char *text_of_packets(const uint8_t *bytes, size_t n, bool big_endian,
                             const char **ret_why)
{
    GString *text = g_string_new(NULL);
    size_t at = 0;

    while (at < n) {
        uint32_t content;
        uint32_t packet;

        if (n - at < METADATA_HEADER) {
            *ret_why = "its metadata is cut short";
            goto bad;
        }
        content = (uint32_t)ct_bytes_get(bytes + at + 24, 4, big_endian) / 8;
        packet = (uint32_t)ct_bytes_get(bytes + at + 28, 4, big_endian) / 8;
        if (ct_bytes_get(bytes + at, 4, big_endian) != METADATA_MAGIC ||
            content < METADATA_HEADER || packet < content) {
            *ret_why = "its metadata is damaged";
            goto bad;
        }
        if (packet > n - at) {
            *ret_why = "its metadata is cut short";
            goto bad;
        }
        g_string_append_len(text, (const char *)bytes + at + METADATA_HEADER,
                            content - METADATA_HEADER);
        at += packet;
    }
    return g_string_free(text, FALSE);

bad:
    g_string_free(text, TRUE);
    return NULL;
}

char *ct_ctf_text(const char *path, const char **ret_why)
{
    char *bytes;
    char *text;
    gsize n;

    if (!g_file_get_contents(path, &bytes, &n, NULL)) {
        *ret_why = "its metadata can't be read";
        return NULL;
    }
    if (n < 4 || n > METADATA_MAX) {
        *ret_why =
            n < 4 ? "its metadata is empty" : "its metadata is too large";
        g_free(bytes);
        return NULL;
    }
    if (ct_bytes_get(bytes, 4, false) == METADATA_MAGIC ||
        ct_bytes_get(bytes, 4, true) == METADATA_MAGIC) {
        text = text_of_packets((uint8_t *)bytes, n,
                               ct_bytes_get(bytes, 4, true) == METADATA_MAGIC,
                               ret_why);
        g_free(bytes);
        return text;
    }
    if (!g_str_has_prefix(bytes, "/* CTF")) {
        *ret_why = "its metadata is not CTF's";
        g_free(bytes);
        return NULL;
    }
    return bytes;
}
