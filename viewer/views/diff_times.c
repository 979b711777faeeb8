/* SPDX-License-Identifier: MIT */
/*
 * diff_times.c - what took longer in one of two runs, and what explains most
 */
#include <inttypes.h>

#include "out/quantity.h"
#include "views/diff_lines.h"

enum { SHOWN = 8 };

/* "  594 ns -> 4.145 ms  bottom half refresh" */
static void say_times(struct ct_page *page,
                      const struct ct_diff_latency *latency, const char *prefix,
                      const int64_t ns[])
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
    ct_page_say(page, "  %s%s%s%s", prefix,
                latency->has_state ? ct_state_word(latency->state) : "",
                latency->has_state ? " of " : "", latency->label);
    ct_page_end_line(page);
    g_string_free(was, TRUE);
    g_string_free(is, TRUE);
}

static void say_figures(struct ct_page *page,
                        const struct ct_diff_latency *latency, bool is_longest)
{
    const struct ct_diff_times *a = &latency->times[CT_DIFF_A];
    const struct ct_diff_times *b = &latency->times[CT_DIFF_B];

    ct_text_ns(&page->text, page->line, is_longest ? b->p99_ns : b->mean_ns);
    ct_page_say(page, " instead of ");
    ct_text_ns(&page->text, page->line, is_longest ? a->p99_ns : a->mean_ns);
    ct_page_say(page, " %s, %" PRIu64 " times in A and %" PRIu64 " in B.",
                is_longest ? "at the 99th percentile" : "on average", a->n,
                b->n);
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
static void say_cause(struct ct_page *page)
{
    const struct ct_diff_result *result = page->result;
    const struct ct_diff_latency *cause = result->cause;
    static const char *const headings[] = {
        [CT_DIFF_CAUSE_OF_REQUESTS] = "What explains most of it",
        [CT_DIFF_CAUSE_OF_LONGEST] = "What explains most of the longest",
        [CT_DIFF_CAUSE_OF_ITSELF] = "What changed most",
    };

    ct_page_heading(page, headings[result->cause_of]);
    if (cause->has_state) {
        ct_page_say(page, "  Requests %s %s for ", cause->label,
                    state_phrase(cause->state));
    } else {
        ct_page_say(page, "  The %s took ", cause->label);
    }
    say_figures(page, cause, result->cause_of == CT_DIFF_CAUSE_OF_LONGEST);
    if (!cause->has_state && !cause->is_work && cause->z_milli > 0 &&
        waits_for_loop(result)) {
        ct_page_say(page, " Requests waited while it ran.");
    }
    if (cause->has_state && cause->state == CT_STATE_WORK_QUEUED &&
        result->first_real.reason == CT_DIFF_REASON_WORKERS) {
        ct_page_say(page,
                    " Another number of workers took them, as told above.");
    }
    ct_page_end_line(page);
}

/* One or two lines: what is sure to be another. */
static unsigned say_sure(struct ct_page *page,
                         const struct ct_diff_latency *latency, unsigned n)
{
    const struct ct_diff_times *a = &latency->times[CT_DIFF_A];
    const struct ct_diff_times *b = &latency->times[CT_DIFF_B];
    bool is_class = latency->is_request && !latency->has_state;
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
        /* where all take longer, so do the longest; of a part of a request the
         * mean says enough */
        {latency->sure_p99 && !latency->sure &&
             (is_class || !latency->sure_mean),
         "p99 of ",
         {a->p99_ns, b->p99_ns}},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        if (lines[i].is && !n++) {
            ct_page_heading(page,
                            "Took longer or less in B, on average, more than "
                            "chance explains");
        }
        if (lines[i].is && n <= SHOWN) {
            say_times(page, latency, lines[i].prefix, lines[i].ns);
        }
    }
    return n;
}

void ct_page_times(struct ct_page *page)
{
    const struct ct_diff_result *result = page->result;
    unsigned n = 0, n_bound = 0;

    for (unsigned i = 0; i < result->n_latency; i++) {
        n = say_sure(page, &result->latency[i], n);
        n_bound += result->latency[i].bound;
    }
    if (n > SHOWN) {
        ct_page_say(page, "  and %u more", n - SHOWN);
        ct_page_end_line(page);
    }
    if (n_bound) {
        ct_page_say(page,
                    "Of %u thing%s the tests were cut short: more of their "
                    "times may have changed.",
                    n_bound, n_bound == 1 ? "" : "s");
        ct_page_end_line(page);
    }
    if (result->cause) {
        say_cause(page);
    }
}
