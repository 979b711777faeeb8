/* SPDX-License-Identifier: MIT */
/*
 * session/qemu/program.h - what a QEMU says of itself
 *
 * Model:    the program is run with --version and asked for its trace events;
 *           whether it has LTTng-UST in it, its file says.  Names of files tell
 *           nothing: a wrapper or a link is what it runs.
 * Threads:  the recorder's main thread, before signals are taken.
 * Memory:   ct_qemu_program_fini() frees what was answered.
 * Errors:   GError, domain CT_SESSION_ERROR, code PROGRAM.
 * Depends:  ct/session.h.
 */
#ifndef CT_SESSION_QEMU_PROGRAM_H
#define CT_SESSION_QEMU_PROGRAM_H

#include "ct/session.h"

enum ct_qemu_kind {
    CT_QEMU_SYSTEM,
    CT_QEMU_IO,
    CT_QEMU_IMG,
    CT_QEMU_NBD,
    CT_QEMU_STORAGE_DAEMON,
    CT_QEMU_KINDS,
};

struct ct_qemu_program {
    enum ct_qemu_kind kind;
    char *version; /* "7.2.22" */
    char **events; /* names of all that it has */
    bool has_ust;  /* LTTng-UST is linked to it */
};

/**
 * ct_qemu_program_parse() - what the answers mean
 * @version: what --version printed
 * @events: what was printed when it was asked for its trace events
 * Return: false: this is no QEMU, or an answer is not understood; @error.
 */
bool ct_qemu_program_parse(const char *name, const char *version,
                           const char *events,
                           struct ct_qemu_program *ret_program, GError **error);

/** ct_qemu_program_ask() - run it, with the questions as its arguments
 * @path: as found; @name: as people know it */
bool ct_qemu_program_ask(const char *path, const char *name,
                         struct ct_qemu_program *ret_program, GError **error);

void ct_qemu_program_fini(struct ct_qemu_program *program);

/** ct_qemu_links_ust() - does this ELF file need LTTng-UST's library? */
bool ct_qemu_links_ust(const char *path);

#endif
