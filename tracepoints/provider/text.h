/* SPDX-License-Identifier: MIT */
/*
 * text.h - copies a text whose length has been measured before
 */
#ifndef CT_TEXT_H
#define CT_TEXT_H

#include <stdint.h>
#include <string.h>

/* Not zero: one of the word's bytes is. */
static inline uint64_t ct_pack_zeroes(uint64_t word)
{
    return (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
}

/*
 * @text and a NUL, n + 1 bytes with none of value 0 among the first n.  Texts
 * are short, and what was written in pieces is not read as a whole before
 * it has reached the cache: so they are looked through while they are copied.
 * Somebody may have cut @text meanwhile: filled up, as LTTng-UST does it.
 */
static inline void ct_pack_text(unsigned char *pack, const char *text, size_t n)
{
    uint64_t zeroes = 0;
    size_t at = 0;

    for (; n - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, text + at, sizeof(word));
        zeroes |= ct_pack_zeroes(word);
        memcpy(pack + at, &word, sizeof(word));
    }
    if (n - at >= sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, text + at, sizeof(word));
        zeroes |= ct_pack_zeroes(word | UINT64_C(0xffffffff) << 32);
        memcpy(pack + at, &word, sizeof(word));
        at += sizeof(word);
    }
    for (; at < n; at++) {
        unsigned char byte = (unsigned char)text[at];

        zeroes |= byte == 0;
        pack[at] = byte;
    }
    pack[n] = '\0';
    if (__builtin_expect(zeroes != 0, 0)) {
        unsigned char *end = memchr(pack, '\0', n + 1);

        memset(end, '#', (size_t)(pack + n - end));
    }
}

#endif
