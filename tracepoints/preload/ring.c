/* SPDX-License-Identifier: MIT */
/*
 * ring.c - linux-aio and io_uring: what is given to the kernel, and what it
 * completed
 *
 * Submission passes by here: io_submit() of libaio, and what liburing submits
 * with.  Completion mostly does not: a program reads the ring that it shares
 * with the kernel.  We read the same ring, where the thread that owns it comes
 * by: before and after it submits, and after it has waited.  Entries stay until
 * the program takes them, and that is this same thread, so what lies between
 * the ring's head and tail can be read.  What was taken before we came is not
 * told.
 *
 * A ring belongs to the thread that submitted to it last.  It may be destroyed
 * by another one, while its owner is about to look; so looking and destroying
 * exclude each other by `state`:
 *
 *     IDLE --owner--> LOOKING --owner--> IDLE
 *     IDLE --who destroys it--> FREE; if it is LOOKING, it waits for that: some
 *     hundred instructions
 *
 * In a forked child there are none of these rings, and nobody looks.
 *
 * The layouts: struct aio_ring is the kernel's, known by its magic number;
 * struct io_uring is liburing's, the same since 2.0.
 */
#include "ring.h"

#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/uio.h>

#include "fds.h"
#include "guard.h"
#include "stacks.h"

#define AIO_RING_MAGIC 0xa10a10a1

struct aio_ring {
    unsigned id, nr, head, tail, magic, compat, incompat, header_bytes;
    struct io_event events[];
};

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
};

enum { RINGS_MAX = 256 };

enum { FREE, TAKEN, IDLE, LOOKING };

struct ring {
    int state;                   /* atomic, as above; TAKEN: being filled in */
    const struct ct_self *owner; /* atomic; who may look */
    void *context;               /* io_context_t or struct io_uring */
    enum ct_io_engine engine;    /* with the context immutable until FREE */
    unsigned told;               /* position of the next one; who is LOOKING */
};

static struct ring rings[RINGS_MAX];
static unsigned n_rings; /* atomic; none lies behind */

static __thread bool has_rings __attribute__((tls_model("initial-exec")));

/* --- completions ---------------------------------------------------------- */

static void look_aio(struct ring *ring)
{
    struct aio_ring *aio = ring->context;
    unsigned head = __atomic_load_n(&aio->head, __ATOMIC_RELAXED);
    unsigned tail = __atomic_load_n(&aio->tail, __ATOMIC_ACQUIRE);
    unsigned nr = aio->nr;

    if (nr == 0 || head >= nr || tail >= nr) {
        return;
    }
    if ((ring->told + nr - head) % nr > (tail + nr - head) % nr) {
        ring->told = head; /* those before were taken already */
    }
    for (; ring->told != tail; ring->told = (ring->told + 1) % nr) {
        const struct io_event *done = &aio->events[ring->told];

        ct_emit_native_aio_end(CT_IO_ENGINE_NATIVE,
                               (const void *)(uintptr_t)done->obj, done->res);
    }
}

static void look_uring(struct ring *ring)
{
    const struct io_uring *uring = ring->context;
    unsigned head = __atomic_load_n(uring->cq.khead, __ATOMIC_RELAXED);
    unsigned tail = __atomic_load_n(uring->cq.ktail, __ATOMIC_ACQUIRE);

    if ((int)(head - ring->told) > 0) {
        ring->told = head;
    }
    for (; ring->told != tail; ring->told++) {
        const struct io_uring_cqe *done =
            &uring->cq.cqes[ring->told & *uring->cq.kmask];

        ct_emit_native_aio_end(CT_IO_ENGINE_IO_URING,
                               (const void *)(uintptr_t)done->user_data,
                               done->res);
    }
}

static bool move(struct ring *ring, int from, int to)
{
    return __atomic_compare_exchange_n(&ring->state, &from, to, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool is_mine(const struct ring *ring)
{
    return __atomic_load_n(&ring->owner, __ATOMIC_RELAXED) == &ct_self;
}

static void look(void)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        struct ring *ring = &rings[i];

        if (!is_mine(ring) || !move(ring, IDLE, LOOKING)) {
            continue;
        }
        if (is_mine(ring)) {
            if (ring->engine == CT_IO_ENGINE_NATIVE) {
                look_aio(ring);
            } else {
                look_uring(ring);
            }
        }
        __atomic_store_n(&ring->state, IDLE, __ATOMIC_RELEASE);
    }
}

void ct_rings_look(void)
{
    if (has_rings && ct_emit_on_native_aio_end()) {
        CT_GUARDED(look());
    }
}

static bool is_ring(const struct ring *ring, const void *context)
{
    return __atomic_load_n(&ring->state, __ATOMIC_ACQUIRE) >= IDLE &&
           ring->context == context;
}

static void begin_ring(struct ring *ring, void *context,
                       enum ct_io_engine engine)
{
    const struct io_uring *uring = context;
    const struct aio_ring *aio = context;

    ring->context = context;
    ring->engine = engine;
    ring->told = engine == CT_IO_ENGINE_IO_URING
                     ? __atomic_load_n(uring->cq.khead, __ATOMIC_RELAXED)
                     : __atomic_load_n(&aio->head, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->owner, &ct_self, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->state, IDLE, __ATOMIC_RELEASE);
    has_rings = true;
}

static void remember(void *context, enum ct_io_engine engine)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        if (is_ring(&rings[i], context)) {
            __atomic_store_n(&rings[i].owner, &ct_self, __ATOMIC_RELAXED);
            has_rings = true;
            return;
        }
    }
    if (engine == CT_IO_ENGINE_NATIVE &&
        ((const struct aio_ring *)context)->magic != AIO_RING_MAGIC) {
        return;
    }
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        if (!move(&rings[i], FREE, TAKEN)) {
            continue;
        }
        while (n <= i && !__atomic_compare_exchange_n(&n_rings, &n, i + 1,
                                                      false, __ATOMIC_RELEASE,
                                                      __ATOMIC_ACQUIRE)) {
        }
        begin_ring(&rings[i], context, engine);
        return;
    }
}

/* Its memory goes away. */
static void forget(const void *context)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        struct ring *ring = &rings[i];

        if (is_ring(ring, context)) {
            /* A signal handler must not wait for what it has interrupted. */
            while (!move(ring, IDLE, FREE) &&
                   !(is_mine(ring) && ct_self.busy)) {
                sched_yield();
            }
            return;
        }
    }
}

static void forget_all(void)
{
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        __atomic_store_n(&rings[i].state, FREE, __ATOMIC_RELAXED);
    }
    has_rings = false;
}

__attribute__((constructor)) static void begin_rings(void)
{
    (void)pthread_atfork(NULL, NULL, forget_all);
}

/* --- linux-aio ------------------------------------------------------------ */

extern int io_submit(void *, long, struct iocb **);
extern int io_destroy(void *);

/* The kernel refuses more, and there may be no more. */
static uint64_t bytes_of(const struct iovec *vector, uint64_t n)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; vector && n <= IOV_MAX && i < n; i++) {
        bytes += vector[i].iov_len;
    }
    return bytes;
}

/* The coroutine's stack that an address lies on, 0: none. */
static uintptr_t stack_of(const void *address)
{
    struct ct_stack_place place = ct_stacks_find((uintptr_t)address);

    return place.base == CT_STACKS_UNKNOWN ? 0 : place.base;
}

static void tell_iocb(const struct iocb *request, uintptr_t here)
{
    bool is_vector = request->aio_lio_opcode == IOCB_CMD_PREADV ||
                     request->aio_lio_opcode == IOCB_CMD_PWRITEV;
    bool is_read = request->aio_lio_opcode == IOCB_CMD_PREADV ||
                   request->aio_lio_opcode == IOCB_CMD_PREAD;
    bool is_flush = request->aio_lio_opcode == IOCB_CMD_FSYNC ||
                    request->aio_lio_opcode == IOCB_CMD_FDSYNC;

    ct_fds_see((int)request->aio_fildes);
    ct_emit_native_aio(
        CT_IO_ENGINE_NATIVE,
        is_read    ? CT_NATIVE_IO_READ
        : is_flush ? CT_NATIVE_IO_FLUSH
                   : CT_NATIVE_IO_WRITE,
        (int)request->aio_fildes, (uint64_t)request->aio_offset,
        is_vector ? bytes_of((const struct iovec *)(uintptr_t)request->aio_buf,
                             request->aio_nbytes)
                  : request->aio_nbytes,
        request, stack_of(request), here);
}

CT_TOLD static void told_iocbs(struct iocb **requests, long n)
{
    uintptr_t here = stack_of(__builtin_frame_address(0));

    for (long i = 0; i < n && requests[i]; i++) {
        CT_GUARDED(tell_iocb(requests[i], here));
    }
}

CT_REAL_OF(io_submit);
CT_HOOK int io_submit(void *context, long n, struct iocb **requests)
{
    bool is_on = n > 0 && requests && ct_emit_on_native_aio() && ct_guard_may();
    int result;

    if (is_on) {
        ct_rings_look();
        told_iocbs(requests, n);
    }
    result = CT_REAL_HERE(io_submit)(context, n, requests);
    if (is_on && result > 0) {
        remember(context, CT_IO_ENGINE_NATIVE); /* the kernel knows it */
        ct_rings_look();
    }
    return result;
}

CT_REAL_OF(io_destroy);
CT_HOOK int io_destroy(void *context)
{
    forget(context);
    return CT_REAL_HERE(io_destroy)(context);
}

/* --- io_uring ------------------------------------------------------------- */

extern int io_uring_submit(struct io_uring *);
extern int io_uring_submit_and_wait(struct io_uring *, unsigned);
extern int io_uring_submit_and_wait_timeout(struct io_uring *,
                                            struct io_uring_cqe **, unsigned,
                                            void *, sigset_t *);
extern int io_uring_wait_cqes(struct io_uring *, struct io_uring_cqe **,
                              unsigned, void *, sigset_t *);
extern int io_uring_wait_cqe_timeout(struct io_uring *, struct io_uring_cqe **,
                                     void *);
extern int __io_uring_get_cqe(struct io_uring *, struct io_uring_cqe **,
                              unsigned, unsigned, sigset_t *);
extern void io_uring_queue_exit(struct io_uring *);

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
        is_vector
            ? bytes_of((const struct iovec *)(uintptr_t)sqe->addr, sqe->len)
            : sqe->len,
        request, stack_of(request), here);
}

/* What the program has prepared and the call is about to hand over.  Rings on
 * which there is only polling, which loops wait with, are left alone. */
CT_TOLD static void told_sqes(struct io_uring *uring)
{
    uintptr_t here = stack_of(__builtin_frame_address(0));
    bool wide = (uring->flags & IORING_SETUP_SQE128) != 0;

    for (unsigned i = uring->sq.sqe_head; i != uring->sq.sqe_tail; i++) {
        const struct io_uring_sqe *sqe =
            &uring->sq.sqes[(i & *uring->sq.kmask) << wide];

        if (op_of(sqe->opcode) >= 0) {
            remember(uring, CT_IO_ENGINE_IO_URING);
            CT_GUARDED(tell_sqe(sqe, here));
        }
    }
}

CT_TOLD static void told_wait(const struct io_uring *uring)
{
    CT_GUARDED(ct_emit_native_wait_begin(CT_NATIVE_WAIT_RING,
                                         (uint64_t)uring->fd, -1));
}

/* @wait: how many the call waits for */
#define TOLD(uring, wait, call)                                   \
    do {                                                          \
        bool is_on = ct_emit_on_native_aio() && ct_guard_may() && \
                     !((uring)->flags & IORING_SETUP_CQE32);      \
        int result;                                               \
                                                                  \
        if (is_on) {                                              \
            ct_rings_look();                                      \
            told_sqes(uring);                                     \
            if ((wait) > 0) {                                     \
                told_wait(uring);                                 \
            }                                                     \
        }                                                         \
        result = call;                                            \
        if (is_on) {                                              \
            if ((wait) > 0) {                                     \
                CT_GUARDED(ct_emit_native_wait_end(result));      \
            }                                                     \
            ct_rings_look();                                      \
        }                                                         \
        return result;                                            \
    } while (0)

CT_REAL_OF(io_uring_submit);
CT_HOOK int io_uring_submit(struct io_uring *uring)
{
    TOLD(uring, 0, CT_REAL_HERE(io_uring_submit)(uring));
}

CT_REAL_OF(io_uring_submit_and_wait);
CT_HOOK int io_uring_submit_and_wait(struct io_uring *uring, unsigned wait)
{
    TOLD(uring, wait, CT_REAL_HERE(io_uring_submit_and_wait)(uring, wait));
}

CT_REAL_OF(io_uring_submit_and_wait_timeout);
CT_HOOK int io_uring_submit_and_wait_timeout(struct io_uring *uring,
                                             struct io_uring_cqe **ret_first,
                                             unsigned wait, void *timeout,
                                             sigset_t *mask)
{
    TOLD(uring, wait,
         CT_REAL_HERE(io_uring_submit_and_wait_timeout)(uring, ret_first, wait,
                                                        timeout, mask));
}

CT_REAL_OF(io_uring_wait_cqes);
CT_HOOK int io_uring_wait_cqes(struct io_uring *uring,
                               struct io_uring_cqe **ret_first, unsigned wait,
                               void *timeout, sigset_t *mask)
{
    TOLD(uring, wait,
         CT_REAL_HERE(io_uring_wait_cqes)(uring, ret_first, wait, timeout,
                                          mask));
}

CT_REAL_OF(io_uring_wait_cqe_timeout);
CT_HOOK int io_uring_wait_cqe_timeout(struct io_uring *uring,
                                      struct io_uring_cqe **ret_first,
                                      void *timeout)
{
    TOLD(uring, 1,
         CT_REAL_HERE(io_uring_wait_cqe_timeout)(uring, ret_first, timeout));
}

CT_REAL_OF(__io_uring_get_cqe);
CT_HOOK int __io_uring_get_cqe(struct io_uring *uring,
                               struct io_uring_cqe **ret_first, unsigned submit,
                               unsigned wait, sigset_t *mask)
{
    TOLD(
        uring, wait,
        CT_REAL_HERE(__io_uring_get_cqe)(uring, ret_first, submit, wait, mask));
}

CT_REAL_OF(io_uring_queue_exit);
CT_HOOK void io_uring_queue_exit(struct io_uring *uring)
{
    forget(uring);
    CT_REAL_HERE(io_uring_queue_exit)(uring);
}
