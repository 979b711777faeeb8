/* SPDX-License-Identifier: MIT */
/*
 * test-busy-ring.c - busy polling of a device in another thread, which signals
 * its file descriptor only while somebody wants it to, as a virtqueue
 *
 * Whatever is missed leaves both sides waiting for ever.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/atomics.h"
#include "ct/aio.h"

#define EVENTS 20000

static struct ring {
    int fd;
    unsigned produced; /* atomic: the device */
    unsigned wanted;   /* atomic: the loop */
    unsigned consumed; /* the loop; atomic for who waits for it */
} ring;

static void ring_take(void *opaque)
{
    ct_store(&ring.consumed, ct_load_seq(&ring.produced));
}

static void ring_read(void *opaque)
{
    uint64_t count;

    (void)!read(ring.fd, &count, sizeof(count));
    ring_take(NULL);
}

static bool ring_poll(void *opaque)
{
    return ct_load_seq(&ring.produced) != ring.consumed;
}

static void ring_begin(void *opaque)
{
    ct_store(&ring.wanted, 0);
}

static void ring_end(void *opaque)
{
    (void)ct_xchg(&ring.wanted, 1);
}

static const AioPollOps ring_ops = {
    .io_poll = ring_poll,
    .io_poll_ready = ring_take,
    .io_poll_begin = ring_begin,
    .io_poll_end = ring_end,
};

static void *produce(void *opaque)
{
    const uint64_t one = 1;

    for (unsigned i = 1; i <= EVENTS; i++) {
        (void)ct_fetch_add(&ring.produced, 1);
        if (ct_load_seq(&ring.wanted)) {
            g_assert_cmpint(write(ring.fd, &one, sizeof(one)), ==, sizeof(one));
        }
        /* Now and then let the loop fall asleep. */
        if (i % 64 == 0) {
            while (ct_load_acquire(&ring.consumed) != i) {
                ct_cpu_relax();
            }
        }
    }
    return NULL;
}

static void test_ring(gconstpointer fdmon)
{
    AioContext *ctx = aio_context_new("ring", NULL);
    pthread_t thread;

    if (aio_context_set_fdmon(ctx, fdmon) < 0) {
        g_test_skip("the kernel refuses it");
        aio_context_unref(ctx);
        return;
    }
    ring = (struct ring){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                         .wanted = 1};
    aio_context_set_poll_params(ctx, 20000, 0, 2);
    aio_set_fd_handler(ctx, ring.fd, ring_read, NULL, NULL);
    aio_set_fd_poll(ctx, ring.fd, &ring_ops);
    g_assert_cmpint(pthread_create(&thread, NULL, produce, NULL), ==, 0);
    while (ring.consumed != EVENTS) {
        (void)aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    aio_set_fd_handler(ctx, ring.fd, NULL, NULL, NULL);
    close(ring.fd);
    aio_context_unref(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/busy-ring/poll", "poll", test_ring);
    g_test_add_data_func("/busy-ring/epoll", "epoll", test_ring);
    g_test_add_data_func("/busy-ring/io_uring", "io_uring", test_ring);
    return g_test_run();
}
