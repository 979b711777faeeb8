/* SPDX-License-Identifier: MIT */
/*
 * test-block.c - reading images through blk_*, in every way there is
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/atomics.h"
#include "ct/block.h"
#include "image.h"
#include "loops.h"

static BlockBackend *open_image(struct loop *loop, const struct image *image,
                                const BlockOptions *options, char **ret_name)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    *ret_name = image_save(image, image->file->len);
    blk = blk_new_open(*ret_name, options, loop->ctx, &error);
    g_assert_no_error(error);
    g_assert_nonnull(blk);
    return blk;
}

static void expect_data(const struct image *image, const uint8_t *data,
                        uint64_t offset, uint64_t bytes)
{
    g_autofree uint8_t *expected = g_malloc(image->cluster_bytes);

    while (bytes > 0) {
        uint64_t rest = image->cluster_bytes - offset % image->cluster_bytes;
        uint64_t n = MIN(bytes, rest);

        memset(expected, image_expected(image, offset), n);
        g_assert_cmpmem(data, n, expected, n);
        data += n;
        offset += n;
        bytes -= n;
    }
}

static void expect_read(BlockBackend *blk, const struct image *image,
                        uint64_t offset, uint64_t bytes)
{
    g_autofree uint8_t *data = g_malloc(bytes + 1);

    memset(data, 0xab, bytes + 1);
    g_assert_cmpint(blk_pread(blk, (int64_t)offset, (int64_t)bytes, data), ==,
                    0);
    expect_data(image, data, offset, bytes);
    g_assert_cmpint(data[bytes], ==, 0xab);
}

/* Allocated, apart and together, zeroes of all kinds, over several tables. */
static struct image *mixed_image(uint32_t version, uint32_t bits,
                                 uint64_t n_clusters)
{
    uint64_t cluster = UINT64_C(1) << bits;
    struct image *image =
        image_new(version, bits, n_clusters * cluster - cluster / 1024 * 512);

    for (uint64_t n = 0; n < n_clusters; n++) {
        switch (n % 7) {
        case 0:
        case 1:
        case 5:
            image_set(image, n, IMAGE_ALLOCATED);
            break;
        case 2:
            image_skip(image, 1);
            image_set(image, n, IMAGE_ALLOCATED);
            break;
        case 3:
            image_set(image, n, version >= 3 ? IMAGE_ZERO : IMAGE_ALLOCATED);
            break;
        case 6:
            if (version >= 3) {
                image_set(image, n, IMAGE_ZERO_ALLOCATED);
            }
            break;
        }
    }
    return image;
}

static void check_image(struct loop *loop, const struct image *image,
                        const BlockOptions *options)
{
    GRand *rand = g_rand_new_with_seed(7);
    char *name;
    BlockBackend *blk = open_image(loop, image, options, &name);

    g_assert_cmpint(blk_length(blk), ==, (int64_t)image->size);
    g_assert_cmpstr(blk_format(blk), ==, "qcow2");
    expect_read(blk, image, 0, image->size);
    for (int i = 0; i < 20; i++) {
        uint64_t offset = g_rand_int(rand) % image->size;
        uint64_t bytes = g_rand_int(rand) % (image->size - offset + 1);
        expect_read(blk, image, offset, bytes % (2 * image->cluster_bytes));
    }
    g_assert_null(blk_fault(blk));
    blk_unref(blk);
    image_remove(name);
    g_rand_free(rand);
}

static void test_cluster_sizes(struct loop *loop)
{
    static const struct {
        uint32_t bits;
        uint64_t n_clusters;
    } cases[] = {{9, 200}, {12, 60}, {16, 20}, {17, 10}, {21, 8}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (uint32_t version = 2; version <= 3; version++) {
            struct image *image =
                mixed_image(version, cases[i].bits, cases[i].n_clusters);
            check_image(loop, image, NULL);
            image_free(image);
        }
    }
}

/* More tables than the cache has room for. */
static void test_small_cache(struct loop *loop)
{
    BlockOptions options = {.format = "qcow2", .cache_bytes = 1};
    struct image *image = mixed_image(3, 9, 64 * 6);

    check_image(loop, image, &options);
    image_free(image);
}

/* 32768 L1 entries: 256 KiB; the guest's disk is 8 TiB. */
static void test_large_l1(struct loop *loop)
{
    uint64_t last = UINT64_C(1) << (43 - 16);
    struct image *image = image_new(3, 16, UINT64_C(1) << 43);
    char *name;

    image_set(image, 0, IMAGE_ALLOCATED);
    image_set(image, last - 1, IMAGE_ALLOCATED);
    BlockBackend *blk = open_image(loop, image, NULL, &name);
    expect_read(blk, image, 65000, 1000);
    expect_read(blk, image, (last << 16) - 70000, 70000);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

static void test_empty_disk(struct loop *loop)
{
    struct image *image = image_new(3, 16, 0);
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);
    uint8_t byte;

    g_assert_cmpint(blk_length(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 0, &byte), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, -EIO);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

static void test_range(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 10);
    int64_t size = (int64_t)image->size;
    uint8_t data[16];
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    g_assert_cmpint(blk_pread(blk, size - 16, 16, data), ==, 0);
    g_assert_cmpint(blk_pread(blk, size - 15, 16, data), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, size, 0, data), ==, 0);
    g_assert_cmpint(blk_pread(blk, size + 1, 0, data), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, -1, 1, data), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, 0, -1, data), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, INT64_MAX, 1, data), ==, -EIO);
    /* A read that fails so has found nothing wrong with the image. */
    g_assert_null(blk_fault(blk));
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

static void test_raw(struct loop *loop)
{
    BlockOptions options = {.format = "raw", .node_name = "top"};
    struct image *image = mixed_image(3, 9, 20);
    uint64_t bytes = image->file->len;
    g_autofree uint8_t *data = g_malloc(bytes);
    char *name;
    BlockBackend *blk = open_image(loop, image, &options, &name);

    g_assert_cmpstr(blk_format(blk), ==, "raw");
    g_assert_cmpstr(blk_name(blk), ==, "top");
    g_assert_cmpint(blk_length(blk), ==, (int64_t)bytes);
    g_assert_cmpint(blk_pread(blk, 0, (int64_t)bytes, data), ==, 0);
    g_assert_cmpmem(data, bytes, image->file->data, bytes);
    g_assert_cmpint(blk_pread(blk, 1, (int64_t)bytes, data), ==, -EIO);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

/* What has no magic is raw. */
static void test_probe(struct loop *loop)
{
    struct image *image = mixed_image(3, 9, 20);
    g_autofree char *base = NULL, *expected = NULL;
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    base = g_path_get_basename(name);
    expected = g_strdup_printf("qcow2:%s", base);
    g_assert_cmpstr(blk_name(blk), ==, expected);
    blk_unref(blk);
    image_remove(name);

    image_put32(image, 0, 0);
    blk = open_image(loop, image, NULL, &name);
    g_assert_cmpstr(blk_format(blk), ==, "raw");
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

/* --- requests with callbacks --------------------------------------------- */

#define READS 32

struct batch {
    unsigned n_done;
    bool is_inside; /* a call that starts a request has not returned */
};

struct aio_read {
    struct batch *batch;
    IOVector vector;
    uint64_t offset;
    uint8_t *data;
    int ret;
};

static void read_done(void *opaque, int ret)
{
    struct aio_read *read = opaque;

    g_assert_false(read->batch->is_inside);
    g_assert_cmpint(read->ret, ==, 1); /* once */
    read->ret = ret;
    read->batch->n_done++;
}

static void start_read(struct aio_read *read, struct batch *batch,
                       BlockBackend *blk, uint64_t offset, size_t bytes)
{
    *read = (struct aio_read){.batch = batch, .offset = offset, .ret = 1};
    read->data = g_malloc(bytes);
    io_vector_init(&read->vector);
    io_vector_add(&read->vector, read->data, bytes / 3);
    io_vector_add(&read->vector, read->data + bytes / 3, bytes - bytes / 3);
    batch->is_inside = true;
    blk_aio_preadv(blk, (int64_t)offset, &read->vector, read_done, read);
    batch->is_inside = false;
}

static void end_read(struct aio_read *read, const struct image *image)
{
    g_assert_cmpint(read->ret, ==, 0);
    expect_data(image, read->data, read->offset, read->vector.bytes);
    g_free(read->data);
    io_vector_fini(&read->vector);
}

static void test_aio(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 64);
    struct aio_read reads[READS];
    struct batch batch = {0};
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    for (size_t i = 0; i < READS; i++) {
        start_read(&reads[i], &batch, blk, i * 8000, 9000 + i);
    }
    g_assert_cmpuint(blk_in_flight(blk), ==, READS);
    loop_until(loop, batch.n_done == READS);
    g_assert_cmpuint(blk_in_flight(blk), ==, 0);
    for (size_t i = 0; i < READS; i++) {
        end_read(&reads[i], image);
    }
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

/* Needs no I/O, so it ends before the call returns; the callback still waits.
 */
static void test_aio_at_once(struct loop *loop)
{
    struct image *image = image_new(3, 12, 65536);
    struct aio_read read;
    struct batch batch = {0};
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    start_read(&read, &batch, blk, 0, 65536);
    g_assert_cmpuint(batch.n_done, ==, 0);
    g_assert_cmpuint(blk_in_flight(blk), ==, 1);
    loop_until(loop, batch.n_done == 1);
    end_read(&read, image);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

static void test_aio_error(struct loop *loop)
{
    struct image *image = image_new(3, 12, 65536);
    struct aio_read read;
    struct batch batch = {0};
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    start_read(&read, &batch, blk, 65530, 100);
    loop_until(loop, batch.n_done == 1);
    g_assert_cmpint(read.ret, ==, -EIO);
    g_free(read.data);
    io_vector_fini(&read.vector);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

/* Closing waits for requests and their callbacks. */
static void test_close_waits(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 64);
    struct aio_read reads[READS];
    struct batch batch = {0};
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    for (size_t i = 0; i < READS; i++) {
        start_read(&reads[i], &batch, blk, i * 8000, 9000 + i);
    }
    blk_unref(blk);
    g_assert_cmpuint(batch.n_done, ==, READS);
    for (size_t i = 0; i < READS; i++) {
        end_read(&reads[i], image);
    }
    image_remove(name);
    image_free(image);
}

static void flush_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    log_add("flushed");
}

static void test_flush(struct loop *loop)
{
    struct image *image = image_new(3, 12, 65536);
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);

    blk_aio_flush(blk, flush_done, NULL);
    log_expect("");
    blk_drain(blk);
    log_expect("flushed");
    g_assert_cmpint(blk_flush(blk), ==, 0);
    blk_unref(blk);
    image_remove(name);
    image_free(image);
}

/* --- in coroutines ------------------------------------------------------- */

struct user {
    struct loop *loop;
    const struct image *image;
    const char *name;
    BlockBackend *blk;
    struct aio_read reads[READS];
    struct batch batch;
    bool is_done;
};

/* Opens, reads, starts reads, waits for them, closes: all in one coroutine. */
static void coroutine_fn user_entry(void *opaque)
{
    struct user *user = opaque;
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_new_open(user->name, NULL, user->loop->ctx, &error);

    g_assert_no_error(error);
    expect_read(blk, user->image, 5, 100000);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    for (size_t i = 0; i < READS; i++) {
        start_read(&user->reads[i], &user->batch, blk, i * 8000, 9000 + i);
    }
    g_assert_cmpuint(user->batch.n_done, ==, 0);
    blk_drain(blk);
    g_assert_cmpuint(user->batch.n_done, ==, READS);
    blk_unref(blk);
    user->is_done = true;
}

static void test_coroutine(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 64);
    struct user user = {.loop = loop, .image = image};
    char *name = image_save(image, image->file->len);

    user.name = name;
    aio_co_enter(loop->ctx, coroutine_create(user_entry, &user));
    loop_until(loop, user.is_done);
    for (size_t i = 0; i < READS; i++) {
        end_read(&user.reads[i], image);
    }
    image_remove(name);
    image_free(image);
}

static void coroutine_fn drain_entry(void *opaque)
{
    struct user *user = opaque;

    blk_drain(user->blk);
    g_assert_cmpuint(user->batch.n_done, ==, READS);
    log_add("drained");
}

/* Two coroutines wait for the same requests. */
static void test_drain_twice(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 64);
    struct user user = {.loop = loop};
    char *name;

    user.blk = open_image(loop, image, NULL, &name);
    for (size_t i = 0; i < READS; i++) {
        start_read(&user.reads[i], &user.batch, user.blk, i * 8000, 9000 + i);
    }
    aio_co_enter(loop->ctx, coroutine_create(drain_entry, &user));
    aio_co_enter(loop->ctx, coroutine_create(drain_entry, &user));
    log_expect("");
    loop_until(loop, user.batch.n_done == READS);
    loop_drain(loop);
    log_expect("drained drained");
    for (size_t i = 0; i < READS; i++) {
        end_read(&user.reads[i], image);
    }
    blk_unref(user.blk);
    image_remove(name);
    image_free(image);
}

/* --- in another thread --------------------------------------------------- */

struct far_read {
    IOVector vector;
    AioContext *ctx;
    unsigned *n_done; /* atomic */
};

static void far_read_done(void *opaque, int ret)
{
    struct far_read *read = opaque;

    g_assert_cmpint(ret, ==, 0);
    g_assert_true(in_aio_context_home_thread(read->ctx));
    ct_fetch_add(read->n_done, 1);
    aio_wait_kick();
}

static void test_iothread(struct loop *loop)
{
    struct image *image = mixed_image(3, 12, 64);
    IOThread *iothread = iothread_new("io", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);
    struct far_read reads[READS];
    unsigned n_done = 0;
    char *name;
    BlockBackend *blk = open_image(loop, image, NULL, &name);
    g_autofree uint8_t *data = g_malloc(READS * 8000);

    blk_set_aio_context(blk, ctx);
    expect_read(blk, image, 0, image->size);
    for (size_t i = 0; i < READS; i++) {
        reads[i] = (struct far_read){.ctx = ctx, .n_done = &n_done};
        io_vector_init(&reads[i].vector);
        io_vector_add(&reads[i].vector, data + i * 8000, 8000);
        blk_aio_preadv(blk, (int64_t)i * 8000, &reads[i].vector, far_read_done,
                       &reads[i]);
    }
    AIO_WAIT_WHILE(ctx, ct_load_acquire(&n_done) < READS);
    expect_data(image, data, 0, READS * 8000);
    for (size_t i = 0; i < READS; i++) {
        io_vector_fini(&reads[i].vector);
    }
    blk_unref(blk);
    iothread_free(iothread);
    image_remove(name);
    image_free(image);
}

/* --- vectors ------------------------------------------------------------- */

static void test_vector(void)
{
    char a[] = "aaaa", b[] = "bbb", c[] = "cc";
    IOVector v, part;

    io_vector_init(&v);
    io_vector_add(&v, a, 4);
    io_vector_add(&v, b, 0);
    io_vector_add(&v, b, 3);
    io_vector_add(&v, c, 2);
    g_assert_cmpuint(v.bytes, ==, 9);

    io_vector_init(&part);
    io_vector_add_part(&part, &v, 3, 5);
    g_assert_cmpint(part.niov, ==, 3);
    g_assert_cmpuint(part.bytes, ==, 5);
    g_assert_true(part.iov[0].iov_base == a + 3);
    g_assert_cmpuint(part.iov[0].iov_len, ==, 1);
    g_assert_cmpuint(part.iov[1].iov_len, ==, 3);
    g_assert_cmpuint(part.iov[2].iov_len, ==, 1);

    io_vector_memset(&part, 1, 'x', 4);
    g_assert_cmpstr(a, ==, "aaaa");
    g_assert_cmpstr(b, ==, "xxx");
    g_assert_cmpstr(c, ==, "xc");
    io_vector_memset(&v, 9, 'y', 0);

    io_vector_fini(&part);
    io_vector_add_part(&part, &v, 9, 0);
    g_assert_cmpint(part.niov, ==, 0);
    io_vector_fini(&part);
    io_vector_fini(&v);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/vector", test_vector);
    loops_add("/block/cluster-sizes", test_cluster_sizes);
    loops_add("/block/small-cache", test_small_cache);
    loops_add("/block/large-l1", test_large_l1);
    loops_add("/block/empty-disk", test_empty_disk);
    loops_add("/block/range", test_range);
    loops_add("/block/raw", test_raw);
    loops_add("/block/probe", test_probe);
    loops_add("/block/aio", test_aio);
    loops_add("/block/aio-at-once", test_aio_at_once);
    loops_add("/block/aio-error", test_aio_error);
    loops_add("/block/close-waits", test_close_waits);
    loops_add("/block/flush", test_flush);
    loops_add("/block/coroutine", test_coroutine);
    loops_add("/block/drain-twice", test_drain_twice);
    loops_add("/block/iothread", test_iothread);
    return g_test_run();
}
