/* SPDX-License-Identifier: MIT */
/*
 * ct/entity.h - what lives in a traced process, and where it came from
 *
 * Model:    an entity is identified by its process and a 64-bit id that is
 *           never reused there.  An origin says what brought an entity into
 *           being; origins form chains that end at a thread's start, and
 *           outlive the entities that they passed through.
 * Threads:  one pass, one thread.
 * Memory:   origins are immutable and counted; everything else is borrowed.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_ENTITY_H
#define CT_ENTITY_H

#include <stdbool.h>
#include <stdint.h>

enum ct_entity_kind {
    CT_ENTITY_NONE,
    CT_ENTITY_THREAD, /* id: the thread's; the main thread and threads that
                         were not told have the id 0 and are known by tid */
    CT_ENTITY_CONTEXT,
    CT_ENTITY_COROUTINE,
    CT_ENTITY_BH,
    CT_ENTITY_TIMER,
    CT_ENTITY_FD_HANDLER,
    CT_ENTITY_POOL,
    CT_ENTITY_WORK,
    CT_ENTITY_WORKER,
    CT_ENTITY_MUTEX,
    CT_ENTITY_QUEUE,
    CT_ENTITY_REQUEST,
    CT_ENTITY_KINDS,
};

/* Where the real stack is cut; words: ct_boundary_word(). */
enum ct_boundary {
    CT_BOUNDARY_NONE,
    CT_BOUNDARY_COROUTINE,
    CT_BOUNDARY_BOTTOM_HALF,
    CT_BOUNDARY_TIMER,
    CT_BOUNDARY_FD_HANDLER,
    CT_BOUNDARY_WORK_ITEM,
    CT_BOUNDARY_WORKER_SPAWN,
    CT_BOUNDARY_THREAD,
};

const char *ct_boundary_word(enum ct_boundary boundary);

/* How sure a statement is; a loss can only lower it. */
enum ct_certainty {
    CT_KNOWN,
    CT_BOUND, /* true within the bounds that stand beside it */
    CT_UNKNOWN,
};

/*
 * Behind entity `id` (read outward): it was brought into being at `when_ns` by
 * code whose stack was `stack`, which itself ran in what `next` describes.
 * next == NULL: `stack` reaches the base of its thread, or, with `cut`, what
 * lies outside is not known.
 *
 * A chain is unbounded in principle (a bottom half that schedules itself for
 * ever); it is kept bounded, and says where: docs/MODEL.md.
 */
struct ct_origin {
    unsigned refs;
    enum ct_boundary boundary;
    bool cut;
    bool is_request; /* of a worker: what lies outside asked the pool for one
                        more; entity `id` is what then created it */
    int32_t pid;
    int32_t tid;     /* that the stack was taken on */
    uint64_t id;     /* of the entity inside this boundary */
    uint64_t stack;  /* id; 0: not known */
    int64_t when_ns; /* 0: not known */
    struct ct_origin *next;
    unsigned n_also;        /* later causes that were coalesced into this one */
    uint64_t also_stack[4]; /* the first of them: their stacks */
    /* times that this boundary and the next period - 1 came once more in a
       row, outside this one; not in the chain */
    uint64_t repeats;
    unsigned period;  /* 0 without repeats */
    uint64_t skipped; /* boundaries left out between this one and `next` */
    unsigned length;  /* of the chain from here, the left out not counted */
    struct ct_origin *shortened; /* private to origin.c */
};

struct ct_origin *ct_origin_ref(struct ct_origin *origin);
void ct_origin_unref(struct ct_origin *origin);

#endif
