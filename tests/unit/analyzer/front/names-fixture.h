/* SPDX-License-Identifier: MIT */
/*
 * names-fixture.h - inlined code of another file
 */
#ifndef NAMES_FIXTURE_H
#define NAMES_FIXTURE_H

static inline __attribute__((always_inline)) int innermost(int n, int (*f)(int))
{
    int sum = 0;

    for (int i = 0; i < n; i++) {
        sum += f(i) * 3;
        if (sum > 1000) {
            sum -= f(sum);
        }
    }
    return sum;
}

static inline __attribute__((always_inline)) int between(int n, int (*f)(int))
{
    return innermost(n, f) + innermost(n / 2, f);
}

#endif
