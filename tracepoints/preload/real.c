/* SPDX-License-Identifier: MIT */
/*
 * real.c - looks for the functions that the program would have found
 *
 * What the program itself was started with lies in the global scope, and so do
 * we, before it: RTLD_NEXT finds it, and it stays as long as the process.
 *
 * A module that was opened later for its opener alone (a plug-in) has a scope
 * of its own behind the global one.  It finds our hooks in the global one
 * first, and nobody there has the real one.  Several modules may bring one
 * each, under any name.  So what its caller sees is searched: the libraries of
 * the caller's own file, and if that doesn't say whose it is (its opener's,
 * code that was made at run time), all others in the order in which they were
 * loaded.
 *
 * Modules go, and others come where they were.  What was found for a caller
 * counts for it as long as nothing was unloaded; the loader counts that.
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard.h"

extern struct ct_real __start_ct_real_functions[],
    __stop_ct_real_functions[] __attribute__((visibility("hidden")));

/* --- what nobody has ------------------------------------------------------ */

static int no_ring_function(void)
{
    return -ENOSYS;
}

static int no_system_function(void)
{
    errno = ENOSYS;
    return -1;
}

static bool is_of_rings(const char *name)
{
    return strncmp(name, "io_", 3) == 0 || strncmp(name, "__io_", 5) == 0;
}

/* A program may ask whether it is there, and we are. */
static void *missing(const char *name)
{
    static const char text[] = "cotrace: the C library has no function ";

    if (is_of_rings(name)) {
        return (void *)(uintptr_t)no_ring_function;
    }
    if (strcmp(name, "close_range") == 0) {
        return (void *)(uintptr_t)no_system_function;
    }
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)!write(STDERR_FILENO, name, strlen(name));
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}

/* --- in the global scope -------------------------------------------------- */

static void *look(const char *name)
{
#ifdef __x86_64__
    /* Two of these have an older version, of other objects. */
    void *function = strncmp(name, "pthread_cond_", 13) == 0
                         ? dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2")
                         : NULL;

    if (function) {
        return function;
    }
#endif
    return dlsym(RTLD_NEXT, name);
}

void ct_real_find_all(void)
{
    for (struct ct_real *real = __start_ct_real_functions;
         real < __stop_ct_real_functions; real++) {
        __atomic_store_n(&real->function, look(real->name), __ATOMIC_RELAXED);
    }
    (void)dlerror(); /* the program is told of its own errors only */
}

void *ct_real_find(struct ct_real *real)
{
    void *function;

    ct_self.busy++;
    function = look(real->name);
    ct_self.busy--;
    if (!function) {
        return missing(real->name);
    }
    __atomic_store_n(&real->function, function, __ATOMIC_RELAXED);
    return function;
}

/* --- in a caller's scope -------------------------------------------------- */

enum { KEPT = 4, NAME_BYTES = 4096 };

/* Found for a caller while that many objects had been unloaded. */
struct found {
    const struct ct_real *real;
    const void *caller;
    void *function;
    unsigned long long n_unloaded;
};

/* Home thread only, and of it not who interrupts the change: its latest
 * callers. */
static __thread struct found kept[KEPT]
    __attribute__((tls_model("initial-exec")));

static int count_unloaded(struct dl_phdr_info *info, size_t bytes, void *opaque)
{
    *(unsigned long long *)opaque = info->dlpi_subs;
    return 1; /* the same for each */
}

/* What is looked for: the @skip-th object, or the one with @address. */
struct object {
    const char *address;
    unsigned skip;
    bool is_found;
    char name[NAME_BYTES]; /* "": the program */
};

static bool has(const struct dl_phdr_info *info, const char *address)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type == PT_LOAD &&
            (uintptr_t)address - (info->dlpi_addr + part->p_vaddr) <
                part->p_memsz) {
            return true;
        }
    }
    return false;
}

static int see_object(struct dl_phdr_info *info, size_t bytes, void *opaque)
{
    struct object *object = opaque;
    size_t length = info->dlpi_name ? strlen(info->dlpi_name) : 0;

    if (object->address ? !has(info, object->address) : object->skip-- > 0) {
        return 0;
    }
    object->is_found = true;
    object->name[0] = '\0';
    if (length < sizeof(object->name)) {
        memcpy(object->name, info->dlpi_name ? info->dlpi_name : "",
               length + 1);
    }
    return 1;
}

/* Of that object and of the libraries it needs; the hooks are not meant. */
static void *look_in(const struct object *object, const char *name)
{
    void *library =
        object->name[0] ? dlopen(object->name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    void *function = library ? dlsym(library, name) : NULL;
    Dl_info ours, its;

    if (library) {
        (void)dlclose(library); /* its caller has it open */
    }
    return function && dladdr((const void *)(uintptr_t)look_in, &ours) &&
                   dladdr(function, &its) && ours.dli_fbase != its.dli_fbase
               ? function
               : NULL;
}

static void *look_for(const char *name, const void *caller)
{
    struct object object = {.address = caller};
    void *function = look(name);

    if (!function && dl_iterate_phdr(see_object, &object)) {
        function = look_in(&object, name);
    }
    for (unsigned i = 0; !function; i++) {
        object = (struct object){.skip = i};
        if (!dl_iterate_phdr(see_object, &object)) {
            break;
        }
        function = look_in(&object, name);
    }
    return function;
}

void *ct_real_find_for(struct ct_real *real, const void *caller)
{
    struct found found = {.real = real, .caller = caller};
    bool is_whole = !ct_self.busy;
    int error = errno;

    (void)dl_iterate_phdr(count_unloaded, &found.n_unloaded);
    for (unsigned i = 0; is_whole && i < KEPT; i++) {
        if (kept[i].real == real && kept[i].caller == caller &&
            kept[i].n_unloaded == found.n_unloaded) {
            return kept[i].function;
        }
    }
    ct_self.busy++;
    found.function = look_for(real->name, caller);
    (void)dlerror();
    if (is_whole && found.function) {
        memmove(&kept[1], &kept[0], sizeof(kept) - sizeof(kept[0]));
        kept[0] = found;
    }
    ct_self.busy--;
    errno = error;
    return found.function ? found.function : missing(real->name);
}
