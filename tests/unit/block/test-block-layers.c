/* SPDX-License-Identifier: MIT */
/*
 * test-block-layers.c - what bdrv_* makes of writes, zeroes, discards, flushes
 *
 * Over a driver that logs what it is asked ("write 0+4096") and answers when
 * the test says so: what waits for what can be seen.
 */
#include <errno.h>

#include "block/driver.h"
#include "ct/block.h"
#include "loops.h"

#define UNIT 4096

static Coroutine *asked[16]; /* who waits for an answer, in order; or NULL */
static int answers[16];
static int n_asked;
static bool is_slow;
static int zero_ret, discard_ret, flush_ret; /* what the driver says */

static int coroutine_fn ask(const char *what, int64_t offset, int64_t bytes)
{
    log_add("%s %d+%d", what, (int)offset, (int)bytes);
    if (!is_slow) {
        return 0;
    }
    int n = n_asked++;
    g_assert_cmpint(n, <, G_N_ELEMENTS(asked));
    asked[n] = coroutine_self();
    coroutine_yield();
    return answers[n];
}

static void answer(int n, int ret)
{
    Coroutine *co = asked[n];

    g_assert_nonnull(co);
    asked[n] = NULL;
    answers[n] = ret;
    aio_co_wake(co);
}

static int coroutine_fn fake_prw(BlockDriverState *bs, enum block_op op,
                                 int64_t offset, int64_t bytes,
                                 const IOVector *vector, size_t offset_in)
{
    int ret = ask(op == BLOCK_OP_READ ? "read" : "write", offset, bytes);
    return ret;
}

static int coroutine_fn fake_zeroes(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, unsigned flags)
{
    int ret = ask(flags & BDRV_REQ_MAY_UNMAP ? "unmap" : "zero", offset, bytes);
    return ret < 0 ? ret : zero_ret;
}

static int coroutine_fn fake_discard(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes)
{
    int ret = ask("discard", offset, bytes);
    return ret < 0 ? ret : discard_ret;
}

static int coroutine_fn fake_flush(BlockDriverState *bs)
{
    int ret = ask("flush", 0, 0);
    return ret < 0 ? ret : flush_ret;
}

static int coroutine_fn fake_truncate(BlockDriverState *bs, int64_t bytes)
{
    int ret = ask("truncate", bytes, 0);
    if (ret == 0) {
        bdrv_set_length(bs, bytes);
    }
    return ret;
}

static const BlockDriver fake_driver = {
    .format_name = "fake",
    .co_prw = fake_prw,
    .co_pwrite_zeroes = fake_zeroes,
    .co_pdiscard = fake_discard,
    .co_flush_to_disk = fake_flush,
    .co_truncate = fake_truncate,
};

static BlockDriverState node_in(struct loop *loop, int64_t unit)
{
    is_slow = false;
    n_asked = zero_ret = discard_ret = flush_ret = 0;
    log_clear();
    return (BlockDriverState){
        .drv = &fake_driver,
        .node_name = (char *)"fake",
        .bytes = 100 * UNIT,
        .unit_bytes = unit,
        .options = {.is_writable = true, .has_discard = true},
        .ctx = loop->ctx,
    };
}

struct request {
    BlockDriverState *bs;
    const char *what;
    int64_t offset;
    int64_t bytes;
    unsigned flags;
    int ret; /* 1: not over */
};

static void coroutine_fn request_entry(void *opaque)
{
    struct request *r = opaque;
    g_autofree char *data = g_malloc0((size_t)r->bytes + 1);
    struct iovec iov = {data, (size_t)r->bytes};
    IOVector v = {.iov = &iov, .niov = 1, .bytes = (size_t)r->bytes};

    switch (r->what[0]) {
    case 'r':
        r->ret = bdrv_co_preadv(r->bs, r->offset, r->bytes, &v, 0);
        break;
    case 'w':
        r->ret =
            bdrv_co_pwritev_part(r->bs, r->offset, r->bytes, &v, 0, r->flags);
        break;
    case 'z':
        r->ret = bdrv_co_pwrite_zeroes(r->bs, r->offset, r->bytes, r->flags);
        break;
    case 'd':
        r->ret = bdrv_co_pdiscard(r->bs, r->offset, r->bytes);
        break;
    case 'f':
        r->ret = bdrv_co_flush(r->bs);
        break;
    default:
        r->ret = bdrv_co_truncate(r->bs, r->bytes);
    }
}

static void start(struct request *r, BlockDriverState *bs, const char *what,
                  int64_t offset, int64_t bytes, unsigned flags)
{
    *r = (struct request){bs, what, offset, bytes, flags, 1};
    aio_co_enter(bs->ctx, coroutine_create(request_entry, r));
}

static int run(BlockDriverState *bs, const char *what, int64_t offset,
               int64_t bytes, unsigned flags)
{
    struct request r;

    start(&r, bs, what, offset, bytes, flags);
    g_assert_cmpint(r.ret, !=, 1);
    return r.ret;
}

/* --- cases --------------------------------------------------------------- */

static void test_pieces(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, UNIT);

    bdrv_init(&bs);
    g_assert_cmpint(run(&bs, "zero", 100, 3 * UNIT, 0), ==, 0);
    log_expect("zero 100+3996 zero 4096+8192 zero 12288+100");
    log_clear();
    g_assert_cmpint(run(&bs, "zero", 100, 50, BDRV_REQ_MAY_UNMAP), ==, 0);
    log_expect("unmap 100+50");
    log_clear();
    g_assert_cmpint(run(&bs, "discard", UNIT - 1, 2 * UNIT + 1, 0), ==, 0);
    log_expect("discard 4095+1 discard 4096+8192");
    log_clear();
    bs.unit_bytes = 0;
    g_assert_cmpint(run(&bs, "zero", 100, 3 * UNIT, 0), ==, 0);
    g_assert_cmpint(run(&bs, "zero", 100, 0, 0), ==, 0);
    log_expect("zero 100+12288");
}

static void test_fallback(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, UNIT);

    bdrv_init(&bs);
    zero_ret = discard_ret = -ENOTSUP;
    g_assert_cmpint(run(&bs, "zero", 0, 2 * UNIT, 0), ==, 0);
    log_expect("zero 0+8192 write 0+8192");
    log_clear();
    g_assert_cmpint(run(&bs, "zero", 0, UNIT, BDRV_REQ_NO_FALLBACK), ==,
                    -ENOTSUP);
    log_expect("zero 0+4096");
    log_clear();
    g_assert_cmpint(run(&bs, "discard", 0, UNIT, 0), ==, 0);
    log_expect("discard 0+4096");
    log_clear();
    /* more than the buffer of zeroes */
    g_assert_cmpint(run(&bs, "zero", 0, (1 << 21) + UNIT, 0), ==, 0);
    log_expect("zero 0+2101248 write 0+1048576 write 1048576+1048576 "
               "write 2097152+4096");
    log_clear();
    zero_ret = discard_ret = -ENOSPC;
    g_assert_cmpint(run(&bs, "zero", 0, 2 * UNIT + 1, 0), ==, -ENOSPC);
    g_assert_cmpint(run(&bs, "discard", 0, UNIT, 0), ==, -ENOSPC);
    log_expect("zero 0+8192 discard 0+4096");
}

static void test_refused(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, 0);

    bdrv_init(&bs);
    g_assert_cmpint(run(&bs, "write", -1, 5, 0), ==, -EIO);
    g_assert_cmpint(run(&bs, "write", INT64_MAX - 3, 5, 0), ==, -EIO);
    g_assert_cmpint(run(&bs, "zero", 5, -1, 0), ==, -EIO);
    g_assert_cmpint(run(&bs, "discard", -1, 5, 0), ==, -EIO);
    g_assert_cmpint(run(&bs, "truncate", 0, -1, 0), ==, -EINVAL);
    bs.options.has_discard = false;
    g_assert_cmpint(run(&bs, "discard", 0, UNIT, 0), ==, 0);
    bs.options.is_writable = false;
    g_assert_cmpint(run(&bs, "write", 0, 5, 0), ==, -EPERM);
    g_assert_cmpint(run(&bs, "zero", 0, 5, 0), ==, -EPERM);
    g_assert_cmpint(run(&bs, "discard", 0, 5, 0), ==, -EPERM);
    g_assert_cmpint(run(&bs, "truncate", 0, 5, 0), ==, -EACCES);
    g_assert_cmpint(run(&bs, "flush", 0, 0, 0), ==, 0);
    log_expect("");
}

/* Writes beyond the end of a protocol's node make it longer. */
static void test_length(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, 0);

    bdrv_init(&bs);
    g_assert_cmpint(run(&bs, "write", 99 * UNIT, UNIT, 0), ==, 0);
    g_assert_cmpint(bdrv_length(&bs), ==, 100 * UNIT);
    g_assert_cmpint(run(&bs, "write", 100 * UNIT, 7, 0), ==, 0);
    g_assert_cmpint(bdrv_length(&bs), ==, 100 * UNIT + 7);
    g_assert_cmpint(run(&bs, "zero", 101 * UNIT, 7, 0), ==, 0);
    g_assert_cmpint(bdrv_length(&bs), ==, 101 * UNIT + 7);
    g_assert_cmpint(run(&bs, "truncate", 0, 5, 0), ==, 0);
    g_assert_cmpint(bdrv_length(&bs), ==, 5);
    log_clear();
    g_assert_cmpint(run(&bs, "read", 3, 4, 0), ==, 0);
    log_expect("read 3+2");
}

/* A flush that finds nothing new does not ask the driver. */
static void test_flush(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, 0);

    bdrv_init(&bs);
    g_assert_cmpint(run(&bs, "flush", 0, 0, 0), ==, 0);
    log_expect("");
    g_assert_cmpint(run(&bs, "write", 0, 1, 0), ==, 0);
    g_assert_cmpint(run(&bs, "flush", 0, 0, 0), ==, 0);
    g_assert_cmpint(run(&bs, "flush", 0, 0, 0), ==, 0);
    log_expect("write 0+1 flush 0+0");
    log_clear();
    g_assert_cmpint(run(&bs, "write", 0, 1, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(run(&bs, "zero", 0, 1, BDRV_REQ_FUA), ==, 0);
    log_expect("write 0+1 flush 0+0 zero 0+1 flush 0+0");
    log_clear();

    flush_ret = -EIO; /* nothing is on the disk: asked again */
    g_assert_cmpint(run(&bs, "write", 0, 1, BDRV_REQ_FUA), ==, -EIO);
    flush_ret = 0;
    g_assert_cmpint(run(&bs, "flush", 0, 0, 0), ==, 0);
    log_expect("write 0+1 flush 0+0 flush 0+0");
    log_clear();
    bs.options.is_unsafe = true;
    g_assert_cmpint(run(&bs, "write", 0, 1, BDRV_REQ_FUA), ==, 0);
    log_expect("write 0+1");
}

/* One flush at a time; those that came meanwhile need only one more. */
static void test_flushes(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, 0);
    struct request a, b, c;

    bdrv_init(&bs);
    g_assert_cmpint(run(&bs, "write", 0, 1, 0), ==, 0);
    is_slow = true;
    start(&a, &bs, "flush", 0, 0, 0);
    is_slow = false;
    g_assert_cmpint(run(&bs, "write", 1, 1, 0), ==, 0);
    is_slow = true;
    start(&b, &bs, "flush", 0, 0, 0);
    start(&c, &bs, "flush", 0, 0, 0);
    log_expect("write 0+1 flush 0+0 write 1+1");
    answer(0, 0);
    g_assert_cmpint(a.ret, ==, 0);
    log_expect("write 0+1 flush 0+0 write 1+1 flush 0+0");
    g_assert_cmpint(b.ret, ==, 1);
    answer(1, 0);
    g_assert_cmpint(b.ret, ==, 0);
    g_assert_cmpint(c.ret, ==, 0);
    log_expect("write 0+1 flush 0+0 write 1+1 flush 0+0");
    g_assert_cmpuint(bs.in_flight, ==, 0);
}

/* Zeroes and discards of units wait for what overlaps, and make it wait. */
static void test_alone(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, UNIT);
    struct request w, r, d, beside, late;

    bdrv_init(&bs);
    is_slow = true;
    start(&w, &bs, "write", 0, 10, 0);
    start(&r, &bs, "read", 100, 10, 0);
    start(&d, &bs, "discard", 50, 10, 0); /* the same unit */
    start(&beside, &bs, "write", UNIT, 10, 0);
    start(&late, &bs, "write", 0, 10, 0); /* d waits, so this does not */
    log_expect("write 0+10 read 100+10 write 4096+10 write 0+10");
    answer(0, 0);
    answer(1, 0);
    g_assert_cmpint(d.ret, ==, 1);
    log_expect("write 0+10 read 100+10 write 4096+10 write 0+10");
    answer(3, 0);
    log_expect("write 0+10 read 100+10 write 4096+10 write 0+10 "
               "discard 50+10");

    start(&w, &bs, "write", 4000, 10, 0);
    start(&r, &bs, "read", 0, 10, 0);
    start(&late, &bs, "zero", UNIT, 1, 0); /* waits for the write beside */
    g_assert_cmpint(n_asked, ==, 5);
    answer(4, 0);
    g_assert_cmpint(d.ret, ==, 0);
    g_assert_cmpint(n_asked, ==, 7); /* w and r */
    answer(2, -EIO);
    g_assert_cmpint(beside.ret, ==, -EIO);
    g_assert_cmpint(n_asked, ==, 8);
    answer(7, 0);
    answer(5, 0);
    answer(6, 0);
    g_assert_cmpint(late.ret, ==, 0);
    g_assert_cmpint(w.ret, ==, 0);
    g_assert_cmpint(r.ret, ==, 0);
    g_assert_true(list_is_empty(&bs.requests));
    g_assert_cmpuint(bs.serialising, ==, 0);
}

/* Where a node has no units, requests that overlap run side by side. */
static void test_side_by_side(struct loop *loop)
{
    BlockDriverState bs = node_in(loop, 0);
    struct request a, b, t, late;

    bdrv_init(&bs);
    is_slow = true;
    start(&a, &bs, "write", 0, 10, 0);
    start(&b, &bs, "zero", 0, 10, 0);
    log_expect("write 0+10 zero 0+10");
    start(&t, &bs, "truncate", 0, 5, 0); /* the end moves: alone behind it */
    log_expect("write 0+10 zero 0+10");
    answer(0, 0);
    answer(1, 0);
    log_expect("write 0+10 zero 0+10 truncate 5+0");
    start(&late, &bs, "write", 5, 1, 0);
    log_expect("write 0+10 zero 0+10 truncate 5+0");
    answer(2, 0);
    log_expect("write 0+10 zero 0+10 truncate 5+0 write 5+1");
    answer(3, 0);
    g_assert_cmpint(late.ret, ==, 0);
    g_assert_cmpint(bdrv_length(&bs), ==, 6);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/layers/pieces", test_pieces);
    loops_add("/layers/fallback", test_fallback);
    loops_add("/layers/refused", test_refused);
    loops_add("/layers/length", test_length);
    loops_add("/layers/flush", test_flush);
    loops_add("/layers/flushes", test_flushes);
    loops_add("/layers/alone", test_alone);
    loops_add("/layers/side-by-side", test_side_by_side);
    return g_test_run();
}
