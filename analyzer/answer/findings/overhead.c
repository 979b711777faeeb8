/* SPDX-License-Identifier: MIT */
/*
 * Tracing's own share of the time, as far as a trace can tell.
 *
 * How many events there are is known.  What one costs is not: it is estimated
 * by the time between two events that follow each other on one thread, where
 * that is shortest: it is what one costs plus the least that the program does
 * between two of them.  So that a clock's quirk does not decide it, the
 * shortest hundredth is left out.  Events with long stacks cost more than that,
 * so the product is rather too small; it does not hold what the consumer daemon
 * takes, nor what full caches cost.
 *
 * The share is of the time in which threads are known to have done something:
 * turns without their sleep, work items, coroutines outside of turns.  Both
 * sides of it are of the same threads and the same times: the time between two
 * events of a thread counts if the thread was awake in it, and the event before
 * it counts with it.  So what is told while a thread sleeps, outside of any
 * turn, or by threads whose turns are not told (a guest's CPUs) is not judged:
 * there nothing tells tracing from what the program does, or does not do.
 */
#include <glib.h>

#include "answer/findings/family.h"
#include "answer/histogram.h"

/* Fewer distances tell nothing about the shortest that there can be. */
#define DISTANCES_MIN 1000

enum { EXACT_MAX = 1024, PRECISION = 5 };

struct thread {
    int32_t pid;
    int32_t tid;
    int64_t last_ns; /* its last event */
    bool has_last;
    bool is_open;     /* a turn, work item or coroutine, since the last event */
    unsigned n_waits; /* in the kernel, likewise */
    uint64_t n_gaps;  /* up to there: what is behind a gap says nothing */
};

struct process {
    int32_t pid;
    struct ct_histogram *distances; /* awake: their sum is all that time */
    int64_t begin_ns, end_ns;
};

struct ct_overhead {
    bool is_measured; /* by a clock that tells an event from the next */
    uint64_t n_gaps;
    GHashTable *threads; /* struct thread (owned), itself */
    GHashTable *processes;
    struct thread *last_thread;
    struct process *last_process;
};

static guint hash_thread(const void *data)
{
    const struct thread *thread = data;

    return (guint)thread->tid * 0x9e3779b1u ^ (guint)thread->pid;
}

static gboolean is_same_thread(const void *a, const void *b)
{
    const struct thread *one = a;
    const struct thread *other = b;

    return one->tid == other->tid && one->pid == other->pid;
}

static guint hash_process(const void *data)
{
    return (guint)((const struct process *)data)->pid;
}

static gboolean is_same_process(const void *a, const void *b)
{
    return ((const struct process *)a)->pid == ((const struct process *)b)->pid;
}

static void free_process(void *data)
{
    ct_histogram_free(((struct process *)data)->distances);
    g_free(data);
}

struct ct_overhead *ct_overhead_new(void)
{
    struct ct_overhead *overhead = g_new0(struct ct_overhead, 1);

    overhead->threads =
        g_hash_table_new_full(hash_thread, is_same_thread, g_free, NULL);
    overhead->processes = g_hash_table_new_full(hash_process, is_same_process,
                                                free_process, NULL);
    return overhead;
}

void ct_overhead_free(struct ct_overhead *overhead)
{
    if (overhead) {
        g_hash_table_unref(overhead->threads);
        g_hash_table_unref(overhead->processes);
        g_free(overhead);
    }
}

static struct process *process_of(struct ct_overhead *overhead, int32_t pid)
{
    struct process key = {.pid = pid};
    struct process *process = overhead->last_process;

    if (process && process->pid == pid) {
        return process;
    }
    process = g_hash_table_lookup(overhead->processes, &key);
    if (!process) {
        process = g_new(struct process, 1);
        *process = (struct process){
            .pid = pid, .distances = ct_histogram_new(EXACT_MAX, PRECISION)};
        g_hash_table_add(overhead->processes, process);
    }
    overhead->last_process = process;
    return process;
}

static struct thread *thread_of(struct ct_overhead *overhead, int32_t pid,
                                int32_t tid)
{
    struct thread key = {.pid = pid, .tid = tid};
    struct thread *thread = overhead->last_thread;

    if (thread && is_same_thread(thread, &key)) {
        return thread;
    }
    thread = g_hash_table_lookup(overhead->threads, &key);
    if (!thread) {
        thread = g_new(struct thread, 1);
        *thread = key;
        g_hash_table_add(overhead->threads, thread);
    }
    overhead->last_thread = thread;
    return thread;
}

void ct_overhead_event(struct ct_overhead *overhead,
                       const struct ct_record *record)
{
    struct process *process = process_of(overhead, record->pid);
    struct thread *thread = thread_of(overhead, record->pid, record->tid);

    overhead->is_measured =
        record->has_clock && record->event != CT_EV_LOG_LINE;
    if (thread->has_last && thread->n_gaps == overhead->n_gaps &&
        thread->is_open && !thread->n_waits) {
        if (!ct_histogram_count(process->distances)) {
            process->begin_ns = thread->last_ns;
        }
        process->end_ns = record->when_ns;
        ct_histogram_add(process->distances, record->when_ns - thread->last_ns);
    }
    thread->has_last = true;
    thread->n_gaps = overhead->n_gaps;
    thread->last_ns = record->when_ns;
}

void ct_overhead_slice_began(struct ct_overhead *overhead,
                             const struct ct_slice *slice)
{
    struct thread *thread = thread_of(overhead, slice->pid, slice->tid);

    if (slice->kind == CT_SLICE_FDMON) {
        thread->n_waits++;
    } else if (slice->depth == 1) {
        thread->is_open = true;
    }
}

void ct_overhead_slice(struct ct_overhead *overhead,
                       const struct ct_slice *slice)
{
    struct thread *thread = thread_of(overhead, slice->pid, slice->tid);

    if (slice->kind == CT_SLICE_THREAD) {
        overhead->last_thread = NULL;
        g_hash_table_remove(overhead->threads, thread);
    } else if (slice->kind == CT_SLICE_FDMON) {
        thread->n_waits -= thread->n_waits > 0;
    } else if (slice->depth == 1) {
        thread->is_open = false;
    }
}

void ct_overhead_gap(struct ct_overhead *overhead)
{
    overhead->n_gaps++;
}

void ct_overhead_finish(struct ct_causes *causes, struct ct_overhead *overhead)
{
    const struct ct_findings_limits *limits = ct_causes_limits(causes);
    GHashTableIter iter;
    struct process *process;

    g_hash_table_iter_init(&iter, overhead->processes);
    while (g_hash_table_iter_next(&iter, (void **)&process, NULL)) {
        uint64_t events = ct_histogram_count(process->distances);
        int64_t awake_ns = ct_histogram_sum(process->distances);
        int64_t event_ns = ct_histogram_quantile(process->distances, 1, 100);
        int64_t cost_ns;

        if (!overhead->is_measured || events < DISTANCES_MIN ||
            __builtin_mul_overflow((int64_t)events, event_ns, &cost_ns)) {
            continue;
        }
        /* The hundredth that is shorter makes it too much by as little. */
        cost_ns = MIN(cost_ns, awake_ns);
        if (cost_ns < limits->block_ns ||
            (double)cost_ns * 100 <
                (double)awake_ns * (double)limits->tracing_percent) {
            continue;
        }
        ct_causes_see(causes, &(struct ct_seen){
                                  .kind = CT_FINDING_TRACING_OVERHEAD,
                                  .pid = process->pid,
                                  .times = events,
                                  .of = (uint64_t)awake_ns,
                                  .cost_ns = cost_ns,
                                  .begin_ns = process->begin_ns,
                                  .end_ns = process->end_ns,
                              });
    }
}
