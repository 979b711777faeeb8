/* SPDX-License-Identifier: MIT */
/*
 * ct/backtrace.h - the logical backtrace of an entity at an instant
 *
 * Model:    a consumer that watches one entity (or the request that it must
 *           first find), and after the pass joins its own frames with its
 *           chain of origins, names looked up at the end.
 * Threads:  one pass, one thread.
 * Memory:   the query owns its result; frames are valid until it is freed.
 * Errors:   GError, domain CT_TRACE_ERROR (ct/trace.h): no such entity.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_BACKTRACE_H
#define CT_BACKTRACE_H

#include "ct/consumer.h"

enum ct_backtrace_of {
    CT_BACKTRACE_REQUEST,   /* id: number in the trace */
    CT_BACKTRACE_COROUTINE, /* id */
    CT_BACKTRACE_WORKER,    /* id: the worker's tid */
    CT_BACKTRACE_WORK,      /* id */
};

struct ct_frame {
    enum ct_boundary boundary; /* CT_BOUNDARY_NONE: a frame of code */
    /* code */
    uint64_t address;      /* as on the stack: a return address */
    const char *function;  /* NULL: not known */
    const char *file;      /* source file; NULL: not known */
    unsigned line;         /* 0: not known */
    const char *image;     /* file that the code lies in; NULL: not known */
    uint64_t image_offset; /* address within it */
    bool inlined;
    bool limit; /* frames are missing outside this one */
    /* boundary */
    uint64_t stack; /* id of the stack outside it; 0: not known */
    uint64_t id;
    bool is_request;    /* see struct ct_origin */
    bool has_when;      /* false: the two times are not known */
    int64_t elapsed_ns; /* from the cut to what lies inside it */
    int64_t when_ns;    /* of the cut */
    int32_t tid;
    unsigned n_also;
    uint64_t repeats; /* see struct ct_origin */
    unsigned period;
    uint64_t skipped;
    bool cut; /* what lies outside is not known; the last frame */
};

struct ct_backtrace {
    int32_t pid;
    bool has_stack_ns;
    uint64_t stack;   /* id of the entity's own; 0: not known */
    int64_t stack_ns; /* since 1970 */
    bool complete;    /* reaches the base of a thread */
    unsigned n_frames;
    const struct ct_frame *frames; /* innermost first */
};

struct ct_backtrace_query; /* contains a struct ct_consumer */

/**
 * ct_backtrace_new() - a query for one entity
 * @of:    what kind
 * @id:    see enum ct_backtrace_of
 * @pid:   process, 0: the only one that has such an id
 * @at_ns: instant from the trace's origin; -1: the kind's default (DESIGN §7)
 */
struct ct_backtrace_query *ct_backtrace_new(enum ct_backtrace_of of,
                                            uint64_t id, int32_t pid,
                                            int64_t at_ns);

struct ct_consumer *ct_backtrace_consumer(struct ct_backtrace_query *query);

/** ct_backtrace_result() - borrowed; NULL before the pass has finished */
const struct ct_backtrace *ct_backtrace_result(
    const struct ct_backtrace_query *query);

void ct_backtrace_free(struct ct_backtrace_query *query);

/* --- names, for renderers that show single addresses ---------------------- */

/**
 * ct_symbols_debug_dirs() - where debug information is looked for first
 * @list: directories with a colon between them; NULL: none
 *
 * Context: of the process; before anything is resolved.
 */
void ct_symbols_debug_dirs(const char *list);

struct ct_symbol_files;
struct ct_symbols; /* resolves through libdwfl, each address once */

/**
 * ct_symbols_new() - names in the processes of a trace
 * @files: what is opened is kept there, and not opened again, for all that are
 *         made with it; NULL: for this one
 */
struct ct_symbols *ct_symbols_new(const struct ct_images *images,
                                  struct ct_symbol_files *files);
void ct_symbols_free(struct ct_symbols *symbols);

/**
 * ct_symbol_files_new() - files of code, opened once for several traces
 *
 * To read a large library's debug information takes long.
 * Context: one thread, for all that is made with it.
 */
struct ct_symbol_files *ct_symbol_files_new(void);
/** ct_symbol_files_free() - the caller's share: they live as long as anybody's
 * symbols do; NULL is allowed */
void ct_symbol_files_free(struct ct_symbol_files *files);

/**
 * ct_symbols_function() - name of the function at an address
 * @address: a function's address or (@is_return) a return address
 * Return: as in DWARF (no .isra, .part, .constprop), without file; NULL: not
 * known.  Valid until ct_symbols_free().
 */
const char *ct_symbols_function(struct ct_symbols *symbols, int32_t pid,
                                uint64_t address, bool is_return);

/** ct_symbols_frames() - the frames at a return address, inlined ones first
 * Return: their number, at least 1; @ret_frames valid until free. */
unsigned ct_symbols_frames(struct ct_symbols *symbols, int32_t pid,
                           uint64_t address, bool is_return,
                           const struct ct_frame **ret_frames);

/** ct_stacks_get() - addresses of one piece; false: never told */
bool ct_stacks_get(const struct ct_stacks *stacks, int32_t pid, uint64_t id,
                   const uint64_t **ret_addresses, unsigned *ret_n,
                   uint64_t *ret_outer, bool *ret_limit);

#endif
