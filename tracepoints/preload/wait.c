/* SPDX-License-Identifier: MIT */
/*
 * wait.c - calls that may sleep, and the eventfds that end such a sleep
 *
 * A call that can't sleep (timeout 0) is not told.  After a wait for fds those
 * eventfds are told that were ready, so that who wrote to one is known to have
 * ended it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "fds.h"
#include "guard.h"
#include "rings.h"
#include "told.h"

extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *,
                       const sigset_t *, size_t);

#define MS_NS INT64_C(1000000)

static int64_t ns_of_ms(int ms)
{
    return ms < 0 ? -1 : ms * MS_NS;
}

CT_TOLD static void told_begin(enum ct_native_wait kind, uint64_t object,
                               int64_t timeout_ns)
{
    ct_emit_native_wait_begin(kind, object, timeout_ns);
}

CT_TOLD static void told_ready(const struct pollfd *fds, nfds_t n)
{
    for (nfds_t i = 0; ct_emit_on_native_woken() && i < n; i++) {
        if (fds[i].revents && ct_fds_is_eventfd(fds[i].fd)) {
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

/* @timeout_ns: 0: it can't sleep; @ret: what is told of `result`;
 * @after: what is done then */
#define WAIT(kind, object, timeout_ns, call, ret, after)                       \
    CT_CALL(int, ct_emit_on_native_wait_begin() && (timeout_ns) != 0,          \
            CT_GUARDED(told_begin(CT_NATIVE_WAIT_##kind,                       \
                                  (uint64_t)(uintptr_t)(object), timeout_ns)), \
            call, CT_GUARDED(ct_emit_native_wait_end((int32_t)(ret)));         \
            after)

/* ... of a call that returns an error's number. */
#define WAIT_ERROR(kind, object, call, after) \
    WAIT(kind, object, -1, call, -result, after)

/* --- file descriptors ----------------------------------------------------- */

CT_REAL_OF(poll);
CT_HOOK int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    WAIT(POLL, 0, ns_of_ms(timeout), CT_REAL(poll)(fds, n, timeout),
         CT_RESULT(result), READY(result, fds, n));
}

CT_REAL_OF(__poll_chk);
CT_HOOK int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    WAIT(POLL, 0, ns_of_ms(timeout), CT_REAL(__poll_chk)(fds, n, timeout, room),
         0, READY(result, fds, n));
}

CT_REAL_OF(ppoll);
CT_HOOK int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                  const sigset_t *mask)
{
    WAIT(POLL, 0, ct_timeout_ns(timeout), CT_REAL(ppoll)(fds, n, timeout, mask),
         CT_RESULT(result), READY(result, fds, n));
}

CT_REAL_OF(__ppoll_chk);
CT_HOOK int __ppoll_chk(struct pollfd *fds, nfds_t n,
                        const struct timespec *timeout, const sigset_t *mask,
                        size_t room)
{
    WAIT(POLL, 0, ct_timeout_ns(timeout),
         CT_REAL(__ppoll_chk)(fds, n, timeout, mask, room), CT_RESULT(result),
         READY(result, fds, n));
}

CT_REAL_OF(epoll_wait);
CT_HOOK int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    WAIT(POLL, fd, ns_of_ms(timeout),
         CT_REAL(epoll_wait)(fd, events, n, timeout), CT_RESULT(result),
         ct_rings_look());
}

CT_REAL_OF(epoll_pwait);
CT_HOOK int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout,
                        const sigset_t *mask)
{
    WAIT(POLL, fd, ns_of_ms(timeout),
         CT_REAL(epoll_pwait)(fd, events, n, timeout, mask), CT_RESULT(result),
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
    WAIT_ERROR(CONDITION, condition,
               CT_REAL(pthread_cond_wait)(condition, mutex), has_waited(mutex));
}

CT_REAL_OF(pthread_cond_timedwait);
CT_HOOK int pthread_cond_timedwait(pthread_cond_t *condition,
                                   pthread_mutex_t *mutex,
                                   const struct timespec *until)
{
    WAIT_ERROR(CONDITION, condition,
               CT_REAL(pthread_cond_timedwait)(condition, mutex, until),
               has_waited(mutex));
}

CT_REAL_OF(pthread_cond_clockwait);
CT_HOOK int pthread_cond_clockwait(pthread_cond_t *condition,
                                   pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    WAIT_ERROR(CONDITION, condition,
               CT_REAL(pthread_cond_clockwait)(condition, mutex, clock, until),
               has_waited(mutex));
}

CT_REAL_OF(sem_wait);
CT_HOOK int sem_wait(sem_t *semaphore)
{
    WAIT(SEMAPHORE, semaphore, -1, CT_REAL(sem_wait)(semaphore),
         CT_RESULT(result), (void)0);
}

CT_REAL_OF(sem_timedwait);
CT_HOOK int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    WAIT(SEMAPHORE, semaphore, -1, CT_REAL(sem_timedwait)(semaphore, until),
         CT_RESULT(result), (void)0);
}

CT_REAL_OF(sem_clockwait);
CT_HOOK int sem_clockwait(sem_t *semaphore, clockid_t clock,
                          const struct timespec *until)
{
    WAIT(SEMAPHORE, semaphore, -1,
         CT_REAL(sem_clockwait)(semaphore, clock, until), CT_RESULT(result),
         (void)0);
}

/* --- wakes ---------------------------------------------------------------- */

CT_TOLD static void told_wake(int fd)
{
    if (ct_emit_on_native_wake() && ct_fds_is_eventfd(fd)) {
        CT_GUARDED(ct_emit_native_wake(fd));
    }
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
