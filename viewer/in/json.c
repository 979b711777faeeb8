/* SPDX-License-Identifier: MIT */
/*
 * json.c - JSON, taken from its text piece by piece
 *
 * Whole numbers only, since we write no others.
 */
#include "in/json.h"

#include <string.h>

void ct_json_in_init(struct ct_json_in *in, const char *text, size_t bytes)
{
    *in = (struct ct_json_in){.text = text, .at = text, .end = text + bytes};
}

void ct_json_in_fail(struct ct_json_in *in, const char *problem)
{
    if (!in->problem) {
        in->problem = problem;
        in->end = in->at;
    }
}

static char peek(struct ct_json_in *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) {
        in->at++;
    }
    return in->at < in->end ? *in->at : '\0';
}

static bool take(struct ct_json_in *in, char wanted)
{
    if (peek(in) != wanted || in->at == in->end) {
        return false;
    }
    in->at++;
    return true;
}

void ct_json_in_open(struct ct_json_in *in, char bracket)
{
    if (!take(in, bracket)) {
        ct_json_in_fail(in, "has something else where a list should be");
    }
    in->is_first = true;
}

bool ct_json_in_more(struct ct_json_in *in, char bracket)
{
    bool is_first = in->is_first;

    in->is_first = false;
    if (take(in, bracket)) {
        return false;
    }
    if (!is_first && !take(in, ',')) {
        ct_json_in_fail(in, "ends too early");
    }
    return !in->problem;
}

static unsigned take_hex(struct ct_json_in *in)
{
    unsigned value = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (in->at == in->end || !g_ascii_isxdigit(*in->at)) {
            ct_json_in_fail(in, "has an escape that means nothing");
            return 0xfffd;
        }
        value = value * 16 + (unsigned)g_ascii_xdigit_value(*in->at++);
    }
    return value;
}

/* behind "\u" */
static gunichar take_unicode(struct ct_json_in *in)
{
    unsigned value = take_hex(in);

    if (value >= 0xd800 && value < 0xdc00 && in->end - in->at >= 6 &&
        in->at[0] == '\\' && in->at[1] == 'u') {
        in->at += 2;
        unsigned low = take_hex(in);
        if (low >= 0xdc00 && low < 0xe000) {
            return 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
        }
        return 0xfffd;
    }
    return value >= 0xd800 && value < 0xe000 ? 0xfffd : value;
}

static void take_escape(struct ct_json_in *in, GString *text)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char what = in->at < in->end ? *in->at++ : '\0';
    const char *found = what ? strchr(from, what) : NULL;

    if (what == 'u') {
        gunichar value = take_unicode(in);
        g_string_append_unichar(text, value ? value : 0xfffd);
    } else if (found) {
        g_string_append_c(text, to[found - from]);
    } else {
        ct_json_in_fail(in, "has an escape that means nothing");
    }
}

void ct_json_in_string(struct ct_json_in *in, GString *text)
{
    g_string_truncate(text, 0);
    in->is_first = false;
    if (!take(in, '"')) {
        ct_json_in_fail(in, "has something else where a string should be");
        return;
    }
    while (in->at < in->end && *in->at != '"') {
        char c = *in->at++;
        if (c == '\\') {
            take_escape(in, text);
        } else if ((unsigned char)c < ' ') {
            ct_json_in_fail(in, "has a control character in a string");
        } else {
            g_string_append_c(text, c);
        }
    }
    if (in->at == in->end) {
        ct_json_in_fail(in, "ends too early");
        return;
    }
    in->at++;
    if (!g_utf8_validate(text->str, (gssize)text->len, NULL)) {
        ct_json_in_fail(in, "has a string that is not UTF-8");
    }
}

void ct_json_in_key(struct ct_json_in *in, GString *key)
{
    ct_json_in_string(in, key);
    if (!in->problem && !take(in, ':')) {
        ct_json_in_fail(in, "has a key without a value");
    }
}

int64_t ct_json_in_i64(struct ct_json_in *in)
{
    bool is_negative = peek(in) == '-';
    uint64_t limit = (uint64_t)INT64_MAX + is_negative;
    uint64_t value = 0;

    in->is_first = false;
    in->at += is_negative;
    if (in->at == in->end || !g_ascii_isdigit(*in->at)) {
        ct_json_in_fail(in, "has something else where a number should be");
        return 0;
    }
    for (; in->at < in->end && g_ascii_isdigit(*in->at); in->at++) {
        unsigned digit = (unsigned)(*in->at - '0');
        if (value > (limit - digit) / 10) {
            ct_json_in_fail(in, "has a number that is too large");
            return 0;
        }
        value = value * 10 + digit;
    }
    return is_negative ? (int64_t)(0 - value) : (int64_t)value;
}

bool ct_json_in_bool(struct ct_json_in *in)
{
    static const char *const words[] = {"false", "true"};

    (void)peek(in);
    in->is_first = false;
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(in->end - in->at) >= length &&
            !memcmp(in->at, words[i], length)) {
            in->at += length;
            return i;
        }
    }
    ct_json_in_fail(in, "has something else where true or false should be");
    return false;
}

void ct_json_in_end(struct ct_json_in *in)
{
    if (peek(in) || in->at < in->end) {
        ct_json_in_fail(in, "has something behind its end");
    }
}
