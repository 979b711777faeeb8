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
#include "out/quantity.h"
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
    size_t at;

    while (ct_text_width(page->line->str) > page->text.columns &&
           (at = break_at(page, page->text.columns)) > 0) {
        g_autofree char *rest = g_strdup(page->line->str + at + 1);
        while (at > 0 && page->line->str[at - 1] == ' ') {
            at--;
        }
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

static void say_place(struct page *page, const char *before,
                      const struct ct_diff_place *place)
{
    say(page, "%s", before);
    say_label(page, place);
    end_line(page);
}

/* "  A  first" and, if there is one, "     then second" */
static void say_side(struct page *page, enum ct_diff_side side,
                     const struct ct_diff_change *change)
{
    const struct ct_diff_place *first = &change->side[side];

    say(page, "  %c  ", "AB"[side]);
    if (change->reason == CT_DIFF_REASON_ONLY && !first->is) {
        say(page, "has no such thing");
        end_line(page);
        return;
    }
    say_label(page, first);
    end_line(page);
    if (change->then[side].is) {
        say_place(page, "     then ", &change->then[side]);
    }
}

/* A coroutine that goes on in one run, and who made it do so; in the other it
 * waits. */
static void say_wakeup(struct page *page, const struct ct_diff_change *change)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        bool waits = side == change->waits;

        say(page, "  %c  ", "AB"[side]);
        say_label(page, &change->side[side]);
        end_line(page);
        say_place(page,
                  waits ? "     then it waits to the end; not woken by "
                        : "     woken by ",
                  &change->waker[side]);
    }
}

static const char *title_of(enum ct_diff_reason reason)
{
    static const char *const titles[CT_DIFF_REASONS] = {
        [CT_DIFF_REASON_CAUSE] = "a cause came after what it had caused",
        [CT_DIFF_REASON_LOCK] = "a lock was won by another",
        [CT_DIFF_REASON_POOL] = "one overtook another in a pool's queue",
        [CT_DIFF_REASON_AFTER] = "one began without waiting for the other",
        [CT_DIFF_REASON_WORKERS] = "a pool had another number of workers",
        [CT_DIFF_REASON_ONLY] = "only one of the runs did this",
        [CT_DIFF_REASON_WAKEUP] = "a wake-up was lost",
    };

    return titles[reason];
}

static void explain(struct page *page, const struct ct_diff_change *change)
{
    char waits = "AB"[change->waits], goes_on = "BA"[change->waits];

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
        say(page, "  It is in %c only.",
            change->side[CT_DIFF_A].is ? 'A' : 'B');
        break;
    case CT_DIFF_REASON_WAKEUP:
        say(page, "  What woke it in %c ran in %c, too, but did not wake it.",
            goes_on, waits);
        break;
    default:
        say(page, "  They do not depend on one another: that alone means "
                  "nothing.");
        break;
    }
    end_line(page);
}

/* "  In main, as its decision 40, 14.34 ms after the start." */
static void say_where(struct page *page, const struct ct_diff_change *change)
{
    const struct ct_diff_place *at =
        &change->side[change->side[CT_DIFF_A].is ? CT_DIFF_A : CT_DIFF_B];

    say(page, "  In %s, decision %" PRIu32,
        page->result->sequences[at->sequence].name, at->position);
    if (page->result->has_clock) {
        g_string_append(page->line, ", ");
        ct_text_ns(&page->text, page->line, at->when_ns);
        g_string_append(page->line, " after the start");
    }
    g_string_append_c(page->line, '.');
    end_line(page);
    if (change->last.is) {
        say_place(page, "  Both did last: ", &change->last);
    }
}

static bool is_same_stack(const struct ct_diff_change *change)
{
    return change->n_common == change->side[CT_DIFF_A].n_frames &&
           change->n_common == change->side[CT_DIFF_B].n_frames;
}

static void say_change(struct page *page, const struct ct_diff_change *change,
                       const char *title)
{
    const char *what = title_of(change->reason);
    g_autofree char *words =
        what ? g_strdup_printf("%s: %s", title, what) : g_strdup(title);

    heading(page, words);
    if (change->reason == CT_DIFF_REASON_WAKEUP) {
        say_wakeup(page, change);
    } else {
        say_side(page, CT_DIFF_A, change);
        say_side(page, CT_DIFF_B, change);
    }
    explain(page, change);
    say_where(page, change);
    if (change->common && change->reason != CT_DIFF_REASON_WAKEUP &&
        !is_same_stack(change)) {
        say(page, "  The last common ancestor of both backtraces is %s ().",
            change->common);
        end_line(page);
    }
}

static bool has_code(const struct ct_diff_place *place)
{
    for (unsigned i = 0; i < place->n_frames; i++) {
        if (place->frames[i].boundary == CT_BOUNDARY_NONE) {
            return true;
        }
    }
    return false;
}

static void say_backtrace(struct page *page, const char *title,
                          const struct ct_diff_place *place)
{
    if (has_code(place)) {
        heading(page, title);
        ct_frames_text(&page->text, place->frames, place->n_frames,
                       place->complete);
    }
}

static void say_backtraces(struct page *page,
                           const struct ct_diff_change *change)
{
    const struct ct_diff_place *a = &change->side[CT_DIFF_A];
    const struct ct_diff_place *b = &change->side[CT_DIFF_B];
    enum ct_diff_side waits = change->waits;

    if (!has_code(a) && !has_code(b)) {
        ct_out_line(page->text.out);
        ct_text_styled(&page->text, page->line, CT_DIM,
                       "No stacks of it were recorded.");
        end_line(page);
    } else if (change->reason == CT_DIFF_REASON_WAKEUP) {
        const struct ct_diff_place *waker =
            &change->waker[ct_diff_other(waits)];
        say_backtrace(page,
                      waits == CT_DIFF_A ? "Where it waits in A"
                                         : "Where it waits in B",
                      &change->side[waits]);
        say_backtrace(page,
                      waits == CT_DIFF_A ? "What woke it in B"
                                         : "What woke it in A",
                      waker);
    } else if (is_same_stack(change)) {
        say_backtrace(page, "Backtrace, the same in both", a);
    } else {
        say_backtrace(page, "Backtrace in A", a);
        say_backtrace(page, "Backtrace in B", b);
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
        const char *program = ct_diff_program(page->diff, side, 0);

        say(page, "%c  %s, ", "AB"[side], names[side]);
        if (program) {
            say(page, "a run of %s%s, ", program,
                ct_diff_program(page->diff, side, 1) ? " and others" : "");
        }
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

/* Those that are real, or those that are not. */
static void say_kinds(struct page *page, enum ct_diff_side side, bool is_real,
                      const char *title)
{
    const struct ct_diff_result *result = page->result;
    unsigned n = 0;

    for (unsigned i = 0; i < result->n_only[side]; i++) {
        const struct ct_diff_only *only = &result->only[side][i];

        if (only->real != is_real || n++ >= ONLY_SHOWN) {
            continue;
        }
        if (n == 1) {
            heading(page, title);
        }
        say(page, "  %6" PRIu64 "  %s", only->count,
            only->count == 1 ? only->label : only->group);
        end_line(page);
    }
    if (n > ONLY_SHOWN) {
        say(page, "  and %u more kinds", n - ONLY_SHOWN);
        end_line(page);
    }
}

static void say_only(struct page *page)
{
    say_kinds(page, CT_DIFF_A, true, "Only in A");
    say_kinds(page, CT_DIFF_B, true, "Only in B");
    say_kinds(page, CT_DIFF_A, false, "More often in A, by timing alone");
    say_kinds(page, CT_DIFF_B, false, "More often in B, by timing alone");
}

/* "  594 ns -> 4.145 ms  bottom half refresh" */
static void say_times(struct page *page, const struct ct_diff_latency *latency,
                      const char *prefix, const int64_t ns[])
{
    GString *was = g_string_new(NULL);
    GString *is = g_string_new(NULL);

    ct_text_ns(&page->text, was, ns[CT_DIFF_A]);
    ct_text_ns(&page->text, is, ns[CT_DIFF_B]);
    for (unsigned width = ct_text_width(was->str); width < 10; width++) {
        g_string_append_c(page->line, ' ');
    }
    g_string_append_printf(page->line, "%s -> %s", was->str, is->str);
    for (unsigned width = ct_text_width(is->str); width < 9; width++) {
        g_string_append_c(page->line, ' ');
    }
    say(page, "  %s%s%s%s", prefix,
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

/* Requests could go on and nobody entered them, for longer than in A. */
static bool waits_for_loop(const struct ct_diff_result *result)
{
    for (unsigned i = 0; i < result->n_latency; i++) {
        const struct ct_diff_latency *one = &result->latency[i];
        if (one->has_state && (one->sure || one->sure_mean) &&
            (one->state == CT_STATE_RUNNABLE ||
             one->state == CT_STATE_WORK_DONE) &&
            one->times[CT_DIFF_B].mean_ns > one->times[CT_DIFF_A].mean_ns) {
            return true;
        }
    }
    return false;
}

/* The one that explains most, as a sentence. */
static void say_cause(struct page *page)
{
    const struct ct_diff_result *result = page->result;
    const struct ct_diff_latency *cause = result->cause;

    heading(page, result->requests_changed ? "What explains most of it"
                                           : "What changed most");
    if (cause->has_state) {
        say(page, "  Requests %s %s for ", cause->label,
            state_phrase(cause->state));
    } else {
        say(page, "  The %s took ", cause->label);
    }
    say_mean(page, cause);
    if (!cause->has_state && !cause->is_work && cause->z_milli > 0 &&
        waits_for_loop(result)) {
        say(page, " Requests waited while it ran.");
    }
    if (cause->has_state && cause->state == CT_STATE_WORK_QUEUED &&
        result->first_real.reason == CT_DIFF_REASON_WORKERS) {
        say(page, " Another number of workers took them, as told above.");
    }
    end_line(page);
}

/* One or two lines: what is sure to be another. */
static unsigned say_sure(struct page *page,
                         const struct ct_diff_latency *latency, unsigned n)
{
    const struct ct_diff_times *a = &latency->times[CT_DIFF_A];
    const struct ct_diff_times *b = &latency->times[CT_DIFF_B];
    /* the rank test may say the other way than the figure */
    bool has_p50 =
        latency->z_milli > 0 ? b->p50_ns > a->p50_ns : b->p50_ns < a->p50_ns;
    const struct {
        bool is;
        const char *prefix;
        int64_t ns[CT_DIFF_SIDES];
    } lines[] = {
        {latency->sure_mean || (latency->sure && !has_p50),
         "",
         {a->mean_ns, b->mean_ns}},
        {latency->sure && !latency->sure_mean && has_p50,
         "p50 of ",
         {a->p50_ns, b->p50_ns}},
        /* where all take longer, so do the longest */
        {latency->sure_p99 && !latency->sure,
         "p99 of ",
         {a->p99_ns, b->p99_ns}},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        if (lines[i].is && !n++) {
            heading(page, "Took longer or less in B, on average, more than "
                          "chance explains");
        }
        if (lines[i].is && n <= LATENCY_SHOWN) {
            say_times(page, latency, lines[i].prefix, lines[i].ns);
        }
    }
    return n;
}

static void say_latency(struct page *page)
{
    const struct ct_diff_result *result = page->result;
    unsigned n = 0;

    for (unsigned i = 0; i < result->n_latency; i++) {
        n = say_sure(page, &result->latency[i], n);
    }
    if (n > LATENCY_SHOWN) {
        say(page, "  and %u more", n - LATENCY_SHOWN);
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
    if (page.text.columns <= 2 * HANG || page.text.columns > COLUMNS) {
        page.text.columns = COLUMNS;
    }
    say_runs(&page, names);
    say_verdict(&page);
    if (!result->identical) {
        say_change(&page, &result->first_real, "First real difference");
        say_backtraces(&page, &result->first_real);
    } else if (!result->exact) {
        say_change(&page, &result->first, "First change of order");
    }
    say_pairs(&page);
    say_only(&page);
    say_latency(&page);
    g_string_free(page.line, TRUE);
}
