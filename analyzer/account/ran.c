/* SPDX-License-Identifier: MIT */
/*
 * Lists of what went on meanwhile: like pieces become one, and what is too much
 * to be told becomes "others".  No time is lost on the way: the sum of a list
 * is the same before and after.
 */
#include "account/ran.h"

#include <stdlib.h>

#include <glib.h>

void ct_ran_add(struct ct_ran_list *list, const struct ct_ran *piece)
{
    if (piece->ns <= 0) {
        return;
    }
    if (list->n == list->capacity) {
        list->capacity = MAX(16, list->capacity * 2);
        list->v = g_renew(struct ct_ran, list->v, list->capacity);
    }
    list->v[list->n++] = *piece;
}

void ct_ran_fini(struct ct_ran_list *list)
{
    g_free(list->v);
    *list = (struct ct_ran_list){0};
}

#define COMPARE(a, b)                  \
    do {                               \
        if ((a) != (b)) {              \
            return (a) < (b) ? -1 : 1; \
        }                              \
    } while (0)

/* Names by their letters, so that two passes say the same. */
static int by_likeness(const void *a, const void *b)
{
    const struct ct_ran *one = a;
    const struct ct_ran *other = b;

    COMPARE(one->kind, other->kind);
    COMPARE(one->state, other->state);
    COMPARE(one->depth, other->depth);
    COMPARE(one->request, other->request);
    COMPARE(one->fn, other->fn);
    return one->name == other->name ? 0 : g_strcmp0(one->name, other->name);
}

/* What was too much before is the first that is so again. */
static int by_length(const void *a, const void *b)
{
    const struct ct_ran *one = a;
    const struct ct_ran *other = b;

    COMPARE(one->kind == CT_RAN_OTHERS, other->kind == CT_RAN_OTHERS);
    COMPARE(other->ns, one->ns);
    return by_likeness(a, b);
}

static void merge(struct ct_ran *into, const struct ct_ran *piece)
{
    into->ns += piece->ns;
    into->count += piece->count;
    if (into->id != piece->id) {
        into->id = 0;
    }
}

void ct_ran_settle(struct ct_ran_list *list, unsigned from)
{
    unsigned n = list->n - from;
    unsigned kept = 0;

    if (n < 2) {
        return; /* there may be no list at all */
    }
    struct ct_ran *v = list->v + from;
    qsort(v, n, sizeof(*v), by_likeness);
    for (unsigned i = 1; i < n; i++) {
        if (by_likeness(&v[kept], &v[i]) == 0) {
            merge(&v[kept], &v[i]);
        } else {
            v[++kept] = v[i];
        }
    }
    n = kept + 1;
    qsort(v, n, sizeof(*v), by_length);
    if (n > CT_RAN_MAX) {
        struct ct_ran others = {.kind = CT_RAN_OTHERS};
        for (unsigned i = CT_RAN_MAX - 1; i < n; i++) {
            merge(&others, &v[i]);
        }
        v[CT_RAN_MAX - 1] = others;
        n = CT_RAN_MAX;
    }
    list->n = from + n;
}
