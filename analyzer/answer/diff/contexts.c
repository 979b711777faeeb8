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
    uint32_t at[CT_DIFF_SIDES][GROUP_MAX]; /* sequences */
    unsigned n[CT_DIFF_SIDES];
    bool is_too_large;
    uint64_t common[GROUP_MAX][GROUP_MAX]; /* [b][a]: decisions of b whose label
                                              a has, too */
};

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

static bool is_in(const struct ct_compare *compare, uint32_t name,
                  const char *base, size_t length)
{
    const char *text = ct_words_text(&compare->shared->words, name);

    return base_length(text) == length && strncmp(text, base, length) == 0;
}

static void find_group(const struct ct_compare *compare, uint32_t name,
                       struct group *group)
{
    const char *base = ct_words_text(&compare->shared->words, name);
    size_t length = base_length(base);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        for (uint32_t i = 0; i < run->n_sequences; i++) {
            if (!is_in(compare, run->sequences[i].name, base, length)) {
                continue;
            }
            if (group->n[side] == GROUP_MAX) {
                group->is_too_large = true;
                return;
            }
            group->at[side][group->n[side]++] = i;
        }
    }
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

static void count_common(const struct ct_compare *compare, struct group *group)
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
            group->common[member][k] += bits >> k & 1;
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
                 uint32_t *names)
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
                     group->common[i][k] > group->common[best_b][best_a] ||
                     (group->common[i][k] == group->common[best_b][best_a] &&
                      i == k && best_a != best_b))) {
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
    bool *is_done = g_new0(bool, b->n_sequences + 1);

    for (uint32_t i = 0; i < b->n_sequences; i++) {
        names[i] = b->sequences[i].name;
    }
    for (uint32_t i = 0; i < b->n_sequences; i++) {
        struct group group;
        if (is_done[i]) {
            continue;
        }
        memset(&group, 0, sizeof(group));
        find_group(compare, b->sequences[i].name, &group);
        for (unsigned k = 0; k < group.n[CT_DIFF_B]; k++) {
            is_done[group.at[CT_DIFF_B][k]] = true;
        }
        if (!group.is_too_large && group.n[CT_DIFF_A] > 0 &&
            (group.n[CT_DIFF_A] > 1 || group.n[CT_DIFF_B] > 1)) {
            count_common(compare, &group);
            pair(compare, &group, names);
        }
    }
    g_free(is_done);
    return names;
}
