/* SPDX-License-Identifier: MIT */
/*
 * explore.c - see explore.h
 *
 * Depth first, with a list of what is to be done and a set of visited states.
 */
#include "explore.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

struct explorer {
    const struct explore_program *program;
    GHashTable *visited; /* GBytes (owned) -> itself */
    GPtrArray *todo;     /* GBytes, owned by visited */
};

static void visit(struct explorer *explorer, const void *state)
{
    GBytes *bytes = g_bytes_new(state, explorer->program->state_bytes);

    if (g_hash_table_contains(explorer->visited, bytes)) {
        g_bytes_unref(bytes);
        return;
    }
    g_hash_table_add(explorer->visited, bytes);
    g_ptr_array_add(explorer->todo, bytes);
}

static void expand(struct explorer *explorer, const void *state,
                   struct explore_result *result)
{
    const struct explore_program *program = explorer->program;
    void *next = g_malloc(program->state_bytes);
    bool is_end = true;

    for (int i = 0; i < program->choices; i++) {
        memcpy(next, state, program->state_bytes);
        switch (program->step(program->opaque, next, i)) {
        case EXPLORE_BLOCKED:
            break;
        case EXPLORE_STEPPED:
            visit(explorer, next);
            is_end = false;
            break;
        case EXPLORE_WRONG:
            result->wrong++;
            is_end = false;
            break;
        }
    }
    if (is_end) {
        result->ends++;
        result->wrong += !program->is_good_end(program->opaque, state);
    }
    g_free(next);
}

struct explore_result explore(const struct explore_program *program)
{
    struct explorer explorer = {
        .program = program,
        .visited = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                         (GDestroyNotify)g_bytes_unref, NULL),
        .todo = g_ptr_array_new(),
    };
    struct explore_result result = {0};
    void *start = g_malloc0(program->state_bytes);

    visit(&explorer, start);
    while (explorer.todo->len > 0) {
        GBytes *state = g_ptr_array_remove_index_fast(explorer.todo,
                                                      explorer.todo->len - 1);

        expand(&explorer, g_bytes_get_data(state, NULL), &result);
    }
    result.states = g_hash_table_size(explorer.visited);
    g_ptr_array_free(explorer.todo, TRUE);
    g_hash_table_unref(explorer.visited);
    g_free(start);
    return result;
}
