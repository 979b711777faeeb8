/* SPDX-License-Identifier: MIT */
/*
 * Who held it up.
 *
 *   runnable, work-done   what the context's thread ran meanwhile
 *   work-queued           what the pool's workers ran meanwhile
 *   lock                  what the holder was doing; while that waited for a
 *                         lock or for children, what those were doing
 *   children              the path through them (critical.c), by state
 *
 * A coroutine is looked up by the outermost request that it serves: its nested
 * ones come and go while it holds a lock, and share its state.
 *
 * The first two take their pieces from meanwhile.c, which keeps them as long as
 * the wait is registered there; the others look at the other request's own
 * segments, so they must be asked while it is open: when a segment closes.  By
 * then the one behind the holder may be gone.  So what was found of a holder
 * stays with the segment that waited for it, with times, as the path does: one
 * who joins later takes the part that he waited for.
 */
#include "account/blame.h"

#include <glib.h>

#include "ct/key.h"

enum {
    DEPTH_MAX = 8,    /* holders of holders */
    PIECES_MAX = 256, /* looked at for one wait */
};

struct server { /* pid and coroutine -> the request */
    int32_t pid;
    uint64_t coroutine;
    struct ct_blamed *request;
};

struct ct_blame {
    struct ct_meanwhile *meanwhile;
    GHashTable *servers;        /* struct server (owned), itself */
    GHashTable *numbers;        /* request number, in it -> struct ct_blamed */
    struct ct_ran_list all;     /* of one wait, until it is settled */
    struct ct_stretches doings; /* of one wait, backwards */
};

static guint hash_server(const void *data)
{
    const struct server *server = data;

    return ct_key_hash(server->pid, server->coroutine);
}

static gboolean is_same_server(const void *a, const void *b)
{
    const struct server *one = a;
    const struct server *other = b;

    return one->coroutine == other->coroutine && one->pid == other->pid;
}

struct ct_blame *ct_blame_new(void)
{
    struct ct_blame *blame = g_new0(struct ct_blame, 1);

    blame->meanwhile = ct_meanwhile_new();
    blame->servers =
        g_hash_table_new_full(hash_server, is_same_server, g_free, NULL);
    blame->numbers = g_hash_table_new(g_int64_hash, g_int64_equal);
    return blame;
}

void ct_blame_free(struct ct_blame *blame)
{
    if (blame) {
        g_hash_table_unref(blame->servers);
        g_hash_table_unref(blame->numbers);
        ct_meanwhile_free(blame->meanwhile);
        ct_ran_fini(&blame->all);
        g_free(blame->doings.v);
        g_free(blame);
    }
}

void ct_blame_change(struct ct_blame *blame, const struct ct_change *change)
{
    ct_meanwhile_change(blame->meanwhile, change);
}

static struct ct_blamed *served_by(const struct ct_blame *blame, int32_t pid,
                                   uint64_t coroutine)
{
    struct server key = {.pid = pid, .coroutine = coroutine};
    struct server *server =
        coroutine ? g_hash_table_lookup(blame->servers, &key) : NULL;

    return server ? server->request : NULL;
}

static struct ct_blamed *parent_of(const struct ct_blame *blame,
                                   const struct ct_blamed *request)
{
    return request->parent
               ? g_hash_table_lookup(blame->numbers, &request->parent)
               : NULL;
}

static bool waits_for_children(const struct ct_blamed *request)
{
    return request && request->segments->n &&
           request->segments->v[request->segments->n - 1].state ==
               CT_STATE_CHILDREN;
}

void ct_blame_begin(struct ct_blame *blame, struct ct_blamed *request)
{
    struct ct_blamed *parent = parent_of(blame, request);

    request->closed = 0;
    request->resumed = false;
    request->ran.n = 0;
    request->behind.n = 0;
    request->coroutine = 0;
    ct_critical_begin(&request->critical,
                      waits_for_children(parent) ? &parent->critical : NULL);
    g_hash_table_insert(blame->numbers, &request->number, request);
}

void ct_blame_serves(struct ct_blame *blame, struct ct_blamed *request,
                     uint64_t coroutine)
{
    struct server *server;

    request->coroutine = coroutine;
    if (!served_by(blame, request->pid, coroutine)) {
        server = g_new(struct server, 1);
        *server = (struct server){request->pid, coroutine, request};
        g_hash_table_replace(blame->servers, server, server);
    }
}

/* --- what others were doing ------------------------------------------- */

struct doing {
    const struct ct_blame *blame;
    struct ct_stretches *list; /* the last comes first, without holes */
    unsigned pieces;
};

static void append(struct ct_stretches *list, const struct ct_stretch *piece)
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
        append(list, &piece);
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
            ? served_by(doing->blame, request->pid, segment->cause.coroutine)
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

/* What the holder did since @from_ns, also kept for those who wait behind
 * @request. */
static void blame_coroutine(struct ct_blame *blame, struct ct_blamed *request,
                            const struct ct_segment *segment, int64_t from_ns)
{
    struct doing doing = {.blame = blame, .list = &blame->doings};
    struct ct_blamed *other =
        served_by(blame, request->pid, segment->cause.coroutine);

    blame->doings.n = 0;
    if (other && other != request) {
        add_doing(&doing, other, from_ns, segment->end_ns, 0);
    }
    for (unsigned i = blame->doings.n; i-- > 0;) {
        const struct ct_stretch *piece = &blame->doings.v[i];
        append(&request->behind, piece);
        ct_ran_add(&blame->all,
                   &(struct ct_ran){
                       .kind = piece->is_known ? CT_RAN_STATE : CT_RAN_UNKNOWN,
                       .state = piece->state,
                       .depth = piece->depth,
                       .request = piece->request,
                       .ns = piece->end_ns - piece->begin_ns,
                   });
    }
}

static void blame_children(struct ct_blame *blame, struct ct_blamed *request,
                           struct ct_segment *segment)
{
    struct ct_critical *critical = &request->critical;
    struct ct_blamed *child =
        served_by(blame, request->pid, segment->cause.coroutine);
    const struct ct_path_segment *open = NULL;
    unsigned n_open = 0;
    unsigned from = critical->n;

    if (child && child->coroutine != request->coroutine) {
        n_open = ct_critical_path(&child->critical, child->segments,
                                  child->number, segment->end_ns, &open);
    }
    ct_critical_waited(critical, segment, request->number, open, n_open,
                       child ? child->ran.v : NULL, &request->ran);
    segment->cause.first_ran = request->ran.n;
    while (from && critical->v[from - 1].segment.end_ns > segment->begin_ns) {
        from--; /* of this wait, when it closed before */
    }
    for (unsigned i = from; i < critical->n; i++) {
        const struct ct_path_segment *piece = &critical->v[i];
        bool is_own = piece->request == request->number;
        ct_ran_add(
            &request->ran,
            &(struct ct_ran){
                .kind = is_own || piece->segment.state == CT_STATE_UNKNOWN
                            ? CT_RAN_UNKNOWN
                            : CT_RAN_STATE,
                .state = piece->segment.state,
                .request = is_own ? 0 : piece->request,
                .ns = MIN(piece->segment.end_ns, segment->end_ns) -
                      MAX(piece->segment.begin_ns, segment->begin_ns),
            });
    }
}

/* --- a segment closed ------------------------------------------------- */

static bool is_of_loop(enum ct_state state)
{
    return state == CT_STATE_RUNNABLE || state == CT_STATE_WORK_DONE;
}

/* What @segment, which waited for no children, waited for since @from_ns. */
static void blame_wait(struct ct_blame *blame, struct ct_blamed *request,
                       const struct ct_segment *segment, int64_t from_ns)
{
    const struct ct_cause *cause = &segment->cause;

    if (is_of_loop(segment->state)) {
        ct_meanwhile_loop(blame->meanwhile, request->pid, cause->id, from_ns,
                          segment->end_ns, &blame->all);
    } else if (segment->state == CT_STATE_WORK_QUEUED) {
        ct_meanwhile_pool(blame->meanwhile, request->pid, cause->pool, from_ns,
                          segment->end_ns, &blame->all);
    } else if (segment->state == CT_STATE_LOCK) {
        blame_coroutine(blame, request, segment, from_ns);
    }
    ct_ran_settle(&blame->all, 0);
}

static void closed(struct ct_blame *blame, struct ct_blamed *request,
                   struct ct_segment *segment, bool resumed)
{
    struct ct_cause *cause = &segment->cause;
    struct ct_ran_list *ran = &request->ran;
    int64_t from_ns =
        resumed ? MAX(request->from_ns, segment->begin_ns) : segment->begin_ns;
    unsigned first = ran->n;

    if (segment->state == CT_STATE_CHILDREN) {
        blame_children(blame, request, segment);
        first = cause->first_ran;
        ct_ran_settle(ran, first);
    } else {
        blame->all.n = 0;
        for (unsigned i = 0; resumed && i < cause->n_ran; i++) {
            ct_ran_add(&blame->all, &ran->v[cause->first_ran + i]);
        }
        blame_wait(blame, request, segment, from_ns);
        for (unsigned i = 0; i < blame->all.n; i++) {
            ct_ran_add(ran, &blame->all.v[i]);
        }
    }
    cause->first_ran = first;
    cause->n_ran = ran->n - first;
}

void ct_blame_look(struct ct_blame *blame, struct ct_blamed *request,
                   int64_t now_ns, bool is_over)
{
    struct ct_segments *segments = request->segments;
    unsigned n_closed = is_over || !segments->n ? segments->n : segments->n - 1;

    for (unsigned i = request->closed; i < n_closed; i++) {
        closed(blame, request, &segments->v[i],
               request->resumed && i == request->closed);
    }
    if (n_closed != request->closed || is_over) {
        request->resumed = n_closed < request->closed;
        request->from_ns = now_ns;
        request->closed = n_closed;
    }
    const struct ct_segment *open =
        is_over ? NULL : &segments->v[segments->n - 1];
    if (open &&
        (is_of_loop(open->state) || open->state == CT_STATE_WORK_QUEUED)) {
        int64_t begin_ns = request->resumed ? request->from_ns : open->begin_ns;
        if (!request->wait.is_open || request->wait.begin_ns != begin_ns) {
            ct_wait_open(blame->meanwhile, &request->wait, now_ns);
            request->wait.begin_ns = now_ns;
        }
    } else {
        ct_wait_close(&request->wait);
    }
}

/* A child has ended: its parent waited for it, and with that all requests
 * around the parent that the same coroutine serves. */
static void child_ended(struct ct_blame *blame, struct ct_blamed *child,
                        const struct ct_path_segment *path, unsigned n)
{
    struct ct_blamed *parent = parent_of(blame, child);
    struct ct_blamed *outer;

    if (!waits_for_children(parent) || parent == child) {
        return;
    }
    ct_critical_child(&parent->critical, &child->critical, path, n,
                      child->ran.v);
    for (outer = parent_of(blame, parent);
         waits_for_children(outer) && parent->coroutine &&
         outer->coroutine == parent->coroutine;
         outer = parent_of(blame, outer)) {
        ct_critical_share(&outer->critical, &parent->critical);
    }
}

unsigned ct_blame_end(struct ct_blame *blame, struct ct_blamed *request,
                      int64_t now_ns, const uint64_t *coroutines,
                      unsigned n_coroutines,
                      const struct ct_path_segment **ret_path)
{
    unsigned n = ct_critical_path(&request->critical, request->segments,
                                  request->number, now_ns, ret_path);

    child_ended(blame, request, *ret_path, n);
    g_hash_table_remove(blame->numbers, &request->number);
    for (unsigned i = 0; i < n_coroutines; i++) {
        if (served_by(blame, request->pid, coroutines[i]) == request) {
            g_hash_table_remove(
                blame->servers,
                &(struct server){request->pid, coroutines[i], NULL});
        }
    }
    ct_critical_clear(&request->critical);
    return n;
}

void ct_blamed_fini(struct ct_blamed *request)
{
    ct_wait_close(&request->wait);
    ct_ran_fini(&request->ran);
    g_free(request->behind.v);
    ct_critical_fini(&request->critical);
}
