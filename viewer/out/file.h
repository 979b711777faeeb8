/* SPDX-License-Identifier: MIT */
/*
 * out/file.h - where a view writes: standard output, or a file that appears
 * whole or not at all
 *
 * Model:    open -> write ... -> close(keep).  Bytes gather in a buffer; the
 *           first failure is remembered, everything after it is dropped, and
 *           close() tells it.  A regular file is written under no name (or a
 *           temporary one where the file system knows no such files) in its
 *           own directory and takes its name in close(keep = true), so neither
 *           an error nor a signal leaves half of it behind.
 * Threads:  one at a time.
 * Memory:   a struct ct_out belongs to its opener until ct_out_close().
 * Errors:   GError, domain CT_OUT_ERROR, code: errno; "FILE: reason".
 * Depends:  glib.h.
 */
#ifndef CT_OUT_FILE_H
#define CT_OUT_FILE_H

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CT_OUT_ERROR ct_out_error_quark()
GQuark ct_out_error_quark(void);

/* Set by a signal handler: from now on every write fails with EINTR, so that
 * nobody waits for a reader that does not read. */
extern volatile sig_atomic_t ct_out_stopped;

/* What ct_out_room() can promise at once. */
#define CT_OUT_ROOM 4096

/* Read by the inline functions below; written by file.c and them only. */
struct ct_out {
    char *buffer;
    size_t used_bytes;
    size_t size_bytes;
    uint64_t written_bytes; /* that have left the buffer */
    int fd;                 /* -1: memory, the buffer grows */
    int error;              /* errno of the first failure; 0: none */
    bool is_terminal;
    char *name;      /* as the user gave it, for messages */
    char *path;      /* the file to become; NULL: written directly */
    char *temporary; /* its name until then; NULL: it has none */
};

/**
 * ct_out_open() - open an output
 * @path: NULL or "-": standard output; a device, a pipe and /dev/stdout are
 *        written as they are; anything else is replaced when it is whole
 */
struct ct_out *ct_out_open(const char *path, GError **error);

/**
 * ct_out_spares() - would an output leave alone what is read?
 * @path: of the output, as for ct_out_open()
 * @input: a file or a directory; NULL: nothing is read
 * Return: false: it is the input, or a recording's file in it; @error
 */
bool ct_out_spares(const char *path, const char *input, GError **error);

/** ct_out_length() - how much was written to it so far */
static inline uint64_t ct_out_length(const struct ct_out *out)
{
    return out->written_bytes + out->used_bytes;
}

/** ct_out_memory() - an output that only gathers: its text is the first
 * `used_bytes` of `buffer`; never fails, and close() forgets it */
struct ct_out *ct_out_memory(void);

/** ct_out_close() - end it; @keep: flush and give the file its name, else
 * leave nothing.  Return: true, or false with @error set; @out is gone. */
bool ct_out_close(struct ct_out *out, bool keep, GError **error);

/** ct_out_flush() - hand the buffer on; false: @out->error says why */
bool ct_out_flush(struct ct_out *out);

void ct_out_write(struct ct_out *out, const void *data, size_t length);

/** ct_out_failed() - tell @out->error as "FILE: reason"; always false */
bool ct_out_failed(const struct ct_out *out, GError **error);

/** ct_out_room() - where the next CT_OUT_ROOM bytes may be put; say with
 * ct_out_used() how many were */
static inline char *ct_out_room(struct ct_out *out)
{
    if (out->size_bytes - out->used_bytes < CT_OUT_ROOM) {
        (void)ct_out_flush(out);
    }
    return out->buffer + out->used_bytes;
}

static inline void ct_out_used(struct ct_out *out, size_t length)
{
    out->used_bytes += length;
}

static inline void ct_out_puts(struct ct_out *out, const char *text)
{
    ct_out_write(out, text, strlen(text));
}

/** ct_out_line() - a line is complete: a person at a terminal sees it now */
static inline void ct_out_line(struct ct_out *out)
{
    *ct_out_room(out) = '\n';
    ct_out_used(out, 1);
    if (out->is_terminal) {
        (void)ct_out_flush(out);
    }
}

#endif
