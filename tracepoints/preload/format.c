/* SPDX-License-Identifier: MIT */
/*
 * format.c - the text of a trace line, quicker than by vsnprintf()
 *
 * vsnprintf() pretends to be a stream: each piece of text goes through a
 * function of a table.  For lines of a hundred bytes that is most of its time,
 * and it was a third of what recording a line cost.
 *
 * `end` is where the NUL goes at the latest; nothing is written behind it.
 */
#include "format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct out {
    char *at;
    char *end;
};

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG };

struct conversion {
    bool zeroes, prefixed;
    unsigned width;
    enum length length;
};

enum { WIDTH_MAX = 64, DIGITS_MAX = 20 };

static const char LOWER[] = "0123456789abcdef";
static const char UPPER[] = "0123456789ABCDEF";

static bool put(struct out *out, const char *text, size_t n)
{
    if ((size_t)(out->end - out->at) < n) {
        return false;
    }
    memcpy(out->at, text, n);
    out->at += n;
    return true;
}

static bool fill(struct out *out, char c, size_t n)
{
    if ((size_t)(out->end - out->at) < n) {
        return false;
    }
    memset(out->at, c, n);
    out->at += n;
    return true;
}

/* @sign and digits, padded as @how says. */
static bool put_padded(struct out *out, const struct conversion *how,
                       const char *sign, const char *digits, size_t n)
{
    size_t n_sign = strlen(sign);
    size_t all = n_sign + n;
    size_t missing = how->width > all ? how->width - all : 0;

    if (__builtin_expect(missing == 0, 1)) {
        return put(out, sign, n_sign) && put(out, digits, n);
    }
    return fill(out, ' ', how->zeroes ? 0 : missing) &&
           put(out, sign, n_sign) &&
           fill(out, '0', how->zeroes ? missing : 0) && put(out, digits, n);
}

static bool put_decimal(struct out *out, const struct conversion *how,
                        uint64_t number, bool is_negative)
{
    char digits[DIGITS_MAX];
    char *at = digits + sizeof(digits);

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return put_padded(out, how, is_negative ? "-" : "", at,
                      (size_t)(digits + sizeof(digits) - at));
}

static bool put_hex(struct out *out, const struct conversion *how,
                    uint64_t number, bool is_upper)
{
    const char *letters = is_upper ? UPPER : LOWER;
    const char *prefix = !how->prefixed || !number ? ""
                         : is_upper                ? "0X"
                                                   : "0x";
    char digits[DIGITS_MAX];
    char *at = digits + sizeof(digits);

    do {
        *--at = letters[number % 16];
        number /= 16;
    } while (number);
    return put_padded(out, how, prefix, at,
                      (size_t)(digits + sizeof(digits) - at));
}

static bool put_string(struct out *out, const struct conversion *how,
                       const char *text)
{
    text = text ? text : "(null)";
    return put_padded(out, how, "", text, strlen(text));
}

static bool put_pointer(struct out *out, struct conversion *how,
                        const void *pointer)
{
    how->prefixed = true;
    return pointer ? put_hex(out, how, (uintptr_t)pointer, false)
                   : put_string(out, how, "(nil)");
}

/* Flags, width and length. */
static const char *read_how(const char *at, struct conversion *how)
{
    for (; *at == '0' || *at == '#'; at++) {
        *(*at == '0' ? &how->zeroes : &how->prefixed) = true;
    }
    for (; *at >= '0' && *at <= '9' && how->width < WIDTH_MAX; at++) {
        how->width = how->width * 10 + (unsigned)(*at - '0');
    }
    if (*at == 'h') {
        how->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        at += at[1] == 'h' ? 2 : 1;
    } else if (*at == 'l' || *at == 'z' || *at == 'j' || *at == 't') {
        how->length = LENGTH_LONG;
        at += at[0] == 'l' && at[1] == 'l' ? 2 : 1;
    }
    return at;
}

_Static_assert(sizeof(long) == sizeof(long long) &&
                   sizeof(long) == sizeof(size_t),
               "one length for ll, l, z, j and t");

/* va_arg() of a va_list that is an argument needs one that is not. */
struct arguments {
    va_list list;
};

static uint64_t next_unsigned(struct arguments *arguments, enum length length)
{
    unsigned number;

    if (length == LENGTH_LONG) {
        return va_arg(arguments->list, unsigned long);
    }
    number = va_arg(arguments->list, unsigned);
    return length == LENGTH_CHAR    ? (unsigned char)number
           : length == LENGTH_SHORT ? (unsigned short)number
                                    : number;
}

static int64_t next_signed(struct arguments *arguments, enum length length)
{
    int number;

    if (length == LENGTH_LONG) {
        return va_arg(arguments->list, long);
    }
    number = va_arg(arguments->list, int);
    return length == LENGTH_CHAR    ? (signed char)number
           : length == LENGTH_SHORT ? (short)number
                                    : number;
}

static bool convert(struct out *out, char kind, struct conversion *how,
                    struct arguments *arguments)
{
    int64_t number;
    char c;

    if ((how->zeroes || how->length != LENGTH_INT) && strchr("psc", kind)) {
        return false; /* wide characters, and what nobody has defined */
    }
    switch (kind) {
    case 'd':
    case 'i':
        number = next_signed(arguments, how->length);
        return put_decimal(out, how,
                           number < 0 ? -(uint64_t)number : (uint64_t)number,
                           number < 0);
    case 'u':
        return put_decimal(out, how, next_unsigned(arguments, how->length),
                           false);
    case 'x':
    case 'X':
        return put_hex(out, how, next_unsigned(arguments, how->length),
                       kind == 'X');
    case 'p':
        return put_pointer(out, how, va_arg(arguments->list, const void *));
    case 's':
        return put_string(out, how, va_arg(arguments->list, const char *));
    case 'c':
        c = (char)va_arg(arguments->list, int);
        return put_padded(out, how, "", &c, 1);
    default:
        return false;
    }
}

/* What stands between conversions, as far as there is room.  Return: what comes
 * next. */
static const char *put_words(struct out *out, const char *format)
{
    char *at = out->at; /* not written back for each letter */
    char *end = out->end;

    while (*format && *format != '%' && at < end) {
        *at++ = *format++;
    }
    out->at = at;
    return format;
}

int ct_format(char *text, size_t size, const char *format, va_list list)
{
    struct out out = {.at = text, .end = text + size - 1};
    struct arguments arguments;
    bool fits = true;

    va_copy(arguments.list, list);
    while (fits && *format) {
        struct conversion how = {0};

        format = put_words(&out, format);
        if (*format != '%') {
            fits = *format == '\0';
            continue;
        }
        format = read_how(format + 1, &how);
        fits = *format && convert(&out, *format, &how, &arguments);
        format++;
    }
    va_end(arguments.list);
    if (!fits) {
        return -1;
    }
    *out.at = '\0';
    return (int)(out.at - text);
}
