/* SPDX-License-Identifier: MIT */
/*
 * object.c - one file of code: opened, and checked to be the one that ran
 *
 * Each file is a libdwfl session of its own with the file at its own virtual
 * addresses, so it serves every process that had it mapped, wherever.  The
 * path comes from a trace: only a regular file is opened, and if the trace
 * told a build id, only a file with that id.
 *
 * Debug information in a file of its own is looked for on this machine alone
 * (.build-id and .gnu_debuglink, as Debian's dbg packages have it), and never
 * over the network, which libdwfl's standard search may do.
 */
#include "symbols/object.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/object_int.h"

#define DEBUG_ROOT "/usr/lib/debug"

/* --- debug information in another file ----------------------------------- */

static int no_elf(Dwfl_Module *module, void **userdata, const char *name,
                  Dwarf_Addr base, char **file_name, Elf **elf)
{
    return -1; /* the main file was opened when it was reported */
}

/* A regular file, or -1. */
static int open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static bool has_build_id(int fd, const unsigned char *id, int n)
{
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *bits;
    bool same = elf && dwelf_elf_gnu_build_id(elf, &bits) == n &&
                memcmp(bits, id, (size_t)n) == 0;

    elf_end(elf);
    return same;
}

/* Takes over @path. */
static int try_debug_file(char *path, const unsigned char *id, int n,
                          char **ret_path)
{
    int fd = open_regular(path);

    if (fd >= 0 && !has_build_id(fd, id, n)) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        *ret_path = strdup(path); /* libdwfl frees it */
    }
    g_free(path);
    return fd;
}

static char *build_id_path(const unsigned char *id, int n)
{
    GString *path = g_string_new(DEBUG_ROOT "/.build-id/");

    for (int i = 0; i < n; i++) {
        g_string_append_printf(path, i == 0 ? "%02x/" : "%02x", id[i]);
    }
    g_string_append(path, ".debug");
    return g_string_free(path, FALSE);
}

static int find_debuginfo(Dwfl_Module *module, void **userdata,
                          const char *name, Dwarf_Addr base,
                          const char *file_name, const char *link,
                          GElf_Word crc, char **ret_path)
{
    const unsigned char *id;
    GElf_Addr address;
    char *dir;
    int n = dwfl_module_build_id(module, &id, &address);
    int fd;

    if (link && g_path_is_absolute(link)) {
        /* What several files of debug information share (dwz). */
        fd = open_regular(link);
        *ret_path = fd >= 0 ? strdup(link) : NULL;
        return fd;
    }
    if (n <= 1 || !file_name) {
        return -1;
    }
    fd = try_debug_file(build_id_path(id, n), id, n, ret_path);
    if (fd >= 0 || !link) {
        return fd;
    }
    dir = g_path_get_dirname(file_name);
    fd = try_debug_file(g_build_filename(dir, link, NULL), id, n, ret_path);
    if (fd < 0) {
        fd = try_debug_file(g_build_filename(dir, ".debug", link, NULL), id, n,
                            ret_path);
    }
    if (fd < 0) {
        fd = try_debug_file(g_build_filename(DEBUG_ROOT, dir, link, NULL), id,
                            n, ret_path);
    }
    g_free(dir);
    return fd;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = no_elf,
    .find_debuginfo = find_debuginfo,
};

/* --- opening ------------------------------------------------------------- */

static bool is_told_id(Dwfl_Module *module, const char *told)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *id;
    GElf_Addr address;
    int n = dwfl_module_build_id(module, &id, &address);

    if (n <= 0 || strlen(told) != (size_t)n * 2) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (told[2 * i] != digits[id[i] >> 4] ||
            told[2 * i + 1] != digits[id[i] & 15]) {
            return false;
        }
    }
    return true;
}

static bool find_base(struct ct_object *object)
{
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(object->module, &bias);
    size_t n;

    if (!elf || elf_getphdrnum(elf, &n) < 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr header;

        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD) {
            object->base = header.p_vaddr;
            object->bias = bias;
            return true;
        }
    }
    return false;
}

struct ct_object *ct_object_open(const char *path, const char *build_id,
                                 bool *ret_other)
{
    struct ct_object *object;
    int fd = g_path_is_absolute(path) ? open_regular(path) : -1;

    *ret_other = false;
    if (fd < 0) {
        return NULL;
    }
    object = g_new0(struct ct_object, 1);
    object->strings = g_string_chunk_new(1024);
    object->dwfl = dwfl_begin(&callbacks);
    if (object->dwfl) {
        dwfl_report_begin(object->dwfl);
        object->module = dwfl_report_elf(object->dwfl, path, path, fd, 0, true);
        dwfl_report_end(object->dwfl, NULL, NULL);
    }
    if (!object->module) {
        close(fd);
    }
    if (!object->module || !find_base(object)) {
        ct_object_free(object);
        return NULL;
    }
    if (build_id && !is_told_id(object->module, build_id)) {
        *ret_other = true;
        ct_object_free(object);
        return NULL;
    }
    return object;
}

void ct_object_free(struct ct_object *object)
{
    if (!object) {
        return;
    }
    if (object->dwfl) {
        dwfl_end(object->dwfl);
    }
    g_string_chunk_free(object->strings);
    g_free(object);
}

uint64_t ct_object_base(const struct ct_object *object)
{
    return object->base;
}
