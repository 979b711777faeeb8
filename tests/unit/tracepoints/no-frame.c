/* SPDX-License-Identifier: MIT */
/*
 * no-frame.c - our own code without frame pointers, against the rules: built so
 * to see that .eh_frame notices
 */
#include "no-frame.h"

__attribute__((noinline)) int call_without_frame(int (*call)(void))
{
    int result = call();

    __asm__ volatile("");
    return result + 1;
}
