/* SPDX-License-Identifier: MIT */
/*
 * explore.h - visits every state that a small concurrent program can reach
 *
 * A state is a struct of bytes, without padding, that starts zeroed.  Threads
 * take steps; from each state every thread's step is tried.  A state from
 * which nobody can go on is an end, and the program says whether it is a good
 * one; it may also find fault with any state on the way.
 */
#ifndef CT_TEST_EXPLORE_H
#define CT_TEST_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

enum explored { EXPLORE_BLOCKED, EXPLORE_STEPPED, EXPLORE_WRONG };

struct explore_program {
    size_t state_bytes;
    int choices; /* threads, and whatever else can happen */
    const void *opaque;

    /* Takes @choice's step in @state. */
    enum explored (*step)(const void *opaque, void *state, int choice);
    /* Nobody can go on. */
    bool (*is_good_end)(const void *opaque, const void *state);
};

struct explore_result {
    unsigned states; /* how many were visited */
    unsigned ends;   /* of them: nobody could go on */
    unsigned wrong;  /* bad ends, and wrong steps */
};

struct explore_result explore(const struct explore_program *program);

#endif
