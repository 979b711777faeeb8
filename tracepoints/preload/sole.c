/* SPDX-License-Identifier: MIT */
/*
 * sole.c - silent where the program has tracepoints of its own
 *
 * Whether it has is asked before anything is told, of all files that came with
 * the program: this library begins before them.  One that is opened later says
 * so itself: what was told of the process until then is over for who reads the
 * trace, and the process begins anew with its first telling (number 1 again).
 * That needs a telling of ours before it, and in a child there was none yet.
 */
#include "provider/sole.h"

#include <link.h>
#include <stdint.h>

#include "ct/mark.h"
#include "ct/retell.h"

#include "guard.h"
#include "provider/stack_int.h"
#include "sandbox.h"

/* Notes are read where they are loaded, which not all of them need be. */
static bool is_loaded(const struct dl_phdr_info *object,
                      const ElfW(Phdr) * notes)
{
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && part->p_flags & PF_R &&
            notes->p_vaddr >= part->p_vaddr &&
            notes->p_filesz <= part->p_filesz &&
            notes->p_vaddr - part->p_vaddr <=
                part->p_filesz - notes->p_filesz) {
            return true;
        }
    }
    return false;
}

static int see_object(struct dl_phdr_info *object, size_t size, void *opaque)
{
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_NOTE && is_loaded(object, part) &&
            ct_mark_is_in((const void *)(object->dlpi_addr + part->p_vaddr),
                          part->p_filesz)) {
            return 1;
        }
    }
    return 0;
}

static enum { UNASKED, SOLE, SILENT } answer; /* by threads that load alone */

bool ct_sole_may(void)
{
    if (answer == UNASKED) {
        answer = dl_iterate_phdr(see_object, NULL) ? SILENT : SOLE;
    }
    return answer == SOLE;
}

/* Nobody is silent for us. */
bool ct_sole_take_over(void)
{
    return false;
}

/**
 * ct_preload_give_up() - somebody else tells of this process from here on
 *
 * For provider/sole.c, which finds it by name.  Other threads' events that are
 * on their way may come after it.
 * Return: we may have told.
 */
CT_HOOK bool ct_preload_give_up(void);

bool ct_preload_give_up(void)
{
    if (!ct_sole_may()) {
        return false;
    }
    ct_self.busy++;
    ct_retell_poll();
    ct_self.busy--;
    answer = SILENT;
    /* Threads of ours go on as under a filter that refuses as much. */
    __atomic_store_n(&ct_outer_keeps, true, __ATOMIC_RELAXED);
    (void)__atomic_fetch_or(&ct_sandbox_refused,
                            CT_SANDBOX_RECORD | CT_SANDBOX_THREADS,
                            __ATOMIC_RELAXED);
    ct_guard_end_thread();
    return true;
}
