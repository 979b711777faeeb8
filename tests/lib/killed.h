/* SPDX-License-Identifier: MIT */
/*
 * killed.h - a filter that ends the process for each call that is not listed
 */
#ifndef TEST_KILLED_H
#define TEST_KILLED_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KILLED_MAX = 128 };

#if defined(__x86_64__)
#define KILLED_ARCH AUDIT_ARCH_X86_64
#else
#define KILLED_ARCH AUDIT_ARCH_AARCH64
#endif

struct killed {
    struct sock_filter steps[2 * KILLED_MAX + 6];
    unsigned short n;
};

static inline void killed_step(struct killed *killed, struct sock_filter step)
{
    killed->steps[killed->n++] = step;
}

static inline void killed_allow(struct killed *killed, const int *calls,
                                size_t n)
{
    const struct sock_filter load_arch =
                                 BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                          offsetof(struct seccomp_data, arch)),
                             is_arch = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                KILLED_ARCH, 1, 0),
                             load = BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr)),
                             kill = BPF_STMT(BPF_RET | BPF_K,
                                             SECCOMP_RET_KILL_PROCESS),
                             allow =
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

    if (killed->n == 0) {
        killed_step(killed, load_arch);
        killed_step(killed, is_arch);
        killed_step(killed, kill);
        killed_step(killed, load);
    }
    for (size_t i = 0; i < n && killed->n < 2 * KILLED_MAX; i++) {
        const struct sock_filter is_call =
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);

        killed_step(killed, is_call);
        killed_step(killed, allow);
    }
}

/* The filter whole. */
static inline struct sock_fprog killed_filter(struct killed *killed)
{
    const struct sock_filter kill =
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);

    killed_step(killed, kill);
    return (struct sock_fprog){.len = killed->n, .filter = killed->steps};
}

/* @together: for all threads of the process */
static inline void killed_begin(struct killed *killed, bool together)
{
    struct sock_fprog filter = killed_filter(killed);

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        _exit(3);
    }
    if (together ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                           SECCOMP_FILTER_FLAG_TSYNC, &filter)
                 : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        _exit(3);
    }
}

#endif
