/* SPDX-License-Identifier: MIT */
/*
 * test-fd.c - handlers of file descriptors: set, called, replaced and removed
 * while they are walked; the same with every monitor
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loops.h"

struct pair {
    struct loop *loop;
    const char *name;
    int mine;
    int theirs;
    struct pair *other; /* for callbacks that touch another one */
    int reads;
};

static void pair_init(struct pair *pair, struct loop *loop, const char *name)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                    ==, 0);
    *pair = (struct pair){.loop = loop, .name = name};
    pair->mine = fds[0];
    pair->theirs = fds[1];
}

static void pair_fini(struct pair *pair)
{
    aio_set_fd_handler(pair->loop->ctx, pair->mine, NULL, NULL, NULL);
    close(pair->mine);
    if (pair->theirs >= 0) {
        close(pair->theirs);
    }
}

static void pair_send(struct pair *pair)
{
    g_assert_cmpint(write(pair->theirs, "x", 1), ==, 1);
}

static void pair_take(struct pair *pair)
{
    char byte;

    (void)!read(pair->mine, &byte, 1);
    pair->reads++;
}

static void on_read(void *opaque)
{
    struct pair *pair = opaque;

    pair_take(pair);
    log_add("%s", pair->name);
}

static void on_write(void *opaque)
{
    struct pair *pair = opaque;

    log_add("%s!", pair->name);
    /* Writable for ever: once is enough. */
    aio_set_fd_handler(pair->loop->ctx, pair->mine, NULL, NULL, NULL);
}

static void watch(struct pair *pair, AioHandlerFunc *io_read,
                  AioHandlerFunc *io_write)
{
    aio_set_fd_handler(pair->loop->ctx, pair->mine, io_read, io_write, pair);
}

static void test_read(struct loop *loop)
{
    struct pair a;

    pair_init(&a, loop, "a");
    g_assert_cmpuint(aio_fd_handler_id(loop->ctx, a.mine), ==, 0);
    watch(&a, on_read, NULL);
    g_assert_cmpuint(aio_fd_handler_id(loop->ctx, a.mine), !=, 0);
    g_assert_cmpuint(aio_fd_handler_id(loop->ctx, 100000), ==, 0);
    loop_drain(loop);
    log_expect("");
    pair_send(&a);
    loop_until(loop, a.reads == 1);
    pair_send(&a);
    pair_send(&a);
    loop_until(loop, a.reads == 3);
    loop_drain(loop);
    log_expect("a a a");
    /* Hang-up is readable. */
    close(a.theirs);
    a.theirs = -1;
    loop_until(loop, a.reads == 4);
    pair_fini(&a);
    loop_drain(loop);
}

static void test_write(struct loop *loop)
{
    struct pair a;

    pair_init(&a, loop, "a");
    watch(&a, on_read, on_write);
    loop_drain(loop);
    log_expect("a!");
    g_assert_cmpuint(aio_fd_handler_id(loop->ctx, a.mine), ==, 0);
    pair_fini(&a);
}

static void on_read_replaced(void *opaque)
{
    struct pair *pair = opaque;

    pair_take(pair);
    log_add("%s2", pair->name);
}

static void test_replace(struct loop *loop)
{
    struct pair a;
    uint64_t id;

    pair_init(&a, loop, "a");
    watch(&a, on_read, NULL);
    id = aio_fd_handler_id(loop->ctx, a.mine);
    pair_send(&a);
    watch(&a, on_read_replaced, NULL);
    g_assert_cmpuint(aio_fd_handler_id(loop->ctx, a.mine), !=, id);
    loop_until(loop, a.reads == 1);
    log_expect("a2");
    watch(&a, NULL, NULL);
    pair_send(&a);
    loop_drain(loop);
    log_expect("a2");
    pair_fini(&a);
}

static void on_read_remove_other(void *opaque)
{
    struct pair *pair = opaque;

    on_read(pair);
    pair_fini(pair->other);
    pair->other->other = NULL;
}

/* Both are ready in one turn; the first one called removes the second. */
static void test_remove_other(struct loop *loop)
{
    struct pair a, b;
    struct pair *left;

    pair_init(&a, loop, "x");
    pair_init(&b, loop, "x");
    a.other = &b;
    b.other = &a;
    watch(&a, on_read_remove_other, NULL);
    watch(&b, on_read_remove_other, NULL);
    pair_send(&a);
    pair_send(&b);
    loop_drain(loop);
    log_expect("x");
    left = a.reads == 1 ? &a : &b;
    g_assert_cmpint(a.reads + b.reads, ==, 1);
    pair_fini(left);
}

static void on_read_remove_self(void *opaque)
{
    struct pair *pair = opaque;

    on_read(pair);
    watch(pair, NULL, NULL);
    /* Its memory is still good: the turn is not over. */
    watch(pair, on_read_replaced, NULL);
}

static void test_remove_self(struct loop *loop)
{
    struct pair a;

    pair_init(&a, loop, "a");
    watch(&a, on_read_remove_self, on_write);
    pair_send(&a);
    (void)loop_turn(loop, true);
    /* Its own writing half is gone, too. */
    log_expect("a");
    pair_send(&a);
    loop_drain(loop);
    log_expect("a a2");
    pair_fini(&a);
}

static void on_read_add_other(void *opaque)
{
    struct pair *pair = opaque;

    on_read(pair);
    if (pair->other != NULL) {
        watch(pair->other, on_read, NULL);
    }
}

static void test_add_in_callback(struct loop *loop)
{
    struct pair a, b;

    pair_init(&a, loop, "a");
    pair_init(&b, loop, "b");
    a.other = &b;
    watch(&a, on_read_add_other, NULL);
    pair_send(&a);
    pair_send(&b);
    (void)loop_turn(loop, true);
    log_expect("a");
    (void)loop_turn(loop, true);
    log_expect("a b");
    pair_fini(&a);
    pair_fini(&b);
}

static void on_read_poll(void *opaque)
{
    struct pair *pair = opaque;

    on_read(pair);
    log_add("(");
    while (pair->other->reads == 0) {
        (void)aio_poll(pair->loop->ctx, true);
    }
    log_add(")");
}

/*
 * Two ready handlers, the first one called polls for the second: it is called
 * in there, and not again afterwards.
 */
static void test_nested(struct loop *loop)
{
    struct pair a, b;

    pair_init(&a, loop, "x");
    pair_init(&b, loop, "x");
    a.other = &b;
    b.other = &a;
    watch(&a, on_read_poll, NULL);
    watch(&b, on_read_poll, NULL);
    pair_send(&a);
    pair_send(&b);
    loop_until(loop, a.reads + b.reads == 2);
    loop_drain(loop);
    log_expect("x ( x ( ) )");
    pair_fini(&a);
    pair_fini(&b);
}

static void on_read_remove_in_nested(void *opaque)
{
    struct pair *pair = opaque;

    on_read(pair);
    pair_fini(pair);
    (void)aio_poll(pair->loop->ctx, false);
    /* A nested turn frees nothing that outer ones may hold. */
    log_add("%s", pair->name);
}

static void test_remove_in_nested(struct loop *loop)
{
    struct pair a;

    pair_init(&a, loop, "a");
    watch(&a, on_read_remove_in_nested, on_write);
    pair_send(&a);
    (void)loop_turn(loop, true);
    log_expect("a a");
}

#define MANY 100

static void test_many(struct loop *loop)
{
    struct pair *pairs = g_new(struct pair, MANY);
    int reads = 0;

    for (int i = 0; i < MANY; i++) {
        pair_init(&pairs[i], loop, "");
        watch(&pairs[i], on_read, NULL);
    }
    for (int i = 0; i < MANY; i += 3) {
        pair_send(&pairs[i]);
    }
    loop_drain(loop);
    for (int i = 0; i < MANY; i++) {
        g_assert_cmpint(pairs[i].reads, ==, i % 3 == 0);
        reads += pairs[i].reads;
        pair_fini(&pairs[i]);
    }
    g_assert_cmpint(reads, ==, (MANY + 2) / 3);
    g_free(pairs);
}

static void *set_from_thread(void *opaque)
{
    struct pair *pair = opaque;

    watch(pair, on_read, NULL);
    return NULL;
}

static void *remove_from_thread(void *opaque)
{
    struct pair *pair = opaque;

    watch(pair, NULL, NULL);
    return NULL;
}

/* Handlers come and go while the loop sleeps. */
static void test_thread_sets(struct loop *loop)
{
    struct pair a;
    pthread_t thread;

    pair_init(&a, loop, "a");
    for (int i = 1; i <= 50; i++) {
        pair_send(&a);
        g_assert_cmpint(pthread_create(&thread, NULL, set_from_thread, &a), ==,
                        0);
        loop_until(loop, a.reads == i);
        pthread_join(thread, NULL);
        g_assert_cmpint(pthread_create(&thread, NULL, remove_from_thread, &a),
                        ==, 0);
        /* The removal wakes the loop as well. */
        while (aio_fd_handler_id(loop->ctx, a.mine) != 0) {
            (void)loop_turn(loop, true);
        }
        pthread_join(thread, NULL);
    }
    pair_fini(&a);
}

/* A descriptor that was closed too early is reported to its handler. */
static void test_closed(struct loop *loop)
{
    int fd = open("/dev/null", O_RDONLY);
    struct pair pair = {.loop = loop, .name = "closed", .mine = fd};

    watch(&pair, on_read, NULL);
    close(fd);
    loop_until(loop, pair.reads > 0);
    watch(&pair, NULL, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add_fdmons("/fd/read", test_read);
    loops_add_fdmons("/fd/write", test_write);
    loops_add_fdmons("/fd/replace", test_replace);
    loops_add_fdmons("/fd/remove-other", test_remove_other);
    loops_add_fdmons("/fd/remove-self", test_remove_self);
    loops_add_fdmons("/fd/add-in-callback", test_add_in_callback);
    loops_add_fdmons("/fd/nested", test_nested);
    loops_add_fdmons("/fd/remove-in-nested", test_remove_in_nested);
    loops_add_fdmons("/fd/many", test_many);
    loops_add_fdmons("/fd/thread-sets", test_thread_sets);
    loops_add_fdmons("/fd/closed", test_closed);
    return g_test_run();
}
