/* SPDX-License-Identifier: MIT */
/*
 * findings.c - what an expert would point at, in the order of its cost
 *
 * Hands what the pass tells to each family; at the end the causes that they
 * pointed at become findings, with names and backtraces.
 */
#include <glib.h>
#include <stdlib.h>

#include "answer/findings/family.h"
#include "answer/frames.h"
#include "ct/pre.h"

struct ct_findings {
    struct ct_consumer consumer;
    struct ct_findings_limits limits;
    struct ct_spawns *spawns;
    struct ct_lock_waits *waits;
    struct ct_stuck *stuck;
    struct ct_overhead *overhead;
    struct ct_causes *causes;
    struct ct_symbols *symbols; /* while it finishes */
    struct ct_frames *frames;
    GArray *results; /* struct ct_finding */
    bool has_gaps;
    struct ct_findings_result result;
    bool finished;
};

static const char *const words[CT_FINDING_KINDS] = {
    [CT_FINDING_BLOCKED_LOOP] = "blocked-loop",
    [CT_FINDING_NESTED_POLL] = "nested-poll",
    [CT_FINDING_POOL_SATURATED] = "pool-saturated",
    [CT_FINDING_LOCK_CONVOY] = "lock-convoy",
    [CT_FINDING_STUCK_COROUTINE] = "stuck-coroutine",
    [CT_FINDING_STUCK_REQUEST] = "stuck-request",
    [CT_FINDING_STARVED_CONTEXT] = "starved-context",
    [CT_FINDING_SPAWN_STORM] = "spawn-storm",
    [CT_FINDING_SERIALISED] = "serialised",
    [CT_FINDING_IDLE_WAKEUP] = "idle-wakeup",
    [CT_FINDING_TRACING_OVERHEAD] = "tracing-overhead",
};

const char *ct_finding_word(enum ct_finding_kind kind)
{
    ct_pre("word/in-range", kind < G_N_ELEMENTS(words));
    return words[kind];
}

static struct ct_findings *from_consumer(struct ct_consumer *consumer)
{
    return (struct ct_findings *)consumer; /* its first member */
}

/* --- the pass --------------------------------------------------------- */

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    ct_overhead_slice_began(from_consumer(consumer)->overhead, slice);
}

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct ct_findings *findings = from_consumer(consumer);

    ct_findings_loop_slice(findings->causes, slice);
    ct_findings_idle_slice(findings->causes, slice);
    ct_overhead_slice(findings->overhead, slice);
    ct_stuck_slice(findings->stuck, slice);
}

static void on_event(struct ct_consumer *consumer,
                     const struct ct_record *record)
{
    ct_overhead_event(from_consumer(consumer)->overhead, record);
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct ct_findings *findings = from_consumer(consumer);

    findings->has_gaps = true;
    ct_overhead_gap(findings->overhead);
    ct_lock_waits_gap(findings->waits);
}

static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_findings *findings = from_consumer(consumer);

    ct_findings_spawn_life(findings->causes, findings->spawns, life);
    ct_stuck_life(findings->stuck, life);
    ct_lock_waits_life(findings->waits, life);
}

static void on_lock(struct ct_consumer *consumer,
                    const struct ct_lock_event *event)
{
    ct_lock_waits_event(from_consumer(consumer)->waits, event);
}

static void on_own_stack(struct ct_consumer *consumer,
                         const struct ct_own_stack *own)
{
    ct_lock_waits_stack(from_consumer(consumer)->waits, own);
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_findings *findings = from_consumer(consumer);

    ct_stuck_request(findings->causes, findings->stuck, request);
    if (!request->parent_id) { /* a nested one waits with its outer one */
        ct_findings_loop_request(findings->causes, request);
        ct_findings_idle_request(findings->causes, request);
        ct_findings_pool_request(findings->causes, request);
        ct_findings_spawn_request(findings->causes, findings->spawns, request);
        ct_findings_locks_request(findings->causes, findings->waits, request);
        ct_causes_hurt(findings->causes, CT_FINDING_TRACING_OVERHEAD,
                       request->pid, 0, NULL, request->number);
    }
}

static void on_alive(struct ct_consumer *consumer, const struct ct_alive *alive)
{
    ct_stuck_alive(from_consumer(consumer)->stuck, alive);
}

/* What may yet turn out to be none is last. */
static int by_cost(const void *a, const void *b)
{
    const struct ct_finding *one = a;
    const struct ct_finding *other = b;
    bool one_unsure = ct_finding_is_unsure(one);

    if (one_unsure != ct_finding_is_unsure(other)) {
        return one_unsure ? 1 : -1;
    }
    if (one->cost_ns != other->cost_ns) {
        return one->cost_ns > other->cost_ns ? -1 : 1;
    }
    if (one->begin_ns != other->begin_ns) {
        return one->begin_ns < other->begin_ns ? -1 : 1;
    }
    return (int)one->kind - (int)other->kind;
}

static void make(const struct ct_told_cause *cause, void *data)
{
    struct ct_findings *findings = data;
    struct ct_finding finding = cause->finding;
    const char *name = cause->name;

    if (!name && cause->fn) {
        name = ct_symbols_function(findings->symbols, finding.pid, cause->fn,
                                   false);
    }
    if (finding.kind == CT_FINDING_SERIALISED) {
        finding.node = ct_frames_keep(findings->frames, name);
    } else {
        finding.function = ct_frames_keep(findings->frames, name);
    }
    ct_frames_begin(findings->frames);
    if (cause->stack) {
        ct_frames_add_stack(findings->frames, finding.pid, cause->stack);
    }
    ct_frames_add_origins(findings->frames, cause->origin, cause->has_stack_ns,
                          cause->stack_ns);
    finding.frames =
        ct_frames_end(findings->frames, &finding.n_frames, &finding.complete);
    g_array_append_val(findings->results, finding);
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_findings *findings = from_consumer(consumer);
    bool is_all = true;

    findings->symbols = ct_symbols_new(summary->images, NULL);
    findings->frames = ct_frames_new(summary, NULL);
    ct_overhead_finish(findings->causes, findings->overhead);
    if (summary->has_clock) {
        ct_stuck_finish(findings->causes, findings->stuck, summary);
        is_all = ct_causes_tell(findings->causes, make, findings);
    }
    g_clear_pointer(&findings->symbols, ct_symbols_free);
    g_array_sort(findings->results, by_cost);
    findings->result = (struct ct_findings_result){
        .has_times = summary->has_clock,
        .has_lost = findings->has_gaps || summary->discarded > 0 ||
                    !summary->discarded_known,
        .lost_known = summary->discarded_known,
        .lost = summary->discarded,
        .truncated = !is_all,
        .n = findings->results->len,
        .v = (const struct ct_finding *)(void *)findings->results->data,
    };
    findings->result.complete =
        summary->complete && summary->has_clock && !findings->result.has_lost;
    findings->finished = true;
    return true;
}

/* --- the query -------------------------------------------------------- */

struct ct_findings *ct_findings_new(const struct ct_findings_limits *limits)
{
    struct ct_findings *findings = g_new0(struct ct_findings, 1);

    findings->limits = *limits;
    findings->causes = ct_causes_new(&findings->limits);
    findings->spawns = ct_spawns_new();
    findings->waits = ct_lock_waits_new();
    findings->stuck = ct_stuck_new(&findings->limits);
    findings->overhead = ct_overhead_new();
    findings->consumer = (struct ct_consumer){
        .slice_began = on_slice_began,
        .slice = on_slice,
        .event = on_event,
        .gap = on_gap,
        .life = on_life,
        .lock = on_lock,
        .own_stack = on_own_stack,
        .request = on_request,
        .alive = on_alive,
        .finish = on_finish,
        .wants_origins = true,
        .wants_blame = true,
    };
    findings->results = g_array_new(FALSE, FALSE, sizeof(struct ct_finding));
    return findings;
}

struct ct_consumer *ct_findings_consumer(struct ct_findings *findings)
{
    return &findings->consumer;
}

const struct ct_findings_result *ct_findings_result(
    const struct ct_findings *findings)
{
    return findings->finished ? &findings->result : NULL;
}

void ct_findings_free(struct ct_findings *findings)
{
    if (findings) {
        ct_causes_free(findings->causes);
        g_array_unref(findings->results);
        ct_frames_free(findings->frames);
        ct_spawns_free(findings->spawns);
        ct_lock_waits_free(findings->waits);
        ct_stuck_free(findings->stuck);
        ct_overhead_free(findings->overhead);
        g_free(findings);
    }
}
