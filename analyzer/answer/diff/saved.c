/* SPDX-License-Identifier: MIT */
/*
 * A run as tables of numbers and a list of words, and back.
 *
 * What is read back was written by anybody: every number that leads somewhere
 * is checked before it is followed, and what only counts is taken as it is.
 */
#include <string.h>

#include "answer/diff/run_int.h"
#include "ct/trace.h"

/* No time of a trace is farther from its origin: differences and sums of two
 * fit. */
#define FARTHEST_NS (INT64_MAX / 4)

static const struct {
    const char *name;
    unsigned columns;
} tables[CT_SAVED_TABLES] = {
    [CT_SAVED_PROGRAMS] = {"programs", 2}, /* name, told in */
    [CT_SAVED_RANGES] = {"ranges", 2},     /* offset, bytes */
    /* kind, how, step, what, request, range, nth, parent */
    [CT_SAVED_LABELS] = {"labels", 8},
    /* name, told, pool, busy, alive, saturated */
    [CT_SAVED_SEQUENCES] = {"sequences", 6},
    [CT_SAVED_DECISIONS] = {"decisions", 4}, /* when, label, cause, sequence */
    [CT_SAVED_LINKS] = {"links", 3},         /* from, to, kind */
    [CT_SAVED_TAKEN] = {"taken", 4},         /* decision, tid, busy, end */
    [CT_SAVED_HOLES] = {"holes", 2},         /* from, to */
    [CT_SAVED_READY] = {"ready", 1},         /* decision */
    [CT_SAVED_FAILED] = {"failed", 2},       /* decision, ret */
    [CT_SAVED_TIMED] = {"timed", 3},         /* what, kind, state */
    [CT_SAVED_TIMES] = {"times", 2},         /* timed, ns */
};

const char *ct_saved_table_name(enum ct_saved_table table)
{
    return tables[table].name;
}

unsigned ct_saved_table_columns(enum ct_saved_table table)
{
    return tables[table].columns;
}

struct ct_saved *ct_saved_new(void)
{
    struct ct_saved *saved = g_new0(struct ct_saved, 1);

    saved->words = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < CT_SAVED_TABLES; i++) {
        saved->tables[i] = g_array_new(FALSE, FALSE, sizeof(int64_t));
    }
    return saved;
}

void ct_saved_free(struct ct_saved *saved)
{
    if (saved) {
        g_ptr_array_unref(saved->words);
        for (unsigned i = 0; i < CT_SAVED_TABLES; i++) {
            g_array_unref(saved->tables[i]);
        }
        g_free(saved);
    }
}

/* --- out -------------------------------------------------------------- */

#define PUT(saved, table, ...)                             \
    do {                                                   \
        const int64_t row_[] = {__VA_ARGS__};              \
        g_array_append_vals((saved)->tables[table], row_,  \
                            (unsigned)G_N_ELEMENTS(row_)); \
    } while (0)

/* From the trace's origin; what reaches beyond it, as far as there is. */
static int64_t relative(const struct ct_run *run, int64_t when_ns)
{
    int64_t from_ns = run->result.summary.origin_ns;

    if (when_ns == INT64_MAX || when_ns == INT64_MIN) {
        return when_ns > 0 ? FARTHEST_NS : -FARTHEST_NS;
    }
    return CLAMP(when_ns - from_ns, -FARTHEST_NS, FARTHEST_NS);
}

static int64_t decision_or_none(uint32_t decision)
{
    return decision == CT_NOWHERE ? -1 : (int64_t)decision;
}

static void save_labels(const struct ct_run *run, struct ct_saved *saved)
{
    const struct ct_shared *shared = run->shared;

    for (uint32_t i = 0; i < shared->words.strings->len; i++) {
        g_ptr_array_add(saved->words,
                        g_strdup(ct_words_text(&shared->words, i)));
    }
    for (uint32_t i = 0; i < shared->ranges.n; i++) {
        const struct ct_range *range = ct_interned_key(&shared->ranges, i);
        PUT(saved, CT_SAVED_RANGES, (int64_t)range->offset,
            (int64_t)range->bytes);
    }
    for (uint32_t i = 0; i < shared->labels.n; i++) {
        const struct ct_label *label = ct_shared_label(shared, i);
        PUT(saved, CT_SAVED_LABELS, label->kind, label->how, label->step,
            label->what, label->request, label->range, label->nth,
            label->parent);
    }
}

static void save_times(const struct ct_run *run, struct ct_saved *saved)
{
    for (uint32_t i = 0; i < run->times.keys.n; i++) {
        const struct ct_timed *key = ct_interned_key(&run->times.keys, i);
        const GArray *values = g_ptr_array_index(run->times.values, i);

        PUT(saved, CT_SAVED_TIMED, key->what, key->kind, key->state);
        for (unsigned k = 0; k < values->len; k++) {
            PUT(saved, CT_SAVED_TIMES, i, g_array_index(values, int64_t, k));
        }
    }
}

struct ct_saved *ct_run_save(const struct ct_run *run)
{
    const struct ct_run_result *result = &run->result;
    struct ct_saved *saved = ct_saved_new();

    saved->has_clock = result->summary.has_clock;
    saved->complete = result->summary.complete;
    save_labels(run, saved);
    for (uint32_t i = 0; i < result->n_programs; i++) {
        const struct ct_program *program = &result->programs[i];
        PUT(saved, CT_SAVED_PROGRAMS, program->name, program->told_in);
    }
    for (uint32_t i = 0; i < result->n_sequences; i++) {
        const struct ct_sequence *sequence = &result->sequences[i];
        PUT(saved, CT_SAVED_SEQUENCES, sequence->name, sequence->told,
            sequence->is_pool, sequence->peak_busy, sequence->peak_alive,
            (int64_t)sequence->saturated);
    }
    for (uint32_t i = 0; i < result->n; i++) {
        const struct ct_decision *decision = &result->decisions[i];
        PUT(saved, CT_SAVED_DECISIONS, relative(run, decision->when_ns),
            decision->label, decision_or_none(decision->cause),
            decision->sequence);
    }
    for (uint32_t i = 0; i < result->n_links; i++) {
        const struct ct_link *link = &result->links[i];
        PUT(saved, CT_SAVED_LINKS, link->from, link->to, link->kind);
    }
    for (uint32_t i = 0; i < result->n_taken; i++) {
        const struct ct_taken *taken = &result->taken[i];
        PUT(saved, CT_SAVED_TAKEN, taken->decision, taken->tid, taken->busy,
            relative(run, taken->end_ns));
    }
    for (uint32_t i = 0; i < result->n_ready; i++) {
        PUT(saved, CT_SAVED_READY, result->ready[i]);
    }
    for (uint32_t i = 0; i < result->n_failed; i++) {
        PUT(saved, CT_SAVED_FAILED, result->failed[i].decision,
            result->failed[i].ret);
    }
    for (uint32_t i = 0; i < result->n_holes; i++) {
        const struct ct_hole *hole = &result->holes[i];
        PUT(saved, CT_SAVED_HOLES, relative(run, hole->from_ns),
            relative(run, hole->to_ns));
    }
    save_times(run, saved);
    return saved;
}

/* --- in --------------------------------------------------------------- */

/* A table that is being read: numbers in order, each with what it may be. */
struct reader {
    const struct ct_saved *saved;
    enum ct_saved_table table;
    uint32_t row;
    unsigned column;
    bool is_bad;
};

static uint32_t rows_of(const struct ct_saved *saved, enum ct_saved_table table)
{
    return saved->tables[table]->len / tables[table].columns;
}

/* The next number of the row, from @least to @most. */
static int64_t take(struct reader *reader, int64_t least, int64_t most)
{
    const GArray *numbers = reader->saved->tables[reader->table];
    unsigned at =
        reader->row * tables[reader->table].columns + reader->column++;
    int64_t value = g_array_index(numbers, int64_t, at);

    if (value < least || value > most) {
        reader->is_bad = true;
        return least;
    }
    return value;
}

static int64_t take_ns(struct reader *reader)
{
    return take(reader, -FARTHEST_NS, FARTHEST_NS);
}

static uint32_t take_u32(struct reader *reader)
{
    return (uint32_t)take(reader, 0, UINT32_MAX);
}

/* Below @n; 0 if it is not, and if there is none that is_bad. */
static uint32_t take_index(struct reader *reader, uint32_t n)
{
    if (!n) {
        reader->is_bad = true;
        reader->column++;
        return 0;
    }
    return (uint32_t)take(reader, 0, (int64_t)n - 1);
}

static bool next_row(struct reader *reader)
{
    reader->row = reader->column ? reader->row + 1 : 0;
    reader->column = 0;
    return !reader->is_bad &&
           reader->row < rows_of(reader->saved, reader->table);
}

/* for each row of a table */
#define ROWS(reader, which) \
    for ((reader)->table = (which), (reader)->column = 0; next_row(reader);)

/* The numbers of a file's words, ranges and labels among the shared ones. */
struct meaning {
    uint32_t *words, *ranges, *labels;
    uint32_t n_words;
};

static uint32_t take_word(struct reader *reader, const struct meaning *meaning)
{
    return meaning->words[take_index(reader, meaning->n_words)];
}

static void read_labels(struct reader *reader, struct ct_run *run,
                        struct meaning *meaning)
{
    struct ct_shared *shared = run->shared;
    const struct ct_saved *saved = reader->saved;
    uint32_t n_ranges = rows_of(saved, CT_SAVED_RANGES);

    meaning->n_words = saved->words->len;
    meaning->words = g_new0(uint32_t, saved->words->len + 1);
    meaning->ranges = g_new0(uint32_t, n_ranges + 1);
    meaning->labels = g_new0(uint32_t, rows_of(saved, CT_SAVED_LABELS) + 1);
    for (unsigned i = 0; i < saved->words->len; i++) {
        meaning->words[i] =
            ct_words_get(&shared->words, g_ptr_array_index(saved->words, i));
    }
    ROWS(reader, CT_SAVED_PROGRAMS)
    {
        struct ct_program program = {.name = take_word(reader, meaning)};
        program.told_in = (enum ct_told_in)take_index(reader, CT_TOLD_INS);
        g_array_append_val(run->programs, program);
    }
    ROWS(reader, CT_SAVED_RANGES)
    {
        struct ct_range range = {
            .offset = (uint64_t)take(reader, INT64_MIN, INT64_MAX),
            .bytes = (uint64_t)take(reader, INT64_MIN, INT64_MAX),
        };
        meaning->ranges[reader->row + 1] =
            ct_interned_get(&shared->ranges, &range) + 1;
    }
    ROWS(reader, CT_SAVED_LABELS)
    {
        struct ct_label label = {
            .kind = (uint8_t)take_index(reader, CT_DECISION_KINDS),
            .how = (uint8_t)take_index(reader, CT_HOW_AGAIN + 1),
            .step = (uint16_t)take_index(reader, UINT16_MAX + 1),
        };
        label.what = take_word(reader, meaning);
        label.request = take_word(reader, meaning);
        label.range = meaning->ranges[take_index(reader, n_ranges + 1)];
        label.nth = take_u32(reader);
        label.parent = take_word(reader, meaning);
        meaning->labels[reader->row] = ct_interned_get(&shared->labels, &label);
    }
}

static void read_decisions(struct reader *reader, struct ct_run *run,
                           const struct meaning *meaning)
{
    const struct ct_saved *saved = reader->saved;
    uint32_t n = rows_of(saved, CT_SAVED_DECISIONS);

    ROWS(reader, CT_SAVED_SEQUENCES)
    {
        struct ct_sequence sequence = {.name = take_word(reader, meaning)};
        sequence.told = take_word(reader, meaning);
        sequence.is_pool = take_index(reader, 2);
        sequence.peak_busy = take_u32(reader);
        sequence.peak_alive = take_u32(reader);
        sequence.saturated = (uint64_t)take(reader, 0, INT64_MAX);
        g_array_append_val(run->told, sequence);
    }
    ROWS(reader, CT_SAVED_DECISIONS)
    {
        struct ct_decision decision = {.when_ns = take_ns(reader)};
        decision.other_ns = decision.when_ns;
        decision.label =
            meaning
                ->labels[take_index(reader, rows_of(saved, CT_SAVED_LABELS))];
        int64_t cause = take(reader, -1, (int64_t)n - 1);
        decision.cause = cause < 0 ? CT_NOWHERE : (uint32_t)cause;
        decision.sequence =
            take_index(reader, rows_of(saved, CT_SAVED_SEQUENCES));
        g_array_append_val(run->decisions, decision);
    }
}

static void read_relations(struct reader *reader, struct ct_run *run)
{
    uint32_t n = run->decisions->len;
    int64_t last = -1;

    ROWS(reader, CT_SAVED_LINKS)
    {
        struct ct_link link = {.from = take_index(reader, n)};
        link.to = take_index(reader, n);
        link.kind = take_index(reader, CT_LINK_KINDS);
        g_array_append_val(run->links, link);
    }
    ROWS(reader, CT_SAVED_TAKEN)
    {
        /* they are searched: in order */
        struct ct_taken taken = {
            .decision = (uint32_t)take(reader, last + 1, (int64_t)n - 1)};
        last = taken.decision;
        taken.tid = (int32_t)take(reader, INT32_MIN, INT32_MAX);
        taken.busy = take_u32(reader);
        taken.end_ns = take_ns(reader);
        g_array_append_val(run->taken, taken);
    }
    ROWS(reader, CT_SAVED_HOLES)
    {
        struct ct_hole hole = {.from_ns = take_ns(reader)};
        hole.to_ns = take_ns(reader);
        g_array_append_val(run->holes, hole);
    }
    ROWS(reader, CT_SAVED_READY)
    {
        uint32_t begin = take_index(reader, n);
        g_array_append_val(run->ready, begin);
    }
    last = -1;
    ROWS(reader, CT_SAVED_FAILED)
    {
        /* likewise */
        struct ct_failed failed = {
            .decision = (uint32_t)take(reader, last + 1, (int64_t)n - 1)};
        last = failed.decision;
        failed.ret = (int32_t)take(reader, INT32_MIN, -1);
        g_array_append_val(run->failed, failed);
    }
}

static void read_times(struct reader *reader, struct ct_run *run,
                       const struct meaning *meaning)
{
    uint32_t n = rows_of(reader->saved, CT_SAVED_TIMED);
    struct ct_timed *timed = g_new0(struct ct_timed, n + 1);

    ROWS(reader, CT_SAVED_TIMED)
    {
        struct ct_timed *key = &timed[reader->row];
        key->what = take_word(reader, meaning);
        key->kind = (uint16_t)take_index(reader, CT_DECISION_KINDS);
        key->state = (uint16_t)take_index(reader, CT_STATES + 1);
    }
    ROWS(reader, CT_SAVED_TIMES)
    {
        const struct ct_timed *key = &timed[take_index(reader, n)];
        ct_times_add(&run->times, key, take_ns(reader));
    }
    g_free(timed);
}

bool ct_run_restore(struct ct_run *run, const struct ct_saved *saved)
{
    struct ct_summary summary = {
        .has_clock = saved->has_clock,
        .complete = saved->complete,
    };
    struct reader reader = {.saved = saved};
    struct meaning meaning = {0};

    for (unsigned i = 0; i < CT_SAVED_TABLES; i++) {
        if (saved->tables[i]->len % tables[i].columns) {
            return false;
        }
    }
    read_labels(&reader, run, &meaning);
    read_decisions(&reader, run, &meaning);
    read_relations(&reader, run);
    read_times(&reader, run, &meaning);
    g_free(meaning.words);
    g_free(meaning.ranges);
    g_free(meaning.labels);
    ct_run_set_result(run, &summary);
    return !reader.is_bad;
}
