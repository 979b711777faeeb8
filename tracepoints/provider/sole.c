/* SPDX-License-Identifier: MIT */
/*
 * sole.c - a program's own tracepoints tell of it, whoever else could
 *
 * A library that is preloaded is found by name: it is in everybody's scope.
 */
#include "sole.h"

#include <dlfcn.h>
#include <stddef.h>

#include "ct/mark.h"

#define TEXT_OF(value)  #value
#define VALUE_OF(value) TEXT_OF(value)

/* By assembly: only so is the section one of notes with every compiler. */
__asm__(".pushsection .note.cotrace, \"a\", %note\n"
        ".balign 4\n"
        ".long 2f - 1f, 0, " VALUE_OF(CT_MARK_TYPE) "\n"
                                                    "1: .asciz \"" CT_MARK_OWNER
                                                    "\"\n"
                                                    "2: .balign 4\n"
                                                    ".popsection\n");

bool ct_sole_may(void)
{
    return true;
}

bool ct_sole_take_over(void)
{
    bool (*give_up)(void) =
        (bool (*)(void))dlsym(RTLD_DEFAULT, "ct_preload_give_up");

    return give_up && give_up();
}
