/* SPDX-License-Identifier: MIT */
/*
 * Sequences that belong together (contexts.c) are aligned with one another;
 * what lies between two pairs that were kept is a block, and all differences
 * are in blocks.
 *
 * Where events were lost (doubt.c), a block is unsure, on both sides: nothing
 * in it is counted.
 */
#include "answer/diff/compare.h"

#include <string.h>

bool ct_compare_only_is_real(const struct ct_compare *compare,
                             enum ct_diff_side side, uint32_t decision)
{
    uint32_t number = compare->labels[side][decision];
    const struct ct_label *label = ct_shared_label(compare->shared, number);

    if (!ct_label_is_loose(label)) {
        return true;
    }
    for (unsigned i = 0; i < compare->lost[side]->len; i++) {
        if (g_array_index(compare->lost[side], uint32_t, i) == decision) {
            return true;
        }
    }
    return false;
}

/* --- sequences -------------------------------------------------------- */

/* One that A has not gets a name that A has not. */
static uint32_t name_left(struct ct_compare *compare, GHashTable *taken,
                          GHashTable *nths, const struct ct_sequence *sequence)
{
    gpointer name = GUINT_TO_POINTER(sequence->name);
    gpointer told = GUINT_TO_POINTER(sequence->told);
    unsigned nth = GPOINTER_TO_UINT(g_hash_table_lookup(nths, told));

    if (g_hash_table_add(taken, name)) {
        return sequence->name;
    }
    uint32_t given =
        ct_sequence_name(&compare->shared->words, taken, sequence->told, &nth);
    g_hash_table_insert(nths, told, GUINT_TO_POINTER(nth));
    return given;
}

/* Those of A, in their order, then what only B has.
 * @ret_number: by sequence of each run, its place among them */
static void list_sequences(struct ct_compare *compare, uint32_t *ret_number[])
{
    GHashTable *taken = g_hash_table_new(NULL, NULL); /* names */
    GHashTable *nths = g_hash_table_new(NULL, NULL);
    uint32_t *in_a = ct_contexts_pair(compare);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        ret_number[side] = g_new(uint32_t, run->n_sequences + 1);
        for (uint32_t i = 0; i < run->n_sequences; i++) {
            const struct ct_sequence *sequence = &run->sequences[i];
            uint32_t at = side == CT_DIFF_A ? CT_NOWHERE : in_a[i];
            if (at == CT_NOWHERE) {
                struct ct_aligned aligned = {
                    .name = name_left(compare, taken, nths, sequence),
                    .is_pool = sequence->is_pool,
                };
                at = compare->aligned->len;
                g_array_append_val(compare->aligned, aligned);
            }
            ret_number[side][i] = at;
            struct ct_aligned *aligned =
                &g_array_index(compare->aligned, struct ct_aligned, at);
            aligned->peak_busy[side] = sequence->peak_busy;
            aligned->peak_alive[side] = sequence->peak_alive;
            aligned->saturated[side] = sequence->saturated;
        }
    }
    g_free(in_a);
    g_hash_table_unref(taken);
    g_hash_table_unref(nths);
}

static void pair_sequences(struct ct_compare *compare)
{
    uint32_t *number[CT_DIFF_SIDES];

    list_sequences(compare, number);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        const struct ct_run_result *run = compare->run[side];
        compare->sequence[side] = g_new(uint32_t, run->n + 1);
        compare->position[side] = g_new(uint32_t, run->n + 1);
        for (uint32_t i = 0; i < run->n; i++) {
            uint32_t at = number[side][run->decisions[i].sequence];
            compare->sequence[side][i] = at;
            compare->position[side][i] =
                g_array_index(compare->aligned, struct ct_aligned, at)
                    .n[side]++;
        }
        g_free(number[side]);
    }
}

static void fill_sequences(struct ct_compare *compare)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        for (unsigned k = 0; k < compare->aligned->len; k++) {
            struct ct_aligned *aligned =
                &g_array_index(compare->aligned, struct ct_aligned, k);
            aligned->at[side] = g_new(uint32_t, aligned->n[side] + 1);
            aligned->labels[side] = g_new(uint32_t, aligned->n[side] + 1);
        }
        for (uint32_t i = 0; i < compare->run[side]->n; i++) {
            struct ct_aligned *aligned =
                &g_array_index(compare->aligned, struct ct_aligned,
                               compare->sequence[side][i]);
            uint32_t at = compare->position[side][i];
            aligned->at[side][at] = i;
            aligned->labels[side][at] = compare->labels[side][i];
        }
    }
}

/* Labels of one pair of sequences, numbered from 0; @dense and @stamp are by
 * label, @stamp is less than @round before. */
static uint32_t make_dense(const struct ct_aligned *aligned, uint32_t *dense,
                           uint32_t *stamp, uint32_t round,
                           uint32_t *numbers[CT_DIFF_SIDES])
{
    uint32_t n = 0;

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        numbers[side] = g_new(uint32_t, aligned->n[side] + 1);
        for (uint32_t i = 0; i < aligned->n[side]; i++) {
            uint32_t label = aligned->labels[side][i];
            if (stamp[label] != round) {
                stamp[label] = round;
                dense[label] = n++;
            }
            numbers[side][i] = dense[label];
        }
    }
    return n;
}

static void align_sequences(struct ct_compare *compare)
{
    uint32_t *dense = g_new(uint32_t, compare->n_labels + 1);
    uint32_t *stamp = g_new0(uint32_t, compare->n_labels + 1);
    uint64_t budget = CT_ORDER_BUDGET;

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        size_t bytes = (compare->run[side]->n + 1) * sizeof(uint32_t);
        compare->partner[side] = g_malloc(bytes);
        memset(compare->partner[side], 0xff, bytes);
    }
    for (unsigned k = 0; k < compare->aligned->len; k++) {
        struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, k);
        uint32_t *numbers[CT_DIFF_SIDES];
        uint32_t n = make_dense(aligned, dense, stamp, k + 1, numbers);

        ct_order_align(&aligned->order, numbers[CT_DIFF_A],
                       aligned->n[CT_DIFF_A], numbers[CT_DIFF_B],
                       aligned->n[CT_DIFF_B], n, &budget);
        g_free(numbers[CT_DIFF_A]);
        g_free(numbers[CT_DIFF_B]);
        compare->bound |= aligned->order.bound;
        for (uint32_t i = 0; i < aligned->n[CT_DIFF_A]; i++) {
            uint32_t j = aligned->order.to_b[i];
            if (j != CT_NO_PARTNER) {
                uint32_t a = aligned->at[CT_DIFF_A][i];
                uint32_t b = aligned->at[CT_DIFF_B][j];
                compare->partner[CT_DIFF_A][a] = b;
                compare->partner[CT_DIFF_B][b] = a;
            }
        }
    }
    g_free(dense);
    g_free(stamp);
}

/* --- blocks ----------------------------------------------------------- */

static void add_block(struct ct_compare *compare, uint32_t sequence,
                      const uint32_t from[], const uint32_t to[])
{
    const struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned, sequence);
    struct ct_block block = {.sequence = sequence};

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        block.from[side] = from[side];
        block.to[side] = to[side];
        block.unsure |=
            ct_doubt_is_beside(compare, aligned, side, from[side], to[side]);
    }
    for (unsigned side = 0; block.unsure && side < CT_DIFF_SIDES; side++) {
        for (uint32_t i = from[side]; i < to[side]; i++) {
            compare->unsure[side][aligned->at[side][i]] = 1;
        }
    }
    g_array_append_val(compare->blocks, block);
}

static void cut_blocks(struct ct_compare *compare, uint32_t sequence)
{
    struct ct_aligned *aligned =
        &g_array_index(compare->aligned, struct ct_aligned, sequence);
    uint32_t from[CT_DIFF_SIDES] = {0, 0};

    for (uint32_t i = 0; i <= aligned->n[CT_DIFF_A]; i++) {
        bool is_end = i == aligned->n[CT_DIFF_A];
        if (!is_end && !aligned->order.kept[i]) {
            continue;
        }
        uint32_t to[CT_DIFF_SIDES] = {i, is_end ? aligned->n[CT_DIFF_B]
                                                : aligned->order.to_b[i]};
        if (from[CT_DIFF_A] < to[CT_DIFF_A] ||
            from[CT_DIFF_B] < to[CT_DIFF_B]) {
            add_block(compare, sequence, from, to);
        }
        aligned->n_kept += !is_end;
        from[CT_DIFF_A] = to[CT_DIFF_A] + 1;
        from[CT_DIFF_B] = to[CT_DIFF_B] + 1;
    }
}

/* A moved decision is as unsure as its partner. */
static void count(struct ct_compare *compare)
{
    for (uint32_t a = 0; a < compare->run[CT_DIFF_A]->n; a++) {
        uint32_t b = compare->partner[CT_DIFF_A][a];
        if (b == CT_NOWHERE) {
            compare->unknown += compare->unsure[CT_DIFF_A][a];
            continue;
        }
        struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned,
                           compare->sequence[CT_DIFF_A][a]);
        if (aligned->order.kept[compare->position[CT_DIFF_A][a]]) {
            compare->kept++;
            continue;
        }
        if (compare->unsure[CT_DIFF_A][a] || compare->unsure[CT_DIFF_B][b]) {
            compare->unsure[CT_DIFF_A][a] = compare->unsure[CT_DIFF_B][b] = 1;
            compare->unknown++;
        } else {
            compare->moved++;
            aligned->n_moved++;
        }
    }
    for (uint32_t b = 0; b < compare->run[CT_DIFF_B]->n; b++) {
        compare->unknown += compare->partner[CT_DIFF_B][b] == CT_NOWHERE &&
                            compare->unsure[CT_DIFF_B][b];
    }
}

void ct_compare_init(struct ct_compare *compare, struct ct_shared *shared,
                     const struct ct_run_result *a,
                     const struct ct_run_result *b)
{
    *compare = (struct ct_compare){
        .shared = shared,
        .run = {a, b},
        .is_lossy = a->n_holes > 0 || b->n_holes > 0,
        .aligned = g_array_new(FALSE, FALSE, sizeof(struct ct_aligned)),
        .blocks = g_array_new(FALSE, FALSE, sizeof(struct ct_block)),
        .lost = {g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                 g_array_new(FALSE, FALSE, sizeof(uint32_t))},
    };
    ct_labels_choose(compare);
    pair_sequences(compare);
    fill_sequences(compare);
    align_sequences(compare);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        compare->unsure[side] = g_new0(uint8_t, compare->run[side]->n + 1);
        compare->holes[side] = ct_doubt_holes(compare->run[side]);
    }
    for (uint32_t i = 0; i < compare->aligned->len; i++) {
        cut_blocks(compare, i);
    }
    ct_doubt_decisions(compare);
    count(compare);
}

void ct_compare_fini(struct ct_compare *compare)
{
    for (unsigned k = 0; k < compare->aligned->len; k++) {
        struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, k);
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            g_free(aligned->at[side]);
            g_free(aligned->labels[side]);
        }
        ct_order_fini(&aligned->order);
    }
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        g_free(compare->labels[side]);
        g_free(compare->partner[side]);
        g_free(compare->sequence[side]);
        g_free(compare->position[side]);
        g_free(compare->unsure[side]);
        g_array_unref(compare->holes[side]);
        g_free(compare->epoch[side]);
        g_array_unref(compare->lost[side]);
    }
    g_free(compare->seen);
    g_free(compare->is_repeated);
    g_array_unref(compare->aligned);
    g_array_unref(compare->blocks);
}
