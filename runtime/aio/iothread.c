/* SPDX-License-Identifier: MIT */
/*
 * iothread.c - a context that has a thread of its own
 *
 * The thread makes the context its own, says so, and takes turns until it is
 * told to stop.  Whoever stops it joins it and inherits the context.
 */
#include "aio/aio_int.h"

#include <errno.h>

#include "base/atomics.h"
#include "base/thread.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/stack.h"

struct IOThread {
    AioContext *ctx;
    uint64_t id;      /* of the thread; immutable */
    pthread_t thread; /* valid while joinable; whoever stops it */
    bool is_running;  /* whoever stops it */
    unsigned stop;    /* atomic: set by iothread_stop() */

    pthread_mutex_t lock; /* protects has_home */
    pthread_cond_t home_cond;
    bool has_home;
};

static void tell_has_home(IOThread *iothread)
{
    pthread_mutex_lock(&iothread->lock);
    iothread->has_home = true;
    pthread_cond_signal(&iothread->home_cond);
    pthread_mutex_unlock(&iothread->lock);
}

static void *iothread_run(void *opaque)
{
    IOThread *iothread = opaque;
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    ct_emit_thread_start(iothread->id, iothread->ctx->name);
    aio_context_set_current(iothread->ctx);
    tell_has_home(iothread);
    /* Seq: pairs with the exchange in iothread_stop(), before its notify. */
    while (!ct_load_seq(&iothread->stop)) {
        (void)aio_poll(iothread->ctx, true);
    }
    aio_context_set_current(NULL);
    ct_emit_thread_exit(iothread->id);
    ct_stack_leave(&entry);
    return NULL;
}

static int start_thread(IOThread *iothread)
{
    int code;

    ct_emit_thread_create(iothread->id, iothread->ctx->name);
    code = ct_thread_create(&iothread->thread, iothread_run, iothread);
    if (code != 0) {
        return -code;
    }
    /* Linux cuts names at 15 characters; one that is too long is refused. */
    char name[16];
    g_strlcpy(name, iothread->ctx->name, sizeof(name));
    (void)pthread_setname_np(iothread->thread, name);

    pthread_mutex_lock(&iothread->lock);
    while (!iothread->has_home) {
        pthread_cond_wait(&iothread->home_cond, &iothread->lock);
    }
    pthread_mutex_unlock(&iothread->lock);
    iothread->is_running = true;
    return 0;
}

IOThread *iothread_new(const char *name, GError **error)
{
    AioContext *ctx = aio_context_new(name, error);
    IOThread *iothread;
    int code;

    if (ctx == NULL) {
        return NULL;
    }
    iothread = g_new0(IOThread, 1);
    iothread->ctx = ctx;
    iothread->id = ct_id_new();
    pthread_mutex_init(&iothread->lock, NULL);
    pthread_cond_init(&iothread->home_cond, NULL);
    code = start_thread(iothread);
    if (code < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-code),
                    "no thread for iothread '%s': %s", name, g_strerror(-code));
        iothread_free(iothread);
        return NULL;
    }
    return iothread;
}

AioContext *iothread_get_aio_context(IOThread *iothread)
{
    return iothread->ctx;
}

void iothread_stop(IOThread *iothread)
{
    if (!iothread->is_running) {
        return;
    }
    ct_pre("iothread-stop/itself", !in_aio_context_home_thread(iothread->ctx));
    /* Pairs with the loop in iothread_run(). */
    (void)ct_xchg(&iothread->stop, 1);
    aio_notify(iothread->ctx);
    (void)pthread_join(iothread->thread, NULL);
    iothread->is_running = false;
    aio_home_claim(iothread->ctx);
}

void iothread_free(IOThread *iothread)
{
    if (iothread == NULL) {
        return;
    }
    iothread_stop(iothread);
    aio_context_unref(iothread->ctx);
    pthread_cond_destroy(&iothread->home_cond);
    pthread_mutex_destroy(&iothread->lock);
    g_free(iothread);
}
