/* SPDX-License-Identifier: MIT */
/*
 * out/json.h - a writer of JSON that owns commas, escapes and nesting
 *
 * Model:    begin/end of objects and arrays, keys and values in the order of
 *           the text; a value stands in an array, after a key, or alone at the
 *           top.  Text goes straight to a struct ct_out; nothing is kept, so a
 *           document may be of any length.
 * Threads:  one at a time.
 * Memory:   the writer is the caller's, without anything to free.
 * Errors:   misuse aborts (key outside an object, value without its key, wrong
 *           end); what the output can't take is the struct ct_out's to tell.
 * Numbers:  integers only, exact; no value passes through a double.
 * Strings:  any bytes; what is no UTF-8 becomes U+FFFD, and characters that
 *           could act on a terminal (out/inert.h) are written as \uXXXX.
 * Depends:  ct/pre.h, out/file.h.
 */
#ifndef CT_OUT_JSON_H
#define CT_OUT_JSON_H

#include "ct/pre.h"
#include "out/file.h"

#define CT_JSON_DEPTH 32

struct ct_json {
    struct ct_out *out;
    uint32_t objects; /* bit n: level n is an object, else an array */
    unsigned depth;
    bool comma;           /* the level has an element already */
    bool keyed;           /* a key waits for its value */
    unsigned lines_depth; /* elements of this level begin a line; 0: none */
};

void ct_json_init(struct ct_json *json, struct ct_out *out);

void ct_json_object(struct ct_json *json);
void ct_json_object_end(struct ct_json *json);
void ct_json_array(struct ct_json *json);
void ct_json_array_end(struct ct_json *json);

/* Room for the next element, its comma written.  Inline, as are the values
 * that a timeline has millions of: their lengths are then constants. */
static inline char *ct_json_element(struct ct_json *json)
{
    char *to = ct_out_room(json->out);

    if (json->comma) {
        *to++ = ',';
        ct_out_used(json->out, 1);
    }
    json->comma = true;
    if (json->depth == json->lines_depth && json->depth) {
        *to++ = '\n';
        ct_out_used(json->out, 1);
    }
    return to;
}

static inline bool ct_json_in_object(const struct ct_json *json)
{
    return json->objects >> json->depth & 1;
}

/* Room for the next value. */
static inline char *ct_json_value(struct ct_json *json)
{
    if (json->keyed) {
        json->keyed = false;
        return ct_out_room(json->out);
    }
    ct_pre("json-value/has-key", !ct_json_in_object(json));
    return ct_json_element(json);
}

static inline void ct_json_key_text(struct ct_json *json, const char *quoted,
                                    size_t length)
{
    ct_pre("json-key/in-object", ct_json_in_object(json) && !json->keyed);
    memcpy(ct_json_element(json), quoted, length);
    ct_out_used(json->out, length);
    json->keyed = true;
}

/** ct_json_key() - @name: a string literal without characters to escape */
#define ct_json_key(json, name) \
    ct_json_key_text(json, "\"" name "\":", sizeof(name) + 2)

static inline void ct_json_put(struct ct_json *json, const char *text,
                               size_t length)
{
    memcpy(ct_json_value(json), text, length);
    ct_out_used(json->out, length);
}

/** ct_json_word() - a string that is a literal without characters to escape */
#define ct_json_word(json, word) \
    ct_json_put(json, "\"" word "\"", sizeof(word) + 1)

void ct_json_null(struct ct_json *json);
void ct_json_bool(struct ct_json *json, bool value);
void ct_json_u64(struct ct_json *json, uint64_t value);
void ct_json_i64(struct ct_json *json, int64_t value);
void ct_json_string(struct ct_json *json, const char *text); /* NULL: null */
void ct_json_hex(struct ct_json *json, uint64_t value);      /* "0x..." */

/** ct_json_us() - nanoseconds as microseconds with three decimals */
void ct_json_us(struct ct_json *json, int64_t value_ns);

/** ct_json_id() - an id or a number of which 0 means "none": null */
static inline void ct_json_id(struct ct_json *json, uint64_t id)
{
    if (id) {
        ct_json_u64(json, id);
    } else {
        ct_json_null(json);
    }
}

/** ct_json_known_i64() - a value, or null where it is not known */
static inline void ct_json_known_i64(struct ct_json *json, bool is_known,
                                     int64_t value)
{
    if (is_known) {
        ct_json_i64(json, value);
    } else {
        ct_json_null(json);
    }
}

/*
 * A key and its number at once, most of what a long answer consists of: what is
 * checked and kept for each is so once, not three times.
 */

/* Room behind the next key, which is to be said with its value. */
static inline char *ct_json_member(struct ct_json *json, const char *quoted,
                                   size_t length)
{
    char *to;

    if (!json->comma || json->depth == json->lines_depth) {
        ct_json_key_text(json, quoted + 1, length - 1);
        json->keyed = false;
        return ct_out_room(json->out);
    }
    ct_pre("json-member/in-object", ct_json_in_object(json) && !json->keyed);
    to = ct_out_room(json->out);
    memcpy(to, quoted, length);
    return to + length;
}

void ct_json_member_u64(struct ct_json *json, char *to, bool is_known,
                        uint64_t value);
void ct_json_member_i64(struct ct_json *json, char *to, bool is_known,
                        int64_t value);

#define CT_JSON_MEMBER(json, name) \
    ct_json_member(json, ",\"" name "\":", sizeof(name) + 3)

/** ct_json_u64_of() - key and number; null where it is not known
 * @name: a string literal without characters to escape */
#define ct_json_u64_of(json, name, is_known, value) \
    ct_json_member_u64(json, CT_JSON_MEMBER(json, name), is_known, value)
#define ct_json_i64_of(json, name, is_known, value) \
    ct_json_member_i64(json, CT_JSON_MEMBER(json, name), is_known, value)

/** ct_json_line() - end a line of a document or of JSON Lines */
void ct_json_line(struct ct_json *json);

/** ct_json_verbatim() - text that is already JSON as the next value */
void ct_json_verbatim(struct ct_json *json, const char *text, size_t length);

/** ct_digits() - decimal digits of @value; Return: how many (at most 20) */
unsigned ct_digits(char *to, uint64_t value);

/** ct_digits_us() - @value_ns / 1000 with three decimals; at most 22 */
unsigned ct_digits_us(char *to, int64_t value_ns);

#endif
