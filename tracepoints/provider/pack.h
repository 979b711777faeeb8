/* SPDX-License-Identifier: MIT */
/*
 * pack.h - writes an event's adjacent fields into the ring buffer at once
 *
 * Fields lie packed in the buffer.  An event of numbers only is handed over as
 * it will lie there (`told`), and CT_PLAIN writes it in one piece; the fields
 * behind it are for LTTng-UST's other passes.
 *
 * LTTng-UST reads the list of fields several times, in one pass to describe
 * them and in another to write them, and there calls through a pointer for
 * each; a field then costs as much as taking the stack, and a string, which is
 * copied byte by byte, as much as several.  So the writing pass collects
 * neighbours and writes them in one piece; all other passes see LTTng-UST's own
 * macros.
 *
 * A string has the length that the pass before has measured, with its NUL; what
 * is written there ends with one whatever the memory holds by now.  One that
 * does not fit into the piece is written by LTTng-UST's function, after what
 * was collected so far.
 *
 * The writing pass is known by a macro of its own, and so this is for
 * LTTng-UST 2.13 alone; any other version writes field by field, as it likes.
 *
 * Included anew in each pass, hence no guard.
 */

#include <lttng/ust-version.h>

#include "text.h"

#undef CT_PACK_BEGIN
#undef CT_PACK_END
#undef ct_pack_integer
#undef ct_pack_integer_hex
#undef ct_pack_enum
#undef ct_pack_string
#undef CT_PLAIN
#undef ct_plain_integer
#undef ct_plain_integer_hex
#undef ct_plain_enum

#if LTTNG_UST_MAJOR_VERSION == 2 && LTTNG_UST_MINOR_VERSION == 13 && \
    !defined(LTTNG_UST_RING_BUFFER_NATURAL_ALIGN) &&                 \
    defined(LTTNG_UST__TP_SESSION_CHECK)

#ifndef CT_PACK_NUMBERS
/* The generator takes no more than ten fields; who tells them. */
#define CT_PACK_NUMBERS (11 * sizeof(uint64_t))
#define CT_PACK_STRINGS ((size_t)128)
#endif

#define CT_PLAIN __chan->ops->event_write(&__ctx, told, sizeof(*told), 1);
#define ct_plain_integer(type, name, value)
#define ct_plain_integer_hex(type, name, value)
#define ct_plain_enum(provider, words, type, name, value)

#define CT_PACK_BEGIN                                          \
    {                                                          \
        unsigned char pack[CT_PACK_NUMBERS + CT_PACK_STRINGS]; \
        size_t packed = 0;                                     \
        size_t ct_strings __attribute__((unused)) = 0;
#define CT_PACK_END                                    \
    __chan->ops->event_write(&__ctx, pack, packed, 1); \
    }
#define ct_pack_integer(type, name, value)              \
    {                                                   \
        type number = (type)(value);                    \
        memcpy(pack + packed, &number, sizeof(number)); \
        packed += sizeof(number);                       \
    }
#define ct_pack_integer_hex(type, name, value) \
    ct_pack_integer(type, name, value)
#define ct_pack_enum(provider, words, type, name, value) \
    ct_pack_integer(type, name, value)
#define ct_pack_string(name, value)                                       \
    {                                                                     \
        const char *text = (value) ? (value) : LTTNG_UST__NULL_STRING;    \
        size_t bytes = lttng_ust__get_dynamic_len(dest);                  \
                                                                          \
        if (__builtin_expect(bytes <= CT_PACK_STRINGS - ct_strings, 1)) { \
            ct_pack_text(pack + packed, text, bytes - 1);                 \
            packed += bytes;                                              \
            ct_strings += bytes;                                          \
        } else {                                                          \
            __chan->ops->event_write(&__ctx, pack, packed, 1);            \
            packed = 0;                                                   \
            ct_strings = 0;                                               \
            __chan->ops->event_strcpy(&__ctx, text, bytes);               \
        }                                                                 \
    }

#else

#define CT_PLAIN
#define ct_plain_integer(type, name, value) \
    lttng_ust_field_integer(type, name, value)
#define ct_plain_integer_hex(type, name, value) \
    lttng_ust_field_integer_hex(type, name, value)
#define ct_plain_enum(provider, words, type, name, value) \
    lttng_ust_field_enum(provider, words, type, name, value)
#define CT_PACK_BEGIN
#define CT_PACK_END
#define ct_pack_integer(type, name, value) \
    lttng_ust_field_integer(type, name, value)
#define ct_pack_integer_hex(type, name, value) \
    lttng_ust_field_integer_hex(type, name, value)
#define ct_pack_enum(provider, words, type, name, value) \
    lttng_ust_field_enum(provider, words, type, name, value)
#define ct_pack_string(name, value) lttng_ust_field_string(name, value)

#endif
