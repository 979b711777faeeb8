/* SPDX-License-Identifier: MIT */
/*
 * stress-block.c - everything at once, by a seed: iothreads, images that go
 * from context to context, sections, writers of the graph, requests that are
 * checked byte by byte, work items that are cancelled, sleeps that are cut
 * short, time limits that pass
 *
 * A round makes all of it and takes it apart again, so what a round leaves
 * behind is a leak: memory and file descriptors at the end are those after the
 * first rounds, when all caches are warm.
 *
 * Each client is a coroutine with a part of an image of its own, in which it
 * knows every sector; it wanders from context to context.  The main thread
 * meanwhile does what disturbs them.
 *
 * COTRACE_SEED chooses the seed, COTRACE_SOAK=1 makes it ten minutes.
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomics.h"
#include "block/graph.h"
#include "ct/block.h"
#include "ct/pool.h"
#include "ct/sync.h"
#include "image.h"

#define IMAGES       3
#define CLIENTS      4 /* an image */
#define IOTHREADS    2
#define SECTOR       512
#define SECTORS      256 /* of a client */
#define LONGEST      24
#define ACTIONS      120 /* of the main thread, a round */
#define WARM_ROUNDS  2
#define SOAK_SECONDS 600
#define UNKNOWN      256

/* Rounds keep what pools keep; a leak a request would be far more. */
#define SLACK_BYTES (256 * 1024)

struct client {
    BlockBackend *blk;
    int64_t offset;
    GRand *rand;
    int sectors[SECTORS]; /* what each holds: a byte, or UNKNOWN */
    uint8_t data[LONGEST * SECTOR];
    bool is_done; /* of an aio request; the callback's, then the client's */
    int ret;
    Coroutine *co;
};

static struct {
    AioContext *ctxs[IOTHREADS + 1]; /* the first is the main thread's */
    IOThread *iothreads[IOTHREADS];
    BlockBackend *blks[IMAGES];
    char *names[IMAGES];
    struct client clients[IMAGES * CLIENTS];
    unsigned running;  /* atomic: clients */
    unsigned stop;     /* atomic */
    unsigned requests; /* atomic: in all */
    unsigned late;     /* atomic: functions that were late and still run */
    int plain_a, plain_b;
} world;

/* --- clients ------------------------------------------------------------- */

static void client_woken(void *opaque, int ret)
{
    struct client *client = opaque;

    client->ret = ret;
    client->is_done = true;
    aio_co_wake(client->co);
}

/* What a client knows, against what it has read. */
static void check(const struct client *client, int first, int n)
{
    for (int i = 0; i < n * SECTOR; i++) {
        int want = client->sectors[first + i / SECTOR];

        if (want != UNKNOWN && client->data[i] != want) {
            g_error("%s: sector %d holds %d, not %d", blk_name(client->blk),
                    first + i / SECTOR, client->data[i], want);
        }
    }
}

static void set(struct client *client, int first, int n, int what)
{
    for (int i = first; i < first + n; i++) {
        client->sectors[i] = what;
    }
}

static int coroutine_fn transfer(struct client *client, int64_t offset,
                                 int bytes, bool is_write)
{
    struct iovec iov = {client->data, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    if (g_rand_boolean(client->rand)) {
        return is_write ? blk_co_pwritev(client->blk, offset, &vector, 0)
                        : blk_co_preadv(client->blk, offset, &vector);
    }
    client->is_done = false;
    client->co = coroutine_self();
    if (is_write) {
        blk_aio_pwritev(client->blk, offset, &vector, 0, client_woken, client);
    } else {
        blk_aio_preadv(client->blk, offset, &vector, client_woken, client);
    }
    coroutine_yield();
    g_assert_true(client->is_done);
    return client->ret;
}

static void coroutine_fn one_request(struct client *client)
{
    int first = g_rand_int_range(client->rand, 0, SECTORS);
    int n = g_rand_int_range(client->rand, 1, LONGEST + 1);
    int what = g_rand_int_range(client->rand, 0, 256);
    int ret = 0;

    n = MIN(n, SECTORS - first);
    int64_t offset = client->offset + first * SECTOR;
    switch (g_rand_int_range(client->rand, 0, 10)) {
    case 0:
        ret = blk_co_pwrite_zeroes(client->blk, offset, n * SECTOR,
                                   BDRV_REQ_MAY_UNMAP);
        set(client, first, n, 0);
        break;
    case 1:
        ret = blk_co_pdiscard(client->blk, offset, n * SECTOR);
        set(client, first, n, UNKNOWN);
        break;
    case 2:
        ret = blk_co_flush(client->blk);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        memset(client->data, what, (size_t)n * SECTOR);
        ret = transfer(client, offset, n * SECTOR, true);
        set(client, first, n, what);
        break;
    default:
        ret = transfer(client, offset, n * SECTOR, false);
        check(client, first, n);
    }
    g_assert_cmpint(ret, ==, 0);
    (void)ct_fetch_add(&world.requests, 1);
}

static void coroutine_fn client_entry(void *opaque)
{
    struct client *client = opaque;

    while (!ct_load_acquire(&world.stop)) {
        one_request(client);
        if (g_rand_int_range(client->rand, 0, 16) == 0) {
            aio_co_reschedule_self(
                world.ctxs[g_rand_int_range(client->rand, 0, IOTHREADS + 1)]);
        }
        if (g_rand_int_range(client->rand, 0, 32) == 0) {
            co_sleep_ns(AIO_CLOCK_REALTIME, 20000);
        }
    }
    (void)ct_fetch_sub(&world.running, 1);
    aio_wait_kick();
}

/* --- readers of the graph that are no requests --------------------------- */

static void coroutine_fn reader_entry(void *opaque)
{
    for (int i = 0; i < 20 && !ct_load_acquire(&world.stop); i++) {
        bdrv_graph_co_rdlock();
        g_assert_cmpint(world.plain_a, ==, world.plain_b);
        co_sleep_ns(AIO_CLOCK_REALTIME, 1000);
        g_assert_cmpint(world.plain_a, ==, world.plain_b);
        bdrv_graph_co_rdunlock();
        aio_co_reschedule_self(opaque);
    }
    (void)ct_fetch_sub(&world.running, 1);
    aio_wait_kick();
}

/* --- what disturbs them -------------------------------------------------- */

static int work_function(void *arg)
{
    return GPOINTER_TO_INT(arg);
}

static void work_done(void *opaque, int ret)
{
    int *left = opaque;

    g_assert_true(ret == 7 || ret == -ECANCELED);
    (*left)--;
}

static void cancel_some(GRand *rand)
{
    ThreadPool *pool = aio_get_thread_pool(world.ctxs[0]);
    ThreadPoolWork *work[16];
    int left = G_N_ELEMENTS(work);

    for (size_t i = 0; i < G_N_ELEMENTS(work); i++) {
        work[i] = thread_pool_submit_aio(pool, work_function,
                                         GINT_TO_POINTER(7), work_done, &left);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(work); i++) {
        if (g_rand_boolean(rand)) {
            (void)thread_pool_cancel(pool, work[i]);
        }
    }
    AIO_WAIT_WHILE(NULL, left > 0);
}

static void coroutine_fn late_function(void *opaque)
{
    co_sleep_ns(AIO_CLOCK_REALTIME, 300000);
}

static void coroutine_fn late_clean(void *opaque)
{
    (void)ct_fetch_sub(&world.late, 1);
    aio_wait_kick();
}

static void coroutine_fn limit_entry(void *opaque)
{
    (void)ct_fetch_add(&world.late, 1);
    if (co_timeout(late_function, NULL, 1000, late_clean) == 0) {
        late_clean(NULL);
    }
    (void)ct_fetch_sub(&world.running, 1);
    aio_wait_kick();
}

static void start(AioContext *ctx, CoroutineEntry *entry, void *opaque)
{
    (void)ct_fetch_add(&world.running, 1);
    aio_co_schedule(ctx, coroutine_create(entry, opaque));
}

static void beside(BlockBackend *blk)
{
    BlockBackend *other = blk_new_beside(blk);
    uint8_t data[SECTOR];

    blk_set_allow_aio_context_change(other, true);
    g_assert_cmpint(blk_pread(other, 0, SECTOR, data), ==, 0);
    blk_unref(other);
}

/* Past the host's cache, or not any more; native stays as it is. */
static void reopen(BlockBackend *blk)
{
    BlockOptions options = blk_get_options(blk);
    g_autoptr(GError) error = NULL;

    options.is_direct = !options.is_direct;
    options.is_unsafe = !options.is_unsafe;
    if (blk_reopen(blk, &options, &error) < 0) {
        g_assert_error(error, BLOCK_ERROR, EINVAL);
        g_assert_true(blk_get_options(blk).is_direct != options.is_direct);
    }
}

static void disturb(GRand *rand)
{
    BlockBackend *blk = world.blks[g_rand_int_range(rand, 0, IMAGES)];
    AioContext *ctx = world.ctxs[g_rand_int_range(rand, 0, IOTHREADS + 1)];

    switch (g_rand_int_range(rand, 0, 12)) {
    case 0:
    case 1:
    case 2:
        blk_set_aio_context(blk, ctx);
        g_assert_true(blk_get_aio_context(blk) == ctx);
        break;
    case 3:
        blk_drained_begin(blk);
        blk_drained_begin(blk);
        blk_drained_end(blk);
        (void)aio_poll(world.ctxs[0], false);
        blk_drained_end(blk);
        break;
    case 4:
        blk_drain_all_begin();
        blk_set_aio_context(blk, ctx);
        blk_drain_all_end();
        break;
    case 5:
        bdrv_graph_wrlock();
        world.plain_a++;
        world.plain_b++;
        bdrv_graph_wrunlock();
        break;
    case 6:
        cancel_some(rand);
        break;
    case 7:
        start(ctx, reader_entry, world.ctxs[0]);
        break;
    case 8:
        start(ctx, limit_entry, NULL);
        break;
    case 9:
        beside(blk);
        break;
    case 10:
        reopen(blk);
        break;
    default:
        aio_context_set_thread_pool_params(ctx, 0,
                                           g_rand_int_range(rand, 1, 6));
    }
}

/* --- a round ------------------------------------------------------------- */

static void make_image(int n, GRand *rand)
{
    static const char *const engines[] = {"threads", "io_uring", "native"};
    int64_t bytes = (int64_t)CLIENTS * SECTORS * SECTOR;
    BlockOptions options = {.is_writable = true, .has_discard = true};
    g_autoptr(GError) error = NULL;

    options.format = n == 0 ? "raw" : "qcow2";
    options.engine = engines[g_rand_int_range(rand, 0, 3)];
    options.is_direct = strcmp(options.engine, "native") == 0;
    if (n == 0) {
        int fd =
            g_file_open_tmp("cotrace-stress-XXXXXX", &world.names[n], NULL);

        g_assert_cmpint(ftruncate(fd, bytes), ==, 0);
        close(fd);
    } else {
        struct image *image = image_new(3, n == 1 ? 12 : 16, (uint64_t)bytes);

        image_count(image);
        world.names[n] = image_save(image, image->file->len);
        image_free(image);
    }
    world.blks[n] =
        blk_new_open(world.names[n], &options, world.ctxs[0], &error);
    if (world.blks[n] == NULL) { /* a kernel that refuses the engine */
        options.engine = "threads";
        options.is_direct = false;
        world.blks[n] =
            blk_new_open(world.names[n], &options, world.ctxs[0], NULL);
    }
    g_assert_nonnull(world.blks[n]);
}

static void begin_round(GRand *rand)
{
    world.ctxs[0] = aio_context_new("main", NULL);
    aio_context_set_current(world.ctxs[0]);
    for (int i = 0; i < IOTHREADS; i++) {
        world.iothreads[i] = iothread_new("stress", NULL);
        world.ctxs[i + 1] = iothread_get_aio_context(world.iothreads[i]);
    }
    ct_store(&world.stop, 0);
    for (int n = 0; n < IMAGES; n++) {
        make_image(n, rand);
    }
    for (int i = 0; i < IMAGES * CLIENTS; i++) {
        struct client *client = &world.clients[i];

        *client =
            (struct client){.blk = world.blks[i / CLIENTS],
                            .offset = (int64_t)(i % CLIENTS) * SECTORS * SECTOR,
                            .rand = g_rand_new_with_seed(g_rand_int(rand))};
        start(world.ctxs[i % (IOTHREADS + 1)], client_entry, client);
    }
}

static void end_round(void)
{
    (void)ct_xchg(&world.stop, 1);
    AIO_WAIT_WHILE(NULL, ct_load_acquire(&world.running) > 0 ||
                             ct_load_acquire(&world.late) > 0);
    for (int n = 0; n < IMAGES; n++) {
        g_assert_null(blk_fault(world.blks[n]));
        blk_unref(world.blks[n]);
        image_remove(world.names[n]);
    }
    for (int i = 0; i < IMAGES * CLIENTS; i++) {
        g_rand_free(world.clients[i].rand);
    }
    for (int i = 0; i < IOTHREADS; i++) {
        iothread_free(world.iothreads[i]);
    }
    aio_context_set_current(NULL);
    aio_context_unref(world.ctxs[0]);
}

static void run_round(GRand *rand)
{
    begin_round(rand);
    for (int i = 0; i < ACTIONS; i++) {
        disturb(rand);
        (void)aio_poll(world.ctxs[0], g_rand_boolean(rand));
    }
    end_round();
}

/* --- what is left -------------------------------------------------------- */

static unsigned open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;

    g_assert_nonnull(folder);
    while (readdir(folder) != NULL) {
        n++;
    }
    closedir(folder);
    return n;
}

static int64_t memory_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
}

static void test_stress(void)
{
    const char *text = g_getenv("COTRACE_SEED");
    guint32 seed = text != NULL ? (guint32)strtoul(text, NULL, 10) : 1;
    bool is_soak = g_getenv("COTRACE_SOAK") != NULL;
    int64_t end_us =
        g_get_monotonic_time() + (is_soak ? SOAK_SECONDS * G_USEC_PER_SEC : 0);
    GRand *rand = g_rand_new_with_seed(seed);
    unsigned files, rounds = 0;
    int64_t bytes;

    g_test_message("seed %u", seed);
    while (rounds < WARM_ROUNDS) {
        run_round(rand);
        rounds++;
    }
    files = open_files();
    bytes = memory_bytes();
    do {
        run_round(rand);
        rounds++;
    } while (g_get_monotonic_time() < end_us || rounds < 2 * WARM_ROUNDS);
    int64_t grown = memory_bytes() - bytes;
    g_test_message("seed %u: %u rounds, %u requests; memory %+" G_GINT64_FORMAT
                   " bytes, files %u of %u",
                   seed, rounds, world.requests, grown, open_files(), files);
    g_assert_cmpuint(open_files(), ==, files);
    g_assert_cmpint(grown, <=, SLACK_BYTES);
    g_assert_cmpuint(world.requests, >, rounds * IMAGES * CLIENTS);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/block", test_stress);
    return g_test_run();
}
