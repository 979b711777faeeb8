/* SPDX-License-Identifier: MIT */
/*
 * io.c - calls that do a file's I/O and wait for it, which is what workers do
 *
 * read() and write() are left out: they are the calls of pipes, sockets and
 * terminals.
 *
 * In a section (see sections.c) its begin has told what the thread holds.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fds.h"
#include "guard.h"
#include "told.h"

extern ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
extern ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);

CT_TOLD static void told_begin(enum ct_native_io op, int fd, int64_t offset,
                               uint64_t bytes)
{
    uint64_t held[CT_HELD_MAX];
    bool is_told = ct_self.section && ct_self.section == ct_self.mutex;
    uint32_t n = ct_self.is_first || is_told ? 0 : ct_held(held);

    ct_fds_see(fd);
    ct_emit_native_io_begin(op, fd, (uint64_t)offset, bytes, held, n);
}

/* The section's item ends with it: the next call, if any, is told as the first
 * one of a thread that has no sections. */
CT_TOLD static void told_end(int64_t result)
{
    ct_self.section = NULL;
    ct_emit_native_io_end(result);
}

/* @ret: what is told of `result` */
#define IO_AS(type, op, fd, offset, bytes, call, ret)                       \
    CT_CALL(type, ct_emit_on_native_io_begin(),                             \
            CT_GUARDED(told_begin(CT_NATIVE_IO_##op, fd, (int64_t)(offset), \
                                  (uint64_t)(bytes))),                      \
            call, CT_GUARDED(told_end(ret)))

#define IO(type, op, fd, offset, bytes, call) \
    IO_AS(type, op, fd, offset, bytes, call, CT_RESULT(result))

/* ... of a call that returns an error's number. */
#define IO_ERROR(op, fd, offset, bytes, call) \
    IO_AS(int, op, fd, offset, bytes, call, -(int64_t)result)

CT_REAL_OF(pread);
CT_HOOK ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    IO(ssize_t, READ, fd, offset, bytes,
       CT_REAL(pread)(fd, data, bytes, offset));
}

CT_REAL_OF(pread64);
CT_HOOK ssize_t pread64(int fd, void *data, size_t bytes, off64_t offset)
{
    IO(ssize_t, READ, fd, offset, bytes,
       CT_REAL(pread64)(fd, data, bytes, offset));
}

CT_REAL_OF(__pread_chk);
CT_HOOK ssize_t __pread_chk(int fd, void *data, size_t bytes, off_t offset,
                            size_t room)
{
    IO(ssize_t, READ, fd, offset, bytes,
       CT_REAL(__pread_chk)(fd, data, bytes, offset, room));
}

CT_REAL_OF(__pread64_chk);
CT_HOOK ssize_t __pread64_chk(int fd, void *data, size_t bytes, off64_t offset,
                              size_t room)
{
    IO(ssize_t, READ, fd, offset, bytes,
       CT_REAL(__pread64_chk)(fd, data, bytes, offset, room));
}

CT_REAL_OF(preadv);
CT_HOOK ssize_t preadv(int fd, const struct iovec *vector, int n, off_t offset)
{
    IO(ssize_t, READ, fd, offset, ct_vector_bytes(vector, (uint64_t)n),
       CT_REAL(preadv)(fd, vector, n, offset));
}

CT_REAL_OF(preadv64);
CT_HOOK ssize_t preadv64(int fd, const struct iovec *vector, int n,
                         off64_t offset)
{
    IO(ssize_t, READ, fd, offset, ct_vector_bytes(vector, (uint64_t)n),
       CT_REAL(preadv64)(fd, vector, n, offset));
}

CT_REAL_OF(pwrite);
CT_HOOK ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    IO(ssize_t, WRITE, fd, offset, bytes,
       CT_REAL(pwrite)(fd, data, bytes, offset));
}

CT_REAL_OF(pwrite64);
CT_HOOK ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset)
{
    IO(ssize_t, WRITE, fd, offset, bytes,
       CT_REAL(pwrite64)(fd, data, bytes, offset));
}

CT_REAL_OF(pwritev);
CT_HOOK ssize_t pwritev(int fd, const struct iovec *vector, int n, off_t offset)
{
    IO(ssize_t, WRITE, fd, offset, ct_vector_bytes(vector, (uint64_t)n),
       CT_REAL(pwritev)(fd, vector, n, offset));
}

CT_REAL_OF(pwritev64);
CT_HOOK ssize_t pwritev64(int fd, const struct iovec *vector, int n,
                          off64_t offset)
{
    IO(ssize_t, WRITE, fd, offset, ct_vector_bytes(vector, (uint64_t)n),
       CT_REAL(pwritev64)(fd, vector, n, offset));
}

CT_REAL_OF(fsync);
CT_HOOK int fsync(int fd)
{
    IO(int, FLUSH, fd, 0, 0, CT_REAL(fsync)(fd));
}

CT_REAL_OF(fdatasync);
CT_HOOK int fdatasync(int fd)
{
    IO(int, FLUSH, fd, 0, 0, CT_REAL(fdatasync)(fd));
}

CT_REAL_OF(fallocate);
CT_HOOK int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    IO(int, ALLOCATE, fd, offset, bytes,
       CT_REAL(fallocate)(fd, mode, offset, bytes));
}

CT_REAL_OF(fallocate64);
CT_HOOK int fallocate64(int fd, int mode, off64_t offset, off64_t bytes)
{
    IO(int, ALLOCATE, fd, offset, bytes,
       CT_REAL(fallocate64)(fd, mode, offset, bytes));
}

CT_REAL_OF(posix_fallocate);
CT_HOOK int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    IO_ERROR(ALLOCATE, fd, offset, bytes,
             CT_REAL(posix_fallocate)(fd, offset, bytes));
}

CT_REAL_OF(posix_fallocate64);
CT_HOOK int posix_fallocate64(int fd, off64_t offset, off64_t bytes)
{
    IO_ERROR(ALLOCATE, fd, offset, bytes,
             CT_REAL(posix_fallocate64)(fd, offset, bytes));
}

CT_REAL_OF(ftruncate);
CT_HOOK int ftruncate(int fd, off_t bytes)
{
    IO(int, TRUNCATE, fd, bytes, 0, CT_REAL(ftruncate)(fd, bytes));
}

CT_REAL_OF(ftruncate64);
CT_HOOK int ftruncate64(int fd, off64_t bytes)
{
    IO(int, TRUNCATE, fd, bytes, 0, CT_REAL(ftruncate64)(fd, bytes));
}

CT_REAL_OF(copy_file_range);
CT_HOOK ssize_t copy_file_range(int from, off64_t *from_offset, int to,
                                off64_t *to_offset, size_t bytes,
                                unsigned flags)
{
    IO(ssize_t, COPY, from, from_offset ? *from_offset : 0, bytes,
       CT_REAL(copy_file_range)(from, from_offset, to, to_offset, bytes,
                                flags));
}
