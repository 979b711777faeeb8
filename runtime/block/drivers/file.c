/* SPDX-License-Identifier: MIT */
/*
 * file.c - the protocol of host files: regular files and block devices
 *
 * Opened for reading only, so the length is taken once.  The I/O itself is the
 * engine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/drivers/drivers.h"
#include "ct/pre.h"
#include "engine/engine.h"

struct raw_state {
    /* immutable once open */
    int fd;
    const struct engine *engine;
};

/* Return: the length, or -errno with @error set */
static int64_t file_length(int fd, GError **error)
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
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return block_error(error, errno, "%s", g_strerror(errno));
    }
    return end;
}

static int raw_file_open(BlockDriverState *bs, GError **error)
{
    struct raw_state *s = bs->opaque;

    s->engine = ct_engine_find(bs->options.engine);
    if (s->engine == NULL) {
        return block_error(error, EINVAL, "unknown engine '%s'",
                           bs->options.engine);
    }
    /* A FIFO must not block us before we can refuse it. */
    s->fd = open(bs->filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0) {
        return block_error(error, errno, "%s", g_strerror(errno));
    }
    int64_t length = file_length(s->fd, error);
    if (length < 0) {
        close(s->fd);
        return (int)length;
    }
    bs->bytes = length;
    return 0;
}

static void raw_close(BlockDriverState *bs)
{
    struct raw_state *s = bs->opaque;

    close(s->fd);
}

static int coroutine_fn raw_co_prw(BlockDriverState *bs, enum block_op op,
                                   int64_t offset, int64_t bytes,
                                   const IOVector *vector, size_t offset_in)
{
    struct raw_state *s = bs->opaque;
    IOVector part;

    ct_pre("raw-co-prw/read-only", op == BLOCK_OP_READ);
    io_vector_init(&part);
    io_vector_add_part(&part, vector, offset_in, (size_t)bytes);
    struct engine_io io = {
        .fd = s->fd,
        .op = ENGINE_READ,
        .offset = offset,
        .bytes = bytes,
        .iov = part.iov,
        .niov = part.niov,
    };
    int ret = s->engine->co_submit(&io);
    io_vector_fini(&part);
    return ret;
}

const BlockDriver bdrv_file = {
    .format_name = "file",
    .instance_bytes = sizeof(struct raw_state),
    .file_open = raw_file_open,
    .close = raw_close,
    .co_prw = raw_co_prw,
};
