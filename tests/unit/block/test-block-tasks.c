/* SPDX-License-Identifier: MIT */
/*
 * test-block-tasks.c - qcow2 over a file that answers when the test says so
 *
 * So every order of answers can be had, and what waits for what can be seen:
 * tasks of one request, requests for one L2 table, errors while others run.
 */
#include <errno.h>

#include "block/drivers/drivers.h"
#include "ct/sync.h"
#include "image.h"
#include "loops.h"

/* --- the file ------------------------------------------------------------ */

struct asked {
    int64_t offset;
    int64_t bytes;
    Coroutine *co; /* NULL: answered */
    int ret;
};

struct slow_file {
    const struct image *image;
    bool is_slow; /* false: answers at once */
    struct asked asked[64];
    int n_asked;
};

static int coroutine_fn slow_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    struct slow_file *file = bs->opaque;
    IOVector part;
    const uint8_t *from = file->image->file->data + offset;
    int ret = 0;

    if (file->is_slow) {
        int n = file->n_asked++;
        g_assert_cmpint(n, <, G_N_ELEMENTS(file->asked));
        file->asked[n] = (struct asked){offset, bytes, coroutine_self(), 0};
        coroutine_yield();
        ret = file->asked[n].ret;
    }
    io_vector_init(&part);
    io_vector_add_part(&part, vector, offset_in, (size_t)bytes);
    for (int i = 0; ret == 0 && i < part.niov; i++) {
        memcpy(part.iov[i].iov_base, from, part.iov[i].iov_len);
        from += part.iov[i].iov_len;
    }
    io_vector_fini(&part);
    return ret;
}

static const BlockDriver slow_driver = {
    .format_name = "slow",
    .co_prw = slow_co_prw,
};

static void answer(struct slow_file *file, int n, int ret)
{
    Coroutine *co = file->asked[n].co;

    g_assert_nonnull(co);
    file->asked[n].co = NULL;
    file->asked[n].ret = ret;
    aio_co_wake(co);
}

static void expect_asked(const struct slow_file *file, int n,
                         const struct image *image, uint64_t cluster)
{
    uint64_t host = image_get64(image, image_l2_entry(image, cluster)) &
                    UINT64_C(0x00fffffffffffe00);

    g_assert_cmpint(n, <, file->n_asked);
    g_assert_cmpint(file->asked[n].offset, ==, (int64_t)host);
}

/* --- the image on it ----------------------------------------------------- */

struct stack {
    struct image *image;
    struct slow_file slow;
    BlockDriverState file;
    BlockDriverState qcow2;
};

static void stack_open(struct stack *stack, struct loop *loop,
                       struct image *image)
{
    g_autoptr(GError) error = NULL;

    *stack = (struct stack){.image = image};
    stack->slow.image = image;
    stack->file = (BlockDriverState){.drv = &slow_driver,
                                     .opaque = &stack->slow,
                                     .node_name = (char *)"file",
                                     .bytes = (int64_t)image->file->len,
                                     .ctx = loop->ctx};
    stack->qcow2 = (BlockDriverState){.drv = &bdrv_qcow2,
                                      .node_name = (char *)"qcow2",
                                      .file = &stack->file,
                                      .ctx = loop->ctx};
    bdrv_init(&stack->file);
    bdrv_init(&stack->qcow2);
    stack->qcow2.opaque = g_malloc0(bdrv_qcow2.instance_bytes);
    bdrv_qcow2.open(&stack->qcow2, &error);
    g_assert_no_error(error);
    stack->slow.is_slow = true;
}

static void stack_close(struct stack *stack)
{
    g_assert_cmpuint(stack->qcow2.in_flight, ==, 0);
    g_assert_cmpuint(stack->file.in_flight, ==, 0);
    bdrv_qcow2.close(&stack->qcow2);
    g_free(stack->qcow2.opaque);
    g_free(stack->qcow2.fault);
    image_free(stack->image);
}

/* --- a request ----------------------------------------------------------- */

struct request {
    struct stack *stack;
    uint64_t offset;
    uint64_t bytes;
    uint8_t *data;
    int ret; /* 1: not over */
};

static void coroutine_fn request_entry(void *opaque)
{
    struct request *r = opaque;

    r->ret = bdrv_pread(&r->stack->qcow2, (int64_t)r->offset, (int64_t)r->bytes,
                        r->data);
}

static void request_start(struct request *r, struct stack *stack,
                          uint64_t cluster, uint64_t n_clusters)
{
    uint64_t cluster_bytes = stack->image->cluster_bytes;

    *r = (struct request){stack, cluster * cluster_bytes,
                          n_clusters * cluster_bytes, NULL, 1};
    r->data = g_malloc(r->bytes);
    aio_co_enter(stack->qcow2.ctx, coroutine_create(request_entry, r));
}

static void request_end(struct request *r, int want)
{
    g_assert_cmpint(r->ret, ==, want);
    for (uint64_t i = 0; want == 0 && i < r->bytes; i++) {
        g_assert_cmpint(r->data[i], ==,
                        image_expected(r->stack->image, r->offset + i));
    }
    g_free(r->data);
}

/* Clusters that never lie together, so that each is a piece of its own. */
static struct image *scattered(uint64_t n)
{
    struct image *image = image_new(3, 12, n * 4096);

    for (uint64_t i = 0; i < n; i++) {
        image_skip(image, 1);
        image_set(image, i, IMAGE_ALLOCATED);
    }
    return image;
}

/* --- cases --------------------------------------------------------------- */

/* One piece: no task; the same coroutine reads table and data. */
static void test_one_piece(struct loop *loop)
{
    struct stack stack;
    struct request r;

    stack_open(&stack, loop, scattered(20));
    request_start(&r, &stack, 7, 1);
    g_assert_cmpint(stack.slow.n_asked, ==, 1); /* the L2 table */
    Coroutine *co = stack.slow.asked[0].co;
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 2);
    expect_asked(&stack.slow, 1, stack.image, 7);
    g_assert_true(stack.slow.asked[1].co == co);
    answer(&stack.slow, 1, 0);
    request_end(&r, 0);
    stack_close(&stack);
}

/* Eight tasks at once, the next as soon as one is over, in any order. */
static void test_eight_at_once(struct loop *loop)
{
    struct stack stack;
    struct request r;

    stack_open(&stack, loop, scattered(20));
    request_start(&r, &stack, 0, 20);
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 1 + 8);
    for (int i = 0; i < 8; i++) {
        expect_asked(&stack.slow, 1 + i, stack.image, (uint64_t)i);
    }
    answer(&stack.slow, 5, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 1 + 9);
    answer(&stack.slow, 9, 0);
    answer(&stack.slow, 1, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 1 + 11);
    for (int i = 20; i >= 1; i--) {
        if (i < stack.slow.n_asked && stack.slow.asked[i].co != NULL) {
            g_assert_cmpint(r.ret, ==, 1);
            answer(&stack.slow, i, 0);
        }
    }
    for (int i = 1; i <= 20; i++) {
        if (stack.slow.asked[i].co != NULL) {
            g_assert_cmpint(r.ret, ==, 1);
            answer(&stack.slow, i, 0);
        }
    }
    g_assert_cmpint(stack.slow.n_asked, ==, 21);
    request_end(&r, 0);
    stack_close(&stack);
}

/* The table is read once; who needs it meanwhile waits for the lock. */
static void test_same_table(struct loop *loop)
{
    struct stack stack;
    struct request r[4];

    stack_open(&stack, loop, scattered(20));
    for (uint64_t i = 0; i < 4; i++) {
        request_start(&r[i], &stack, 3 * i, 1);
    }
    g_assert_cmpint(stack.slow.n_asked, ==, 1);
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 1 + 4);
    for (int i = 3; i >= 0; i--) {
        expect_asked(&stack.slow, 1 + i, stack.image, (uint64_t)(3 * i));
        answer(&stack.slow, 1 + i, 0);
        request_end(&r[i], 0);
    }
    stack_close(&stack);
}

/* A table that could not be read is asked for again by whoever waited. */
static void test_table_fails(struct loop *loop)
{
    struct stack stack;
    struct request r[2];

    stack_open(&stack, loop, scattered(20));
    request_start(&r[0], &stack, 0, 1);
    request_start(&r[1], &stack, 1, 1);
    answer(&stack.slow, 0, -EIO);
    request_end(&r[0], -EIO);
    g_assert_cmpint(stack.slow.n_asked, ==, 2);
    g_assert_cmpint(stack.slow.asked[1].offset, ==, stack.slow.asked[0].offset);
    answer(&stack.slow, 1, 0);
    expect_asked(&stack.slow, 2, stack.image, 1);
    answer(&stack.slow, 2, 0);
    request_end(&r[1], 0);
    stack_close(&stack);
}

/* After an error nothing is started; what runs is waited for. */
static void test_task_fails(struct loop *loop)
{
    struct stack stack;
    struct request r;

    stack_open(&stack, loop, scattered(20));
    request_start(&r, &stack, 0, 20);
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 9);
    answer(&stack.slow, 4, -ENXIO);
    for (int i = 1; i <= 8; i++) {
        if (i != 4) {
            g_assert_cmpint(r.ret, ==, 1);
            answer(&stack.slow, i, i == 6 ? -EIO : 0);
        }
    }
    g_assert_cmpint(stack.slow.n_asked, ==, 9);
    request_end(&r, -ENXIO);
    stack_close(&stack);
}

/* A piece that can't be read stops the rest, and its tasks are waited for. */
static void test_bad_piece(struct loop *loop)
{
    struct image *image = scattered(20);
    struct stack stack;
    struct request r;

    uint64_t at = image_l2_entry(image, 2);
    image_put64(image, at, image_get64(image, at) + 512);
    stack_open(&stack, loop, image);
    request_start(&r, &stack, 0, 20);
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 1 + 2);
    answer(&stack.slow, 1, 0);
    g_assert_cmpint(r.ret, ==, 1);
    answer(&stack.slow, 2, 0);
    request_end(&r, -EIO);
    stack_close(&stack);
}

/* Pieces of zeroes need no task, and one that is left needs none either. */
static void test_zeroes_first(struct loop *loop)
{
    struct image *image = image_new(3, 12, 4 * 4096);
    struct stack stack;
    struct request r;

    image_set(image, 0, IMAGE_ZERO);
    image_set(image, 2, IMAGE_ALLOCATED);
    image_set(image, 3, IMAGE_ALLOCATED);
    stack_open(&stack, loop, image);
    request_start(&r, &stack, 0, 4);
    Coroutine *co = stack.slow.asked[0].co;
    answer(&stack.slow, 0, 0);
    g_assert_cmpint(stack.slow.n_asked, ==, 2);
    g_assert_true(stack.slow.asked[1].co == co);
    g_assert_cmpint(stack.slow.asked[1].bytes, ==, 2 * 4096);
    answer(&stack.slow, 1, 0);
    request_end(&r, 0);
    stack_close(&stack);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/tasks/one-piece", test_one_piece);
    loops_add("/tasks/eight-at-once", test_eight_at_once);
    loops_add("/tasks/same-table", test_same_table);
    loops_add("/tasks/table-fails", test_table_fails);
    loops_add("/tasks/task-fails", test_task_fails);
    loops_add("/tasks/bad-piece", test_bad_piece);
    loops_add("/tasks/zeroes-first", test_zeroes_first);
    return g_test_run();
}
