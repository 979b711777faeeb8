/* SPDX-License-Identifier: MIT */
/*
 * linux_aio.c - the engine on io_submit(2), "native"
 *
 * The kernel works beside us only on files that were opened with O_DIRECT; on
 * others io_submit() does the work itself, and returns when it is done.
 *
 * One queue a context.  A submission only appends to `pending`; the context
 * gives all of it to the kernel with one system call at the end of its turn, or
 * as soon as there is a batch.
 *
 * The kernel counts completions on an eventfd and puts them in a ring that is
 * mapped for us; they are read from there without a system call, as far as the
 * ring is of the form that we know.  The eventfd is reset only when the ring is
 * empty, and the ring looked at once more after that: so a callback that polls
 * for another completion finds the eventfd still readable, and none that comes
 * in between is forgotten.
 */
#include <errno.h>
#include <libaio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"
#include "engine/request.h"

#define EVENTS_MAX 1024
#define BATCH_MAX  128

/* What io_setup(2) maps; the kernel's ABI, without a header. */
#define RING_MAGIC 0xa10a10a1
struct aio_ring {
    unsigned id;
    unsigned nr;
    unsigned head; /* ours */
    unsigned tail; /* the kernel's */
    unsigned magic;
    unsigned compat_features;
    unsigned incompat_features;
    unsigned header_bytes;
    struct io_event events[];
};

/* All home. */
struct laio {
    AioContext *ctx;
    io_context_t kernel;
    int eventfd;
    struct list pending;
    unsigned pending_count;
    unsigned in_flight;
    struct aio_deferred submission;
};

struct laio_request {
    struct engine_request request;
    struct iocb iocb;
};

static struct laio_request *from_node(struct list *node)
{
    return list_entry(node, struct laio_request, request.node);
}

static void fill_iocb(struct laio *laio, struct laio_request *it)
{
    struct engine_request *request = &it->request;
    const struct engine_io *io = request->io;
    long long offset = io->offset + request->done_bytes;
    int niov;

    if (io->op == ENGINE_FLUSH) {
        io_prep_fdsync(&it->iocb, io->fd);
    } else {
        const struct iovec *iov = engine_request_vector(request, &niov);

        if (io->op == ENGINE_WRITE) {
            io_prep_pwritev(&it->iocb, io->fd, iov, niov, offset);
        } else {
            io_prep_preadv(&it->iocb, io->fd, iov, niov, offset);
        }
    }
    io_set_eventfd(&it->iocb, laio->eventfd);
    it->iocb.data = it;
}

static void take_pending(struct laio *laio, struct laio_request *it)
{
    list_del(&it->request.node);
    laio->pending_count--;
}

/* Return: how many the kernel took, or -errno. */
static int submit_some(struct laio *laio)
{
    struct iocb *iocbs[BATCH_MAX];
    unsigned room = EVENTS_MAX - laio->in_flight;
    unsigned count = 0;
    int ret;

    list_for_each (node, &laio->pending) {
        if (count == MIN(room, BATCH_MAX)) {
            break;
        }
        fill_iocb(laio, from_node(node));
        iocbs[count++] = &from_node(node)->iocb;
    }
    if (count == 0) {
        return -EAGAIN;
    }
    ct_emit_io_batch(laio->ctx->id, CT_IO_ENGINE_NATIVE, count,
                     laio->in_flight);
    do {
        ret = io_submit(laio->kernel, count, iocbs);
    } while (ret == -EINTR);
    for (int i = 0; i < ret; i++) {
        take_pending(laio, from_node(laio->pending.next));
        laio->in_flight++;
    }
    return ret;
}

static void submit(void *opaque)
{
    struct laio *laio = opaque;

    while (laio->pending_count > 0) {
        int ret = submit_some(laio);

        if (ret > 0) {
            continue;
        }
        if (ret == -EAGAIN && laio->in_flight > 0) {
            return; /* the rest goes when something is completed */
        }
        /* The first one is to blame, or there is no room at all. */
        struct laio_request *it = from_node(laio->pending.next);

        take_pending(laio, it);
        engine_request_refuse(&it->request);
    }
}

static void queue(struct laio *laio, struct laio_request *it)
{
    list_add_tail(&laio->pending, &it->request.node);
    laio->pending_count++;
    if (laio->pending_count >= engine_max_batch(laio->ctx)) {
        submit(laio);
    } else {
        aio_defer(laio->ctx, &laio->submission);
    }
}

static struct aio_ring *ring_of(const struct laio *laio)
{
    struct aio_ring *ring = (struct aio_ring *)(void *)laio->kernel;

    return ring->magic == RING_MAGIC && ring->incompat_features == 0 ? ring
                                                                     : NULL;
}

/* Return: false if nothing is completed. */
static bool next_event(struct laio *laio, struct io_event *ret_event)
{
    struct aio_ring *ring = ring_of(laio);
    struct timespec now = {0};
    unsigned head;

    if (ring == NULL) {
        return io_getevents(laio->kernel, 0, 1, ret_event, &now) == 1;
    }
    head = ct_load(&ring->head);
    /* Acquire: the kernel has written the event before. */
    if (head == ct_load_acquire(&ring->tail)) {
        return false;
    }
    *ret_event = ring->events[head];
    /* Release: the kernel may write over it from now on. */
    ct_store_release(&ring->head, (head + 1) % ring->nr);
    return true;
}

static void complete_all(struct laio *laio)
{
    struct io_event event;

    while (next_event(laio, &event)) {
        struct laio_request *it = event.data;

        laio->in_flight--;
        if (engine_request_result(&it->request, (int64_t)event.res)) {
            engine_request_finish(&it->request);
        } else {
            queue(laio, it);
        }
    }
}

/* The eventfd is readable, or the ring was seen to have something. */
static void on_completions(void *opaque)
{
    struct laio *laio = opaque;
    uint64_t count;

    complete_all(laio);
    (void)!read(laio->eventfd, &count, sizeof(count));
    complete_all(laio);
    if (laio->pending_count > 0) {
        aio_defer(laio->ctx, &laio->submission);
    }
}

static bool has_completion(void *opaque)
{
    struct aio_ring *ring = ring_of(opaque);

    return ring != NULL && ct_load(&ring->head) != ct_load(&ring->tail);
}

static const AioPollOps poll_ops = {
    .io_poll = has_completion,
    .io_poll_ready = on_completions,
};

static void laio_free(void *opaque)
{
    struct laio *laio = opaque;

    ct_pre("engine-free/in-flight",
           laio->in_flight == 0 && laio->pending_count == 0);
    list_del(&laio->submission.node);
    aio_set_fd_handler(laio->ctx, laio->eventfd, NULL, NULL, NULL);
    (void)close(laio->eventfd);
    (void)io_destroy(laio->kernel);
    g_free(laio);
}

/* Return: the context's queue; NULL: the kernel has none for us. */
static struct laio *get_laio(AioContext *ctx)
{
    struct laio *laio = aio_slot_get(ctx, AIO_SLOT_LINUX_AIO);

    if (laio != NULL) {
        return laio;
    }
    laio = g_new0(struct laio, 1);
    laio->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (laio->eventfd < 0) {
        g_free(laio);
        return NULL;
    }
    if (io_setup(EVENTS_MAX, &laio->kernel) < 0) {
        (void)close(laio->eventfd);
        g_free(laio);
        return NULL;
    }
    laio->ctx = ctx;
    list_init(&laio->pending);
    laio->submission = (struct aio_deferred){.run = submit, .opaque = laio};
    list_init(&laio->submission.node);
    aio_set_fd_handler(ctx, laio->eventfd, on_completions, NULL, laio);
    aio_set_fd_poll(ctx, laio->eventfd, &poll_ops);
    aio_slot_set(ctx, AIO_SLOT_LINUX_AIO, laio, laio_free);
    return laio;
}

static int coroutine_fn laio_co_submit(const struct engine_io *io)
{
    AioContext *ctx = aio_context_current();
    struct laio *laio = get_laio(ctx);
    struct laio_request it;
    int ret;

    if (laio == NULL) {
        return ct_engine_threads.co_submit(io);
    }
    if (io->bytes == 0 && io->op != ENGINE_FLUSH) {
        return 0;
    }
    engine_request_init(&it.request, ctx, io, CT_IO_ENGINE_NATIVE);
    queue(laio, &it);
    ret = engine_request_wait(&it.request);
    return it.request.is_refused ? ct_engine_threads.co_submit(io) : ret;
}

static int laio_probe(void)
{
    io_context_t kernel = NULL;
    int ret = io_setup(1, &kernel);

    if (ret == 0) {
        (void)io_destroy(kernel);
    }
    return ret;
}

const struct engine ct_engine_native = {
    .name = "native",
    .probe = laio_probe,
    .co_submit = laio_co_submit,
};
