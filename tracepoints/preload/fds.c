/* SPDX-License-Identifier: MIT */
/*
 * fds.c - what is known of fds, and the calls that make and end them
 *
 * Two bits an fd: it is an eventfd; its name was told.  Both end with the fd,
 * so all calls that end one stand here: close() and its kin, dup2() and dup3()
 * for what they put something else in the place of.  Before a close, so that
 * whoever gets the number next finds it clear; after the others, since these
 * may fail.
 *
 * Also what makes one clears it: libc closes some itself (freopen(),
 * closedir(), pclose()), and programs by system calls of their own.  Such an fd
 * keeps its old name until it is made again by a call that is here.
 *
 * A child of fork() is another process: it tells its names itself, its eventfds
 * are its parent's.  A child of vfork() has fds of its own and this memory:
 * what it closes stays.
 *
 * Both questions are calls of the system that the program does not make.  One
 * that gives them up (sandbox.h) is not asked: what is open by then is told
 * before, what is opened later as it was opened, by these calls; and a child of
 * vfork() is taken for its parent.
 */
#include "fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard.h"
#include "sandbox.h"

extern int __open_2(const char *, int);
extern int __open64_2(const char *, int);
extern int __openat_2(int, const char *, int);
extern int __openat64_2(int, const char *, int);
extern void closefrom(int);

enum { FDS_MAX = 65536, BITS = 64, PATH_BYTES = 1024 };

/* A bit an fd, atomic; no order: what an fd is, its user learnt from its maker
 * by other ways. */
struct fd_bits {
    uint64_t words[FDS_MAX / BITS];
};

static struct fd_bits named, eventfds;

static bool has(const struct fd_bits *bits, int fd)
{
    return fd >= 0 && fd < FDS_MAX &&
           __atomic_load_n(&bits->words[fd / BITS], __ATOMIC_RELAXED) >>
                   (fd % BITS) &
               1;
}

static void set(struct fd_bits *bits, int fd)
{
    if (fd >= 0 && fd < FDS_MAX) {
        __atomic_fetch_or(&bits->words[fd / BITS], UINT64_C(1) << (fd % BITS),
                          __ATOMIC_RELAXED);
    }
}

static void clear(struct fd_bits *bits, int fd)
{
    if (has(bits, fd)) {
        __atomic_fetch_and(&bits->words[fd / BITS],
                           ~(UINT64_C(1) << (fd % BITS)), __ATOMIC_RELAXED);
    }
}

/* --- processes ------------------------------------------------------------ */

static pid_t process; /* whose fds these are */

static void begin_process(void)
{
    process = ct_sandbox_may(CT_SANDBOX_PROCESS) ? getpid() : 0;
    for (unsigned i = 0; i < FDS_MAX / BITS; i++) {
        if (named.words[i]) { /* most of the table was never touched */
            named.words[i] = 0;
        }
    }
}

__attribute__((constructor)) static void follow_forks(void)
{
    begin_process();
    (void)pthread_atfork(NULL, NULL, begin_process);
}

/* Where it can't be asked it is none. */
static bool is_vfork(void)
{
    return ct_sandbox_may(CT_SANDBOX_PROCESS) && getpid() != process;
}

/* --- ends ----------------------------------------------------------------- */

static void gone(int fd)
{
    if ((has(&named, fd) || has(&eventfds, fd)) && !is_vfork()) {
        clear(&named, fd);
        clear(&eventfds, fd);
    }
}

static void gone_from(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < FDS_MAX; fd++) {
        if (fd % BITS == 0 && !named.words[fd / BITS] &&
            !eventfds.words[fd / BITS]) {
            fd += BITS - 1;
        } else {
            gone((int)fd);
        }
    }
}

/* --- what is told --------------------------------------------------------- */

bool ct_fds_is_eventfd(int fd)
{
    return has(&eventfds, fd);
}

/* A name that is cut is none; coroutines' stacks are short. */
__attribute__((noinline)) static void tell(int fd)
{
    char link[32], path[PATH_BYTES];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path));
    if (n > 0 && n < (ssize_t)sizeof(path)) {
        path[n] = '\0';
        ct_emit_native_file(fd, path);
    }
}

/* Told that its name is not known, so that none of before is taken for it. */
CT_TOLD static void tell_as(int fd, const char *path)
{
    ct_emit_native_file(fd, path);
    set(&named, fd);
}

/* Told before it is noted, so that no other thread's call comes first: at worst
 * both tell. */
void ct_fds_see(int fd)
{
    if (fd >= 0 && fd < FDS_MAX && !has(&named, fd) &&
        ct_emit_on_native_file()) {
        if (!ct_sandbox_may(CT_SANDBOX_NAMES)) {
            tell_as(fd, "");
            return;
        }
        tell(fd);
        set(&named, fd);
    }
}

void ct_fds_see_all(void)
{
    DIR *all = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (all && (entry = readdir(all))) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(all)) {
            ct_fds_see(atoi(entry->d_name));
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

/* --- the calls that make one ---------------------------------------------- */

static int made(int fd)
{
    gone(fd);
    return fd;
}

/* A path that depends on another fd says little. */
static int opened(int fd, int at, const char *path)
{
    gone(fd);
    if (fd >= 0 && fd < FDS_MAX && !ct_sandbox_may(CT_SANDBOX_NAMES) &&
        ct_emit_on_native_file() && (at == AT_FDCWD || path[0] == '/')) {
        CT_GUARDED(tell_as(fd, path));
    }
    return fd;
}

/* The mode is there if a file may be made. */
static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                       \
    CT_REAL_OF(name);                                                    \
    CT_HOOK int name(const char *path, int flags, ...)                   \
    {                                                                    \
        va_list arguments;                                               \
        mode_t mode;                                                     \
                                                                         \
        va_start(arguments, flags);                                      \
        mode = mode_of(flags, arguments);                                \
        va_end(arguments);                                               \
        return opened(CT_REAL(name)(path, flags, mode), AT_FDCWD, path); \
    }

#define OPEN_AT(name)                                                  \
    CT_REAL_OF(name);                                                  \
    CT_HOOK int name(int at, const char *path, int flags, ...)         \
    {                                                                  \
        va_list arguments;                                             \
        mode_t mode;                                                   \
                                                                       \
        va_start(arguments, flags);                                    \
        mode = mode_of(flags, arguments);                              \
        va_end(arguments);                                             \
        return opened(CT_REAL(name)(at, path, flags, mode), at, path); \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

CT_REAL_OF(__open_2);
CT_HOOK int __open_2(const char *path, int flags)
{
    return opened(CT_REAL(__open_2)(path, flags), AT_FDCWD, path);
}

CT_REAL_OF(__open64_2);
CT_HOOK int __open64_2(const char *path, int flags)
{
    return opened(CT_REAL(__open64_2)(path, flags), AT_FDCWD, path);
}

CT_REAL_OF(__openat_2);
CT_HOOK int __openat_2(int at, const char *path, int flags)
{
    return opened(CT_REAL(__openat_2)(at, path, flags), at, path);
}

CT_REAL_OF(__openat64_2);
CT_HOOK int __openat64_2(int at, const char *path, int flags)
{
    return opened(CT_REAL(__openat64_2)(at, path, flags), at, path);
}

CT_REAL_OF(creat);
CT_HOOK int creat(const char *path, mode_t mode)
{
    return opened(CT_REAL(creat)(path, mode), AT_FDCWD, path);
}

CT_REAL_OF(creat64);
CT_HOOK int creat64(const char *path, mode_t mode)
{
    return opened(CT_REAL(creat64)(path, mode), AT_FDCWD, path);
}

CT_REAL_OF(memfd_create);
CT_HOOK int memfd_create(const char *name, unsigned flags)
{
    return made(CT_REAL(memfd_create)(name, flags));
}

CT_REAL_OF(dup);
CT_HOOK int dup(int fd)
{
    return made(CT_REAL(dup)(fd));
}

CT_REAL_OF(eventfd);
CT_HOOK int eventfd(unsigned count, int flags)
{
    int fd = made(CT_REAL(eventfd)(count, flags));

    if (fd >= 0 && ct_guard_may() && !is_vfork()) {
        set(&eventfds, fd);
    }
    return fd;
}

/* --- ... and that end one ------------------------------------------------- */

CT_REAL_OF(dup2);
CT_HOOK int dup2(int fd, int target)
{
    int result = CT_REAL(dup2)(fd, target);

    return fd == target ? result : made(result);
}

CT_REAL_OF(dup3);
CT_HOOK int dup3(int fd, int target, int flags)
{
    return made(CT_REAL(dup3)(fd, target, flags));
}

CT_REAL_OF(close);
CT_HOOK int close(int fd)
{
    gone(fd);
    return CT_REAL(close)(fd);
}

CT_REAL_OF(close_range);
CT_HOOK int close_range(unsigned first, unsigned last, int flags)
{
    int result = CT_REAL(close_range)(first, last, flags);

    if (result == 0 && !(flags & (int)CLOSE_RANGE_CLOEXEC)) {
        gone_from(first, last);
    }
    return result;
}

CT_REAL_OF(closefrom);
CT_HOOK void closefrom(int first)
{
    CT_REAL(closefrom)(first);
    gone_from(first < 0 ? 0 : (unsigned)first, FDS_MAX);
}

CT_REAL_OF(fclose);
CT_HOOK int fclose(FILE *stream)
{
    int error = errno;

    gone(fileno(stream)); /* -1: it is no file's */
    errno = error;
    return CT_REAL(fclose)(stream);
}
