/* SPDX-License-Identifier: MIT */
/*
 * symbols/object.h - one file of code: from its addresses to frames
 *
 * Model:    opened once a path and build id; asked with addresses as they
 *           stand in the file (virtual addresses of its program headers).
 * Threads:  one.
 * Memory:   strings are the object's.
 * Errors:   an object that can't be opened is NULL; what it does not know is
 *           NULL or 0 in a frame.
 * Depends:  libdwfl.
 */
#ifndef CT_SYMBOLS_OBJECT_H
#define CT_SYMBOLS_OBJECT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CT_INLINE_MAX 64 /* functions inlined into each other */

struct ct_object;

struct ct_place {
    const char *function; /* NULL: not known */
    const char *file;     /* NULL: not known */
    unsigned line;        /* 0: not known */
};

/**
 * ct_object_open() - a file as the traced program had it
 * @build_id: hex digits that the file must have; NULL: any
 * @ret_other: the file is there, and another one than was traced
 */
struct ct_object *ct_object_open(const char *path, const char *build_id,
                                 bool *ret_other);
void ct_object_free(struct ct_object *object);

/** ct_object_base() - address in the file of what is mapped first */
uint64_t ct_object_base(const struct ct_object *object);

/**
 * ct_object_places() - the functions at an address, innermost first
 * @ret_places: room for CT_INLINE_MAX
 * Return: their number, at least 1: the last is the real function.
 */
unsigned ct_object_places(struct ct_object *object, uint64_t address,
                          struct ct_place *ret_places);

#endif
