/* SPDX-License-Identifier: MIT */
/*
 * json.c - a writer of JSON that owns commas, escapes and nesting
 *
 * One object of a timeline has some ten values, and a timeline has millions of
 * objects: every value is put into the buffer directly, and a string that
 * needs no escapes is one scan and one copy.
 *
 * `comma` belongs to the current level.  It is not stored for outer levels: an
 * outer level to which we return has just got an element, so it is true.
 */
#include "out/json.h"

#include "out/inert.h"

static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

/* 1233 / 4096 is a little more than log10(2). */
static unsigned digits_of(uint64_t value)
{
    static const uint64_t powers[] = {
        UINT64_C(1),
        UINT64_C(10),
        UINT64_C(100),
        UINT64_C(1000),
        UINT64_C(10000),
        UINT64_C(100000),
        UINT64_C(1000000),
        UINT64_C(10000000),
        UINT64_C(100000000),
        UINT64_C(1000000000),
        UINT64_C(10000000000),
        UINT64_C(100000000000),
        UINT64_C(1000000000000),
        UINT64_C(10000000000000),
        UINT64_C(100000000000000),
        UINT64_C(1000000000000000),
        UINT64_C(10000000000000000),
        UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000),
        UINT64_C(10000000000000000000),
    };
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned least = bits * 1233 >> 12;

    return least + (value >= powers[least]) + (least == 0 && value == 0);
}

unsigned ct_digits(char *to, uint64_t value)
{
    unsigned n = digits_of(value);
    unsigned at = n;

    while (value >= 10000) {
        unsigned four = (unsigned)(value % 10000);

        value /= 10000;
        at -= 4;
        memcpy(to + at, pairs + (size_t)2 * (four / 100), 2);
        memcpy(to + at + 2, pairs + (size_t)2 * (four % 100), 2);
    }
    while (value >= 100) {
        at -= 2;
        memcpy(to + at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        memcpy(to, pairs + 2 * value, 2);
    } else {
        to[0] = (char)('0' + value);
    }
    return n;
}

unsigned ct_digits_us(char *to, int64_t value_ns)
{
    /* Negated as unsigned: the least integer has no positive twin. */
    uint64_t value = value_ns < 0 ? -(uint64_t)value_ns : (uint64_t)value_ns;
    unsigned decimals = (unsigned)(value % 1000);
    unsigned n = 0;

    if (value_ns < 0) {
        to[n++] = '-';
    }
    n += ct_digits(to + n, value / 1000);
    to[n++] = '.';
    to[n++] = (char)('0' + decimals / 100);
    memcpy(to + n, pairs + (size_t)2 * (decimals % 100), 2);
    return n + 2;
}

void ct_json_init(struct ct_json *json, struct ct_out *out)
{
    *json = (struct ct_json){.out = out};
}

static void open_level(struct ct_json *json, char bracket, bool is_object)
{
    ct_json_put(json, &bracket, 1);
    ct_pre("json-open/depth", json->depth + 1 < CT_JSON_DEPTH);
    json->depth++;
    json->objects &= ~(UINT32_C(1) << json->depth);
    json->objects |= (uint32_t)is_object << json->depth;
    json->comma = false;
}

static void close_level(struct ct_json *json, char bracket)
{
    *ct_out_room(json->out) = bracket;
    ct_out_used(json->out, 1);
    json->depth--;
    json->comma = true;
}

void ct_json_object(struct ct_json *json)
{
    open_level(json, '{', true);
}

void ct_json_object_end(struct ct_json *json)
{
    ct_pre("json-end/object",
           json->depth && ct_json_in_object(json) && !json->keyed);
    close_level(json, '}');
}

void ct_json_array(struct ct_json *json)
{
    open_level(json, '[', false);
}

void ct_json_array_end(struct ct_json *json)
{
    ct_pre("json-end/array", json->depth && !ct_json_in_object(json));
    close_level(json, ']');
}

void ct_json_null(struct ct_json *json)
{
    ct_json_put(json, "null", 4);
}

void ct_json_bool(struct ct_json *json, bool is_true)
{
    ct_json_put(json, is_true ? "true" : "false", is_true ? 4 : 5);
}

void ct_json_u64(struct ct_json *json, uint64_t number)
{
    char *to = ct_json_value(json);

    ct_out_used(json->out, ct_digits(to, number));
}

void ct_json_i64(struct ct_json *json, int64_t number)
{
    char *to = ct_json_value(json);
    unsigned n = 0;

    if (number < 0) {
        to[n++] = '-';
    }
    n += ct_digits(to + n, number < 0 ? -(uint64_t)number : (uint64_t)number);
    ct_out_used(json->out, n);
}

void ct_json_member_u64(struct ct_json *json, char *to, bool is_known,
                        uint64_t number)
{
    if (is_known) {
        to += ct_digits(to, number);
    } else {
        memcpy(to, "null", 4);
        to += 4;
    }
    json->out->used_bytes = (size_t)(to - json->out->buffer);
}

void ct_json_member_i64(struct ct_json *json, char *to, bool is_known,
                        int64_t number)
{
    if (is_known && number < 0) {
        *to++ = '-';
    }
    ct_json_member_u64(json, to, is_known,
                       number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void ct_json_us(struct ct_json *json, int64_t value_ns)
{
    char *to = ct_json_value(json);

    ct_out_used(json->out, ct_digits_us(to, value_ns));
}

static const char hex[] = "0123456789abcdef";

void ct_json_hex(struct ct_json *json, uint64_t number)
{
    char *to = ct_json_value(json);
    unsigned n = 0;
    int shift = 60;

    memcpy(to, "\"0x", 3);
    n = 3;
    while (shift && !(number >> shift)) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        to[n++] = hex[number >> shift & 0xf];
    }
    to[n++] = '"';
    ct_out_used(json->out, n);
}

static bool plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/*
 * The same of eight bytes at once: "has a byte less than n", by Bit Twiddling
 * Hacks (S. E. Anderson).  A byte above one that is not plain may be taken for
 * another such; all are plain only if none is found.
 */
static bool all_plain(uint64_t bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = bytes ^ ones * '"';
    uint64_t backslash = bytes ^ ones * '\\';
    uint64_t del = bytes ^ ones * 0x7f;
    uint64_t found = bytes | ((bytes - ones * 0x20) & ~bytes) |
                     ((quote - ones) & ~quote) |
                     ((backslash - ones) & ~backslash) | ((del - ones) & ~del);

    return (found & ones * 0x80) == 0;
}

static unsigned escape(char *to, uint32_t character)
{
    if (character == '"' || character == '\\') {
        to[0] = '\\';
        to[1] = (char)character;
        return 2;
    }
    if (character == '\n' || character == '\t') {
        to[0] = '\\';
        to[1] = character == '\n' ? 'n' : 't';
        return 2;
    }
    /* Everything that must be escaped lies in the first plane. */
    memcpy(to, "\\u", 2);
    for (unsigned i = 0; i < 4; i++) {
        to[2 + i] = hex[character >> (12 - 4 * i) & 0xf];
    }
    return 6;
}

/* The usual one: copied as it is, quotes included.
 * Return: what has to be looked at closer; NULL: nothing. */
static const char *put_plain(struct ct_json *json, const char *text)
{
    const size_t most = CT_OUT_ROOM - 16; /* a comma, a quote, ... */
    char *to = ct_json_value(json);
    size_t length = strnlen(text, most);
    size_t n = 0;

    *to++ = '"';
    for (uint64_t bytes; n + sizeof(bytes) <= length; n += sizeof(bytes)) {
        memcpy(&bytes, text + n, sizeof(bytes));
        if (!all_plain(bytes)) {
            break;
        }
        memcpy(to + n, &bytes, sizeof(bytes));
    }
    while (n < most && plain((unsigned char)text[n])) {
        to[n] = text[n];
        n++;
    }
    if (n < most && !text[n]) {
        to[n] = '"';
        ct_out_used(json->out, n + 2);
        return NULL;
    }
    ct_out_used(json->out, n + 1);
    return text + n;
}

void ct_json_string(struct ct_json *json, const char *text)
{
    if (!text) {
        ct_json_null(json);
        return;
    }
    text = put_plain(json, text);
    if (!text) {
        return;
    }
    while (*text) {
        size_t run = 0;
        uint32_t character;
        unsigned length;
        char *to;

        while (plain((unsigned char)text[run])) {
            run++;
        }
        if (run) {
            ct_out_write(json->out, text, run);
            text += run;
            continue;
        }
        length = ct_utf8_next(text, &character);
        to = ct_out_room(json->out);
        if (!length) {
            memcpy(to, "\xef\xbf\xbd", 3);
            ct_out_used(json->out, 3);
            text++;
        } else if (length == 1 || ct_inert_unsafe(character)) {
            ct_out_used(json->out, escape(to, character));
            text += length;
        } else {
            memcpy(to, text, length);
            ct_out_used(json->out, length);
            text += length;
        }
    }
    ct_out_write(json->out, "\"", 1);
}

void ct_json_line(struct ct_json *json)
{
    if (!json->depth) {
        json->comma = false;
    }
    ct_out_line(json->out);
}

void ct_json_verbatim(struct ct_json *json, const char *text, size_t length)
{
    (void)ct_json_value(json);
    ct_out_write(json->out, text, length);
}
