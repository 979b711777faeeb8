/* SPDX-License-Identifier: MIT */
/*
 * decode/files.h - what fds stand for, as a preloaded library tells it
 *
 * Model:    an fd's file is the one that was told last for it.
 * Threads:  one pass, one thread.
 * Memory:   paths live until the fd's next one, or the room's end.
 * Errors:   none.
 * Depends:  ct/record.h.
 */
#ifndef CT_DECODE_FILES_H
#define CT_DECODE_FILES_H

#include "ct/record.h"

struct ct_files;

struct ct_files *ct_files_new(void);
void ct_files_free(struct ct_files *files);

/** ct_files_told() - a `native_file` */
void ct_files_told(struct ct_files *files, const struct ct_record *record);

/** ct_files_find() - NULL: nobody has told */
const char *ct_files_find(const struct ct_files *files, int32_t pid,
                          uint64_t fd);

#endif
