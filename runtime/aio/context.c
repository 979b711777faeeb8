/* SPDX-License-Identifier: MIT */
/*
 * context.c - assembles a context from the rooms of this folder, and lends it
 * to GLib as a GSource
 *
 * Our references are counted in `refs`, and all of them together hold one of
 * GLib's; the context is freed when GLib's count drops to 0.  (That one alone
 * would do, but what it orders is hidden from ThreadSanitizer.)
 * GLib calls prepare, polls, calls
 * check, and dispatches if either said so; a source of higher priority that is
 * ready can make it skip our check, so dispatch takes back the announcement of
 * prepare as well.
 */
#include "aio/aio_int.h"

#include "aio/fdmon/fdmon.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/retell.h"
#include "ct/stack.h"

/* Live contexts, for the teller. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list registry = LIST_INIT(registry);

/*
 * A context's depth and count are other threads' business: whole values, true
 * at some instant near this one.
 */
static void tell_contexts(uint64_t telling)
{
    pthread_mutex_lock(&registry_lock);
    list_for_each (node, &registry) {
        AioContext *ctx = list_entry(node, AioContext, registry_node);

        ct_emit_state_context(telling, ctx->id, ctx->name, ct_load(&ctx->depth),
                              ct_load(&ctx->co_count));
    }
    pthread_mutex_unlock(&registry_lock);
}

/* The thread that held it may not be there any more. */
static void after_fork_child(void)
{
    (void)pthread_mutex_init(&registry_lock, NULL);
}

static void register_teller(void)
{
    static struct ct_teller teller = {.tell = tell_contexts};

    (void)pthread_atfork(NULL, NULL, after_fork_child);
    ct_retell_register(&teller);
}

static void register_context(AioContext *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_teller);
    pthread_mutex_lock(&registry_lock);
    list_add_tail(&registry, &ctx->registry_node);
    pthread_mutex_unlock(&registry_lock);
}

static void unregister_context(AioContext *ctx)
{
    pthread_mutex_lock(&registry_lock);
    list_del(&ctx->registry_node);
    pthread_mutex_unlock(&registry_lock);
}

static AioContext *from_source(GSource *source)
{
    return list_entry(source, AioContext, source);
}

static gboolean source_prepare(GSource *source, gint *timeout_ms)
{
    AioContext *ctx = from_source(source);
    int64_t timeout_ns;

    aio_home_claim(ctx);
    aio_run_deferred(ctx);
    aio_fd_walk_begin(ctx);
    fdmon_use_gsource(ctx);
    aio_busy_stop(ctx); /* GLib sleeps: files have to be signalled */
    aio_notify_sleep_begin(ctx, AIO_NOTIFY_GSOURCE);
    timeout_ns = aio_notify_is_pending(ctx) ? 0 : aio_compute_timeout_ns(ctx);
    aio_fd_walk_end(ctx);
    if (timeout_ns < 0) {
        *timeout_ms = -1;
    } else {
        /* Rounded up: early is a turn for nothing. */
        int64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);

        *timeout_ms = (gint)MIN(ms, G_MAXINT);
    }
    return timeout_ns == 0;
}

static gboolean source_check(GSource *source)
{
    AioContext *ctx = from_source(source);
    bool has_fds;

    aio_notify_sleep_end(ctx, AIO_NOTIFY_GSOURCE);
    if (ctx->notify_pfd.revents != 0) {
        ctx->notify_pfd.revents = 0;
        aio_notify_drain(ctx);
    }
    aio_notify_accept(ctx);
    aio_fd_walk_begin(ctx);
    has_fds = aio_fd_take_gsource_ready(ctx);
    aio_fd_walk_end(ctx);
    /* Idle bottom halves run whenever the loop has woken, for whatever reason.
     */
    return has_fds || aio_bh_timeout_ns(ctx) >= 0 ||
           aio_timers_timeout_ns(ctx) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback,
                                gpointer opaque)
{
    AioContext *ctx = from_source(source);
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    /* When prepare was ready, GLib has not called check. */
    aio_notify_sleep_end(ctx, AIO_NOTIFY_GSOURCE);
    aio_fd_walk_begin(ctx);
    (void)aio_fd_take_gsource_ready(ctx);
    aio_dispatch(ctx);
    aio_fd_walk_end(ctx);
    ct_stack_leave(&entry);
    return G_SOURCE_CONTINUE;
}

static void source_finalize(GSource *source)
{
    AioContext *ctx = from_source(source);

    if (ctx->id == 0) {
        return; /* half built: aio_context_new() takes it apart */
    }
    /* Pairs with aio_context_unref(): what all that had a reference did. */
    (void)ct_load_acquire(&ctx->refs);
    ct_pre("aio-context-free/in-turn", ctx->depth == 0);
    ct_pre("aio-context-free/current", aio_context_current() != ctx);
    /* Whoever takes it apart is its home: nobody runs it any more. */
    aio_home_release(ctx);
    aio_home_claim(ctx);
    for (size_t i = 0; i < AIO_SLOT_COUNT; i++) {
        if (ctx->slots[i].object != NULL) {
            ctx->slots[i].destroy(ctx->slots[i].object);
        }
    }
    unregister_context(ctx);
    aio_schedule_fini(ctx);
    aio_bh_fini(ctx);
    aio_timers_fini(ctx);
    aio_fd_fini(ctx);
    aio_notify_fini(ctx);
    ct_emit_context_destroy(ctx->id);
    g_free(ctx->name);
}

static GSourceFuncs source_funcs = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
    .finalize = source_finalize,
};

AioContext *aio_context_new(const char *name, GError **error)
{
    GSource *source = g_source_new(&source_funcs, sizeof(AioContext));
    AioContext *ctx = from_source(source);

    g_source_set_name(source, name);
    /* A callback may run the GMainContext, too. */
    g_source_set_can_recurse(source, TRUE);
    ctx->name = g_strdup(name);
    if (!aio_notify_init(ctx, error)) {
        g_free(ctx->name);
        g_source_unref(source);
        return NULL;
    }
    ctx->refs = 1;
    list_init(&ctx->deferred);
    ctx->id = ct_id_new();
    ct_emit_context_create(ctx->id, name);
    aio_bh_init(ctx);
    aio_schedule_init(ctx);
    aio_timers_init(ctx);
    aio_fd_init(ctx);
    register_context(ctx);
    return ctx;
}

AioContext *aio_context_ref(AioContext *ctx)
{
    if (ct_fetch_add(&ctx->refs, 1) == 0) {
        g_source_ref(&ctx->source); /* GLib alone had kept it alive */
    }
    return ctx;
}

void aio_context_unref(AioContext *ctx)
{
    if (ctx != NULL && ct_fetch_sub(&ctx->refs, 1) == 1) {
        g_source_unref(&ctx->source);
    }
}

uint64_t aio_context_id(const AioContext *ctx)
{
    return ctx->id;
}

const char *aio_context_name(const AioContext *ctx)
{
    return ctx->name;
}

GSource *aio_get_g_source(AioContext *ctx)
{
    return g_source_ref(&ctx->source);
}

guint aio_context_attach(AioContext *ctx, GMainContext *main_context)
{
    return g_source_attach(&ctx->source, main_context);
}

void aio_context_set_aio_params(AioContext *ctx, unsigned max_batch)
{
    ct_store(&ctx->aio_max_batch, max_batch);
}

void *aio_slot_get(AioContext *ctx, enum aio_slot slot)
{
    return ctx->slots[slot].object;
}

void aio_slot_set(AioContext *ctx, enum aio_slot slot, void *object,
                  void (*destroy)(void *object))
{
    ct_pre("aio-slot/once", ctx->slots[slot].object == NULL);
    ctx->slots[slot] =
        (struct aio_slot_content){.object = object, .destroy = destroy};
}
