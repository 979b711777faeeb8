/* SPDX-License-Identifier: MIT */
/*
 * io.h - what the files of cotrace-io share
 *
 * main -> script -> commands -> read -> text; nothing points back.
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
    AioContext *ctx; /* where images are opened */
    BlockOptions options;
    AioContext *blk_ctx; /* where their requests run */

    BlockBackend *blk; /* NULL: no file is open */
    char *filename;
    bool is_quit;
    enum io_status status; /* the worst so far */
};

/* --- script.c --------------------------------------------------------------
 */

/**
 * io_script_run() - run the commands, then close the file
 * @commands: NULL-terminated; none: lines from standard input
 *
 * In a coroutine what waits yields, and each command gives way to what it
 * started; outside, what waits polls.
 */
void io_script_run(struct io_session *io, char **commands);

/* --- commands.c ------------------------------------------------------------
 */

/** io_session_open() - open @filename; a failure is told on stderr */
bool io_session_open(struct io_session *io, const char *filename);

/** io_session_close() - wait for requests, close, tell what was wrong */
void io_session_close(struct io_session *io);

/** io_command() - run one line of a script */
void io_command(struct io_session *io, const char *line);

/* --- read.c ----------------------------------------------------------------
 */

/* A command: argv[0] is its name; Return: false: it failed, and has said so. */
typedef bool IoFunc(struct io_session *io, int argc, char **argv);

IoFunc io_read, io_readv, io_aio_read;

/** io_usage() - one line about the command of that name, on stdout */
void io_usage(const char *name);

/* --- text.c ----------------------------------------------------------------
 */

/** io_parse_size() - "64k", "0x200", "1.5M"; false: told on stdout */
bool io_parse_size(const char *text, int64_t *ret_bytes);

/** io_parse_pattern() - a byte; false: told on stdout */
bool io_parse_pattern(const char *text, int *ret_byte);

#define IO_SIZE_CHARS 32

/** io_format_size() - "64 KiB"; Return: @buf */
const char *io_format_size(char buf[IO_SIZE_CHARS], double bytes);

/** io_print_report() - what a read of @bytes did in @ns */
void io_print_report(int64_t ns, int64_t offset, int64_t bytes,
                     bool is_for_machines);

/** io_dump() - hex and characters */
void io_dump(const uint8_t *buf, int64_t offset, int64_t bytes);

#endif
