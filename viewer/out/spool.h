/* SPDX-License-Identifier: MIT */
/*
 * out/spool.h - bytes that have to wait, in constant memory
 *
 * Model:    append -> ... -> read.  Up to CT_SPOOL_MEMORY bytes stay in memory;
 *           more go to a file without a name, which ends with the process.
 * Threads:  one at a time.
 * Memory:   CT_SPOOL_MEMORY a spool at most.
 * Errors:   the first is remembered (errno); later appends are dropped, and
 *           reads of what never got there fail.
 * Depends:  glib.h.
 */
#ifndef CT_OUT_SPOOL_H
#define CT_OUT_SPOOL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_SPOOL_MEMORY ((size_t)4 * 1024 * 1024)

struct ct_spool;

/** ct_spool_new() - @directory: where the file lies; NULL: for temporary ones
 */
struct ct_spool *ct_spool_new(const char *directory);
void ct_spool_free(struct ct_spool *spool);

/** ct_spool_append() - Return: the position that the bytes have */
uint64_t ct_spool_append(struct ct_spool *spool, const void *data,
                         size_t length);

/** ct_spool_read() - bytes at a position; false: they are not there, see
 * ct_spool_error() */
bool ct_spool_read(struct ct_spool *spool, uint64_t position, void *to,
                   size_t length);

/** ct_spool_clear() - forget everything; positions start again at 0 */
void ct_spool_clear(struct ct_spool *spool);

uint64_t ct_spool_length(const struct ct_spool *spool);

/** ct_spool_error() - false: no error; true: @error tells it */
bool ct_spool_error(const struct ct_spool *spool, GError **error);

#endif
