/* SPDX-License-Identifier: MIT */
/*
 * aio.c - linux-aio through libaio: what is given to the kernel, and what is
 * taken from it by a call
 *
 * io_submit() may take fewer than it is given: what it did not is told again
 * when the program gives it again.
 */
#include <linux/aio_abi.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "fds.h"
#include "guard.h"
#include "rings.h"
#include "told.h"

extern int io_submit(void *, long, struct iocb **);
extern int io_destroy(void *);
extern int io_getevents(void *, long, long, struct io_event *,
                        struct timespec *);
extern int io_pgetevents(void *, long, long, struct io_event *,
                         struct timespec *, sigset_t *);

/* --- given ---------------------------------------------------------------- */

static enum ct_native_io op_of(unsigned code)
{
    switch (code) {
    case IOCB_CMD_PREAD:
    case IOCB_CMD_PREADV:
        return CT_NATIVE_IO_READ;
    case IOCB_CMD_PWRITE:
    case IOCB_CMD_PWRITEV:
        return CT_NATIVE_IO_WRITE;
    case IOCB_CMD_FSYNC:
    case IOCB_CMD_FDSYNC:
        return CT_NATIVE_IO_FLUSH;
    case IOCB_CMD_POLL:
        return CT_NATIVE_IO_POLL;
    default:
        return CT_NATIVE_IO_OTHER;
    }
}

static uint64_t bytes_of(const struct iocb *request)
{
    switch (request->aio_lio_opcode) {
    case IOCB_CMD_PREADV:
    case IOCB_CMD_PWRITEV:
        return ct_vector_bytes((const void *)(uintptr_t)request->aio_buf,
                               request->aio_nbytes);
    case IOCB_CMD_PREAD:
    case IOCB_CMD_PWRITE:
        return request->aio_nbytes;
    default:
        return 0;
    }
}

static void tell_iocb(const struct iocb *request, uintptr_t here)
{
    enum ct_native_io op = op_of(request->aio_lio_opcode);
    bool moves = op == CT_NATIVE_IO_READ || op == CT_NATIVE_IO_WRITE;

    ct_fds_see((int)request->aio_fildes);
    ct_emit_native_aio(CT_IO_ENGINE_NATIVE, op, (int)request->aio_fildes,
                       moves ? (uint64_t)request->aio_offset : 0,
                       bytes_of(request), request, ct_stack_of(request), here);
}

CT_TOLD static void told_iocbs(struct iocb **requests, long n)
{
    uintptr_t here = ct_stack_of(__builtin_frame_address(0));

    for (long i = 0; i < n && requests[i]; i++) {
        CT_GUARDED(tell_iocb(requests[i], here));
    }
}

static void submitted(void *context, int result)
{
    if (result > 0) {
        ct_rings_submit(context); /* the kernel knows it */
        ct_rings_look();
    }
}

CT_REAL_OF(io_submit);
CT_HOOK int io_submit(void *context, long n, struct iocb **requests)
{
    CT_CALL(int, n > 0 && requests && ct_emit_on_native_aio(),
            (ct_rings_look(), told_iocbs(requests, n)),
            CT_REAL_HERE(io_submit)(context, n, requests),
            submitted(context, result));
}

/* --- taken ---------------------------------------------------------------- */

struct taking {
    void *context;
    bool sleeps; /* ... maybe */
    int64_t timeout_ns;
    int head; /* of the ring, before */
};

CT_TOLD static void told_begin(struct taking *taking)
{
    taking->head = ct_rings_head(taking->context);
    if (taking->sleeps) {
        CT_GUARDED(ct_emit_native_wait_begin(
            CT_NATIVE_WAIT_RING, (uint64_t)(uintptr_t)taking->context,
            taking->timeout_ns));
    }
}

CT_TOLD static void told_end(const struct taking *taking,
                             const struct io_event *events, int n)
{
    if (taking->sleeps) {
        CT_GUARDED(ct_emit_native_wait_end(n));
    }
    if (n > 0) {
        ct_rings_taken(taking->context, taking->head, events, (unsigned)n);
    }
    ct_rings_look();
}

static struct taking taking(void *context, long n_min,
                            const struct timespec *timeout)
{
    int64_t timeout_ns = ct_timeout_ns(timeout);

    return (struct taking){
        .context = context,
        .sleeps = n_min > 0 && timeout_ns != 0,
        .timeout_ns = timeout_ns,
    };
}

CT_REAL_OF(io_getevents);
CT_HOOK int io_getevents(void *context, long n_min, long n,
                         struct io_event *events, struct timespec *timeout)
{
    struct taking it = taking(context, n_min, timeout);

    CT_CALL(int, ct_emit_on_native_aio_end(), told_begin(&it),
            CT_REAL_HERE(io_getevents)(context, n_min, n, events, timeout),
            told_end(&it, events, result));
}

CT_REAL_OF(io_pgetevents);
CT_HOOK int io_pgetevents(void *context, long n_min, long n,
                          struct io_event *events, struct timespec *timeout,
                          sigset_t *mask)
{
    struct taking it = taking(context, n_min, timeout);

    CT_CALL(
        int, ct_emit_on_native_aio_end(), told_begin(&it),
        CT_REAL_HERE(io_pgetevents)(context, n_min, n, events, timeout, mask),
        told_end(&it, events, result));
}

/* --- gone ----------------------------------------------------------------- */

CT_REAL_OF(io_destroy);
CT_HOOK int io_destroy(void *context)
{
    ct_rings_forget(context);
    return CT_REAL_HERE(io_destroy)(context);
}
