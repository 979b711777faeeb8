/* SPDX-License-Identifier: MIT */
/*
 * conds-block.c - what users of the block layer, and its own rooms, must keep
 */
#include <stdlib.h>
#include <unistd.h>

#include "block/drivers/qcow2/cache.h"
#include "block/backend.h"
#include "block/graph.h"
#include "conds-runtime.h"
#include "engine/engine.h"

#define IMAGE_BYTES 4096

/* An image that has no name any more: there is nothing to remove. */
static BlockBackend *new_image(void)
{
    const BlockOptions options = {.format = "raw"};
    char name[] = "/tmp/cotrace-conds-XXXXXX";
    int fd = mkstemp(name);

    g_assert_cmpint(ftruncate(fd, IMAGE_BYTES), ==, 0);
    BlockBackend *blk = blk_new_open(name, &options, conds_ctx, NULL);
    close(fd);
    unlink(name);
    g_assert_nonnull(blk);
    return blk;
}

static BlockDriverState *new_node(void)
{
    static const BlockDriver driver = {.format_name = "none"};
    BlockDriverState *bs = g_new0(BlockDriverState, 1);

    bs->drv = &driver;
    bdrv_init(bs);
    return bs;
}

/* --- backends and the graph ---------------------------------------------- */

static void move_although(void)
{
    BlockBackend *blk = new_image();

    (void)blk_new_beside(blk);
    blk_set_aio_context(blk, aio_context_new("other", NULL));
}

static void inactivate_although(void)
{
    BlockBackend *blk = new_image();

    (void)blk_new_beside(blk);
    (void)blk_inactivate(blk);
}

static void end_no_section(void)
{
    blk_drained_end(new_image());
}

static void end_no_section_of_all(void)
{
    blk_drain_all_end();
}

static void read_graph(void)
{
    bdrv_graph_co_rdlock();
}

static void write_graph(void)
{
    bdrv_graph_wrlock();
}

static void write_graph_without_context(void)
{
    aio_context_set_current(NULL);
    bdrv_graph_wrlock();
}

static void end_no_writing(void)
{
    bdrv_graph_wrunlock();
}

static void end_no_reading(void)
{
    bdrv_graph_co_rdunlock();
}

/* By a way of its own, past the backend. */
static void read_past_the_lock(void)
{
    BlockBackend *blk = new_image();

    (void)bdrv_co_flush(blk->root);
}

static void close_while_in_flight(void)
{
    BlockDriverState *bs = new_node();

    bdrv_co_begin(bs);
    bdrv_close(bs);
}

static void close_below_a_parent(void)
{
    static const struct bdrv_parent_ops ops;
    static struct bdrv_edge edge;
    BlockDriverState *bs = new_node();

    bdrv_attach(&edge, &ops, &edge, bs);
    bdrv_close(bs);
}

/* --- vectors ------------------------------------------------------------- */

static void outside_a_vector(void)
{
    char data[8];
    struct iovec iov = {data, sizeof(data)};
    const IOVector vector = {.iov = &iov, .niov = 1, .bytes = sizeof(data)};

    io_vector_from_buf(&vector, 5, "four", 4);
}

/* --- engines ------------------------------------------------------------- */

static void coroutine_fn submit_entry(void *opaque)
{
    static char data[512];
    static struct iovec iov = {data, sizeof(data)};
    const struct engine *engine = opaque;
    struct engine_io io = {.fd = STDIN_FILENO,
                           .op = ENGINE_READ,
                           .bytes = sizeof(data),
                           .iov = &iov,
                           .niov = 1};

    (void)engine->co_submit(&io);
}

/* The context goes while a request waits in it to be submitted. */
static void free_engine(void)
{
    const struct engine *engine = &ct_engine_io_uring;

    if (engine->probe() < 0) {
        engine = &ct_engine_native;
    }
    coroutine_enter(coroutine_create(submit_entry, (void *)engine));
    aio_context_set_current(NULL);
    aio_context_unref(conds_ctx);
}

/* --- tables in memory ---------------------------------------------------- */

static struct qcow2_cache *new_cache(void)
{
    return qcow2_cache_new(NULL, 512, 1, NULL, NULL);
}

static void get_too_many(void)
{
    struct qcow2_cache *cache = new_cache();
    struct qcow2_piece *piece;

    for (uint64_t i = 1; i <= 5; i++) {
        (void)qcow2_cache_get_empty(cache, i * 512, &piece);
    }
}

static void put_twice(void)
{
    struct qcow2_cache *cache = new_cache();
    struct qcow2_piece *piece;

    (void)qcow2_cache_get_empty(cache, 512, &piece);
    qcow2_cache_put(cache, piece);
    qcow2_cache_put(cache, piece);
}

static void discard_in_use(void)
{
    struct qcow2_cache *cache = new_cache();
    struct qcow2_piece *piece;

    (void)qcow2_cache_get_empty(cache, 512, &piece);
    qcow2_cache_discard(cache, 0, 4096);
}

static void drop_in_use(void)
{
    struct qcow2_cache *cache = new_cache();
    struct qcow2_piece *piece;

    (void)qcow2_cache_get_empty(cache, 512, &piece);
    qcow2_cache_entry_mark_dirty(cache, piece);
    qcow2_cache_drop(cache);
}

static const struct cond conds[] = {
    {"blk-inactivate/last", inactivate_although, OUTSIDE},
    {"blk-set-aio-context/others-stay", move_although, OUTSIDE},
    {"bdrv-drained-end/begun", end_no_section, OUTSIDE},
    {"bdrv-drain-all-end/begun", end_no_section_of_all, OUTSIDE},
    {"bdrv-graph-rdlock/context", read_graph, OUTSIDE},
    {"bdrv-graph-wrlock/in-coroutine", write_graph, IN_COROUTINE},
    {"bdrv-graph-wrlock/context", write_graph_without_context, OUTSIDE},
    {"bdrv-graph-wrunlock/held", end_no_writing, OUTSIDE},
    {"bdrv-graph-rdunlock/held", end_no_reading, IN_COROUTINE},
    {"bdrv-graph/readable", read_past_the_lock, IN_COROUTINE},
    {"bdrv-graph/writer", bdrv_graph_assert_writer, OUTSIDE},
    {"bdrv-close/drained", close_while_in_flight, IN_COROUTINE},
    {"bdrv-close/parents", close_below_a_parent, OUTSIDE},
    {"io-vector/inside", outside_a_vector, OUTSIDE},
    {"engine-free/in-flight", free_engine, OUTSIDE},
    {"qcow2-cache-get/places", get_too_many, IN_COROUTINE},
    {"qcow2-cache-put/got", put_twice, IN_COROUTINE},
    {"qcow2-cache-discard/unused", discard_in_use, IN_COROUTINE},
    {"qcow2-cache-drop/unused", drop_in_use, IN_COROUTINE},
};

int main(int argc, char **argv)
{
    return conds_main(argc, argv, conds, G_N_ELEMENTS(conds));
}
