/* SPDX-License-Identifier: MIT */
/*
 * Which context of one run is which of the other.
 *
 * Contexts to which the program gave the same name (or none) are numbered in
 * the order in which they appear, "context", "context (2)"; which of two
 * threads comes first is chance.  So those of one name are paired by what they
 * decided: the two with the most labels in common first, and where that is
 * equal by their order.  One context of a name is the one of that name.
 *
 * All names are counted in one walk over the decisions, however many there are.
 */
#include "answer/diff/compare.h"

/* Of one name; more are paired by their order. */
#define GROUP_MAX 32

/* Sequences by the name that the program gave them. */
struct groups {
    uint32_t n;
    uint32_t *group[CT_DIFF_SIDES]; /* by sequence */
    uint32_t *nth[CT_DIFF_SIDES];   /* by sequence: its place in the group */
    uint32_t *from[CT_DIFF_SIDES];  /* by group: where it begins in `at` */
    uint32_t *at[CT_DIFF_SIDES];    /* sequences, group by group */
    uint64_t *common;  /* of groups that are compared, [b][a]: decisions of b
                          whose label a has, too */
    size_t *common_at; /* by group */
};

static void find_groups(const struct ct_compare *compare, struct groups *groups)
{
    struct ct_interned names;

    ct_interned_init(&names, 2 * sizeof(uint32_t));
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        groups->group[side] = g_new(uint32_t, run->n_sequences + 1);
        groups->nth[side] = g_new(uint32_t, run->n_sequences + 1);
        groups->at[side] = g_new(uint32_t, run->n_sequences + 1);
        for (uint32_t i = 0; i < run->n_sequences; i++) {
            uint32_t key[2] = {run->sequences[i].told,
                               run->sequences[i].is_pool};
            groups->group[side][i] = ct_interned_get(&names, key);
        }
    }
    groups->n = names.n;
    ct_interned_fini(&names);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        uint32_t n = compare->run[side]->n_sequences;
        uint32_t *from = g_new0(uint32_t, groups->n + 1);
        for (uint32_t i = 0; i < n; i++) {
            groups->nth[side][i] = from[groups->group[side][i] + 1]++;
        }
        for (uint32_t i = 0; i < groups->n; i++) {
            from[i + 1] += from[i];
        }
        for (uint32_t i = 0; i < n; i++) {
            groups->at[side]
                      [from[groups->group[side][i]] + groups->nth[side][i]] = i;
        }
        groups->from[side] = from;
    }
}

static void free_groups(struct groups *groups)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        g_free(groups->group[side]);
        g_free(groups->nth[side]);
        g_free(groups->from[side]);
        g_free(groups->at[side]);
    }
    g_free(groups->common);
    g_free(groups->common_at);
}

static uint32_t size_of(const struct groups *groups, enum ct_diff_side side,
                        uint32_t group)
{
    return groups->from[side][group + 1] - groups->from[side][group];
}

/* Is it to be found out who is who? */
static bool is_compared(const struct groups *groups, uint32_t group)
{
    uint32_t a = size_of(groups, CT_DIFF_A, group);
    uint32_t b = size_of(groups, CT_DIFF_B, group);

    return MIN(a, b) > 0 && MAX(a, b) > 1 && MAX(a, b) <= GROUP_MAX;
}

/* By label and group: bits of A's members that have it. */
static GArray *find_labels(const struct ct_compare *compare,
                           const struct groups *groups,
                           struct ct_interned *keys)
{
    const struct ct_run_result *a = compare->run[CT_DIFF_A];
    GArray *has = g_array_new(FALSE, TRUE, sizeof(uint32_t));

    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t sequence = a->decisions[i].sequence;
        uint32_t group = groups->group[CT_DIFF_A][sequence];
        if (is_compared(groups, group)) {
            uint32_t key[2] = {compare->labels[CT_DIFF_A][i], group};
            uint32_t at = ct_interned_get(keys, key);
            if (at == has->len) {
                g_array_set_size(has, at + 1);
            }
            g_array_index(has, uint32_t, at) |=
                UINT32_C(1) << groups->nth[CT_DIFF_A][sequence];
        }
    }
    return has;
}

static void count_common(const struct ct_compare *compare,
                         struct groups *groups)
{
    const struct ct_run_result *b = compare->run[CT_DIFF_B];
    struct ct_interned keys;
    size_t n = 0;

    groups->common_at = g_new(size_t, groups->n + 1);
    for (uint32_t i = 0; i < groups->n; i++) {
        groups->common_at[i] = n;
        n += is_compared(groups, i) ? (size_t)size_of(groups, CT_DIFF_A, i) *
                                          size_of(groups, CT_DIFF_B, i)
                                    : 0;
    }
    groups->common = g_new0(uint64_t, n + 1);
    ct_interned_init(&keys, 2 * sizeof(uint32_t));
    GArray *has = find_labels(compare, groups, &keys);
    for (uint32_t i = 0; i < b->n && n; i++) {
        uint32_t sequence = b->decisions[i].sequence;
        uint32_t group = groups->group[CT_DIFF_B][sequence];
        uint32_t key[2] = {compare->labels[CT_DIFF_B][i], group};
        if (is_compared(groups, group) && ct_interned_has(&keys, key)) {
            uint32_t size = size_of(groups, CT_DIFF_A, group);
            uint32_t bits =
                g_array_index(has, uint32_t, ct_interned_get(&keys, key));
            uint64_t *common = groups->common + groups->common_at[group] +
                               groups->nth[CT_DIFF_B][sequence] * size;
            for (uint32_t k = 0; k < size; k++) {
                common[k] += bits >> k & 1;
            }
        }
    }
    g_array_unref(has);
    ct_interned_fini(&keys);
}

/* @ret_in_a: by sequence of B, what it is in A */
static void pair_alike(const struct groups *groups, uint32_t group,
                       uint32_t *ret_in_a)
{
    const uint64_t *common = groups->common + groups->common_at[group];
    const uint32_t *at_a =
        groups->at[CT_DIFF_A] + groups->from[CT_DIFF_A][group];
    const uint32_t *at_b =
        groups->at[CT_DIFF_B] + groups->from[CT_DIFF_B][group];
    uint32_t n_a = size_of(groups, CT_DIFF_A, group);
    uint32_t n_b = size_of(groups, CT_DIFF_B, group);
    bool is_taken[GROUP_MAX] = {false}; /* of A */

    for (uint32_t turn = 0; turn < MIN(n_a, n_b); turn++) {
        uint32_t best_a = GROUP_MAX, best_b = GROUP_MAX;
        uint64_t best = 0;
        for (uint32_t i = 0; i < n_b; i++) {
            for (uint32_t k = 0; k < n_a && ret_in_a[at_b[i]] == CT_NOWHERE;
                 k++) {
                uint64_t n = common[i * n_a + k];
                if (!is_taken[k] &&
                    (best_a == GROUP_MAX || n > best ||
                     (n == best && i == k && best_a != best_b))) {
                    best_a = k;
                    best_b = i;
                    best = n;
                }
            }
        }
        is_taken[best_a] = true;
        ret_in_a[at_b[best_b]] = at_a[best_a];
    }
}

uint32_t *ct_contexts_pair(const struct ct_compare *compare)
{
    uint32_t n = compare->run[CT_DIFF_B]->n_sequences;
    uint32_t *in_a = g_new(uint32_t, n + 1);
    struct groups groups = {0};

    for (uint32_t i = 0; i < n; i++) {
        in_a[i] = CT_NOWHERE;
    }
    find_groups(compare, &groups);
    count_common(compare, &groups);
    for (uint32_t i = 0; i < groups.n; i++) {
        if (is_compared(&groups, i)) {
            pair_alike(&groups, i, in_a);
            continue;
        }
        for (uint32_t k = 0; k < MIN(size_of(&groups, CT_DIFF_A, i),
                                     size_of(&groups, CT_DIFF_B, i));
             k++) {
            in_a[groups.at[CT_DIFF_B][groups.from[CT_DIFF_B][i] + k]] =
                groups.at[CT_DIFF_A][groups.from[CT_DIFF_A][i] + k];
        }
    }
    free_groups(&groups);
    return in_a;
}
