/* SPDX-License-Identifier: MIT */
/*
 * disturb.c - what the stress tests share: threads, what disturbs whoever is at
 * work, and the rounds
 */
#include "disturb.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomics.h"
#include "block/graph.h"
#include "ct/pool.h"
#include "ct/sync.h"
#include "image.h"

#define WARM_ROUNDS  2
#define SOAK_SECONDS 600
#define SECTOR       512

/* Rounds keep what pools keep; a leak a request would be far more. */
#define SLACK_BYTES (256 * 1024)

struct stress stress;

/* Of a sanitizer's own heap, which mallinfo2() knows nothing of. */
extern size_t __sanitizer_get_current_allocated_bytes(void)
    __attribute__((weak));

void stress_ended(void)
{
    (void)ct_fetch_sub(&stress.running, 1);
    aio_wait_kick();
}

void stress_start(AioContext *ctx, CoroutineEntry *entry, void *opaque)
{
    (void)ct_fetch_add(&stress.running, 1);
    aio_co_schedule(ctx, coroutine_create(entry, opaque));
}

AioContext *stress_any_context(GRand *rand)
{
    return stress.ctxs[g_rand_int_range(rand, 0, STRESS_CONTEXTS)];
}

/* --- readers of the graph that are no requests --------------------------- */

static void coroutine_fn reader_entry(void *opaque)
{
    for (int i = 0; i < 20 && !ct_load_acquire(&stress.stop); i++) {
        bdrv_graph_co_rdlock();
        g_assert_cmpint(stress.plain_a, ==, stress.plain_b);
        co_sleep_ns(AIO_CLOCK_REALTIME, 1000);
        g_assert_cmpint(stress.plain_a, ==, stress.plain_b);
        bdrv_graph_co_rdunlock();
        aio_co_reschedule_self(opaque);
    }
    stress_ended();
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
    ThreadPool *pool = aio_get_thread_pool(stress.ctxs[0]);
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
    (void)ct_fetch_sub(&stress.late, 1);
    aio_wait_kick();
}

static void coroutine_fn limit_entry(void *opaque)
{
    (void)ct_fetch_add(&stress.late, 1);
    if (co_timeout(late_function, NULL, 1000, late_clean) == 0) {
        late_clean(NULL);
    }
    stress_ended();
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

void stress_disturb(GRand *rand, BlockBackend *blk)
{
    AioContext *ctx = stress_any_context(rand);

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
        (void)aio_poll(stress.ctxs[0], false);
        blk_drained_end(blk);
        break;
    case 4:
        blk_drain_all_begin();
        blk_set_aio_context(blk, ctx);
        blk_drain_all_end();
        break;
    case 5:
        bdrv_graph_wrlock();
        stress.plain_a++;
        stress.plain_b++;
        bdrv_graph_wrunlock();
        break;
    case 6:
        cancel_some(rand);
        break;
    case 7:
        stress_start(ctx, reader_entry, stress.ctxs[0]);
        break;
    case 8:
        stress_start(ctx, limit_entry, NULL);
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

void stress_stop(void)
{
    (void)ct_xchg(&stress.stop, 1);
    AIO_WAIT_WHILE(NULL, ct_load_acquire(&stress.running) > 0 ||
                             ct_load_acquire(&stress.late) > 0);
}

/* --- images -------------------------------------------------------------- */

const char *stress_any_engine(GRand *rand)
{
    static const char *const engines[] = {"threads", "io_uring", "native"};

    return engines[g_rand_int_range(rand, 0, G_N_ELEMENTS(engines))];
}

char *stress_make_image(unsigned cluster_bits, int64_t bytes)
{
    char *name;

    if (cluster_bits == 0) {
        int fd = g_file_open_tmp("cotrace-stress-XXXXXX", &name, NULL);

        g_assert_cmpint(ftruncate(fd, bytes), ==, 0);
        close(fd);
        return name;
    }
    struct image *image = image_new(3, cluster_bits, (uint64_t)bytes);

    image_count(image);
    name = image_save(image, image->file->len);
    image_free(image);
    return name;
}

/* --- rounds -------------------------------------------------------------- */

static void begin_round(void)
{
    stress.ctxs[0] = aio_context_new("main", NULL);
    aio_context_set_current(stress.ctxs[0]);
    for (int i = 0; i < STRESS_IOTHREADS; i++) {
        stress.iothreads[i] = iothread_new("stress", NULL);
        stress.ctxs[i + 1] = iothread_get_aio_context(stress.iothreads[i]);
    }
    ct_store(&stress.stop, 0);
}

static void end_round(void)
{
    for (int i = 0; i < STRESS_IOTHREADS; i++) {
        iothread_free(stress.iothreads[i]);
    }
    aio_context_set_current(NULL);
    aio_context_unref(stress.ctxs[0]);
}

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

    if (__sanitizer_get_current_allocated_bytes != NULL) {
        return (int64_t)__sanitizer_get_current_allocated_bytes();
    }
    return (int64_t)(info.uordblks + info.hblkhd);
}

void stress_rounds(void (*round)(GRand *rand))
{
    const char *text = g_getenv("COTRACE_SEED");
    guint32 seed = text != NULL ? (guint32)strtoul(text, NULL, 10) : 1;
    bool is_soak = g_getenv("COTRACE_SOAK") != NULL;
    int64_t end_us =
        g_get_monotonic_time() + (is_soak ? SOAK_SECONDS * G_USEC_PER_SEC : 0);
    GRand *rand = g_rand_new_with_seed(seed);
    unsigned files = 0, rounds = 0;
    int64_t bytes = 0;

    g_test_message("seed %u", seed);
    do {
        begin_round();
        round(rand);
        end_round();
        rounds++;
        if (rounds == WARM_ROUNDS) {
            files = open_files();
            bytes = memory_bytes();
        }
    } while (rounds < 2 * WARM_ROUNDS || g_get_monotonic_time() < end_us);
    int64_t grown = memory_bytes() - bytes;
    g_test_message("seed %u: %u rounds, %u requests; memory %+" G_GINT64_FORMAT
                   " bytes of %" G_GINT64_FORMAT ", files %u of %u",
                   seed, rounds, stress.requests, grown, bytes, open_files(),
                   files);
    g_assert_cmpuint(open_files(), ==, files);
    g_assert_cmpint(grown, <=, SLACK_BYTES);
    g_assert_cmpuint(stress.requests, >, rounds * 12);
    g_rand_free(rand);
}
