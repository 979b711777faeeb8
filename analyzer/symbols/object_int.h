/* SPDX-License-Identifier: MIT */
/*
 * symbols/object_int.h - what the files of an object share
 *
 * Depends:  symbols/object.h, libdwfl.
 */
#ifndef CT_SYMBOLS_OBJECT_INT_H
#define CT_SYMBOLS_OBJECT_INT_H

#include <elfutils/libdwfl.h>

#include "symbols/object.h"

struct ct_object {
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t base; /* first mapped address in the file */
    uint64_t bias; /* from the file's addresses to the module's */
    GStringChunk *strings;
};

/**
 * ct_line_find() - the source line of an address, as gdb has it
 * @unit:    compilation unit
 * @address: in the debug information
 * Return: false: none.
 */
bool ct_line_find(Dwarf_Die *unit, Dwarf_Addr address, const char **ret_file,
                  unsigned *ret_line);

#endif
