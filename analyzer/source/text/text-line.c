/* SPDX-License-Identifier: MIT */
/*
 * text-line.c - one line of a text trace becomes a record
 *
 *     @NS PID/TID [PROVIDER:]EVENT FIELD=VALUE ...
 *     ! stream=N from=NS to=NS lost=N|?
 *     # comment
 *
 * A cursor walks over the line; every function below takes what it expects
 * there or gives a reason and says so.  Strict on purpose: people write these
 * traces by hand, and a field that is silently ignored would make a test that
 * tests nothing.
 */
#include "source/text/text-line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cursor {
    struct ct_text_parser *parser;
    char *at;
};

__attribute__((format(printf, 2, 3))) static void set_reason(
    struct cursor *cursor, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cursor->parser->reason, sizeof(cursor->parser->reason), format,
              args);
    va_end(args);
}

/* `return bad(...)`: a macro, so that the compiler sees the false. */
#define bad(...) (set_reason(__VA_ARGS__), false)

static void skip_spaces(struct cursor *cursor)
{
    while (*cursor->at == ' ' || *cursor->at == '\t') {
        cursor->at++;
    }
}

static bool take(struct cursor *cursor, char c)
{
    if (*cursor->at != c) {
        return bad(cursor, "'%c' expected", c);
    }
    cursor->at++;
    return true;
}

/* --- numbers -------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static bool take_unsigned(struct cursor *cursor, uint64_t max,
                          uint64_t *ret_value)
{
    unsigned base = 10;
    uint64_t value = 0;
    unsigned n = 0;

    if (cursor->at[0] == '0' &&
        (cursor->at[1] == 'x' || cursor->at[1] == 'X')) {
        base = 16;
        cursor->at += 2;
    }
    for (;; n++, cursor->at++) {
        int digit = digit_of(*cursor->at);

        if (digit < 0 || digit >= (int)base) {
            break;
        }
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (unsigned)digit, &value)) {
            return bad(cursor, "number too large");
        }
    }
    if (n == 0) {
        return bad(cursor, "number expected");
    }
    if (value > max) {
        return bad(cursor, "%" PRIu64 " is more than %" PRIu64, value, max);
    }
    *ret_value = value;
    return true;
}

/* Between -max - 1 and max. */
static bool take_signed(struct cursor *cursor, uint64_t max, int64_t *ret_value)
{
    bool negative = *cursor->at == '-';
    uint64_t value;

    if (negative) {
        cursor->at++;
    }
    if (!take_unsigned(cursor, negative ? max + 1 : max, &value)) {
        return false;
    }
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* An instant, or "-" in a trace without a clock. */
static bool take_time(struct cursor *cursor, int64_t *ret_ns)
{
    uint64_t ns;

    if (!cursor->parser->has_clock) {
        *ret_ns = 0;
        return take(cursor, '-');
    }
    if (*cursor->at == '-') {
        return bad(cursor, "a time expected: the trace has a clock");
    }
    if (!take_unsigned(cursor, INT64_MAX - 1, &ns)) {
        return false;
    }
    *ret_ns = (int64_t)ns;
    return true;
}

/* --- strings -------------------------------------------------------------- */

static bool take_hex4(struct cursor *cursor, unsigned *ret_code)
{
    unsigned code = 0;

    for (unsigned i = 0; i < 4; i++, cursor->at++) {
        int digit = digit_of(*cursor->at);

        if (digit < 0) {
            return bad(cursor, "\\u needs four hex digits");
        }
        code = code * 16 + (unsigned)digit;
    }
    *ret_code = code;
    return true;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* What follows "\u"; a pair of surrogates is one character. */
static bool take_unicode(struct cursor *cursor, char **to)
{
    unsigned code;
    unsigned low;

    if (!take_hex4(cursor, &code)) {
        return false;
    }
    if (code >= 0xd800 && code < 0xdc00) {
        if (cursor->at[0] != '\\' || cursor->at[1] != 'u') {
            return bad(cursor, "half of a surrogate pair");
        }
        cursor->at += 2;
        if (!take_hex4(cursor, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return bad(cursor, "half of a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code == 0 || (code >= 0xdc00 && code <= 0xdfff)) {
        return bad(cursor, "\\u%04x can't stand in a string", code);
    }
    *to = put_utf8(*to, code);
    return true;
}

/* Unescapes in place: the text never gets longer. */
static bool take_string(struct cursor *cursor, struct ct_value *value)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char *to;

    if (!take(cursor, '"')) {
        return false;
    }
    value->s = to = cursor->at;
    while (*cursor->at != '"') {
        const char *escape;

        if (*cursor->at == '\0') {
            return bad(cursor, "string without end");
        }
        if (*cursor->at != '\\') {
            *to++ = *cursor->at++;
            continue;
        }
        cursor->at++;
        if (*cursor->at == 'u') {
            cursor->at++;
            if (!take_unicode(cursor, &to)) {
                return false;
            }
            continue;
        }
        escape = *cursor->at ? strchr(escapes, *cursor->at) : NULL;
        if (!escape) {
            return bad(cursor, "unknown escape in a string");
        }
        *to++ = meanings[escape - escapes];
        cursor->at++;
    }
    cursor->at++;
    *to = '\0';
    value->len = (uint32_t)(to - value->s);
    return true;
}

/* --- the values of the schema's kinds ------------------------------------- */

static bool take_enum(struct cursor *cursor, const struct ct_field *field,
                      struct ct_value *value)
{
    size_t n = strcspn(cursor->at, " \t");

    if (digit_of(*cursor->at) >= 0 && *cursor->at <= '9') {
        return take_unsigned(cursor, UINT8_MAX, &value->u);
    }
    for (unsigned i = 0; field->words[i]; i++) {
        if (strlen(field->words[i]) == n &&
            strncmp(field->words[i], cursor->at, n) == 0) {
            value->u = i;
            cursor->at += n;
            return true;
        }
    }
    return bad(cursor, "%s has no word '%.*s'", field->name,
               (int)(n < 40 ? n : 40), cursor->at);
}

static bool take_hexes(struct cursor *cursor, struct ct_value *value)
{
    uint64_t *array = cursor->parser->array;

    value->v = array;
    value->len = 0;
    if (*cursor->at == '\0' || *cursor->at == ' ' || *cursor->at == '\t') {
        return true; /* none */
    }
    for (;;) {
        if (value->len == CT_TEXT_ARRAY_MAX) {
            return bad(cursor, "more than %d values", CT_TEXT_ARRAY_MAX);
        }
        if (!take_unsigned(cursor, UINT64_MAX, &array[value->len])) {
            return false;
        }
        value->len++;
        if (*cursor->at != ',') {
            return true;
        }
        cursor->at++;
    }
}

static bool take_bytes(struct cursor *cursor, struct ct_value *value)
{
    uint8_t *bytes = cursor->parser->bytes;

    value->b = bytes;
    value->len = 0;
    while (digit_of(cursor->at[0]) >= 0) {
        if (digit_of(cursor->at[1]) < 0) {
            return bad(cursor, "odd number of hex digits");
        }
        if (value->len == CT_TEXT_ARRAY_MAX) {
            return bad(cursor, "more than %d bytes", CT_TEXT_ARRAY_MAX);
        }
        bytes[value->len++] =
            (uint8_t)(digit_of(cursor->at[0]) << 4 | digit_of(cursor->at[1]));
        cursor->at += 2;
    }
    return true;
}

static bool take_value(struct cursor *cursor, const struct ct_field *field,
                       struct ct_value *value)
{
    switch (field->kind) {
    case CT_FIELD_STRING:
        return take_string(cursor, value);
    case CT_FIELD_HEXES:
        return take_hexes(cursor, value);
    case CT_FIELD_BYTES:
        return take_bytes(cursor, value);
    case CT_FIELD_ENUM:
        return take_enum(cursor, field, value);
    case CT_FIELD_I32:
        return take_signed(cursor, INT32_MAX, &value->i);
    case CT_FIELD_I64:
        return take_signed(cursor, INT64_MAX, &value->i);
    case CT_FIELD_U32:
        return take_unsigned(cursor, UINT32_MAX, &value->u);
    default:
        return take_unsigned(cursor, UINT64_MAX, &value->u);
    }
}

/* --- lines ---------------------------------------------------------------- */

/* Takes "NAME=" and returns NAME, or NULL with the reason. */
static char *take_key(struct cursor *cursor)
{
    char *key = cursor->at;
    size_t n = strcspn(key, "= \t");

    if (n == 0 || key[n] != '=') {
        set_reason(cursor, "FIELD=VALUE expected");
        return NULL;
    }
    key[n] = '\0';
    cursor->at = key + n + 1;
    return key;
}

static bool at_end_of_word(struct cursor *cursor)
{
    if (*cursor->at != '\0' && *cursor->at != ' ' && *cursor->at != '\t') {
        return bad(cursor, "a space expected before '%.20s'", cursor->at);
    }
    skip_spaces(cursor);
    return true;
}

static bool take_fields(struct cursor *cursor, struct ct_record *record)
{
    const struct ct_event *event = ct_schema_event((unsigned)record->event);

    while (*cursor->at) {
        char *key = take_key(cursor);
        int field = key ? ct_schema_field(event, key) : -1;

        if (!key) {
            return false;
        }
        if (field < 0) {
            return bad(cursor, "%s has no field '%.40s'", event->name, key);
        }
        if (record->values[field].present) {
            return bad(cursor, "%s is told twice", event->fields[field].name);
        }
        if (!take_value(cursor, &event->fields[field],
                        &record->values[field]) ||
            !at_end_of_word(cursor)) {
            return false;
        }
        record->values[field].present = true;
    }
    return true;
}

static bool take_event_name(struct cursor *cursor, struct ct_record *record)
{
    char *name = cursor->at;
    size_t n = strcspn(name, " \t");
    char end = name[n];
    char *colon;

    name[n] = '\0';
    colon = strchr(name, ':');
    if (colon) {
        *colon = '\0';
        record->event = ct_schema_find(name, colon + 1);
    } else {
        record->event = ct_schema_find("cotrace", name);
    }
    if (record->event < 0) {
        return bad(cursor, "no such event '%.60s'", colon ? colon + 1 : name);
    }
    cursor->at = name + n;
    if (end) {
        cursor->at++;
    }
    skip_spaces(cursor);
    return true;
}

static bool take_event(struct cursor *cursor, struct ct_record *record)
{
    uint64_t pid;
    uint64_t tid;

    record->kind = CT_RECORD_EVENT;
    if (!take_time(cursor, &record->when_ns) || !at_end_of_word(cursor) ||
        !take_unsigned(cursor, INT32_MAX, &pid) || !take(cursor, '/') ||
        !take_unsigned(cursor, INT32_MAX, &tid) || !at_end_of_word(cursor) ||
        !take_event_name(cursor, record)) {
        return false;
    }
    record->pid = (int32_t)pid;
    record->tid = (int32_t)tid;
    return take_fields(cursor, record);
}

static bool take_hole_value(struct cursor *cursor, const char *key,
                            struct ct_record *record)
{
    uint64_t value;

    if (strcmp(key, "stream") == 0) {
        if (!take_unsigned(cursor, CT_TEXT_STREAMS_MAX - 1, &value)) {
            return false;
        }
        record->stream = (uint32_t)value;
        return true;
    }
    if (strcmp(key, "from") == 0) {
        return take_time(cursor, &record->when_ns);
    }
    if (strcmp(key, "to") == 0) {
        return take_time(cursor, &record->to_ns);
    }
    if (strcmp(key, "lost") == 0) {
        if (*cursor->at == '?') {
            cursor->at++;
            record->lost = CT_LOST_UNKNOWN;
            return true;
        }
        if (!take_unsigned(cursor, UINT64_MAX - 1, &record->lost)) {
            return false;
        }
        return record->lost > 0 || bad(cursor, "a hole has lost something");
    }
    return bad(cursor, "a hole has no '%.40s'", key);
}

static bool take_hole(struct cursor *cursor, struct ct_record *record)
{
    static const char *const keys[] = {"stream", "from", "to", "lost"};

    record->kind = CT_RECORD_HOLE;
    record->event = -1;
    skip_spaces(cursor);
    for (unsigned i = 0; i < 4; i++) {
        char *key = take_key(cursor);

        if (!key) {
            return false;
        }
        if (strcmp(key, keys[i]) != 0) {
            return bad(cursor, "%s= expected", keys[i]);
        }
        if (!take_hole_value(cursor, key, record) || !at_end_of_word(cursor)) {
            return false;
        }
    }
    if (*cursor->at) {
        return bad(cursor, "nothing more expected in a hole");
    }
    if (record->to_ns < record->when_ns) {
        return bad(cursor, "a hole that ends before it begins");
    }
    return true;
}

enum ct_text_kind ct_text_parse(struct ct_text_parser *parser, char *line)
{
    struct cursor cursor = {.parser = parser, .at = line};

    parser->record = (struct ct_record){.has_clock = parser->has_clock};
    skip_spaces(&cursor);
    switch (*cursor.at++) {
    case '\0':
    case '#':
        return CT_TEXT_NOTHING;
    case '@':
        return take_event(&cursor, &parser->record) ? CT_TEXT_EVENT
                                                    : CT_TEXT_BAD;
    case '!':
        return take_hole(&cursor, &parser->record) ? CT_TEXT_HOLE : CT_TEXT_BAD;
    default:
        set_reason(&cursor, "a line begins with @, ! or #");
        return CT_TEXT_BAD;
    }
}
