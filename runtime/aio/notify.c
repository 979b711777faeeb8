/* SPDX-License-Identifier: MIT */
/*
 * notify.c - waking a loop that sleeps, and not bothering one that doesn't
 *
 * Two variables, two sides:
 *
 *     any thread (aio_notify)             home thread (a turn)
 *     publish work                        notify_me += 2            (S)
 *  N1 notified already set? done     H1   notified set, or work? don't sleep
 *  N2 notified = 1              (X)  H2   sleep until the eventfd is written
 *  N3 notify_me set? write eventfd        notify_me -= 2            (R)
 *                                    H3   notified = 0              (A)
 *                                         look for work
 *
 * No wake-up is lost: X and N3 on one side, S and H1 on the other are
 * sequentially consistent, so at least one side sees the other's store: either
 * the notifier finds notify_me set and writes, or the home thread finds
 * notified set and does not sleep.
 * N1 coalesces: the 1 that it saw will be taken by an A that comes later, and
 * the look for work after that A sees what was published before N1, since
 * publication, N1, A and the look are sequentially consistent as well (lists
 * are pushed and taken by read-modify-writes).  Whoever stored that 1 does N3.
 * H1 looks at `notified` too, not only for work: a bare aio_notify() has no
 * work to find, and ends a wait all the same.
 *
 * A write to the eventfd that finds nobody asleep any more costs one turn that
 * does nothing: whoever finds the eventfd readable drains it, but for epoll,
 * which finds it readable once a write; what it leaves there costs whoever
 * waits for it by other means (GLib, another monitor) one such turn.
 *
 * The eventfd blocks, so that a loop with nothing else to watch can sleep in
 * one read(2), which takes the wake-up as well; draining asks for
 * RWF_NOWAIT, because a nested turn may have been there first.
 *
 * tests/unit/runtime/test-notify.c steps through all interleavings of this
 * table, and finds the fault in each wrong variant.
 */
#include "aio/aio_int.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"

bool aio_notify_init(AioContext *ctx, GError **error)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd < 0) {
        int code = errno;

        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code),
                    "no eventfd for context '%s': %s", ctx->name,
                    g_strerror(code));
        return false;
    }
    ctx->notify_pfd = (GPollFD){.fd = fd, .events = G_IO_IN};
    g_source_add_poll(&ctx->source, &ctx->notify_pfd);
    return true;
}

void aio_notify_fini(AioContext *ctx)
{
    if (ctx->notify_pfd.fd > 0) {
        (void)close(ctx->notify_pfd.fd);
    }
}

static void write_eventfd(AioContext *ctx)
{
    const uint64_t one = 1;
    ssize_t done;

    do {
        done = write(ctx->notify_pfd.fd, &one, sizeof(one));
    } while (done < 0 && errno == EINTR);
    ct_pre("aio-notify/eventfd", done == sizeof(one));
}

void aio_notify(AioContext *ctx)
{
    /* N1.  Seq: pairs with the exchange in aio_notify_accept(). */
    if (ct_load_seq(&ctx->notified)) {
        return;
    }
    ct_emit_aio_notify(ctx->id);
    /* N2 and N3: pair with aio_notify_sleep_begin() and _is_pending(). */
    if (ct_xchg(&ctx->notified, 1) == 0 && ct_load_seq(&ctx->notify_me)) {
        write_eventfd(ctx);
    }
}

void aio_notify_work(AioContext *ctx)
{
    /*
     * On the home thread notify_me says exactly whether a wait is ahead that
     * has computed its timeout already (GLib's, between prepare and check).
     */
    if (in_aio_context_home_thread(ctx) && ct_load(&ctx->notify_me) == 0) {
        return;
    }
    aio_notify(ctx);
}

void aio_notify_sleep_begin(AioContext *ctx, unsigned bits)
{
    unsigned old = ct_load(&ctx->notify_me);

    /* S.  Pairs with N3 in aio_notify(). */
    (void)ct_xchg(&ctx->notify_me,
                  bits == AIO_NOTIFY_GSOURCE ? old | bits : old + bits);
}

void aio_notify_sleep_end(AioContext *ctx, unsigned bits)
{
    unsigned old = ct_load(&ctx->notify_me);

    /* R.  Nothing is ordered by it: a late reader writes once too often. */
    ct_store(&ctx->notify_me,
             bits == AIO_NOTIFY_GSOURCE ? old & ~bits : old - bits);
}

bool aio_notify_is_pending(AioContext *ctx)
{
    /* H1.  Pairs with N2 in aio_notify(). */
    return ct_load_seq(&ctx->notified) != 0;
}

void aio_notify_accept(AioContext *ctx)
{
    if (!ct_load(&ctx->notified)) {
        /*
         * Nothing asked for, or only just now: then it stays set, and the
         * next turn does not sleep.
         */
        return;
    }
    /* A.  Pairs with N1 and N2: what they published is seen from here on. */
    (void)ct_xchg(&ctx->notified, 0);
    ct_emit_aio_notify_accept(ctx->id);
}

void aio_notify_wait(AioContext *ctx)
{
    uint64_t count;
    ssize_t done = read(ctx->notify_pfd.fd, &count, sizeof(count));

    ct_pre("aio-notify/eventfd", done == sizeof(count) || errno == EINTR);
}

void aio_notify_drain(AioContext *ctx)
{
    uint64_t count;
    struct iovec iov = {.iov_base = &count, .iov_len = sizeof(count)};
    ssize_t done = preadv2(ctx->notify_pfd.fd, &iov, 1, -1, RWF_NOWAIT);

    if (done < 0 && errno == EOPNOTSUPP) {
        /* Linux before 5.8 has no RWF_NOWAIT for an eventfd. */
        struct pollfd pfd = {.fd = ctx->notify_pfd.fd, .events = POLLIN};

        if (poll(&pfd, 1, 0) == 1) {
            aio_notify_wait(ctx);
        }
        return;
    }
    ct_pre("aio-notify/eventfd",
           done == sizeof(count) || errno == EAGAIN || errno == EINTR);
}
