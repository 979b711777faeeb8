/* SPDX-License-Identifier: MIT */
/*
 * gate.c - what of a comparison makes a script stop, and why
 */
#include "commands/gate.h"

#include <inttypes.h>
#include <string.h>

static const char *const time_words[CT_GATE_TIMES] = {
    [CT_GATE_P50] = "p50",
    [CT_GATE_P99] = "p99",
    [CT_GATE_MEAN] = "mean",
};

/* "p99:+10%" */
static bool parse_time(struct ct_gate *gate, const char *word)
{
    for (unsigned i = 0; i < CT_GATE_TIMES; i++) {
        size_t length = strlen(time_words[i]);
        const char *number = word + length + 2;
        char *end = NULL;
        if (strncmp(word, time_words[i], length) ||
            !g_str_has_prefix(word + length, ":+") ||
            !g_ascii_isdigit(*number)) {
            continue;
        }
        gate->percent[i] = g_ascii_strtoull(number, &end, 10);
        gate->times[i] = true;
        return !strcmp(end, "%") && gate->percent[i] <= 1000000;
    }
    return false;
}

bool ct_gate_parse(struct ct_gate *gate, const char *list)
{
    g_auto(GStrv) words = g_strsplit(list, ",", -1);

    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(words[i], "order")) {
            gate->order = true;
        } else if (!strcmp(words[i], "missing")) {
            gate->missing = true;
        } else if (!strcmp(words[i], "result")) {
            gate->result = true;
        } else if (!strcmp(words[i], "findings")) {
            gate->findings = true;
        } else if (!parse_time(gate, words[i])) {
            return false;
        }
    }
    gate->is_set = true;
    return words[0] != NULL;
}

/* --- findings --------------------------------------------------------- */

static bool has_text(const GPtrArray *texts, const char *wanted)
{
    for (unsigned i = 0; i < texts->len; i++) {
        if (!strcmp(g_ptr_array_index(texts, i), wanted)) {
            return true;
        }
    }
    return false;
}

void ct_gate_findings(const struct ct_findings_result *result,
                      GPtrArray *findings)
{
    for (unsigned i = 0; result && i < result->n; i++) {
        const struct ct_finding *finding = &result->v[i];
        char *text = g_strdup_printf("%s%s%s", ct_finding_word(finding->kind),
                                     finding->function ? " " : "",
                                     finding->function ?: "");
        if (has_text(findings, text)) {
            g_free(text);
        } else {
            g_ptr_array_add(findings, text);
        }
    }
}

static void judge_findings(GString *why, GPtrArray *const findings[])
{
    unsigned n = 0;

    for (unsigned i = 0; i < findings[CT_DIFF_B]->len; i++) {
        const char *text = g_ptr_array_index(findings[CT_DIFF_B], i);
        if (!has_text(findings[CT_DIFF_A], text)) {
            g_string_append_printf(why, "%s%s", n++ ? ", " : "; findings: new ",
                                   text);
        }
    }
}

/* --- order, what is missing, times ------------------------------------ */

static uint64_t count_only(const struct ct_diff_result *result,
                           const char **ret_first)
{
    uint64_t n = 0;

    *ret_first = NULL;
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        for (unsigned i = 0; i < result->n_only[side]; i++) {
            const struct ct_diff_only *only = &result->only[side][i];
            if (only->real) {
                n += only->count;
                *ret_first = *ret_first ? *ret_first : only->label;
            }
        }
    }
    return n;
}

static void judge_missing(GString *why, const struct ct_diff_result *result)
{
    const char *first;
    uint64_t n = count_only(result, &first);

    if (n) {
        g_string_append_printf(why,
                               "; missing: %" PRIu64 " in one run only, "
                               "first %s",
                               n, first);
    }
}

static void judge_result(GString *why, const struct ct_diff *diff)
{
    uint64_t n = 0;
    g_autofree char *label = NULL;

    for (uint64_t i = 0; i < ct_diff_result(diff)->real; i++) {
        struct ct_diff_real real;
        struct ct_diff_item item;
        ct_diff_real(diff, i, &real);
        if (real.reason == CT_DIFF_REASON_RESULT && n++ == 0) {
            ct_diff_item(diff, CT_DIFF_A, real.first[CT_DIFF_A], &item);
            label = ct_diff_label(diff, item.label);
        }
    }
    if (n) {
        g_string_append_printf(why,
                               "; result: %" PRIu64
                               " requests ended with another one, first: %s",
                               n, label);
    }
}

/* A wake-up that was lost leaves decisions in one run only: "missing" has it.
 */
static uint64_t count_turned(const struct ct_diff *diff)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < ct_diff_result(diff)->real; i++) {
        struct ct_diff_real real;
        ct_diff_real(diff, i, &real);
        n += real.reason != CT_DIFF_REASON_ONLY &&
             real.reason != CT_DIFF_REASON_WAKEUP &&
             real.reason != CT_DIFF_REASON_RESULT;
    }
    return n;
}

static void judge_order(GString *why, const struct ct_diff *diff)
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    uint64_t n = count_turned(diff);

    if (!n) {
        return;
    }
    g_string_append_printf(why, "; order: %" PRIu64 " turned round", n);
    for (unsigned i = 0; i < result->n_pairs; i++) {
        const struct ct_diff_pair *pair = &result->pairs[i];
        if (pair->real) {
            g_string_append_printf(why, ", %s: %s and %s",
                                   ct_diff_reason_word(pair->reason),
                                   pair->first, pair->then);
            return;
        }
    }
}

static int64_t time_of(const struct ct_diff_times *times,
                       enum ct_gate_time time)
{
    return time == CT_GATE_P50   ? times->p50_ns
           : time == CT_GATE_P99 ? times->p99_ns
                                 : times->mean_ns;
}

/* By a test of its own, which says B: the median by that of ranks. */
static bool is_sure(const struct ct_diff_latency *latency,
                    enum ct_gate_time time)
{
    return time == CT_GATE_P50   ? latency->sure && latency->z_milli > 0
           : time == CT_GATE_P99 ? latency->sure_p99
                                 : latency->sure_mean;
}

static void append_ms(GString *why, int64_t ns)
{
    g_string_append_printf(why, "%" PRId64 ".%03d ms", ns / 1000000,
                           (int)(ns / 1000 % 1000));
}

static void judge_time(GString *why, const struct ct_diff_result *result,
                       enum ct_gate_time time, uint64_t percent)
{
    for (unsigned i = 0; i < result->n_latency; i++) {
        const struct ct_diff_latency *latency = &result->latency[i];
        int64_t was = time_of(&latency->times[CT_DIFF_A], time);
        int64_t is = time_of(&latency->times[CT_DIFF_B], time);
        if (!latency->is_request || latency->has_state ||
            !is_sure(latency, time) || is <= was ||
            (double)is * 100 <= (double)was * (100 + (double)percent)) {
            continue;
        }
        g_string_append_printf(why, "; %s of %s: ", time_words[time],
                               latency->label);
        append_ms(why, was);
        g_string_append(why, " -> ");
        append_ms(why, is);
        if (was > 0) {
            g_string_append_printf(why, ", +%.0f%% is more than +%" PRIu64 "%%",
                                   100 * ((double)is / (double)was - 1),
                                   percent);
        }
    }
}

static bool has_requests(const struct ct_diff_result *result)
{
    for (unsigned i = 0; i < result->n_latency; i++) {
        if (result->latency[i].is_request && !result->latency[i].has_state) {
            return true;
        }
    }
    return false;
}

char *ct_gate_unjudged(const struct ct_gate *gate, const struct ct_diff *diff,
                       const bool truncated[], const bool untimed[])
{
    GString *what = g_string_new(NULL);

    if ((gate->order || gate->missing || gate->result) &&
        ct_diff_result(diff)->unknown) {
        g_string_append_printf(
            what,
            ", order, missing and result of %" PRIu64
            " decisions (events were lost there, or not read)",
            ct_diff_result(diff)->unknown);
    }
    for (unsigned i = 0; i < CT_GATE_TIMES; i++) {
        if (gate->times[i] && !has_requests(ct_diff_result(diff))) {
            g_string_append_printf(
                what, ", %s (no requests in both runs whose times are known)",
                time_words[i]);
        }
    }
    if (gate->findings && (untimed[CT_DIFF_A] || untimed[CT_DIFF_B])) {
        g_string_append(what, ", findings (they need times)");
    }
    if (gate->findings && (truncated[CT_DIFF_A] || truncated[CT_DIFF_B])) {
        g_string_append(what, ", all findings (there are too many)");
    }
    if (!what->len) {
        g_string_free(what, TRUE);
        return NULL;
    }
    g_string_erase(what, 0, 2);
    return g_string_free(what, FALSE);
}

char *ct_gate_reasons(const struct ct_gate *gate, const struct ct_diff *diff,
                      GPtrArray *const findings[])
{
    const struct ct_diff_result *result = ct_diff_result(diff);
    GString *why = g_string_new(NULL);

    if (gate->order) {
        judge_order(why, diff);
    }
    if (gate->missing) {
        judge_missing(why, result);
    }
    if (gate->result) {
        judge_result(why, diff);
    }
    for (unsigned i = 0; i < CT_GATE_TIMES; i++) {
        if (gate->times[i]) {
            judge_time(why, result, i, gate->percent[i]);
        }
    }
    if (gate->findings) {
        judge_findings(why, findings);
    }
    if (!why->len) {
        g_string_free(why, TRUE);
        return NULL;
    }
    g_string_erase(why, 0, 2);
    return g_string_free(why, FALSE);
}
