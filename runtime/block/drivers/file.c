/* SPDX-License-Identifier: MIT */
/*
 * file.c - the protocol of host files: regular files and block devices
 *
 * Data and flushes are the engine's; what the kernel's queues don't know
 * (zeroes, holes, length, where data lies) runs on a worker of the context's
 * pool, whatever the engine.
 *
 * With O_DIRECT the kernel takes whole blocks only, of the file and of memory.
 * The first is the business of align.h; buffers that are not so go through one
 * that is, a piece at a time.
 *
 * A kernel may report a failed write-back once and forget the pages.  After a
 * flush that failed nothing can be promised any more, so all later ones fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/drivers/drivers.h"
#include "ct/pool.h"
#include "engine/engine.h"

struct raw_state {
    /* immutable once open */
    int fd;
    bool is_device;
    int64_t memory_alignment; /* of buffers; 0: any */
    const struct engine *engine;

    bool has_lost_data; /* home thread: a flush has failed */
};

/* What a worker is asked to do; in the frame of the coroutine that waits. */
struct raw_task {
    const struct raw_state *s;
    int64_t offset;
    int64_t bytes;
    bool may_unmap;
    int64_t ret_bytes; /* of a status */
};

/* --- open ---------------------------------------------------------------- */

/* Return: the length, or -errno with @error set */
static int64_t file_length(int fd, bool *ret_is_device, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return block_error(error, errno, "%s", g_strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return block_error(error, EISDIR, "%s", g_strerror(EISDIR));
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return block_error(error, EINVAL,
                           "neither a regular file nor a block device");
    }
    *ret_is_device = S_ISBLK(st.st_mode);
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return block_error(error, errno, "%s", g_strerror(errno));
    }
    return end;
}

/* A kernel that has not said otherwise may want so much; what is more is not
 * known of any. */
#define ALIGNMENT_MAX 4096
#define ALIGNMENT_MIN 512

/* Does the kernel take the place and length?  Not if it says EINVAL. */
static bool takes(int fd, uint8_t *buf, size_t bytes)
{
    return pread(fd, buf, bytes, 0) >= 0 || errno != EINVAL;
}

/* In bytes; 0: any. */
struct alignment {
    int64_t request; /* of offsets and lengths */
    int64_t memory;  /* of buffers */
};

/*
 * Asks the kernel what it takes.  Where it takes everything, as some file
 * systems do that go through their cache after all, the most is as good.
 */
static int probe_alignment(int fd, struct alignment *ret_alignment,
                           GError **error)
{
    uint8_t *buf;
    void *memory;
    int64_t align = ALIGNMENT_MIN;

    if (posix_memalign(&memory, ALIGNMENT_MAX, 2 * ALIGNMENT_MAX) != 0) {
        return block_error(error, ENOMEM, "%s", g_strerror(ENOMEM));
    }
    buf = memory;
    if (takes(fd, buf, 1)) {
        align = ALIGNMENT_MAX;
    }
    while (align < ALIGNMENT_MAX && !takes(fd, buf, (size_t)align)) {
        align *= 2;
    }
    ret_alignment->request = align;
    align = ALIGNMENT_MIN;
    while (align < ALIGNMENT_MAX && !takes(fd, buf + align, ALIGNMENT_MAX)) {
        align *= 2;
    }
    ret_alignment->memory = align;
    free(memory);
    return 0;
}

static int check_engine(const BlockDriverState *bs, const BlockOptions *options,
                        GError **error)
{
    const struct raw_state *s = bs->opaque;

    if (s->engine == &ct_engine_native && !options->is_direct) {
        return block_error(error, EINVAL,
                           "aio=native was specified, but it requires "
                           "cache.direct=on, which was not specified.");
    }
    int probed = s->engine->probe != NULL ? s->engine->probe() : 0;
    if (probed < 0) {
        return block_error(error, -probed, "unable to use engine '%s': %s",
                           s->engine->name, g_strerror(-probed));
    }
    return 0;
}

/* Return: the file, or -errno with @error set */
static int open_file(BlockDriverState *bs, const BlockOptions *options,
                     GError **error)
{
    int mode = options->is_writable ? O_RDWR : O_RDONLY;
    int ret = check_engine(bs, options, error);

    if (ret < 0) {
        return ret;
    }
    if (options->is_direct) {
        mode |= O_DIRECT;
    }
    /* A FIFO must not block us before we can refuse it. */
    int fd = open(bs->filename, mode | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EINVAL && options->is_direct) {
        return block_error(error, EINVAL,
                           "filesystem does not support O_DIRECT");
    }
    return fd < 0 ? block_error(error, errno, "%s", g_strerror(errno)) : fd;
}

/* What is told of a file that is open; Return: 0, or -errno: it is closed */
static int take_file(BlockDriverState *bs, int fd, const BlockOptions *options,
                     GError **error)
{
    struct raw_state *s = bs->opaque;
    struct alignment alignment = {0};
    bool is_device = false;
    int64_t length = file_length(fd, &is_device, error);
    int ret = (int)MIN(length, 0);

    if (ret >= 0 && options->is_direct) {
        ret = probe_alignment(fd, &alignment, error);
    }
    if (ret < 0) {
        close(fd);
        return ret;
    }
    bs->request_alignment = alignment.request;
    s->memory_alignment = alignment.memory;
    s->is_device = is_device;
    /* Else io_uring gives up where it would have to wait for the disk. */
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    bdrv_set_length(bs, length);
    s->fd = fd;
    return 0;
}

static int raw_file_open(BlockDriverState *bs, GError **error)
{
    struct raw_state *s = bs->opaque;

    s->engine = ct_engine_find(bs->options.engine);
    if (s->engine == NULL) {
        return block_error(error, EINVAL, "unknown engine '%s'",
                           bs->options.engine);
    }
    int fd = open_file(bs, &bs->options, error);
    return fd < 0 ? fd : take_file(bs, fd, &bs->options, error);
}

static int raw_file_reopen(BlockDriverState *bs, const BlockOptions *options,
                           GError **error)
{
    struct raw_state *s = bs->opaque;
    int old = s->fd;
    int fd = open_file(bs, options, error);
    int ret = fd < 0 ? fd : take_file(bs, fd, options, error);

    if (ret >= 0) {
        close(old);
    }
    return ret;
}

static void raw_close(BlockDriverState *bs)
{
    struct raw_state *s = bs->opaque;

    close(s->fd);
}

/* --- data ---------------------------------------------------------------- */

static int coroutine_fn raw_co_prw(BlockDriverState *bs, enum block_op op,
                                   int64_t offset, int64_t bytes,
                                   const IOVector *vector, size_t offset_in);

/*
 * The kernel wants buffers to begin where its memory alignment says, and to be
 * whole blocks long: these are two sizes, and either may be the larger one.
 * What raw_co_bounce() makes of a node's whole blocks is always so.
 */
static bool is_memory_aligned(const BlockDriverState *bs,
                              const IOVector *vector)
{
    const struct raw_state *s = bs->opaque;
    uintptr_t bases = 0;
    size_t lengths = 0;

    for (int i = 0; i < vector->niov; i++) {
        bases |= (uintptr_t)vector->iov[i].iov_base;
        lengths |= vector->iov[i].iov_len;
    }
    return s->memory_alignment == 0 ||
           (bases % (uintptr_t)s->memory_alignment == 0 &&
            lengths % (size_t)bs->request_alignment == 0);
}

#define BOUNCE_BYTES_MAX (1024 * 1024)

/* Through a buffer that the kernel takes. */
static int coroutine_fn raw_co_bounce(BlockDriverState *bs, enum block_op op,
                                      int64_t offset, const IOVector *vector)
{
    size_t size = MIN(vector->bytes, BOUNCE_BYTES_MAX);
    void *buf;
    int ret = 0;

    if (posix_memalign(&buf, ALIGNMENT_MAX, size) != 0) {
        return -ENOMEM;
    }
    for (size_t done = 0; ret >= 0 && done < vector->bytes; done += size) {
        size = MIN(size, vector->bytes - done);
        struct iovec iov = {buf, size};
        IOVector bounce = {.iov = &iov, .niov = 1, .bytes = size};

        if (op == BLOCK_OP_WRITE) {
            io_vector_to_buf(vector, done, buf, size);
        }
        ret = raw_co_prw(bs, op, offset + (int64_t)done, (int64_t)size, &bounce,
                         0);
        if (ret >= 0 && op == BLOCK_OP_READ) {
            io_vector_from_buf(vector, done, buf, size);
        }
    }
    free(buf);
    return ret;
}

static int coroutine_fn raw_co_prw(BlockDriverState *bs, enum block_op op,
                                   int64_t offset, int64_t bytes,
                                   const IOVector *vector, size_t offset_in)
{
    struct raw_state *s = bs->opaque;
    IOVector part;
    int ret;

    io_vector_init(&part);
    io_vector_add_part(&part, vector, offset_in, (size_t)bytes);
    if (is_memory_aligned(bs, &part)) {
        struct engine_io io = {
            .fd = s->fd,
            .op = op == BLOCK_OP_WRITE ? ENGINE_WRITE : ENGINE_READ,
            .offset = offset,
            .bytes = bytes,
            .iov = part.iov,
            .niov = part.niov,
            .block_bytes = bs->request_alignment,
        };
        ret = s->engine->co_submit(&io);
    } else {
        ret = raw_co_bounce(bs, op, offset, &part);
    }
    io_vector_fini(&part);
    return ret;
}

static int coroutine_fn raw_co_flush_to_disk(BlockDriverState *bs)
{
    struct raw_state *s = bs->opaque;
    struct engine_io io = {.fd = s->fd, .op = ENGINE_FLUSH};

    if (s->has_lost_data) {
        return -EIO;
    }
    int ret = s->engine->co_submit(&io);
    if (ret < 0) {
        s->has_lost_data = true;
    }
    return ret;
}

/* --- on a worker, whatever the engine ------------------------------------ */

static int coroutine_fn raw_thread_pool_submit(ThreadPoolFunc *func,
                                               struct raw_task *task)
{
    ThreadPool *pool = aio_get_thread_pool(aio_context_current());
    int ret = thread_pool_submit_co(pool, func, task);

    return ret;
}

/* Return: -ENOTSUP for all the ways in which a kernel says that it can't */
static int do_fallocate(int fd, int mode, int64_t offset, int64_t bytes)
{
    int ret;

    do {
        ret = fallocate(fd, mode, offset, bytes) < 0 ? -errno : 0;
    } while (ret == -EINTR);
    if (ret == -ENODEV || ret == -ENOSYS || ret == -EOPNOTSUPP ||
        ret == -ENOTTY) {
        ret = -ENOTSUP;
    }
    return ret;
}

static int punch_hole(int fd, int64_t offset, int64_t bytes)
{
    return do_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                        bytes);
}

/*
 * A hole does not make a file longer, so beyond its end space is taken.
 * Holes read as zeroes also where the file system has no other zeroes.
 */
static int handle_aiocb_write_zeroes(void *opaque)
{
    const struct raw_task *task = opaque;
    int fd = task->s->fd;
    int64_t end = task->offset + task->bytes;
    int ret = -ENOTSUP;
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    bool is_inside = task->s->is_device || end <= st.st_size;
    if (task->may_unmap && is_inside) {
        ret = punch_hole(fd, task->offset, task->bytes);
    }
    if (ret == -ENOTSUP) {
        ret = do_fallocate(fd, FALLOC_FL_ZERO_RANGE, task->offset, task->bytes);
        if (ret == -EINVAL) { /* some want whole blocks of theirs */
            ret = -ENOTSUP;
        }
    }
    if (ret == -ENOTSUP && task->offset >= st.st_size && !task->s->is_device) {
        ret = do_fallocate(fd, 0, task->offset, task->bytes);
    }
    if (ret == -ENOTSUP && is_inside && !task->s->is_device) {
        ret = punch_hole(fd, task->offset, task->bytes);
        if (ret == 0) {
            ret = do_fallocate(fd, 0, task->offset, task->bytes);
        }
    }
    return ret;
}

static int coroutine_fn raw_co_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             unsigned flags)
{
    struct raw_task task = {
        .s = bs->opaque,
        .offset = offset,
        .bytes = bytes,
        .may_unmap = flags & BDRV_REQ_MAY_UNMAP,
    };
    int ret = raw_thread_pool_submit(handle_aiocb_write_zeroes, &task);

    return ret;
}

static int handle_aiocb_discard(void *opaque)
{
    const struct raw_task *task = opaque;

    return punch_hole(task->s->fd, task->offset, task->bytes);
}

static int coroutine_fn raw_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    struct raw_task task = {.s = bs->opaque, .offset = offset, .bytes = bytes};
    int ret = raw_thread_pool_submit(handle_aiocb_discard, &task);

    return ret;
}

static int handle_aiocb_truncate(void *opaque)
{
    const struct raw_task *task = opaque;

    return ftruncate(task->s->fd, task->bytes) < 0 ? -errno : 0;
}

static int coroutine_fn raw_co_truncate(BlockDriverState *bs, int64_t bytes)
{
    struct raw_task task = {.s = bs->opaque, .bytes = bytes};

    if (task.s->is_device) {
        return bytes <= bdrv_length(bs) ? 0 : -ENOTSUP;
    }
    int ret = raw_thread_pool_submit(handle_aiocb_truncate, &task);
    if (ret >= 0) {
        bdrv_set_length(bs, bytes);
    }
    return ret;
}

static int handle_aiocb_preallocate(void *opaque)
{
    const struct raw_task *task = opaque;

    return do_fallocate(task->s->fd, 0, task->offset, task->bytes);
}

static int coroutine_fn raw_co_preallocate(BlockDriverState *bs, int64_t offset,
                                           int64_t bytes, PreallocMode mode)
{
    struct raw_task task = {.s = bs->opaque, .offset = offset, .bytes = bytes};

    if (bytes <= 0) {
        return 0;
    }
    int ret = raw_thread_pool_submit(handle_aiocb_preallocate, &task);
    return ret;
}

/* From a hole or data on, how far it goes; who can't tell has data. */
static int handle_aiocb_block_status(void *opaque)
{
    struct raw_task *task = opaque;
    int64_t end = task->offset + task->bytes;
    off_t data = lseek(task->s->fd, task->offset, SEEK_DATA);

    if (data < 0 && errno == ENXIO) { /* a hole to the end */
        task->ret_bytes = task->bytes;
        return BDRV_BLOCK_ZERO;
    }
    if (data > task->offset) {
        task->ret_bytes = MIN(data, end) - task->offset;
        return BDRV_BLOCK_ZERO;
    }
    off_t hole = data < 0 ? -1 : lseek(task->s->fd, task->offset, SEEK_HOLE);
    task->ret_bytes =
        hole > task->offset ? MIN(hole, end) - task->offset : task->bytes;
    return BDRV_BLOCK_DATA;
}

static int coroutine_fn raw_co_block_status(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            int64_t *ret_bytes)
{
    struct raw_task task = {.s = bs->opaque, .offset = offset, .bytes = bytes};
    int ret = raw_thread_pool_submit(handle_aiocb_block_status, &task);

    *ret_bytes = task.ret_bytes;
    return ret < 0 ? ret : ret | BDRV_BLOCK_ALLOCATED;
}

const BlockDriver bdrv_file = {
    .format_name = "file",
    .instance_bytes = sizeof(struct raw_state),
    .file_open = raw_file_open,
    .file_reopen = raw_file_reopen,
    .close = raw_close,
    .co_prw = raw_co_prw,
    .co_flush_to_disk = raw_co_flush_to_disk,
    .co_pwrite_zeroes = raw_co_pwrite_zeroes,
    .co_pdiscard = raw_co_pdiscard,
    .co_preallocate = raw_co_preallocate,
    .co_truncate = raw_co_truncate,
    .co_block_status = raw_co_block_status,
};
