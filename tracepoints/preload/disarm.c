/* SPDX-License-Identifier: MIT */
/*
 * disarm.c - LTTng ends with the process, not before
 *
 * Its destructor cancels its threads, closes its fds, waits for its readers:
 * dozens of calls that a program which may make only its own must not make.
 * Nothing is lost without them: buffers lie in memory that the recorder shares,
 * and it sees its socket closed.  There is no switch for it, so the loader's
 * list of the destructors of these files is filled with a function that does
 * nothing.  The list was made read-only when the files were loaded.
 */
#include "disarm.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void nothing(void)
{
}

static bool is_name_of(const char *path, const char *begin)
{
    const char *name = strrchr(path, '/');

    return strncmp(name ? name + 1 : path, begin, strlen(begin)) == 0;
}

/* LTTng's and ours. */
static bool is_meant(const struct dl_phdr_info *info)
{
    Dl_info own;

    return is_name_of(info->dlpi_name, "liblttng-ust") ||
           is_name_of(info->dlpi_name, "libcotrace-") ||
           (dladdr((const void *)(uintptr_t)nothing, &own) &&
            strcmp(own.dli_fname, info->dlpi_name) == 0);
}

static void fill(uintptr_t *list, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)list & ~(page - 1);
    uintptr_t end = ((uintptr_t)(list + n) + page - 1) & ~(page - 1);

    if (n > 0 &&
        mprotect((void *)begin, end - begin, PROT_READ | PROT_WRITE) == 0) {
        for (size_t i = 0; i < n; i++) {
            list[i] = (uintptr_t)nothing;
        }
    }
}

static int see_object(struct dl_phdr_info *info, size_t bytes, void *opaque)
{
    const ElfW(Dyn) *entry = NULL;
    uintptr_t *list = NULL;
    size_t list_bytes = 0;

    if (!info->dlpi_name || !is_meant(info)) {
        return 0;
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) {
            entry = (const ElfW(Dyn) *)(info->dlpi_addr +
                                        info->dlpi_phdr[i].p_vaddr);
        }
    }
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_FINI_ARRAY) {
            list = (uintptr_t *)(info->dlpi_addr + entry->d_un.d_ptr);
        } else if (entry->d_tag == DT_FINI_ARRAYSZ) {
            list_bytes = entry->d_un.d_val;
        }
    }
    if (list) {
        fill(list, list_bytes / sizeof(*list));
    }
    return 0;
}

void ct_disarm(void)
{
    (void)dl_iterate_phdr(see_object, NULL);
}
