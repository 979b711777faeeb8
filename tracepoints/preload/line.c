/* SPDX-License-Identifier: MIT */
/*
 * line.c - lines of QEMU's trace log, where the program prints them
 *
 * COTRACE_LINES in the environment: `only`: a line that is an event is recorded
 * instead of being printed; `also`: it is printed as well; else nothing is done
 * here.  QEMU prints an event with one call, whose format is a string of its
 * own that begins with the event's name.  So whether a format is one of an
 * event is found out once and remembered by its address; an event that this
 * version does not know is printed as ever.
 *
 * What the line says is decoded later, by who reads the trace.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct/schema.h"

#include "format.h"
#include "guard.h"
#include "stacks.h"

extern int __vfprintf_chk(FILE *, int, const char *, va_list);
extern int __fprintf_chk(FILE *, int, const char *, ...);

CT_REAL_OF(__vfprintf_chk);
CT_REAL_OF(vfprintf);

#define STAMP "%d@%zu.%06zu:" /* in front of the name, if there are times */

enum {
    LINE_MAX_BYTES = 4096,
    NAME_MAX_BYTES = 96,
    FORMATS = 4096, /* power of two */
};

enum { LINES_OFF, LINES_ONLY, LINES_ALSO };

static int lines; /* immutable after the start */

__attribute__((constructor)) static void read_lines(void)
{
    const char *text = getenv("COTRACE_LINES");

    lines = !text                       ? LINES_OFF
            : strcmp(text, "only") == 0 ? LINES_ONLY
            : strcmp(text, "also") == 0 ? LINES_ALSO
                                        : LINES_OFF;
    ct_guard_has_lines = lines != LINES_OFF;
}

/* --- formats -------------------------------------------------------------- */

/* Address of a format, and in its lowest bit whether it is an event's. */
static uintptr_t formats[FORMATS]; /* atomic */

static bool begins_with_event(const char *format)
{
    char name[NAME_MAX_BYTES];
    size_t length;

    if (strncmp(format, STAMP, sizeof(STAMP) - 1) == 0) {
        format += sizeof(STAMP) - 1;
    }
    length = strcspn(format, " \n%");
    if (length == 0 || length >= sizeof(name) || format[length] == '%') {
        return false;
    }
    memcpy(name, format, length);
    name[length] = '\0';
    return ct_schema_find("qemu", name) >= 0;
}

/* Formats stand in the program's constant data; one that does not can be
 * another one later at the same address, and begins with no event's name. */
static bool is_event(const char *format)
{
    uintptr_t key = (uintptr_t)format << 1;
    uintptr_t *slot = &formats[((uintptr_t)format >> 3) % FORMATS];
    uintptr_t known = __atomic_load_n(slot, __ATOMIC_RELAXED);

    if ((known & ~(uintptr_t)1) != key) {
        known = key | begins_with_event(format);
        __atomic_store_n(slot, known, __ATOMIC_RELAXED);
    }
    return known & 1;
}

/* --- lines ---------------------------------------------------------------- */

static void tell(const char *text)
{
    uintptr_t base = ct_stacks_first(ct_self.guard->stack);

    if (base) {
        ct_emit_native_here(base);
    }
    ct_emit_native_line(text);
}

CT_TOLD static void told_line(const char *text)
{
    CT_GUARDED(tell(text));
}

/* Return: what the call is to return; -1: the line is to be printed. */
CT_TOLD static int take(const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES];
    const char *begin = text;
    va_list copy;
    int length;

    if (!ct_emit_on_native_line() || !ct_guard_may() || !is_event(format)) {
        return -1;
    }
    length = ct_format(text, sizeof(text), format, arguments);
    if (length < 0) {
        va_copy(copy, arguments);
        length = vsnprintf(text, sizeof(text), format, copy);
        va_end(copy);
    }
    if (length <= 0) {
        return -1;
    }
    if (length < LINE_MAX_BYTES && text[length - 1] == '\n') {
        text[length - 1] = '\0';
    }
    if (format[0] == '%') { /* the stamp */
        begin = strchr(text, ':');
        begin = begin ? begin + 1 : text;
    }
    told_line(begin);
    return lines == LINES_ONLY ? length : -1;
}

CT_HOOK int __vfprintf_chk(FILE *file, int flag, const char *format,
                           va_list arguments)
{
    int length = lines ? take(format, arguments) : -1;

    return length >= 0 ? length
                       : CT_REAL(__vfprintf_chk)(file, flag, format, arguments);
}

CT_HOOK int vfprintf(FILE *file, const char *format, va_list arguments)
{
    int length = lines ? take(format, arguments) : -1;

    return length >= 0 ? length : CT_REAL(vfprintf)(file, format, arguments);
}

CT_HOOK int fprintf(FILE *file, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = lines ? take(format, arguments) : -1;
    if (length < 0) {
        length = CT_REAL(vfprintf)(file, format, arguments);
    }
    va_end(arguments);
    return length;
}

CT_HOOK int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = lines ? take(format, arguments) : -1;
    if (length < 0) {
        length = CT_REAL(__vfprintf_chk)(file, flag, format, arguments);
    }
    va_end(arguments);
    return length;
}
