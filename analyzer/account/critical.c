/* SPDX-License-Identifier: MIT */
/*
 * The critical path through children.
 *
 * Seen from a wait's end it goes backwards: the child that ended last, back to
 * its begin; then the child that had ended last by then (a pool of tasks begins
 * one when another ends), and so on to the wait's begin.  A child learns what
 * comes before it when it begins, so that the whole is one pass forwards.
 *
 * What no child covers stays `children`.  So the path is contiguous by
 * construction and as long as the request.
 *
 * Requests inside one another in one coroutine wait together: they share the
 * paths of the children that ended meanwhile.
 *
 * A piece that is not all of its segment has no causes' `ran`: how that lies in
 * the segment is not kept.
 */
#include "account/critical.h"

#include <string.h>

#include <glib.h>

struct ct_path {
    unsigned refs;
    struct ct_path *before;
    int64_t begin_ns, end_ns;
    unsigned n;
    struct ct_ran *ran;
    struct ct_path_segment v[];
};

static struct ct_path *ref(struct ct_path *path)
{
    if (path) {
        path->refs++;
    }
    return path;
}

static void unref(struct ct_path *path)
{
    while (path && --path->refs == 0) {
        struct ct_path *before = path->before;
        g_free(path->ran);
        g_free(path);
        path = before;
    }
}

static void append(struct ct_path_segment **v, unsigned *n, unsigned *capacity,
                   const struct ct_path_segment *piece)
{
    if (piece->segment.begin_ns >= piece->segment.end_ns) {
        return;
    }
    if (*n == *capacity) {
        *capacity = MAX(8, *capacity * 2);
        *v = g_renew(struct ct_path_segment, *v, *capacity);
    }
    (*v)[(*n)++] = *piece;
}

static void cut(struct ct_segment *segment, int64_t from_ns, int64_t to_ns)
{
    if (segment->begin_ns < from_ns || segment->end_ns > to_ns) {
        segment->begin_ns = MAX(segment->begin_ns, from_ns);
        segment->end_ns = MIN(segment->end_ns, to_ns);
        segment->cause.n_ran = 0;
    }
}

void ct_critical_begin(struct ct_critical *child,
                       const struct ct_critical *parent)
{
    child->prefix = parent ? ref(parent->newest) : NULL;
}

void ct_critical_child(struct ct_critical *parent,
                       const struct ct_critical *child,
                       const struct ct_path_segment *path, unsigned n,
                       const struct ct_ran *ran)
{
    struct ct_path *ended;
    unsigned n_ran = 0;

    if (!n) {
        return;
    }
    ended = g_malloc(sizeof(*ended) + n * sizeof(ended->v[0]));
    *ended = (struct ct_path){
        .refs = 1,
        .before = ref(child->prefix),
        .begin_ns = path[0].segment.begin_ns,
        .end_ns = path[n - 1].segment.end_ns,
        .n = n,
    };
    memcpy(ended->v, path, n * sizeof(ended->v[0]));
    for (unsigned i = 0; i < n; i++) {
        n_ran += path[i].segment.cause.n_ran;
    }
    ended->ran = g_new(struct ct_ran, n_ran);
    n_ran = 0;
    for (unsigned i = 0; i < n; i++) {
        struct ct_cause *cause = &ended->v[i].segment.cause;
        if (cause->n_ran) {
            memcpy(ended->ran + n_ran, ran + cause->first_ran,
                   cause->n_ran * sizeof(*ran));
        }
        cause->first_ran = n_ran;
        n_ran += cause->n_ran;
    }
    unref(parent->newest);
    parent->newest = ended;
}

void ct_critical_share(struct ct_critical *critical,
                       const struct ct_critical *with)
{
    struct ct_path *newest = ref(with->newest);

    unref(critical->newest);
    critical->newest = newest;
}

/* --- a wait is over --------------------------------------------------- */

struct splice {
    struct ct_critical *critical;
    struct ct_ran_list *ran;
    const struct ct_segment *wait;
    uint64_t number;
    int64_t at_ns; /* the path is made up to there */
};

/* From where it is to @until_ns nothing is known but that it waits. */
static void fill(struct splice *splice, int64_t until_ns)
{
    struct ct_path_segment piece = {splice->number, *splice->wait};

    piece.segment.begin_ns = splice->at_ns;
    piece.segment.end_ns = until_ns;
    piece.segment.cause.n_ran = 0;
    append(&splice->critical->v, &splice->critical->n,
           &splice->critical->capacity, &piece);
    splice->at_ns = MAX(splice->at_ns, until_ns);
}

static void add(struct splice *splice, struct ct_path_segment piece,
                int64_t until_ns, const struct ct_ran *ran)
{
    struct ct_cause *cause = &piece.segment.cause;
    unsigned first = splice->ran->n;

    if (piece.segment.end_ns <= splice->at_ns ||
        MAX(piece.segment.begin_ns, splice->at_ns) >= until_ns) {
        return;
    }
    fill(splice, piece.segment.begin_ns);
    cut(&piece.segment, splice->at_ns, until_ns);
    for (unsigned i = 0; i < cause->n_ran; i++) {
        ct_ran_add(splice->ran, &ran[cause->first_ran + i]);
    }
    cause->first_ran = first;
    cause->n_ran = splice->ran->n - first;
    append(&splice->critical->v, &splice->critical->n,
           &splice->critical->capacity, &piece);
    splice->at_ns = piece.segment.end_ns;
}

void ct_critical_waited(struct ct_critical *critical,
                        const struct ct_segment *wait, uint64_t number,
                        const struct ct_path_segment *open, unsigned n_open,
                        const struct ct_ran *open_ran, struct ct_ran_list *ran)
{
    struct splice splice = {
        .critical = critical,
        .ran = ran,
        .wait = wait,
        .number = number,
        .at_ns = wait->begin_ns,
    };

    if (critical->n) { /* it may have closed before, and gone on */
        int64_t end_ns = critical->v[critical->n - 1].segment.end_ns;
        splice.at_ns = MAX(splice.at_ns, end_ns);
    }
    int64_t open_ns = n_open ? open[0].segment.begin_ns : INT64_MAX;
    g_autoptr(GPtrArray) chain = g_ptr_array_new();
    int64_t before_ns = open_ns;

    /* One that goes on took longer than those that ended since it began. */
    for (struct ct_path *path = critical->newest; path; path = path->before) {
        if (path->end_ns <= wait->begin_ns) {
            break; /* each of the further ones ended before this one began */
        }
        if (path->end_ns <= before_ns) {
            g_ptr_array_add(chain, path);
            before_ns = path->begin_ns;
        }
    }
    for (unsigned i = chain->len; i-- > 0;) {
        const struct ct_path *path = g_ptr_array_index(chain, i);
        for (unsigned k = 0; k < path->n; k++) {
            add(&splice, path->v[k], wait->end_ns, path->ran);
        }
    }
    for (unsigned i = 0; i < n_open; i++) {
        add(&splice, open[i], wait->end_ns, open_ran);
    }
    fill(&splice, wait->end_ns);
    unref(critical->newest);
    critical->newest = NULL;
}

/* --- the whole path --------------------------------------------------- */

unsigned ct_critical_path(struct ct_critical *critical,
                          const struct ct_segments *segments, uint64_t number,
                          int64_t now_ns,
                          const struct ct_path_segment **ret_path)
{
    unsigned n = 0;
    unsigned next = 0;

    for (unsigned i = 0; i < segments->n; i++) {
        struct ct_path_segment piece = {number, segments->v[i]};
        bool is_open = i + 1 == segments->n && piece.segment.end_ns < now_ns;

        if (is_open) {
            piece.segment.end_ns = now_ns;
            piece.segment.cause.n_ran = 0;
        }
        int64_t end_ns = piece.segment.end_ns;
        if (piece.segment.state != CT_STATE_CHILDREN) {
            append(&critical->whole, &n, &critical->whole_capacity, &piece);
            continue;
        }
        /* A loss may have moved the wait's ends since. */
        int64_t at_ns = piece.segment.begin_ns;
        for (;
             next < critical->n && critical->v[next].segment.begin_ns < end_ns;
             next++) {
            struct ct_path_segment part = critical->v[next];
            if (part.segment.end_ns <= at_ns) {
                continue;
            }
            struct ct_path_segment rest = piece;
            cut(&rest.segment, at_ns, part.segment.begin_ns);
            append(&critical->whole, &n, &critical->whole_capacity, &rest);
            cut(&part.segment, at_ns, end_ns);
            append(&critical->whole, &n, &critical->whole_capacity, &part);
            at_ns = part.segment.end_ns;
        }
        cut(&piece.segment, at_ns, end_ns);
        append(&critical->whole, &n, &critical->whole_capacity, &piece);
    }
    *ret_path = critical->whole;
    return n;
}

void ct_critical_clear(struct ct_critical *critical)
{
    unref(critical->prefix);
    unref(critical->newest);
    critical->prefix = critical->newest = NULL;
    critical->n = 0;
}

void ct_critical_fini(struct ct_critical *critical)
{
    ct_critical_clear(critical);
    g_free(critical->v);
    g_free(critical->whole);
    *critical = (struct ct_critical){0};
}
