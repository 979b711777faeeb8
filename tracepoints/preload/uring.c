/* SPDX-License-Identifier: MIT */
/*
 * uring.c - io_uring through liburing: what is given to the kernel, and waits
 *
 * liburing gives what the program has prepared with the calls named submit, and
 * where a wait needs an operation for its timeout since the kernel can't do it
 * otherwise.  Its other waits, and a look for completions, which programs make
 * between two preparations, give nothing.
 *
 * struct io_uring is liburing's, the same since 2.0.
 */
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>

#include "fds.h"
#include "guard.h"
#include "rings.h"
#include "told.h"

/* Of newer kernels: rings whose entries have several sizes. */
#define SETUP_CQE_MIXED (1U << 18)
#define SETUP_SQE_MIXED (1U << 19)

struct io_uring {
    struct {
        unsigned *khead, *ktail, *kmask, *kentries, *kflags, *kdropped, *array;
        struct io_uring_sqe *sqes;
        unsigned sqe_head, sqe_tail;
        size_t ring_bytes;
        void *ring;
        unsigned reserved[4];
    } sq;
    struct {
        unsigned *khead, *ktail, *kmask, *kentries, *kflags, *koverflow;
        struct io_uring_cqe *cqes;
        size_t ring_bytes;
        void *ring;
        unsigned reserved[4];
    } cq;
    unsigned flags;
    int fd;
    unsigned features;
};

extern int io_uring_submit(struct io_uring *);
extern int io_uring_submit_and_get_events(struct io_uring *);
extern int io_uring_submit_and_wait(struct io_uring *, unsigned);
extern int io_uring_submit_and_wait_timeout(struct io_uring *,
                                            struct io_uring_cqe **, unsigned,
                                            void *, sigset_t *);
extern int io_uring_submit_and_wait_min_timeout(struct io_uring *,
                                                struct io_uring_cqe **,
                                                unsigned, void *, unsigned,
                                                sigset_t *);
extern int io_uring_submit_and_wait_reg(struct io_uring *,
                                        struct io_uring_cqe **, unsigned, int);
extern int io_uring_wait_cqes(struct io_uring *, struct io_uring_cqe **,
                              unsigned, void *, sigset_t *);
extern int io_uring_wait_cqe_timeout(struct io_uring *, struct io_uring_cqe **,
                                     void *);
extern int __io_uring_get_cqe(struct io_uring *, struct io_uring_cqe **,
                              unsigned, unsigned, sigset_t *);
extern int io_uring_resize_rings(struct io_uring *, void *);
extern void io_uring_queue_exit(struct io_uring *);

/* --- what is told --------------------------------------------------------- */

/* -1: it is no file's I/O. */
static int op_of(unsigned code)
{
    switch (code) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_READ_FIXED:
        return CT_NATIVE_IO_READ;
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
    case IORING_OP_WRITE_FIXED:
        return CT_NATIVE_IO_WRITE;
    case IORING_OP_FSYNC:
    case IORING_OP_SYNC_FILE_RANGE:
        return CT_NATIVE_IO_FLUSH;
    case IORING_OP_FALLOCATE:
        return CT_NATIVE_IO_ALLOCATE;
    default:
        return -1;
    }
}

static void tell_sqe(const struct io_uring_sqe *sqe, uintptr_t here)
{
    bool is_vector =
        sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV;
    bool is_file = !(sqe->flags & IOSQE_FIXED_FILE);
    const void *request = (const void *)(uintptr_t)sqe->user_data;

    if (is_file) {
        ct_fds_see(sqe->fd);
    }
    ct_emit_native_aio(
        CT_IO_ENGINE_IO_URING, (enum ct_native_io)op_of(sqe->opcode),
        is_file ? sqe->fd : -1, sqe->off,
        is_vector ? ct_vector_bytes((const struct iovec *)(uintptr_t)sqe->addr,
                                    sqe->len)
                  : sqe->len,
        request, ct_stack_of(request), here);
}

/* What the program has prepared and the call is about to hand over.  Rings on
 * which there is only polling, which loops wait with, are left alone. */
CT_TOLD static void told_sqes(struct io_uring *uring)
{
    uintptr_t here = ct_stack_of(__builtin_frame_address(0));
    bool wide = (uring->flags & IORING_SETUP_SQE128) != 0;
    struct ct_completions completions = {
        .head = uring->cq.khead,
        .tail = uring->cq.ktail,
        .entries = uring->cq.cqes,
        .mask = *uring->cq.kmask,
    };

    for (unsigned i = uring->sq.sqe_head; i != uring->sq.sqe_tail; i++) {
        const struct io_uring_sqe *sqe =
            &uring->sq.sqes[(i & *uring->sq.kmask) << wide];

        if (op_of(sqe->opcode) >= 0) {
            ct_rings_submit_uring(&completions, sqe->user_data);
            CT_GUARDED(tell_sqe(sqe, here));
        }
    }
}

CT_TOLD static void told_begin(struct io_uring *uring, bool submits,
                               unsigned wait)
{
    ct_rings_look();
    if (submits) {
        told_sqes(uring);
    }
    if (wait > 0) {
        CT_GUARDED(ct_emit_native_wait_begin(CT_NATIVE_WAIT_RING,
                                             (uint64_t)uring->fd, -1));
    }
}

CT_TOLD static void told_end(unsigned wait, int result)
{
    if (wait > 0) {
        CT_GUARDED(ct_emit_native_wait_end(result));
    }
    ct_rings_look();
}

static bool is_read(const struct io_uring *uring)
{
    return !(uring->flags &
             (IORING_SETUP_CQE32 | SETUP_CQE_MIXED | SETUP_SQE_MIXED));
}

/* A wait with a timeout that is an operation itself. */
static bool submits_for(const struct io_uring *uring, const void *timeout)
{
    return timeout && !(uring->features & IORING_FEAT_EXT_ARG);
}

/* @submits: it hands over what is prepared; @wait: for how many it waits */
#define RING(uring, submits, wait, call)                    \
    CT_CALL(int, ct_emit_on_native_aio() && is_read(uring), \
            told_begin(uring, submits, wait), call, told_end(wait, result))

/* --- the calls ------------------------------------------------------------ */

CT_REAL_OF(io_uring_submit);
CT_HOOK int io_uring_submit(struct io_uring *uring)
{
    RING(uring, true, 0, CT_REAL_HERE(io_uring_submit)(uring));
}

CT_REAL_OF(io_uring_submit_and_get_events);
CT_HOOK int io_uring_submit_and_get_events(struct io_uring *uring)
{
    RING(uring, true, 0, CT_REAL_HERE(io_uring_submit_and_get_events)(uring));
}

CT_REAL_OF(io_uring_submit_and_wait);
CT_HOOK int io_uring_submit_and_wait(struct io_uring *uring, unsigned wait)
{
    RING(uring, true, wait,
         CT_REAL_HERE(io_uring_submit_and_wait)(uring, wait));
}

CT_REAL_OF(io_uring_submit_and_wait_timeout);
CT_HOOK int io_uring_submit_and_wait_timeout(struct io_uring *uring,
                                             struct io_uring_cqe **ret_first,
                                             unsigned wait, void *timeout,
                                             sigset_t *mask)
{
    RING(uring, true, wait,
         CT_REAL_HERE(io_uring_submit_and_wait_timeout)(uring, ret_first, wait,
                                                        timeout, mask));
}

CT_REAL_OF(io_uring_submit_and_wait_min_timeout);
CT_HOOK int io_uring_submit_and_wait_min_timeout(
    struct io_uring *uring, struct io_uring_cqe **ret_first, unsigned wait,
    void *timeout, unsigned min_us, sigset_t *mask)
{
    RING(uring, true, wait,
         CT_REAL_HERE(io_uring_submit_and_wait_min_timeout)(
             uring, ret_first, wait, timeout, min_us, mask));
}

CT_REAL_OF(io_uring_submit_and_wait_reg);
CT_HOOK int io_uring_submit_and_wait_reg(struct io_uring *uring,
                                         struct io_uring_cqe **ret_first,
                                         unsigned wait, int index)
{
    RING(uring, true, wait,
         CT_REAL_HERE(io_uring_submit_and_wait_reg)(uring, ret_first, wait,
                                                    index));
}

CT_REAL_OF(io_uring_wait_cqes);
CT_HOOK int io_uring_wait_cqes(struct io_uring *uring,
                               struct io_uring_cqe **ret_first, unsigned wait,
                               void *timeout, sigset_t *mask)
{
    RING(uring, submits_for(uring, timeout), wait,
         CT_REAL_HERE(io_uring_wait_cqes)(uring, ret_first, wait, timeout,
                                          mask));
}

CT_REAL_OF(io_uring_wait_cqe_timeout);
CT_HOOK int io_uring_wait_cqe_timeout(struct io_uring *uring,
                                      struct io_uring_cqe **ret_first,
                                      void *timeout)
{
    RING(uring, submits_for(uring, timeout), 1,
         CT_REAL_HERE(io_uring_wait_cqe_timeout)(uring, ret_first, timeout));
}

/* What it hands over was prepared for the kernel by its caller in liburing. */
CT_REAL_OF(__io_uring_get_cqe);
CT_HOOK int __io_uring_get_cqe(struct io_uring *uring,
                               struct io_uring_cqe **ret_first, unsigned submit,
                               unsigned wait, sigset_t *mask)
{
    RING(
        uring, false, wait,
        CT_REAL_HERE(__io_uring_get_cqe)(uring, ret_first, submit, wait, mask));
}

/* --- its memory goes ------------------------------------------------------ */

/* It is known again when something is submitted next. */
CT_REAL_OF(io_uring_resize_rings);
CT_HOOK int io_uring_resize_rings(struct io_uring *uring, void *parameters)
{
    ct_rings_forget(uring->cq.khead);
    return CT_REAL_HERE(io_uring_resize_rings)(uring, parameters);
}

CT_REAL_OF(io_uring_queue_exit);
CT_HOOK void io_uring_queue_exit(struct io_uring *uring)
{
    ct_rings_forget(uring->cq.khead);
    CT_REAL_HERE(io_uring_queue_exit)(uring);
}
