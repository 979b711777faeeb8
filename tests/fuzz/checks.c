/* SPDX-License-Identifier: MIT */
#include "checks.h"

struct ct_checks {
    struct ct_consumer consumer;
    int64_t end_ns;   /* of the last event that was told */
    int64_t since_ns; /* the latest change of a coroutine that is alive */
    GHashTable *open; /* thread -> GArray of struct ct_slice */
    uint64_t requests, ended;
    bool over;
};

static struct ct_checks *of(struct ct_consumer *consumer)
{
    return (struct ct_checks *)consumer;
}

/* --- requests ---------------------------------------------------------------
 */

static void check_ran(const struct ct_request *request,
                      const struct ct_segment *segment)
{
    const struct ct_cause *cause = &segment->cause;
    int64_t ns = segment->end_ns - segment->begin_ns;
    int64_t sum_ns = 0;

    ct_check(cause->n_ran <= CT_RAN_MAX);
    for (unsigned i = 0; i < cause->n_ran; i++) {
        const struct ct_ran *ran = &request->ran[cause->first_ran + i];

        ct_check(ran->kind < CT_RAN_KINDS && ran->ns > 0);
        ct_check(segment->state == CT_STATE_WORK_QUEUED || ran->ns <= ns);
        if (segment->state != CT_STATE_WORK_QUEUED) {
            sum_ns += ran->ns;
        }
    }
    ct_check(cause->n_ran == 0 || segment->state == CT_STATE_WORK_QUEUED ||
             sum_ns == ns);
}

static void check_segment(const struct ct_segment *segment)
{
    ct_check(segment->state < CT_STATES && segment->end_ns > segment->begin_ns);
    ct_check(segment->cause.kind <= CT_CAUSE_UNKNOWN);
    ct_check((segment->state == CT_STATE_UNKNOWN) ==
             (segment->certainty == CT_UNKNOWN));
    ct_check(segment->begin_error_ns >= 0);
}

static void check_path(const struct ct_request *request)
{
    int64_t at_ns = request->begin_ns;

    for (unsigned i = 0; i < request->n_path; i++) {
        const struct ct_segment *segment = &request->path[i].segment;

        ct_check(segment->begin_ns == at_ns && segment->end_ns > at_ns);
        at_ns = segment->end_ns;
    }
    ct_check(request->n_path == 0 || at_ns == request->end_ns);
}

static void request_began(struct ct_consumer *consumer,
                          struct ct_request *request)
{
    ct_check(!of(consumer)->over && request->number > 0);
    of(consumer)->requests++;
}

static void request_ended(struct ct_consumer *consumer,
                          const struct ct_request *request)
{
    of(consumer)->ended++;
    ct_check(ct_request_check(request));
    ct_check(request->end_ns >= request->begin_ns);
    ct_check(!request->begin_known || request->begin_ns >= consumer->origin_ns);
    ct_check(request->parent != request->number);
    ct_check(!request->complete ||
             (request->begin_known && request->end_known));
    ct_check(request->latency_min_ns >= 0);
    ct_check(!request->has_latency_max ||
             request->latency_min_ns <= request->latency_max_ns);
    for (unsigned i = 0; i < request->n_segments; i++) {
        check_segment(&request->segments[i]);
        check_ran(request, &request->segments[i]);
    }
    check_path(request);
}

/* --- slices ----------------------------------------------------------------
 */

static GArray *open_of(struct ct_checks *checks, const struct ct_slice *slice)
{
    gpointer key = GSIZE_TO_POINTER((gsize)(uint32_t)slice->pid << 32 |
                                    (uint32_t)slice->tid);
    GArray *open = g_hash_table_lookup(checks->open, key);

    if (!open) {
        open = g_array_new(FALSE, FALSE, sizeof(struct ct_slice));
        g_hash_table_insert(checks->open, key, open);
    }
    return open;
}

static void slice_began(struct ct_consumer *consumer,
                        const struct ct_slice *slice)
{
    GArray *open = open_of(of(consumer), slice);

    ct_check(slice->kind < CT_SLICE_KINDS && slice->depth == open->len);
    ct_check(slice->begin_ns >= consumer->origin_ns);
    if (open->len) {
        ct_check(slice->begin_ns >=
                 g_array_index(open, struct ct_slice, open->len - 1).begin_ns);
    }
    g_array_append_val(open, *slice);
}

static void slice_ended(struct ct_consumer *consumer,
                        const struct ct_slice *slice)
{
    GArray *open = open_of(of(consumer), slice);

    ct_check(open->len > 0);
    const struct ct_slice *began =
        &g_array_index(open, struct ct_slice, open->len - 1);
    ct_check(began->kind == slice->kind && began->begin_ns == slice->begin_ns &&
             began->depth == slice->depth);
    ct_check(slice->end_ns >= slice->begin_ns && slice->children_ns >= 0);
    ct_check(slice->children_ns <= slice->end_ns - slice->begin_ns);
    ct_check(!slice->open || !slice->end_known);
    g_array_set_size(open, open->len - 1);
}

/* --- the rest --------------------------------------------------------------
 */

static void edge(struct ct_consumer *consumer, const struct ct_edge *edge)
{
    ct_check(edge->kind < CT_EDGE_KINDS && edge->from_ns <= edge->to_ns);
    ct_check(edge->from_ns >= consumer->origin_ns);
}

static void counter(struct ct_consumer *consumer,
                    const struct ct_counter *counter)
{
    ct_check(counter->kind < CT_COUNTER_KINDS && counter->value >= 0);
}

static void thread_name(struct ct_consumer *consumer,
                        const struct ct_thread_name *name)
{
    ct_check(name->name != NULL);
}

static void life(struct ct_consumer *consumer, const struct ct_life *life)
{
    ct_check(life->end_ns >= life->begin_ns);
    ct_check(!life->open || !life->end_known);
}

static void gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    ct_check(gap->to_ns >= gap->from_ns);
}

static void alive(struct ct_consumer *consumer, const struct ct_alive *alive)
{
    ct_check(alive->state < CT_STATES);
    of(consumer)->since_ns = MAX(of(consumer)->since_ns, alive->since_ns);
}

static void event(struct ct_consumer *consumer, const struct ct_record *record)
{
    int64_t now_ns = record->has_clock ? record->when_ns : (int64_t)record->seq;

    ct_check(now_ns >= of(consumer)->end_ns);
    of(consumer)->end_ns = now_ns;
}

static bool finish(struct ct_consumer *consumer,
                   const struct ct_summary *summary, GError **error)
{
    struct ct_checks *checks = of(consumer);
    GHashTableIter iter;
    gpointer open;

    checks->over = true;
    ct_check(summary->bad_sums == 0);
    ct_check(checks->requests == checks->ended);
    ct_check(summary->end_ns >= summary->origin_ns);
    ct_check(summary->end_ns >= checks->since_ns);
    g_hash_table_iter_init(&iter, checks->open);
    while (g_hash_table_iter_next(&iter, NULL, &open)) {
        ct_check(((const GArray *)open)->len == 0);
    }
    return true;
}

static void free_array(gpointer array)
{
    g_array_unref(array);
}

struct ct_checks *ct_checks_new(bool blame)
{
    struct ct_checks *checks = g_new0(struct ct_checks, 1);

    checks->consumer = (struct ct_consumer){
        .request_began = request_began,
        .request = request_ended,
        .slice_began = slice_began,
        .slice = slice_ended,
        .edge = edge,
        .counter = counter,
        .thread_name = thread_name,
        .life = life,
        .gap = gap,
        .alive = alive,
        .event = event,
        .finish = finish,
        .wants_origins = true,
        .wants_blame = blame,
    };
    checks->open = g_hash_table_new_full(NULL, NULL, NULL, free_array);
    return checks;
}

struct ct_consumer *ct_checks_consumer(struct ct_checks *checks)
{
    return &checks->consumer;
}

void ct_checks_free(struct ct_checks *checks)
{
    g_hash_table_unref(checks->open);
    g_free(checks);
}
