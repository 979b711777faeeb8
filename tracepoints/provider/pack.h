/* SPDX-License-Identifier: MIT */
/*
 * pack.h - writes an event's adjacent numbers into the ring buffer at once
 *
 * LTTng-UST reads the list of fields several times, in one pass to describe
 * them and in another to write them, and there calls through a pointer for
 * each; a field then costs as much as taking the stack.  Fields lie packed in
 * the buffer, so the writing pass may collect neighbours and write them in one
 * piece; all other passes see LTTng-UST's own macros.
 *
 * The writing pass is known by a macro of its own, and so this is for
 * LTTng-UST 2.13 alone; any other version writes field by field, as it likes.
 *
 * Included anew in each pass, hence no guard.
 */
#include <string.h>

#include <lttng/ust-version.h>

#undef CT_PACK_BEGIN
#undef CT_PACK_END
#undef ct_pack_integer
#undef ct_pack_integer_hex
#undef ct_pack_enum

#if LTTNG_UST_MAJOR_VERSION == 2 && LTTNG_UST_MINOR_VERSION == 13 && \
    !defined(LTTNG_UST_RING_BUFFER_NATURAL_ALIGN) &&                 \
    defined(LTTNG_UST__TP_SESSION_CHECK)

#define CT_PACK_BEGIN                              \
    {                                              \
        unsigned char pack[10 * sizeof(uint64_t)]; \
        size_t packed = 0;
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

#else

#define CT_PACK_BEGIN
#define CT_PACK_END
#define ct_pack_integer(type, name, value) \
    lttng_ust_field_integer(type, name, value)
#define ct_pack_integer_hex(type, name, value) \
    lttng_ust_field_integer_hex(type, name, value)
#define ct_pack_enum(provider, words, type, name, value) \
    lttng_ust_field_enum(provider, words, type, name, value)

#endif
