/* SPDX-License-Identifier: MIT */
/*
 * rings.c - operations that the kernel gets, in a program without tracepoints
 *
 *   rings aio      linux-aio: what is taken by a call, before and after a poll
 *   rings uring    io_uring: batches with looks between, other operations
 *   rings threads  rings that outlive their thread, move, and are destroyed by
 *                  another one while their owner goes on
 *   rings wakes    eventfds that end another thread's poll
 *   rings stale    a ring that was left on the stack of a thread that ended
 * Prints what it did: the same with and without the library; "not here" if the
 * kernel has no such rings.
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DEPTH = 16, BATCH = 4, ROUNDS = 3, BLOCK_BYTES = 512 };

static void fail(const char *what, int error)
{
    fprintf(stderr, "rings: %s: %s\n", what, strerror(error));
    exit(3);
}

static int new_file(void)
{
    char name[] = "/tmp/rings-XXXXXX";
    char data[BATCH * BLOCK_BYTES] = "";
    int fd = mkstemp(name);

    if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data)) {
        fail(name, errno);
    }
    unlink(name);
    return fd;
}

/* --- linux-aio ------------------------------------------------------------ */

static char data[BATCH][BLOCK_BYTES];

/* @event: -1: none.  Of the batch the last one is more than there is. */
static void submit_aio(io_context_t context, int fd, int event,
                       struct iocb *requests)
{
    struct iocb *list[BATCH];
    int n;

    for (int i = 0; i < BATCH; i++) {
        list[i] = &requests[i];
        io_prep_pread(list[i], fd, data[i], BLOCK_BYTES,
                      (long long)i * BLOCK_BYTES + (i == BATCH - 1 ? 12 : 0));
        if (event >= 0) {
            io_set_eventfd(list[i], event);
        }
    }
    n = io_submit(context, BATCH, list);
    if (n != BATCH) {
        fail("io_submit", -n);
    }
}

static long take_aio(io_context_t context, int n_min, int n)
{
    struct io_event events[BATCH];
    int taken = io_getevents(context, n_min, n, events, NULL);
    long sum = 0;

    for (int i = 0; i < taken; i++) {
        sum += (long)events[i].res;
    }
    return sum;
}

static void poll_all(int event)
{
    uint64_t n = 0, some;

    while (n < BATCH) {
        struct pollfd fd = {.fd = event, .events = POLLIN};

        if (poll(&fd, 1, -1) == 1 && read(event, &some, sizeof(some)) > 0) {
            n += some;
        }
    }
}

/* What moves no bytes: an fd is waited for, the file is written out. */
static void wait_by_aio(io_context_t context, int event)
{
    struct iocb requests[2];
    struct iocb *list[2] = {&requests[0], &requests[1]};
    uint64_t one = 1;

    if (write(event, &one, sizeof(one)) != sizeof(one)) {
        fail("eventfd", errno);
    }
    io_prep_poll(list[0], event, POLLIN);
    io_prep_fdsync(list[1], new_file());
    if (io_submit(context, 2, list) != 2) {
        fail("io_submit", EINVAL);
    }
    (void)take_aio(context, 2, 2);
}

static void run_aio(void)
{
    io_context_t context = NULL;
    struct iocb requests[2 * BATCH];
    int error = io_setup(DEPTH, &context);
    int fd = new_file(), event = eventfd(0, 0);
    long sum = 0;

    if (error) {
        printf("not here\n");
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        submit_aio(context, fd, -1, requests);
        sum += take_aio(context, BATCH, BATCH); /* it waits */
        submit_aio(context, fd, event, requests);
        poll_all(event); /* all are seen */
        sum += take_aio(context, 1, 1);
        sum += take_aio(context, 0, BATCH);
        /* taken in parts, with others behind them */
        submit_aio(context, fd, -1, requests);
        submit_aio(context, fd, -1, requests + BATCH);
        sum += take_aio(context, 1, 1);
        sum += take_aio(context, BATCH, BATCH);
        sum += take_aio(context, BATCH - 1, BATCH);
    }
    wait_by_aio(context, event);
    io_destroy(context);
    printf("%ld bytes\n", sum);
}

/* --- io_uring ------------------------------------------------------------- */

static void prepare(struct io_uring *ring, int fd, int number)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

    io_uring_prep_read(sqe, fd, data[number % BATCH], BLOCK_BYTES, 0);
    io_uring_sqe_set_data(sqe, &data[number % BATCH][number / BATCH]);
}

static long take(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;
    long result;

    if (io_uring_wait_cqe(ring, &cqe)) {
        fail("wait", errno);
    }
    result = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return result;
}

static bool begin(struct io_uring *ring)
{
    return io_uring_queue_init(DEPTH, ring, 0) == 0;
}

static void run_uring(void)
{
    struct io_uring ring;
    struct io_uring_cqe *cqe;
    int fd = new_file(), again;
    long sum = 0;

    if (!begin(&ring)) {
        printf("not here\n");
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            prepare(&ring, fd, round * BATCH + i);
            (void)io_uring_peek_cqe(&ring, &cqe); /* it gives nothing */
        }
        /* no file's, and its completion nobody's */
        io_uring_prep_nop(io_uring_get_sqe(&ring));
        io_uring_submit(&ring);
        for (int i = 0; i <= BATCH; i++) {
            sum += take(&ring);
        }
        /* the same number, another file */
        again = new_file();
        dup2(again, fd);
        close(again);
    }
    io_uring_queue_exit(&ring);
    printf("%ld bytes\n", sum);
}

/* --- threads -------------------------------------------------------------- */

static struct io_uring left, moved;
static pthread_barrier_t barrier;
static int file, first[2], second[2]; /* pipes: what reads one waits */

static void *leave_one(void *opaque)
{
    prepare(&left, first[0], 0);
    io_uring_submit(&left);
    return NULL;
}

static void *use_another(void *opaque)
{
    struct io_uring own;
    long sum = 0;

    if (!begin(&own)) {
        return NULL;
    }
    prepare(&own, file, 1);
    io_uring_submit(&own);
    sum += take(&own);
    prepare(&moved, second[0], 2);
    io_uring_submit(&moved);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* it is gone, and was it mine? */
    prepare(&own, file, 3);
    io_uring_submit(&own);
    sum += take(&own);
    io_uring_queue_exit(&own);
    return (void *)sum;
}

static void run_threads(void)
{
    struct io_uring here;
    pthread_t thread;
    void *sum = NULL;
    long rest;

    file = new_file();
    if (pipe(first) || pipe(second) || !begin(&left) || !begin(&moved)) {
        printf("not here\n");
        return;
    }
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, leave_one, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, use_another, NULL);
    pthread_barrier_wait(&barrier);
    (void)!write(first[1], data, 1);
    (void)!write(second[1], data, 1);
    (void)take(&left); /* or that it was cancelled: its thread has ended */
    rest = take(&moved);
    here = moved; /* whose it is now */
    memset(&moved, 0xa5, sizeof(moved));
    io_uring_queue_exit(&here);
    io_uring_queue_exit(&left);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, &sum);
    printf("%ld bytes, others %ld\n", (long)sum, rest);
}

/* --- wakes ---------------------------------------------------------------- */

static int wakes, back;

static void *wake(void *opaque)
{
    uint64_t one = 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct pollfd fd = {.fd = back, .events = POLLIN};

        (void)!write(wakes, &one, sizeof(one));
        (void)poll(&fd, 1, -1);
        (void)!read(back, &one, sizeof(one));
    }
    return NULL;
}

static void run_wakes(void)
{
    pthread_t thread;
    uint64_t one = 1;
    int n = 0;

    wakes = eventfd(0, 0);
    back = eventfd(0, 0);
    pthread_create(&thread, NULL, wake, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct pollfd fds[2] = {{.fd = 0, .events = 0},
                                {.fd = wakes, .events = POLLIN}};

        fds[0].fd = -1;
        n += poll(fds, 2, -1);
        (void)!read(wakes, &one, sizeof(one));
        (void)!write(back, &one, sizeof(one));
    }
    pthread_join(thread, NULL);
    printf("%d wakes\n", n);
}

/* --- stale ---------------------------------------------------------------- */

static void *leave_it(void *opaque)
{
    struct io_uring own;
    long sum;

    if (!begin(&own)) {
        return NULL;
    }
    prepare(&own, file, 0);
    io_uring_submit(&own);
    sum = take(&own);
    memset(&own, 0x5a, sizeof(own)); /* as whoever comes next here */
    __asm__ volatile("" : : "r"(&own) : "memory");
    (void)poll(NULL, 0, 1);
    return (void *)sum;
}

static void run_stale(void)
{
    long sum = 0;

    file = new_file();
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        void *result = NULL;

        pthread_create(&thread, NULL, leave_it, NULL);
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("%ld bytes\n", sum);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"aio", run_aio},     {"uring", run_uring}, {"threads", run_threads},
        {"wakes", run_wakes}, {"stale", run_stale},
    };

    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            return 0;
        }
    }
    return 2;
}
