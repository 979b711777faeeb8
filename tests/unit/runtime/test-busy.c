/* SPDX-License-Identifier: MIT */
/*
 * test-busy.c - adaptive polling, on a clock that moves with each look
 *
 * A fake monitor stands in front of the real one: it takes as much time as it
 * is told, and counts.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "aio/fdmon/fdmon.h"
#include "loops.h"

#define STEP_NS 1000
#define IDLE_NS INT64_C(7000000000)

/* --- a context that waits as long as the test says ------------------------ */

static struct world {
    AioContext *ctx;
    struct ct_clock_manual clock;
    struct fdmon_ops fdmon;
    int64_t block_ns; /* what the next wait takes */
    int waits;        /* how often the kernel was asked to wait */
    int looks;        /* ... and just to look */
} world;

/* Ends at once: what it would wait for has come after block_ns. */
static int fake_wait(AioContext *ctx, int64_t timeout_ns)
{
    if (timeout_ns == 0) {
        world.looks++;
    } else {
        world.waits++;
        ct_clock_manual_advance(&world.clock, world.block_ns);
    }
    return fdmon_poll_ops.wait(ctx, 0);
}

static void world_init(struct loop *loop)
{
    world = (struct world){.ctx = loop->ctx};
    ct_clock_manual_init(&world.clock, 1000000);
    aio_context_set_clock(loop->ctx, AIO_CLOCK_REALTIME, &world.clock.clock);
    world.fdmon = fdmon_poll_ops;
    world.fdmon.wait = fake_wait;
    loop->ctx->fdmon = &world.fdmon;
    loop->ctx->fdmon_wanted = &world.fdmon;
}

static void world_fini(void)
{
    world.ctx->fdmon = &fdmon_poll_ops;
    world.ctx->fdmon_wanted = &fdmon_poll_ops;
}

/* A blocking turn whose event comes @block_ns after it began to wait. */
static void turn(int64_t block_ns)
{
    world.block_ns = block_ns;
    (void)aio_poll(world.ctx, true);
}

/* --- a device whose events are seen in memory, and by its fd -------------- */

struct device {
    int fd;
    int asked;    /* calls of io_poll */
    int ready_at; /* the call that finds something; 0: none */
    bool left;    /* io_poll_end meets an event */
    bool is_polled;
};

static void device_read(void *opaque)
{
    struct device *device = opaque;
    uint64_t count;

    g_assert_cmpint(read(device->fd, &count, sizeof(count)), ==, sizeof(count));
    log_add("read");
}

static bool device_poll(void *opaque)
{
    struct device *device = opaque;

    ct_clock_manual_advance(&world.clock, STEP_NS);
    device->asked++;
    return device->asked == device->ready_at;
}

static void device_ready(void *opaque)
{
    log_add("ready");
}

static void device_begin(void *opaque)
{
    struct device *device = opaque;

    g_assert_false(device->is_polled);
    device->is_polled = true;
    log_add("begin");
}

static void device_end(void *opaque)
{
    struct device *device = opaque;

    g_assert_true(device->is_polled);
    device->is_polled = false;
    log_add("end");
    if (device->left) {
        device->left = false;
        device->ready_at = device->asked + 1;
    }
}

static const AioPollOps device_ops = {
    .io_poll = device_poll,
    .io_poll_ready = device_ready,
    .io_poll_begin = device_begin,
    .io_poll_end = device_end,
};

static void device_init(struct device *device)
{
    *device = (struct device){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    g_assert_cmpint(device->fd, >=, 0);
    aio_set_fd_handler(world.ctx, device->fd, device_read, NULL, device);
    aio_set_fd_poll(world.ctx, device->fd, &device_ops);
}

static void device_fini(struct device *device)
{
    aio_set_fd_handler(world.ctx, device->fd, NULL, NULL, NULL);
    close(device->fd);
}

static void device_fire(struct device *device)
{
    const uint64_t one = 1;

    g_assert_cmpint(write(device->fd, &one, sizeof(one)), ==, sizeof(one));
}

/* Its fd is found ready once, so it is polled from then on. */
static void device_init_active(struct device *device)
{
    device_init(device);
    device_fire(device);
    turn(0);
    log_expect("read");
    log_clear();
}

/* --- how long ------------------------------------------------------------- */

static void test_off(struct loop *loop)
{
    struct device device;

    world_init(loop);
    device_init_active(&device);
    for (int i = 0; i < 3; i++) {
        turn(10000);
    }
    g_assert_cmpint(device.asked, ==, 0);
    g_assert_cmpint(world.waits, ==, 4);
    g_assert_cmpint(loop->ctx->poll_ns, ==, 0);
    device_fini(&device);
    world_fini();
}

static void expect_after(int64_t block_ns, int64_t poll_ns)
{
    turn(block_ns);
    g_assert_cmpint(world.ctx->poll_ns, ==, poll_ns);
}

/* Each look takes a microsecond, also the one after io_poll_end. */
static void test_grow_and_shrink(struct loop *loop)
{
    struct device device;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0); /* takes the notification */
    device_init_active(&device);
    expect_after(10000, 4000);
    expect_after(10000, 8000);
    expect_after(10000, 16000);
    expect_after(1000, 32000);
    expect_after(1000, 0); /* 34 us are more than the maximum */
    g_assert_cmpint(device.asked, ==, 4 + 1 + 8 + 1 + 16 + 1 + 32 + 1);
    device_fini(&device);
    world_fini();
}

struct adjusting {
    int64_t max_ns, grow, shrink, from_ns, block_ns, to_ns;
};

static void test_adjust(struct loop *loop)
{
    static const struct adjusting cases[] = {
        /* right so, also to the nanosecond */
        {32000, 0, 0, 8000, 8000, 8000},
        {32000, 0, 0, 8000, 100, 8000},
        /* a bit more would have done: twice, as default */
        {32000, 0, 0, 8000, 8001, 16000},
        {32000, 3, 0, 8000, 9000, 24000},
        {32000, 0, 0, 20000, 30000, 32000},
        {32000, 0, 0, 8000, 32000, 16000},
        /* in vain: back to nothing, as default */
        {32000, 0, 0, 8000, 32001, 0},
        {32000, 0, 2, 8000, 50000, 4000},
        {32000, 0, 4, 32000, 50000, 8000},
        {32000, 0, 2, 0, 50000, 0},
        /* at the maximum there is no room */
        {32000, 0, 0, 32000, 32000, 32000},
        /* the first step, and no overflow */
        {32000, 0, 0, 0, 1, 4000},
        {INT64_MAX, 5, 0, INT64_MAX / 2, INT64_MAX / 2 + 9, INT64_MAX},
        /* lowered since */
        {5000, 0, 0, 8000, 4000, 5000},
    };

    world_init(loop);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct adjusting *it = &cases[i];

        g_test_message("case %zu", i);
        aio_context_set_poll_params(loop->ctx, it->max_ns, it->grow,
                                    it->shrink);
        loop->ctx->poll_ns = it->from_ns;
        loop->ctx->poll_begin_ns = aio_context_now_ns(loop->ctx) - it->block_ns;
        aio_busy_adjust(loop->ctx);
        g_assert_cmpint(loop->ctx->poll_ns, ==, it->to_ns);
    }
    world_fini();
}

/* A turn that had something to run at once teaches nothing. */
static void ignore(void *opaque)
{
    ct_clock_manual_advance(&world.clock, 10000);
}

static void test_no_wait(struct loop *loop)
{
    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    aio_bh_schedule_oneshot(loop->ctx, ignore, NULL);
    turn(0);
    (void)aio_poll(loop->ctx, false);
    g_assert_cmpint(loop->ctx->poll_ns, ==, 0);
    world_fini();
}

/* --- what is polled ------------------------------------------------------ */

/* Found without the kernel. */
static void test_found(struct loop *loop)
{
    struct device device;
    int waits;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 8000;
    waits = world.waits;
    device.ready_at = 3;
    turn(0);
    g_assert_cmpint(world.waits, ==, waits);
    g_assert_cmpint(device.asked, ==, 3);
    log_expect("begin ready");
    g_assert_cmpint(loop->ctx->poll_ns, ==, 8000);
    /* The next one too late: it ends polling, sleeps, and learns. */
    device.asked = device.ready_at = 0;
    turn(1000);
    g_assert_cmpint(world.waits, ==, waits + 1);
    log_expect("begin ready end");
    /* 8 rounds, and once more after the end */
    g_assert_cmpint(device.asked, ==, 9);
    g_assert_cmpint(loop->ctx->poll_ns, ==, 16000);
    device_fini(&device);
    world_fini();
}

/* An event between the last look and io_poll_end is seen before the sleep. */
static void test_end_races(struct loop *loop)
{
    struct device device;
    int waits;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 4000;
    device.left = true;
    waits = world.waits;
    turn(0);
    log_expect("begin end ready");
    g_assert_cmpint(world.waits, ==, waits);
    device_fini(&device);
    world_fini();
}

/* Not asked before its fd was ready, and not after seven idle seconds. */
static void test_idle(struct loop *loop)
{
    struct device device;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 4000, 0, 1);
    turn(0);
    device_init(&device);
    turn(0);
    g_assert_cmpint(device.asked, ==, 0);
    device_fire(&device);
    turn(0);
    log_expect("read");
    loop->ctx->poll_ns = 4000;
    turn(0); /* polled; from here it is idle */
    g_assert_cmpint(device.asked, >, 0);
    log_expect("read begin end");
    ct_clock_manual_advance(&world.clock, IDLE_NS / 2);
    device.ready_at = device.asked + 1;
    turn(0);
    log_expect("read begin end begin ready");
    ct_clock_manual_advance(&world.clock, IDLE_NS / 2);
    turn(0); /* not yet: it had something in between */
    log_expect("read begin end begin ready end");
    ct_clock_manual_advance(&world.clock, IDLE_NS);
    turn(0); /* dropped, with io_poll_end and a last look */
    log_expect("read begin end begin ready end begin end");
    g_assert_true(list_is_empty(&loop->ctx->poll_handlers));
    device.asked = 0;
    loop->ctx->poll_ns = 0; /* else it would watch a clock that stands */
    turn(0);
    g_assert_cmpint(device.asked, ==, 0);
    log_clear();
    device_fire(&device);
    turn(0);
    loop->ctx->poll_ns = 4000;
    turn(0);
    log_expect("read begin end"); /* back again */
    device_fini(&device);
    world_fini();
}

static void on_plain(void *opaque)
{
}

/* One handler that can't be polled turns it off for all. */
static void test_disabled(struct loop *loop)
{
    struct device device;
    int fd = eventfd(0, EFD_CLOEXEC);

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 1);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 4000;
    aio_set_fd_handler(loop->ctx, fd, on_plain, NULL, NULL);
    g_assert_cmpuint(loop->ctx->poll_disable_cnt, ==, 1);
    turn(0);
    g_assert_cmpint(device.asked, ==, 0);
    aio_set_fd_handler(loop->ctx, fd, NULL, NULL, NULL);
    g_assert_cmpuint(loop->ctx->poll_disable_cnt, ==, 0);
    turn(0);
    g_assert_cmpint(device.asked, >, 0);
    device_fini(&device);
    g_assert_cmpuint(loop->ctx->poll_disable_cnt, ==, 0);
    close(fd);
    world_fini();
}

/* --- what ends it -------------------------------------------------------- */

static bool notifying_poll(void *opaque)
{
    struct device *device = opaque;

    if (++device->asked == device->ready_at) {
        aio_notify(world.ctx);
    }
    return false;
}

static const AioPollOps notifying_ops = {
    .io_poll = notifying_poll,
    .io_poll_ready = device_ready,
};

/* The clock stands still: only the notification ends it. */
static void test_notified(struct loop *loop)
{
    struct device device = {.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    aio_set_fd_handler(loop->ctx, device.fd, device_read, NULL, &device);
    aio_set_fd_poll(loop->ctx, device.fd, &notifying_ops);
    turn(0);
    loop->ctx->poll_ns = 8000;
    device.ready_at = 20;
    world.waits = 0;
    turn(0);
    g_assert_cmpint(device.asked, ==, 20);
    g_assert_cmpint(world.waits, ==, 0);
    device_fini(&device);
    world_fini();
}

/* Its own thread removes a handler that is being polled. */
static void test_removed(struct loop *loop)
{
    struct device device;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 8000;
    device.ready_at = 2;
    turn(0);
    g_assert_true(device.is_polled);
    device_fini(&device);
    log_expect("begin ready end");
    aio_notify(loop->ctx);
    turn(0);
    g_assert_cmpint(device.asked, ==, 2);
    g_assert_true(list_is_empty(&loop->ctx->poll_handlers));
    world_fini();
}

static void test_switched_off(struct loop *loop)
{
    struct device device;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 8000;
    device.ready_at = 2;
    turn(0);
    aio_context_set_poll_params(loop->ctx, 0, 0, 0);
    turn(0);
    turn(0);
    log_expect("begin ready end");
    g_assert_cmpint(loop->ctx->poll_ns, ==, 0);
    device_fini(&device);
    world_fini();
}

/* GLib sleeps without us: files are signalled again before it does. */
static void test_glib_waits(struct loop *loop)
{
    struct device device;

    world_init(loop);
    aio_context_set_poll_params(loop->ctx, 32000, 0, 0);
    turn(0);
    device_init_active(&device);
    loop->ctx->poll_ns = 8000;
    device.ready_at = 2;
    turn(0);
    g_assert_true(device.is_polled);
    device_fire(&device);
    loop_drain(loop);
    if (loop->main != NULL) {
        g_assert_false(device.is_polled);
        log_expect("begin ready end read");
    } else {
        /* A turn that doesn't wait polls on, and asks the kernel as well. */
        log_expect("begin ready read");
    }
    device_fini(&device);
    world_fini();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add_poll("/busy/off", test_off);
    loops_add_poll("/busy/grow-and-shrink", test_grow_and_shrink);
    loops_add_poll("/busy/adjust", test_adjust);
    loops_add_poll("/busy/no-wait", test_no_wait);
    loops_add_poll("/busy/found", test_found);
    loops_add_poll("/busy/end-races", test_end_races);
    loops_add_poll("/busy/idle", test_idle);
    loops_add_poll("/busy/disabled", test_disabled);
    loops_add_poll("/busy/notified", test_notified);
    loops_add_poll("/busy/removed", test_removed);
    loops_add_poll("/busy/switched-off", test_switched_off);
    loops_add("/busy/glib-waits", test_glib_waits);
    return g_test_run();
}
