/* SPDX-License-Identifier: MIT */
/*
 * ct/mark.h - which files have tracepoints of their own
 *
 * Model:    what emits events, a program or a library of one, has a note in its
 *           ELF file that says so.  It is found in a file that does not run,
 *           stripped or not, and where it is loaded.  The preloaded library has
 *           none: it emits for those who have none.
 * Threads:  any.
 * Memory:   the caller's, read only.
 * Errors:   notes that are damaged are not read on.
 * Depends:  elf.h.
 */
#ifndef CT_MARK_H
#define CT_MARK_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CT_MARK_OWNER "cotrace"
#define CT_MARK_TYPE  1

/** ct_mark_is_in() - whether the note is among these, a PT_NOTE's bytes */
static inline bool ct_mark_is_in(const void *notes, size_t bytes)
{
    const char *at = notes;
    Elf64_Nhdr note;

    while (bytes >= sizeof(note)) {
        size_t name, all;

        memcpy(&note, at, sizeof(note));
        name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        all = sizeof(note) + name + (((size_t)note.n_descsz + 3) & ~(size_t)3);
        if (all > bytes) {
            return false;
        }
        if (note.n_type == CT_MARK_TYPE &&
            note.n_namesz == sizeof(CT_MARK_OWNER) &&
            memcmp(at + sizeof(note), CT_MARK_OWNER, sizeof(CT_MARK_OWNER)) ==
                0) {
            return true;
        }
        at += all;
        bytes -= all;
    }
    return false;
}

#endif
