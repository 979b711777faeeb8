/* SPDX-License-Identifier: MIT */
/*
 * object.c - one file of code: opened, and checked to be the one that ran
 *
 * Each file is a libdwfl session of its own with the file at its own virtual
 * addresses, so it serves every process that had it mapped, wherever.  The
 * path comes from a trace: only a regular file is opened, and if the trace
 * told a build id, only a file with that id.
 *
 * Debug information in a file of its own is debug.c's to find: libdwfl's
 * standard search is not used, which may ask the network at any time.
 */
#include "symbols/object.h"

#include <elfutils/libdwfl.h>
#include <string.h>
#include <unistd.h>

#include "symbols/debug.h"
#include "symbols/object_int.h"

/* --- debug information in another file ----------------------------------- */

static int no_elf(Dwfl_Module *module, void **userdata, const char *name,
                  Dwarf_Addr base, char **file_name, Elf **elf)
{
    return -1; /* the main file was opened when it was reported */
}

static int find_debuginfo(Dwfl_Module *module, void **userdata,
                          const char *name, Dwarf_Addr base,
                          const char *file_name, const char *link,
                          GElf_Word crc, char **ret_path)
{
    struct ct_debug_id id;
    GElf_Addr address;
    int fd;

    id.n = dwfl_module_build_id(module, &id.bytes, &address);
    if (link && g_path_is_absolute(link)) {
        /* What several files of debug information share (dwz). */
        fd = ct_debug_open_regular(link);
        *ret_path = fd >= 0 ? strdup(link) : NULL;
        return fd;
    }
    return id.n > 1 && file_name ? ct_debug_find(file_name, link, &id, ret_path)
                                 : -1;
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
    int fd = g_path_is_absolute(path) ? ct_debug_open_regular(path) : -1;

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
