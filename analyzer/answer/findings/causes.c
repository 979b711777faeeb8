/* SPDX-License-Identifier: MIT */
/*
 * causes.c - what has the same cause is one
 *
 * Of each kind so many are kept.  When there are more, the half that weighs
 * least goes, and only its sum stays: if with that sum something more might
 * have been told, whoever asks is told that it is not all.
 */
#include "answer/findings/causes.h"

#include <glib.h>

#include "ct/key.h"

enum {
    CAUSES_MAX = 4096, /* of a kind */
    CONVOY_MIN = 2,    /* requests whose waits count together */
};

struct cause {
    struct ct_told_cause told;
    uint64_t id;      /* struct ct_seen's `cause` */
    int64_t worst_ns; /* -1: never seen */
    int64_t ended_ns; /* the longest that is over */
    uint64_t last_request;
};

struct ct_causes {
    const struct ct_findings_limits *limits;
    GHashTable *table; /* struct cause (owned), itself */
    unsigned n_causes[CT_FINDING_KINDS];
    struct cause dropped[CT_FINDING_KINDS]; /* the sums of what went */
};

static guint hash_cause(const void *data)
{
    const struct cause *cause = data;

    return ct_key_hash(cause->told.finding.pid,
                       cause->id + (unsigned)cause->told.finding.kind) ^
           (cause->told.name ? g_str_hash(cause->told.name) : 0);
}

static gboolean is_same_cause(const void *a, const void *b)
{
    const struct cause *one = a;
    const struct cause *other = b;

    return one->id == other->id &&
           one->told.finding.kind == other->told.finding.kind &&
           one->told.finding.pid == other->told.finding.pid &&
           !g_strcmp0(one->told.name, other->told.name);
}

static void free_cause(void *data)
{
    struct cause *cause = data;

    ct_origin_unref(cause->told.origin);
    g_free(cause->told.name);
    g_free(cause);
}

static struct cause *find(const struct ct_causes *causes,
                          enum ct_finding_kind kind, int32_t pid, uint64_t id,
                          const char *name)
{
    struct cause key = {
        .told = {.finding = {.kind = kind, .pid = pid}, .name = (char *)name},
        .id = id,
    };

    return g_hash_table_lookup(causes->table, &key);
}

static void hurt(struct cause *cause, uint64_t request)
{
    struct ct_finding *finding = &cause->told.finding;

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
    bool is_earlier = sum->worst_ns < 0 ||
                      cause->told.finding.begin_ns < sum->told.finding.begin_ns;

    if (is_earlier) {
        sum->told.finding.begin_ns = cause->told.finding.begin_ns;
    }
    sum->worst_ns = MAX(sum->worst_ns, cause->worst_ns);
    sum->ended_ns = MAX(sum->ended_ns, cause->ended_ns);
    add_ns(&sum->told.finding.cost_ns, cause->told.finding.cost_ns);
    sum->told.finding.count += cause->told.finding.count;
    sum->told.finding.n_requests += cause->told.finding.n_requests;
}

/* The least first. */
static gint by_weight(gconstpointer a, gconstpointer b)
{
    const struct ct_finding *one = &(*(struct cause *const *)a)->told.finding;
    const struct ct_finding *other = &(*(struct cause *const *)b)->told.finding;

    switch (one->kind) {
    case CT_FINDING_SPAWN_STORM:
    case CT_FINDING_IDLE_WAKEUP: /* rates: those that were counted longest */
        return (one->of > other->of) - (one->of < other->of);
    default:
        return (one->cost_ns > other->cost_ns) -
               (one->cost_ns < other->cost_ns);
    }
}

static void drop_half(struct ct_causes *causes, enum ct_finding_kind kind)
{
    GPtrArray *all = g_ptr_array_new();
    GHashTableIter iter;
    struct cause *cause;

    g_hash_table_iter_init(&iter, causes->table);
    while (g_hash_table_iter_next(&iter, (void **)&cause, NULL)) {
        if (cause->told.finding.kind == kind) {
            g_ptr_array_add(all, cause);
        }
    }
    g_ptr_array_sort(all, by_weight);
    for (unsigned i = 0; i < all->len / 2; i++) {
        cause = g_ptr_array_index(all, i);
        add_cause(&causes->dropped[kind], cause);
        g_hash_table_remove(causes->table, cause);
        causes->n_causes[kind]--;
    }
    g_ptr_array_unref(all);
}

static struct cause *get(struct ct_causes *causes, enum ct_finding_kind kind,
                         int32_t pid, uint64_t id, const char *name)
{
    struct cause *cause = find(causes, kind, pid, id, name);

    if (!cause) {
        if (causes->n_causes[kind] == CAUSES_MAX) {
            drop_half(causes, kind);
        }
        cause = g_new0(struct cause, 1);
        cause->told.finding.kind = kind;
        cause->told.finding.pid = pid;
        cause->id = id;
        cause->told.name = g_strdup(name);
        cause->worst_ns = -1;
        g_hash_table_add(causes->table, cause);
        causes->n_causes[kind]++;
    }
    return cause;
}

void ct_causes_hurt(struct ct_causes *causes, enum ct_finding_kind kind,
                    int32_t pid, uint64_t id, const char *name,
                    uint64_t request)
{
    hurt(get(causes, kind, pid, id, name), request);
}

void ct_causes_of(struct ct_causes *causes, enum ct_finding_kind kind,
                  int32_t pid, uint64_t id, bool is_first)
{
    struct cause *cause = is_first ? get(causes, kind, pid, id, NULL)
                                   : find(causes, kind, pid, id, NULL);

    if (cause) {
        cause->told.finding.of++;
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

const struct ct_findings_limits *ct_causes_limits(
    const struct ct_causes *causes)
{
    return causes->limits;
}

void ct_causes_see(struct ct_causes *causes, const struct ct_seen *seen)
{
    struct cause *cause =
        get(causes, seen->kind, seen->pid, seen->cause, seen->name);
    struct ct_finding *finding = &cause->told.finding;

    add_ns(&finding->cost_ns, seen->cost_ns);
    finding->count += seen->times;
    finding->of += seen->of;
    cause->told.fn = cause->told.fn ? cause->told.fn : seen->fn;
    finding->depth = MAX(finding->depth, seen->depth);
    hurt(cause, seen->request);
    if (!seen->is_open) {
        cause->ended_ns = MAX(cause->ended_ns, seen->cost_ns);
    }
    if (seen->cost_ns > cause->worst_ns) {
        cause->worst_ns = seen->cost_ns;
        finding->begin_ns = seen->begin_ns;
        finding->end_ns = seen->end_ns;
        finding->context = seen->context;
        finding->object = seen->object;
        finding->wait = seen->wait;
        cause->told.stack = seen->stack;
        cause->told.has_stack_ns = seen->has_stack_ns;
        cause->told.stack_ns = seen->stack_ns;
        struct ct_origin *before = cause->told.origin;
        cause->told.origin = ct_origin_ref((struct ct_origin *)seen->origin);
        ct_origin_unref(before);
    }
}

/* --- the end ------------------------------------------------------------ */

static bool is_told(const struct ct_causes *causes, const struct cause *cause)
{
    const struct ct_finding *finding = &cause->told.finding;
    const struct ct_findings_limits *limits = causes->limits;

    if (cause->worst_ns < 0) {
        return false; /* somebody was hurt, and it was nothing */
    }
    switch (finding->kind) {
    case CT_FINDING_LOCK_CONVOY:
    case CT_FINDING_SERIALISED:
        return finding->cost_ns >= limits->block_ns &&
               (finding->n_requests >= CONVOY_MIN ||
                cause->ended_ns >= limits->block_ns);
    case CT_FINDING_NESTED_POLL:
    case CT_FINDING_POOL_SATURATED:
        return finding->cost_ns >= limits->block_ns;
    case CT_FINDING_SPAWN_STORM:
        return finding->count >= limits->spawns;
    case CT_FINDING_IDLE_WAKEUP: /* most of them */
        return finding->count >= limits->idles &&
               finding->count > finding->of / 2;
    default:
        return true;
    }
}

/* Might one more have been told of its kind, but for what was dropped? */
static bool might_be_told(const struct ct_causes *causes,
                          const struct cause *cause)
{
    const struct cause *dropped = &causes->dropped[cause->told.finding.kind];
    struct cause sum = *dropped;

    if (dropped->worst_ns < 0) {
        return false;
    }
    if (cause != dropped) {
        add_cause(&sum, cause);
    }
    return is_told(causes, &sum);
}

bool ct_causes_tell(struct ct_causes *causes,
                    void (*func)(const struct ct_told_cause *cause, void *data),
                    void *data)
{
    GHashTableIter iter;
    struct cause *cause;
    bool is_cut = false;

    g_hash_table_iter_init(&iter, causes->table);
    while (g_hash_table_iter_next(&iter, (void **)&cause, NULL)) {
        if (is_told(causes, cause)) {
            func(&cause->told, data);
        } else {
            is_cut |= might_be_told(causes, cause);
        }
    }
    for (unsigned i = 0; i < CT_FINDING_KINDS; i++) {
        is_cut |= might_be_told(causes, &causes->dropped[i]);
    }
    return !is_cut;
}

struct ct_causes *ct_causes_new(const struct ct_findings_limits *limits)
{
    struct ct_causes *causes = g_new0(struct ct_causes, 1);

    causes->limits = limits;
    for (unsigned i = 0; i < CT_FINDING_KINDS; i++) {
        causes->dropped[i].told.finding.kind = (enum ct_finding_kind)i;
        causes->dropped[i].worst_ns = -1;
    }
    causes->table =
        g_hash_table_new_full(hash_cause, is_same_cause, free_cause, NULL);
    return causes;
}

void ct_causes_free(struct ct_causes *causes)
{
    g_hash_table_unref(causes->table);
    g_free(causes);
}
