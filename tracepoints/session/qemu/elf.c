/* SPDX-License-Identifier: MIT */
/*
 * elf.c - is LTTng-UST's library among those that a program needs?
 *
 * A QEMU does not tell which trace backends it was built with, but one with
 * `ust` can't do without that library.  Everything in the file is checked
 * against its size: it may be no ELF file, or half of one.
 */
#include "session/qemu/program.h"

#include <elf.h>
#include <string.h>

#define LIBRARY "liblttng-ust.so"

struct image {
    const char *data;
    size_t size;
};

/* NULL: not within the file, or not aligned as the type needs. */
static const void *at(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset &&
                   offset % sizeof(uint64_t) == 0
               ? image->data + offset
               : NULL;
}

static const Elf64_Phdr *headers(const struct image *image, unsigned *ret_n)
{
    const Elf64_Ehdr *head = at(image, 0, sizeof(*head));

    *ret_n = 0;
    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) ||
        head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_phentsize != sizeof(Elf64_Phdr)) {
        return NULL;
    }
    *ret_n = head->e_phnum;
    return at(image, head->e_phoff, *ret_n * sizeof(Elf64_Phdr));
}

/* Where in the file an address is that the loader would use. */
static bool to_offset(const Elf64_Phdr *segments, unsigned n, uint64_t address,
                      uint64_t *ret_offset)
{
    for (unsigned i = 0; i < n; i++) {
        if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr &&
            address - segments[i].p_vaddr < segments[i].p_filesz) {
            *ret_offset = address - segments[i].p_vaddr + segments[i].p_offset;
            return true;
        }
    }
    return false;
}

static bool needs(const struct image *image, const Elf64_Phdr *segments,
                  unsigned n, const Elf64_Phdr *dynamic)
{
    uint64_t count = dynamic->p_filesz / sizeof(Elf64_Dyn);
    const Elf64_Dyn *entries =
        at(image, dynamic->p_offset, count * sizeof(Elf64_Dyn));
    uint64_t strings = 0;
    bool known = false;

    for (uint64_t i = 0; entries && i < count && !known; i++) {
        known = entries[i].d_tag == DT_STRTAB &&
                to_offset(segments, n, entries[i].d_un.d_ptr, &strings);
    }
    for (uint64_t i = 0; known && i < count; i++) {
        uint64_t name = strings + entries[i].d_un.d_val;

        if (entries[i].d_tag == DT_NEEDED && name >= strings &&
            name < image->size && image->size - name > strlen(LIBRARY) &&
            !memcmp(image->data + name, LIBRARY, strlen(LIBRARY))) {
            return true;
        }
    }
    return false;
}

bool ct_qemu_links_ust(const char *path)
{
    GMappedFile *file = g_mapped_file_new(path, FALSE, NULL);
    bool found = false;
    unsigned n;

    if (!file) {
        return false;
    }
    const struct image image = {g_mapped_file_get_contents(file),
                                g_mapped_file_get_length(file)};
    const Elf64_Phdr *segments = headers(&image, &n);
    for (unsigned i = 0; segments && i < n && !found; i++) {
        found = segments[i].p_type == PT_DYNAMIC &&
                needs(&image, segments, n, &segments[i]);
    }
    g_mapped_file_unref(file);
    return found;
}
