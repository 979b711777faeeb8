/* SPDX-License-Identifier: MIT */
/*
 * home.c - which thread runs a context, and which context runs on a thread
 *
 * A thread is named by a token, the address of a variable of its own.  A
 * context's home is the first thread that claims it, and stays it until it
 * gives it up; only the home writes the fields marked "home".
 *
 * On a thread, `own` is what it has set, `current` what runs now.  Thread-local
 * variables are touched in functions that are never inlined: a compiler may
 * keep their address, and a coroutine can go on in another thread.
 */
#include "aio/aio_int.h"

#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "ct/pre.h"
#include "ct/retell.h"

struct thread_contexts {
    AioContext *own;
    AioContext *current;
};

static __thread struct thread_contexts thread_contexts;

static __attribute__((noinline)) struct thread_contexts *thread_local_now(void)
{
    struct thread_contexts *contexts = &thread_contexts;

    /* Not foldable into the caller, also not by interprocedural analysis. */
    __asm__ volatile("" : "+r"(contexts));
    return contexts;
}

AioContext *aio_context_current(void)
{
    return thread_local_now()->current;
}

static void set_current(struct thread_contexts *contexts, AioContext *ctx)
{
    contexts->current = ctx;
    coroutine_thread_context(ctx, ctx != NULL ? ctx->id : 0);
}

bool in_aio_context_home_thread(const AioContext *ctx)
{
    return ct_load(&ctx->home) == thread_local_now();
}

/* @token claims @ctx if nobody has; Return: it is the home. */
static bool try_claim(AioContext *ctx, const void *token)
{
    const void *home = NULL;

    /*
     * Acquire: what an earlier home did is seen (aio_home_release).  If we are
     * the home already, nobody else has touched anything.
     */
    return ct_load(&ctx->home) == token || ct_cmpxchg(&ctx->home, &home, token);
}

void aio_home_claim(AioContext *ctx)
{
    ct_pre("aio-context-home/other-thread", try_claim(ctx, thread_local_now()));
}

void aio_home_release(AioContext *ctx)
{
    /* Release: pairs with try_claim(). */
    ct_store_release(&ctx->home, NULL);
}

void aio_context_set_current(AioContext *ctx)
{
    struct thread_contexts *contexts = thread_local_now();

    ct_pre("aio-context-current/in-turn", contexts->current == contexts->own);
    if (ctx == contexts->own) {
        return;
    }
    if (ctx != NULL) {
        aio_home_claim(ctx);
    }
    if (contexts->own != NULL) {
        aio_home_release(contexts->own);
    }
    contexts->own = ctx;
    set_current(contexts, ctx);
}

AioContext *aio_turn_begin(AioContext *ctx)
{
    struct thread_contexts *contexts = thread_local_now();
    AioContext *outer = contexts->current;

    ct_pre("aio-poll/home-thread", try_claim(ctx, contexts));
    ct_pre("aio-poll/in-coroutine", !in_coroutine());
    if (outer != ctx) {
        if (outer != NULL) {
            /* This turn may wait for what it has put off. */
            aio_run_deferred(outer);
        }
        set_current(contexts, ctx);
    }
    ct_retell_poll();
    if (ctx->depth == 0) {
        aio_fd_walk_begin(ctx);
    }
    ct_store(&ctx->depth, ctx->depth + 1);
    return outer;
}

bool aio_in_turn(const AioContext *ctx)
{
    return ctx->depth > 0 && aio_context_current() == ctx;
}

void aio_turn_end(AioContext *ctx, AioContext *outer)
{
    ct_store(&ctx->depth, ctx->depth - 1);
    if (ctx->depth == 0) {
        aio_fd_walk_end(ctx);
    }
    if (outer != ctx) {
        set_current(thread_local_now(), outer);
    }
}
