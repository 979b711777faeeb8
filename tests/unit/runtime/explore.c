/* SPDX-License-Identifier: MIT */
/*
 * explore.c - see explore.h
 *
 * Depth first, with a stack of its own and a hash set of visited states.
 */
#include "explore.h"

#include <string.h>
#include <glib.h>

struct explorer {
    const struct x_instr *const *programs;
    GHashTable *visited; /* struct x_state (owned) -> itself */
    GPtrArray *todo;     /* struct x_state, owned by visited */
};

static guint state_hash(gconstpointer key)
{
    const uint8_t *bytes = key;
    guint hash = 2166136261u;

    for (size_t i = 0; i < sizeof(struct x_state); i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    return hash;
}

static gboolean state_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct x_state)) == 0;
}

static void visit(struct explorer *explorer, const struct x_state *state)
{
    struct x_state *copy;

    if (g_hash_table_contains(explorer->visited, state)) {
        return;
    }
    copy = g_memdup2(state, sizeof(*state));
    g_hash_table_add(explorer->visited, copy);
    g_ptr_array_add(explorer->todo, copy);
}

static uint8_t load(const struct x_state *state, int t, uint8_t var)
{
    const struct x_thread *thread = &state->threads[t];

    for (int i = thread->buffered; i-- > 0;) {
        if (thread->buffer_var[i] == var) {
            return thread->buffer_value[i];
        }
    }
    return state->vars[var];
}

static void drain_one(struct x_state *state, int t)
{
    struct x_thread *thread = &state->threads[t];

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
static bool step(struct x_state *state, int t, const struct x_instr *program)
{
    struct x_thread *thread = &state->threads[t];
    const struct x_instr *instr = &program[thread->pc];

    switch (instr->op) {
    case X_END:
        return false;
    case X_STORE:
        if (thread->buffered == X_BUFFER) {
            return false; /* something drains first */
        }
        thread->buffer_var[thread->buffered] = instr->var;
        thread->buffer_value[thread->buffered++] = instr->value;
        break;
    case X_LOAD:
        thread->regs[instr->reg] = load(state, t, instr->var);
        break;
    case X_XCHG:
    case X_ADD:
    case X_AWAIT:
        if (thread->buffered > 0) {
            return false;
        }
        if (instr->op == X_XCHG) {
            thread->regs[instr->reg] = state->vars[instr->var];
            state->vars[instr->var] = instr->value;
        } else if (instr->op == X_ADD) {
            state->vars[instr->var] += instr->value;
        } else if (state->vars[instr->var] == 0) {
            return false;
        } else {
            state->vars[instr->var] = 0;
        }
        break;
    case X_JUMP:
        thread->pc = instr->target;
        return true;
    case X_IF:
        thread->pc = thread->regs[instr->reg] == instr->value ? instr->target
                                                              : thread->pc + 1;
        return true;
    }
    thread->pc++;
    return true;
}

/* Visits all that can come next; Return: how many steps are possible. */
static int expand(struct explorer *explorer, const struct x_state *state)
{
    int steps = 0;

    for (int t = 0; t < X_THREADS; t++) {
        struct x_state next;

        if (explorer->programs[t] == NULL) {
            continue;
        }
        next = *state;
        if (step(&next, t, explorer->programs[t])) {
            visit(explorer, &next);
            steps++;
        }
        if (state->threads[t].buffered > 0) {
            next = *state;
            drain_one(&next, t);
            visit(explorer, &next);
            steps++;
        }
    }
    return steps;
}

struct x_result x_explore(const struct x_instr *const programs[X_THREADS],
                          x_check *check)
{
    struct explorer explorer = {
        .programs = programs,
        .visited = g_hash_table_new_full(state_hash, state_equal, g_free, NULL),
        .todo = g_ptr_array_new(),
    };
    struct x_result result = {0};
    struct x_state start;

    memset(&start, 0, sizeof(start));
    visit(&explorer, &start);
    while (explorer.todo->len > 0) {
        struct x_state *state = g_ptr_array_remove_index_fast(
            explorer.todo, explorer.todo->len - 1);

        if (expand(&explorer, state) == 0) {
            result.stuck++;
            result.wrong += !check(state);
        }
    }
    result.states = g_hash_table_size(explorer.visited);
    g_ptr_array_free(explorer.todo, TRUE);
    g_hash_table_unref(explorer.visited);
    return result;
}
