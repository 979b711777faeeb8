/* SPDX-License-Identifier: MIT */
/*
 * symbols/debug.h - debug information in a file of its own
 *
 * Model:    looked for in directories by build id and by the file's own link to
 *           it, then at the servers that the user has named.
 * Threads:  one.
 * Memory:   paths are malloc()ed, for libdwfl.
 * Errors:   -1: not found.
 * Depends:  libelf; libdebuginfod if it is there.
 */
#ifndef CT_SYMBOLS_DEBUG_H
#define CT_SYMBOLS_DEBUG_H

struct ct_debug_id {
    const unsigned char *bytes;
    int n; /* at least 2 */
};

/** ct_debug_open_regular() - a regular file; -1: it is none, or not there */
int ct_debug_open_regular(const char *path);

/**
 * ct_debug_find() - the debug information of @file
 * @link: the name of it that the file tells; NULL: none
 * Return: fd, with its path; -1: none.
 */
int ct_debug_find(const char *file, const char *link,
                  const struct ct_debug_id *id, char **ret_path);

#endif
