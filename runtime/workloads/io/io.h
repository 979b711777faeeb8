/* SPDX-License-Identifier: MIT */
/*
 * io.h - what the files of cotrace-io share
 *
 * main -> script -> commands -> read, write, space -> data -> text; nothing
 * points back.
 */
#ifndef CT_IO_H
#define CT_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "ct/block.h"

/* Exit statuses: the middle one is qemu-io's, for a command that failed. */
enum io_status {
    IO_OK = 0,
    IO_COMMAND_FAILED = 1,
    IO_BAD_INPUT = 2, /* options that make no sense, or a bad image */
};

/*
 * Commands run in one place at a time (main thread, or a coroutine), which
 * owns this.
 */
struct io_session {
    AioContext *ctx;      /* where images are opened */
    BlockOptions options; /* of the program's own image */
    bool is_shared;       /* the same: -U */
    AioContext *blk_ctx;  /* where their requests run */

    BlockBackend *blk; /* NULL: no file is open */
    char *filename;
    bool is_quit;
    enum io_status status; /* the worst so far */
};

/* --- script.c ------------------------------------------------------------ */

/**
 * io_script_run() - run the commands, then close the file
 * @commands: NULL-terminated; none: lines from standard input
 *
 * In a coroutine what waits yields, and each command gives way to what it
 * started; outside, what waits polls.
 */
void io_script_run(struct io_session *io, char **commands);

/* --- open.c -------------------------------------------------------------- */

/** io_session_open() - open @filename; a failure is told on stderr */
bool io_session_open(struct io_session *io, const char *filename);

/** io_session_close() - wait for requests, close, tell what was wrong */
void io_session_close(struct io_session *io);

/** io_parse_cache() - "writeback" ..; false: none of those we have */
bool io_parse_cache(const char *mode, BlockOptions *options);

/** io_parse_engine() - "threads" ..; false: none of them */
bool io_parse_engine(const char *mode, BlockOptions *options);

/** io_parse_discard() - "unmap", "ignore" ..; false: none of them */
bool io_parse_discard(const char *mode, BlockOptions *options);

/** io_check_share() - -U is for reading only; false: @error is set */
bool io_check_share(bool is_shared, const BlockOptions *options,
                    GError **error);

/* --- commands.c ---------------------------------------------------------- */

/** io_command() - run one line of a script */
void io_command(struct io_session *io, const char *line);

/* --- open.c, read.c, write.c, space.c ------------------------------------ */

/* A command: argv[0] is its name; Return: false: it failed, and has said so. */
typedef bool IoFunc(struct io_session *io, int argc, char **argv);

IoFunc io_open, io_reopen, io_close;
IoFunc io_read, io_readv, io_aio_read;
IoFunc io_write, io_writev, io_aio_write;
IoFunc io_discard, io_truncate, io_map, io_alloc;

/** io_usage() - one line about the command of that name, on stdout */
void io_usage(const char *name);

/** io_check_sectors() - both are whole sectors; false: told */
bool io_check_sectors(int64_t offset, int64_t bytes);

/* --- data.c -------------------------------------------------------------- */

/** io_now_ns() - CLOCK_MONOTONIC */
int64_t io_now_ns(void);

/** io_make_buffer() - full of one byte; g_free() it; NULL: told */
uint8_t *io_make_buffer(int64_t bytes, int pattern);

/**
 * io_make_vector() - one buffer a length, next to one another
 * @lengths, @n: arguments of the command
 * @ret_data:    freed by the caller, as @vector; false: told, nothing to free
 */
bool io_make_vector(IOVector *vector, char **lengths, int n, int pattern,
                    uint8_t **ret_data);

/** io_fill_from_file() - a file's bytes, again and again; false: told */
bool io_fill_from_file(uint8_t *data, int64_t bytes, const char *filename);

/* --- bench.c ------------------------------------------------------------- */

/** io_bench() - `cotrace-io bench`; Return: the program's exit status */
int io_bench(int argc, char **argv);

/* --- text.c -------------------------------------------------------------- */

/** io_parse_size() - "64k", "0x200", "1.5M"; false: told on stdout */
bool io_parse_size(const char *text, int64_t *ret_bytes);

/**
 * io_take_range() - the two arguments that are left: offset and length
 * Return: false: they are not two, no numbers, or too much; told on stdout.
 */
bool io_take_range(int argc, char **argv, int64_t *ret_offset,
                   int64_t *ret_bytes);

/** io_tell_guarded() - on stderr, if the image is (blk_is_guarded()) and can be
 * written */
void io_tell_guarded(const BlockBackend *blk, const char *filename);

/**
 * io_check_size() - as io_parse_size(), and tells of no error
 *
 * Return: 0, -EINVAL, or -ERANGE.
 */
int io_check_size(const char *text, int64_t *ret_bytes);

/** io_parse_pattern() - a byte; false: told on stdout */
bool io_parse_pattern(const char *text, int *ret_byte);

#define IO_SIZE_CHARS 32

/** io_format_size() - "64 KiB"; Return: @buf */
const char *io_format_size(char buf[IO_SIZE_CHARS], double bytes);

/** io_print_report() - what was done (a past tense) with @bytes, in @ns */
void io_print_report(const char *what, int64_t ns, int64_t offset,
                     int64_t bytes, bool is_for_machines);

/** io_dump() - hex and characters */
void io_dump(const uint8_t *buf, int64_t offset, int64_t bytes);

#endif
