/* SPDX-License-Identifier: MIT */
/*
 * reading.h - traces to damage, and what a pass over one tells
 *
 * Model:    reading_init() makes a scratch directory, with a directory for
 *           temporary files in it that must be empty whenever nothing runs.
 * Memory:   paths are the caller's; a result is freed by reading_free().
 * Depends:  ct/trace.h.
 */
#ifndef READING_H
#define READING_H

#include <glib.h>

#include "ct/trace.h"

struct reading {
    bool good;
    char *error;         /* NULL if good */
    GPtrArray *warnings; /* char * */
    uint64_t requests;
    unsigned finished;         /* how often a consumer's finish was called */
    struct ct_summary summary; /* without stacks and images */
    GArray *gaps;              /* struct ct_gap */
};

void reading_init(void);
void reading_fini(void);

/** reading_copy() - a fresh copy of a trace of traces/; its directory */
char *reading_copy(const char *name);
/** reading_file() - a file with this text */
char *reading_file(const char *name, const char *text);
/** reading_scratch() - an empty directory */
char *reading_scratch(void);

/** reading_run() - one pass, with all that consumers can want; @progress:
 * called at each packet, or NULL */
struct reading *reading_run(const char *path,
                            void (*progress)(uint64_t, uint64_t, void *),
                            void *data);
void reading_free(struct reading *reading);

/** reading_left_behind() - files in the directory for temporary files */
unsigned reading_left_behind(void);

/* --- damage; @at may lie behind the end, the file then grows ------------- */

uint64_t file_size(const char *dir, const char *name);
void file_cut(const char *dir, const char *name, uint64_t size);
void file_write(const char *dir, const char *name, uint64_t at,
                const void *bytes, size_t n);
/** file_change() - exclusive or of one byte that is there */
void file_change(const char *dir, const char *name, uint64_t at,
                 unsigned char change);
void file_remove(const char *dir, const char *name);

#endif
