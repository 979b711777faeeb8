/* SPDX-License-Identifier: MIT */
/*
 * Stack id -> addresses, by process.
 *
 * A stack's id is a hash of its frames, so the same id in another process is
 * the same frames: a child of fork() names stacks that only its parent told,
 * and gets the parent's.  What was told once stays: a stack told again is the
 * same one.
 */
#include <string.h>

#include <glib.h>

#include "ct/backtrace.h"
#include "model/model.h"
#include "model/state/table.h"

enum { FRAMES_MAX = 4096 };

struct stack {
    int32_t pid;
    bool limit;
    uint32_t n;
    uint64_t id;
    uint64_t outer;
    uint64_t addresses[];
};

struct ct_stacks {
    struct ct_table by_process; /* mixed key, see find() -> stack (owner) */
    struct ct_table by_id;      /* id -> the first such stack (weak) */
};

/* Two pairs with one mixed key stand at keys in a row. */
static struct stack *find(const struct ct_stacks *stacks, int32_t pid,
                          uint64_t id, uint64_t *ret_key)
{
    uint64_t key = id ^ (uint64_t)(uint32_t)pid * UINT64_C(0xff51afd7ed558ccd);
    struct stack *stack;

    while ((stack = ct_table_get(&stacks->by_process, key)) &&
           (stack->pid != pid || stack->id != id)) {
        key++;
    }
    *ret_key = key;
    return stack;
}

struct ct_stacks *ct_stacks_new(void)
{
    return g_new0(struct ct_stacks, 1);
}

void ct_stacks_free(struct ct_stacks *stacks)
{
    if (!stacks) {
        return;
    }
    uint32_t pos = 0;
    struct stack *stack;
    while ((stack = ct_table_each(&stacks->by_process, &pos))) {
        g_free(stack);
    }
    ct_table_fini(&stacks->by_process);
    ct_table_fini(&stacks->by_id);
    g_free(stacks);
}

void ct_stacks_add(struct ct_stacks *stacks, const struct ct_step *step)
{
    uint64_t key;

    if (!step->subject || find(stacks, step->pid, step->subject, &key)) {
        return;
    }
    uint32_t n = MIN(step->n_addresses, FRAMES_MAX);
    struct stack *stack = g_malloc(sizeof(*stack) + n * sizeof(uint64_t));
    *stack = (struct stack){
        .pid = step->pid,
        .limit = step->flag || n < step->n_addresses,
        .n = n,
        .id = step->subject,
        .outer = step->object,
    };
    if (n) {
        memcpy(stack->addresses, step->addresses, n * sizeof(uint64_t));
    }
    ct_table_put(&stacks->by_process, key, stack);
    if (!ct_table_get(&stacks->by_id, stack->id)) {
        ct_table_put(&stacks->by_id, stack->id, stack);
    }
}

bool ct_stacks_get(const struct ct_stacks *stacks, int32_t pid, uint64_t id,
                   const uint64_t **ret_addresses, unsigned *ret_n,
                   uint64_t *ret_outer, bool *ret_limit)
{
    uint64_t key;
    const struct stack *stack = find(stacks, pid, id, &key);

    if (!stack) {
        stack = ct_table_get(&stacks->by_id, id);
    }
    if (!stack) {
        return false;
    }
    *ret_addresses = stack->addresses;
    *ret_n = stack->n;
    *ret_outer = stack->outer;
    *ret_limit = stack->limit;
    return true;
}
