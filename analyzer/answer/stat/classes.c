/* SPDX-License-Identifier: MIT */
/*
 * Requests by class and state.
 *
 * The model keeps one copy of each name, so that names are compared by their
 * places first; a class is looked for among the few that there are, the last
 * one that was asked for before the others.
 */
#include "answer/stat/classes.h"

#include <stdlib.h>

#include <glib.h>

enum {
    CLASSES_MAX = 32, /* with the one for all others */
    EXACT_MAX = 1024,
    PRECISION = 8, /* beyond: at most one part in 256 too high */
};

struct class {
    struct ct_stat_class result; /* owns its names */
    const char *layer, *op, *node;
    struct ct_histogram *latency;
    struct ct_histogram *states[CT_STATES]; /* NULL: never was in it */
};

struct ct_classes {
    unsigned n;
    struct class *v[CLASSES_MAX];
    struct class *last;
    struct ct_stat_class results[CLASSES_MAX];
};

struct ct_classes *ct_classes_new(void)
{
    return g_new0(struct ct_classes, 1);
}

void ct_classes_free(struct ct_classes *classes)
{
    if (!classes) {
        return;
    }
    for (unsigned i = 0; i < classes->n; i++) {
        struct class *class = classes->v[i];
        g_free((char *)class->result.layer);
        g_free((char *)class->result.op);
        g_free((char *)class->result.node);
        ct_histogram_free(class->latency);
        for (unsigned k = 0; k < CT_STATES; k++) {
            ct_histogram_free(class->states[k]);
        }
        g_free(class);
    }
    g_free(classes);
}

static bool is_of(const struct class *class, const struct ct_request *request)
{
    return class->layer == request->layer && class->op == request->op &&
           class->node == request->node;
}

static bool is_named(const struct class *class,
                     const struct ct_request *request)
{
    return !g_strcmp0(class->result.layer, request->layer) &&
           !g_strcmp0(class->result.op, request->op) &&
           !g_strcmp0(class->result.node, request->node);
}

static struct class *class_of(struct ct_classes *classes,
                              const struct ct_request *request)
{
    struct class *class = classes->last;

    if (class && is_of(class, request)) {
        return class;
    }
    for (unsigned i = 0; i < classes->n; i++) {
        if (is_of(classes->v[i], request)) {
            classes->last = classes->v[i];
            return classes->last;
        }
    }
    for (unsigned i = 0; i < classes->n; i++) {
        class = classes->v[i];
        if (class->result.is_rest || is_named(class, request)) {
            return class;
        }
    }
    class = g_new0(struct class, 1);
    classes->v[classes->n++] = class;
    class->latency = ct_histogram_new(EXACT_MAX, PRECISION);
    if (classes->n == CLASSES_MAX) {
        class->result.is_rest = true;
        return class;
    }
    class->layer = request->layer;
    class->op = request->op;
    class->node = request->node;
    class->result.layer = g_strdup(request->layer);
    class->result.op = g_strdup(request->op);
    class->result.node = g_strdup(request->node);
    classes->last = class;
    return class;
}

void ct_classes_add(struct ct_classes *classes,
                    const struct ct_request *request,
                    const int64_t states_ns[CT_STATES])
{
    struct class *class = class_of(classes, request);

    class->result.requests++;
    if (!request->complete) {
        return;
    }
    ct_histogram_add(class->latency, request->end_ns - request->begin_ns);
    for (unsigned i = 0; i < CT_STATES; i++) {
        if (!states_ns[i]) {
            continue;
        }
        if (!class->states[i]) {
            class->states[i] = ct_histogram_new(EXACT_MAX, PRECISION);
        }
        ct_histogram_add(class->states[i], states_ns[i]);
    }
}

struct ct_stat_times ct_stat_sum_up(struct ct_histogram *histogram)
{
    if (!histogram) {
        return (struct ct_stat_times){0};
    }
    return (struct ct_stat_times){
        .n = ct_histogram_count(histogram),
        .sum_ns = ct_histogram_sum(histogram),
        .p50_ns = ct_histogram_quantile(histogram, 50, 100),
        .p90_ns = ct_histogram_quantile(histogram, 90, 100),
        .p99_ns = ct_histogram_quantile(histogram, 99, 100),
        .p999_ns = ct_histogram_quantile(histogram, 999, 1000),
        .max_ns = ct_histogram_max(histogram),
        .octaves = ct_histogram_octaves(histogram),
    };
}

static int by_time(const void *a, const void *b)
{
    const struct ct_stat_class *x = a, *y = b;

    if (x->latency.sum_ns != y->latency.sum_ns) {
        return x->latency.sum_ns > y->latency.sum_ns ? -1 : 1;
    }
    int order = g_strcmp0(x->layer, y->layer);
    order = order ? order : g_strcmp0(x->op, y->op);
    return order ? order : g_strcmp0(x->node, y->node);
}

const struct ct_stat_class *ct_classes_result(struct ct_classes *classes,
                                              unsigned *ret_n)
{
    for (unsigned i = 0; i < classes->n; i++) {
        struct class *class = classes->v[i];
        struct ct_stat_class *result = &classes->results[i];

        *result = class->result;
        result->latency = ct_stat_sum_up(class->latency);
        for (unsigned k = 0; k < CT_STATES; k++) {
            result->states[k] = ct_stat_sum_up(class->states[k]);
        }
    }
    qsort(classes->results, classes->n, sizeof(classes->results[0]), by_time);
    *ret_n = classes->n;
    return classes->results;
}
