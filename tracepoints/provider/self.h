/* SPDX-License-Identifier: MIT */
/*
 * self.h - who tells an event: process and thread
 */
#ifndef CT_SELF_H
#define CT_SELF_H

#include <stdint.h>

struct ct_self {
    int32_t pid;
    int32_t tid; /* 0: not yet asked for */
};

extern __thread struct ct_self ct_self_known
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** ct_self_load() - once, before any other library hears of forks through us */
__attribute__((visibility("hidden"))) void ct_self_load(void);

/** ct_self_ask() - ask the kernel, and remember; for ct_self() */
__attribute__((visibility("hidden"), cold)) void ct_self_ask(void);

/** ct_self() - of the calling thread, as its PID namespace counts */
static inline struct ct_self ct_self(void)
{
    if (__builtin_expect(!ct_self_known.tid, 0)) {
        ct_self_ask();
    }
    return ct_self_known;
}

#endif
