/* SPDX-License-Identifier: MIT */
/*
 * What changed places and what only one run has, how often.
 *
 * It is told by classes (labels without the request's range and count), so that
 * a run in which everything moved is told in a few lines.
 */
#include "answer/diff/tally.h"

#include <string.h>

/* --- what changed places, by class ------------------------------------ */

struct pair_key {
    uint32_t first, then; /* words: classes */
};

struct tally {
    const struct ct_compare *compare;
    const GArray *turned;
    GPtrArray *texts;
    uint32_t *class_of;      /* by label: word + 1 of its class; 0: not yet */
    struct ct_interned keys; /* struct pair_key */
    GArray *pairs;           /* struct ct_diff_pair, by key */
};

static uint32_t class_of(struct tally *tally, uint32_t label)
{
    struct ct_shared *shared = tally->compare->shared;

    if (!tally->class_of[label]) {
        g_autofree char *text = ct_label_class(shared, label);
        tally->class_of[label] = ct_words_get(&shared->words, text) + 1;
    }
    return tally->class_of[label] - 1;
}

static struct ct_diff_pair *pair_of(struct tally *tally, uint32_t first,
                                    uint32_t then)
{
    const struct ct_compare *compare = tally->compare;
    struct pair_key key = {
        class_of(tally, compare->labels[CT_DIFF_A][first]),
        class_of(tally, compare->labels[CT_DIFF_A][then]),
    };
    uint32_t number = ct_interned_get(&tally->keys, &key);

    if (number == tally->pairs->len) {
        const struct ct_words *words = &compare->shared->words;
        struct ct_diff_pair pair = {
            .first = ct_words_text(words, key.first),
            .then = ct_words_text(words, key.then),
        };
        g_array_append_val(tally->pairs, pair);
    }
    return &g_array_index(tally->pairs, struct ct_diff_pair, number);
}

/* Each moved decision with the nearest kept one that it is now on the other
 * side of; moved ones that only passed one another count for themselves. */
static void tally_moved(struct tally *tally)
{
    const struct ct_compare *compare = tally->compare;

    for (unsigned k = 0; k < compare->aligned->len; k++) {
        const struct ct_aligned *aligned =
            &g_array_index(compare->aligned, struct ct_aligned, k);
        const struct ct_order *order = &aligned->order;
        uint32_t n = aligned->n[CT_DIFF_A];
        uint32_t before = CT_NOWHERE, after = 0;

        for (uint32_t i = 0; i < n; i++) {
            uint32_t a = aligned->at[CT_DIFF_A][i];
            if (order->kept[i]) {
                before = i;
                continue;
            }
            if (order->to_b[i] == CT_NO_PARTNER ||
                compare->unsure[CT_DIFF_A][a]) {
                continue;
            }
            for (after = MAX(after, i + 1); after < n && !order->kept[after];
                 after++) {
            }
            if (before != CT_NOWHERE && order->to_b[i] < order->to_b[before]) {
                pair_of(tally, aligned->at[CT_DIFF_A][before], a)->count++;
            } else if (after < n && order->to_b[i] > order->to_b[after]) {
                pair_of(tally, a, aligned->at[CT_DIFF_A][after])->count++;
            } else {
                pair_of(tally, a, a)->count++;
            }
        }
    }
}

static void tally_real(struct tally *tally)
{
    for (unsigned i = 0; i < tally->turned->len; i++) {
        const struct ct_turned *turned =
            &g_array_index(tally->turned, struct ct_turned, i);
        if (turned->then[CT_DIFF_A] == CT_NOWHERE) {
            continue;
        }
        struct ct_diff_pair *pair =
            pair_of(tally, turned->first[CT_DIFF_A], turned->then[CT_DIFF_A]);
        pair->real++;
        pair->count = MAX(pair->count, pair->real);
        pair->reason = turned->reason;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct ct_diff_pair *one = a;
    const struct ct_diff_pair *two = b;

    if (!one->real != !two->real) {
        return one->real ? -1 : 1;
    }
    if (one->count != two->count) {
        return one->count > two->count ? -1 : 1;
    }
    int first = strcmp(one->first, two->first);
    return first ? first : strcmp(one->then, two->then);
}

/* --- what only one run has, by class ---------------------------------- */

static void tally_only(struct tally *tally, enum ct_diff_side side,
                       GArray *told)
{
    const struct ct_compare *compare = tally->compare;
    const struct ct_run_result *run = compare->run[side];
    GHashTable *by_class = g_hash_table_new(NULL, NULL);

    for (uint32_t i = 0; i < run->n; i++) {
        if (compare->partner[side][i] != CT_NOWHERE ||
            compare->unsure[side][i]) {
            continue;
        }
        bool is_real = ct_compare_only_is_real(compare, side, i);
        uint32_t label = compare->labels[side][i];
        uint32_t word = class_of(tally, label);
        gpointer key = GUINT_TO_POINTER(word * 2 + is_real);
        gpointer found;
        if (!g_hash_table_lookup_extended(by_class, key, NULL, &found)) {
            char *text = ct_label_text(compare->shared, label);
            struct ct_diff_only only = {
                .label = text,
                .group = ct_words_text(&compare->shared->words, word),
                .real = is_real,
                .sequence = compare->sequence[side][i],
                .position = compare->position[side][i],
                .when_ns = run->decisions[i].when_ns - run->summary.origin_ns,
            };
            g_ptr_array_add(tally->texts, text);
            found = GUINT_TO_POINTER(told->len);
            g_hash_table_insert(by_class, key, found);
            g_array_append_val(told, only);
        }
        g_array_index(told, struct ct_diff_only, GPOINTER_TO_UINT(found))
            .count++;
    }
    g_hash_table_unref(by_class);
}

void ct_tally(const struct ct_compare *compare, const GArray *turned,
              GArray *pairs, GArray *const only[], GPtrArray *texts)
{
    struct tally tally = {
        .compare = compare,
        .turned = turned,
        .texts = texts,
        .class_of = g_new0(uint32_t, compare->n_labels + 1),
        .pairs = pairs,
    };

    ct_interned_init(&tally.keys, sizeof(struct pair_key));
    tally_moved(&tally);
    tally_real(&tally);
    tally_only(&tally, CT_DIFF_A, only[CT_DIFF_A]);
    tally_only(&tally, CT_DIFF_B, only[CT_DIFF_B]);
    ct_interned_fini(&tally.keys);
    g_free(tally.class_of);
    g_array_sort(pairs, by_count);
}
