/* SPDX-License-Identifier: MIT */
/*
 * A run when its pass has ended: functions and contexts get their names, and
 * the run's own labels become those that all runs share.
 *
 * A context's name is told by the program, or says what it is; several with the
 * same one are numbered, for people only: which is which in another run is
 * found out when they are compared (contexts.c).  The n-th process that decided
 * something is the n-th in the other run.
 */
#include "answer/diff/run_int.h"

#include <string.h>

#include "ct/backtrace.h"

void ct_run_init(struct ct_run *run)
{
    run->decisions = g_array_new(FALSE, FALSE, sizeof(struct ct_decision));
    run->links = g_array_new(FALSE, FALSE, sizeof(struct ct_link));
    run->taken = g_array_new(FALSE, FALSE, sizeof(struct ct_taken));
    run->holes = g_array_new(FALSE, FALSE, sizeof(struct ct_hole));
    run->ready = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    run->failed = g_array_new(FALSE, FALSE, sizeof(struct ct_failed));
    run->sequences = g_array_new(FALSE, FALSE, sizeof(struct sequence));
    run->identities = g_array_new(FALSE, TRUE, sizeof(struct identity));
    run->seen = g_array_new(FALSE, FALSE, sizeof(struct request_seen));
    run->told = g_array_new(FALSE, TRUE, sizeof(struct ct_sequence));
    run->programs = g_array_new(FALSE, TRUE, sizeof(struct ct_program));
    ct_times_init(&run->times);
    ct_interned_init(&run->whats, sizeof(struct request_what));
    ct_interned_init(&run->functions, sizeof(struct function));
    ct_interned_init(&run->places, sizeof(struct place));
    run->labels = g_array_new(FALSE, FALSE, sizeof(struct ct_label));
    run->processes = g_ptr_array_new_with_free_func(ct_run_free_process);
    run->by_pid = g_hash_table_new(g_int_hash, g_int_equal);
    run->threads = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                         ct_run_free_thread);
}

/* What only the pass needs. */
static void forget(struct ct_run *run)
{
    g_clear_pointer(&run->by_pid, g_hash_table_unref);
    g_clear_pointer(&run->processes, g_ptr_array_unref);
    g_clear_pointer(&run->threads, g_hash_table_unref);
    g_clear_pointer(&run->identities, g_array_unref);
    g_clear_pointer(&run->seen, g_array_unref);
    g_clear_pointer(&run->labels, g_array_unref);
}

void ct_run_free(struct ct_run *run)
{
    if (!run) {
        return;
    }
    forget(run);
    ct_times_fini(&run->times);
    ct_interned_fini(&run->whats);
    ct_interned_fini(&run->functions);
    ct_interned_fini(&run->places);
    g_array_unref(run->decisions);
    g_array_unref(run->links);
    g_array_unref(run->taken);
    g_array_unref(run->holes);
    g_array_unref(run->ready);
    g_array_unref(run->failed);
    g_array_unref(run->sequences);
    g_array_unref(run->told);
    g_array_unref(run->programs);
    g_free(run);
}

struct ct_consumer *ct_run_consumer(struct ct_run *run)
{
    return &run->consumer;
}

const struct ct_run_result *ct_run_result(const struct ct_run *run)
{
    return run->result.finished ? &run->result : NULL;
}

/* --- names ------------------------------------------------------------ */

static uint32_t *name_functions(struct ct_run *run,
                                const struct ct_summary *summary)
{
    struct ct_words *words = &run->shared->words;
    struct ct_symbols *symbols =
        ct_symbols_new(summary->images, run->shared->files);
    uint32_t *names = g_new0(uint32_t, run->functions.n + 1);

    for (uint32_t i = 0; i < run->functions.n; i++) {
        const struct function *function = ct_interned_key(&run->functions, i);
        const char *name = NULL;
        if (function->fn) {
            name = ct_symbols_function(symbols, function->pid, function->fn,
                                       false);
        }
        names[i + 1] =
            function->name ? function->name : ct_words_get(words, name ?: "?");
    }
    ct_symbols_free(symbols);
    return names;
}

/* What the program calls it: word. */
static uint32_t told_name(struct ct_run *run, uint32_t number)
{
    static const char *const kinds[] = {
        [SEQUENCE_CONTEXT] = "context",
        [SEQUENCE_POOL] = "pool",
        [SEQUENCE_THREADS] = "no context",
    };
    struct ct_words *words = &run->shared->words;
    const struct place *place = ct_interned_key(&run->places, number);
    uint32_t name = g_array_index(run->sequences, struct sequence, number).name;
    const char *text = name ? ct_words_text(words, name) : kinds[place->kind];
    unsigned process = ct_run_process(run, place->pid)->number;

    if (process > 1) {
        g_autofree char *longer =
            g_strdup_printf("%s of process %u", text, process);
        return ct_words_get(words, longer);
    }
    return ct_words_get(words, text);
}

/* The first of each name has it, whatever others are called; then the rest is
 * numbered. */
static void number_sequences(struct ct_run *run)
{
    GHashTable *taken = g_hash_table_new(NULL, NULL);
    GHashTable *nths = g_hash_table_new(NULL, NULL);

    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < run->told->len; i++) {
            struct ct_sequence *told =
                &g_array_index(run->told, struct ct_sequence, i);
            gpointer key = GUINT_TO_POINTER(told->told);
            if (pass == 0 && g_hash_table_add(taken, key)) {
                told->name = told->told;
            } else if (pass == 1 && !told->name) {
                unsigned nth = GPOINTER_TO_UINT(g_hash_table_lookup(nths, key));
                told->name = ct_sequence_name(&run->shared->words, taken,
                                              told->told, &nth);
                g_hash_table_insert(nths, key, GUINT_TO_POINTER(nth));
            }
        }
    }
    g_hash_table_unref(taken);
    g_hash_table_unref(nths);
}

static void name_sequences(struct ct_run *run)
{
    for (uint32_t i = 0; i < run->sequences->len; i++) {
        const struct sequence *sequence =
            &g_array_index(run->sequences, struct sequence, i);
        const struct place *place = ct_interned_key(&run->places, i);
        struct ct_sequence told = {
            .told = told_name(run, i),
            .is_pool = place->kind == SEQUENCE_POOL,
            .peak_busy = sequence->peak_busy,
            .peak_alive = MAX(sequence->peak_busy,
                              (unsigned)MIN(sequence->peak_alive, INT32_MAX)),
            .saturated = sequence->saturated_busy == sequence->peak_busy
                             ? sequence->saturated
                             : 0,
        };
        g_array_append_val(run->told, told);
    }
    number_sequences(run);
}

/* May it come more than once in a request, and as often in every run? */
static bool is_counted(const struct ct_label *label)
{
    return label->request && label->kind != CT_DECISION_BEGIN &&
           label->kind != CT_DECISION_END && !ct_label_is_loose(label);
}

/* The second of one request's that are alike is the second in the other run,
 * in whatever order their contexts and pools took them.
 * @labels: by decision, all of them the first; what they are when it returns */
static void count_steps(struct ct_run *run, uint32_t *labels)
{
    uint32_t *counts = g_new0(uint32_t, run->shared->labels.n + 1);

    for (uint32_t i = 0; i < run->labels->len; i++) {
        struct ct_label *label =
            &g_array_index(run->labels, struct ct_label, i);
        if (label->step && ++counts[labels[i]] > 1) {
            label->step = (uint16_t)MIN(counts[labels[i]], UINT16_MAX);
            labels[i] = ct_interned_get(&run->shared->labels, label);
        }
    }
    g_free(counts);
}

static void name_labels(struct ct_run *run, const uint32_t *names)
{
    uint32_t n = run->labels->len;
    uint32_t *shared = g_new(uint32_t, n + 1);

    for (uint32_t i = 0; i < n; i++) {
        struct ct_label *label =
            &g_array_index(run->labels, struct ct_label, i);
        label->what = names[label->what];
        label->parent = names[label->parent];
        label->step = is_counted(label);
    }
    ct_interned_get_all(&run->shared->labels, run->labels->data, n, shared);
    count_steps(run, shared);
    for (uint32_t i = 0; i < n; i++) {
        g_array_index(run->decisions, struct ct_decision, i).label = shared[i];
    }
    g_free(shared);
}

/* Functions of the same name are the same in the other run. */
static void name_times(struct ct_run *run, const uint32_t *names)
{
    struct ct_times named;

    ct_times_init(&named);
    for (uint32_t i = 0; i < run->times.keys.n; i++) {
        struct ct_timed key;
        memcpy(&key, ct_interned_key(&run->times.keys, i), sizeof(key));
        if (key.kind != CT_DECISION_BEGIN) {
            key.what = names[key.what];
        }
        ct_times_add_all(&named, &key, g_ptr_array_index(run->times.values, i));
    }
    ct_times_fini(&run->times);
    run->times = named;
}

/* What its processes say themselves; else what lies beside it. */
static void name_programs(struct ct_run *run, const struct ct_summary *summary)
{
    if (!run->programs->len) {
        ct_run_add_program(run, summary->program);
    }
    g_array_index(run->programs, struct ct_program, 0).told_in =
        !summary->has_qemu     ? CT_TOLD_IN_OURS
        : summary->has_workers ? CT_TOLD_IN_QEMU_WORKERS
                               : CT_TOLD_IN_QEMU_ALONE;
}

static bool is_serial(const struct ct_run *run)
{
    uint32_t n_begins = 0, n_after = 0;

    for (uint32_t i = 0; i < run->decisions->len; i++) {
        const struct ct_label *label = ct_shared_label(
            run->shared,
            g_array_index(run->decisions, struct ct_decision, i).label);
        n_begins += label->kind == CT_DECISION_BEGIN;
    }
    for (uint32_t i = 0; i < run->links->len; i++) {
        n_after +=
            g_array_index(run->links, struct ct_link, i).kind == CT_LINK_AFTER;
    }
    return n_begins > 1 && n_after == n_begins - 1;
}

void ct_run_set_result(struct ct_run *run, const struct ct_summary *summary)
{
    forget(run);
    run->result = (struct ct_run_result){
        .finished = true,
        .summary = *summary,
        .n = run->decisions->len,
        .decisions = (const struct ct_decision *)(void *)run->decisions->data,
        .n_links = run->links->len,
        .links = (const struct ct_link *)(void *)run->links->data,
        .n_taken = run->taken->len,
        .taken = (const struct ct_taken *)(void *)run->taken->data,
        .n_sequences = run->told->len,
        .sequences = (const struct ct_sequence *)(void *)run->told->data,
        .times = &run->times,
        .n_holes = run->holes->len,
        .holes = (const struct ct_hole *)(void *)run->holes->data,
        .n_ready = run->ready->len,
        .ready = (const uint32_t *)(void *)run->ready->data,
        .n_failed = run->failed->len,
        .failed = (const struct ct_failed *)(void *)run->failed->data,
        .is_serial = is_serial(run),
        .n_programs = run->programs->len,
        .programs = (const struct ct_program *)(void *)run->programs->data,
    };
    run->result.summary.stacks = NULL;
    run->result.summary.images = NULL;
    run->result.summary.program = NULL;
}

void ct_run_settle(struct ct_run *run, const struct ct_summary *summary)
{
    uint32_t *names = name_functions(run, summary);

    name_sequences(run);
    name_labels(run, names);
    name_times(run, names);
    name_programs(run, summary);
    g_free(names);
    ct_run_set_result(run, summary);
}
