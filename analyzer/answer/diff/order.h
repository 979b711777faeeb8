/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/order.h - two sequences of labels, laid beside one another
 *
 * Model:    a pair of equal labels is `kept` (it stands in the same order in
 *           both, with all other kept pairs), or moved.  What has no partner is
 *           in one sequence only.  Kept pairs are as many as can be found; with
 *           `bound`, more may exist.
 * Threads:  one.
 * Memory:   linear in the sequences; the caller frees what it gets.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_DIFF_ORDER_H
#define CT_DIFF_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define CT_NO_PARTNER UINT32_MAX

/* What alignment may cost at most, in steps, by default. */
#define CT_ORDER_BUDGET (UINT64_C(1) << 27)

struct ct_order {
    uint32_t n_a, n_b;
    uint32_t *to_b; /* by position in a: the partner's; CT_NO_PARTNER */
    uint32_t *to_a;
    uint8_t *kept; /* by position in a */
    bool bound;
};

/**
 * ct_order_align() - find the pairs
 * @n_labels: every label is less
 * @budget:   steps that may be taken; what is left afterwards stays there
 */
void ct_order_align(struct ct_order *order, const uint32_t *a, uint32_t n_a,
                    const uint32_t *b, uint32_t n_b, uint32_t n_labels,
                    uint64_t *budget);

void ct_order_fini(struct ct_order *order);

#endif
