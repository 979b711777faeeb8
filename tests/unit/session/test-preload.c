/* SPDX-License-Identifier: MIT */
/*
 * test-preload.c - what a program's file says about preloading into it
 *
 * The files have an ELF header, program headers, and nothing that could run.
 */
#include <elf.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "ct/mark.h"
#include "session/preload.h"

#include "lib/tap.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define LOADER  "/lib64/ld-linux-x86-64.so.2"
#else
#define MACHINE EM_AARCH64
#define LOADER  "/lib/ld-linux-aarch64.so.1"
#endif

struct file {
    Elf64_Ehdr elf;
    Elf64_Phdr headers[2];
    char loader[64];
    struct {
        Elf64_Nhdr note;
        char name[8];
    } notes[2]; /* another's, then ours */
};

static char *path; /* of the file of the case */

static struct file file_of(unsigned machine, const char *loader)
{
    struct file file = {
        .elf = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
                .e_machine = (Elf64_Half)machine,
                .e_phoff = offsetof(struct file, headers),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = loader ? 2 : 1},
        .headers = {{.p_type = PT_LOAD},
                    {.p_type = PT_INTERP,
                     .p_offset = offsetof(struct file, loader),
                     .p_filesz = sizeof(file.loader)}},
    };

    (void)g_strlcpy(file.loader, loader ? loader : "", sizeof(file.loader));
    return file;
}

/* @why: how it begins for people; NULL: nothing is to be said */
static void expect(const void *bytes, size_t n, enum ct_preload_verdict verdict,
                   const char *why)
{
    struct ct_preload preload;

    tap_check(g_file_set_contents(path, bytes, (gssize)n, NULL));
    ct_preload_look(path, &preload);
    g_autofree char *said = ct_preload_why_not(&preload);
    tap_equal(preload.verdict, verdict);
    tap_check(!said == !why && (!why || g_str_has_prefix(said, why)));
    tap_equal(ct_preload_harms(&preload), verdict == CT_PRELOAD_OTHER_LIBC);
}

static void test_loaders(void)
{
    struct file ours = file_of(MACHINE, LOADER);
    struct file musl = file_of(MACHINE, "/lib/ld-musl-x86_64.so.1");
    struct file none = file_of(MACHINE, NULL);
    struct file other = file_of(EM_386, LOADER);

    expect(&ours, sizeof(ours), CT_PRELOAD_WORKS, NULL);
    expect(&musl, sizeof(musl), CT_PRELOAD_OTHER_LIBC,
           "it is linked with another C library (ld-musl-x86_64.so.1)");
    expect(&none, sizeof(none), CT_PRELOAD_STATIC, "it is statically linked");
    expect(&other, sizeof(other), CT_PRELOAD_OTHER_MACHINE,
           "it is of another machine");
}

static bool has_tracepoints(const struct file *file)
{
    struct ct_preload preload;

    tap_check(
        g_file_set_contents(path, (const char *)file, sizeof(*file), NULL));
    ct_preload_look(path, &preload);
    tap_equal(preload.verdict, CT_PRELOAD_WORKS);
    return preload.has_tracepoints;
}

static void test_tracepoints(void)
{
    struct file file = file_of(MACHINE, LOADER);

    tap_check(!has_tracepoints(&file));
    file.headers[0] = (Elf64_Phdr){.p_type = PT_NOTE,
                                   .p_offset = offsetof(struct file, notes),
                                   .p_filesz = sizeof(file.notes)};
    file.notes[0].note = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 3};
    file.notes[1].note = (Elf64_Nhdr){.n_namesz = 8, .n_type = CT_MARK_TYPE};
    memcpy(file.notes[0].name, "GNU", 4);
    memcpy(file.notes[1].name, CT_MARK_OWNER, 8);
    tap_check(has_tracepoints(&file));

    file.notes[1].note.n_type++;
    tap_check(!has_tracepoints(&file));
    file.notes[1].note.n_type--;
    file.notes[1].name[0] = 'C';
    tap_check(!has_tracepoints(&file));
    file.notes[1].name[0] = 'c';
    file.headers[0].p_filesz--; /* cut */
    tap_check(!has_tracepoints(&file));
    file.headers[0].p_filesz++;
    file.notes[0].note.n_descsz = UINT32_MAX;
    tap_check(!has_tracepoints(&file));
    file.notes[0].note.n_namesz = UINT32_MAX;
    tap_check(!has_tracepoints(&file));
    file.headers[0].p_offset = UINT64_C(1) << 40;
    tap_check(!has_tracepoints(&file));
}

static void test_damaged(void)
{
    struct file far = file_of(MACHINE, LOADER);

    far.elf.e_phoff = UINT64_C(1) << 40;
    expect(&far, sizeof(far), CT_PRELOAD_WORKS, NULL);
    far = file_of(MACHINE, LOADER);
    far.headers[1].p_offset = UINT64_C(1) << 40;
    expect(&far, sizeof(far), CT_PRELOAD_WORKS, NULL);
    expect(&far, 20, CT_PRELOAD_OTHER_MACHINE, "it is of another machine");
    expect("#!/bin/sh\n", 10, CT_PRELOAD_WORKS, NULL);
    expect("", 0, CT_PRELOAD_WORKS, NULL);
}

static void test_nothing_there(void)
{
    struct ct_preload preload;

    ct_preload_look("/does/not/exist", &preload);
    tap_equal(preload.verdict, CT_PRELOAD_WORKS);
    ct_preload_look("/proc/self/exe", &preload);
    tap_equal(preload.verdict, CT_PRELOAD_WORKS);
    tap_check(g_str_has_suffix(LOADER, preload.loader) && *preload.loader);
}

int main(void)
{
    int fd = g_file_open_tmp("cotrace-preload-XXXXXX", &path, NULL);

    tap_check(fd >= 0 && !close(fd));
    tap_run("who loads it", test_loaders);
    tap_run("whether it has tracepoints", test_tracepoints);
    tap_run("what can't be read is not refused", test_damaged);
    tap_run("what is not there, and this program", test_nothing_there);
    tap_check(!g_unlink(path));
    g_free(path);
    return tap_end();
}
