/* SPDX-License-Identifier: MIT */
/*
 * preload/format.h - the text of a trace line, quicker than by vsnprintf()
 *
 * Model:    QEMU's formats know few conversions: %d %i %u %x %X %c %s %p and
 *           their lengths, with zeroes in front and a width, and `#`.  Those
 *           are done here, with the same text as glibc's; whoever gets a -1
 *           asks vsnprintf().
 * Threads:  any; safe in signal handlers.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_FORMAT_H
#define CT_PRELOAD_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/**
 * ct_format() - as vsnprintf(), if it can
 * @text: may hold anything if it can't
 *
 * Return: the text's length, below @size; -1: a conversion that is not known
 * here, or no room.
 */
int ct_format(char *text, size_t size, const char *format, va_list arguments);

#pragma GCC visibility pop

#endif
