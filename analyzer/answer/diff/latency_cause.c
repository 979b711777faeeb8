/* SPDX-License-Identifier: MIT */
/*
 * Of all that takes longer, or less: what explains most of it.
 *
 * Most requests may take as long as ever, and the longest another time: no mean
 * that changes surely says why then, but the longest times of a state or a
 * callback do.
 */
#include "answer/diff/latency.h"

/* What a state or callback is weighed by. */
typedef double weigh_func(const struct ct_diff_latency *latency);
typedef bool sure_func(const struct ct_diff_latency *latency);

static bool is_sure_on_average(const struct ct_diff_latency *latency)
{
    return latency->sure || latency->sure_mean;
}

static bool is_sure_of_longest(const struct ct_diff_latency *latency)
{
    return latency->sure_p99;
}

static double shift_of_p99(const struct ct_diff_latency *latency)
{
    return (double)ABS(latency->times[CT_DIFF_B].p99_ns -
                       latency->times[CT_DIFF_A].p99_ns);
}

static bool is_class(const struct ct_diff_latency *latency)
{
    return latency->is_request && !latency->has_state;
}

static const struct ct_diff_latency *row_of(const GArray *latency, unsigned i)
{
    return &g_array_index(latency, struct ct_diff_latency, i);
}

/* A tenth of what it was, or more. */
static bool is_much(double shift, int64_t a, int64_t b)
{
    return shift >= (double)(MIN(a, b) / 10);
}

/* Did the requests of any class change as a whole? */
static bool has_changed(const GArray *latency)
{
    for (unsigned i = 0; i < latency->len; i++) {
        const struct ct_diff_latency *one = row_of(latency, i);
        if (is_class(one) && is_sure_on_average(one) &&
            is_much((double)ct_latency_shift(one),
                    one->times[CT_DIFF_A].mean_ns,
                    one->times[CT_DIFF_B].mean_ns)) {
            return true;
        }
    }
    return false;
}

/* ... or the longest of them? */
static bool has_changed_tail(const GArray *latency)
{
    for (unsigned i = 0; i < latency->len; i++) {
        const struct ct_diff_latency *one = row_of(latency, i);
        if (is_class(one) && is_sure_of_longest(one) &&
            is_much(shift_of_p99(one), one->times[CT_DIFF_A].p99_ns,
                    one->times[CT_DIFF_B].p99_ns)) {
            return true;
        }
    }
    return false;
}

/* Where other things make requests take now long, now short: at least twice
 * what it was, or half, and a tenth of what a request takes. */
static bool is_striking(const GArray *latency,
                        const struct ct_diff_latency *cause)
{
    int64_t a = cause->times[CT_DIFF_A].mean_ns;
    int64_t b = cause->times[CT_DIFF_B].mean_ns;
    int64_t request_ns = 0;

    for (unsigned i = 0; i < latency->len; i++) {
        const struct ct_diff_latency *one = row_of(latency, i);
        if (is_class(one)) {
            request_ns = MAX(request_ns, one->times[CT_DIFF_A].mean_ns);
        }
    }
    return MAX(a, b) / 2 >= MIN(a, b) &&
           ct_latency_shift(cause) >= request_ns / 10;
}

/* The state that weighs most, or the callback, if that explains the state to
 * four fifths: requests wait while it runs. */
static const struct ct_diff_latency *heaviest(const GArray *latency,
                                              sure_func *is_sure,
                                              weigh_func *weigh)
{
    const struct ct_diff_latency *state = NULL, *callback = NULL;

    for (unsigned i = 0; i < latency->len; i++) {
        const struct ct_diff_latency *one = row_of(latency, i);
        const struct ct_diff_latency **best =
            one->is_request ? &state : &callback;
        if (is_sure(one) && !is_class(one) &&
            (!*best || weigh(one) > weigh(*best))) {
            *best = one;
        }
    }
    if (state && callback) {
        return weigh(callback) >= 0.8 * weigh(state) ? callback : state;
    }
    return state ? state : callback;
}

struct ct_latency_cause ct_latency_cause(const GArray *latency)
{
    const struct ct_diff_latency *row =
        heaviest(latency, is_sure_on_average, ct_latency_weight);

    if (row && has_changed(latency)) {
        return (struct ct_latency_cause){row, CT_DIFF_CAUSE_OF_REQUESTS};
    }
    if (has_changed_tail(latency)) {
        const struct ct_diff_latency *longest =
            heaviest(latency, is_sure_of_longest, shift_of_p99);
        if (longest) {
            return (struct ct_latency_cause){longest, CT_DIFF_CAUSE_OF_LONGEST};
        }
    }
    if (row && is_striking(latency, row)) {
        return (struct ct_latency_cause){row, CT_DIFF_CAUSE_OF_ITSELF};
    }
    return (struct ct_latency_cause){NULL, CT_DIFF_CAUSE_OF_ITSELF};
}
