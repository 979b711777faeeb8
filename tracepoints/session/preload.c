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

#define HEADERS_MAX 256
#define OTHER_LIBC  "it is linked with another C library"

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

/* Of an ELF file for this machine. */
static char *judge_loader(int fd, const Elf64_Ehdr *elf)
{
    char loader[256] = "";

    for (unsigned i = 0; i < elf->e_phnum && i < HEADERS_MAX; i++) {
        Elf64_Phdr header;
        off_t at = (off_t)(elf->e_phoff + i * sizeof(header));

        if (pread(fd, &header, sizeof(header), at) != sizeof(header)) {
            return NULL;
        }
        if (header.p_type != PT_INTERP) {
            continue;
        }
        size_t bytes = MIN(header.p_filesz, sizeof(loader) - 1);
        if (pread(fd, loader, bytes, (off_t)header.p_offset) !=
            (ssize_t)bytes) {
            return NULL;
        }
        g_autofree char *name = g_path_get_basename(loader);
        if (strcmp(name, LOADER) != 0) {
            return g_strdup_printf(OTHER_LIBC " (%s)", name);
        }
        return NULL;
    }
    return g_strdup("it is statically linked");
}

char *ct_preload_refusal(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *reason = NULL;
    struct stat status;
    Elf64_Ehdr elf;

    if (fd < 0) {
        return NULL;
    }
    ssize_t n = pread(fd, &elf, sizeof(elf), 0);
    if (n >= (ssize_t)SELFMAG && memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0) {
        if (!fstat(fd, &status) && has_more_rights(&status, path)) {
            reason = g_strdup("it has more rights than its user (set-user-ID "
                              "and the like)");
        } else if (n != sizeof(elf) || elf.e_machine != MACHINE ||
                   elf.e_ident[EI_CLASS] != ELFCLASS64 ||
                   elf.e_phentsize != sizeof(Elf64_Phdr)) {
            reason = g_strdup("it is of another machine");
        } else {
            reason = judge_loader(fd, &elf);
        }
    }
    (void)close(fd);
    return reason;
}

bool ct_preload_harms(const char *path)
{
    g_autofree char *reason = ct_preload_refusal(path);

    return reason && g_str_has_prefix(reason, OTHER_LIBC);
}

char *ct_preload_list(const char *before, const char *library)
{
    return before && *before ? g_strdup_printf("%s:%s", before, library)
                             : g_strdup(library);
}
