/* SPDX-License-Identifier: MIT */
/*
 * inert.c - strings that came from outside, made harmless for people
 *
 * The decoder never reads past the terminating NUL: a NUL is no continuation
 * byte, so a cut sequence ends there.
 */
#include "out/inert.h"

unsigned ct_utf8_next(const char *text, uint32_t *ret_character)
{
    const unsigned char *byte = (const unsigned char *)text;
    unsigned length;
    uint32_t character, least;

    if (byte[0] < 0x80) {
        *ret_character = byte[0];
        return 1;
    }
    if ((byte[0] & 0xe0) == 0xc0) {
        length = 2;
        character = byte[0] & 0x1f;
        least = 0x80;
    } else if ((byte[0] & 0xf0) == 0xe0) {
        length = 3;
        character = byte[0] & 0x0f;
        least = 0x800;
    } else if ((byte[0] & 0xf8) == 0xf0) {
        length = 4;
        character = byte[0] & 0x07;
        least = 0x10000;
    } else {
        return 0;
    }
    for (unsigned i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
        character = character << 6 | (byte[i] & 0x3f);
    }
    if (character < least || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff)) {
        return 0;
    }
    *ret_character = character;
    return length;
}

bool ct_inert_unsafe(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
           character == 0x061c || character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

char *ct_typed_path(const char *path)
{
    if (!path[strspn(path,
                     G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._-+:@%")]) {
        return g_strdup(path);
    }
    return strchr(path, '\'') && !strpbrk(path, "\"$`\\!")
               ? g_strdup_printf("\"%s\"", path)
               : g_shell_quote(path);
}

/* How much of it, from its begin, is ASCII that stands for itself. */
static size_t plain_length(const char *text)
{
    size_t length = 0;

    while (text[length] >= ' ' && text[length] <= '~' && text[length] != '\\') {
        length++;
    }
    return length;
}

void ct_inert_append(GString *string, const char *text)
{
    for (;;) {
        size_t plain = plain_length(text);
        uint32_t character;
        unsigned length;

        g_string_append_len(string, text, (gssize)plain);
        text += plain;
        if (!*text) {
            return;
        }
        length = ct_utf8_next(text, &character);
        if (!length) {
            g_string_append_printf(string, "\\x%02x", (unsigned char)*text);
            text++;
            continue;
        }
        if (character == '\\') {
            g_string_append(string, "\\\\");
        } else if (character == '\n') {
            g_string_append(string, "\\n");
        } else if (character == '\t') {
            g_string_append(string, "\\t");
        } else if (!ct_inert_unsafe(character)) {
            g_string_append_len(string, text, length);
        } else if (character < 0x80) {
            g_string_append_printf(string, "\\x%02x", (unsigned)character);
        } else {
            g_string_append_printf(string, "\\u{%x}", (unsigned)character);
        }
        text += length;
    }
}
