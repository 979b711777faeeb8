/* SPDX-License-Identifier: MIT */
/*
 * Which label of a decision is compared: its own, less what only one of the
 * runs can know.
 *
 * Where events were lost, counts of equal requests are no part of a label,
 * since they would be wrong after the first lost one.  Where only one run has
 * names of functions, names are not.
 */
#include "answer/diff/compare.h"

/* By label: bit per side that has it. */
static uint8_t *find_sides(const struct ct_compare *compare)
{
    uint8_t *sides = g_new0(uint8_t, compare->shared->labels.n + 1);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        for (uint32_t i = 0; i < run->n; i++) {
            sides[run->decisions[i].label] |= (uint8_t)(1u << side);
        }
    }
    return sides;
}

/* Has only one of the runs functions that have no name? */
static bool has_other_names(const struct ct_compare *compare,
                            const uint8_t *sides, uint32_t unknown)
{
    unsigned lacking = 0;

    for (uint32_t i = 0; i < compare->shared->labels.n; i++) {
        if (ct_shared_label(compare->shared, i)->what == unknown) {
            lacking |= sides[i];
        }
    }
    return lacking == 1u << CT_DIFF_A || lacking == 1u << CT_DIFF_B;
}

/* A name that only one run knows is not a difference: without it then. */
static void drop_name(struct ct_label *label, uint32_t unknown)
{
    if (label->kind != CT_DECISION_BH && label->kind != CT_DECISION_BEGIN &&
        label->kind != CT_DECISION_END) {
        label->what = unknown;
    }
    label->parent = 0;
}

/* @ret_chosen: by label, the one that is compared instead */
static bool merge_labels(struct ct_compare *compare, const uint8_t *sides,
                         uint32_t **ret_chosen)
{
    uint32_t unknown = ct_words_get(&compare->shared->words, "?");
    bool drops_names = has_other_names(compare, sides, unknown);
    uint32_t n = compare->shared->labels.n;

    if (!drops_names && !compare->is_lossy) {
        return false;
    }
    *ret_chosen = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct ct_label label = *ct_shared_label(compare->shared, i);
        label = compare->is_lossy ? ct_label_base(&label) : label;
        if (drops_names) {
            drop_name(&label, unknown);
        }
        (*ret_chosen)[i] = ct_interned_get(&compare->shared->labels, &label);
    }
    return true;
}

static void see_labels(struct ct_compare *compare, enum ct_diff_side side)
{
    uint8_t bit = (uint8_t)(1u << side);

    for (uint32_t i = 0; i < compare->run[side]->n; i++) {
        uint32_t label = compare->labels[side][i];
        if (compare->is_lossy && compare->seen[label] & bit) {
            compare->is_repeated[label] = 1;
        }
        compare->seen[label] |= bit;
    }
}

void ct_labels_choose(struct ct_compare *compare)
{
    uint8_t *sides = find_sides(compare);
    uint32_t *chosen = NULL;
    bool is_merged = merge_labels(compare, sides, &chosen);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        compare->labels[side] = g_new(uint32_t, run->n + 1);
        for (uint32_t i = 0; i < run->n; i++) {
            uint32_t label = run->decisions[i].label;
            compare->labels[side][i] = is_merged ? chosen[label] : label;
        }
    }
    compare->n_labels = compare->shared->labels.n;
    compare->seen = g_new0(uint8_t, compare->n_labels + 1);
    if (compare->is_lossy) {
        compare->is_repeated = g_new0(uint8_t, compare->n_labels + 1);
    }
    see_labels(compare, CT_DIFF_A);
    see_labels(compare, CT_DIFF_B);
    g_free(sides);
    g_free(chosen);
}
