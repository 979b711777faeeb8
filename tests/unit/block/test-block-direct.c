/* SPDX-License-Identifier: MIT */
/*
 * test-block-direct.c - O_DIRECT, whatever the kernel wants of it
 *
 * The file lies in a plain file without O_DIRECT; the functions that the
 * workers read and write it with are ours, and refuse what a disk with such
 * blocks, and such a way to its memory, would refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ct/block.h"
#include "image.h"
#include "loops.h"

#define BYTES  (64 * 1024)
#define ROUNDS 40

/* What the kernel wants; 0: anything.  Set before the file is opened. */
static size_t block_bytes, memory_bytes;

static unsigned n_calls; /* atomic; that the kernel would have taken */

/* Return: has it been taken? */
static bool takes(const struct iovec *iov, int n, off_t offset)
{
    size_t block = block_bytes ? block_bytes : 1;
    size_t memory = memory_bytes ? memory_bytes : 1;

    for (int i = 0; i < n; i++) {
        if ((uintptr_t)iov[i].iov_base % memory != 0 ||
            iov[i].iov_len % block != 0) {
            errno = EINVAL;
            return false;
        }
    }
    if ((uint64_t)offset % block != 0) {
        errno = EINVAL;
        return false;
    }
    (void)__atomic_fetch_add(&n_calls, 1, __ATOMIC_RELAXED);
    return true;
}

/* --- the C library's, for this program ----------------------------------- */

int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags & ~O_DIRECT, mode);
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
    return takes(iov, n, offset) ? syscall(SYS_preadv, fd, iov, n, offset, 0)
                                 : -1;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
    return takes(iov, n, offset) ? syscall(SYS_pwritev, fd, iov, n, offset, 0)
                                 : -1;
}

ssize_t pread(int fd, void *buf, size_t bytes, off_t offset)
{
    struct iovec iov = {buf, bytes};

    return preadv(fd, &iov, 1, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
    struct iovec iov = {(void *)(uintptr_t)buf, bytes};

    return pwritev(fd, &iov, 1, offset);
}

/* --- cases --------------------------------------------------------------- */

static BlockBackend *open_direct(struct loop *loop, char **ret_name)
{
    static uint8_t zeroes[BYTES];
    BlockOptions options = {
        .format = "raw", .is_writable = true, .is_direct = true};
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("cotrace-direct-XXXXXX", ret_name, &error);

    g_assert_no_error(error);
    g_assert_cmpint(write(fd, zeroes, BYTES), ==, BYTES);
    close(fd);
    BlockBackend *blk = blk_new_open(*ret_name, &options, loop->ctx, &error);
    g_assert_no_error(error);
    return blk;
}

/* Ranges and buffers of all kinds, beside a plain array. */
static void test_any_buffer(struct loop *loop)
{
    const size_t *wanted = loop->data;
    g_autofree uint8_t *expected = g_malloc0(BYTES);
    uint8_t *data = aligned_alloc(4096, BYTES + 4096);
    GRand *rand = g_rand_new_with_seed(5);
    unsigned before = n_calls;
    char *name;

    block_bytes = wanted[0];
    memory_bytes = wanted[1];
    BlockBackend *blk = open_direct(loop, &name);

    for (int i = 0; i < ROUNDS; i++) {
        int unit = i % 4 == 0 ? 1 : 512;
        int32_t at = g_rand_int_range(rand, 0, BYTES / unit) * unit;
        int32_t n = g_rand_int_range(rand, 0, (BYTES - at) / unit + 1) * unit;
        uint8_t *buf = data + (i % 3 == 0 ? 0 : i % 3 == 1 ? 512 : i);

        n = i % 2 == 0 ? MIN(n, 512) : n;
        memset(buf, i + 1, (size_t)n);
        memset(expected + at, i + 1, (size_t)n);
        g_assert_cmpint(blk_pwrite(blk, at, n, buf, 0), ==, 0);
        memset(buf, 0xff, (size_t)n);
        g_assert_cmpint(blk_pread(blk, at, n, buf), ==, 0);
        g_assert_cmpmem(buf, (size_t)n, expected + at, (size_t)n);
    }
    g_assert_cmpint(blk_pread(blk, 0, BYTES, data), ==, 0);
    g_assert_cmpmem(data, BYTES, expected, BYTES);
    g_assert_cmpuint(n_calls, >, before);
    blk_unref(blk);
    image_remove(name);
    free(data);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    static const size_t blocks_of_512[] = {512, 512};
    static const size_t memory_above[] = {512, 4096};
    static const size_t blocks_above[] = {4096, 512};

    g_test_init(&argc, &argv, NULL);
    loops_add_data("/direct/512", test_any_buffer, blocks_of_512);
    loops_add_data("/direct/memory-above-blocks", test_any_buffer,
                   memory_above);
    loops_add_data("/direct/blocks-above-memory", test_any_buffer,
                   blocks_above);
    return g_test_run();
}
