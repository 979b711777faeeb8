/* SPDX-License-Identifier: MIT */
/*
 * Which context of one run is which of the other.
 *
 * Contexts of the same name (or without one) are numbered in the order in which
 * they appear, "context", "context (2)"; which of two threads comes first is
 * chance.  So those of one name are paired by what they decided: the two with
 * the most labels in common first, and where that is equal by their order.
 */
#include "answer/diff/compare.h"

#include <string.h>

/* Of one name; more are paired by their order. */
#define GROUP_MAX 32

struct group {
    uint32_t at[CT_DIFF_SIDES][GROUP_MAX]; /* sequences: the first of them */
    unsigned n[CT_DIFF_SIDES];
};

/* [b][a]: decisions of b whose label a has, too */
typedef uint64_t common_t[GROUP_MAX][GROUP_MAX];

/* Without " (2)". */
static size_t base_length(const char *name)
{
    size_t length = strlen(name);
    size_t at = length;

    if (length < 4 || name[length - 1] != ')') {
        return length;
    }
    at--;
    while (at > 0 && g_ascii_isdigit(name[at - 1])) {
        at--;
    }
    return at + 1 < length && at > 2 && name[at - 1] == '(' &&
                   name[at - 2] == ' '
               ? at - 2
               : length;
}

/* Those of one name, by it. */
static GHashTable *find_groups(const struct ct_compare *compare)
{
    GHashTable *groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];

        for (uint32_t i = 0; i < run->n_sequences; i++) {
            const char *name =
                ct_words_text(&compare->shared->words, run->sequences[i].name);
            char *base = g_strndup(name, base_length(name));
            struct group *group = g_hash_table_lookup(groups, base);

            if (!group) {
                group = g_new0(struct group, 1);
                g_hash_table_insert(groups, base, group);
            } else {
                g_free(base);
            }
            if (group->n[side] < GROUP_MAX) {
                group->at[side][group->n[side]] = i;
            }
            group->n[side]++;
        }
    }
    return groups;
}

/* Position in the group; GROUP_MAX: it is not in it. */
static unsigned find_member(const struct group *group, enum ct_diff_side side,
                            uint32_t sequence)
{
    unsigned i = 0;

    while (i < group->n[side] && group->at[side][i] != sequence) {
        i++;
    }
    return i < group->n[side] ? i : GROUP_MAX;
}

static void count_common(const struct ct_compare *compare,
                         const struct group *group, common_t common)
{
    uint32_t *has = g_new0(uint32_t, compare->n_labels + 1); /* bit by member */
    const struct ct_run_result *a = compare->run[CT_DIFF_A];
    const struct ct_run_result *b = compare->run[CT_DIFF_B];

    for (uint32_t i = 0; i < a->n; i++) {
        unsigned member =
            find_member(group, CT_DIFF_A, a->decisions[i].sequence);
        if (member < GROUP_MAX) {
            has[compare->labels[CT_DIFF_A][i]] |= UINT32_C(1) << member;
        }
    }
    for (uint32_t i = 0; i < b->n; i++) {
        unsigned member =
            find_member(group, CT_DIFF_B, b->decisions[i].sequence);
        uint32_t bits = has[compare->labels[CT_DIFF_B][i]];
        for (unsigned k = 0; member < GROUP_MAX && bits >> k; k++) {
            common[member][k] += bits >> k & 1;
            if (k + 1 == GROUP_MAX) {
                break;
            }
        }
    }
    g_free(has);
}

/* B's get the names of A's that they are; what is left over, those that are
 * left over. */
static void pair(const struct ct_compare *compare, const struct group *group,
                 const common_t common, uint32_t *names)
{
    const struct ct_sequence *a = compare->run[CT_DIFF_A]->sequences;
    const struct ct_sequence *b = compare->run[CT_DIFF_B]->sequences;
    bool is_taken[CT_DIFF_SIDES][GROUP_MAX] = {{false}};
    unsigned n = MIN(group->n[CT_DIFF_A], group->n[CT_DIFF_B]);

    for (unsigned turn = 0; turn < n; turn++) {
        unsigned best_a = GROUP_MAX, best_b = GROUP_MAX;
        for (unsigned i = 0; i < group->n[CT_DIFF_B]; i++) {
            for (unsigned k = 0; k < group->n[CT_DIFF_A]; k++) {
                if (!is_taken[CT_DIFF_B][i] && !is_taken[CT_DIFF_A][k] &&
                    (best_a == GROUP_MAX ||
                     common[i][k] > common[best_b][best_a] ||
                     (common[i][k] == common[best_b][best_a] && i == k &&
                      best_a != best_b))) {
                    best_a = k;
                    best_b = i;
                }
            }
        }
        is_taken[CT_DIFF_A][best_a] = is_taken[CT_DIFF_B][best_b] = true;
        names[group->at[CT_DIFF_B][best_b]] =
            a[group->at[CT_DIFF_A][best_a]].name;
    }
    for (unsigned i = 0; i < group->n[CT_DIFF_B]; i++) {
        /* more than A has: their own names, which are none of A's */
        if (!is_taken[CT_DIFF_B][i]) {
            names[group->at[CT_DIFF_B][i]] = b[group->at[CT_DIFF_B][n++]].name;
        }
    }
}

uint32_t *ct_contexts_names(const struct ct_compare *compare)
{
    const struct ct_run_result *b = compare->run[CT_DIFF_B];
    uint32_t *names = g_new(uint32_t, b->n_sequences + 1);
    GHashTable *groups;
    GHashTableIter iter;
    struct group *group;

    for (uint32_t i = 0; i < b->n_sequences; i++) {
        names[i] = b->sequences[i].name;
    }
    groups = find_groups(compare);
    g_hash_table_iter_init(&iter, groups);
    while (g_hash_table_iter_next(&iter, NULL, (void **)&group)) {
        if (MAX(group->n[CT_DIFF_A], group->n[CT_DIFF_B]) <= GROUP_MAX &&
            MIN(group->n[CT_DIFF_A], group->n[CT_DIFF_B]) > 0 &&
            (group->n[CT_DIFF_A] > 1 || group->n[CT_DIFF_B] > 1)) {
            common_t common = {{0}};

            count_common(compare, group, common);
            pair(compare, group, common, names);
        }
    }
    g_hash_table_destroy(groups);
    return names;
}
