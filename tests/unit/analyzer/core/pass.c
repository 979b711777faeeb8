/* SPDX-License-Identifier: MIT */
#include "pass.h"

#include <string.h>

static void free_array(gpointer array)
{
    g_array_unref(array);
}

struct pass *pass_new(unsigned wants)
{
    struct pass *pass = g_new0(struct pass, 1);
    unsigned needs = CT_WANT_BLAME | CT_WANT_SLICES | CT_WANT_SLICE_BEGINS;

    pass->model = ct_model_new(wants);
    pass->blames = (wants & needs) == needs;
    pass->account = ct_account_new(pass->blames);
    pass->requests = g_array_new(FALSE, TRUE, sizeof(struct kept_request));
    pass->slices = g_array_new(FALSE, TRUE, sizeof(struct ct_slice));
    pass->edges = g_array_new(FALSE, TRUE, sizeof(struct ct_edge));
    pass->lives = g_array_new(FALSE, TRUE, sizeof(struct ct_life));
    pass->stacks = g_array_new(FALSE, TRUE, sizeof(struct ct_own_stack));
    pass->counters = g_array_new(FALSE, TRUE, sizeof(struct ct_counter));
    pass->gaps = g_array_new(FALSE, TRUE, sizeof(struct ct_gap));
    pass->held = g_array_new(FALSE, TRUE, sizeof(struct ct_origin *));
    pass->open = g_hash_table_new_full(NULL, NULL, NULL, free_array);
    pass->began = g_hash_table_new(NULL, NULL);
    pass->names = g_hash_table_new(NULL, NULL);
    pass->keep = true;
    return pass;
}

void pass_free(struct pass *pass)
{
    for (unsigned i = 0; i < pass->requests->len; i++) {
        struct kept_request *kept =
            &g_array_index(pass->requests, struct kept_request, i);
        g_free(kept->segments);
        g_free(kept->coroutines);
        g_free(kept->workers);
        g_free(kept->ran);
        g_free(kept->path);
    }
    for (unsigned i = 0; i < pass->held->len; i++) {
        ct_origin_unref(g_array_index(pass->held, struct ct_origin *, i));
    }
    g_array_unref(pass->requests);
    g_array_unref(pass->slices);
    g_array_unref(pass->edges);
    g_array_unref(pass->lives);
    g_array_unref(pass->stacks);
    g_array_unref(pass->counters);
    g_array_unref(pass->gaps);
    g_array_unref(pass->held);
    g_hash_table_unref(pass->open);
    g_hash_table_unref(pass->began);
    g_hash_table_unref(pass->names);
    ct_account_free(pass->account);
    ct_model_free(pass->model);
    g_free(pass);
}

static void hold(struct pass *pass, const struct ct_origin *origin)
{
    struct ct_origin *held = ct_origin_ref((struct ct_origin *)origin);

    if (held) {
        g_assert_cmpuint(held->length, <=, 128);
        g_array_append_val(pass->held, held);
    }
}

/* What ran while it waited is never more than the wait; where a loop, a holder
 * or a child held it up, all of it is told, or nothing. */
static void check_segment(const struct ct_request *request,
                          const struct ct_segment *segment)
{
    const struct ct_cause *cause = &segment->cause;
    int64_t ns = segment->end_ns - segment->begin_ns;
    int64_t sum_ns = 0;

    g_assert_cmpuint(cause->n_ran, <=, CT_RAN_MAX);
    for (unsigned k = 0; k < cause->n_ran; k++) {
        const struct ct_ran *ran = &request->ran[cause->first_ran + k];
        g_assert_cmpint(ran->ns, >, 0);
        if (ran->kind != CT_RAN_OTHERS) {
            g_assert_cmpint(ran->ns, <=,
                            segment->state == CT_STATE_WORK_QUEUED ? INT64_MAX
                                                                   : ns);
        }
        sum_ns += ran->ns;
    }
    if (cause->n_ran && segment->state != CT_STATE_WORK_QUEUED) {
        g_assert_cmpint(sum_ns, ==, ns);
    }
}

static void check_blame(const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        check_segment(request, &request->segments[i]);
    }
    for (unsigned i = 0; i < request->n_path; i++) {
        check_segment(request, &request->path[i].segment);
    }
}

static void keep_request(struct pass *pass, const struct ct_request *request)
{
    struct kept_request kept = {.request = *request};

    g_assert_true(ct_request_check(request));
    check_blame(request);
    g_assert_true(
        g_hash_table_lookup(pass->began, GSIZE_TO_POINTER(request->number)) ==
        request);
    g_hash_table_remove(pass->began, GSIZE_TO_POINTER(request->number));
    g_assert_cmpint(request->end_ns, ==, pass->now_ns);
    if (!pass->keep) {
        return;
    }
    kept.request.origin = NULL;
    kept.segments = g_memdup2(request->segments,
                              request->n_segments * sizeof(*kept.segments));
    kept.request.segments = kept.segments;
    kept.coroutines = g_memdup2(
        request->coroutines, request->n_coroutines * sizeof(*kept.coroutines));
    kept.request.coroutines = kept.coroutines;
    kept.workers =
        g_memdup2(request->workers, request->n_workers * sizeof(*kept.workers));
    kept.request.workers = kept.workers;
    unsigned n_ran = 0;
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_cause *cause = &request->segments[i].cause;
        n_ran = MAX(n_ran, cause->n_ran ? cause->first_ran + cause->n_ran : 0);
    }
    for (unsigned i = 0; i < request->n_path; i++) {
        const struct ct_cause *cause = &request->path[i].segment.cause;
        n_ran = MAX(n_ran, cause->n_ran ? cause->first_ran + cause->n_ran : 0);
    }
    kept.ran = g_memdup2(request->ran, n_ran * sizeof(*kept.ran));
    kept.request.ran = kept.ran;
    kept.path = g_memdup2(request->path, request->n_path * sizeof(*kept.path));
    kept.request.path = kept.path;
    g_array_append_val(pass->requests, kept);
}

static GArray *open_of(struct pass *pass, const struct ct_slice *slice)
{
    gpointer key = GSIZE_TO_POINTER((gsize)(uint32_t)slice->pid << 32 |
                                    (uint32_t)slice->tid);
    GArray *open = g_hash_table_lookup(pass->open, key);

    if (!open) {
        open = g_array_new(FALSE, TRUE, sizeof(struct ct_slice));
        g_hash_table_insert(pass->open, key, open);
    }
    return open;
}

static void slice_began(struct pass *pass, const struct ct_slice *slice)
{
    GArray *open = open_of(pass, slice);

    g_assert_cmpuint(slice->depth, ==, open->len);
    g_assert_cmpint(slice->begin_ns, <=, pass->now_ns);
    if (open->len) {
        struct ct_slice *outer =
            &g_array_index(open, struct ct_slice, open->len - 1);
        /* end_ns: where the last one inside it ended */
        g_assert_cmpint(slice->begin_ns, >=, outer->end_ns);
    }
    g_array_append_val(open, *slice);
}

static void slice_ended(struct pass *pass, const struct ct_slice *slice)
{
    GArray *open = open_of(pass, slice);

    g_assert_cmpuint(open->len, >, 0);
    struct ct_slice began = g_array_index(open, struct ct_slice, open->len - 1);
    g_assert_cmpint(began.kind, ==, slice->kind);
    g_assert_cmpint(began.begin_ns, ==, slice->begin_ns);
    g_assert_cmpuint(began.id, ==,
                     slice->kind == CT_SLICE_THREAD ? began.id : slice->id);
    g_assert_cmpuint(began.depth, ==, slice->depth);
    g_assert_cmpint(slice->end_ns, ==, pass->now_ns);
    g_assert_cmpint(slice->children_ns, <=, slice->end_ns - slice->begin_ns);
    g_assert_true(!slice->open || !slice->end_known);
    g_array_set_size(open, open->len - 1);
    if (open->len) {
        g_array_index(open, struct ct_slice, open->len - 1).end_ns =
            slice->end_ns;
    }
    if (pass->keep) {
        g_array_append_val(pass->slices, *slice);
    }
}

static void take(struct pass *pass, const struct ct_change *change)
{
    struct ct_account_result result;

    if (pass->blames && change->kind < CT_CHANGE_REQUEST_BEGIN) {
        ct_account_meanwhile(pass->account, change);
    }
    switch (change->kind) {
    case CT_CHANGE_SLICE_BEGAN:
        slice_began(pass, &change->slice);
        return;
    case CT_CHANGE_SLICE:
        slice_ended(pass, &change->slice);
        return;
    case CT_CHANGE_EDGE:
        g_assert_cmpint(change->edge.from_ns, <=, change->edge.to_ns);
        g_assert_cmpint(change->edge.to_ns, ==, pass->now_ns);
        if (pass->keep) {
            g_array_append_val(pass->edges, change->edge);
        }
        return;
    case CT_CHANGE_COUNTER:
        g_assert_cmpint(change->counter.value, >=, 0);
        if (pass->keep) {
            g_array_append_val(pass->counters, change->counter);
        }
        return;
    case CT_CHANGE_THREAD_NAME:
        g_hash_table_insert(pass->names,
                            GINT_TO_POINTER(change->thread_name.tid),
                            (gpointer)change->thread_name.name);
        return;
    case CT_CHANGE_LIFE:
        g_assert_cmpint(change->life.begin_ns, <=, change->life.end_ns);
        if (pass->keep) {
            hold(pass, change->life.origin);
            g_array_append_val(pass->lives, change->life);
        }
        return;
    case CT_CHANGE_OWN_STACK:
        g_assert_cmpuint(change->own_stack.stack, !=, 0);
        if (pass->keep) {
            hold(pass, change->own_stack.origin);
            g_array_append_val(pass->stacks, change->own_stack);
        }
        return;
    case CT_CHANGE_GAP:
        g_array_append_val(pass->gaps, change->gap);
        return;
    case CT_CHANGE_LOCK:
        g_assert_cmpint(change->lock.when_ns, ==, pass->now_ns);
        return;
    default:
        result = ct_account_take(pass->account, change);
        if (result.began) {
            g_hash_table_insert(pass->began,
                                GSIZE_TO_POINTER(result.began->number),
                                result.began);
        }
        if (result.ended) {
            keep_request(pass, result.ended);
        }
    }
}

static void take_all(struct pass *pass, struct ct_changes changes)
{
    for (unsigned i = 0; i < changes.n; i++) {
        take(pass, &changes.v[i]);
    }
}

void pass_step(struct pass *pass, const struct ct_step *step)
{
    if (step->kind >
        CT_STEP_IMAGE_UNLOAD) { /* the others are not the model's */
        pass->now_ns = MAX(pass->now_ns, step->when_ns);
    }
    take_all(pass, ct_model_step(pass->model, step));
}

void pass_finish(struct pass *pass, int64_t end_ns)
{
    struct ct_changes changes;
    GHashTableIter iter;
    gpointer open;

    pass->now_ns = MAX(pass->now_ns, end_ns);
    while ((changes = ct_model_finish(pass->model, end_ns)).n) {
        take_all(pass, changes);
    }
    g_hash_table_iter_init(&iter, pass->open);
    while (g_hash_table_iter_next(&iter, NULL, &open)) {
        g_assert_cmpuint(((GArray *)open)->len, ==, 0);
    }
    g_assert_cmpuint(g_hash_table_size(pass->began), ==, 0);
    g_assert_cmpuint(ct_account_bad_sums(pass->account), ==, 0);
}

const struct ct_request *pass_request(const struct pass *pass, uint64_t id)
{
    for (unsigned i = pass->requests->len; i-- > 0;) {
        const struct kept_request *kept =
            &g_array_index(pass->requests, struct kept_request, i);
        if (kept->request.id == id) {
            return &kept->request;
        }
    }
    return NULL;
}

const struct ct_life *pass_life(const struct pass *pass,
                                enum ct_entity_kind kind, uint64_t id)
{
    for (unsigned i = pass->lives->len; i-- > 0;) {
        const struct ct_life *life =
            &g_array_index(pass->lives, struct ct_life, i);
        if (life->kind == kind && life->id == id) {
            return life;
        }
    }
    return NULL;
}

const struct ct_segment *pass_segment(const struct ct_request *request,
                                      int64_t when_ns)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        if (when_ns >= request->segments[i].begin_ns &&
            when_ns < request->segments[i].end_ns) {
            return &request->segments[i];
        }
    }
    return NULL;
}
