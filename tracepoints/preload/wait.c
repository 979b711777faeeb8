/* SPDX-License-Identifier: MIT */
/*
 * wait.c - calls that may sleep, and the eventfds that end such a sleep
 *
 * A call that can't sleep (timeout 0) is not told.  Which fds are eventfds is
 * remembered as they are made, up to FDS_MAX; after a wait for fds those are
 * told that were ready, so that who wrote to one is known to have ended it.
 *
 * A thread that waits for a condition mostly takes something to do under its
 * mutex, and does it without.  So once a thread has waited, what lies between
 * an unlock of that mutex and the next lock is told as a section; until then
 * each of its first unlocks may be the begin of one.
 *
 * A child of vfork() has fds of its own and this memory: what it closes stays.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "guard.h"
#include "ring.h"

extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *,
                       const sigset_t *, size_t);

#define MS_NS INT64_C(1000000)
#define S_NS  INT64_C(1000000000)

static int64_t ns_of_ms(int ms)
{
    return ms < 0 ? -1 : ms * MS_NS;
}

static int64_t ns_of(const struct timespec *timeout)
{
    if (!timeout || timeout->tv_sec > INT64_MAX / S_NS - 1) {
        return -1;
    }
    return timeout->tv_sec * S_NS + timeout->tv_nsec;
}

/* --- eventfds ------------------------------------------------------------- */

enum { FDS_MAX = 65536, BITS = 64 };

static uint64_t eventfds[FDS_MAX / BITS]; /* atomic; a bit an fd */

static bool is_eventfd(int fd)
{
    return fd >= 0 && fd < FDS_MAX &&
           __atomic_load_n(&eventfds[fd / BITS], __ATOMIC_RELAXED) >>
                   (fd % BITS) &
               1;
}

static pid_t process;

static void is_process(void)
{
    process = getpid();
}

__attribute__((constructor)) static void follow_forks(void)
{
    is_process();
    (void)pthread_atfork(NULL, NULL, is_process);
}

static void forget_eventfd(int fd)
{
    if (is_eventfd(fd) && getpid() == process) {
        __atomic_fetch_and(&eventfds[fd / BITS], ~(UINT64_C(1) << (fd % BITS)),
                           __ATOMIC_RELAXED);
    }
}

CT_TOLD static void told_begin(enum ct_native_wait kind, uint64_t object,
                               int64_t timeout_ns)
{
    ct_emit_native_wait_begin(kind, object, timeout_ns);
}

CT_TOLD static void told_ready(const struct pollfd *fds, nfds_t n)
{
    for (nfds_t i = 0; ct_emit_on_native_woken() && i < n; i++) {
        if (fds[i].revents && is_eventfd(fds[i].fd)) {
            CT_GUARDED(ct_emit_native_woken(fds[i].fd));
        }
    }
}

/* Where a wait for fds is over. */
#define READY(result, fds, n)       \
    do {                            \
        ct_rings_look();            \
        if ((result) > 0) {         \
            told_ready((fds), (n)); \
        }                           \
    } while (0)

/* @error: the result is an error's number, not -1 and errno;
 * @after: what is done then */
#define TOLD(kind, object, timeout_ns, call, is_error, after)                  \
    do {                                                                       \
        bool is_on = ct_emit_on_native_wait_begin() && ct_guard_may() &&       \
                     (timeout_ns) != 0;                                        \
        int result;                                                            \
                                                                               \
        if (is_on) {                                                           \
            CT_GUARDED(told_begin(CT_NATIVE_WAIT_##kind,                       \
                                  (uint64_t)(uintptr_t)(object), timeout_ns)); \
        }                                                                      \
        result = call;                                                         \
        if (is_on) {                                                           \
            CT_GUARDED(ct_emit_native_wait_end(is_error     ? -result          \
                                               : result < 0 ? -errno           \
                                                            : result));        \
            after;                                                             \
        }                                                                      \
        return result;                                                         \
    } while (0)

/* --- file descriptors ----------------------------------------------------- */

CT_REAL_OF(poll);
CT_HOOK int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    TOLD(POLL, 0, ns_of_ms(timeout), CT_REAL(poll)(fds, n, timeout), 0,
         READY(result, fds, n));
}

CT_REAL_OF(__poll_chk);
CT_HOOK int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    TOLD(POLL, 0, ns_of_ms(timeout), CT_REAL(__poll_chk)(fds, n, timeout, room),
         0, READY(result, fds, n));
}

CT_REAL_OF(ppoll);
CT_HOOK int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                  const sigset_t *mask)
{
    TOLD(POLL, 0, ns_of(timeout), CT_REAL(ppoll)(fds, n, timeout, mask), 0,
         READY(result, fds, n));
}

CT_REAL_OF(__ppoll_chk);
CT_HOOK int __ppoll_chk(struct pollfd *fds, nfds_t n,
                        const struct timespec *timeout, const sigset_t *mask,
                        size_t room)
{
    TOLD(POLL, 0, ns_of(timeout),
         CT_REAL(__ppoll_chk)(fds, n, timeout, mask, room), 0,
         READY(result, fds, n));
}

CT_REAL_OF(epoll_wait);
CT_HOOK int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    TOLD(POLL, fd, ns_of_ms(timeout),
         CT_REAL(epoll_wait)(fd, events, n, timeout), 0, ct_rings_look());
}

CT_REAL_OF(epoll_pwait);
CT_HOOK int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout,
                        const sigset_t *mask)
{
    TOLD(POLL, fd, ns_of_ms(timeout),
         CT_REAL(epoll_pwait)(fd, events, n, timeout, mask), 0,
         ct_rings_look());
}

/* --- conditions and semaphores -------------------------------------------- */

/* The process's first thread waits for others, and takes nothing. */
static void has_waited(const pthread_mutex_t *mutex)
{
    if (!ct_self.is_first) {
        ct_self.mutex = mutex;
        ct_self.guesses = 0;
    }
}

CT_REAL_OF(pthread_cond_wait);
CT_HOOK int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    TOLD(CONDITION, condition, -1, CT_REAL(pthread_cond_wait)(condition, mutex),
         1, has_waited(mutex));
}

CT_REAL_OF(pthread_cond_timedwait);
CT_HOOK int pthread_cond_timedwait(pthread_cond_t *condition,
                                   pthread_mutex_t *mutex,
                                   const struct timespec *until)
{
    TOLD(CONDITION, condition, -1,
         CT_REAL(pthread_cond_timedwait)(condition, mutex, until), 1,
         has_waited(mutex));
}

CT_REAL_OF(pthread_cond_clockwait);
CT_HOOK int pthread_cond_clockwait(pthread_cond_t *condition,
                                   pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    TOLD(CONDITION, condition, -1,
         CT_REAL(pthread_cond_clockwait)(condition, mutex, clock, until), 1,
         has_waited(mutex));
}

CT_REAL_OF(sem_wait);
CT_HOOK int sem_wait(sem_t *semaphore)
{
    TOLD(SEMAPHORE, semaphore, -1, CT_REAL(sem_wait)(semaphore), 0, (void)0);
}

CT_REAL_OF(sem_timedwait);
CT_HOOK int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    TOLD(SEMAPHORE, semaphore, -1, CT_REAL(sem_timedwait)(semaphore, until), 0,
         (void)0);
}

CT_REAL_OF(sem_clockwait);
CT_HOOK int sem_clockwait(sem_t *semaphore, clockid_t clock,
                          const struct timespec *until)
{
    TOLD(SEMAPHORE, semaphore, -1,
         CT_REAL(sem_clockwait)(semaphore, clock, until), 0, (void)0);
}

/* --- sections ------------------------------------------------------------- */

static void tell_section(const pthread_mutex_t *mutex)
{
    uint64_t held[CT_HELD_MAX];
    uint32_t n = ct_held(held);

    ct_emit_native_section_begin(mutex, held, n);
}

CT_TOLD static void told_unlock(const pthread_mutex_t *mutex)
{
    if (ct_self.mutex != mutex) {
        ct_self.guesses--;
    }
    if (ct_emit_on_native_section_begin() && ct_guard_may()) {
        ct_self.section = mutex;
        CT_GUARDED(tell_section(mutex));
    }
}

CT_TOLD static void told_lock(const pthread_mutex_t *mutex)
{
    ct_self.section = NULL;
    CT_GUARDED(ct_emit_native_section_end(mutex));
}

CT_REAL_OF(pthread_mutex_unlock);
CT_HOOK int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int error = CT_REAL(pthread_mutex_unlock)(mutex);

    if (__builtin_expect(ct_self.guesses > 0 || ct_self.mutex == mutex, 0)) {
        told_unlock(mutex);
    }
    return error;
}

CT_REAL_OF(pthread_mutex_lock);
CT_HOOK int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (__builtin_expect(ct_self.section == mutex, 0)) {
        told_lock(mutex);
    }
    return CT_REAL(pthread_mutex_lock)(mutex);
}

/* --- wakes ---------------------------------------------------------------- */

CT_TOLD static void told_wake(int fd)
{
    if (ct_emit_on_native_wake() && is_eventfd(fd)) {
        CT_GUARDED(ct_emit_native_wake(fd));
    }
}

CT_REAL_OF(eventfd);
CT_HOOK int eventfd(unsigned count, int flags)
{
    int fd = CT_REAL(eventfd)(count, flags);

    if (fd >= 0 && fd < FDS_MAX && ct_guard_may()) {
        __atomic_fetch_or(&eventfds[fd / BITS], UINT64_C(1) << (fd % BITS),
                          __ATOMIC_RELAXED);
    }
    return fd;
}

CT_REAL_OF(close);
CT_HOOK int close(int fd)
{
    ct_files_forget(fd);
    forget_eventfd(fd);
    return CT_REAL(close)(fd);
}

CT_REAL_OF(close_range);
CT_HOOK int close_range(unsigned first, unsigned last, int flags)
{
    ct_files_forget_from(first, last);
    for (unsigned fd = first; fd <= last && fd < FDS_MAX; fd++) {
        forget_eventfd((int)fd);
    }
    return CT_REAL(close_range)(first, last, flags);
}

CT_REAL_OF(write);
CT_HOOK ssize_t write(int fd, const void *data, size_t bytes)
{
    told_wake(fd);
    return CT_REAL(write)(fd, data, bytes);
}

CT_REAL_OF(eventfd_write);
CT_HOOK int eventfd_write(int fd, eventfd_t value)
{
    told_wake(fd);
    return CT_REAL(eventfd_write)(fd, value);
}
