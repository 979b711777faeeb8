/* SPDX-License-Identifier: MIT */
/*
 * test-engine.c - ways to do a file's I/O: the same operations by all engines,
 * in both loops, and by kernels that refuse some of them
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "aio/aio_int.h"
#include "engine/engine.h"
#include "loops.h"
#include "refuse.h"

static const char *const names[] = {"threads", "native", "io_uring"};

/* The one that the case is for. */
static const struct engine *engine;

static int temp_file(int flags)
{
    char *path = g_strdup_printf("%s/cotrace-engine-XXXXXX", g_get_tmp_dir());
    int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC | flags, 0600);

    (void)unlink(path);
    g_free(path);
    return fd;
}

/* --- operations, each in a coroutine ------------------------------------- */

struct op {
    struct engine_io io;
    struct iovec iov[4];
    struct loop *loop;
    int ret;
    int *left;
};

static void coroutine_fn run_op(void *opaque)
{
    struct op *op = opaque;

    op->ret = engine->co_submit(&op->io);
    --*op->left;
    if (*op->left == 0) {
        aio_notify(op->loop->ctx);
    }
}

static struct op make_op(struct loop *loop, enum engine_op what, int fd,
                         int64_t offset, void *buf, size_t bytes)
{
    struct op op = {
        .io = {.fd = fd, .op = what, .offset = offset, .bytes = (int64_t)bytes},
        .iov = {{.iov_base = buf, .iov_len = bytes}},
        .loop = loop,
        .ret = -EINPROGRESS,
    };

    op.io.niov = what == ENGINE_FLUSH ? 0 : 1;
    return op;
}

static void start_op(struct op *op, int *left)
{
    op->io.iov = op->iov;
    op->left = left;
    ++*left;
    aio_co_schedule(op->loop->ctx, coroutine_create(run_op, op));
}

static int run_one(struct op op)
{
    int left = 0;

    start_op(&op, &left);
    loop_until(op.loop, left == 0);
    return op.ret;
}

static int do_op(struct loop *loop, enum engine_op what, int fd, int64_t offset,
                 void *buf, size_t bytes)
{
    return run_one(make_op(loop, what, fd, offset, buf, bytes));
}

/* --- cases --------------------------------------------------------------- */

static void test_write_read(struct loop *loop)
{
    int fd = temp_file(0);
    char out[] = "what is written can be read", in[sizeof(out)] = "";

    g_assert_cmpint(do_op(loop, ENGINE_WRITE, fd, 100, out, sizeof(out)), ==,
                    0);
    g_assert_cmpint(do_op(loop, ENGINE_FLUSH, fd, 0, NULL, 0), ==, 0);
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 100, in, sizeof(in)), ==, 0);
    g_assert_cmpstr(in, ==, out);
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 0, in, 0), ==, 0);
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 99, in, 1), ==, 0);
    g_assert_cmpint(in[0], ==, 0);
    close(fd);
}

/* What lies beyond the end of the file is zeroes, also in later buffers. */
static void test_end_of_file(struct loop *loop)
{
    int fd = temp_file(0);
    char a[8], b[8], c[8];
    struct op op = make_op(loop, ENGINE_READ, fd, 0, a, sizeof(a));

    g_assert_cmpint(write(fd, "0123456789", 10), ==, 10);
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    memset(c, 'x', sizeof(c));
    op.iov[1] = (struct iovec){.iov_base = b};
    op.iov[2] = (struct iovec){.iov_base = b, .iov_len = sizeof(b)};
    op.iov[3] = (struct iovec){.iov_base = c, .iov_len = sizeof(c)};
    op.io.niov = 4;
    op.io.bytes = sizeof(a) + sizeof(b) + sizeof(c);
    g_assert_cmpint(run_one(op), ==, 0);
    g_assert_cmpmem(a, 8, "01234567", 8);
    g_assert_cmpmem(b, 8, "89\0\0\0\0\0\0", 8);
    g_assert_cmpmem(c, 8, "\0\0\0\0\0\0\0\0", 8);
    memset(a, 'x', sizeof(a));
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 5000, a, sizeof(a)), ==, 0);
    g_assert_cmpmem(a, 8, "\0\0\0\0\0\0\0\0", 8);
    close(fd);
}

/* More buffers than one system call takes. */
static void test_many_buffers(struct loop *loop)
{
    enum { BUFFERS = 1500, BYTES = 7 };
    int fd = temp_file(0);
    char *bytes = g_malloc(BUFFERS * BYTES);
    struct iovec *iov = g_new(struct iovec, BUFFERS);
    struct op op = make_op(loop, ENGINE_WRITE, fd, 3, NULL, 0);
    int left = 0;

    for (int i = 0; i < BUFFERS; i++) {
        iov[i] =
            (struct iovec){.iov_base = bytes + i * BYTES, .iov_len = BYTES};
        memset(iov[i].iov_base, 'a' + i % 23, BYTES);
    }
    for (int round = 0; round < 2; round++) {
        start_op(&op, &left);
        op.io.iov = iov;
        op.io.niov = BUFFERS;
        op.io.bytes = BUFFERS * BYTES;
        loop_until(loop, left == 0);
        g_assert_cmpint(op.ret, ==, 0);
        if (round == 0) {
            memset(bytes, 0, BUFFERS * BYTES);
            op.io.op = ENGINE_READ;
        }
    }
    for (int i = 0; i < BUFFERS * BYTES; i++) {
        g_assert_cmpint(bytes[i], ==, 'a' + i / BYTES % 23);
    }
    g_free(bytes);
    g_free(iov);
    close(fd);
}

static void test_errors(struct loop *loop)
{
    int read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    char bytes[16] = "";

    g_assert_cmpint(do_op(loop, ENGINE_READ, 100000, 0, bytes, 16), ==, -EBADF);
    g_assert_cmpint(do_op(loop, ENGINE_FLUSH, 100000, 0, NULL, 0), ==, -EBADF);
    g_assert_cmpint(do_op(loop, ENGINE_WRITE, read_only, 0, bytes, 16), ==,
                    -EBADF);
    g_assert_cmpint(do_op(loop, ENGINE_WRITE, full, 0, bytes, 16), ==, -ENOSPC);
    close(read_only);
    close(full);
}

#define DEPTH 700 /* more than any queue holds */

static void test_depth(struct loop *loop)
{
    int fd = temp_file(0);
    struct op *ops = g_new0(struct op, DEPTH);
    unsigned *words = g_new0(unsigned, DEPTH);
    int left = 0;

    for (int i = 0; i < DEPTH; i++) {
        words[i] = (unsigned)i * 2654435761u;
        ops[i] = make_op(loop, ENGINE_WRITE, fd, i * 4096, &words[i], 4);
        start_op(&ops[i], &left);
    }
    loop_until(loop, left == 0);
    memset(words, 0, DEPTH * sizeof(words[0]));
    for (int i = 0; i < DEPTH; i++) {
        g_assert_cmpint(ops[i].ret, ==, 0);
        ops[i] = make_op(loop, ENGINE_READ, fd, i * 4096, &words[i], 4);
        start_op(&ops[i], &left);
    }
    loop_until(loop, left == 0);
    for (int i = 0; i < DEPTH; i++) {
        g_assert_cmpint(ops[i].ret, ==, 0);
        g_assert_cmpuint(words[i], ==, (unsigned)i * 2654435761u);
    }
    g_free(ops);
    g_free(words);
    close(fd);
}

/* A small batch gives the same, and so does a large one. */
static void test_batches(struct loop *loop)
{
    aio_context_set_aio_params(loop->ctx, 1);
    test_depth(loop);
    aio_context_set_aio_params(loop->ctx, 1000);
    test_depth(loop);
}

/* Where the kernel really works beside us. */
static void test_direct(struct loop *loop)
{
    int fd = temp_file(O_DIRECT);
    char *out, *in;

    if (fd < 0) {
        g_test_skip("no O_DIRECT on this file system");
        return;
    }
    out = aligned_alloc(4096, 16384);
    in = aligned_alloc(4096, 16384);
    for (int i = 0; i < 16384; i++) {
        out[i] = (char)(i * 7 + i / 512);
    }
    g_assert_cmpint(do_op(loop, ENGINE_WRITE, fd, 8192, out, 16384), ==, 0);
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 8192, in, 16384), ==, 0);
    g_assert_cmpmem(in, 16384, out, 16384);
    /* The last part lies beyond the end. */
    g_assert_cmpint(do_op(loop, ENGINE_READ, fd, 16384, in, 16384), ==, 0);
    g_assert_cmpmem(in, 8192, out + 8192, 8192);
    for (int i = 8192; i < 16384; i++) {
        g_assert_cmpint(in[i], ==, 0);
    }
    free(out);
    free(in);
    close(fd);
}

/* Busy polling finds completions without the kernel. */
static void test_polled(struct loop *loop)
{
    aio_context_set_poll_params(loop->ctx, 200000, 0, 2);
    loop->ctx->poll_ns = 100000;
    test_depth(loop);
    test_depth(loop);
}

/* --- contexts ------------------------------------------------------------ */

struct mover {
    AioContext *contexts[3];
    int fd;
    AioContext *home;
    int left; /* home */
};

static void mover_ended(void *opaque)
{
    ((struct mover *)opaque)->left--;
}

static void coroutine_fn run_mover(void *opaque)
{
    struct mover *mover = opaque;

    for (int i = 0; i < 60; i++) {
        char byte = (char)i, got = 0;
        struct iovec iov = {.iov_base = &byte, .iov_len = 1};
        struct engine_io io = {.fd = mover->fd,
                               .op = ENGINE_WRITE,
                               .offset = i,
                               .bytes = 1,
                               .iov = &iov,
                               .niov = 1};

        aio_co_reschedule_self(mover->contexts[i % 3]);
        g_assert_cmpint(engine->co_submit(&io), ==, 0);
        iov.iov_base = &got;
        io.op = ENGINE_READ;
        aio_co_reschedule_self(mover->contexts[(i + 1) % 3]);
        g_assert_cmpint(engine->co_submit(&io), ==, 0);
        g_assert_cmpint(got, ==, byte);
    }
    aio_bh_schedule_oneshot(mover->home, mover_ended, mover);
}

/* Each context has a queue of its own. */
static void test_contexts(struct loop *loop)
{
    IOThread *iothreads[2] = {iothread_new("a", NULL), iothread_new("b", NULL)};
    struct mover mover = {.fd = temp_file(0), .home = loop->ctx, .left = 4};

    mover.contexts[0] = loop->ctx;
    mover.contexts[1] = iothread_get_aio_context(iothreads[0]);
    mover.contexts[2] = iothread_get_aio_context(iothreads[1]);
    for (int i = 0; i < 4; i++) {
        aio_co_schedule(loop->ctx, coroutine_create(run_mover, &mover));
    }
    loop_until(loop, mover.left == 0);
    iothread_free(iothreads[0]);
    iothread_free(iothreads[1]);
    close(mover.fd);
}

/* --- kernels that refuse ------------------------------------------------- */

static void refused_in_loop(struct loop *loop)
{
    test_write_read(loop);
    test_errors(loop);
    test_depth(loop);
}

struct refusal {
    const char *engine;
    int call;
    bool is_late; /* once the queue is there, and in use */
};

static const struct refusal refusals[] = {
    {"io_uring", SYS_io_uring_setup, false},
    {"io_uring", SYS_io_uring_enter, true},
    {"native", SYS_io_setup, false},
    {"native", SYS_io_submit, true},
};

static void run_refused(gconstpointer data)
{
    const struct refusal *refusal = data;
    struct loop loop = {.ctx = aio_context_new("refused", NULL)};

    engine = ct_engine_find(refusal->engine);
    aio_context_set_current(loop.ctx);
    if (refusal->is_late) {
        test_write_read(&loop);
    }
    refuse(refusal->call);
    if (!refusal->is_late) {
        g_assert_cmpint(engine->probe(), ==, -EPERM);
    }
    refused_in_loop(&loop);
    aio_context_set_current(NULL);
    aio_context_unref(loop.ctx);
}

static void test_refused(gconstpointer data)
{
    const struct refusal *refusal = data;
    char *path;

    if (ct_engine_find(refusal->engine)->probe() < 0) {
        g_test_skip("the kernel has it not");
        return;
    }
    path = g_strdup_printf("/engine/refused/%d/subprocess", refusal->call);
    g_test_trap_subprocess(path, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed();
    g_free(path);
}

static void test_names(void)
{
    g_assert_cmpstr(ct_engine_find(NULL)->name, ==, "threads");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_cmpstr(ct_engine_find(names[i])->name, ==, names[i]);
    }
    g_assert_null(ct_engine_find("uring"));
}

/* --- each case with each engine ------------------------------------------ */

static const struct {
    const char *name;
    loop_case *run;
} cases[] = {
    {"write-read", test_write_read},
    {"end-of-file", test_end_of_file},
    {"many-buffers", test_many_buffers},
    {"errors", test_errors},
    {"depth", test_depth},
    {"batches", test_batches},
    {"direct", test_direct},
    {"polled", test_polled},
    {"contexts", test_contexts},
};

struct engine_case {
    loop_case *run;
    const char *engine;
};

static void run_case(struct loop *loop)
{
    const struct engine_case *it = loop->data;

    engine = ct_engine_find(it->engine);
    if (engine->probe != NULL && engine->probe() < 0) {
        g_test_skip("the kernel refuses it");
        return;
    }
    it->run(loop);
}

static struct engine_case all[G_N_ELEMENTS(cases) * G_N_ELEMENTS(names)];

static void add_cases(void)
{
    struct engine_case *it = all;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(names); j++) {
            char *path =
                g_strdup_printf("/engine/%s/%s", cases[i].name, names[j]);

            *it = (struct engine_case){cases[i].run, names[j]};
            loops_add_data(path, run_case, it++);
            g_free(path);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/names", test_names);
    add_cases();
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        char *path = g_strdup_printf("/engine/refused/%d", refusals[i].call);
        char *child = g_strdup_printf("%s/subprocess", path);

        g_test_add_data_func(path, &refusals[i], test_refused);
        g_test_add_data_func(child, &refusals[i], run_refused);
        g_free(path);
        g_free(child);
    }
    return g_test_run();
}
