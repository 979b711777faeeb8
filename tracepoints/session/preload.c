/* SPDX-License-Identifier: MIT */
/*
 * preload.c - what a program's file says about preloading into it
 *
 * The loader is the program that PT_INTERP names: there is none in a statically
 * linked program, another libc's does not fit our library, and glibc's ignores
 * LD_PRELOAD where the program has more rights than its user.  Reads the ELF
 * header and the program headers, trusting nothing in them.
 */
#include "session/preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ct/mark.h"

#define HEADERS_MAX 256
#define NOTES_MAX   4096 /* bytes of a part that are looked at */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define LOADER  "ld-linux-x86-64.so.2"
#else
#define MACHINE EM_AARCH64
#define LOADER  "ld-linux-aarch64.so.1"
#endif

static bool has_more_rights(const struct stat *status, const char *path)
{
    return ((status->st_mode & S_ISUID) && status->st_uid != getuid()) ||
           ((status->st_mode & S_ISGID) && status->st_gid != getgid()) ||
           (getuid() != 0 &&
            getxattr(path, "security.capability", NULL, 0) > 0);
}

static bool read_part(int fd, const Elf64_Phdr *header, void *bytes, size_t n)
{
    return pread(fd, bytes, n, (off_t)header->p_offset) == (ssize_t)n;
}

static void judge_loader(int fd, const Elf64_Phdr *header,
                         struct ct_preload *preload)
{
    char loader[sizeof(preload->loader)] = "";

    if (!read_part(fd, header, loader,
                   MIN(header->p_filesz, sizeof(loader) - 1))) {
        return;
    }
    g_autofree char *name = g_path_get_basename(loader);
    (void)g_strlcpy(preload->loader, name, sizeof(preload->loader));
    if (strcmp(name, LOADER) != 0) {
        preload->verdict = CT_PRELOAD_OTHER_LIBC;
    }
}

static bool has_mark(int fd, const Elf64_Phdr *header)
{
    char notes[NOTES_MAX];
    size_t n = MIN(header->p_filesz, sizeof(notes));

    return read_part(fd, header, notes, n) && ct_mark_is_in(notes, n);
}

/* Of an ELF file for this machine. */
static void judge_parts(int fd, const Elf64_Ehdr *elf,
                        struct ct_preload *preload)
{
    bool has_loader = false;

    for (unsigned i = 0; i < elf->e_phnum && i < HEADERS_MAX; i++) {
        Elf64_Phdr header;
        off_t at = (off_t)(elf->e_phoff + i * sizeof(header));

        if (pread(fd, &header, sizeof(header), at) != sizeof(header)) {
            return;
        }
        if (header.p_type == PT_INTERP) {
            has_loader = true;
            judge_loader(fd, &header, preload);
        } else if (header.p_type == PT_NOTE) {
            preload->has_tracepoints |= has_mark(fd, &header);
        }
    }
    if (!has_loader) {
        preload->verdict = CT_PRELOAD_STATIC;
    }
}

void ct_preload_look(const char *path, struct ct_preload *ret_preload)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    Elf64_Ehdr elf;

    *ret_preload = (struct ct_preload){.verdict = CT_PRELOAD_WORKS};
    if (fd < 0) {
        return;
    }
    ssize_t n = pread(fd, &elf, sizeof(elf), 0);
    if (n >= (ssize_t)SELFMAG && memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0) {
        if (!fstat(fd, &status) && has_more_rights(&status, path)) {
            ret_preload->verdict = CT_PRELOAD_MORE_RIGHTS;
        } else if (n != sizeof(elf) || elf.e_machine != MACHINE ||
                   elf.e_ident[EI_CLASS] != ELFCLASS64 ||
                   elf.e_phentsize != sizeof(Elf64_Phdr)) {
            ret_preload->verdict = CT_PRELOAD_OTHER_MACHINE;
        } else {
            judge_parts(fd, &elf, ret_preload);
        }
    }
    (void)close(fd);
}

char *ct_preload_why_not(const struct ct_preload *preload)
{
    switch (preload->verdict) {
    case CT_PRELOAD_WORKS:
        return NULL;
    case CT_PRELOAD_STATIC:
        return g_strdup("it is statically linked");
    case CT_PRELOAD_OTHER_LIBC:
        return g_strdup_printf("it is linked with another C library (%s)",
                               preload->loader);
    case CT_PRELOAD_OTHER_MACHINE:
        return g_strdup("it is of another machine");
    case CT_PRELOAD_MORE_RIGHTS:
        return g_strdup("it has more rights than its user (set-user-ID and the "
                        "like)");
    }
    return NULL;
}

char *ct_preload_list(const char *before, const char *library)
{
    return before && *before ? g_strdup_printf("%s:%s", before, library)
                             : g_strdup(library);
}
