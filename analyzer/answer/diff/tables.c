/* SPDX-License-Identifier: MIT */
/*
 * What a run looks up while its pass goes on: processes, threads, coroutines,
 * locks; and which decision was innermost on a thread at an instant.
 */
#include "answer/diff/run_int.h"

#define PROGRAMS_MAX 64

struct process *ct_run_process(struct ct_run *run, int32_t pid)
{
    struct process *process = run->process;

    if (!process || process->pid != pid) {
        process = g_hash_table_lookup(run->by_pid, &pid);
    }
    if (process) {
        run->process = process;
        if (process->n_gaps != run->n_gaps) {
            process->n_gaps = run->n_gaps;
            process->had_gap = true;
            process->last_end = CT_NOWHERE;
            g_hash_table_remove_all(process->locks);
        }
        return process;
    }
    process = g_new0(struct process, 1);
    process->pid = pid;
    process->n_gaps = run->n_gaps;
    process->last_end = CT_NOWHERE;
    process->coroutines =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    process->locks =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    process->works =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    g_ptr_array_add(run->processes, process);
    process->number = run->processes->len;
    g_hash_table_insert(run->by_pid, &process->pid, process);
    return process;
}

void ct_run_free_process(gpointer data)
{
    struct process *process = data;

    g_hash_table_unref(process->coroutines);
    g_hash_table_unref(process->locks);
    g_hash_table_unref(process->works);
    g_free(process);
}

struct coroutine *ct_run_coroutine(struct process *process, uint64_t id)
{
    struct coroutine *co = g_hash_table_lookup(process->coroutines, &id);

    if (!co) {
        co = g_new0(struct coroutine, 1);
        co->id = id;
        g_hash_table_insert(process->coroutines, &co->id, co);
    }
    return co;
}

struct lock *ct_run_lock(struct process *process, uint64_t id)
{
    struct lock *lock = g_hash_table_lookup(process->locks, &id);

    if (!lock) {
        lock = g_new0(struct lock, 1);
        lock->id = id;
        lock->taken = lock->released = CT_NOWHERE;
        g_hash_table_insert(process->locks, &lock->id, lock);
    }
    return lock;
}

struct thread *ct_run_thread(struct ct_run *run, int32_t pid, int32_t tid)
{
    if (run->thread && run->thread->pid == pid && run->thread->tid == tid) {
        return run->thread;
    }
    int64_t key = (int64_t)((uint64_t)(uint32_t)pid << 32 | (uint32_t)tid);
    struct thread *thread = g_hash_table_lookup(run->threads, &key);
    if (!thread) {
        thread = g_new0(struct thread, 1);
        thread->key = key;
        thread->pid = pid;
        thread->tid = tid;
        thread->last_taken = CT_NOWHERE;
        thread->last = CT_NOWHERE;
        thread->open = g_array_new(FALSE, FALSE, sizeof(struct open));
        thread->log = g_array_new(FALSE, FALSE, sizeof(struct logged));
        g_hash_table_insert(run->threads, &thread->key, thread);
    }
    run->thread = thread;
    return thread;
}

void ct_run_free_thread(gpointer data)
{
    struct thread *thread = data;

    g_array_unref(thread->open);
    g_array_unref(thread->log);
    g_free(thread);
}

struct open *ct_run_top(const struct thread *thread)
{
    return thread->open->len ? &g_array_index(thread->open, struct open,
                                              thread->open->len - 1)
                             : NULL;
}

void ct_run_log(struct thread *thread, int64_t when_ns, uint32_t decision)
{
    struct logged logged = {when_ns, decision};

    g_array_append_val(thread->log, logged);
}

uint32_t ct_run_current(const struct thread *thread)
{
    return thread->log->len
               ? g_array_index(thread->log, struct logged, thread->log->len - 1)
                     .decision
               : CT_NOWHERE;
}

/* What was innermost on a thread at an instant. */
uint32_t ct_run_decision_at(struct ct_run *run, int32_t pid, int32_t tid,
                            int64_t when_ns)
{
    const struct thread *thread = ct_run_thread(run, pid, tid);
    unsigned low = 0, high = thread->log->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (g_array_index(thread->log, struct logged, middle).when_ns <=
            when_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? g_array_index(thread->log, struct logged, low - 1).decision
               : CT_NOWHERE;
}

void ct_run_add_program(struct ct_run *run, const char *name)
{
    struct ct_program program = {
        .name = ct_words_get(&run->shared->words, name ?: "")};

    for (unsigned i = 0; i < run->programs->len; i++) {
        if (g_array_index(run->programs, struct ct_program, i).name ==
            program.name) {
            return;
        }
    }
    if (run->programs->len < PROGRAMS_MAX) {
        g_array_append_val(run->programs, program);
    }
}
