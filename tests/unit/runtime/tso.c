/* SPDX-License-Identifier: MIT */
/*
 * tso.c - see tso.h
 */
#include "tso.h"

struct machine {
    const struct tso_instr *const *programs;
    tso_check *is_good;
};

static uint8_t load(const struct tso_state *state, int t, uint8_t var)
{
    const struct tso_thread *thread = &state->threads[t];

    for (int i = thread->buffered; i-- > 0;) {
        if (thread->buffer_var[i] == var) {
            return thread->buffer_value[i];
        }
    }
    return state->vars[var];
}

static void drain_one(struct tso_state *state, int t)
{
    struct tso_thread *thread = &state->threads[t];

    state->vars[thread->buffer_var[0]] = thread->buffer_value[0];
    thread->buffered--;
    for (int i = 0; i < thread->buffered; i++) {
        thread->buffer_var[i] = thread->buffer_var[i + 1];
        thread->buffer_value[i] = thread->buffer_value[i + 1];
    }
    /* Equal states must be equal bytes. */
    thread->buffer_var[thread->buffered] = 0;
    thread->buffer_value[thread->buffered] = 0;
}

/* Return: false if the thread can't take its step now. */
static bool step(struct tso_state *state, int t,
                 const struct tso_instr *program)
{
    struct tso_thread *thread = &state->threads[t];
    const struct tso_instr *instr = &program[thread->pc];

    switch (instr->op) {
    case TSO_END:
        return false;
    case TSO_STORE:
        if (thread->buffered == TSO_BUFFER) {
            return false; /* something drains first */
        }
        thread->buffer_var[thread->buffered] = instr->var;
        thread->buffer_value[thread->buffered++] = instr->value;
        break;
    case TSO_LOAD:
        thread->regs[instr->reg] = load(state, t, instr->var);
        break;
    case TSO_XCHG:
    case TSO_ADD:
    case TSO_AWAIT:
        if (thread->buffered > 0) {
            return false;
        }
        if (instr->op == TSO_XCHG) {
            thread->regs[instr->reg] = state->vars[instr->var];
            state->vars[instr->var] = instr->value;
        } else if (instr->op == TSO_ADD) {
            state->vars[instr->var] += instr->value;
        } else if (state->vars[instr->var] == 0) {
            return false;
        } else {
            state->vars[instr->var] = 0;
        }
        break;
    case TSO_JUMP:
        thread->pc = instr->target;
        return true;
    case TSO_IF:
        thread->pc = thread->regs[instr->reg] == instr->value ? instr->target
                                                              : thread->pc + 1;
        return true;
    }
    thread->pc++;
    return true;
}

/* Choices 0 to TSO_THREADS - 1: a step; from there on: a buffer drains. */
static enum explored machine_step(const void *opaque, void *state, int choice)
{
    const struct machine *machine = opaque;
    struct tso_state *tso = state;

    if (choice >= TSO_THREADS) {
        if (tso->threads[choice - TSO_THREADS].buffered == 0) {
            return EXPLORE_BLOCKED;
        }
        drain_one(tso, choice - TSO_THREADS);
        return EXPLORE_STEPPED;
    }
    if (machine->programs[choice] == NULL ||
        !step(tso, choice, machine->programs[choice])) {
        return EXPLORE_BLOCKED;
    }
    return EXPLORE_STEPPED;
}

static bool machine_is_good_end(const void *opaque, const void *state)
{
    return ((const struct machine *)opaque)->is_good(state);
}

struct explore_result tso_explore(
    const struct tso_instr *const programs[TSO_THREADS], tso_check *is_good)
{
    const struct machine machine = {programs, is_good};
    const struct explore_program program = {
        .state_bytes = sizeof(struct tso_state),
        .choices = 2 * TSO_THREADS,
        .opaque = &machine,
        .step = machine_step,
        .is_good_end = machine_is_good_end,
    };

    return explore(&program);
}
