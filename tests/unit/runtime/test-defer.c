/* SPDX-License-Identifier: MIT */
/*
 * test-defer.c - what callbacks put off to the end of their turn
 */
#include "aio/aio_int.h"
#include "loops.h"

struct put_off {
    struct loop *loop;
    struct aio_deferred first, second, last;
};

static void log_call(void *opaque)
{
    log_add("%s", (const char *)opaque);
}

static struct aio_deferred call_of(const char *name, bool is_last)
{
    struct aio_deferred call = {
        .is_last = is_last, .run = log_call, .opaque = (void *)name};

    return call;
}

static void begin(struct put_off *put_off, struct loop *loop)
{
    log_clear();
    *put_off = (struct put_off){.loop = loop,
                                .first = call_of("first", false),
                                .second = call_of("second", false),
                                .last = call_of("last", true)};
    list_init(&put_off->first.node);
    list_init(&put_off->second.node);
    list_init(&put_off->last.node);
}

static void defer_all(void *opaque)
{
    struct put_off *put_off = opaque;
    AioContext *ctx = put_off->loop->ctx;

    aio_defer(ctx, &put_off->first);
    aio_defer(ctx, &put_off->last);
    aio_defer(ctx, &put_off->second);
    aio_defer(ctx, &put_off->last);
    log_add("callback");
}

/* Once each, before the turn has ended. */
static void test_turn(struct loop *loop)
{
    struct put_off put_off;

    begin(&put_off, loop);
    aio_bh_schedule_oneshot(loop->ctx, defer_all, &put_off);
    (void)loop_turn(loop, true);
    log_expect("callback second first last");
    loop_drain(loop);
    log_expect("callback second first last");
}

static void test_outside(struct loop *loop)
{
    struct put_off put_off;

    begin(&put_off, loop);
    defer_all(&put_off);
    log_expect("callback");
    (void)loop_turn(loop, false);
    log_expect("callback second first last");
}

static void defer_and_poll(void *opaque)
{
    struct put_off *put_off = opaque;

    defer_all(put_off);
    (void)aio_poll(put_off->loop->ctx, false);
    log_add("polled");
}

static void defer_and_poll_another(void *opaque)
{
    AioContext *other = aio_context_new("other", NULL);

    defer_all(opaque);
    (void)aio_poll(other, false);
    log_add("polled");
    aio_context_unref(other);
}

/* The callback may wait for it, whichever context it polls. */
static void test_nested(struct loop *loop)
{
    struct put_off put_off;

    begin(&put_off, loop);
    aio_bh_schedule_oneshot(loop->ctx, defer_and_poll, &put_off);
    loop_drain(loop);
    log_expect("callback second first last polled");
    begin(&put_off, loop);
    aio_bh_schedule_oneshot(loop->ctx, defer_and_poll_another, &put_off);
    loop_drain(loop);
    log_expect("callback second first last polled");
}

struct other_source {
    GSource source;
    struct put_off *put_off;
};

static gboolean other_prepare(GSource *source, gint *timeout_ms)
{
    struct other_source *other = (struct other_source *)source;

    *timeout_ms = -1;
    if (other->put_off != NULL) {
        defer_all(other->put_off);
        other->put_off = NULL;
    }
    return FALSE;
}

static gboolean other_check(GSource *source)
{
    return FALSE;
}

static gboolean other_dispatch(GSource *source, GSourceFunc callback,
                               gpointer opaque)
{
    return G_SOURCE_CONTINUE;
}

/* Put off after our prepare: GLib does not sleep on it. */
static void test_prepare(void)
{
    static GSourceFuncs funcs = {.prepare = other_prepare,
                                 .check = other_check,
                                 .dispatch = other_dispatch};
    struct loop loop = {.ctx = aio_context_new("prepare", NULL),
                        .main = g_main_context_new()};
    struct other_source *other;
    struct put_off put_off;

    aio_context_attach(loop.ctx, loop.main);
    begin(&put_off, &loop);
    other = (struct other_source *)g_source_new(&funcs, sizeof(*other));
    (void)g_source_attach(&other->source, loop.main);
    loop_drain(&loop); /* nothing else is to end its sleep */
    other->put_off = &put_off;
    (void)g_main_context_iteration(loop.main, TRUE);
    (void)g_main_context_iteration(loop.main, FALSE);
    log_expect("callback second first last");
    g_source_destroy(&other->source);
    g_source_unref(&other->source);
    aio_context_unref(loop.ctx);
    g_main_context_unref(loop.main);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/defer/turn", test_turn);
    loops_add("/defer/outside", test_outside);
    loops_add("/defer/nested", test_nested);
    g_test_add_func("/defer/prepare", test_prepare);
    return g_test_run();
}
