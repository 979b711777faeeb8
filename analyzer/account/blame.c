/* SPDX-License-Identifier: MIT */
/*
 * Who held it up.
 *
 *   runnable, work-done   what the context's thread ran meanwhile
 *   work-queued           what the pool's workers ran meanwhile
 *   lock                  what the holder was doing (behind.c)
 *   children              the path through them (critical.c), by state
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

#include "account/behind.h"
#include "account/servers.h"

struct ct_blame {
    struct ct_meanwhile *meanwhile;
    struct ct_servers *servers;
    GHashTable *numbers;        /* request number, in it -> struct ct_blamed */
    struct ct_ran_list all;     /* of one wait, until it is settled */
    struct ct_stretches doings; /* of one wait, backwards */
};

struct ct_blame *ct_blame_new(void)
{
    struct ct_blame *blame = g_new0(struct ct_blame, 1);

    blame->meanwhile = ct_meanwhile_new();
    blame->servers = ct_servers_new();
    blame->numbers = g_hash_table_new(g_int64_hash, g_int64_equal);
    return blame;
}

void ct_blame_free(struct ct_blame *blame)
{
    if (blame) {
        ct_servers_free(blame->servers);
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
    request->coroutine = coroutine;
    ct_servers_add(blame->servers, request, coroutine);
}

/* --- what others were doing ------------------------------------------- */

/* What the holder did since @from_ns, also kept for those who wait behind
 * @request. */
static void blame_coroutine(struct ct_blame *blame, struct ct_blamed *request,
                            const struct ct_segment *segment, int64_t from_ns)
{
    const struct ct_blamed *other =
        ct_servers_find(blame->servers, request->pid, segment->cause.coroutine);

    if (!other || other == request) {
        return;
    }
    ct_behind_find(blame->servers, other, from_ns, segment->end_ns,
                   &blame->doings);
    for (unsigned i = blame->doings.n; i-- > 0;) {
        const struct ct_stretch *piece = &blame->doings.v[i];
        ct_stretches_append(&request->behind, piece);
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
        ct_servers_find(blame->servers, request->pid, segment->cause.coroutine);
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
        ct_servers_remove(blame->servers, request, coroutines[i]);
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
