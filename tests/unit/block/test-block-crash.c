/* SPDX-License-Identifier: MIT */
/*
 * test-block-crash.c - what a power failure leaves of a qcow2 image
 *
 * The image lies on a disk that remembers every write and flush.  After a run
 * of random requests the power fails at many places in that history: what was
 * written before the last flush is there, of what came after it any part, in
 * whatever order.  Of each such disk a checker of its own (it shares nothing
 * with the driver) asks: is every cluster that is referred to counted, and
 * referred to once?  And every sector: does it hold what was flushed, or
 * what was written there later?
 */
#include <errno.h>
#include <string.h>

#include "block/drivers/drivers.h"
#include "ct/sync.h"
#include "image.h"
#include "loops.h"

#define SECTOR  512
#define SECTORS 512 /* of the guest's disk: 256 KiB */
/* Places in a run; all of them with COTRACE_SOAK.  What looks at a disk is this
 * file alone, so a sanitizer learns little from many. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRASHES 40
#else
#define CRASHES 300
#endif
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)

/* --- the disk ------------------------------------------------------------ */

struct op {
    int64_t offset; /* -1: a flush has ended */
    GBytes *data;
    guint begin; /* of a flush: the log then; what is in it is on the disk */
};

struct disk {
    AioContext *ctx;
    GRand *rand;
    GByteArray *start; /* before all of them */
    GByteArray *now;
    GArray *ops;  /* struct op */
    bool is_full; /* now and then; who was refused asks again */
};

/* Others go first, or not, so that requests end in any order. */
static void coroutine_fn dawdle(struct disk *disk)
{
    while (g_rand_int_range(disk->rand, 0, 3) == 0) {
        aio_co_schedule(disk->ctx, coroutine_self());
        coroutine_yield();
    }
}

static void put(GByteArray *bytes, int64_t offset, const uint8_t *data, gsize n)
{
    guint end = (guint)offset + (guint)n;

    if (bytes->len < end) {
        guint old = bytes->len;
        g_byte_array_set_size(bytes, end);
        memset(bytes->data + old, 0, end - old);
    }
    memcpy(bytes->data + offset, data, n);
}

static int coroutine_fn disk_co_prw(BlockDriverState *bs, enum block_op op,
                                    int64_t offset, int64_t bytes,
                                    const IOVector *vector, size_t offset_in)
{
    struct disk *disk = bs->opaque;
    IOVector part;

    io_vector_init(&part);
    io_vector_add_part(&part, vector, offset_in, (size_t)bytes);
    if (op == BLOCK_OP_READ) {
        io_vector_from_buf(vector, offset_in, disk->now->data + offset,
                           (size_t)bytes);
        dawdle(disk);
    } else {
        dawdle(disk);
        if (disk->is_full && g_rand_int_range(disk->rand, 0, 8) == 0) {
            io_vector_fini(&part);
            return -ENOSPC;
        }
        GByteArray *all = g_byte_array_new();
        for (int i = 0; i < part.niov; i++) {
            g_byte_array_append(all, part.iov[i].iov_base,
                                (guint)part.iov[i].iov_len);
        }
        put(disk->now, offset, all->data, all->len);
        struct op done = {offset, g_byte_array_free_to_bytes(all), 0};
        g_array_append_val(disk->ops, done);
    }
    io_vector_fini(&part);
    return 0;
}

static int coroutine_fn disk_co_flush(BlockDriverState *bs)
{
    struct disk *disk = bs->opaque;
    struct op flush = {.offset = -1, .begin = disk->ops->len};

    dawdle(disk);
    g_array_append_val(disk->ops, flush);
    return 0;
}

static const BlockDriver disk_driver = {
    .format_name = "disk",
    .co_prw = disk_co_prw,
    .co_flush_to_disk = disk_co_flush,
};

static void disk_free(struct disk *disk)
{
    for (guint i = 0; i < disk->ops->len; i++) {
        struct op *op = &g_array_index(disk->ops, struct op, i);
        if (op->data != NULL) {
            g_bytes_unref(op->data);
        }
    }
    g_array_free(disk->ops, TRUE);
    g_byte_array_unref(disk->start);
    g_byte_array_unref(disk->now);
    g_rand_free(disk->rand);
}

/* --- the guest ----------------------------------------------------------- */

/* Each value is written once, so a sector says when it was written. */
struct guest {
    struct disk *disk;
    BlockDriverState *bs;
    unsigned values[SECTORS]; /* after the requests that have ended */
    GArray *writes;           /* struct written */
    GArray *flushes;          /* struct flushed */
    unsigned last_value;
    bool is_zero_safe; /* version 3: zeroes and discards as well */
    bool is_done;
};

struct written {
    guint from_op; /* the log when it began */
    unsigned first, n, value;
};

struct flushed {
    guint op; /* the log when it ended */
    unsigned values[SECTORS];
};

struct write_task {
    AioTask task;
    struct guest *guest;
    unsigned first, n, value;
    unsigned zero_flags;
};

static int coroutine_fn write_entry(AioTask *task)
{
    struct write_task *t = (struct write_task *)task;
    size_t bytes = t->n * SECTOR;
    g_autofree uint32_t *data = g_malloc(bytes);
    struct iovec iov = {data, bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = bytes};
    int ret;

    for (size_t i = 0; i < bytes / sizeof(*data); i++) {
        data[i] = t->value;
    }
    do {
        ret = t->value != 0
                  ? bdrv_co_pwritev_part(t->guest->bs, t->first * SECTOR,
                                         (int64_t)bytes, &vector, 0, 0)
                  : bdrv_co_pwrite_zeroes(t->guest->bs, t->first * SECTOR,
                                          (int64_t)bytes, t->zero_flags);
    } while (ret == -ENOSPC && t->guest->disk->is_full);
    g_assert_cmpint(ret, ==, 0);
    return 0;
}

/* Some writes at once, next to one another and apart, never overlapping */
static void coroutine_fn run_batch(struct guest *guest)
{
    GRand *rand = guest->disk->rand;
    AioTaskPool *pool = aio_task_pool_new(4);
    unsigned at = 0;

    while (at < SECTORS) {
        unsigned first = at + (unsigned)g_rand_int_range(rand, 0, 120);
        unsigned n = (unsigned)g_rand_int_range(rand, 1, 30);
        struct write_task *t = g_new0(struct write_task, 1);

        first = MIN(first, SECTORS - 1);
        n = MIN(n, SECTORS - first);
        bool is_zero = guest->is_zero_safe && g_rand_int_range(rand, 0, 4) == 0;
        *t = (struct write_task){
            .task = {.pool = pool, .func = write_entry},
            .guest = guest,
            .first = first,
            .n = n,
            .value = is_zero ? 0 : ++guest->last_value,
            /* without it the cluster stays, and is written to again */
            .zero_flags = g_rand_boolean(rand) ? BDRV_REQ_MAY_UNMAP : 0,
        };
        struct written written = {guest->disk->ops->len, first, n, t->value};
        g_array_append_val(guest->writes, written);
        for (unsigned i = first; i < first + n; i++) {
            guest->values[i] = t->value;
        }
        aio_task_pool_start_task(pool, &t->task);
        at = first + n;
    }
    aio_task_pool_wait_all(pool);
    aio_task_pool_free(pool);
}

static void coroutine_fn guest_entry(void *opaque)
{
    struct guest *guest = opaque;

    for (int i = 0; i < 25; i++) {
        run_batch(guest);
        if (g_rand_int_range(guest->disk->rand, 0, 3) == 0) {
            struct flushed flushed;
            int ret;
            do {
                ret = bdrv_co_flush(guest->bs);
            } while (ret == -ENOSPC && guest->disk->is_full);
            g_assert_cmpint(ret, ==, 0);
            flushed.op = guest->disk->ops->len;
            memcpy(flushed.values, guest->values, sizeof(flushed.values));
            g_array_append_val(guest->flushes, flushed);
        }
    }
    guest->disk->is_full = false; /* closing has one try */
    guest->is_done = true;
}

/* --- after the failure --------------------------------------------------- */

static uint64_t get(const GByteArray *disk, uint64_t at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++, at++) {
        value = value << 8 | (at < disk->len ? disk->data[at] : 0);
    }
    return value;
}

/* What there is when the power fails before the op of that number. */
static GByteArray *disk_at(const struct disk *disk, GRand *rand, guint crash)
{
    GByteArray *bytes = g_byte_array_new();
    guint sure = 0;

    g_byte_array_append(bytes, disk->start->data, disk->start->len);
    for (guint i = 0; i < crash; i++) {
        const struct op *op = &g_array_index(disk->ops, struct op, i);
        if (op->offset < 0) {
            sure = MAX(sure, op->begin);
        }
    }
    for (guint i = 0; i < crash; i++) {
        const struct op *op = &g_array_index(disk->ops, struct op, i);
        if (op->offset >= 0 && (i < sure || g_rand_boolean(rand))) {
            gsize n;
            const uint8_t *data = g_bytes_get_data(op->data, &n);
            put(bytes, op->offset, data, n);
        }
    }
    return bytes;
}

static void refer(GArray *counts, uint64_t offset, uint64_t bytes,
                  uint64_t cluster)
{
    for (uint64_t i = offset / cluster; i * cluster < offset + bytes; i++) {
        g_assert_cmpuint(i, <, counts->len);
        g_array_index(counts, uint16_t, i)++;
    }
}

static unsigned sector_in(const GByteArray *disk, uint64_t host)
{
    uint32_t value;

    g_assert_cmpuint(host + SECTOR, <=, disk->len);
    memcpy(&value, disk->data + host, sizeof(value));
    for (size_t i = 1; i < SECTOR / sizeof(value); i++) {
        g_assert_cmpmem(disk->data + host + i * sizeof(value), sizeof(value),
                        &value, sizeof(value));
    }
    return value;
}

/* Refcounts may be behind; who opens it counts anew. */
static bool is_dirty(const GByteArray *disk)
{
    return get(disk, IMAGE_AT_VERSION, 4) >= 3 &&
           (get(disk, IMAGE_AT_INCOMPATIBLE, 8) & 1) != 0;
}

/* Checks the tables; @values: what each sector holds */
static void check_disk(const GByteArray *disk, unsigned *values)
{
    uint64_t cluster = UINT64_C(1) << get(disk, IMAGE_AT_CLUSTER_BITS, 4);
    uint64_t per_table = cluster / 8;
    uint64_t l1 = get(disk, IMAGE_AT_L1_OFFSET, 8);
    uint64_t n_l1 = get(disk, IMAGE_AT_L1_ENTRIES, 4);
    uint64_t table = get(disk, IMAGE_AT_REFCOUNT_OFFSET, 8);
    uint64_t n_table = get(disk, IMAGE_AT_REFCOUNT_CLUSTERS, 4) * per_table;
    GArray *counts = g_array_new(FALSE, TRUE, sizeof(uint16_t));

    g_array_set_size(counts, (guint)(disk->len / cluster) + 100);
    refer(counts, 0, 1, cluster);
    refer(counts, l1, n_l1 * 8, cluster);
    refer(counts, table, n_table * 8, cluster);
    for (uint64_t i = 0; i < n_table; i++) {
        uint64_t block = get(disk, table + i * 8, 8);
        if (block != 0) {
            refer(counts, block, cluster, cluster);
        }
    }
    memset(values, 0, SECTORS * sizeof(values[0]));
    for (uint64_t i = 0; i < SECTORS * SECTOR / cluster; i++) {
        uint64_t l2 = get(disk, l1 + i / per_table * 8, 8) & OFFSET_MASK;
        uint64_t entry = l2 != 0 ? get(disk, l2 + i % per_table * 8, 8) : 0;
        uint64_t host = entry & OFFSET_MASK;

        if (l2 != 0 && i % per_table == 0) {
            refer(counts, l2, cluster, cluster);
        }
        if (host != 0) {
            refer(counts, host, cluster, cluster);
        }
        for (uint64_t j = 0; j < cluster / SECTOR && host != 0 && !(entry & 1);
             j++) {
            values[i * cluster / SECTOR + j] =
                sector_in(disk, host + j * SECTOR);
        }
    }
    for (guint i = 0; i < counts->len; i++) {
        unsigned count = g_array_index(counts, uint16_t, i);
        uint64_t per_block = cluster / 2;
        uint64_t block = i / per_block < n_table
                             ? get(disk, table + i / per_block * 8, 8)
                             : 0;
        uint64_t refcount =
            block != 0 ? get(disk, block + i % per_block * 2, 2) : 0;

        g_assert_cmpuint(count, <=, 1);
        g_assert_true(refcount >= count || is_dirty(disk));
        g_assert_cmpuint(refcount, <=, 1);
    }
    g_array_free(counts, TRUE);
}

static void check_crash(const struct guest *guest, GRand *rand, guint crash)
{
    GByteArray *disk = disk_at(guest->disk, rand, crash);
    unsigned values[SECTORS];
    guint from = 0;
    const struct flushed *held = NULL;

    check_disk(disk, values);
    for (guint i = 0; i < guest->flushes->len; i++) {
        const struct flushed *f =
            &g_array_index(guest->flushes, struct flushed, i);
        if (f->op <= crash) {
            held = f;
            from = f->op;
        }
    }
    for (unsigned s = 0; s < SECTORS; s++) {
        bool is_good = values[s] == (held != NULL ? held->values[s] : 0);
        for (guint i = 0; i < guest->writes->len && !is_good; i++) {
            const struct written *w =
                &g_array_index(guest->writes, struct written, i);
            is_good = s - w->first < w->n && w->value == values[s] &&
                      w->from_op >= from;
        }
        if (!is_good) {
            g_test_message("crash before op %u: sector %u holds %u", crash, s,
                           values[s]);
        }
        g_assert_true(is_good);
    }
    g_byte_array_unref(disk);
}

/* --- cases --------------------------------------------------------------- */

struct kind {
    uint32_t version;
    uint32_t cluster_bits;
    bool is_lazy; /* lazy refcounts */
    bool is_full; /* the disk, now and then */
};

static GByteArray *empty_image(const struct kind *kind)
{
    struct image *image =
        image_new(kind->version, kind->cluster_bits, SECTORS * SECTOR);
    GByteArray *bytes = g_byte_array_ref(image->file);

    image_count(image);
    if (kind->is_lazy) {
        image_put64(image, IMAGE_AT_COMPATIBLE, 1);
    }
    image_free(image);
    return bytes;
}

static void run(struct loop *loop, const struct kind *kind, guint32 seed)
{
    GByteArray *start = empty_image(kind);
    struct disk disk = {
        .ctx = loop->ctx,
        .rand = g_rand_new_with_seed(seed),
        .start = start,
        .now = g_byte_array_new(),
        .ops = g_array_new(FALSE, FALSE, sizeof(struct op)),
        .is_full = kind->is_full,
    };
    BlockDriverState file = {
        .drv = &disk_driver,
        .opaque = &disk,
        .node_name = (char *)"disk",
        .bytes = start->len,
        .options = {.is_writable = true, .has_discard = true},
        .ctx = loop->ctx,
    };
    BlockDriverState qcow2 = {
        .drv = &bdrv_qcow2,
        .node_name = (char *)"qcow2",
        .file = &file,
        .options = {.is_writable = true, .has_discard = true, .cache_bytes = 1},
        .ctx = loop->ctx,
    };
    struct guest guest = {
        .disk = &disk,
        .bs = &qcow2,
        .writes = g_array_new(FALSE, FALSE, sizeof(struct written)),
        .flushes = g_array_new(FALSE, FALSE, sizeof(struct flushed)),
        .is_zero_safe = kind->version >= 3,
    };
    g_autoptr(GError) error = NULL;

    g_byte_array_append(disk.now, start->data, start->len);
    bdrv_init(&file);
    bdrv_init(&qcow2);
    qcow2.opaque = g_malloc0(bdrv_qcow2.instance_bytes);
    bdrv_qcow2.open(&qcow2, &error);
    g_assert_no_error(error);
    aio_co_enter(loop->ctx, coroutine_create(guest_entry, &guest));
    loop_until(loop, guest.is_done);
    bdrv_qcow2.close(&qcow2);
    g_assert_null(qcow2.fault);

    GRand *rand = g_rand_new_with_seed(seed);
    guint step =
        g_getenv("COTRACE_SOAK") != NULL ? 1 : MAX(1, disk.ops->len / CRASHES);
    for (guint crash = 0; crash <= disk.ops->len; crash += step) {
        check_crash(&guest, rand, crash);
    }
    g_rand_free(rand);
    g_free(qcow2.opaque);
    g_array_free(guest.writes, TRUE);
    g_array_free(guest.flushes, TRUE);
    disk_free(&disk);
}

static void test_crashes(struct loop *loop)
{
    static const struct kind kinds[] = {
        {3, 9, false, false}, {3, 12, false, false}, {2, 10, false, false},
        {3, 10, true, false}, {3, 9, false, true},   {3, 10, true, true}};

    guint32 seeds = g_getenv("COTRACE_SOAK") != NULL ? 6 : 4;

    for (guint32 seed = 0; seed < seeds; seed++) {
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
            run(loop, &kinds[i], seed);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/crash/power-failure", test_crashes);
    return g_test_run();
}
