/* SPDX-License-Identifier: MIT */
/*
 * diff.c - a comparison of two runs on a page that people read from its top
 *
 * First whether it matters, then the first thing that does, with both
 * backtraces, then how often what changed places, and what one run lacks.
 */
#include "views/diff.h"

#include <inttypes.h>

#include "out/quantity.h"
#include "views/diff_lines.h"
#include "views/frames.h"

enum {
    PAIRS_SHOWN = 8,
    ONLY_SHOWN = 8,
};

static void say_label(struct ct_page *page, const struct ct_diff_place *place)
{
    if (place->is) {
        g_autofree char *label = ct_diff_label(page->diff, place->label);
        ct_page_say(page, "%s", label);
    } else {
        ct_page_say(page, "nothing more");
    }
}

/* --- one change ---------------------------------------------------------- */

static void say_place(struct ct_page *page, const char *before,
                      const struct ct_diff_place *place)
{
    ct_page_say(page, "%s", before);
    say_label(page, place);
    ct_page_end_line(page);
}

/* "  A  first" and, if there is one, "     then second" */
static void say_side(struct ct_page *page, enum ct_diff_side side,
                     const struct ct_diff_change *change)
{
    const struct ct_diff_place *first = &change->side[side];

    ct_page_say(page, "  %c  ", "AB"[side]);
    if (change->reason == CT_DIFF_REASON_ONLY && !first->is) {
        ct_page_say(page, "has no such thing");
        ct_page_end_line(page);
        return;
    }
    say_label(page, first);
    ct_page_end_line(page);
    if (change->then[side].is) {
        say_place(page, "     then ", &change->then[side]);
    }
}

/* A coroutine that goes on in one run, and who made it do so; in the other it
 * waits. */
static void say_wakeup(struct ct_page *page,
                       const struct ct_diff_change *change)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        bool waits = side == change->waits;

        ct_page_say(page, "  %c  ", "AB"[side]);
        say_label(page, &change->side[side]);
        ct_page_end_line(page);
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
        [CT_DIFF_REASON_RESULT] = "a request ended with another result",
    };

    return titles[reason];
}

/* "succeeded", "failed with EIO" */
static void say_result(struct ct_page *page, int32_t ret)
{
    const char *name = ret > INT32_MIN ? strerrorname_np(-ret) : NULL;

    if (!ret) {
        ct_page_say(page, "succeeded");
    } else if (name) {
        ct_page_say(page, "failed with %s", name);
    } else {
        ct_page_say(page, "failed with %" PRId32, ret);
    }
}

static void explain(struct ct_page *page, const struct ct_diff_change *change)
{
    char waits = "AB"[change->waits], goes_on = "BA"[change->waits];

    switch (change->reason) {
    case CT_DIFF_REASON_CAUSE:
        ct_page_say(
            page, "  One asked for the other in one run; it came first in the "
                  "other.");
        break;
    case CT_DIFF_REASON_LOCK:
        ct_page_say(page,
                    "  They want the same lock, and another one got it first.");
        break;
    case CT_DIFF_REASON_POOL:
        ct_page_say(page,
                    "  Both runs submitted them in the same order; in one the "
                    "second overtook the first.");
        break;
    case CT_DIFF_REASON_AFTER:
        ct_page_say(
            page, "  One run waited for the end of the one before it began the "
                  "other.");
        break;
    case CT_DIFF_REASON_WORKERS:
        ct_page_say(
            page,
            "  The pool had at most %u worker%s busy in A and %u in B, and "
            "work waited for them.",
            change->workers[CT_DIFF_A],
            change->workers[CT_DIFF_A] == 1 ? "" : "s",
            change->workers[CT_DIFF_B]);
        break;
    case CT_DIFF_REASON_ONLY:
        ct_page_say(page, "  It is in %c only.",
                    change->side[CT_DIFF_A].is ? 'A' : 'B');
        break;
    case CT_DIFF_REASON_WAKEUP:
        ct_page_say(page,
                    "  What woke it in %c ran in %c, too, but did not wake it.",
                    goes_on, waits);
        break;
    case CT_DIFF_REASON_RESULT:
        ct_page_say(page, "  It ");
        say_result(page, change->ret[CT_DIFF_A]);
        ct_page_say(page, " in A and ");
        say_result(page, change->ret[CT_DIFF_B]);
        ct_page_say(page, " in B.");
        break;
    default:
        ct_page_say(page,
                    "  They do not depend on one another: that alone means "
                    "nothing.");
        break;
    }
    ct_page_end_line(page);
}

/* "  In main, as its decision 40, 14.34 ms after the start." */
static void say_where(struct ct_page *page, const struct ct_diff_change *change)
{
    const struct ct_diff_place *at =
        &change->side[change->side[CT_DIFF_A].is ? CT_DIFF_A : CT_DIFF_B];

    ct_page_say(page, "  In %s, decision %" PRIu32,
                page->result->sequences[at->sequence].name, at->position);
    if (page->result->has_clock) {
        g_string_append(page->line, ", ");
        ct_text_ns(&page->text, page->line, at->when_ns);
        g_string_append(page->line, " after the start");
    }
    g_string_append_c(page->line, '.');
    ct_page_end_line(page);
    if (change->last.is) {
        say_place(page, "  Both did last: ", &change->last);
    }
}

static bool is_same_stack(const struct ct_diff_change *change)
{
    return change->n_common == change->side[CT_DIFF_A].n_frames &&
           change->n_common == change->side[CT_DIFF_B].n_frames;
}

static void say_change(struct ct_page *page,
                       const struct ct_diff_change *change, const char *title)
{
    const char *what = title_of(change->reason);
    g_autofree char *words =
        what ? g_strdup_printf("%s: %s", title, what) : g_strdup(title);

    ct_page_heading(page, words);
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
        ct_page_say(page,
                    "  The last common ancestor of both backtraces is %s ().",
                    change->common);
        ct_page_end_line(page);
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

static void say_backtrace(struct ct_page *page, const char *title,
                          const struct ct_diff_place *place)
{
    if (has_code(place)) {
        ct_page_heading(page, title);
        ct_frames_text(&page->text, place->frames, place->n_frames,
                       place->complete);
    }
}

static void say_backtraces(struct ct_page *page,
                           const struct ct_diff_change *change)
{
    const struct ct_diff_place *a = &change->side[CT_DIFF_A];
    const struct ct_diff_place *b = &change->side[CT_DIFF_B];
    enum ct_diff_side waits = change->waits;

    if (!has_code(a) && !has_code(b)) {
        ct_out_line(page->text.out);
        ct_text_styled(&page->text, page->line, CT_DIM,
                       "No stacks of it were recorded.");
        ct_page_end_line(page);
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

static void say_verdict(struct ct_page *page)
{
    const struct ct_diff_result *result = page->result;

    if (result->exact) {
        ct_text_styled(&page->text, page->line, CT_GREEN,
                       "The runs are the same, decision by decision.");
    } else if (result->identical &&
               result->first.reason == CT_DIFF_REASON_NONE) {
        ct_text_styled(&page->text, page->line, CT_GREEN,
                       "What could be compared is the same.");
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
    ct_page_end_line(page);
    if (result->bound) {
        ct_page_say(
            page, "They have so little in common that the search for pairs was "
                  "cut short: there may be fewer.");
        ct_page_end_line(page);
    }
    if (result->unknown) {
        uint64_t all =
            result->decisions[CT_DIFF_A] + result->decisions[CT_DIFF_B];
        ct_page_say(
            page,
            "%" PRIu64 " of %" PRIu64
            " decisions, beside lost events or outside of the part that was "
            "read, were not compared%s.",
            result->unknown, all,
            result->unknown > all / 4 ? ", so many that it says little" : "");
        ct_page_end_line(page);
    }
}

static void say_runs(struct ct_page *page, const char *const names[])
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const char *program = ct_diff_program(page->diff, side, 0);

        ct_page_say(page, "%c  %s, ", "AB"[side], names[side]);
        if (program) {
            ct_page_say(page, "a run of %s%s, ", program,
                        ct_diff_program(page->diff, side, 1) ? " and others"
                                                             : "");
        }
        ct_text_count(page->line, page->result->decisions[side]);
        ct_page_say(page, " decisions%s",
                    page->result->complete[side] ? "" : ", damaged");
        ct_page_end_line(page);
    }
}

static void say_pairs(struct ct_page *page)
{
    const struct ct_diff_result *result = page->result;

    if (!result->n_pairs) {
        return;
    }
    ct_page_heading(page, "Changed places");
    for (unsigned i = 0; i < MIN(result->n_pairs, PAIRS_SHOWN); i++) {
        const struct ct_diff_pair *pair = &result->pairs[i];

        ct_page_say(page, "  %6" PRIu64 "  %s", pair->count, pair->first);
        if (pair->real) {
            ct_text_styled(&page->text, page->line, CT_RED, "  (real: ");
            ct_text_styled(&page->text, page->line, CT_RED,
                           ct_diff_reason_word(pair->reason));
            ct_text_styled(&page->text, page->line, CT_RED, ")");
        }
        ct_page_end_line(page);
        if (g_strcmp0(pair->first, pair->then) != 0) {
            ct_page_say(page, "          and %s", pair->then);
            ct_page_end_line(page);
        }
    }
    if (result->n_pairs > PAIRS_SHOWN) {
        ct_page_say(page, "  and %u more pairs", result->n_pairs - PAIRS_SHOWN);
        ct_page_end_line(page);
    }
}

/* Those that are real, or those that are not. */
static void say_kinds(struct ct_page *page, enum ct_diff_side side,
                      bool is_real, const char *title)
{
    const struct ct_diff_result *result = page->result;
    unsigned n = 0;

    for (unsigned i = 0; i < result->n_only[side]; i++) {
        const struct ct_diff_only *only = &result->only[side][i];

        if (only->real != is_real || n++ >= ONLY_SHOWN) {
            continue;
        }
        if (n == 1) {
            ct_page_heading(page, title);
        }
        ct_page_say(page, "  %6" PRIu64 "  %s", only->count,
                    only->count == 1 ? only->label : only->group);
        ct_page_end_line(page);
    }
    if (n > ONLY_SHOWN) {
        ct_page_say(page, "  and %u more kinds", n - ONLY_SHOWN);
        ct_page_end_line(page);
    }
}

static void say_only(struct ct_page *page)
{
    say_kinds(page, CT_DIFF_A, true, "Only in A");
    say_kinds(page, CT_DIFF_B, true, "Only in B");
    say_kinds(page, CT_DIFF_A, false, "More often in A, which may be timing");
    say_kinds(page, CT_DIFF_B, false, "More often in B, which may be timing");
}

void ct_view_diff_text(struct ct_out *out, const struct ct_diff *diff,
                       const char *name_a, const char *name_b)
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    const char *const names[] = {name_a, name_b};
    struct ct_page page = {.diff = diff, .result = result};

    ct_page_init(&page, out);
    say_runs(&page, names);
    say_verdict(&page);
    if (!result->identical) {
        say_change(&page, &result->first_real, "First real difference");
        say_backtraces(&page, &result->first_real);
    } else if (result->first.reason != CT_DIFF_REASON_NONE) {
        say_change(&page, &result->first, "First change of order");
    }
    say_pairs(&page);
    say_only(&page);
    ct_page_times(&page);
    ct_page_fini(&page);
}
