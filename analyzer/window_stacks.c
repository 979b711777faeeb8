/* SPDX-License-Identifier: MIT */
/*
 * window_stacks.c - what entities that live into a window left before it
 *
 * Where an entity waits in the window its stack may have been taken before;
 * so of each that lives the first stack, its last wait's and its last are
 * told as the window opens, in the order in which they were taken.
 */
#include "window_int.h"

/* What an entity left behind: its first stack, its last wait, its last. */
struct stacks {
    struct ct_window_key key;
    bool has_wait;
    struct ct_own_stack first, wait, last; /* origins held */
};

static void put_stack(struct ct_own_stack *place,
                      const struct ct_own_stack *stack)
{
    const struct ct_origin *held =
        ct_origin_ref((struct ct_origin *)stack->origin);

    ct_origin_unref((struct ct_origin *)place->origin);
    *place = *stack;
    place->origin = held;
}

static void free_stacks(void *data)
{
    struct stacks *stacks = data;

    ct_origin_unref((struct ct_origin *)stacks->first.origin);
    ct_origin_unref((struct ct_origin *)stacks->wait.origin);
    ct_origin_unref((struct ct_origin *)stacks->last.origin);
    g_free(stacks);
}

/* Threads that nobody told have the id 0. */
static struct ct_window_key key_of(enum ct_entity_kind kind, int32_t pid,
                                   int32_t tid, uint64_t id)
{
    bool by_tid = kind == CT_ENTITY_THREAD && !id;

    return (struct ct_window_key){by_tid ? (uint64_t)(int64_t)tid : id, pid,
                                  by_tid ? -1 : (int32_t)kind};
}

void ct_window_own_stack(struct ct_consumer *consumer,
                         const struct ct_own_stack *own)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_window_key key = key_of(own->kind, own->pid, own->tid, own->id);
    struct stacks *stacks;

    if (window->is_open) {
        CT_WINDOW_TELL(window, own_stack, own);
        return;
    }
    stacks = g_hash_table_lookup(window->stacks, &key);
    if (!stacks) {
        stacks = g_new0(struct stacks, 1);
        stacks->key = key;
        put_stack(&stacks->first, own);
        g_hash_table_insert(window->stacks, &stacks->key, stacks);
    }
    put_stack(&stacks->last, own);
    if (own->waits) {
        put_stack(&stacks->wait, own);
        stacks->has_wait = true;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct ct_own_stack *x = *(struct ct_own_stack *const *)a;
    const struct ct_own_stack *y = *(struct ct_own_stack *const *)b;

    if (x->when_ns != y->when_ns) {
        return x->when_ns < y->when_ns ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/* As they came, of what still lives. */
void ct_window_tell_stacks(struct ct_window *window)
{
    g_autoptr(GPtrArray) told = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, window->stacks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        struct stacks *stacks = value;

        g_ptr_array_add(told, &stacks->first);
        if (stacks->has_wait && stacks->wait.when_ns > stacks->first.when_ns) {
            g_ptr_array_add(told, &stacks->wait);
        }
        if (stacks->last.when_ns > stacks->first.when_ns &&
            !(stacks->has_wait &&
              stacks->last.when_ns == stacks->wait.when_ns)) {
            g_ptr_array_add(told, &stacks->last);
        }
    }
    g_ptr_array_sort(told, by_time);
    for (unsigned i = 0; i < told->len; i++) {
        const struct ct_own_stack *own = g_ptr_array_index(told, i);

        CT_WINDOW_TELL(window, own_stack, own);
    }
    g_hash_table_remove_all(window->stacks);
}

void ct_window_forget_stacks(struct ct_window *window,
                             const struct ct_life *life)
{
    struct ct_window_key key =
        key_of(life->kind, life->pid, life->tid, life->id);

    g_hash_table_remove(window->stacks, &key);
}

GHashTable *ct_window_stacks_new(void)
{
    return g_hash_table_new_full(ct_window_hash, ct_window_equal, NULL,
                                 free_stacks);
}
