/* SPDX-License-Identifier: MIT */
/*
 * places.c - the functions at an address, inlined ones included
 *
 * The debugging information entries that contain an address form a chain from
 * the innermost inlined call to the real function.  The innermost one's line
 * is the line table's; each outer one's is where the call that was inlined
 * into it stands (call_file, call_line).  Names are those of the source: what
 * the compiler made of a function (.isra, .part, .constprop, .cold) has an
 * abstract origin that bears the name, and only a symbol table knows suffixes.
 */
#include <dwarf.h>
#include <string.h>

#include "symbols/object_int.h"

/* As the compiler named the file: relative names are of its directory, unless
 * that was made relative itself (-fdebug-prefix-map), as distributions do. */
static const char *full_path(struct ct_object *object, Dwarf_Die *unit,
                             const char *file)
{
    Dwarf_Attribute attribute;
    const char *dir;
    const char *kept;
    char *path;

    if (!file) {
        return NULL;
    }
    dir = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    if (!g_path_is_absolute(file) && !(dir && g_path_is_absolute(dir))) {
        return g_string_chunk_insert_const(object->strings, file);
    }
    path = g_canonicalize_filename(file,
                                   dir && g_path_is_absolute(dir) ? dir : "/");
    kept = g_string_chunk_insert_const(object->strings, path);
    g_free(path);
    return kept;
}

/* --- the symbol table ---------------------------------------------------- */

/* "do_read.part.0" -> "do_read"; "name@VERSION" -> "name" */
static const char *without_suffix(struct ct_object *object, const char *name)
{
    static const char *const suffixes[] = {".isra", ".part",     ".constprop",
                                           ".cold", ".lto_priv", ".llvm"};
    const char *end = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        const char *hit = strstr(name + (*name != '\0'), suffixes[i]);

        if (hit && (!end || hit < end)) {
            end = hit;
        }
    }
    return end ? g_string_chunk_insert_len(object->strings, name, end - name)
               : g_string_chunk_insert_const(object->strings, name);
}

static const char *symbol_name(struct ct_object *object, uint64_t address)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name =
        dwfl_module_addrinfo(object->module, address + object->bias, &offset,
                             &symbol, NULL, NULL, NULL);

    /* Between symbols the nearest one before is no answer. */
    if (!name || !*name || offset >= symbol.st_size) {
        return NULL;
    }
    return without_suffix(object, name);
}

/* --- debugging information ----------------------------------------------- */

static bool is_function(Dwarf_Die *die)
{
    return dwarf_tag(die) == DW_TAG_subprogram ||
           dwarf_tag(die) == DW_TAG_inlined_subroutine;
}

/* Not every compiler writes a table of which unit has which addresses. */
static Dwarf_Die *search_unit(Dwfl_Module *module, Dwarf_Addr address,
                              Dwarf_Addr *ret_bias)
{
    Dwarf_Die *unit = NULL;

    while ((unit = dwfl_module_nextcu(module, unit, ret_bias))) {
        if (dwarf_haspc(unit, address - *ret_bias) > 0) {
            return unit;
        }
    }
    return NULL;
}

static Dwarf_Die *find_unit(struct ct_object *object, uint64_t address,
                            Dwarf_Addr *ret_address)
{
    Dwarf_Addr in_module = address + object->bias;
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(object->module, in_module, &bias);

    if (!unit) {
        unit = search_unit(object->module, in_module, &bias);
    }
    *ret_address = in_module - bias;
    return unit;
}

static void set_call_site(struct ct_object *object, Dwarf_Die *unit,
                          Dwarf_Die *inlined, struct ct_place *place)
{
    Dwarf_Attribute attribute;
    Dwarf_Files *files;
    Dwarf_Word file;
    Dwarf_Word line;
    size_t n;

    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute),
                        &line) == 0) {
        place->line = (unsigned)line;
    }
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute),
                        &file) == 0 &&
        dwarf_getsrcfiles(unit, &files, &n) == 0 && file < n) {
        place->file =
            full_path(object, unit, dwarf_filesrc(files, file, NULL, NULL));
    }
}

/* @chain: from the innermost entry that has the address to its unit. */
static unsigned places_of_chain(struct ct_object *object, Dwarf_Die *unit,
                                Dwarf_Die *chain, int n_chain,
                                struct ct_place *places)
{
    unsigned n = 0;

    for (int i = 0; i < n_chain && n < CT_INLINE_MAX; i++) {
        const char *name;

        if (!is_function(&chain[i])) {
            continue;
        }
        name = dwarf_diename(&chain[i]);
        places[n].function =
            name ? g_string_chunk_insert_const(object->strings, name) : NULL;
        if (dwarf_tag(&chain[i]) == DW_TAG_subprogram) {
            return n + 1;
        }
        if (++n < CT_INLINE_MAX) {
            places[n] = (struct ct_place){0};
            set_call_site(object, unit, &chain[i], &places[n]);
        }
    }
    return n;
}

static unsigned debug_places(struct ct_object *object, uint64_t address,
                             struct ct_place *places)
{
    Dwarf_Addr in_debug;
    Dwarf_Die *unit = find_unit(object, address, &in_debug);
    Dwarf_Die *scopes = NULL;
    Dwarf_Die *chain = NULL;
    const char *file;
    unsigned n = 0;
    int n_scopes;
    int n_chain;

    if (!unit) {
        return 0;
    }
    if (ct_line_find(unit, in_debug, &file, &places[0].line)) {
        places[0].file = full_path(object, unit, file);
    }
    /* The scopes outside an inlined call are those of its definition; the ones
     * of where it was inlined are the ancestors of the innermost. */
    n_scopes = dwarf_getscopes(unit, in_debug, &scopes);
    n_chain = n_scopes > 0 ? dwarf_getscopes_die(&scopes[0], &chain) : 0;
    if (n_chain > 0) {
        n = places_of_chain(object, unit, chain, n_chain, places);
    }
    free(chain);
    free(scopes);
    return n;
}

unsigned ct_object_places(struct ct_object *object, uint64_t address,
                          struct ct_place *ret_places)
{
    unsigned n;

    ret_places[0] = (struct ct_place){0};
    n = debug_places(object, address, ret_places);
    if (n == 0) {
        n = 1;
    }
    if (!ret_places[n - 1].function) {
        ret_places[n - 1].function = symbol_name(object, address);
    }
    return n;
}
