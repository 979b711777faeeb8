/* SPDX-License-Identifier: MIT */
/*
 * diff.c - a comparison of two runs on a page that people read from its top
 *
 * First whether it matters, then the first thing that does, with both
 * backtraces, then how often what changed places, and what one run lacks.
 */
#include "views/diff.h"

#include <inttypes.h>
#include <string.h>

#include "out/inert.h"
#include "out/terminal.h"
#include "views/frames.h"

enum {
    COLUMNS = 80, /* of paragraphs, wherever they go */
    HANG = 5,     /* what is left of the second line of one */
    PAIRS_SHOWN = 8,
    ONLY_SHOWN = 8,
    LATENCY_SHOWN = 8,
};

struct page {
    struct ct_text text;
    GString *line;
    const struct ct_diff *diff;
    const struct ct_diff_result *result;
};

__attribute__((format(printf, 2, 3))) static void say(struct page *page,
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *words = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    ct_inert_append(page->line, words);
}

/* The last blank that keeps the line in its columns; 0: there is none. */
static size_t break_at(const struct page *page, unsigned columns)
{
    const char *text = page->line->str;
    size_t best = 0;
    size_t start = strspn(text, " ");

    for (size_t i = start; text[i]; i++) {
        if (text[i] != ' ') {
            continue;
        }
        g_autofree char *before = g_strndup(text, i);
        if (ct_text_width(before) > columns) {
            break;
        }
        best = i;
    }
    return best;
}

/* A line, or as many as it takes. */
static void end_line(struct page *page)
{
    unsigned columns =
        page->text.columns > 2 * HANG ? page->text.columns : COLUMNS;
    size_t at;

    columns = MIN(columns, COLUMNS);
    while (ct_text_width(page->line->str) > columns &&
           (at = break_at(page, columns)) > 0) {
        g_autofree char *rest = g_strdup(page->line->str + at + 1);
        g_string_truncate(page->line, at);
        ct_text_line(&page->text, page->line);
        g_string_append_printf(page->line, "%*s%s", HANG, "", rest);
    }
    ct_text_line(&page->text, page->line);
}

static void heading(struct page *page, const char *words)
{
    ct_out_line(page->text.out);
    ct_text_styled(&page->text, page->line, CT_BOLD, words);
    end_line(page);
}

static void say_label(struct page *page, const struct ct_diff_place *place)
{
    if (place->is) {
        g_autofree char *label = ct_diff_label(page->diff, place->label);
        say(page, "%s", label);
    } else {
        say(page, "nothing more");
    }
}

/* --- one change ---------------------------------------------------------- */

/* "  A  first" and, if there is one, "     then second" */
static void say_side(struct page *page, enum ct_diff_side side,
                     const struct ct_diff_change *change)
{
    const struct ct_diff_place *first = &change->side[side];
    const struct ct_diff_place *then = &change->then[side];

    say(page, "  %c  ", "AB"[side]);
    if (change->reason == CT_DIFF_REASON_ONLY && !first->is) {
        say(page, "has no such thing");
    } else {
        say_label(page, first);
    }
    end_line(page);
    if (then->is) {
        say(page, "     then ");
        say_label(page, then);
        end_line(page);
    }
}

static void explain(struct page *page, const struct ct_diff_change *change)
{
    const char *in = change->side[CT_DIFF_A].is ? "A" : "B";

    switch (change->reason) {
    case CT_DIFF_REASON_CAUSE:
        say(page, "  One asked for the other in one run; it came first in the "
                  "other.");
        break;
    case CT_DIFF_REASON_LOCK:
        say(page, "  They want the same lock, and another one got it first.");
        break;
    case CT_DIFF_REASON_POOL:
        say(page, "  Both runs submitted them in the same order; in one the "
                  "second overtook the first.");
        break;
    case CT_DIFF_REASON_AFTER:
        say(page, "  One run waited for the end of the one before it began the "
                  "other.");
        break;
    case CT_DIFF_REASON_WORKERS:
        say(page,
            "  The pool had at most %u worker%s busy in A and %u in B, and "
            "work waited for them.",
            change->workers[CT_DIFF_A],
            change->workers[CT_DIFF_A] == 1 ? "" : "s",
            change->workers[CT_DIFF_B]);
        break;
    case CT_DIFF_REASON_ONLY:
        say(page, "  It is in %s only.", in);
        break;
    default:
        say(page, "  They do not depend on one another: that alone means "
                  "nothing.");
        break;
    }
    end_line(page);
}

static void say_change(struct page *page, const struct ct_diff_change *change,
                       const char *title)
{
    const struct ct_diff_place *at =
        &change->side[change->side[CT_DIFF_A].is ? CT_DIFF_A : CT_DIFF_B];
    const struct ct_diff_sequence *sequence =
        &page->result->sequences[at->sequence];
    GString *words = g_string_new(NULL);

    g_string_append_printf(words, "%s, in ", title);
    ct_inert_append(words, sequence->name);
    g_string_append_printf(words, " at %" PRIu32, at->position);
    if (page->result->has_clock) {
        g_string_append(words, ", ");
        ct_text_ns(&page->text, words, at->when_ns);
        g_string_append(words, " after the start");
    }
    heading(page, words->str);
    g_string_free(words, TRUE);

    say_side(page, CT_DIFF_A, change);
    say_side(page, CT_DIFF_B, change);
    explain(page, change);
    if (change->last.is) {
        say(page, "  Both did last: ");
        say_label(page, &change->last);
        end_line(page);
    }
    if (change->common) {
        say(page, "  Both come from %s (), %u frames from the outside.",
            change->common, change->n_common);
        end_line(page);
    }
}

static void say_backtraces(struct page *page,
                           const struct ct_diff_change *change)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_diff_place *place = &change->side[side];
        if (!place->n_frames) {
            continue;
        }
        heading(page, side == CT_DIFF_A ? "Backtrace in A" : "Backtrace in B");
        ct_frames_text(&page->text, place->frames, place->n_frames,
                       place->complete);
    }
}

/* --- the rest ------------------------------------------------------------ */

static void say_verdict(struct page *page)
{
    const struct ct_diff_result *result = page->result;

    if (result->exact) {
        ct_text_styled(&page->text, page->line, CT_GREEN,
                       "The runs are the same, decision by decision.");
    } else if (result->identical) {
        ct_text_styled(&page->text, page->line, CT_GREEN,
                       "No real difference: what changed places does not "
                       "depend on one another.");
    } else {
        g_autofree char *words =
            g_strdup_printf("%" PRIu64 " real difference%s.", result->real,
                            result->real == 1 ? "" : "s");
        ct_text_styled(&page->text, page->line, CT_RED, words);
    }
    end_line(page);
    if (result->bound) {
        say(page, "They have so little in common that the search for pairs was "
                  "cut short: there may be fewer.");
        end_line(page);
    }
    if (result->unknown) {
        uint64_t all =
            result->decisions[CT_DIFF_A] + result->decisions[CT_DIFF_B];
        say(page,
            "%" PRIu64 " decisions beside lost events were not compared%s.",
            result->unknown,
            result->unknown > all / 4 ? ", so many that it says little" : "");
        end_line(page);
    }
}

static void say_runs(struct page *page, const char *const names[])
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        say(page, "%c  %s, ", "AB"[side], names[side]);
        ct_text_count(page->line, page->result->decisions[side]);
        say(page, " decisions%s",
            page->result->complete[side] ? "" : ", damaged");
        end_line(page);
    }
}

static void say_pairs(struct page *page)
{
    const struct ct_diff_result *result = page->result;

    if (!result->n_pairs) {
        return;
    }
    heading(page, "Changed places");
    for (unsigned i = 0; i < MIN(result->n_pairs, PAIRS_SHOWN); i++) {
        const struct ct_diff_pair *pair = &result->pairs[i];

        say(page, "  %6" PRIu64 "  %s", pair->count, pair->first);
        if (pair->real) {
            ct_text_styled(&page->text, page->line, CT_RED, "  (real: ");
            ct_text_styled(&page->text, page->line, CT_RED,
                           ct_diff_reason_word(pair->reason));
            ct_text_styled(&page->text, page->line, CT_RED, ")");
        }
        end_line(page);
        if (g_strcmp0(pair->first, pair->then) != 0) {
            say(page, "          and %s", pair->then);
            end_line(page);
        }
    }
    if (result->n_pairs > PAIRS_SHOWN) {
        say(page, "  and %u more pairs", result->n_pairs - PAIRS_SHOWN);
        end_line(page);
    }
}

static void say_only(struct page *page, enum ct_diff_side side)
{
    const struct ct_diff_result *result = page->result;
    unsigned shown = MIN(result->n_only[side], ONLY_SHOWN);

    if (!shown) {
        return;
    }
    heading(page, side == CT_DIFF_A ? "Only in A" : "Only in B");
    for (unsigned i = 0; i < shown; i++) {
        const struct ct_diff_only *only = &result->only[side][i];

        say(page, "  %6" PRIu64 "  %s", only->count,
            only->count == 1 ? only->label : only->group);
        if (!only->real) {
            ct_text_styled(&page->text, page->line, CT_DIM,
                           "  (how often is a matter of timing)");
        }
        end_line(page);
    }
    if (result->n_only[side] > shown) {
        say(page, "  and %u more kinds", result->n_only[side] - shown);
        end_line(page);
    }
}

/* "  594 ns -> 4.145 ms  bottom half refresh, 24 times in A and 24 in B" */
static void say_times(struct page *page, const struct ct_diff_latency *latency)
{
    const struct ct_diff_times *times = latency->times;
    GString *was = g_string_new(NULL);
    GString *is = g_string_new(NULL);

    ct_text_ns(&page->text, was, times[CT_DIFF_A].mean_ns);
    ct_text_ns(&page->text, is, times[CT_DIFF_B].mean_ns);
    for (unsigned width = ct_text_width(was->str); width < 10; width++) {
        g_string_append_c(page->line, ' ');
    }
    g_string_append_printf(page->line, "%s -> %s", was->str, is->str);
    for (unsigned width = ct_text_width(is->str); width < 9; width++) {
        g_string_append_c(page->line, ' ');
    }
    say(page, "  %s%s%s",
        latency->has_state ? ct_state_word(latency->state) : "",
        latency->has_state ? " of " : "", latency->label);
    end_line(page);
    g_string_free(was, TRUE);
    g_string_free(is, TRUE);
}

static void say_mean(struct page *page, const struct ct_diff_latency *latency)
{
    const struct ct_diff_times *times = latency->times;

    ct_text_ns(&page->text, page->line, times[CT_DIFF_B].mean_ns);
    say(page, " instead of ");
    ct_text_ns(&page->text, page->line, times[CT_DIFF_A].mean_ns);
    say(page, " on average, %" PRIu64 " times in A and %" PRIu64 " in B.",
        times[CT_DIFF_A].n, times[CT_DIFF_B].n);
}

/* What a request does in that state, as the end of a sentence. */
static const char *state_phrase(enum ct_state state)
{
    static const char *const phrases[CT_STATES] = {
        [CT_STATE_RUNNING] = "ran on a loop",
        [CT_STATE_RUNNABLE] = "could have run, and nobody entered them,",
        [CT_STATE_WORK_QUEUED] = "waited for a worker",
        [CT_STATE_WORK_RUNNING] = "ran in a worker",
        [CT_STATE_WORK_DONE] = "were done, and waited for their loop,",
        [CT_STATE_WORK] = "were with the workers",
        [CT_STATE_IO] = "waited for the kernel",
        [CT_STATE_LOCK] = "waited for a lock",
        [CT_STATE_TIMER] = "slept",
        [CT_STATE_CHILDREN] = "waited for others that they had started",
        [CT_STATE_COMPLETING] = "were about to end",
        [CT_STATE_QUEUE] = "waited in a queue",
        [CT_STATE_UNKNOWN] = "did what was not recorded",
    };

    return phrases[state];
}

/* The one that explains most, as a sentence. */
static void say_cause(struct page *page)
{
    const struct ct_diff_result *result = page->result;
    const struct ct_diff_latency *cause = result->cause;

    heading(page, "What explains most of it");
    if (cause->has_state) {
        say(page, "  Requests %s %s for ", cause->label,
            state_phrase(cause->state));
    } else {
        say(page, "  The %s took ", cause->label);
    }
    say_mean(page, cause);
    if (!cause->has_state && cause->z_milli > 0) {
        say(page, " Requests waited while it ran.");
    }
    if (cause->has_state && cause->state == CT_STATE_WORK_QUEUED &&
        result->first_real.reason == CT_DIFF_REASON_WORKERS) {
        say(page, " Another number of workers took them, as told above.");
    }
    end_line(page);
}

static void say_latency(struct page *page)
{
    const struct ct_diff_result *result = page->result;
    unsigned n = 0, n_sure = 0;

    for (unsigned i = 0; i < result->n_latency; i++) {
        n_sure += result->latency[i].sure;
    }
    for (unsigned i = 0; i < result->n_latency && n < LATENCY_SHOWN; i++) {
        if (result->latency[i].sure) {
            if (!n++) {
                heading(page, "Took longer or less in B, on average, more than "
                              "chance explains");
            }
            say_times(page, &result->latency[i]);
        }
    }
    if (n_sure > n) {
        say(page, "  and %u more", n_sure - n);
        end_line(page);
    }
    if (result->cause) {
        say_cause(page);
    }
}

void ct_view_diff_text(struct ct_out *out, const struct ct_diff *diff,
                       const char *name_a, const char *name_b)
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    const char *const names[] = {name_a, name_b};
    struct page page = {
        .line = g_string_new(NULL), .diff = diff, .result = result};

    ct_text_init(&page.text, out);
    say_runs(&page, names);
    say_verdict(&page);
    if (!result->identical) {
        say_change(&page, &result->first_real, "First real difference");
        say_backtraces(&page, &result->first_real);
    } else if (!result->exact) {
        say_change(&page, &result->first, "First change of order");
    }
    say_pairs(&page);
    say_only(&page, CT_DIFF_A);
    say_only(&page, CT_DIFF_B);
    say_latency(&page);
    g_string_free(page.line, TRUE);
}
