/* SPDX-License-Identifier: MIT */
/*
 * Times of two runs, and how sure it is that they differ.
 */
#include "answer/diff/latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer/diff/chance.h"
#include "answer/diff/labels.h"
#include "answer/diff/sorted.h"

/* How often chance may make any row of a comparison sure. */
#define ALPHA 0.001

/* What all rows together may deal: so much, and so much for each value. */
#define STEPS      20000000
#define STEPS_EACH 64

/* What is not known is no state that can be compared; there those are counted
 * of which the whole is known, and not what they did. */
#define WHOLE_ONLY (CT_STATE_UNKNOWN + 1)

void ct_times_init(struct ct_times *times)
{
    ct_interned_init(&times->keys, sizeof(struct ct_timed));
    times->values =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
}

void ct_times_fini(struct ct_times *times)
{
    ct_interned_fini(&times->keys);
    g_ptr_array_unref(times->values);
}

void ct_times_add(struct ct_times *times, const struct ct_timed *key,
                  int64_t value_ns)
{
    uint32_t number = ct_interned_get(&times->keys, key);

    if (number == times->values->len) {
        g_ptr_array_add(times->values,
                        g_array_new(FALSE, FALSE, sizeof(int64_t)));
    }
    g_array_append_val((GArray *)g_ptr_array_index(times->values, number),
                       value_ns);
}

void ct_times_add_all(struct ct_times *times, const struct ct_timed *key,
                      GArray *values)
{
    uint32_t number = ct_interned_get(&times->keys, key);

    if (number == times->values->len) {
        g_ptr_array_add(times->values, g_array_ref(values));
    } else {
        g_array_append_vals(g_ptr_array_index(times->values, number),
                            values->data, values->len);
    }
}

void ct_times_add_request(struct ct_times *times, uint32_t what,
                          const struct ct_request *request, bool is_lossy)
{
    int64_t states[CT_STATES] = {0};
    struct ct_timed key = {.what = what, .kind = CT_DECISION_BEGIN};

    ct_times_add(times, &key, request->end_ns - request->begin_ns);
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        states[segment->state] += segment->end_ns - segment->begin_ns;
    }
    if (is_lossy && states[CT_STATE_UNKNOWN]) {
        key.state = WHOLE_ONLY;
        ct_times_add(times, &key, states[CT_STATE_UNKNOWN]);
        return;
    }
    for (unsigned state = 0; state < CT_STATES; state++) {
        key.state = (uint16_t)(state + 1);
        if (states[state] && state != CT_STATE_UNKNOWN) {
            ct_times_add(times, &key, states[state]);
        }
    }
}

/* --- comparison ------------------------------------------------------- */

static GArray *find(const struct ct_times *times, const struct ct_timed *key)
{
    if (!ct_interned_has(&times->keys, key)) {
        return NULL;
    }
    return g_ptr_array_index(
        times->values,
        ct_interned_get((struct ct_interned *)&times->keys, key));
}

/* The value that @part in a hundred do not exceed, by nearest rank. */
static int64_t quantile(const GArray *sorted, uint64_t zeros, uint64_t part)
{
    uint64_t n = sorted->len + zeros;
    uint64_t rank = (n * part + 99) / 100;

    return rank <= zeros
               ? 0
               : g_array_index(sorted, int64_t, (unsigned)(rank - zeros - 1));
}

static struct ct_diff_times describe(const GArray *sorted, uint64_t zeros)
{
    struct ct_diff_times told = {.n = sorted->len + zeros};
    double sum = 0;

    for (unsigned i = 0; i < sorted->len; i++) {
        sum += (double)g_array_index(sorted, int64_t, i);
    }
    if (told.n) {
        told.p50_ns = quantile(sorted, zeros, 50);
        told.p99_ns = quantile(sorted, zeros, 99);
        told.mean_ns = llround(sum / (double)told.n);
    }
    return told;
}

/* How many of the class did nothing of it. */
static uint64_t count_zeros(const struct ct_times *times,
                            const struct ct_timed *key, uint64_t n_all,
                            uint64_t n_own)
{
    struct ct_timed known = *key;

    known.state = WHOLE_ONLY;
    const GArray *unknown = key->state ? find(times, &known) : NULL;
    uint64_t n_known = n_all - MIN(n_all, unknown ? unknown->len : 0);
    return n_known - MIN(n_known, n_own);
}

/* How likely what a row says is by chance: by what says it. */
enum said {
    SAID_RANK,
    SAID_MEAN,
    SAID_P99,
    SAID,
};

/* The longest may be one run's, and the figure say the other one. */
static double chance_of_p99(const struct ct_sample *a,
                            const struct ct_sample *b,
                            const struct ct_diff_latency *latency)
{
    bool is_b;
    double chance = ct_chance_tail(a, b, &is_b);
    int64_t was = latency->times[CT_DIFF_A].p99_ns;
    int64_t is = latency->times[CT_DIFF_B].p99_ns;

    return (is_b ? is > was : is < was) ? chance : 1;
}

/* What is asked of one row. */
struct asked {
    struct ct_timed key;
    struct ct_chance p[SAID];
};

/* Both runs' times of a row; they need be sorted once only. */
static bool find_samples(const struct ct_times *const runs[],
                         const struct ct_timed *key,
                         struct ct_sample ret_samples[])
{
    static const GArray none;
    struct ct_timed whole = *key;

    whole.state = 0;
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const GArray *all = find(runs[side], &whole);
        const GArray *own = find(runs[side], key);
        if (!all) {
            return false;
        }
        own = own ? own : &none;
        ret_samples[side].values = own;
        ret_samples[side].zeros =
            count_zeros(runs[side], key, all->len, own->len);
    }
    return true;
}

static bool compare_one(const struct ct_times *const runs[],
                        const struct ct_timed *key,
                        struct ct_diff_latency *latency, struct asked *asked)
{
    struct ct_sample samples[CT_DIFF_SIDES];
    const struct ct_sample *a = &samples[CT_DIFF_A], *b = &samples[CT_DIFF_B];

    if (!find_samples(runs, key, samples)) {
        return false;
    }
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        GArray *own = find(runs[side], key);
        if (own) {
            ct_sort_times((int64_t *)(void *)own->data, own->len);
        }
        latency->times[side] =
            describe(samples[side].values, samples[side].zeros);
    }
    latency->is_request = key->kind == CT_DECISION_BEGIN;
    latency->is_work = key->kind == CT_DECISION_WORK;
    latency->has_state = key->state > 0;
    latency->state = (enum ct_state)(key->state ? key->state - 1 : 0);
    asked->key = *key;
    asked->p[SAID_RANK] = ct_chance_rank(a, b, ALPHA, NULL, &latency->z_milli);
    asked->p[SAID_MEAN] = ct_chance_mean(a, b, ALPHA, NULL);
    double p99 = chance_of_p99(a, b, latency);
    asked->p[SAID_P99] = (struct ct_chance){p99, p99};
    return latency->times[CT_DIFF_A].n && latency->times[CT_DIFF_B].n;
}

static bool is_sure(const struct ct_diff_latency *latency)
{
    return latency->sure || latency->sure_mean || latency->sure_p99;
}

static int by_shift(const void *a, const void *b)
{
    const struct ct_diff_latency *one = a;
    const struct ct_diff_latency *two = b;

    if (is_sure(one) != is_sure(two)) {
        return is_sure(one) ? -1 : 1;
    }
    if (ct_latency_shift(one) != ct_latency_shift(two)) {
        return ct_latency_shift(one) > ct_latency_shift(two) ? -1 : 1;
    }
    int order = strcmp(one->label, two->label);
    return order ? order : (int)one->state - (int)two->state;
}

/* The more is asked, the more often chance says yes: all that a comparison asks
 * is corrected for together.  @is_least: as if each p were as little as it may
 * be, else as great. */
static unsigned correct(const GArray *asked, bool is_least, bool *ret_sure)
{
    unsigned n = asked->len * SAID, n_sure = 0;
    double *p = g_new(double, n + 1);

    for (unsigned i = 0; i < n; i++) {
        const struct ct_chance *one =
            &g_array_index(asked, struct asked, i / SAID).p[i % SAID];
        p[i] = is_least ? one->least : one->most;
    }
    ct_chance_holm(p, n, ALPHA, ret_sure);
    for (unsigned i = 0; i < n; i++) {
        n_sure += ret_sure[i];
    }
    g_free(p);
    return n_sure;
}

/* A row by what it changes, so that steps go to the greatest change first. */
struct weighed {
    double weight;
    unsigned row;
};

static int by_weight(const void *a, const void *b)
{
    const struct weighed *one = a, *two = b;

    if (one->weight != two->weight) {
        return one->weight > two->weight ? -1 : 1;
    }
    return (one->row > two->row) - (one->row < two->row);
}

static GArray *weigh(const GArray *told, uint64_t *ret_n_values)
{
    GArray *order = g_array_new(FALSE, FALSE, sizeof(struct weighed));

    *ret_n_values = 0;
    for (unsigned i = 0; i < told->len; i++) {
        const struct ct_diff_latency *one =
            &g_array_index(told, struct ct_diff_latency, i);
        const struct weighed row = {ct_latency_weight(one), i};
        *ret_n_values += one->times[CT_DIFF_A].n + one->times[CT_DIFF_B].n;
        g_array_append_val(order, row);
    }
    g_array_sort(order, by_weight);
    return order;
}

static bool is_open(const struct ct_chance *chance)
{
    return chance->least < chance->most;
}

/* Only what may be sure at all is looked at more closely: no p that a test has
 * in the end is less than it may be now, so none holds that does not now. */
static void look_closer(const struct ct_times *const runs[], const GArray *told,
                        GArray *asked, const bool *may, unsigned n_may)
{
    double n = (double)asked->len * SAID;
    uint64_t n_values;
    GArray *order = weigh(told, &n_values);
    struct ct_deals deals = {
        .sure = ALPHA / n,
        .limit = ALPHA / (n - n_may + 1),
        .steps = STEPS + STEPS_EACH * n_values,
    };

    for (unsigned i = 0; i < order->len; i++) {
        unsigned row = g_array_index(order, struct weighed, i).row;
        struct asked *one = &g_array_index(asked, struct asked, row);
        const bool *own = &may[(size_t)row * SAID];
        struct ct_sample samples[CT_DIFF_SIDES];
        const struct ct_sample *a = &samples[CT_DIFF_A];
        const struct ct_sample *b = &samples[CT_DIFF_B];
        int64_t z_milli;
        find_samples(runs, &one->key, samples);
        if (own[SAID_RANK] && is_open(&one->p[SAID_RANK])) {
            one->p[SAID_RANK] = ct_chance_rank(a, b, ALPHA, &deals, &z_milli);
        }
        if (own[SAID_MEAN] && is_open(&one->p[SAID_MEAN])) {
            one->p[SAID_MEAN] = ct_chance_mean(a, b, ALPHA, &deals);
        }
    }
    g_array_unref(order);
}

static void test_rows(const struct ct_times *const runs[], GArray *told,
                      GArray *asked)
{
    size_t n = (size_t)told->len * SAID;
    bool *may = g_new(bool, n + 1), *sure = g_new(bool, n + 1);
    unsigned n_may = correct(asked, true, may);

    if (n_may) {
        look_closer(runs, told, asked, may, n_may);
    }
    correct(asked, true, may);
    correct(asked, false, sure);
    for (unsigned i = 0; i < told->len; i++) {
        struct ct_diff_latency *latency =
            &g_array_index(told, struct ct_diff_latency, i);
        const bool *own = &sure[(size_t)i * SAID];
        latency->sure = own[SAID_RANK];
        latency->sure_mean = own[SAID_MEAN];
        latency->sure_p99 = own[SAID_P99];
        for (unsigned said = 0; said < SAID; said++) {
            latency->bound |= may[(size_t)i * SAID + said] && !own[said];
        }
    }
    g_free(may);
    g_free(sure);
}

GArray *ct_latency_compare(const struct ct_times *a, const struct ct_times *b,
                           const struct ct_words *words, GPtrArray *texts)
{
    const struct ct_times *const runs[] = {a, b};
    GArray *told = g_array_new(FALSE, TRUE, sizeof(struct ct_diff_latency));
    GArray *asked = g_array_new(FALSE, FALSE, sizeof(struct asked));

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        for (uint32_t i = 0; i < runs[side]->keys.n; i++) {
            const struct ct_timed *key = ct_interned_key(&runs[side]->keys, i);
            struct ct_diff_latency latency = {0};
            struct asked own;
            if (key->state == WHOLE_ONLY ||
                (side == CT_DIFF_B && ct_interned_has(&a->keys, key)) ||
                !compare_one(runs, key, &latency, &own)) {
                continue;
            }
            const char *what = ct_words_text(words, key->what);
            char *label =
                latency.is_request
                    ? g_strdup(what)
                    : g_strdup_printf(
                          "%s %s",
                          ct_decision_word((enum ct_decision_kind)key->kind),
                          what);
            g_ptr_array_add(texts, label);
            latency.label = label;
            g_array_append_val(told, latency);
            g_array_append_val(asked, own);
        }
    }
    test_rows(runs, told, asked);
    g_array_unref(asked);
    g_array_sort(told, by_shift);
    return told;
}
