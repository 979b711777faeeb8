/* SPDX-License-Identifier: MIT */
/*
 * window_int.h - what window.c and window_cut.c share
 *
 * Depends:  window.h.
 */
#ifndef CT_WINDOW_INT_H
#define CT_WINDOW_INT_H

#include "window.h"

struct ct_window_key {
    uint64_t id;
    int32_t pid;
    int32_t kind;
};

struct ct_window {
    struct ct_consumer consumer;
    struct ct_consumer *told[2]; /* the one above, NULL */
    struct ct_consumer *const *inner;
    bool is_open;
    int64_t begin_ns;

    /* what is open while it is closed; of slices, until they end */
    GHashTable *requests;   /* set of struct ct_request, account's own */
    GHashTable *threads;    /* struct ct_window_key -> struct thread (owned) */
    GPtrArray *thread_list; /* the same, in the order of their first slices */
    GHashTable
        *counters; /* struct ct_window_key -> struct ct_counter (owned) */
    GPtrArray *counter_list;
    GHashTable *names; /* struct ct_window_key -> struct name (owned) */
    GPtrArray *name_list;
    GHashTable *stacks; /* struct ct_window_key -> struct stacks (owned) */

    /* requests have numbers of the window's own */
    uint64_t last_number;  /* the greatest that began before it */
    uint64_t n_open;       /* of those, open where it begins */
    GHashTable *numbers;   /* of these: number (owned) -> the window's */
    GArray *segments;      /* of the request that is handed on */
    GArray *ran;           /* likewise */
    GArray *path_segments; /* likewise */
};

/* Calls one function of every consumer that has it and has not failed. */
#define CT_WINDOW_TELL(window, function, what)                   \
    do {                                                         \
        for (unsigned i_ = 0; (window)->inner[i_]; i_++) {       \
            struct ct_consumer *consumer_ = (window)->inner[i_]; \
                                                                 \
            if (consumer_->function && !consumer_->failed) {     \
                consumer_->function(consumer_, what);            \
            }                                                    \
        }                                                        \
    } while (0)

static inline struct ct_window *ct_window_of(struct ct_consumer *consumer)
{
    return (struct ct_window *)consumer; /* its first member */
}

/* window.c: for tables by struct ct_window_key */
guint ct_window_hash(gconstpointer key);
gboolean ct_window_equal(gconstpointer a, gconstpointer b);

/* window_stacks.c */

GHashTable *ct_window_stacks_new(void);
void ct_window_own_stack(struct ct_consumer *consumer,
                         const struct ct_own_stack *own);
/** ct_window_forget_stacks() - of what has ended */
void ct_window_forget_stacks(struct ct_window *window,
                             const struct ct_life *life);
void ct_window_tell_stacks(struct ct_window *window);

/* window_cut.c */

/** ct_window_number() - the window's number of a request; 0: it is not in it */
uint64_t ct_window_number(const struct ct_window *window, uint64_t number);

/** ct_window_tell_begin() - a request, under the window's number */
void ct_window_tell_begin(struct ct_window *window, struct ct_request *request);

/** ct_window_tell_request() - what of it lies in the window */
void ct_window_tell_request(struct ct_window *window,
                            const struct ct_request *request);

#endif
