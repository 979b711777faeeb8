/* SPDX-License-Identifier: MIT */
/*
 * quantity.c - text for people: times, counts and sizes
 */
#include "out/quantity.h"

#include <string.h>

#include "out/json.h"

void ct_text_number(GString *line, uint64_t value)
{
    char digits[20];

    g_string_append_len(line, digits, ct_digits(digits, value));
}

void ct_text_us(GString *line, int64_t value_ns)
{
    char digits[24];

    g_string_append_len(line, digits, ct_digits_us(digits, value_ns));
}

void ct_text_ns(const struct ct_text *text, GString *line, int64_t value_ns)
{
    static const struct {
        int64_t ns;
        const char *ascii;
        const char *utf8;
    } units[] = {
        {1000000000, " s", " s"},
        {1000000, " ms", " ms"},
        {1000, " us", " \u00b5s"},
    };
    uint64_t value = value_ns < 0 ? -(uint64_t)value_ns : (uint64_t)value_ns;

    if (value_ns < 0) {
        g_string_append_c(line, '-');
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        uint64_t unit = (uint64_t)units[i].ns;
        uint64_t whole = value / unit;
        unsigned decimals;

        if (!whole) {
            continue;
        }
        decimals = (unsigned)(value % unit / (unit / 1000));
        ct_text_number(line, whole);
        if (whole < 10) {
            g_string_append_printf(line, ".%03u", decimals);
        } else if (whole < 100) {
            g_string_append_printf(line, ".%02u", decimals / 10);
        } else {
            g_string_append_printf(line, ".%u", decimals / 100);
        }
        g_string_append(line, text->utf8 ? units[i].utf8 : units[i].ascii);
        return;
    }
    ct_text_number(line, value);
    g_string_append(line, " ns");
}

void ct_text_count(GString *line, uint64_t value)
{
    char digits[20];
    unsigned n = ct_digits(digits, value);

    for (unsigned i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) {
            g_string_append_c(line, ' ');
        }
        g_string_append_c(line, digits[i]);
    }
}

void ct_text_size(GString *line, uint64_t bytes)
{
    static const char units[] = "KMGT";
    unsigned n = 0;

    while (n < strlen(units) && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        n++;
    }
    ct_text_number(line, bytes);
    if (n) {
        g_string_append_c(line, units[n - 1]);
    }
}
