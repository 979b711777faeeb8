/* SPDX-License-Identifier: MIT */
/*
 * files.c - what an fd stands for, told before the first I/O call on it
 *
 * A bit an fd says whether it was told.  Whoever opens or closes one through
 * the C library clears it; so does dup2() for its target.  What libc opens and
 * closes inside itself (fopen()) is not seen: such an fd may keep its old name
 * until something else is opened there.
 */
#include "files.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "guard.h"

extern int __open_2(const char *, int);
extern int __open64_2(const char *, int);
extern int __openat_2(int, const char *, int);
extern int __openat64_2(int, const char *, int);

enum { FDS_MAX = 65536, BITS = 64, PATH_BYTES = 512 };

static uint64_t told[FDS_MAX / BITS]; /* atomic; a bit an fd */

static uint64_t bit(int fd)
{
    return UINT64_C(1) << (fd % BITS);
}

static bool fits(int fd)
{
    return fd >= 0 && fd < FDS_MAX;
}

__attribute__((noinline)) static void tell(int fd)
{
    char link[32], path[PATH_BYTES];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n > 0) {
        path[n] = '\0';
        ct_emit_native_file(fd, path);
    }
}

void ct_files_see(int fd)
{
    if (fits(fd) &&
        !(__atomic_load_n(&told[fd / BITS], __ATOMIC_RELAXED) & bit(fd)) &&
        !(__atomic_fetch_or(&told[fd / BITS], bit(fd), __ATOMIC_RELAXED) &
          bit(fd)) &&
        ct_emit_on_native_file()) {
        tell(fd);
    }
}

void ct_files_forget(int fd)
{
    if (fits(fd) &&
        (__atomic_load_n(&told[fd / BITS], __ATOMIC_RELAXED) & bit(fd))) {
        __atomic_fetch_and(&told[fd / BITS], ~bit(fd), __ATOMIC_RELAXED);
    }
}

void ct_files_forget_from(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < FDS_MAX; fd++) {
        ct_files_forget((int)fd);
    }
}

static int opened(int fd)
{
    ct_files_forget(fd);
    return fd;
}

/* --- the calls ------------------------------------------------------------ */

/* The mode is there if a file may be made. */
static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                       \
    CT_REAL_OF(name);                                    \
    CT_HOOK int name(const char *path, int flags, ...)   \
    {                                                    \
        va_list arguments;                               \
        mode_t mode;                                     \
                                                         \
        va_start(arguments, flags);                      \
        mode = mode_of(flags, arguments);                \
        va_end(arguments);                               \
        return opened(CT_REAL(name)(path, flags, mode)); \
    }

#define OPEN_AT(name)                                          \
    CT_REAL_OF(name);                                          \
    CT_HOOK int name(int at, const char *path, int flags, ...) \
    {                                                          \
        va_list arguments;                                     \
        mode_t mode;                                           \
                                                               \
        va_start(arguments, flags);                            \
        mode = mode_of(flags, arguments);                      \
        va_end(arguments);                                     \
        return opened(CT_REAL(name)(at, path, flags, mode));   \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

CT_REAL_OF(__open_2);
CT_HOOK int __open_2(const char *path, int flags)
{
    return opened(CT_REAL(__open_2)(path, flags));
}

CT_REAL_OF(__open64_2);
CT_HOOK int __open64_2(const char *path, int flags)
{
    return opened(CT_REAL(__open64_2)(path, flags));
}

CT_REAL_OF(__openat_2);
CT_HOOK int __openat_2(int at, const char *path, int flags)
{
    return opened(CT_REAL(__openat_2)(at, path, flags));
}

CT_REAL_OF(__openat64_2);
CT_HOOK int __openat64_2(int at, const char *path, int flags)
{
    return opened(CT_REAL(__openat64_2)(at, path, flags));
}

CT_REAL_OF(dup2);
CT_HOOK int dup2(int fd, int target)
{
    return opened(CT_REAL(dup2)(fd, target));
}

CT_REAL_OF(dup3);
CT_HOOK int dup3(int fd, int target, int flags)
{
    return opened(CT_REAL(dup3)(fd, target, flags));
}
