/* SPDX-License-Identifier: MIT */
/*
 * text.c - numbers as qemu-io reads and prints them
 *
 * Scripts and their expected output are shared with qemu-io, so the forms are
 * its forms to the byte, times aside; tests compare the two programs.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

#define DUMP_BYTES 16 /* a line */

/* Shift of a suffix, -1: it is none */
static int suffix_shift(char c)
{
    static const char suffixes[] = "BKMGTPE";
    const char *at =
        c != '\0' ? strchr(suffixes, toupper((unsigned char)c)) : NULL;

    return at != NULL ? (int)(at - suffixes) * 10 : -1;
}

/* The point and digits at @at, as part of one; moves @at behind them. */
static double take_fraction(const char **at)
{
    size_t n = 1 + strspn(*at + 1, "0123456789");
    g_autofree char *number = g_strdup_printf("0%.*s", (int)n, *at);

    *at += n;
    return g_ascii_strtod(number, NULL);
}

int io_check_size(const char *text, int64_t *ret_bytes)
{
    const char *at = text + (*text == '+');
    bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    double fraction = 0;
    char *end;

    if (is_hex ? !isxdigit((unsigned char)at[2])
               : !isdigit((unsigned char)at[0])) {
        return -EINVAL;
    }
    errno = 0;
    uint64_t whole = strtoull(at, &end, is_hex ? 16 : 10);
    if (errno == ERANGE) {
        return *end == '\0' ? -ERANGE : -EINVAL;
    }
    at = end;
    if (*at == '.' && !is_hex) {
        fraction = take_fraction(&at);
    }
    int shift = suffix_shift(*at);
    if (shift >= 0) {
        at++;
    }
    shift = MAX(shift, 0);
    if (is_hex && shift > 0) {
        fprintf(stderr,
                "cotrace-io: warning: Using a multiplier suffix on hex "
                "numbers is deprecated: %s\n",
                text);
    }
    if (*at != '\0' || (shift == 0 && fraction > 0)) {
        return -EINVAL;
    }
    if (whole > (uint64_t)INT64_MAX >> shift) {
        return -ERANGE;
    }
    double unit = (double)(UINT64_C(1) << shift);
    *ret_bytes =
        (int64_t)((whole << shift) + (uint64_t)(fraction * unit + 0.5));
    return *ret_bytes < 0 ? -ERANGE : 0;
}

bool io_parse_size(const char *text, int64_t *ret_bytes)
{
    switch (io_check_size(text, ret_bytes)) {
    case 0:
        return true;
    case -ERANGE:
        printf("Parsing error: argument too large -- %s\n", text);
        return false;
    default:
        printf("Parsing error: non-numeric argument, or "
               "extraneous/unrecognized suffix -- %s\n",
               text);
        return false;
    }
}

bool io_take_range(int argc, char **argv, int64_t *ret_offset,
                   int64_t *ret_bytes)
{
    if (optind != argc - 2) {
        io_usage(argv[0]);
        return false;
    }
    if (!io_parse_size(argv[optind], ret_offset) ||
        !io_parse_size(argv[optind + 1], ret_bytes)) {
        return false;
    }
    if (*ret_bytes > BLOCK_REQUEST_BYTES_MAX) {
        printf("length cannot exceed %d, given %s\n", BLOCK_REQUEST_BYTES_MAX,
               argv[optind + 1]);
        return false;
    }
    return true;
}

bool io_parse_pattern(const char *text, int *ret_byte)
{
    char *end;
    long value = strtol(text, &end, 0);

    if (end == text || *end != '\0' || value < 0 || value > UINT8_MAX) {
        printf("%s is not a valid pattern byte\n", text);
        return false;
    }
    *ret_byte = (int)value;
    return true;
}

const char *io_format_size(char buf[IO_SIZE_CHARS], double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB",
                                        "TiB",   "PiB", "EiB"};
    size_t unit = 0;
    char number[IO_SIZE_CHARS];

    while (bytes >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        bytes /= 1024;
        unit++;
    }
    snprintf(number, sizeof(number), "%.3f", bytes);
    char *zeroes = strstr(number, ".000");
    if (zeroes != NULL) {
        *zeroes = '\0';
    }
    snprintf(buf, IO_SIZE_CHARS, "%.20s %s", number, units[unit]);
    return buf;
}

/* "h:mm:ss.hh" for machines; without what is zero, and "sec", for people */
static void format_time(char buf[IO_SIZE_CHARS], int64_t ns,
                        bool is_for_machines)
{
    int64_t hundredths = ns / 10000000;
    unsigned seconds = (unsigned)(hundredths / 100);
    unsigned rest = (unsigned)(hundredths % 100);
    unsigned minutes = seconds / 60, hours = minutes / 60;

    if (is_for_machines || hours > 0) {
        snprintf(buf, IO_SIZE_CHARS, "%u:%02u:%02u.%02u", hours, minutes % 60,
                 seconds % 60, rest);
    } else if (minutes > 0) {
        snprintf(buf, IO_SIZE_CHARS, "%02u:%02u.%02u", minutes, seconds % 60,
                 rest);
    } else {
        snprintf(buf, IO_SIZE_CHARS, "%02u.%02u sec", seconds, rest);
    }
}

void io_print_report(const char *what, int64_t ns, int64_t offset,
                     int64_t bytes, bool is_for_machines)
{
    double seconds = (double)MAX(ns, 1) / 1e9;
    double per_second = 1 / seconds;
    double bytes_per_second = (double)bytes / seconds;
    char size[IO_SIZE_CHARS], rate[IO_SIZE_CHARS], time[IO_SIZE_CHARS];

    format_time(time, ns, is_for_machines);
    if (is_for_machines) {
        printf("%" PRId64 ",1,%s,%.3f,%.3f\n", bytes, time, bytes_per_second,
               per_second);
        return;
    }
    printf("%s %" PRId64 "/%" PRId64 " bytes at offset %" PRId64 "\n"
           "%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n",
           what, bytes, bytes, offset, io_format_size(size, (double)bytes),
           time, io_format_size(rate, bytes_per_second), per_second);
}

void io_tell_guarded(const BlockBackend *blk, const char *filename)
{
    if (!blk_is_guarded(blk) || !blk_is_writable(blk)) {
        return;
    }
    fprintf(stderr,
            "WARNING: Image format was not specified for '%s' and probing "
            "guessed raw.\n"
            "         Automatically detecting the format is dangerous for raw "
            "images, write operations on block 0 will be restricted.\n"
            "         Specify the 'raw' format explicitly to remove the "
            "restrictions.\n",
            filename);
}

void io_dump(const uint8_t *buf, int64_t offset, int64_t bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (int64_t line = 0; line < bytes; line += DUMP_BYTES) {
        size_t n = (size_t)MIN(DUMP_BYTES, bytes - line);
        char hex[3 * DUMP_BYTES + 1], text[DUMP_BYTES + 1];

        for (size_t i = 0; i < n; i++) {
            uint8_t byte = buf[(size_t)line + i];
            hex[3 * i] = digits[byte >> 4];
            hex[3 * i + 1] = digits[byte & 15];
            hex[3 * i + 2] = ' ';
            text[i] = isalnum(byte) ? (char)byte : '.';
        }
        hex[3 * n] = '\0';
        text[n] = '\0';
        printf("%08" PRIx64 ":  %s %s\n", (uint64_t)(offset + line), hex, text);
    }
}
