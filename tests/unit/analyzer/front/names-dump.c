/* SPDX-License-Identifier: MIT */
/*
 * names-dump.c - what a file of code says of addresses: one a line on stdin
 *
 *     names-dump FILE [BUILD-ID]
 *
 * Writes "address|function:file:line|..." with the innermost first, as
 * names_gdb.py does; "other" if the file has another build id.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbols/object.h"

static void put_place(const struct ct_place *place)
{
    const char *slash = place->file ? strrchr(place->file, '/') : NULL;

    printf("|%s:%s:%u", place->function ? place->function : "?",
           slash         ? slash + 1
           : place->file ? place->file
                         : "?",
           place->line);
}

int main(int argc, char **argv)
{
    bool other;
    struct ct_object *object;
    uint64_t address;

    if (argc < 2) {
        return 2;
    }
    object = ct_object_open(argv[1], argc > 2 ? argv[2] : NULL, &other);
    if (!object) {
        puts(other ? "other" : "unreadable");
        return 1;
    }
    while (scanf("%" SCNx64, &address) == 1) {
        struct ct_place places[CT_INLINE_MAX];
        unsigned n = ct_object_places(object, address, places);

        printf("%" PRIx64, address);
        for (unsigned i = 0; i < n; i++) {
            put_place(&places[i]);
        }
        putchar('\n');
    }
    ct_object_free(object);
    return 0;
}
