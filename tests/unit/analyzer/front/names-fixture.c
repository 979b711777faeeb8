/* SPDX-License-Identifier: MIT */
/*
 * names-fixture.c - code to look names up in; optimised, and never run
 *
 * Functions inlined into each other over two files, several calls on a line
 * and a call over several lines, a function that compilers like to clone
 * (.constprop, .isra, .part), a cold part, a call as the last instruction.
 */
#include "names-fixture.h"

#include <stdio.h>
#include <stdlib.h>

int unknown(int n);
int entry_point(int argc, char **argv);
int with_macro(int n);
_Noreturn void give_up(int n);

#define TWICE(n) (unknown(n) + unknown((n) + 1))

__attribute__((noinline)) int unknown(int n)
{
    return n ^ (int)(long)&unknown;
}

_Noreturn __attribute__((noinline, cold)) void give_up(int n)
{
    printf("%d\n", n);
    exit(unknown(n));
}

/* Called with the same argument twice: a candidate for cloning. */
static __attribute__((noinline)) int cloned(int n, const char *text, int always)
{
    if (__builtin_expect(n > 100, 0)) {
        give_up(n + always);
    }
    for (int i = 0; i < n; i++) {
        n += unknown(i) + text[0];
    }
    return n + always;
}

int with_macro(int n)
{
    int a = TWICE(n), b = TWICE(a);

    return cloned(a, "text", 7) + cloned(b, "other", 7);
}

static inline __attribute__((always_inline)) int outer(int n)
{
    if (n > 5) {
        return between(n, unknown);
    }
    return between(n + 1, with_macro) + between(n + 2, unknown);
}

int entry_point(int argc, char **argv)
{
    int n = outer(argc);

    if (n == 12345) {
        give_up(n);
    }
    return outer(n) + atoi(argv[0]);
}

int main(int argc, char **argv)
{
    return entry_point(argc, argv);
}
