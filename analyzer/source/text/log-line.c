/* SPDX-License-Identifier: MIT */
/*
 * log-line.c - where the pieces of a log's line begin
 *
 * Runs on every line, over bytes that may be anything: it looks no further
 * than the length that it was given, and most lines have one "@" or none.
 */
#include "source/text/log-line.h"

#include <string.h>

#define USEC_DIGITS 6
#define SEC_DIGITS  10 /* more would not fit into nanoseconds */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           c == '_';
}

/* "SEC.USEC:" from @at on; NULL: it is not there. */
static const char *take_time(const char *at, const char *end, int64_t *ret_ns)
{
    int64_t sec = 0, usec = 0;
    unsigned n = 0;

    for (; at < end && is_digit(*at) && n < SEC_DIGITS; at++, n++) {
        sec = sec * 10 + (*at - '0');
    }
    if (n == 0 || end - at < USEC_DIGITS + 2 || *at != '.' ||
        at[USEC_DIGITS + 1] != ':') {
        return NULL;
    }
    at++;
    for (n = 0; n < USEC_DIGITS && is_digit(*at); at++, n++) {
        usec = usec * 10 + (*at - '0');
    }
    if (n < USEC_DIGITS || sec > INT64_MAX / 1000000000 - 1) {
        return NULL;
    }
    *ret_ns = (sec * 1000000 + usec) * 1000;
    return at + 1;
}

bool ct_log_head(const char *line, size_t n, struct ct_log_head *ret_head)
{
    const char *end = line + n;
    const char *at = line;

    while (at < end && is_digit(*at)) {
        at++;
    }
    if (at == line || at == end || *at != '@') {
        return false;
    }
    ret_head->digits = line;
    ret_head->at = at;
    ret_head->text = take_time(at + 1, end, &ret_head->stamp_ns);
    return ret_head->text != NULL;
}

bool ct_log_find(const char *text, size_t n, struct ct_log_head *ret_head)
{
    const char *end = text + n;
    const char *at = text;

    while ((at = memchr(at, '@', (size_t)(end - at)))) {
        const char *digits = at;
        const char *name;

        while (digits > text && is_digit(digits[-1])) {
            digits--;
        }
        ret_head->digits = digits;
        ret_head->at = at++;
        ret_head->text = take_time(at, end, &ret_head->stamp_ns);
        if (digits == ret_head->at || !ret_head->text) {
            continue;
        }
        name = ret_head->text;
        while (name < end && is_name(*name)) {
            name++;
        }
        if (name > ret_head->text && (name == end || *name == ' ')) {
            return true;
        }
    }
    return false;
}

int32_t ct_log_thread(const char *digits, const char *end)
{
    int64_t thread = 0;

    for (; digits < end; digits++) {
        thread = thread * 10 + (*digits - '0');
        if (thread > INT32_MAX) {
            return 0;
        }
    }
    return (int32_t)thread;
}
