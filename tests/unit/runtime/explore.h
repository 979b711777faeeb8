/* SPDX-License-Identifier: MIT */
/*
 * explore.h - runs small concurrent programs through all their interleavings,
 * on a machine with store buffers (total store order, as x86 has)
 *
 * Model:    threads that each run a list of instructions on a few shared
 *           variables.  A plain store goes into the thread's buffer and
 *           reaches memory some time later, in order; its own loads see it
 *           before.  A read-modify-write (X_XCHG) first empties the buffer.
 *           The explorer visits every state once; a state in which nobody can
 *           take a step and not everybody is at an end is given to the check.
 */
#ifndef CT_TEST_EXPLORE_H
#define CT_TEST_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#define X_THREADS 3
#define X_VARS    6
#define X_REGS    2
#define X_BUFFER  3

enum x_op {
    X_END,   /* the thread has finished */
    X_STORE, /* var = value, through the buffer */
    X_XCHG,  /* reg = var; var = value; a full barrier */
    X_LOAD,  /* reg = var */
    X_ADD,   /* var += value, a full barrier (a system call) */
    X_JUMP,  /* go to target */
    X_IF,    /* reg == value: go to target */
    X_AWAIT, /* sleeps while var is 0; a full barrier; then var = 0 */
};

struct x_instr {
    enum x_op op;
    uint8_t var;
    uint8_t reg;
    uint8_t value;
    uint8_t target; /* index of an instruction */
};

struct x_thread {
    uint8_t pc;
    uint8_t regs[X_REGS];
    uint8_t buffered;
    uint8_t buffer_var[X_BUFFER];
    uint8_t buffer_value[X_BUFFER];
};

struct x_state {
    uint8_t vars[X_VARS];
    struct x_thread threads[X_THREADS];
};

/* Return: the final state is as it should be. */
typedef bool x_check(const struct x_state *state);

struct x_result {
    unsigned states; /* how many were visited */
    unsigned stuck;  /* of them: nobody could go on */
    unsigned wrong;  /* of these: the check said no */
};

/* @programs: one per thread, NULL: no such thread. */
struct x_result x_explore(const struct x_instr *const programs[X_THREADS],
                          x_check *check);

#endif
