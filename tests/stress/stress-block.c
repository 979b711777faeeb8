/* SPDX-License-Identifier: MIT */
/*
 * stress-block.c - everything at once, by a seed: iothreads, images that go
 * from context to context, sections, writers of the graph, requests that are
 * checked byte by byte, work items that are cancelled, sleeps that are cut
 * short, time limits that pass
 *
 * Each client is a coroutine with a part of an image of its own, in which it
 * knows every sector; it wanders from context to context.  The main thread
 * meanwhile does what disturbs them.
 *
 * COTRACE_SEED chooses the seed, COTRACE_SOAK=1 makes it ten minutes.
 */
#include <string.h>

#include "base/atomics.h"
#include "ct/sync.h"
#include "disturb.h"
#include "image.h"

#define IMAGES  3
#define CLIENTS 4 /* an image */
#define SECTOR  512
#define SECTORS 256 /* of a client */
#define LONGEST 24
#define ACTIONS 120 /* of the main thread, a round */
#define UNKNOWN 256

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

static BlockBackend *blks[IMAGES];
static char *names[IMAGES];
static struct client clients[IMAGES * CLIENTS];

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
    (void)ct_fetch_add(&stress.requests, 1);
}

static void coroutine_fn client_entry(void *opaque)
{
    struct client *client = opaque;

    while (!ct_load_acquire(&stress.stop)) {
        one_request(client);
        if (g_rand_int_range(client->rand, 0, 16) == 0) {
            aio_co_reschedule_self(stress_any_context(client->rand));
        }
        if (g_rand_int_range(client->rand, 0, 32) == 0) {
            co_sleep_ns(AIO_CLOCK_REALTIME, 20000);
        }
    }
    stress_ended();
}

/* --- a round ------------------------------------------------------------- */

static void make_image(int n, GRand *rand)
{
    static const unsigned cluster_bits[IMAGES] = {0, 12, 16};
    BlockOptions options = {.is_writable = true, .has_discard = true};

    options.format = n == 0 ? "raw" : "qcow2";
    options.engine = stress_any_engine(rand);
    options.is_direct = strcmp(options.engine, "native") == 0;
    names[n] =
        stress_make_image(cluster_bits[n], (int64_t)CLIENTS * SECTORS * SECTOR);
    blks[n] = blk_new_open(names[n], &options, stress.ctxs[0], NULL);
    if (blks[n] == NULL) { /* a kernel that refuses the engine */
        options.engine = "threads";
        options.is_direct = false;
        blks[n] = blk_new_open(names[n], &options, stress.ctxs[0], NULL);
    }
    g_assert_nonnull(blks[n]);
}

static void begin(GRand *rand)
{
    for (int n = 0; n < IMAGES; n++) {
        make_image(n, rand);
    }
    for (int i = 0; i < IMAGES * CLIENTS; i++) {
        struct client *client = &clients[i];

        *client =
            (struct client){.blk = blks[i / CLIENTS],
                            .offset = (int64_t)(i % CLIENTS) * SECTORS * SECTOR,
                            .rand = g_rand_new_with_seed(g_rand_int(rand))};
        stress_start(stress.ctxs[i % STRESS_CONTEXTS], client_entry, client);
    }
}

static void end(void)
{
    stress_stop();
    for (int n = 0; n < IMAGES; n++) {
        g_assert_null(blk_fault(blks[n]));
        blk_unref(blks[n]);
        image_remove(names[n]);
    }
    for (int i = 0; i < IMAGES * CLIENTS; i++) {
        g_rand_free(clients[i].rand);
    }
}

static void run_round(GRand *rand)
{
    begin(rand);
    for (int i = 0; i < ACTIONS; i++) {
        stress_disturb(rand, blks[g_rand_int_range(rand, 0, IMAGES)]);
        (void)aio_poll(stress.ctxs[0], g_rand_boolean(rand));
    }
    end();
}

static void test_stress(void)
{
    stress_rounds(run_round);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/block", test_stress);
    return g_test_run();
}
