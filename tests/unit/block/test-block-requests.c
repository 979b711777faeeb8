/* SPDX-License-Identifier: MIT */
/*
 * test-block-requests.c - what traces are told of requests: when each begins
 * and ends, who serves it, whose child it is
 *
 * Requests and coroutines are numbered by their first appearance; the log is
 * the story that a trace would tell.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct/emit.h"  /* the fake one */
#include "ct/kinds.h" /* likewise */

#include "request/tracked.h"
#include "ct/block.h"
#include "ct/traced.h"
#include "gate.h"
#include "image.h"
#include "loops.h"

/* --- what is told -------------------------------------------------------- */

static GPtrArray *known; /* ids, in the order of their appearance */
static struct ct_teller *teller;

/* 0: none; 1, 2 ... requests and coroutines alike */
static guint number(uint64_t id)
{
    gpointer key = (gpointer)(uintptr_t)id;
    guint at;

    if (id == 0) {
        return 0;
    }
    if (!g_ptr_array_find(known, key, &at)) {
        at = known->len;
        g_ptr_array_add(known, key);
    }
    return at + 1;
}

void fake_begin(uint64_t id, uint64_t parent, uint64_t co, const char *layer,
                const char *op, const char *node, int64_t offset, int64_t bytes)
{
    g_autofree char *format = g_strndup(node, strcspn(node, ":"));
    guint n = number(id), of = number(parent), by = number(co);

    log_add("%u=%s-%s(%s,%d+%d,of:%u,by:%u)", n, layer, op, format, (int)offset,
            (int)bytes, of, by);
}

uint32_t fake_kind;

void fake_open(uint64_t id, uint64_t parent, uint64_t co, uint32_t kind,
               int64_t offset, int64_t bytes)
{
    guint n = number(id), of = number(parent), by = number(co);

    g_assert_cmpuint(kind, ==, fake_kind);
    log_add("%u=kind%u(%d+%d,of:%u,by:%u)", n, kind, (int)offset, (int)bytes,
            of, by);
}

void fake_coroutine(uint64_t id, uint64_t co)
{
    guint n = number(id), by = number(co);

    log_add("%u.by(%u)", n, by);
}

bool fake_joins;

void fake_start(uint64_t id, uint64_t ctx, uint64_t co, CoroutineEntry *entry,
                uint64_t waker, enum ct_wake_how how)
{
    static const char *const hows[] = {"entered", "queued", "scheduled"};
    guint n = number(id), by = number(co), from = number(waker);

    g_assert_cmpuint(ctx, !=, 0);
    g_assert_nonnull(entry);
    log_add("%u.start(%u,%s,of:%u)", n, by, hows[how], from);
}

void fake_end(uint64_t id, int ret)
{
    log_add("%u.end(%d)", number(id), ret);
}

/* The request whose telling waits, see test_fork(). */
static uint64_t held_up;
static struct gate in_telling;

void fake_state(uint64_t telling, uint64_t id, uint64_t parent, uint64_t co,
                const char *layer, const char *op, const char *node,
                int64_t offset, int64_t bytes, int64_t since_ns)
{
    if (id == held_up) {
        gate_pass(&in_telling);
    }
    guint n = number(id), of = number(parent), by = number(co);

    g_assert_cmpint(since_ns, >, 0);
    g_assert_cmpint(since_ns, <=, g_get_monotonic_time() * 1000 + 1000);
    log_add("[%u: %u=%s-%s(%d+%d,of:%u,by:%u)]", (guint)telling, n, layer, op,
            (int)offset, (int)bytes, of, by);
}

void fake_register(struct ct_teller *given)
{
    g_assert_null(teller);
    teller = given;
}

/* --- an image ------------------------------------------------------------ */

/* 4 KiB clusters: 0 and 1 together, 2 zero, 3 elsewhere, then nothing. */
struct disk {
    struct image *image;
    char *name;
    BlockBackend *blk;
};

static void disk_open(struct disk *disk, struct loop *loop)
{
    BlockOptions options = {.format = "qcow2"};

    disk->image = image_new(3, 12, 16 * 4096);
    image_set(disk->image, 0, IMAGE_ALLOCATED);
    image_set(disk->image, 1, IMAGE_ALLOCATED);
    image_set(disk->image, 2, IMAGE_ZERO);
    image_skip(disk->image, 3);
    image_set(disk->image, 3, IMAGE_ALLOCATED);
    disk->name = image_save(disk->image, disk->image->file->len);
    disk->blk = blk_new_open(disk->name, &options, loop->ctx, NULL);
    g_assert_nonnull(disk->blk);
    log_clear();
    g_ptr_array_set_size(known, 0);
}

static void disk_close(struct disk *disk)
{
    blk_unref(disk->blk);
    image_remove(disk->name);
    image_free(disk->image);
}

/* --- cases --------------------------------------------------------------- */

/* Opening asks the file for the header, then for the L1 table. */
static void test_open(struct loop *loop)
{
    struct disk disk;
    BlockOptions options = {.format = "qcow2"};

    disk_open(&disk, loop);
    blk_unref(disk.blk);
    disk.blk = blk_new_open(disk.name, &options, loop->ctx, NULL);
    log_expect("1=bdrv-read(file,0+112,of:0,by:2) 1.end(0) "
               "3=bdrv-read(file,12288+8,of:0,by:2) 3.end(0)");
    disk_close(&disk);
}

/* Begins before its coroutine exists; the L2 table is a child, once. */
static void test_pread(struct loop *loop)
{
    struct disk disk;
    uint8_t data[4096];

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 100, 4096, data), ==, 0);
    log_expect("1=blk-read(qcow2,100+4096,of:0,by:0) 1.by(2) "
               "3=bdrv-read(qcow2,100+4096,of:1,by:2) "
               "4=bdrv-read(file,16384+4096,of:3,by:2) 4.end(0) "
               "5=bdrv-read(file,20580+4096,of:3,by:2) 5.end(0) "
               "3.end(0) 1.end(0)");
    log_clear();
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, data), ==, 0);
    log_expect("6=blk-read(qcow2,0+1,of:0,by:0) 6.by(7) "
               "8=bdrv-read(qcow2,0+1,of:6,by:7) "
               "9=bdrv-read(file,20480+1,of:8,by:7) 9.end(0) "
               "8.end(0) 6.end(0)");
    disk_close(&disk);
}

/* A request that is refused has begun, and ends with its error. */
static void test_error(struct loop *loop)
{
    struct disk disk;
    uint8_t data[1];

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 16 * 4096, 1, data), ==, -EIO);
    log_expect("1=blk-read(qcow2,65536+1,of:0,by:0) 1.by(2) 1.end(-5)");
    disk_close(&disk);
}

struct aio {
    IOVector vector;
    uint8_t data[16 * 4096];
    bool is_done;
};

static void aio_done(void *opaque, int ret)
{
    struct aio *aio = opaque;

    aio->is_done = true;
    log_add("callback(%d)", ret);
}

static void aio_start(struct aio *aio, struct disk *disk, int64_t offset,
                      size_t bytes)
{
    aio->is_done = false;
    io_vector_init(&aio->vector);
    io_vector_add(&aio->vector, aio->data, bytes);
    blk_aio_preadv(disk->blk, offset, &aio->vector, aio_done, aio);
    log_add("returned");
}

/* Zeroes need no I/O: over in the call, but for the end and the callback. */
static void test_aio_at_once(struct loop *loop)
{
    struct disk disk;
    struct aio aio;

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, aio.data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    aio_start(&aio, &disk, 2 * 4096, 10);
    loop_until(loop, aio.is_done);
    log_expect("1=blk-read(qcow2,8192+10,of:0,by:0) 1.by(2) "
               "3=bdrv-read(qcow2,8192+10,of:1,by:2) 3.end(0) returned "
               "1.end(0) callback(0)");
    io_vector_fini(&aio.vector);
    disk_close(&disk);
}

struct starter {
    struct disk *disk;
    struct aio aio;
    uint64_t id;
};

static void coroutine_fn starter_entry(void *opaque)
{
    struct starter *starter = opaque;

    starter->id = coroutine_id(coroutine_self());
    aio_start(&starter->aio, starter->disk, 2 * 4096, 10);
    log_add("ends");
}

/* Where a coroutine is made, told to serve and woken by one event. */
static void test_start(struct loop *loop)
{
    struct disk disk;
    struct starter starter = {.disk = &disk};

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, starter.aio.data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    fake_joins = true;
    aio_start(&starter.aio, &disk, 2 * 4096, 10);
    loop_until(loop, starter.aio.is_done);
    log_expect("1=blk-read(qcow2,8192+10,of:0,by:0) 1.start(2,entered,of:0) "
               "3=bdrv-read(qcow2,8192+10,of:1,by:2) 3.end(0) returned "
               "1.end(0) callback(0)");
    io_vector_fini(&starter.aio.vector);

    log_clear();
    g_ptr_array_set_size(known, 0);
    aio_co_enter(loop->ctx, coroutine_create(starter_entry, &starter));
    loop_until(loop, starter.aio.is_done);
    log_expect("1=blk-read(qcow2,8192+10,of:0,by:0) 1.start(2,queued,of:3) "
               "returned ends "
               "4=bdrv-read(qcow2,8192+10,of:1,by:2) 4.end(0) "
               "1.end(0) callback(0)");
    g_assert_cmpuint(number(starter.id), ==, 3);
    io_vector_fini(&starter.aio.vector);

    /* One that has to wait for the end of a drain is made first. */
    log_clear();
    g_ptr_array_set_size(known, 0);
    blk_drained_begin(disk.blk);
    aio_start(&starter.aio, &disk, 2 * 4096, 10);
    log_expect("1=blk-read(qcow2,8192+10,of:0,by:0) 1.by(2) returned");
    log_clear();
    blk_drained_end(disk.blk);
    loop_until(loop, starter.aio.is_done);
    log_expect("3=bdrv-read(qcow2,8192+10,of:1,by:2) 3.end(0) "
               "1.end(0) callback(0)");
    fake_joins = false;
    io_vector_fini(&starter.aio.vector);
    disk_close(&disk);
}

/* Where the three names are told by a number, and nothing else changes. */
static void test_kinds(struct loop *loop)
{
    struct disk disk;
    struct aio aio;

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, aio.data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    fake_kind = 7;
    aio_start(&aio, &disk, 2 * 4096, 10);
    loop_until(loop, aio.is_done);
    log_expect("1=kind7(8192+10,of:0,by:0) 1.by(2) "
               "3=kind7(8192+10,of:1,by:2) 3.end(0) returned "
               "1.end(0) callback(0)");
    fake_kind = 0;
    io_vector_fini(&aio.vector);
    disk_close(&disk);
}

/* Tasks run in coroutines of their own, for the request that started them. */
static void test_tasks(struct loop *loop)
{
    struct disk disk;
    struct aio aio;
    const char *told;

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, aio.data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    aio_start(&aio, &disk, 0, 16 * 4096);
    loop_until(loop, aio.is_done);
    told = log_text();
    g_assert_true(g_str_has_prefix(
        told, "1=blk-read(qcow2,0+65536,of:0,by:0) 1.by(2) "
              "3=bdrv-read(qcow2,0+65536,of:1,by:2) "
              "4=bdrv-read(file,20480+8192,of:3,by:5) "
              "6=bdrv-read(file,40960+4096,of:3,by:7) returned "));
    g_assert_true(g_str_has_suffix(told, "3.end(0) 1.end(0) callback(0)"));
    g_assert_nonnull(strstr(told, " 4.end(0) "));
    g_assert_nonnull(strstr(told, " 6.end(0) "));
    io_vector_fini(&aio.vector);
    disk_close(&disk);
}

struct nested {
    struct disk *disk;
    bool is_done;
};

/* A coroutine that serves a request: what it asks for are children. */
static void coroutine_fn nested_entry(void *opaque)
{
    struct nested *nested = opaque;
    struct tracked_request outer;
    uint8_t data[1];

    g_assert_cmpint(blk_co_flush(nested->disk->blk), ==, 0);
    tracked_request_begin_served(&outer, "blk", "discard", "job:x", 0, 7, 0);
    g_assert_cmpuint(tracked_request_current(), ==, outer.id);
    g_assert_cmpint(blk_pread(nested->disk->blk, 8192, 1, data), ==, 0);
    tracked_request_leave(&outer);
    tracked_request_end(&outer, 7);
    g_assert_cmpuint(tracked_request_current(), ==, 0);
    nested->is_done = true;
}

static void test_nested(struct loop *loop)
{
    struct disk disk;
    struct nested nested = {.disk = &disk};
    uint8_t data[1];

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    aio_co_enter(loop->ctx, coroutine_create(nested_entry, &nested));
    loop_until(loop, nested.is_done);
    log_expect("1=blk-flush(qcow2,0+0,of:0,by:2) "
               "3=bdrv-flush(qcow2,0+0,of:1,by:2) 3.end(0) 1.end(0) "
               "4=blk-discard(job,0+7,of:0,by:2) "
               "5=blk-read(qcow2,8192+1,of:4,by:2) "
               "6=bdrv-read(qcow2,8192+1,of:5,by:2) 6.end(0) 5.end(0) "
               "4.end(7)");
    disk_close(&disk);
}

struct own {
    struct disk *disk;
    CtRequest *request;
    bool is_done;
};

static void coroutine_fn own_entry(void *opaque)
{
    struct own *own = opaque;
    uint8_t data[1];

    ct_request_serve(own->request);
    g_assert_cmpuint(tracked_request_current(), ==,
                     ct_request_id(own->request));
    g_assert_cmpint(blk_pread(own->disk->blk, 8192, 1, data), ==, 0);
    CtRequest *inner = ct_request_begin("http", "HEAD", NULL, 0, 0);
    ct_request_end(inner, -ENOENT);
    ct_request_end(own->request, 200);
    g_assert_cmpuint(tracked_request_current(), ==, 0);
    own->is_done = true;
}

/* A program's own request: begun by a callback, taken over by a coroutine. */
static void test_own(struct loop *loop)
{
    struct disk disk;
    struct own own = {.disk = &disk};
    char object[] = "index";
    uint8_t data[1];

    disk_open(&disk, loop);
    g_assert_cmpint(blk_pread(disk.blk, 0, 1, data), ==, 0);
    log_clear();
    g_ptr_array_set_size(known, 0);
    own.request = ct_request_begin("http", "GET", object, 10, 20);
    object[0] = 'x'; /* it was copied */
    teller->tell(7);
    aio_co_enter(loop->ctx, coroutine_create(own_entry, &own));
    loop_until(loop, own.is_done);
    log_expect("1=http-GET(index,10+20,of:0,by:0) "
               "[7: 1=http-GET(10+20,of:0,by:0)] "
               "1.by(2) "
               "3=blk-read(qcow2,8192+1,of:1,by:2) "
               "4=bdrv-read(qcow2,8192+1,of:3,by:2) 4.end(0) 3.end(0) "
               "5=http-HEAD(,0+0,of:1,by:2) 5.end(-2) "
               "1.end(200)");
    disk_close(&disk);
}

/* One that no coroutine ever serves. */
static void test_own_callbacks(struct loop *loop)
{
    log_clear();
    g_ptr_array_set_size(known, 0);
    CtRequest *request = ct_request_begin("http", "GET", "a", 0, 1);
    aio_poll(loop->ctx, false);
    ct_request_end(request, 0);
    log_expect("1=http-GET(a,0+1,of:0,by:0) 1.end(0)");
}

/* What is open is told again, from another thread's point of view as well. */
static void test_state(struct loop *loop)
{
    struct disk disk;
    struct tracked_request first, second;

    disk_open(&disk, loop);
    tracked_request_begin(&first, "blk", "read", "a:1", 4096, 512, 0);
    tracked_request_begin(&second, "blk", "write", "b:2", 8192, 1, 0);
    log_clear();
    teller->tell(3);
    /* in the order of their shards, which is that of their ids */
    g_assert_nonnull(strstr(log_text(), "[3: 1=blk-read(4096+512,of:0,by:0)]"));
    g_assert_nonnull(strstr(log_text(), "[3: 2=blk-write(8192+1,of:0,by:0)]"));
    tracked_request_end(&first, 0);
    log_clear();
    teller->tell(4);
    log_expect("[4: 2=blk-write(8192+1,of:0,by:0)]");
    tracked_request_end(&second, 0);
    log_clear();
    teller->tell(5);
    log_expect("");
    disk_close(&disk);
}

static void *tell_held_up(void *opaque)
{
    struct tracked_request other;

    tracked_request_begin(&other, "blk", "write", "b:2", 8192, 1, 0);
    teller->tell(6);
    tracked_request_end(&other, 0);
    return NULL;
}

/* Return: 0: all is as it must be */
static int be_child(struct tracked_request *first)
{
    struct tracked_request second;
    int wrong = 0;

    (void)alarm(20); /* rather than waiting for a thread that is gone */
    held_up = 0;
    log_clear();
    teller->tell(7);
    wrong |= strcmp(log_text(), "[7: 1=blk-read(4096+512,of:0,by:0)]") != 0;
    tracked_request_end(first, 0);
    tracked_request_begin(&second, "blk", "read", "c:3", 0, 512, 0);
    log_clear();
    teller->tell(8);
    wrong |= strstr(log_text(), "blk-read(0+512,") == NULL ? 2 : 0;
    tracked_request_end(&second, 0);
    log_clear();
    teller->tell(9);
    wrong |= *log_text() != '\0' ? 4 : 0;
    return wrong;
}

/* While another thread tells: the child has that thread's locks, not it. */
static void test_fork(struct loop *loop)
{
    struct tracked_request first;
    pthread_t thread;
    int status;

    g_ptr_array_set_size(known, 0);
    gate_init(&in_telling);
    tracked_request_begin(&first, "blk", "read", "a:1", 4096, 512, 0);
    held_up = first.id;
    g_assert_cmpint(pthread_create(&thread, NULL, tell_held_up, NULL), ==, 0);
    gate_wait_arrived(&in_telling, 1);
    pid_t child = fork();
    if (child == 0) {
        _exit(be_child(&first));
    }
    gate_open(&in_telling);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
    g_assert_cmpint(status, ==, 0);
    held_up = 0;
    tracked_request_end(&first, 0);
    gate_fini(&in_telling);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    known = g_ptr_array_new();
    loops_add("/requests/open", test_open);
    loops_add("/requests/pread", test_pread);
    loops_add("/requests/error", test_error);
    loops_add("/requests/aio-at-once", test_aio_at_once);
    loops_add("/requests/start", test_start);
    loops_add("/requests/kinds", test_kinds);
    loops_add("/requests/tasks", test_tasks);
    loops_add("/requests/nested", test_nested);
    loops_add("/requests/own", test_own);
    loops_add_poll("/requests/own-callbacks", test_own_callbacks);
    loops_add("/requests/state", test_state);
    loops_add_poll("/requests/fork", test_fork);
    int ret = g_test_run();
    g_ptr_array_unref(known);
    return ret;
}
