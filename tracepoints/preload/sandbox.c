/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - programs that give up system calls (seccomp)
 *
 * A program that lists the calls that it will make, and is killed for any
 * other, does not know of ours.  The filter comes by here before it is
 * installed, and is asked what it says to each call that recording makes
 * (filter.c).  What needs one that it does not simply let through is given up,
 * for good and for all threads, before the filter is there:
 *
 *     names      what is open is told now; later, what open() was given
 *     process    a child of vfork() is not known from its parent any more
 *     threads    new ones are not recorded; those that are keep their memory
 *     forks      children are not recorded
 *     exit       LTTng's destructors do nothing (disarm.c)
 *     record     this process is not recorded any more
 *     last       what the above takes can't be done for a filter to come
 *
 * Also an error instead of the call is no answer that LTTng and libc expect.
 *
 * Not seen: a filter that was there before the program began, under which LTTng
 * has begun all the same, and one that is installed by instructions of the
 * program's own.  LTTng's threads are filtered only if the program asks for
 * that (SECCOMP_FILTER_FLAG_TSYNC); it gets such a filter when they sleep, and
 * they do until the recorder wants something of them, which it does when the
 * program has ended.
 */
#include "sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "asleep.h"
#include "disarm.h"
#include "fds.h"
#include "filter.h"
#include "guard.h"
#include "provider/load.h"
#include "provider/stack_int.h"

unsigned ct_sandbox_refused;

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0 /* no filter allows it anything */
#endif

#ifndef SYS_readlink
#define SYS_readlink SYS_readlinkat
#endif

enum {
    NAMES = CT_SANDBOX_NAMES,
    PROCESS = CT_SANDBOX_PROCESS,
    THREADS = CT_SANDBOX_THREADS,
    FORKS = CT_SANDBOX_FORKS,
    EXIT = CT_SANDBOX_EXIT,
    RECORD = CT_SANDBOX_RECORD,
    LAST = CT_SANDBOX_LAST,
    ALL = NAMES | PROCESS | THREADS | FORKS | EXIT | RECORD | LAST,
};

/* Calls, and what is not done where one is refused.  The program's own calls
 * that a need comes with (clone() of a new thread or child) are not here. */
static const struct {
    int number;
    unsigned needs;
} calls[] = {
    /* a full part of a buffer: LTTng wakes its reader */
    {SYS_write, RECORD | THREADS | FORKS},
    {SYS_rt_sigpending, RECORD | THREADS | FORKS},
    {SYS_rt_sigtimedwait, RECORD | THREADS | FORKS},
    {SYS_rt_sigprocmask, RECORD | THREADS | FORKS | EXIT},
    {SYS_futex, RECORD | THREADS | FORKS | EXIT},
    {SYS_sched_yield, RECORD | THREADS | FORKS},
    {SYS_clock_gettime, RECORD | THREADS | FORKS}, /* if it is one */
    {SYS_readlink, NAMES | FORKS | EXIT},
    {SYS_getpid, PROCESS | THREADS | FORKS | EXIT},
    {SYS_gettid, THREADS | FORKS},
    {SYS_prctl, THREADS | FORKS},
    {SYS_sched_getaffinity, THREADS | FORKS},
    {SYS_mmap, THREADS | FORKS | LAST},
    {SYS_munmap, THREADS | FORKS | EXIT},
    {SYS_mprotect, THREADS | FORKS | LAST},
    {SYS_brk, THREADS | FORKS | LAST},
    {SYS_membarrier, FORKS | EXIT},
    {SYS_close, FORKS | EXIT | LAST},
    {SYS_openat, FORKS | EXIT | LAST},
    {SYS_read, FORKS | EXIT},
    {SYS_lseek, FORKS | EXIT},
    {SYS_getcwd, FORKS | EXIT},
    {SYS_rt_sigaction, FORKS | EXIT},
    {SYS_tgkill, FORKS | EXIT},
    {SYS_madvise, FORKS | EXIT},
    {SYS_getdents64, LAST},
    {SYS_newfstatat, LAST},
    {SYS_socket, FORKS},
    {SYS_connect, FORKS},
    {SYS_sendmsg, FORKS},
    {SYS_recvmsg, FORKS},
    {SYS_clone, FORKS},
    {SYS_set_robust_list, FORKS},
};

static unsigned refused_by(const struct sock_fprog *filter)
{
    unsigned refused = 0;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if ((calls[i].needs & ~refused) &&
            !ct_filter_allows(filter, ARCH, calls[i].number)) {
            refused |= calls[i].needs;
        }
    }
    return refused & RECORD ? ALL : refused;
}

/* --- giving up ------------------------------------------------------------ */

static void tell(unsigned refused, bool is_free)
{
    ct_emit_native_sandbox(refused & RECORD    ? CT_NATIVE_SANDBOX_ALL
                           : refused & THREADS ? CT_NATIVE_SANDBOX_THREADS
                           : refused & FORKS   ? CT_NATIVE_SANDBOX_FORKS
                                               : CT_NATIVE_SANDBOX_NOTHING);
    if (is_free && refused & NAMES && !(refused & RECORD)) {
        ct_fds_see_all();
    }
}

/* @flags: SECCOMP_FILTER_FLAG_... */
CT_TOLD static void told_filter(const struct sock_fprog *filter,
                                unsigned long flags)
{
    unsigned before = __atomic_load_n(&ct_sandbox_refused, __ATOMIC_RELAXED);
    bool is_free = !(before & LAST); /* of filters that came before */
    unsigned all_refused = filter ? refused_by(filter) : ALL;
    unsigned refused = all_refused & ~before;

    if (refused & ~(unsigned)LAST) {
        CT_GUARDED(tell(refused, is_free));
    }
    if (refused & EXIT && is_free) {
        ct_disarm();
    }
    if (refused & THREADS) {
        __atomic_store_n(&ct_outer_keeps, true, __ATOMIC_RELAXED);
    }
    if (refused & FORKS) {
        ct_provider_stay_out();
    }
    (void)__atomic_fetch_or(&ct_sandbox_refused, refused, __ATOMIC_RELAXED);
    if (all_refused && is_free && flags & SECCOMP_FILTER_FLAG_TSYNC) {
        ct_asleep_wait();
    }
}

/* A library asks what the kernel can do by what that refuses: strict mode with
 * flags, no filter. */
static void told_seccomp(unsigned long mode, unsigned long flags,
                         const struct sock_fprog *filter)
{
    if (mode == SECCOMP_SET_MODE_STRICT && flags == 0) {
        told_filter(NULL, 0);
    } else if (mode == SECCOMP_SET_MODE_FILTER && filter && filter->filter) {
        told_filter(filter, flags);
    }
}

static void told_prctl(unsigned long mode, const struct sock_fprog *filter)
{
    if (mode == SECCOMP_MODE_STRICT) {
        told_filter(NULL, 0);
    } else if (mode == SECCOMP_MODE_FILTER && filter && filter->filter) {
        told_filter(filter, 0);
    }
}

/* A child is another process, and LTTng was not told of it. */
static void begin_process(void)
{
    if (!ct_sandbox_may(CT_SANDBOX_FORKS)) {
        (void)__atomic_fetch_or(&ct_sandbox_refused, ALL, __ATOMIC_RELAXED);
    }
}

__attribute__((constructor)) static void follow_forks(void)
{
    (void)pthread_atfork(NULL, NULL, begin_process);
}

/* --- the calls ------------------------------------------------------------ */

static const struct sock_fprog *filter_at(unsigned long word)
{
    return (const struct sock_fprog *)(uintptr_t)word;
}

CT_REAL_OF(prctl);
CT_HOOK int prctl(int option, ...)
{
    unsigned long words[4];
    va_list arguments;

    va_start(arguments, option);
    for (unsigned i = 0; i < 4; i++) {
        words[i] = va_arg(arguments, unsigned long);
    }
    va_end(arguments);
    if (__builtin_expect(option == PR_SET_SECCOMP, 0)) {
        told_prctl(words[0], filter_at(words[1]));
    }
    return CT_REAL(prctl)(option, words[0], words[1], words[2], words[3]);
}

CT_REAL_OF(syscall);
CT_HOOK long syscall(long number, ...)
{
    unsigned long words[6];
    va_list arguments;

    va_start(arguments, number);
    for (unsigned i = 0; i < 6; i++) {
        words[i] = va_arg(arguments, unsigned long);
    }
    va_end(arguments);
    if (__builtin_expect(number == SYS_seccomp, 0)) {
        told_seccomp(words[0], words[1], filter_at(words[2]));
    } else if (__builtin_expect(number == SYS_prctl, 0) &&
               words[0] == PR_SET_SECCOMP) {
        told_prctl(words[1], filter_at(words[2]));
    }
    return CT_REAL(syscall)(number, words[0], words[1], words[2], words[3],
                            words[4], words[5]);
}
