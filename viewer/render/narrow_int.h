/* SPDX-License-Identifier: MIT */
/*
 * narrow_int.h - what narrow.c and narrow_find.c share
 *
 * Depends:  render/narrow.h.
 */
#ifndef CT_RENDER_NARROW_INT_H
#define CT_RENDER_NARROW_INT_H

#include "render/narrow.h"

struct ct_stretch {
    int64_t begin_ns;
    int64_t end_ns;
};

struct ct_narrow {
    struct ct_consumer finder; /* first: narrow_find.c casts */
    struct ct_consumer filter;
    struct ct_consumer *inner;

    /* what is looked for */
    GHashTable *wanted; /* number -> owned; NULL: the slowest */
    uint64_t slowest;
    GHashTable *contexts; /* thread_key(pid, context) -> tid */
    GPtrArray *found;     /* struct found (owned) */

    /* what was found */
    GHashTable *chosen;  /* numbers, those inside of them as they come */
    GHashTable *related; /* numbers: parents, who held them up */
    GHashTable *regions; /* pid and tid -> GArray of struct ct_stretch */
    GArray *times;       /* struct ct_stretch: of all */

    GHashTable *threads; /* pid and tid -> struct open_thread (owned) */
};

/** ct_narrow_key() - of two numbers, to be freed */
uint64_t *ct_narrow_key(uint64_t number);
uint64_t ct_narrow_thread(int32_t pid, uint64_t tid);

/** ct_narrow_touches() - does any of them overlap? Sorted, without overlaps */
bool ct_narrow_touches(const GArray *stretches, int64_t begin_ns,
                       int64_t end_ns);

/** ct_narrow_find_init(), ct_narrow_find_fini() - narrow_find.c's part */
void ct_narrow_find_init(struct ct_narrow *narrow, const GArray *numbers,
                         uint64_t slowest);
void ct_narrow_find_fini(struct ct_narrow *narrow);

#endif
