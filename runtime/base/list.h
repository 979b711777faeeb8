/* SPDX-License-Identifier: MIT */
/*
 * list.h - intrusive lists: the three shapes that the runtime needs
 *
 *   struct list      circular, double links: take any element out
 *   struct queue     single links with a tail: first in, first out, joined
 *                    in one step
 *   struct lifo      single links, head only: pushed by any thread, taken
 *                    whole by one
 *
 * A node lies in the struct that it links; list_entry() finds the way back.
 * list and queue are not atomic: their owner's comment says who may touch
 * them.
 */
#ifndef CT_LIST_H
#define CT_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/atomics.h"

#define list_entry(node, type, member) \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* --- struct list ---------------------------------------------------------- */

struct list {
    struct list *next;
    struct list *prev;
};

/* clang-format off */
#define LIST_INIT(name) { &(name), &(name) }
/* clang-format on */

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_add_between(struct list *node, struct list *prev,
                                    struct list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
    list_add_between(node, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    list_add_between(node, head->prev, head);
}

/* Leaves @node linked to itself, so that a second call does no harm. */
static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The node links to itself: it is in no list. */
static inline bool list_is_linked(const struct list *node)
{
    return node->next != node;
}

#define list_for_each(pos, head) \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* The body may take @pos out. */
#define list_for_each_safe(pos, head)                              \
    for (struct list *pos = (head)->next, *pos##_next = pos->next; \
         pos != (head); pos = pos##_next, pos##_next = pos->next)

/* --- struct queue --------------------------------------------------------- */

struct queue_node {
    struct queue_node *next;
};

struct queue {
    struct queue_node *first;
    struct queue_node **tail; /* where the next one's address goes */
};

static inline void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->tail = &queue->first;
}

static inline bool queue_is_empty(const struct queue *queue)
{
    return queue->first == NULL;
}

static inline void queue_push(struct queue *queue, struct queue_node *node)
{
    node->next = NULL;
    *queue->tail = node;
    queue->tail = &node->next;
}

static inline struct queue_node *queue_pop(struct queue *queue)
{
    struct queue_node *node = queue->first;

    if (node != NULL) {
        queue->first = node->next;
        if (queue->first == NULL) {
            queue->tail = &queue->first;
        }
    }
    return node;
}

/* Takes @node out, wherever it is; false if it is not there. */
static inline bool queue_remove(struct queue *queue, struct queue_node *node)
{
    struct queue_node **link = &queue->first;

    while (*link != NULL && *link != node) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return false;
    }
    *link = node->next;
    if (*link == NULL) {
        queue->tail = link;
    }
    return true;
}

/* All of @front comes before what @queue holds; @front is empty then. */
static inline void queue_prepend(struct queue *queue, struct queue *front)
{
    if (queue_is_empty(front)) {
        return;
    }
    *front->tail = queue->first;
    if (queue->first == NULL) {
        queue->tail = front->tail;
    }
    queue->first = front->first;
    queue_init(front);
}

/* All of @back comes after what @queue holds; @back is empty then. */
static inline void queue_append(struct queue *queue, struct queue *back)
{
    if (queue_is_empty(back)) {
        return;
    }
    *queue->tail = back->first;
    queue->tail = back->tail;
    queue_init(back);
}

/* --- struct lifo --------------------------------------------------------- */

struct lifo_node {
    struct lifo_node *next;
};

struct lifo {
    struct lifo_node *head; /* atomic: any thread pushes */
};

/*
 * Any thread.  Publishes what precedes it to whoever takes the list; pairs
 * with lifo_take_all().  Returns whether the stack was empty before.
 */
static inline bool lifo_push(struct lifo *lifo, struct lifo_node *node)
{
    struct lifo_node *head = ct_load(&lifo->head);

    do {
        node->next = head;
    } while (!ct_cmpxchg(&lifo->head, &head, node));
    return head == NULL;
}

/*
 * Any thread; nobody pops single nodes, so there is no ABA.  The youngest is
 * first.  Pairs with lifo_push().
 */
static inline struct lifo_node *lifo_take_all(struct lifo *lifo)
{
    return ct_xchg(&lifo->head, NULL);
}

/* The other way round: the oldest is first. */
static inline struct lifo_node *lifo_reverse(struct lifo_node *node)
{
    struct lifo_node *reversed = NULL;

    while (node != NULL) {
        struct lifo_node *next = node->next;

        node->next = reversed;
        reversed = node;
        node = next;
    }
    return reversed;
}

static inline bool lifo_is_empty(const struct lifo *lifo)
{
    return ct_load_acquire(&lifo->head) == NULL;
}

#endif
