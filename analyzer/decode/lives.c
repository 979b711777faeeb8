/* SPDX-License-Identifier: MIT */
/*
 * lives.c - from a coroutine's address to an id that is never reused
 *
 * Rules, each of which holds in every trace that was looked at:
 *
 *  - A life begins where its address is first scheduled or entered, and ends
 *    where it terminates.  The entry's argument is the same all its life: an
 *    enter with another one proves another life.
 *  - What hands its thread to a coroutine and is none itself is the thread's
 *    leader: one a thread, the same for ever.
 *  - Enter, yield and terminate of a thread nest.  Where they don't, events are
 *    missing: the stack is cut to what the event says.
 *  - A coroutine's stack is found by its megabyte.
 *
 * Of very many lanes, those on which nothing runs are forgotten: their leaders
 * are told again.  In a log that has as many running ones no end was seen.
 */
#include "decode/lives.h"

#include <string.h>

#define STACK_SHIFT 20

struct ct_lives {
    size_t size;
    void (*ended)(struct ct_generation *, void *data);
    void *data;
    uint64_t next_id;
    GHashTable *lives;   /* address -> struct ct_generation (owner) */
    GHashTable *stacks;  /* pointer >> STACK_SHIFT -> address */
    GHashTable *threads; /* tid -> struct ct_lane (owner: all, or gone) */
    GHashTable *bases;   /* base of a stack -> address */
    GHashTable *leaders; /* leader -> struct ct_lane, of those without a tid */
    GPtrArray *all;      /* struct ct_lane */
    struct ct_lane busy; /* ring of those that have a stack */
    GPtrArray *dead;     /* struct ct_generation, until they are swept */
    GPtrArray *gone;     /* struct ct_lane, likewise */
    struct ct_lane *now; /* without tids: where the last event was */
    int32_t next_tid;
};

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

static void free_lane(gpointer data)
{
    struct ct_lane *lane = data;

    g_free(lane->own);
    g_free(lane);
}

struct ct_lives *ct_lives_new(size_t size,
                              void (*ended)(struct ct_generation *, void *data),
                              void *data)
{
    struct ct_lives *lives = g_new0(struct ct_lives, 1);

    lives->size = size;
    lives->ended = ended;
    lives->data = data;
    lives->next_id = 1;
    lives->lives = g_hash_table_new(g_direct_hash, g_direct_equal);
    lives->stacks = g_hash_table_new(g_direct_hash, g_direct_equal);
    lives->bases = g_hash_table_new(g_direct_hash, g_direct_equal);
    lives->threads = g_hash_table_new(g_direct_hash, g_direct_equal);
    lives->leaders = g_hash_table_new(g_direct_hash, g_direct_equal);
    lives->all = g_ptr_array_new_with_free_func(free_lane);
    lives->busy.next = lives->busy.prev = &lives->busy;
    lives->dead = g_ptr_array_new_with_free_func(g_free);
    lives->gone = g_ptr_array_new_with_free_func(free_lane);
    return lives;
}

static void end_left(gpointer key, gpointer life, gpointer data)
{
    struct ct_lives *lives = data;

    lives->ended(life, lives->data);
}

static void free_left(gpointer key, gpointer life, gpointer data)
{
    g_free(life);
}

void ct_lives_free(struct ct_lives *lives)
{
    if (!lives) {
        return;
    }
    /* Each may look at others: none goes before all have ended. */
    g_hash_table_foreach(lives->lives, end_left, lives);
    g_hash_table_foreach(lives->lives, free_left, NULL);
    g_hash_table_unref(lives->lives);
    g_hash_table_unref(lives->stacks);
    g_hash_table_unref(lives->bases);
    g_hash_table_unref(lives->threads);
    g_hash_table_unref(lives->leaders);
    g_ptr_array_unref(lives->all);
    g_ptr_array_unref(lives->dead);
    g_ptr_array_unref(lives->gone);
    g_free(lives);
}

uint64_t ct_lives_new_id(struct ct_lives *lives)
{
    return lives->next_id++;
}

void ct_lives_sweep(struct ct_lives *lives)
{
    if (lives->dead->len) {
        g_ptr_array_set_size(lives->dead, 0);
    }
    if (lives->gone->len) {
        g_ptr_array_set_size(lives->gone, 0);
    }
}

/* --- lives ---------------------------------------------------------------- */

struct ct_generation *ct_lives_find(const struct ct_lives *lives,
                                    uint64_t address)
{
    return g_hash_table_lookup(lives->lives, KEY(address));
}

struct ct_generation *ct_lives_bear(struct ct_lives *lives, uint64_t address)
{
    struct ct_generation *life = g_malloc0(lives->size);

    life->address = address;
    life->id = lives->next_id++;
    g_hash_table_insert(lives->lives, KEY(address), life);
    return life;
}

struct ct_generation *ct_lives_get(struct ct_lives *lives, uint64_t address)
{
    struct ct_generation *life = ct_lives_find(lives, address);

    if (!life) {
        life = ct_lives_bear(lives, address);
        life->was_there = true;
    }
    return life;
}

/* Takes what lies at @keep and above off a lane's stack. */
static void cut(struct ct_lane *lane, unsigned keep)
{
    if (lane->n && !keep) {
        lane->prev->next = lane->next;
        lane->next->prev = lane->prev;
    }
    while (lane->n > keep) {
        lane->stack[--lane->n]->lane = NULL;
    }
}

static void push(struct ct_lives *lives, struct ct_lane *lane,
                 struct ct_generation *life)
{
    if (!lane->n) {
        lane->next = lives->busy.next;
        lane->prev = &lives->busy;
        lane->next->prev = lane;
        lives->busy.next = lane;
    }
    lane->stack[lane->n++] = life;
    life->lane = lane;
}

/* Takes it, and what lies above it, off its lane. */
static void take_off(struct ct_generation *life)
{
    struct ct_lane *lane = life->lane;

    for (unsigned i = 0; lane && i < lane->n; i++) {
        if (lane->stack[i] == life) {
            cut(lane, i);
        }
    }
}

void ct_lives_end(struct ct_lives *lives, struct ct_generation *life)
{
    take_off(life);
    g_hash_table_remove(lives->lives, KEY(life->address));
    lives->ended(life, lives->data);
    g_ptr_array_add(lives->dead, life);
}

/* --- stacks of coroutines ------------------------------------------------ */

struct ct_generation *ct_lives_of_stack(const struct ct_lives *lives,
                                        uint64_t pointer)
{
    void *address =
        g_hash_table_lookup(lives->stacks, KEY(pointer >> STACK_SHIFT));

    return address ? g_hash_table_lookup(lives->lives, address) : NULL;
}

void ct_lives_learn_stack(struct ct_lives *lives, uint64_t pointer,
                          const struct ct_generation *life)
{
    g_hash_table_insert(lives->stacks, KEY(pointer >> STACK_SHIFT),
                        KEY(life->address));
}

struct ct_generation *ct_lives_on_base(const struct ct_lives *lives,
                                       uint64_t base)
{
    void *address = g_hash_table_lookup(lives->bases, KEY(base));

    return address ? g_hash_table_lookup(lives->lives, address) : NULL;
}

void ct_lives_learn_base(struct ct_lives *lives, uint64_t base,
                         const struct ct_generation *life)
{
    g_hash_table_insert(lives->bases, KEY(base), KEY(life->address));
}

/* --- lanes ---------------------------------------------------------------- */

static gboolean is_gone(gpointer key, gpointer lane, gpointer data)
{
    const struct ct_lives *lives = data;

    return lane != lives->now && ((struct ct_lane *)lane)->n == 0;
}

/* Forgets the lanes that nothing runs on, or all but the newest event's. */
static void forget_lanes(struct ct_lives *lives)
{
    unsigned n_busy = 0;
    unsigned kept = 0;

    for (unsigned i = 0; i < lives->all->len; i++) {
        n_busy += ((struct ct_lane *)lives->all->pdata[i])->n > 0;
    }
    for (unsigned i = 0; i < lives->all->len; i++) {
        struct ct_lane *lane = lives->all->pdata[i];
        if (n_busy > CT_LANES_MAX / 2 && lane != lives->now) {
            cut(lane, 0);
        }
    }
    g_hash_table_foreach_remove(lives->threads, is_gone, lives);
    g_hash_table_foreach_remove(lives->leaders, is_gone, lives);
    g_ptr_array_set_free_func(lives->all, NULL);
    for (unsigned i = 0; i < lives->all->len; i++) {
        struct ct_lane *lane = lives->all->pdata[i];
        if (is_gone(NULL, lane, lives)) {
            g_ptr_array_add(lives->gone, lane);
        } else {
            lives->all->pdata[kept++] = lane;
        }
    }
    g_ptr_array_set_size(lives->all, (int)kept);
    g_ptr_array_set_free_func(lives->all, free_lane);
}

unsigned ct_lives_lanes(const struct ct_lives *lives)
{
    return lives->all->len;
}

static struct ct_lane *new_lane(struct ct_lives *lives, int32_t tid)
{
    struct ct_lane *lane = g_new0(struct ct_lane, 1);

    if (lives->all->len >= CT_LANES_MAX) {
        forget_lanes(lives);
    }
    lane->tid = tid;
    g_ptr_array_add(lives->all, lane);
    return lane;
}

static struct ct_lane *lane_of_thread(struct ct_lives *lives, int32_t tid)
{
    struct ct_lane *lane;

    if (lives->now && lives->now->tid == tid) {
        return lives->now;
    }
    lane = g_hash_table_lookup(lives->threads, GINT_TO_POINTER(tid));
    if (!lane) {
        lane = new_lane(lives, tid);
        g_hash_table_insert(lives->threads, GINT_TO_POINTER(tid), lane);
    }
    return lane;
}

/* Of a thread without a number; the first one may have had events before its
 * leader was told. */
static struct ct_lane *lane_of_leader(struct ct_lives *lives, uint64_t leader)
{
    struct ct_lane *lane = g_hash_table_lookup(lives->leaders, KEY(leader));

    if (!lane) {
        lane = lives->now && !lives->now->leader && lives->now->tid <= 0
                   ? lives->now
                   : new_lane(lives, lives->next_tid--);
        lane->leader = leader;
        g_hash_table_insert(lives->leaders, KEY(leader), lane);
    }
    return lane;
}

struct ct_lane *ct_lives_lane(struct ct_lives *lives, int32_t tid,
                              struct ct_generation *life)
{
    if (tid > 0) {
        lives->now = lane_of_thread(lives, tid);
    } else if (life && life->lane) {
        lives->now = life->lane;
    } else if (!lives->now) {
        lives->now = new_lane(lives, lives->next_tid--);
    }
    return lives->now;
}

struct ct_generation *ct_lives_top(const struct ct_lives *lives,
                                   const struct ct_lane *lane)
{
    /* Without numbers an event that names no coroutine may be any thread's. */
    bool is_any = lane->tid <= 0 && lives->busy.next != lives->busy.prev;

    return lane->n && !is_any ? lane->stack[lane->n - 1] : NULL;
}

void ct_lives_doubt(struct ct_lives *lives)
{
    while (lives->busy.next != &lives->busy) {
        cut(lives->busy.next, 0);
    }
    for (unsigned i = 0; i < lives->all->len; i++) {
        struct ct_lane *lane = lives->all->pdata[i];

        g_clear_pointer(&lane->own, g_free);
    }
}

struct ct_generation *ct_lives_only(const struct ct_lives *lives)
{
    const struct ct_lane *lane = lives->busy.next;

    return lane != &lives->busy && lane == lives->busy.prev
               ? lane->stack[lane->n - 1]
               : NULL;
}

/* --- switches ------------------------------------------------------------- */

/* The lane of an enter, whose stack then ends in `from`. */
static struct ct_lane *lane_of_enter(struct ct_lives *lives, int32_t tid,
                                     uint64_t from,
                                     struct ct_generation **ret_from)
{
    struct ct_generation *life = ct_lives_find(lives, from);
    struct ct_lane *lane;

    if (tid > 0) {
        lane = lane_of_thread(lives, tid);
        if (!life && lane->leader && lane->leader != from) {
            life = ct_lives_get(lives, from); /* its enter was not seen */
        }
    } else if (life) {
        lane = ct_lives_lane(lives, tid, life);
    } else {
        lane = lane_of_leader(lives, from);
    }
    *ret_from = life;
    if (!life) {
        lane->leader = from;
        cut(lane, 0);
    } else if (life->lane != lane) {
        take_off(life);
        cut(lane, 0);
        push(lives, lane, life);
    } else {
        while (lane->stack[lane->n - 1] != life) {
            cut(lane, lane->n - 1);
        }
    }
    lives->now = lane;
    return lane;
}

struct ct_generation *ct_lives_enter(struct ct_lives *lives, int32_t tid,
                                     uint64_t from, uint64_t to,
                                     uint64_t opaque,
                                     struct ct_generation **ret_lost,
                                     struct ct_generation **ret_from)
{
    struct ct_lane *lane = lane_of_enter(lives, tid, from, ret_from);
    struct ct_generation *life = ct_lives_find(lives, to);

    *ret_lost = NULL;
    if (life && life != *ret_from &&
        (life->lane || (life->was_entered && life->opaque != opaque))) {
        *ret_lost = life;
        ct_lives_end(lives, life);
        life = NULL;
    }
    if (!life) {
        life = ct_lives_bear(lives, to);
    }
    life->was_entered = true;
    life->opaque = opaque;
    if (!life->lane) {
        if (lane->n == CT_LANE_DEPTH) {
            cut(lane, 0);
        }
        push(lives, lane, life);
    }
    return life;
}

struct ct_lane *ct_lives_leave(struct ct_lives *lives, int32_t tid,
                               struct ct_generation *life, uint64_t to)
{
    struct ct_lane *lane;

    if (life->lane && (tid <= 0 || life->lane->tid == tid)) {
        lane = life->lane;
    } else if (tid > 0) {
        lane = lane_of_thread(lives, tid);
    } else if (to && !ct_lives_find(lives, to)) {
        lane = lane_of_leader(lives, to);
    } else {
        lane = ct_lives_lane(lives, tid, NULL);
    }
    take_off(life);
    if (to && !ct_lives_find(lives, to)) {
        cut(lane, 0);
        lane->leader = to;
        if (tid <= 0) {
            g_hash_table_insert(lives->leaders, KEY(to), lane);
        }
    }
    lives->now = lane;
    return lane;
}
