/* SPDX-License-Identifier: MIT */
/*
 * fake_analyzer.c - the analyzer's doors as the viewer's tests need them
 *
 * Function names are made of the address, so that every label can be foretold;
 * the results of stat and backtrace are what the test has put into fake_stat
 * and fake_backtrace.
 */
#include "fake_analyzer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct ct_stat_result fake_stat;
struct ct_backtrace fake_backtrace;
struct ct_alive_result fake_alive;
struct ct_findings_result fake_findings;

void fake_stat_make(const struct ct_summary *summary, uint64_t n_requests,
                    int32_t pid, uint64_t callback, const char *name)
{
    static uint64_t octaves[CT_STAT_OCTAVES];
    static int64_t over_ns[4];
    static struct ct_stat_context contexts[2];
    static struct ct_stat_pool pool;
    static struct ct_stat_class class;
    int64_t duration_ns = summary->end_ns - summary->origin_ns;
    struct ct_stat_times latency = {.n = n_requests - 1,
                                    .sum_ns = 2000,
                                    .p50_ns = 184203,
                                    .p90_ns = 1000000,
                                    .p99_ns = 2000001,
                                    .p999_ns = 3000000,
                                    .max_ns = 12345678901,
                                    .octaves = octaves};

    octaves[17] = n_requests - 1;
    over_ns[0] = 1;
    contexts[0] = (struct ct_stat_context){.pid = pid,
                                           .id = 1,
                                           .name = name,
                                           .polls = 42,
                                           .max_poll_depth = 3,
                                           .bh_runs = 40,
                                           .busy_ns = 1234567,
                                           .longest_callback_ns = 65432,
                                           .longest_callback_fn = callback,
                                           .busy_over_ns = over_ns};
    contexts[1] =
        (struct ct_stat_context){.pid = pid, .id = 2, .busy_over_ns = over_ns};
    pool = (struct ct_stat_pool){.pid = pid,
                                 .id = 3,
                                 .items = 5,
                                 .longest_item_ns = 9,
                                 .longest_item_fn = callback,
                                 .queued_peak = 1,
                                 .busy_peak = 1,
                                 .queued_ns = 1,
                                 .busy_ns = 1,
                                 .queued_over_ns = over_ns,
                                 .busy_over_ns = over_ns};
    class = (struct ct_stat_class){.layer = name,
                                   .op = "read",
                                   .node = name,
                                   .requests = n_requests,
                                   .latency = latency,
                                   .states = {[CT_STATE_LOCK] = latency}};
    fake_stat = (struct ct_stat_result){
        .summary = *summary,
        .requests = n_requests,
        .requests_complete = n_requests - 1,
        .has_latency = true,
        .latency = latency,
        .states_ns = {[CT_STATE_RUNNING] = 500, [CT_STATE_LOCK] = 1500},
        .n_classes = 1,
        .classes = &class,
        .bucket_ns = MAX((duration_ns + 3) / 4, 1),
        .n_buckets = (unsigned)CLAMP(duration_ns, 1, 4),
        .lost_over_ns = over_ns,
        .n_contexts = 2,
        .contexts = contexts,
        .n_pools = 1,
        .pools = &pool,
        .workers_spawned = 4,
        .workers_exited = 1,
        .workers_peak = 3,
        .coroutines_created = 1234567,
        .coroutines_peak = 12,
    };
}

struct ct_symbols {
    GHashTable *names;
};

void ct_symbols_debug_dirs(const char *list)
{
}

struct ct_symbols *ct_symbols_new(const struct ct_images *images,
                                  struct ct_symbol_files *files)
{
    struct ct_symbols *symbols = g_new0(struct ct_symbols, 1);

    symbols->names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return symbols;
}

void ct_symbols_free(struct ct_symbols *symbols)
{
    if (symbols) {
        g_hash_table_destroy(symbols->names);
        g_free(symbols);
    }
}

const char *ct_symbols_function(struct ct_symbols *symbols, int32_t pid,
                                uint64_t address, bool is_return)
{
    char *name;

    if (address >= FAKE_NAMELESS) {
        return NULL;
    }
    name = g_hash_table_lookup(symbols->names, GSIZE_TO_POINTER(address));
    if (!name) {
        name = g_strdup_printf("fn_%" PRIx64, address);
        g_hash_table_insert(symbols->names, GSIZE_TO_POINTER(address), name);
    }
    return name;
}

const char *ct_state_word(enum ct_state state)
{
    static const char *const words[CT_STATES] = {
        "running",    "runnable", "work-queued", "work-running", "work-done",
        "work",       "io",       "lock",        "timer",        "children",
        "completing", "queue",    "unknown",
    };

    return words[state];
}

const char *ct_cause_word(enum ct_cause_kind kind)
{
    static const char *const words[] = {
        "none",  "holder", "loop",  "worker", "spawn", "wakeup",
        "child", "device", "waker", "timer",  "pool",  "unknown",
    };

    return words[kind];
}

const char *ct_ran_word(enum ct_ran_kind kind)
{
    static const char *const words[] = {
        "bottom-half", "timer", "fd-handler", "coroutine",
        "nested-poll", "loop",  "kernel",     "outside",
        "work-item",   "state", "others",     "unknown",
    };

    return words[kind];
}

const char *ct_boundary_word(enum ct_boundary boundary)
{
    static const char *const words[] = {
        "none",       "coroutine", "bottom-half",  "timer",
        "fd-handler", "work-item", "worker-spawn", "thread",
    };

    return words[boundary];
}

static bool finish(struct ct_consumer *consumer,
                   const struct ct_summary *summary, GError **error)
{
    return true;
}

/* --- results that the test has made -------------------------------------- */

struct ct_stat {
    struct ct_consumer consumer;
};

struct ct_stat *ct_stat_new(void)
{
    struct ct_stat *stat = g_new0(struct ct_stat, 1);

    stat->consumer.finish = finish;
    return stat;
}

struct ct_consumer *ct_stat_consumer(struct ct_stat *stat)
{
    return &stat->consumer;
}

const struct ct_stat_result *ct_stat_get(const struct ct_stat *stat)
{
    return &fake_stat;
}

void ct_stat_free(struct ct_stat *stat)
{
    g_free(stat);
}

struct ct_backtrace_query {
    struct ct_consumer consumer;
};

struct ct_backtrace_query *ct_backtrace_new(enum ct_backtrace_of of,
                                            uint64_t id, int32_t pid,
                                            int64_t at_ns)
{
    struct ct_backtrace_query *query = g_new0(struct ct_backtrace_query, 1);

    query->consumer.finish = finish;
    return query;
}

struct ct_consumer *ct_backtrace_consumer(struct ct_backtrace_query *query)
{
    return &query->consumer;
}

const struct ct_backtrace *ct_backtrace_result(
    const struct ct_backtrace_query *query)
{
    return &fake_backtrace;
}

void ct_backtrace_free(struct ct_backtrace_query *query)
{
    g_free(query);
}

struct ct_findings {
    struct ct_consumer consumer;
};

const char *ct_finding_word(enum ct_finding_kind kind)
{
    return kind == CT_FINDING_LOCK_CONVOY ? "lock-convoy" : "blocked-loop";
}

struct ct_findings *ct_findings_new(const struct ct_findings_limits *limits)
{
    struct ct_findings *findings = g_new0(struct ct_findings, 1);

    findings->consumer.finish = finish;
    return findings;
}

struct ct_consumer *ct_findings_consumer(struct ct_findings *findings)
{
    return &findings->consumer;
}

const struct ct_findings_result *ct_findings_result(
    const struct ct_findings *findings)
{
    return &fake_findings;
}

void ct_findings_free(struct ct_findings *findings)
{
    g_free(findings);
}

void fake_findings_make(const struct ct_frame *frames, unsigned n_frames,
                        int64_t origin_ns, const char *function)
{
    static struct ct_finding found[2];

    found[0] = (struct ct_finding){.kind = CT_FINDING_LOCK_CONVOY,
                                   .pid = 4000,
                                   .cost_ns = 9000,
                                   .count = 30,
                                   .object = 7,
                                   .begin_ns = origin_ns + 100,
                                   .end_ns = origin_ns + 4000,
                                   .n_requests = 30,
                                   .n_frames = n_frames,
                                   .frames = frames,
                                   .complete = true};
    found[1] = (struct ct_finding){.kind = CT_FINDING_BLOCKED_LOOP,
                                   .pid = 4000,
                                   .cost_ns = 800,
                                   .count = 1,
                                   .context = 1,
                                   .begin_ns = origin_ns + 5000,
                                   .end_ns = origin_ns + 5800,
                                   .function = function};
    fake_findings = (struct ct_findings_result){.n = 2, .v = found};
}

struct ct_alive_query {
    struct ct_consumer consumer;
};

struct ct_alive_query *ct_alive_new(int64_t at_ns, int32_t pid)
{
    struct ct_alive_query *query = g_new0(struct ct_alive_query, 1);

    query->consumer.finish = finish;
    return query;
}

struct ct_consumer *ct_alive_consumer(struct ct_alive_query *query)
{
    return &query->consumer;
}

const struct ct_alive_result *ct_alive_result(
    const struct ct_alive_query *query)
{
    return &fake_alive;
}

void ct_alive_free(struct ct_alive_query *query)
{
    g_free(query);
}
