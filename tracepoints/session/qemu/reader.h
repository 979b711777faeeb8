/* SPDX-License-Identifier: MIT */
/*
 * session/qemu/reader.h - somebody who looks on while a log grows
 *
 * Model:    a process of its own beside the recorder.  It never touches the
 *           log: it looks how long it is, and writes down when it was longer
 *           than before, and how long before that it had looked last.  So a
 *           line has an instant and a bound: it was written at most that much
 *           earlier.  If it dies, nobody waits for it; the rest of the log has
 *           an order and no times.
 * Threads:  the recorder's main thread; start forks.
 * Memory:   none; descriptors are closed by ct_qemu_reader_stop().
 * Errors:   0 or -errno.
 * Depends:  libc only.
 *
 * The file: a line "cotrace-stamps 1 NS", NS since 1970; then a line "BYTES
 * AFTER BOUND" for each look that found more: how many bytes more, how many
 * ns after the look written down before it (the first: after NS), and how many
 * ns before this one the last look was.
 */
#ifndef CT_SESSION_QEMU_READER_H
#define CT_SESSION_QEMU_READER_H

#include <sys/types.h>

struct ct_qemu_reader {
    pid_t pid;
    int life; /* closed: the log will not grow any more */
};

/**
 * ct_qemu_reader_start()
 * @log: exists already, and is empty
 */
int ct_qemu_reader_start(struct ct_qemu_reader *ret_reader, const char *log,
                         const char *stamps);

/** ct_qemu_reader_stop() - the program has ended: the last look, and wait
 * Return: 0; -errno: the stamps end before the log does. */
int ct_qemu_reader_stop(struct ct_qemu_reader *reader);

#endif
