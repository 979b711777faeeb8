/* SPDX-License-Identifier: MIT */
/*
 * The table of findings: what has the same cause is one, with the worst case's
 * place and backtrace; at the end they stand in the order of their cost.
 *
 * Of each kind so many are kept.  When there are more, the half that weighs
 * least goes, and only its sum stays: if with that sum something more might
 * have been told, the result says that it is not all.
 */
#include <glib.h>
#include <stdlib.h>

#include "answer/findings/family.h"
#include "answer/frames.h"
#include "ct/pre.h"
#include "ct/key.h"

enum {
    CAUSES_MAX = 4096, /* of a kind */
    CONVOY_MIN = 2,    /* requests: fewer are not held up by one another */
};

struct cause {
    struct ct_finding finding;
    uint64_t cause;
    char *name;
    uint64_t fn;
    int64_t worst_ns;
    uint64_t stack;
    bool has_stack_ns;
    int64_t stack_ns;
    struct ct_origin *origin;
    uint64_t last_request;
};

struct ct_findings {
    struct ct_consumer consumer;
    struct ct_findings_limits limits;
    struct ct_spawns *spawns;
    struct ct_overhead *overhead;
    GHashTable *causes; /* struct cause (owned), itself */
    unsigned n_causes[CT_FINDING_KINDS];
    struct cause dropped[CT_FINDING_KINDS]; /* the sums of what went */
    struct ct_frames *frames;
    GArray *results; /* struct ct_finding */
    struct ct_findings_result result;
    bool finished;
};

static const char *const words[CT_FINDING_KINDS] = {
    [CT_FINDING_BLOCKED_LOOP] = "blocked-loop",
    [CT_FINDING_NESTED_POLL] = "nested-poll",
    [CT_FINDING_POOL_SATURATED] = "pool-saturated",
    [CT_FINDING_LOCK_CONVOY] = "lock-convoy",
    [CT_FINDING_STUCK_COROUTINE] = "stuck-coroutine",
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

static guint hash_cause(const void *data)
{
    const struct cause *cause = data;

    return ct_key_hash(cause->finding.pid,
                       cause->cause + (unsigned)cause->finding.kind) ^
           (cause->name ? g_str_hash(cause->name) : 0);
}

static gboolean is_same_cause(const void *a, const void *b)
{
    const struct cause *one = a;
    const struct cause *other = b;

    return one->cause == other->cause &&
           one->finding.kind == other->finding.kind &&
           one->finding.pid == other->finding.pid &&
           !g_strcmp0(one->name, other->name);
}

static void free_cause(void *data)
{
    struct cause *cause = data;

    ct_origin_unref(cause->origin);
    g_free(cause->name);
    g_free(cause);
}

static struct cause *find(const struct ct_findings *findings,
                          enum ct_finding_kind kind, int32_t pid, uint64_t id,
                          const char *name)
{
    struct cause key = {
        .finding = {.kind = kind, .pid = pid},
        .cause = id,
        .name = (char *)name,
    };

    return g_hash_table_lookup(findings->causes, &key);
}

static void hurt(struct cause *cause, uint64_t request)
{
    struct ct_finding *finding = &cause->finding;

    if (!request || cause->last_request == request) {
        return;
    }
    for (unsigned i = 0; i < MIN(finding->n_requests, CT_FINDING_REQUESTS);
         i++) {
        if (finding->requests[i] == request) {
            return;
        }
    }
    cause->last_request = request;
    if (finding->n_requests < CT_FINDING_REQUESTS) {
        finding->requests[finding->n_requests] = request;
    }
    finding->n_requests++;
}

static void add_ns(int64_t *sum_ns, int64_t ns)
{
    if (__builtin_add_overflow(*sum_ns, ns, sum_ns)) {
        *sum_ns = INT64_MAX;
    }
}

/* As if the two had the same cause; nobody asks which requests. */
static void add_cause(struct cause *sum, const struct cause *cause)
{
    bool is_earlier =
        sum->worst_ns < 0 || cause->finding.begin_ns < sum->finding.begin_ns;

    if (is_earlier) {
        sum->finding.begin_ns = cause->finding.begin_ns;
    }
    sum->worst_ns = MAX(sum->worst_ns, cause->worst_ns);
    add_ns(&sum->finding.cost_ns, cause->finding.cost_ns);
    sum->finding.count += cause->finding.count;
    sum->finding.n_requests += cause->finding.n_requests;
}

/* The least first. */
static gint by_weight(gconstpointer a, gconstpointer b)
{
    const struct ct_finding *one = &(*(struct cause *const *)a)->finding;
    const struct ct_finding *other = &(*(struct cause *const *)b)->finding;

    switch (one->kind) {
    case CT_FINDING_STUCK_COROUTINE: /* the longer ago, the more it costs */
        return (one->begin_ns < other->begin_ns) -
               (one->begin_ns > other->begin_ns);
    case CT_FINDING_SPAWN_STORM:
    case CT_FINDING_IDLE_WAKEUP: /* rates: those that were counted longest */
        return (one->of > other->of) - (one->of < other->of);
    default:
        return (one->cost_ns > other->cost_ns) -
               (one->cost_ns < other->cost_ns);
    }
}

static void drop_half(struct ct_findings *findings, enum ct_finding_kind kind)
{
    GPtrArray *causes = g_ptr_array_new();
    GHashTableIter iter;
    struct cause *cause;

    g_hash_table_iter_init(&iter, findings->causes);
    while (g_hash_table_iter_next(&iter, (void **)&cause, NULL)) {
        if (cause->finding.kind == kind) {
            g_ptr_array_add(causes, cause);
        }
    }
    g_ptr_array_sort(causes, by_weight);
    for (unsigned i = 0; i < causes->len / 2; i++) {
        cause = g_ptr_array_index(causes, i);
        add_cause(&findings->dropped[kind], cause);
        g_hash_table_remove(findings->causes, cause);
        findings->n_causes[kind]--;
    }
    g_ptr_array_unref(causes);
}

static struct cause *get(struct ct_findings *findings,
                         enum ct_finding_kind kind, int32_t pid, uint64_t id,
                         const char *name)
{
    struct cause *cause = find(findings, kind, pid, id, name);

    if (!cause) {
        if (findings->n_causes[kind] == CAUSES_MAX) {
            drop_half(findings, kind);
        }
        cause = g_new0(struct cause, 1);
        cause->finding.kind = kind;
        cause->finding.pid = pid;
        cause->cause = id;
        cause->name = g_strdup(name);
        cause->worst_ns = -1;
        g_hash_table_add(findings->causes, cause);
        findings->n_causes[kind]++;
    }
    return cause;
}

void ct_findings_hurt(struct ct_findings *findings, enum ct_finding_kind kind,
                      int32_t pid, uint64_t id, const char *name,
                      uint64_t request)
{
    hurt(get(findings, kind, pid, id, name), request);
}

void ct_findings_of(struct ct_findings *findings, enum ct_finding_kind kind,
                    int32_t pid, uint64_t id, bool is_first)
{
    struct cause *cause = is_first ? get(findings, kind, pid, id, NULL)
                                   : find(findings, kind, pid, id, NULL);

    if (cause) {
        cause->finding.of++;
    }
}

struct ct_seen ct_seen_in_request(enum ct_finding_kind kind,
                                  const struct ct_request *request,
                                  const struct ct_segment *segment)
{
    return (struct ct_seen){
        .kind = kind,
        .pid = request->pid,
        .times = 1,
        .cost_ns = segment->end_ns - segment->begin_ns,
        .begin_ns = segment->begin_ns,
        .end_ns = segment->end_ns,
        .request = request->number,
        .stack = request->stack,
        .has_stack_ns = request->stack != 0,
        .stack_ns = request->begin_ns,
        .origin = request->origin,
    };
}

const struct ct_findings_limits *ct_findings_limits(
    const struct ct_findings *findings)
{
    return &findings->limits;
}

void ct_findings_see(struct ct_findings *findings, const struct ct_seen *seen)
{
    struct cause *cause =
        get(findings, seen->kind, seen->pid, seen->cause, seen->name);
    struct ct_finding *finding = &cause->finding;

    add_ns(&finding->cost_ns, seen->cost_ns);
    finding->count += seen->times;
    finding->of += seen->of;
    cause->fn = cause->fn ? cause->fn : seen->fn;
    finding->depth = MAX(finding->depth, seen->depth);
    hurt(cause, seen->request);
    if (seen->cost_ns > cause->worst_ns) {
        cause->worst_ns = seen->cost_ns;
        finding->begin_ns = seen->begin_ns;
        finding->end_ns = seen->end_ns;
        finding->context = seen->context;
        finding->object = seen->object;
        cause->stack = seen->stack;
        cause->has_stack_ns = seen->has_stack_ns;
        cause->stack_ns = seen->stack_ns;
        struct ct_origin *before = cause->origin;
        cause->origin = ct_origin_ref((struct ct_origin *)seen->origin);
        ct_origin_unref(before);
    }
}

/* --- the pass --------------------------------------------------------- */

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct ct_findings *findings = from_consumer(consumer);

    ct_findings_loop_slice(findings, slice);
    ct_findings_idle_slice(findings, slice);
    ct_overhead_slice(findings->overhead, slice);
}

static void on_event(struct ct_consumer *consumer,
                     const struct ct_record *record)
{
    ct_overhead_event(from_consumer(consumer)->overhead, record);
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    ct_overhead_gap(from_consumer(consumer)->overhead);
}

static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_findings *findings = from_consumer(consumer);

    ct_findings_spawn_life(findings, findings->spawns, life);
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_findings *findings = from_consumer(consumer);

    if (!request->parent_id) { /* a nested one waits with its outer one */
        ct_findings_loop_request(findings, request);
        ct_findings_idle_request(findings, request);
        ct_findings_pool_request(findings, request);
        ct_findings_spawn_request(findings, findings->spawns, request);
        ct_findings_locks_request(findings, request);
        ct_findings_hurt(findings, CT_FINDING_TRACING_OVERHEAD, request->pid, 0,
                         NULL, request->number);
    }
}

static void on_alive(struct ct_consumer *consumer, const struct ct_alive *alive)
{
    ct_findings_stuck_alive(from_consumer(consumer), alive);
}

static bool is_told(const struct ct_findings *findings,
                    const struct cause *cause)
{
    const struct ct_finding *finding = &cause->finding;
    const struct ct_findings_limits *limits = &findings->limits;

    if (cause->worst_ns < 0) {
        return false; /* somebody was hurt, and it was nothing */
    }
    switch (finding->kind) {
    case CT_FINDING_LOCK_CONVOY:
    case CT_FINDING_SERIALISED:
        return finding->n_requests >= CONVOY_MIN &&
               finding->cost_ns >= limits->block_ns;
    case CT_FINDING_NESTED_POLL:
    case CT_FINDING_POOL_SATURATED:
        return finding->cost_ns >= limits->block_ns;
    case CT_FINDING_STUCK_COROUTINE:
        return finding->cost_ns >= limits->stuck_ns;
    case CT_FINDING_SPAWN_STORM:
        return finding->count >= limits->spawns;
    case CT_FINDING_IDLE_WAKEUP: /* most of them */
        return finding->count >= limits->idles &&
               finding->count > finding->of / 2;
    default:
        return true;
    }
}

static void end_stuck(struct cause *cause, int64_t end_ns)
{
    if (cause->finding.kind == CT_FINDING_STUCK_COROUTINE) {
        cause->finding.end_ns = end_ns;
        cause->finding.cost_ns = end_ns - cause->finding.begin_ns;
    }
}

/* Might one more have been told of its kind, but for what was dropped? */
static bool might_be_told(const struct ct_findings *findings,
                          const struct cause *cause, int64_t end_ns)
{
    const struct cause *dropped = &findings->dropped[cause->finding.kind];
    struct cause sum = *dropped;

    if (dropped->worst_ns < 0) {
        return false;
    }
    if (cause != dropped) {
        add_cause(&sum, cause);
    }
    end_stuck(&sum, end_ns);
    return is_told(findings, &sum);
}

static int by_cost(const void *a, const void *b)
{
    const struct ct_finding *one = a;
    const struct ct_finding *other = b;

    if (one->cost_ns != other->cost_ns) {
        return one->cost_ns > other->cost_ns ? -1 : 1;
    }
    if (one->begin_ns != other->begin_ns) {
        return one->begin_ns < other->begin_ns ? -1 : 1;
    }
    return (int)one->kind - (int)other->kind;
}

static void make(struct ct_findings *findings, const struct cause *cause,
                 struct ct_symbols *symbols)
{
    struct ct_finding finding = cause->finding;
    const char *name = cause->name;

    if (!name && cause->fn) {
        name = ct_symbols_function(symbols, finding.pid, cause->fn, false);
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
    struct ct_symbols *symbols = ct_symbols_new(summary->images);
    GHashTableIter iter;
    struct cause *cause;
    bool is_cut = false;

    findings->frames = ct_frames_new(summary);
    ct_overhead_finish(findings, findings->overhead);
    g_hash_table_iter_init(&iter, findings->causes);
    while (g_hash_table_iter_next(&iter, (void **)&cause, NULL)) {
        end_stuck(cause, summary->end_ns);
        if (is_told(findings, cause)) {
            make(findings, cause, symbols);
        } else {
            is_cut |= might_be_told(findings, cause, summary->end_ns);
        }
    }
    for (unsigned i = 0; i < CT_FINDING_KINDS; i++) {
        is_cut |=
            might_be_told(findings, &findings->dropped[i], summary->end_ns);
    }
    ct_symbols_free(symbols);
    g_array_sort(findings->results, by_cost);
    findings->result = (struct ct_findings_result){
        .complete = summary->complete,
        .truncated = is_cut,
        .n = findings->results->len,
        .v = (const struct ct_finding *)(void *)findings->results->data,
    };
    findings->finished = true;
    return true;
}

/* --- the query -------------------------------------------------------- */

struct ct_findings *ct_findings_new(const struct ct_findings_limits *limits)
{
    struct ct_findings *findings = g_new0(struct ct_findings, 1);

    findings->limits = *limits;
    for (unsigned i = 0; i < CT_FINDING_KINDS; i++) {
        findings->dropped[i].finding.kind = (enum ct_finding_kind)i;
        findings->dropped[i].worst_ns = -1;
    }
    findings->spawns = ct_spawns_new();
    findings->overhead = ct_overhead_new();
    findings->consumer = (struct ct_consumer){
        .slice = on_slice,
        .event = on_event,
        .gap = on_gap,
        .life = on_life,
        .request = on_request,
        .alive = on_alive,
        .finish = on_finish,
        .wants_origins = true,
        .wants_blame = true,
    };
    findings->causes =
        g_hash_table_new_full(hash_cause, is_same_cause, free_cause, NULL);
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
        g_hash_table_unref(findings->causes);
        g_array_unref(findings->results);
        ct_frames_free(findings->frames);
        ct_spawns_free(findings->spawns);
        ct_overhead_free(findings->overhead);
        g_free(findings);
    }
}
