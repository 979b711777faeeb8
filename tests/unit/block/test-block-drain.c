/* SPDX-License-Identifier: MIT */
/*
 * test-block-drain.c - drained sections, and nodes that go to another context
 *
 * The file at the bottom answers when the test says so; what is asked for is
 * logged by its offset, the callbacks by theirs.
 */
#include <errno.h>

#include "block/backend.h"
#include "block/drivers/drivers.h"
#include "loops.h"

#define BYTES 4096

/* --- the disk ------------------------------------------------------------ */

struct disk {
    BlockBackend *blk;
    BlockDriverState *raw;
    BlockDriverState *file;
};

struct slow_state {
    CoQueue asked; /* home thread, as all */
    bool is_held;
    AioContext *ctx; /* where the last one ran */
};

static int coroutine_fn slow_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    struct slow_state *s = bs->opaque;

    g_assert_true(in_aio_context_home_thread(bdrv_get_aio_context(bs)));
    s->ctx = aio_context_current();
    log_add("%d", (int)(offset / BYTES));
    if (s->is_held) {
        co_queue_wait(&s->asked, NULL);
    }
    return 0;
}

static const BlockDriver slow_driver = {.format_name = "slow",
                                        .co_prw = slow_co_prw};

static BlockDriverState *node_new(const BlockDriver *drv, AioContext *ctx)
{
    BlockDriverState *bs = g_new0(BlockDriverState, 1);

    bs->drv = drv;
    bs->ctx = ctx;
    bs->node_name = g_strdup(drv->format_name);
    bs->bytes = 64 * BYTES;
    bs->options.is_writable = true;
    bdrv_init(bs);
    return bs;
}

static void disk_open(struct disk *disk, AioContext *ctx)
{
    struct slow_state *s = g_new0(struct slow_state, 1);

    co_queue_init(&s->asked);
    s->is_held = true;
    disk->file = node_new(&slow_driver, ctx);
    disk->file->opaque = s;
    disk->raw = node_new(&bdrv_raw, ctx);
    disk->raw->file = disk->file;
    bdrv_attach_child(&disk->raw->file_edge, disk->raw, disk->file);
    disk->blk = blk_new(disk->raw);
    log_clear();
}

static struct slow_state *slow(struct disk *disk)
{
    return disk->file->opaque;
}

static void release_one(void *opaque)
{
    struct disk *disk = opaque;

    g_assert_true(co_queue_next(&slow(disk)->asked));
}

/* What is asked for is answered from now on. */
static void release_all(void *opaque)
{
    struct disk *disk = opaque;

    slow(disk)->is_held = false;
    co_queue_all(&slow(disk)->asked);
}

/* --- requests ------------------------------------------------------------ */

struct ask {
    uint8_t data[BYTES];
    IOVector vector;
    int n;
    bool is_done;
    AioContext *ctx; /* where the callback ran */
};

static void ask_done(void *opaque, int ret)
{
    struct ask *ask = opaque;

    g_assert_cmpint(ret, ==, 0);
    log_add("%d!", ask->n);
    ask->ctx = aio_context_current();
    io_vector_fini(&ask->vector);
    ct_store_release(&ask->is_done, true);
    aio_wait_kick();
}

static void ask_start(struct ask *ask, BlockBackend *blk, int n)
{
    ask->n = n;
    ask->is_done = false;
    io_vector_init(&ask->vector);
    io_vector_add(&ask->vector, ask->data, BYTES);
    blk_aio_preadv(blk, (int64_t)n * BYTES, &ask->vector, ask_done, ask);
}

/* --- sections ------------------------------------------------------------ */

/* What is in flight ends, and nothing begins until the outermost end. */
static void test_section(struct loop *loop)
{
    struct disk disk;
    struct ask asks[5];

    disk_open(&disk, loop->ctx);
    ask_start(&asks[0], disk.blk, 0);
    ask_start(&asks[1], disk.blk, 1);
    log_expect("0 1");
    aio_bh_schedule_oneshot(loop->ctx, release_one, &disk);
    aio_bh_schedule_oneshot(loop->ctx, release_one, &disk);
    blk_drained_begin(disk.blk);
    log_expect("0 1 0! 1!");
    g_assert_cmpuint(blk_in_flight(disk.blk), ==, 0);
    ask_start(&asks[2], disk.blk, 2);
    blk_drained_begin(disk.blk); /* waits for none of those that wait */
    ask_start(&asks[3], disk.blk, 3);
    g_assert_cmpuint(blk_in_flight(disk.blk), ==, 2);
    blk_drained_end(disk.blk);
    loop_drain(loop);
    log_expect("0 1 0! 1!");
    blk_drained_end(disk.blk);
    log_expect("0 1 0! 1! 2 3"); /* in their order */
    ask_start(&asks[4], disk.blk, 4);
    release_all(&disk);
    blk_drain(disk.blk);
    log_expect("0 1 0! 1! 2 3 4 2! 3! 4!");
    blk_unref(disk.blk);
}

/* A section below a backend holds it; one at all of them, also a new one. */
static void test_parents(struct loop *loop)
{
    struct disk disk, later;
    struct ask asks[2];

    disk_open(&disk, loop->ctx);
    release_all(&disk);
    bdrv_drained_begin(disk.file);
    ask_start(&asks[0], disk.blk, 0);
    loop_drain(loop);
    log_expect("");
    bdrv_drained_end(disk.file);
    log_expect("0 0!");
    blk_drain(disk.blk);

    blk_drain_all_begin();
    disk_open(&later, loop->ctx);
    release_all(&later);
    ask_start(&asks[0], disk.blk, 1);
    ask_start(&asks[1], later.blk, 2);
    loop_drain(loop);
    log_expect("");
    blk_drain_all_end();
    blk_drain(disk.blk);
    blk_drain(later.blk);
    log_expect("1 1! 2 2!");
    blk_unref(later.blk);
    blk_unref(disk.blk);
}

/* Two users of one image: a section is for both, a drain is for one. */
static void test_beside(struct loop *loop)
{
    struct disk disk;
    struct ask asks[2];
    BlockBackend *beside;

    disk_open(&disk, loop->ctx);
    beside = blk_new_beside(disk.blk);
    ask_start(&asks[0], beside, 0);
    blk_drain(disk.blk);
    g_assert_false(asks[0].is_done);
    aio_bh_schedule_oneshot(loop->ctx, release_one, &disk);
    blk_drained_begin(disk.blk);
    g_assert_true(asks[0].is_done);
    ask_start(&asks[0], beside, 1);
    ask_start(&asks[1], disk.blk, 2);
    blk_drained_end(disk.blk);
    release_all(&disk);
    blk_unref(disk.blk);
    g_assert_true(asks[1].is_done);
    blk_drain(beside);
    log_expect("0 0! 2 1 2! 1!"); /* backend by backend */
    blk_unref(beside);
}

/* A handle that is opened inside a section is held from the start. */
static void test_beside_in_section(struct loop *loop)
{
    struct disk disk;
    struct ask ask;

    disk_open(&disk, loop->ctx);
    release_all(&disk);
    blk_drained_begin(disk.blk);
    BlockBackend *beside = blk_new_beside(disk.blk);
    ask_start(&ask, beside, 0);
    loop_drain(loop);
    log_expect("");
    blk_drained_end(disk.blk);
    blk_drain(beside);
    log_expect("0 0!");
    blk_unref(beside);
    blk_unref(disk.blk);
}

struct in_coroutine {
    struct disk *disk;
    struct ask ask;
    bool is_done;
};

static void coroutine_fn drain_entry(void *opaque)
{
    struct in_coroutine *in = opaque;

    blk_drained_begin(in->disk->blk);
    log_add("drained");
    ask_start(&in->ask, in->disk->blk, 7);
    blk_drained_end(in->disk->blk);
    in->is_done = true;
}

/* In a coroutine a section waits by yielding. */
static void test_in_coroutine(struct loop *loop)
{
    struct disk disk;
    struct in_coroutine in = {.disk = &disk};
    struct ask ask;

    disk_open(&disk, loop->ctx);
    ask_start(&ask, disk.blk, 0);
    aio_co_enter(loop->ctx, coroutine_create(drain_entry, &in));
    log_expect("0");
    aio_bh_schedule_oneshot(loop->ctx, release_all, &disk);
    loop_until(loop, in.is_done);
    blk_drain(disk.blk);
    log_expect("0 0! drained 7 7!");
    blk_unref(disk.blk);
}

static void coroutine_fn write_entry(void *opaque)
{
    struct in_coroutine *in = opaque;
    static uint8_t data[BYTES];

    log_add("asks");
    g_assert_cmpint(blk_pwrite(in->disk->blk, 5 * BYTES, BYTES, data, 0), ==,
                    0);
    log_add("goes on");
    in->is_done = true;
}

/* A coroutine's request waits in that coroutine. */
static void test_coroutine_waits(struct loop *loop)
{
    struct disk disk;
    struct in_coroutine in = {.disk = &disk};

    disk_open(&disk, loop->ctx);
    release_all(&disk);
    blk_drained_begin(disk.blk);
    aio_co_enter(loop->ctx, coroutine_create(write_entry, &in));
    loop_drain(loop);
    log_expect("asks");
    blk_drained_end(disk.blk);
    loop_until(loop, in.is_done);
    log_expect("asks 5 goes on");
    blk_unref(disk.blk);
}

/* --- other contexts ------------------------------------------------------ */

/* The requests are another thread's; this one drains them. */
static void test_across(struct loop *loop)
{
    IOThread *iothread = iothread_new("other", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);
    struct disk disk;
    struct ask asks[3];

    disk_open(&disk, ctx);
    ask_start(&asks[0], disk.blk, 0);
    ask_start(&asks[1], disk.blk, 1);
    aio_bh_schedule_oneshot(ctx, release_all, &disk);
    blk_drained_begin(disk.blk);
    g_assert_true(ct_load_acquire(&asks[0].is_done));
    g_assert_true(ct_load_acquire(&asks[1].is_done));
    g_assert_true(asks[1].ctx == ctx);
    ask_start(&asks[2], disk.blk, 2);
    g_assert_cmpuint(blk_in_flight(disk.blk), ==, 1);
    blk_drained_end(disk.blk);
    blk_unref(disk.blk);
    g_assert_true(ct_load_acquire(&asks[2].is_done));
    log_expect("0 1 0! 1! 2 2!");
    iothread_free(iothread);
}

/* What waits while a disk moves runs where it has gone to. */
static void test_move(struct loop *loop)
{
    IOThread *iothread = iothread_new("other", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);
    struct disk disk;
    struct ask asks[3];

    disk_open(&disk, loop->ctx);
    ask_start(&asks[0], disk.blk, 0);
    aio_bh_schedule_oneshot(loop->ctx, release_all, &disk);
    blk_drained_begin(disk.blk);
    ask_start(&asks[1], disk.blk, 1);
    blk_set_aio_context(disk.blk, ctx);
    g_assert_true(bdrv_get_aio_context(disk.file) == ctx);
    g_assert_false(asks[1].is_done);
    blk_drained_end(disk.blk);
    blk_drain(disk.blk);
    g_assert_true(asks[0].ctx == loop->ctx);
    g_assert_true(asks[1].ctx == ctx);
    /* And back, from the one to the other. */
    blk_set_aio_context(disk.blk, loop->ctx);
    ask_start(&asks[2], disk.blk, 2);
    blk_drain(disk.blk);
    g_assert_true(asks[2].ctx == loop->ctx);
    log_expect("0 0! 1 1! 2 2!");
    blk_unref(disk.blk);
    iothread_free(iothread);
}

/* Another user may say no, and then nothing has changed. */
static void test_move_refused(struct loop *loop)
{
    AioContext *other = aio_context_new("other", NULL);
    g_autoptr(GError) error = NULL;
    struct disk disk;
    struct ask ask;

    disk_open(&disk, loop->ctx);
    release_all(&disk);
    BlockBackend *beside = blk_new_beside(disk.blk);
    g_assert_cmpint(blk_try_set_aio_context(disk.blk, other, &error), ==,
                    -EBUSY);
    g_assert_error(error, BLOCK_ERROR, EBUSY);
    g_assert_true(blk_get_aio_context(disk.blk) == loop->ctx);
    ask_start(&ask, disk.blk, 0);
    blk_drain(disk.blk);
    log_expect("0 0!");
    blk_set_allow_aio_context_change(beside, true);
    blk_set_aio_context(disk.blk, other);
    g_assert_true(blk_get_aio_context(beside) == other);
    blk_set_aio_context(disk.blk, other); /* is there already */
    blk_set_allow_aio_context_change(beside, false);
    blk_set_allow_aio_context_change(disk.blk, true);
    blk_set_aio_context(beside, loop->ctx);
    blk_unref(beside);
    blk_unref(disk.blk);
    aio_context_unref(other);
}

/* A coroutine of another context goes there for its request and comes back. */
static void coroutine_fn guest_entry(void *opaque)
{
    struct in_coroutine *in = opaque;
    AioContext *here = aio_context_current();
    static uint8_t data[BYTES];
    int64_t bytes;

    g_assert_true(blk_get_aio_context(in->disk->blk) != here);
    g_assert_cmpint(blk_pread(in->disk->blk, 0, BYTES, data), ==, 0);
    g_assert_true(aio_context_current() == here);
    g_assert_true(slow(in->disk)->ctx == blk_get_aio_context(in->disk->blk));
    g_assert_cmpint(blk_block_status(in->disk->blk, 0, BYTES, &bytes), >=, 0);
    g_assert_true(aio_context_current() == here);
    in->is_done = true;
}

static void test_guest(struct loop *loop)
{
    IOThread *iothread = iothread_new("other", NULL);
    struct disk disk;
    struct in_coroutine in = {.disk = &disk};

    disk_open(&disk, iothread_get_aio_context(iothread));
    slow(&disk)->is_held = false;
    aio_co_enter(loop->ctx, coroutine_create(guest_entry, &in));
    loop_until(loop, in.is_done);
    blk_unref(disk.blk);
    iothread_free(iothread);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/drain/section", test_section);
    loops_add("/drain/parents", test_parents);
    loops_add("/drain/beside", test_beside);
    loops_add("/drain/beside-in-section", test_beside_in_section);
    loops_add("/drain/in-coroutine", test_in_coroutine);
    loops_add("/drain/coroutine-waits", test_coroutine_waits);
    loops_add("/drain/across", test_across);
    loops_add("/drain/move", test_move);
    loops_add("/drain/move-refused", test_move_refused);
    loops_add("/drain/guest", test_guest);
    return g_test_run();
}
