/* SPDX-License-Identifier: MIT */
/*
 * stat_tables.c - totals by context, pool and kind of request, and over time
 */
#include <inttypes.h>

#include "out/inert.h"
#include "views/make.h"
#include "views/stat.h"
#include "out/quantity.h"
#include "out/table.h"

enum { CLASSES_SHOWN = 12 };

static void class_row(struct ct_table *table, const char *name, bool is_state,
                      const struct ct_stat_times *times, uint64_t n)
{
    const int64_t points_ns[] = {times->p50_ns, times->p90_ns, times->p99_ns,
                                 times->max_ns, times->sum_ns};
    GString *cells[7];
    const char *texts[7];

    for (unsigned i = 0; i < 7; i++) {
        cells[i] = g_string_new(NULL);
    }
    g_string_append(cells[0], is_state ? "  " : "");
    g_string_append(cells[0], name);
    ct_text_count(cells[1], n);
    for (unsigned i = 0; i < 5 && times->n; i++) {
        ct_text_ns(&table->text, cells[2 + i], points_ns[i]);
    }
    for (unsigned i = 0; i < 7; i++) {
        texts[i] = cells[i]->str;
    }
    ct_table_row(table, texts);
    for (unsigned i = 0; i < 7; i++) {
        g_string_free(cells[i], TRUE);
    }
}

/* Each class, and below it the states that its requests were in. */
void ct_stat_classes(struct ct_text *text, const struct ct_stat_result *result)
{
    struct ct_table table = {
        .text = *text,
        .n_columns = 7,
        .columns = {{.title = "Requests, states", .width = 24},
                    {.title = "n", .right = true, .width = 7},
                    {.title = "p50", .right = true, .width = 9},
                    {.title = "p90", .right = true, .width = 9},
                    {.title = "p99", .right = true, .width = 9},
                    {.title = "max", .right = true, .width = 9},
                    {.title = "in all"}},
    };

    ct_table_titles(&table);
    for (unsigned i = 0; i < MIN(result->n_classes, CLASSES_SHOWN); i++) {
        const struct ct_stat_class *class = &result->classes[i];
        GString *name = g_string_new(NULL);

        if (class->is_rest) {
            g_string_append(name, "all others");
        } else {
            ct_inert_append(name, class->layer ? class->layer : "?");
            g_string_append_c(name, ' ');
            ct_inert_append(name, class->op ? class->op : "?");
            g_string_append_c(name, ' ');
            ct_inert_append(name, class->node ? class->node : "?");
        }
        class_row(&table, name->str, false, &class->latency, class->requests);
        for (unsigned k = 0; k < CT_STATES; k++) {
            if (class->states[k].n) {
                g_string_truncate(name, 0);
                ct_text_styled(text, name, ct_state_style((enum ct_state)k),
                               ct_state_word((enum ct_state)k));
                class_row(&table, name->str, true, &class->states[k],
                          class->states[k].n);
            }
        }
        g_string_free(name, TRUE);
    }
    ct_table_end(&table);
    if (result->n_classes > CLASSES_SHOWN) {
        GString *line = g_string_new(NULL);

        g_string_append_printf(line, "  and %u more kinds: --json has them",
                               result->n_classes - CLASSES_SHOWN);
        ct_text_line(text, line);
        g_string_free(line, TRUE);
    }
}

/* One column a bucket, as high as @over_ns is of the greatest there. */
static void spark(const struct ct_text *text, GString *words,
                  const struct ct_stat_result *result, const int64_t *over_ns,
                  int64_t most_ns)
{
    static const char *const eighths[] = {
        " ",      "\u2581", "\u2582", "\u2583", "\u2584",
        "\u2585", "\u2586", "\u2587", "\u2588",
    };

    for (unsigned i = 0; i < result->n_buckets; i++) {
        double part = (double)MAX(over_ns[i], 0) / (double)MAX(most_ns, 1);
        unsigned n = over_ns[i] > 0 ? (unsigned)(MIN(part, 1) * 7) + 1 : 0;

        if (text->utf8) {
            g_string_append(words, eighths[n]);
        } else {
            g_string_append_c(words, n ? (char)('0' + n) : '.');
        }
    }
}

/* "  main        41 %  ..12" */
static void spark_line(struct ct_text *text, GString *words, const char *name,
                       const struct ct_stat_result *result,
                       const int64_t *over_ns, int64_t most_ns)
{
    double sum_ns = 0;
    double of_ns = (double)most_ns / (double)result->bucket_ns *
                   (double)(result->summary.end_ns - result->summary.origin_ns);

    for (unsigned i = 0; i < result->n_buckets; i++) {
        sum_ns += (double)MAX(over_ns[i], 0);
    }
    g_string_append_printf(words, "  %-14s", name);
    g_string_append_printf(words, "%5.1f %%  ",
                           of_ns > 0 ? sum_ns * 100 / of_ns : 0);
    spark(text, words, result, over_ns, most_ns);
    ct_text_line(text, words);
}

void ct_stat_over_time(struct ct_text *text,
                       const struct ct_stat_result *result)
{
    GString *words = g_string_new(NULL);
    int64_t lost_ns = 0;

    ct_text_styled(text, words, CT_BOLD, "Over time");
    g_string_append(words, ", a column is ");
    ct_text_ns(text, words, result->bucket_ns);
    ct_text_line(text, words);
    for (unsigned i = 0; i < result->n_contexts; i++) {
        const struct ct_stat_context *context = &result->contexts[i];
        if (!context->has_turns) {
            continue;
        }
        GString *name = g_string_new(NULL);

        if (context->name && *context->name) {
            ct_inert_append(name, context->name);
        } else {
            g_string_append_printf(name, "context %" PRIu64, context->id);
        }
        spark_line(text, words, name->str, result, context->busy_over_ns,
                   result->bucket_ns);
        g_string_free(name, TRUE);
    }
    for (unsigned i = 0; i < result->n_pools; i++) {
        const struct ct_stat_pool *pool = &result->pools[i];
        g_autofree char *name = g_strdup_printf("pool %" PRIu64, pool->id);
        int64_t most_ns;

        if (!pool->busy_peak ||
            __builtin_mul_overflow(result->bucket_ns, (int64_t)pool->busy_peak,
                                   &most_ns)) {
            continue;
        }
        spark_line(text, words, name, result, pool->busy_over_ns, most_ns);
    }
    for (unsigned i = 0; i < result->n_buckets; i++) {
        lost_ns = MAX(lost_ns, result->lost_over_ns[i]);
    }
    if (lost_ns > 0) {
        spark_line(text, words, "events lost", result, result->lost_over_ns,
                   MAX(lost_ns, result->bucket_ns));
    }
    g_string_free(words, TRUE);
}

void ct_stat_pools(struct ct_text *text, const struct ct_stat_result *result)
{
    struct ct_table table = {
        .text = *text,
        .n_columns = 6,
        .columns = {{.title = "Pool", .width = 10},
                    {.title = "items", .right = true, .width = 6},
                    {.title = "queued", .right = true},
                    {.title = "busy", .right = true, .width = 6},
                    {.title = "working", .right = true, .width = 9},
                    {.title = "of"}},
    };

    ct_table_titles(&table);
    for (unsigned i = 0; i < result->n_pools; i++) {
        const struct ct_stat_pool *pool = &result->pools[i];
        GString *cells[6];
        const char *texts[6];

        for (unsigned k = 0; k < 6; k++) {
            cells[k] = g_string_new(NULL);
        }
        g_string_append_printf(cells[0], "%" PRIu64, pool->id);
        ct_text_count(cells[1], pool->items);
        ct_text_count(cells[2], pool->queued_peak);
        ct_text_count(cells[3], pool->busy_peak);
        if (result->summary.has_clock) {
            int64_t there_ns;
            ct_text_ns(text, cells[4], pool->busy_ns);
            if (__builtin_add_overflow(pool->busy_ns, pool->idle_ns,
                                       &there_ns)) {
                there_ns = INT64_MAX;
            }
            ct_text_ns(text, cells[5], there_ns);
            g_string_append(cells[5], " that workers were there");
        }
        for (unsigned k = 0; k < 6; k++) {
            texts[k] = cells[k]->str;
        }
        ct_table_row(&table, texts);
        for (unsigned k = 0; k < 6; k++) {
            g_string_free(cells[k], TRUE);
        }
    }
    ct_table_end(&table);
}

void ct_stat_contexts(struct ct_text *text, const struct ct_stat_result *result,
                      struct ct_symbols *symbols)
{
    struct ct_table table = {
        .text = *text,
        .n_columns = 6,
        .columns = {{.title = "Context", .width = 10},
                    {.title = "turns", .right = true, .width = 6},
                    {.title = "depth", .right = true},
                    {.title = "BHs", .right = true, .width = 6},
                    {.title = "busy", .right = true, .width = 9},
                    {.title = "longest callback"}},
    };

    ct_table_titles(&table);
    for (unsigned i = 0; i < result->n_contexts; i++) {
        const struct ct_stat_context *context = &result->contexts[i];
        GString *cells[6];
        const char *texts[6];
        const char *name;

        for (unsigned k = 0; k < 6; k++) {
            cells[k] = g_string_new(NULL);
        }
        if (context->name && *context->name) {
            ct_inert_append(cells[0], context->name);
        } else {
            g_string_append_printf(cells[0], "%" PRIu64, context->id);
        }
        if (context->has_turns) {
            ct_text_count(cells[1], context->polls);
            g_string_append_printf(cells[2], "%u", context->max_poll_depth);
        }
        ct_text_count(cells[3], context->bh_runs);
        if (context->has_turns && result->summary.has_clock) {
            ct_text_ns(text, cells[4], context->busy_ns);
        }
        if (context->longest_callback_fn && result->summary.has_clock) {
            ct_text_ns(text, cells[5], context->longest_callback_ns);
            name = ct_symbols_function(symbols, context->pid,
                                       context->longest_callback_fn, false);
            g_string_append(cells[5], "  ");
            ct_inert_append(cells[5], name ? name : "?");
        }
        for (unsigned k = 0; k < 6; k++) {
            texts[k] = cells[k]->str;
        }
        ct_table_row(&table, texts);
        for (unsigned k = 0; k < 6; k++) {
            g_string_free(cells[k], TRUE);
        }
    }
    ct_table_end(&table);
}
