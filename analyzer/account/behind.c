/* SPDX-License-Identifier: MIT */
/*
 * behind.c - cuts a time into what a request did, and those whom it waited for,
 * from its end on
 */
#include "account/behind.h"

#include <glib.h>

enum {
    DEPTH_MAX = 8,    /* holders of holders */
    PIECES_MAX = 256, /* looked at for one wait */
};

struct doing {
    const struct ct_servers *servers;
    struct ct_stretches *list;
    unsigned pieces;
};

void ct_stretches_append(struct ct_stretches *list,
                         const struct ct_stretch *piece)
{
    if (list->n == list->capacity) {
        list->capacity = MAX(16, list->capacity * 2);
        list->v = g_renew(struct ct_stretch, list->v, list->capacity);
    }
    list->v[list->n++] = *piece;
}

/* Before what there is; more of the same is one. */
static void add_piece(struct ct_stretches *list, struct ct_stretch piece)
{
    struct ct_stretch *after = list->n ? &list->v[list->n - 1] : NULL;

    if (piece.begin_ns >= piece.end_ns) {
        return;
    }
    if (after && after->is_known == piece.is_known &&
        after->state == piece.state && after->depth == piece.depth &&
        after->request == piece.request && after->begin_ns == piece.end_ns) {
        after->begin_ns = piece.begin_ns;
    } else {
        ct_stretches_append(list, &piece);
    }
}

static void add_unknown(struct doing *doing, int64_t from_ns, int64_t to_ns,
                        unsigned depth)
{
    add_piece(doing->list, (struct ct_stretch){.begin_ns = from_ns,
                                               .end_ns = to_ns,
                                               .depth = depth});
}

static void add_state(struct doing *doing, uint64_t request,
                      enum ct_state state, int64_t from_ns, int64_t to_ns,
                      unsigned depth)
{
    if (state == CT_STATE_UNKNOWN) {
        add_unknown(doing, from_ns, to_ns, depth);
    } else {
        add_piece(doing->list, (struct ct_stretch){.begin_ns = from_ns,
                                                   .end_ns = to_ns,
                                                   .is_known = true,
                                                   .state = state,
                                                   .depth = depth,
                                                   .request = request});
    }
}

/* The n-th piece behind a closed wait: in a lock, of others than the request;
 * in children, of the path, where its own pieces are holes. */
static struct ct_stretch nth_behind(const struct ct_blamed *request,
                                    bool is_lock, unsigned i)
{
    if (is_lock) {
        return request->behind.v[i];
    }
    const struct ct_path_segment *piece = &request->critical.v[i];
    return (struct ct_stretch){
        .begin_ns = piece->segment.begin_ns,
        .end_ns = piece->segment.end_ns,
        .is_known = piece->segment.state != CT_STATE_UNKNOWN,
        .state = piece->segment.state,
        .request = piece->request,
    };
}

/* Of both lists: the first that begins at @when_ns or later. */
static unsigned first_from(const struct ct_blamed *request, bool is_lock,
                           int64_t when_ns)
{
    unsigned low = 0;
    unsigned high = is_lock ? request->behind.n : request->critical.n;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (nth_behind(request, is_lock, middle).begin_ns < when_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A wait of @request that has closed: what was found behind it then. */
static void add_closed(struct doing *doing, const struct ct_blamed *request,
                       const struct ct_segment *segment, int64_t from_ns,
                       int64_t to_ns, unsigned depth)
{
    bool is_lock = segment->state == CT_STATE_LOCK;
    int64_t end_ns = to_ns;

    for (unsigned i = first_from(request, is_lock, to_ns);
         i-- > 0 && end_ns > from_ns && doing->pieces < PIECES_MAX;) {
        struct ct_stretch piece = nth_behind(request, is_lock, i);
        int64_t begin_ns = MAX(piece.begin_ns, from_ns);
        int64_t until_ns = MIN(piece.end_ns, end_ns);

        if (until_ns <= from_ns) {
            break;
        }
        if (begin_ns >= until_ns ||
            (!is_lock && piece.request == request->number)) {
            continue;
        }
        doing->pieces++;
        add_state(doing, request->number, segment->state, until_ns, end_ns,
                  depth);
        piece.begin_ns = begin_ns;
        piece.end_ns = until_ns;
        piece.depth += depth + 1;
        add_piece(doing->list, piece);
        end_ns = begin_ns;
    }
    add_state(doing, request->number, segment->state, from_ns, end_ns, depth);
}

static void add_doing(struct doing *doing, const struct ct_blamed *request,
                      int64_t from_ns, int64_t to_ns, unsigned depth);

static void add_segment(struct doing *doing, const struct ct_blamed *request,
                        unsigned i, int64_t from_ns, int64_t to_ns,
                        unsigned depth)
{
    const struct ct_segment *segment = &request->segments->v[i];
    bool is_chain =
        segment->state == CT_STATE_LOCK || segment->state == CT_STATE_CHILDREN;
    struct ct_blamed *behind =
        is_chain && i >= request->closed
            ? ct_servers_find(doing->servers, request->pid,
                              segment->cause.coroutine)
            : NULL;

    if (is_chain && i < request->closed) {
        add_closed(doing, request, segment, from_ns, to_ns, depth);
    } else if (behind && behind != request && depth < DEPTH_MAX &&
               doing->pieces < PIECES_MAX) {
        add_doing(doing, behind, from_ns, to_ns, depth + 1);
    } else {
        add_state(doing, request->number, segment->state, from_ns, to_ns,
                  depth);
    }
}

/* Cuts @from_ns .. @to_ns into what the request was doing. */
static void add_doing(struct doing *doing, const struct ct_blamed *request,
                      int64_t from_ns, int64_t to_ns, unsigned depth)
{
    const struct ct_segments *segments = request->segments;
    int64_t end_ns = to_ns;

    for (unsigned i = segments->n; i-- > 0 && end_ns > from_ns;) {
        int64_t begin_ns = MAX(segments->v[i].begin_ns, from_ns);

        if (begin_ns >= end_ns) {
            continue;
        }
        if (doing->pieces++ >= PIECES_MAX) {
            break;
        }
        add_segment(doing, request, i, begin_ns, end_ns, depth);
        end_ns = begin_ns;
    }
    add_unknown(doing, from_ns, end_ns, depth);
}

void ct_behind_find(const struct ct_servers *servers,
                    const struct ct_blamed *request, int64_t from_ns,
                    int64_t to_ns, struct ct_stretches *ret_list)
{
    struct doing doing = {.servers = servers, .list = ret_list};

    ret_list->n = 0;
    add_doing(&doing, request, from_ns, to_ns, 0);
}
