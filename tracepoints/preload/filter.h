/* SPDX-License-Identifier: MIT */
/*
 * preload/filter.h - what a filter of system calls will say
 *
 * Model:    a seccomp filter is a program that the kernel runs at each system
 *           call.  Here it is run beforehand, for a call whose number is known
 *           and whose arguments and place are not.
 * Threads:  any.
 * Memory:   the caller's.
 * Errors:   none: what can't be told for sure is not allowed.
 * Depends:  linux/filter.h, linux/seccomp.h.
 */
#ifndef CT_PRELOAD_FILTER_H
#define CT_PRELOAD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct sock_fprog;

#pragma GCC visibility push(hidden)

/**
 * ct_filter_allows() - it lets that call through, whatever the arguments are
 * @arch:   AUDIT_ARCH_ of who calls
 * @number: of the system call
 */
bool ct_filter_allows(const struct sock_fprog *filter, uint32_t arch,
                      int number);

#pragma GCC visibility pop

#endif
