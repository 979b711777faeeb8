/* SPDX-License-Identifier: MIT */
/*
 * test-format.c - the preload's own formatter: the same text as glibc's, or -1
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/format.h"
#include "lib/tap.h"

enum { ROOM = 256, GUARD = 0x5a };

static char ours[ROOM + 1], theirs[ROOM + 1];
static int n_ours, n_theirs;

static void format(size_t size, const char *text, ...)
{
    va_list list;

    memset(ours, GUARD, sizeof(ours));
    va_start(list, text);
    n_ours = ct_format(ours, size, text, list);
    va_end(list);
    va_start(list, text);
    n_theirs = vsnprintf(theirs, size, text, list);
    va_end(list);
}

static int format_ours(const char *text, ...)
{
    va_list list;
    int n;

    va_start(list, text);
    n = ct_format(ours, ROOM, text, list);
    va_end(list);
    return n;
}

static bool is_same(void)
{
    bool same = n_ours == n_theirs && strcmp(ours, theirs) == 0;

    if (!same) {
        printf("# \"%s\" (%d) is to be \"%s\" (%d)\n", n_ours < 0 ? "" : ours,
               n_ours, theirs, n_theirs);
    }
    return same;
}

#define SAME(...)                  \
    do {                           \
        format(ROOM, __VA_ARGS__); \
        tap_check(is_same());      \
    } while (0)

static void test_lines(void)
{
    SAME("");
    SAME("no event\n");
    SAME("bdrv_co_preadv_part bs %p offset %" PRId64 " bytes %" PRId64
         " flags 0x%x\n",
         (void *)ours, INT64_C(4096), INT64_C(512), 3);
    SAME("%d@%zu.%06zu:job_state_transition job %p (ret: %d) attempting %s "
         "transition (%s-->%s)\n",
         1234, (size_t)1700000000, (size_t)42, (void *)0, -5, "legal", "a", "");
    SAME("%s", (char *)NULL);
    SAME("%c%c|%5c|%5s|%20p|%20p|%2s", 'a', 'b', 'c', "de", (void *)0,
         (void *)ours, "long");
}

/* Every conversion, length and width with the ends of its range and with
 * numbers in between. */
static void test_numbers(void)
{
    static const char *const lengths[] = {"hh", "h", "",  "l",
                                          "ll", "j", "z", "t"};
    static const char *const flags[] = {"", "0", "#", "0#", "3", "08", "#16"};
    static const uint64_t ends[] = {
        0,         1,        0x7f,       0x80,      0xffff,
        INT32_MAX, 1u << 31, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MIN,
        UINT64_MAX};
    enum { ENDS = sizeof(ends) / sizeof(ends[0]) };
    unsigned n = 0;

    srand48(1);
    for (unsigned i = 0; i < 8 * 7 * 5; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "<%%%s%s%c>", flags[i % 7],
                       lengths[i / 7 % 8], "dixXu"[i / 56]);
        for (unsigned k = 0; k < ENDS + 50; k++) {
            uint64_t number =
                k < ENDS ? ends[k]
                         : ((uint64_t)mrand48() << 32 ^ (uint64_t)mrand48()) >>
                               k % 64;

            if (lengths[i / 7 % 8][0] == 'h' || !lengths[i / 7 % 8][0]) {
                format(ROOM, text, (unsigned)number);
            } else {
                format(ROOM, text, number);
            }
            tap_check(is_same());
            n++;
        }
    }
    printf("# %u numbers, seed 1\n", n);
}

/* In as much room as there is, and never behind it. */
static void test_room(void)
{
    for (size_t size = 1; size < 40; size++) {
        format(size, "name %p %s %8d\n", (void *)(uintptr_t)0x1234, "word", 7);
        tap_check(n_ours == ((size_t)n_theirs < size ? n_theirs : -1));
        tap_check(n_ours < 0 || strcmp(ours, theirs) == 0);
        for (size_t i = size; i < sizeof(ours); i++) {
            tap_check(ours[i] == GUARD);
        }
    }
}

static void test_refused(void)
{
    static const char *const unknown[] = {
        "%",    "%%",   "%-5d", "%+d",  "% d",     "%.3s",  "%*d", "%f",
        "%Lf",  "%o",   "%ls",  "%lc",  "%hs",     "%lp",   "%n",  "%m",
        "%05s", "%05p", "%05c", "%1$d", "%lld %q", "%999d", "%h",  "%l"};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        int n;

        memset(ours, 0, sizeof(ours));
        n = format_ours(unknown[i], 1, 2, 3);
        if (n != -1) {
            printf("# %s\n", unknown[i]);
        }
        tap_equal(n, -1);
    }
}

int main(void)
{
    tap_run("lines as QEMU prints them", test_lines);
    tap_run("numbers of all lengths", test_numbers);
    tap_run("no room", test_room);
    tap_run("what is left to vsnprintf()", test_refused);
    return tap_end();
}
