/* SPDX-License-Identifier: MIT */
/*
 * elsewhere.c - main starts a read whose coroutine another thread's loop enters
 *
 * Usage: elsewhere IMAGE
 *
 * While main starts it, the iothread is held in a bottom half, so that between
 * the start and the release the coroutine can only be queued.  At the end:
 * {"context", "held_ns"}: the iothread's context, and how long it was held
 * after the start had returned.
 */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ct/block.h"

#define READ_BYTES 4096

static sem_t held, released, done;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void hold(void *opaque)
{
    sem_post(&held);
    sem_wait(&released);
}

static void read_done(void *opaque, int ret)
{
    *(int *)opaque = ret;
    sem_post(&done);
}

int main(int argc, char **argv)
{
    static char buf[READ_BYTES];
    GError *error = NULL;
    IOVector vector;
    int ret;

    if (argc != 2) {
        fprintf(stderr, "usage: elsewhere IMAGE\n");
        return 2;
    }
    sem_init(&held, 0, 0);
    sem_init(&released, 0, 0);
    sem_init(&done, 0, 0);
    AioContext *ctx = aio_context_new("main", NULL);
    aio_context_set_current(ctx);
    IOThread *iothread = iothread_new("io0", &error);
    BlockOptions options = {.format = "raw"};
    BlockBackend *blk =
        iothread == NULL ? NULL : blk_new_open(argv[1], &options, ctx, &error);
    if (blk == NULL) {
        fprintf(stderr, "elsewhere: %s\n", error->message);
        return 2;
    }
    AioContext *io = iothread_get_aio_context(iothread);
    blk_set_aio_context(blk, io);
    io_vector_init(&vector);
    io_vector_add(&vector, buf, READ_BYTES);

    aio_bh_schedule_oneshot(io, hold, NULL);
    sem_wait(&held);
    blk_aio_preadv(blk, 0, &vector, read_done, &ret);
    int64_t started_ns = now_ns();
    printf("{\"context\":%" PRIu64 ",", aio_context_id(io));
    int64_t held_ns = now_ns() - started_ns;
    sem_post(&released);
    sem_wait(&done);
    printf("\"held_ns\":%" PRId64 "}\n", held_ns);

    blk_unref(blk);
    iothread_free(iothread);
    io_vector_fini(&vector);
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return ret < 0 ? 1 : 0;
}
