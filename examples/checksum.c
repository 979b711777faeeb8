/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - sums of files, read by worker threads, all at the same time
 *
 *   FLAGS=$(pkg-config --cflags --libs cotrace-runtime)
 *   cc -O2 -g checksum.c -o checksum $FLAGS
 *   cotrace record -o trace -- ./checksum FILE...
 *   cotrace requests trace
 */
#include <errno.h>
#include <stdio.h>

#include <ct/aio.h>
#include <ct/pool.h>
#include <ct/traced.h>

struct file {
    const char *path;
    AioContext *ctx;
    int *left;
    unsigned long sum;
};

/* On a worker: may block. */
static int read_file(void *arg)
{
    struct file *file = arg;
    FILE *stream = fopen(file->path, "rb");
    int byte;

    if (stream == NULL) {
        return -errno;
    }
    while ((byte = getc(stream)) != EOF) {
        file->sum = file->sum * 31 + (unsigned)byte;
    }
    int ret = ferror(stream) ? -EIO : 0;
    fclose(stream);
    return ret;
}

/* One coroutine a file: waits for its worker while the others run. */
static void coroutine_fn sum_file(void *opaque)
{
    struct file *file = opaque;
    CtRequest *request = ct_request_begin("checksum", "sum", file->path, 0, 0);
    ThreadPool *pool = aio_get_thread_pool(file->ctx);

    int ret = thread_pool_submit_co(pool, read_file, file);
    printf("%016lx %s%s\n", file->sum, file->path, ret < 0 ? " (failed)" : "");
    ct_request_end(request, ret);
    --*file->left;
}

int main(int argc, char **argv)
{
    AioContext *ctx = aio_context_new("main", NULL);
    struct file *files = g_new0(struct file, argc);
    int left = argc - 1;

    aio_context_set_current(ctx);
    for (int i = 1; i < argc; i++) {
        files[i] = (struct file){.path = argv[i], .ctx = ctx, .left = &left};
        aio_co_enter(ctx, coroutine_create(sum_file, &files[i]));
    }
    AIO_WAIT_WHILE(ctx, left > 0);
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    g_free(files);
    return 0;
}
