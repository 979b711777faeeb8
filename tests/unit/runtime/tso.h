/* SPDX-License-Identifier: MIT */
/*
 * tso.h - a machine with store buffers (total store order, as x86 has), for
 * small programs that are run through all their interleavings
 *
 * Model:    threads that each run a list of instructions on a few shared
 *           variables.  A plain store goes into the thread's buffer and
 *           reaches memory some time later, in order; its own loads see it
 *           before.  A read-modify-write (TSO_XCHG) first empties the buffer.
 */
#ifndef CT_TEST_TSO_H
#define CT_TEST_TSO_H

#include <stdbool.h>
#include <stdint.h>

#include "explore.h"

#define TSO_THREADS 3
#define TSO_VARS    6
#define TSO_REGS    2
#define TSO_BUFFER  3

enum tso_op {
    TSO_END,   /* the thread has finished */
    TSO_STORE, /* var = value, through the buffer */
    TSO_XCHG,  /* reg = var; var = value; a full barrier */
    TSO_LOAD,  /* reg = var */
    TSO_ADD,   /* var += value, a full barrier (a system call) */
    TSO_JUMP,  /* go to target */
    TSO_IF,    /* reg == value: go to target */
    TSO_AWAIT, /* sleeps while var is 0; a full barrier; then var = 0 */
};

struct tso_instr {
    enum tso_op op;
    uint8_t var;
    uint8_t reg;
    uint8_t value;
    uint8_t target; /* index of an instruction */
};

struct tso_thread {
    uint8_t pc;
    uint8_t regs[TSO_REGS];
    uint8_t buffered;
    uint8_t buffer_var[TSO_BUFFER];
    uint8_t buffer_value[TSO_BUFFER];
};

struct tso_state {
    uint8_t vars[TSO_VARS];
    struct tso_thread threads[TSO_THREADS];
};

/* Nobody can go on: is everything as it should be? */
typedef bool tso_check(const struct tso_state *state);

/* @programs: one per thread, NULL: no such thread. */
struct explore_result tso_explore(
    const struct tso_instr *const programs[TSO_THREADS], tso_check *is_good);

#endif
