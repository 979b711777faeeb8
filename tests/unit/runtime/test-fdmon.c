/* SPDX-License-Identifier: MIT */
/*
 * test-fdmon.c - which monitor watches the file descriptors: chosen, changed
 * when handlers become many, given up when the kernel refuses.
 * What every monitor must do alike is in test-fd.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aio/fdmon/fdmon.h"
#include "base/atomics.h"
#include "ct/aio.h"
#include "refuse.h"

static const char *const fdmons[] = {"poll", "epoll", "io_uring"};

/* --- a few eventfds, each with a handler --------------------------------- */

struct source {
    AioContext *ctx;
    int fd;
    int runs; /* atomic: home counts */
};

static void on_source(void *opaque)
{
    struct source *source = opaque;
    uint64_t count;

    g_assert_cmpint(read(source->fd, &count, sizeof(count)), ==, sizeof(count));
    ct_store(&source->runs, source->runs + 1);
}

static void source_init(struct source *source, AioContext *ctx)
{
    *source = (struct source){.ctx = ctx};
    source->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_assert_cmpint(source->fd, >=, 0);
    aio_set_fd_handler(ctx, source->fd, on_source, NULL, source);
}

static void source_fini(struct source *source)
{
    aio_set_fd_handler(source->ctx, source->fd, NULL, NULL, NULL);
    close(source->fd);
}

static void source_fire(struct source *source)
{
    const uint64_t one = 1;

    g_assert_cmpint(write(source->fd, &one, sizeof(one)), ==, sizeof(one));
}

static void expect_runs(struct source *source)
{
    int before = source->runs;

    source_fire(source);
    while (source->runs == before) {
        (void)aio_poll(source->ctx, true);
    }
    g_assert_cmpint(source->runs, ==, before + 1);
}

static void expect_fdmon(AioContext *ctx, const char *name)
{
    (void)aio_poll(ctx, false);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, name);
}

/* Return: false, and the case is skipped, where the kernel has no io_uring. */
static bool has_io_uring(void)
{
    AioContext *ctx = aio_context_new("probe", NULL);
    int ret = aio_context_set_fdmon(ctx, "io_uring");

    aio_context_unref(ctx);
    if (ret < 0) {
        g_test_skip("the kernel refuses io_uring");
    }
    return ret == 0;
}

/* --- the choice ---------------------------------------------------------- */

static void test_names(void)
{
    AioContext *ctx = aio_context_new("names", NULL);

    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
    g_assert_cmpint(aio_context_set_fdmon(ctx, "select"), ==, -ENOENT);
    g_assert_cmpint(aio_context_set_fdmon(ctx, "epoll"), ==, 0);
    g_assert_cmpint(aio_context_set_fdmon(ctx, "select"), ==, -ENOENT);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "epoll");
    g_assert_cmpint(aio_context_set_fdmon(ctx, "poll"), ==, 0);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
    aio_context_unref(ctx);
}

/* From one to another, with handlers that go on to be called. */
static void test_change(void)
{
    AioContext *ctx = aio_context_new("change", NULL);
    struct source a, b;

    source_init(&a, ctx);
    source_init(&b, ctx);
    for (int i = 0; i < 9; i++) {
        const char *name = fdmons[i * 2 % 3];

        if (aio_context_set_fdmon(ctx, name) == 0) {
            g_assert_cmpstr(aio_context_fdmon(ctx), ==, name);
        }
        expect_runs(&a);
        expect_runs(&b);
    }
    source_fini(&a);
    expect_runs(&b);
    source_fini(&b);
    aio_context_unref(ctx);
}

static void test_grows(void)
{
    AioContext *ctx = aio_context_new("grows", NULL);
    struct source sources[FDMON_EPOLL_HANDLERS + 1];

    for (int i = 0; i <= FDMON_EPOLL_HANDLERS; i++) {
        expect_fdmon(ctx, i < FDMON_EPOLL_HANDLERS ? "poll" : "epoll");
        source_init(&sources[i], ctx);
    }
    for (int i = 0; i <= FDMON_EPOLL_HANDLERS; i++) {
        expect_runs(&sources[i]);
    }
    for (int i = 0; i <= FDMON_EPOLL_HANDLERS; i++) {
        source_fini(&sources[i]);
        expect_fdmon(ctx, "epoll"); /* it stays */
    }
    aio_context_unref(ctx);
}

/* epoll can't watch this one; poll says that it is always ready. */
static void on_always(void *opaque)
{
    (*(int *)opaque)++;
}

static void test_epoll_fails(void)
{
    AioContext *ctx = aio_context_new("epoll-fails", NULL);
    struct source sources[FDMON_EPOLL_HANDLERS];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int runs = 0;

    for (int i = 0; i < FDMON_EPOLL_HANDLERS; i++) {
        source_init(&sources[i], ctx);
    }
    expect_fdmon(ctx, "epoll");
    aio_set_fd_handler(ctx, fd, on_always, NULL, &runs);
    expect_fdmon(ctx, "poll");
    g_assert_cmpint(runs, ==, 1);
    for (int i = 0; i < FDMON_EPOLL_HANDLERS; i++) {
        expect_runs(&sources[i]);
    }
    aio_set_fd_handler(ctx, fd, NULL, NULL, NULL);
    close(fd);
    expect_fdmon(ctx, "poll"); /* not tried again */
    for (int i = 0; i < FDMON_EPOLL_HANDLERS; i++) {
        source_fini(&sources[i]);
    }
    aio_context_unref(ctx);
}

/* The same when it is there before epoll is asked. */
static void test_epoll_refuses(void)
{
    AioContext *ctx = aio_context_new("epoll-refuses", NULL);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int runs = 0;

    aio_set_fd_handler(ctx, fd, on_always, NULL, &runs);
    g_assert_cmpint(aio_context_set_fdmon(ctx, "epoll"), ==, -EPERM);
    expect_fdmon(ctx, "poll");
    g_assert_cmpint(runs, ==, 1);
    aio_set_fd_handler(ctx, fd, NULL, NULL, NULL);
    close(fd);
    aio_context_unref(ctx);
}

/*
 * Closed before its handler is removed, while a copy of it lives on: epoll
 * would go on to report it, with the address of a handler that is gone.
 */
static void test_epoll_closed_early(void)
{
    AioContext *ctx = aio_context_new("closed-early", NULL);
    struct source early, other;
    int copy;

    g_assert_cmpint(aio_context_set_fdmon(ctx, "epoll"), ==, 0);
    source_init(&early, ctx);
    source_init(&other, ctx);
    copy = dup(early.fd);
    close(early.fd);
    aio_set_fd_handler(ctx, early.fd, NULL, NULL, NULL);
    early.fd = copy;
    source_fire(&early);
    expect_runs(&other);
    g_assert_cmpint(early.runs, ==, 0);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
    source_fini(&other);
    close(copy);
    aio_context_unref(ctx);
}

static void test_gsource(void)
{
    AioContext *ctx = aio_context_new("gsource", NULL);
    GMainContext *main_context = g_main_context_new();
    GSource *gsource = aio_get_g_source(ctx);
    struct source source;

    if (has_io_uring()) {
        g_assert_cmpint(aio_context_set_fdmon(ctx, "io_uring"), ==, 0);
        source_init(&source, ctx);
        expect_runs(&source);
        aio_context_attach(ctx, main_context);
        source_fire(&source);
        while (source.runs < 2) {
            (void)g_main_context_iteration(main_context, TRUE);
        }
        g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
        expect_runs(&source);
        source_fini(&source);
    }
    g_source_destroy(gsource);
    g_source_unref(gsource);
    g_main_context_unref(main_context);
    aio_context_unref(ctx);
}

/* --- a kernel that refuses ----------------------------------------------- */

/* A filter stays for ever, so it is for a child. */
static void in_child(const char *path)
{
    g_test_trap_subprocess(path, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed();
}

static void child_refused(void)
{
    AioContext *ctx = aio_context_new("refused", NULL);
    struct source source;

    refuse(SYS_io_uring_setup);
    source_init(&source, ctx);
    g_assert_cmpint(aio_context_set_fdmon(ctx, "io_uring"), ==, -EPERM);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
    expect_runs(&source);
    source_fini(&source);
    aio_context_unref(ctx);
}

static void test_refused(void)
{
    in_child("/fdmon/refused/subprocess");
}

/* Handlers that it knows, one that it doesn't, and one that is gone. */
static void child_refused_late(void)
{
    AioContext *ctx = aio_context_new("refused-late", NULL);
    struct source known, added, gone;

    g_assert_cmpint(aio_context_set_fdmon(ctx, "io_uring"), ==, 0);
    source_init(&known, ctx);
    source_init(&gone, ctx);
    expect_runs(&known);
    expect_runs(&gone);
    refuse(SYS_io_uring_enter);
    source_init(&added, ctx);
    source_fini(&gone);
    expect_runs(&added);
    expect_runs(&known);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
    source_fini(&known);
    source_fini(&added);
    aio_context_unref(ctx);
}

static void test_refused_late(void)
{
    if (has_io_uring()) {
        in_child("/fdmon/refused-late/subprocess");
    }
}

static void child_epoll_refused(void)
{
    AioContext *ctx = aio_context_new("epoll-refused", NULL);
    struct source sources[FDMON_EPOLL_HANDLERS];

    refuse(SYS_epoll_create1);
    for (int i = 0; i < FDMON_EPOLL_HANDLERS; i++) {
        source_init(&sources[i], ctx);
    }
    for (int i = 0; i < FDMON_EPOLL_HANDLERS; i++) {
        expect_runs(&sources[i]);
        g_assert_cmpstr(aio_context_fdmon(ctx), ==, "poll");
        source_fini(&sources[i]);
    }
    aio_context_unref(ctx);
}

static void test_epoll_refused(void)
{
    in_child("/fdmon/epoll-refused/subprocess");
}

static void count_timer(void *opaque)
{
    (*(int *)opaque)++;
}

/* Before Linux 5.11, or in a sandbox older than that: whole milliseconds. */
static void child_no_pwait2(void)
{
    AioContext *ctx = aio_context_new("no-pwait2", NULL);
    struct source source;
    AioTimer *timer;
    int runs = 0;

    refuse(SYS_epoll_pwait2);
    g_assert_cmpint(aio_context_set_fdmon(ctx, "epoll"), ==, 0);
    source_init(&source, ctx);
    timer = aio_timer_new(ctx, count_timer, &runs);
    aio_timer_arm(timer, aio_context_now_ns(ctx) + 1000);
    while (runs == 0) {
        (void)aio_poll(ctx, true);
    }
    expect_runs(&source);
    g_assert_cmpstr(aio_context_fdmon(ctx), ==, "epoll");
    aio_timer_free(timer);
    source_fini(&source);
    aio_context_unref(ctx);
}

static void test_no_pwait2(void)
{
    in_child("/fdmon/no-pwait2/subprocess");
}

/* --- what they hold on to ------------------------------------------------ */

/* No monitor keeps a file open whose handler its own thread has removed. */
static void test_releases(gconstpointer data)
{
    AioContext *ctx = aio_context_new("releases", NULL);
    int fds[2];
    char byte;
    int runs = 0;

    if (aio_context_set_fdmon(ctx, data) < 0) {
        g_test_skip("the kernel refuses it");
        aio_context_unref(ctx);
        return;
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                    ==, 0);
    aio_set_fd_handler(ctx, fds[0], on_always, NULL, &runs);
    (void)aio_poll(ctx, false);
    aio_set_fd_handler(ctx, fds[0], NULL, NULL, NULL);
    close(fds[0]);
    /* End of file: nobody else has it open. */
    g_assert_cmpint(read(fds[1], &byte, 1), ==, 0);
    (void)aio_poll(ctx, false);
    g_assert_cmpint(runs, ==, 0);
    g_assert_cmpuint(ctx->fd_dead, ==, 0);
    close(fds[1]);
    aio_context_unref(ctx);
}

/* Removed handlers do not pile up in a context that lives long. */
static void test_reaps(gconstpointer data)
{
    AioContext *ctx = aio_context_new("reaps", NULL);

    if (aio_context_set_fdmon(ctx, data) < 0) {
        g_test_skip("the kernel refuses it");
        aio_context_unref(ctx);
        return;
    }
    for (int i = 0; i < 100; i++) {
        struct source source;

        source_init(&source, ctx);
        if (i % 2 == 0) {
            expect_runs(&source);
        }
        source_fini(&source);
        if (strcmp(data, "io_uring") != 0) { /* nobody else knows it */
            g_assert_cmpuint(ctx->fd_dead, ==, 0);
        }
        (void)aio_poll(ctx, false);
        (void)aio_poll(ctx, false);
        g_assert_cmpuint(ctx->fd_dead, ==, 0);
    }
    aio_context_unref(ctx);
}

/* A loop that was run by a thread that is gone. */
static void test_new_home(gconstpointer data)
{
    IOThread *iothread = iothread_new("old-home", NULL);
    AioContext *ctx = aio_context_ref(iothread_get_aio_context(iothread));
    struct source source;

    source_init(&source, ctx);
    source_fire(&source);
    /* It has taken a turn with the handler in it once its answer is here. */
    while (ct_load(&source.runs) == 0) {
        ct_cpu_relax();
    }
    iothread_stop(iothread);
    if (aio_context_set_fdmon(ctx, data) < 0) {
        g_test_skip("the kernel refuses it");
    } else {
        expect_runs(&source);
    }
    source_fini(&source);
    aio_context_unref(ctx);
    iothread_free(iothread);
}

struct old_home {
    AioContext *ctx;
    struct source *source;
};

static void *be_home(void *opaque)
{
    struct old_home *old = opaque;

    aio_context_set_current(old->ctx);
    expect_runs(old->source);
    (void)aio_poll(old->ctx, false); /* armed again, by this thread */
    aio_context_set_current(NULL);
    return NULL;
}

/* What the kernel was asked by a thread that has ended is asked again. */
static void test_home_ends(gconstpointer data)
{
    AioContext *ctx = aio_context_new("home-ends", NULL);
    struct source source;
    struct old_home old = {.ctx = ctx, .source = &source};
    pthread_t thread;

    if (aio_context_set_fdmon(ctx, data) < 0) {
        g_test_skip("the kernel refuses it");
        aio_context_unref(ctx);
        return;
    }
    source_init(&source, ctx);
    aio_context_set_current(ctx);
    aio_context_set_current(NULL); /* the home is free */
    g_assert_cmpint(pthread_create(&thread, NULL, be_home, &old), ==, 0);
    pthread_join(thread, NULL);
    aio_context_set_current(ctx);
    (void)aio_poll(ctx, false);
    expect_runs(&source);
    source_fini(&source);
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
}

#define CHURNS 2000

struct churn {
    AioContext *ctx;
    unsigned is_over; /* atomic */
};

/* On the home thread, after the removal by another: it may be a late call. */
static void ignore(void *opaque)
{
}

/* Adds, fires and removes handlers while the home thread waits for them. */
static void *run_churn(void *opaque)
{
    struct churn *churn = opaque;
    const uint64_t one = 1;

    for (int i = 0; i < CHURNS; i++) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        aio_set_fd_handler(churn->ctx, fd, ignore, NULL, NULL);
        if (i % 3 != 0) {
            g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
        }
        aio_set_fd_handler(churn->ctx, fd, NULL, NULL, NULL);
        close(fd);
    }
    (void)ct_xchg(&churn->is_over, 1);
    aio_notify(churn->ctx);
    return NULL;
}

static void test_churn(gconstpointer data)
{
    AioContext *ctx = aio_context_new("churn", NULL);
    struct churn churn = {.ctx = ctx};
    struct source source;
    pthread_t thread;

    if (aio_context_set_fdmon(ctx, data) < 0) {
        g_test_skip("the kernel refuses it");
        aio_context_unref(ctx);
        return;
    }
    source_init(&source, ctx);
    g_assert_cmpint(pthread_create(&thread, NULL, run_churn, &churn), ==, 0);
    while (!ct_load_seq(&churn.is_over)) {
        (void)aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    expect_runs(&source);
    source_fini(&source);
    (void)aio_poll(ctx, false);
    (void)aio_poll(ctx, false);
    g_assert_cmpuint(ctx->fd_dead, ==, 0);
    aio_context_unref(ctx);
}

static void add_fdmons(const char *name, GTestDataFunc run)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fdmons); i++) {
        char *path = g_strdup_printf("/fdmon/%s/%s", name, fdmons[i]);

        g_test_add_data_func(path, fdmons[i], run);
        g_free(path);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdmon/names", test_names);
    g_test_add_func("/fdmon/change", test_change);
    g_test_add_func("/fdmon/grows", test_grows);
    g_test_add_func("/fdmon/epoll-fails", test_epoll_fails);
    g_test_add_func("/fdmon/epoll-refuses", test_epoll_refuses);
    g_test_add_func("/fdmon/epoll-closed-early", test_epoll_closed_early);
    g_test_add_func("/fdmon/gsource", test_gsource);
    g_test_add_func("/fdmon/refused", test_refused);
    g_test_add_func("/fdmon/refused-late", test_refused_late);
    g_test_add_func("/fdmon/epoll-refused", test_epoll_refused);
    g_test_add_func("/fdmon/no-pwait2", test_no_pwait2);
    add_fdmons("releases", test_releases);
    add_fdmons("reaps", test_reaps);
    add_fdmons("new-home", test_new_home);
    add_fdmons("home-ends", test_home_ends);
    add_fdmons("churn", test_churn);
    /* Not run by themselves: */
    g_test_add_func("/fdmon/refused/subprocess", child_refused);
    g_test_add_func("/fdmon/refused-late/subprocess", child_refused_late);
    g_test_add_func("/fdmon/epoll-refused/subprocess", child_epoll_refused);
    g_test_add_func("/fdmon/no-pwait2/subprocess", child_no_pwait2);
    return g_test_run();
}
