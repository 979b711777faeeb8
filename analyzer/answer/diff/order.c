/* SPDX-License-Identifier: MIT */
/*
 * Alignment of two sequences.
 *
 *  1. Labels that one side does not have are left out.
 *  2. Labels that come once on each side are anchors: the longest increasing
 *     chain of them is kept (patience sorting, O(n log n)).  Most decisions
 *     belong to a request and come once, so that almost all is done here, and
 *     a run with many small changes of order costs no more than one with few.
 *  3. Between two anchors: Myers' O((n+m) d) in linear space (divide at the
 *     middle of a shortest edit path), within a budget; when that is spent,
 *     the rest stays unaligned, and the result is a bound.
 *  4. Equal labels that are left are paired in their order: they moved.
 */
#include "answer/diff/order.h"

#include <glib.h>

struct side {
    const uint32_t *labels; /* whole */
    uint32_t *at;           /* positions that are not left out */
    uint32_t *key;          /* their labels */
    uint32_t n;
};

struct work {
    struct ct_order *order;
    struct side a, b;
    uint64_t *budget;
    int64_t *forward, *backward; /* of Myers, from their middle on */
};

static void keep(struct work *work, uint32_t i, uint32_t j)
{
    uint32_t a = work->a.at[i], b = work->b.at[j];

    work->order->to_b[a] = b;
    work->order->to_a[b] = a;
    work->order->kept[a] = 1;
}

/* --- 3: between anchors ----------------------------------------------- */

struct snake {
    uint32_t x0, y0, x1, y1;
};

/* false: the budget is spent */
static bool middle(struct work *work, const uint32_t *a, int64_t n,
                   const uint32_t *b, int64_t m, struct snake *ret_snake)
{
    int64_t *forward = work->forward, *backward = work->backward;
    int64_t delta = n - m;
    bool is_odd = delta & 1;

    forward[1] = backward[1] = 0;
    for (int64_t d = 0;; d++) {
        int64_t low = -d + 2 * MAX(0, d - m);
        int64_t high = d - 2 * MAX(0, d - n);
        uint64_t cost = (uint64_t)(2 * d + 2);

        if (*work->budget < cost) {
            *work->budget = 0;
            return false;
        }
        *work->budget -= cost;
        for (int64_t k = low; k <= high; k += 2) {
            bool is_down =
                k == -d || (k != d && forward[k - 1] < forward[k + 1]);
            int64_t x0 = is_down ? forward[k + 1] : forward[k - 1] + 1;
            int64_t x = x0;
            while (x < n && x - k < m && a[x] == b[x - k]) {
                x++;
            }
            forward[k] = x;
            if (is_odd && ABS(delta - k) <= d - 1 &&
                x + backward[delta - k] >= n) {
                *ret_snake = (struct snake){(uint32_t)x0, (uint32_t)(x0 - k),
                                            (uint32_t)x, (uint32_t)(x - k)};
                return true;
            }
        }
        for (int64_t k = low; k <= high; k += 2) {
            bool is_down =
                k == -d || (k != d && backward[k - 1] < backward[k + 1]);
            int64_t x0 = is_down ? backward[k + 1] : backward[k - 1] + 1;
            int64_t x = x0;
            while (x < n && x - k < m && a[n - 1 - x] == b[m - 1 - (x - k)]) {
                x++;
            }
            backward[k] = x;
            if (!is_odd && ABS(delta - k) <= d && x + forward[delta - k] >= n) {
                *ret_snake = (struct snake){
                    (uint32_t)(n - x), (uint32_t)(m - (x - k)),
                    (uint32_t)(n - x0), (uint32_t)(m - (x0 - k))};
                return true;
            }
        }
    }
}

static void solve(struct work *work, uint32_t i, uint32_t n, uint32_t j,
                  uint32_t m)
{
    const uint32_t *a = work->a.key, *b = work->b.key;
    struct snake snake;

    for (; n && m && a[i] == b[j]; i++, j++, n--, m--) {
        keep(work, i, j);
    }
    for (; n && m && a[i + n - 1] == b[j + m - 1]; n--, m--) {
        keep(work, i + n - 1, j + m - 1);
    }
    if (!n || !m) {
        return;
    }
    if (!middle(work, a + i, n, b + j, m, &snake)) {
        work->order->bound = true;
        return;
    }
    solve(work, i, snake.x0, j, snake.y0);
    for (uint32_t x = snake.x0, y = snake.y0; x < snake.x1; x++, y++) {
        keep(work, i + x, j + y);
    }
    solve(work, i + snake.x1, n - snake.x1, j + snake.y1, m - snake.y1);
}

/* --- 2: anchors ------------------------------------------------------- */

/* Positions in a of the longest chain whose positions in b increase. */
static GArray *longest_chain(const uint32_t *in_b, uint32_t n)
{
    GArray *chain = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    uint32_t *tails = g_new(uint32_t, n + 1); /* by length: position in a */
    uint32_t *before = g_new(uint32_t, n + 1);
    uint32_t length = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (in_b[i] == CT_NO_PARTNER) {
            continue;
        }
        uint32_t low = 0, high = length;
        if (length && in_b[tails[length - 1]] < in_b[i]) {
            low = length;
        }
        while (low < high) {
            uint32_t at = low + (high - low) / 2;
            if (in_b[tails[at]] < in_b[i]) {
                low = at + 1;
            } else {
                high = at;
            }
        }
        before[i] = low ? tails[low - 1] : CT_NO_PARTNER;
        tails[low] = i;
        length = MAX(length, low + 1);
    }
    g_array_set_size(chain, length);
    for (uint32_t i = length ? tails[length - 1] : 0, k = length; k-- > 0;
         i = before[i]) {
        g_array_index(chain, uint32_t, k) = i;
    }
    g_free(tails);
    g_free(before);
    return chain;
}

static void keep_anchors(struct work *work, const uint32_t *n_in_a,
                         const uint32_t *n_in_b, uint32_t *place)
{
    uint32_t *in_b = g_new(uint32_t, work->a.n + 1);
    uint32_t i = 0, j = 0;

    for (uint32_t k = 0; k < work->b.n; k++) {
        place[work->b.key[k]] = k;
    }
    for (uint32_t k = 0; k < work->a.n; k++) {
        uint32_t label = work->a.key[k];
        bool is_once = n_in_a[label] == 1 && n_in_b[label] == 1;
        in_b[k] = is_once ? place[label] : CT_NO_PARTNER;
    }
    GArray *chain = longest_chain(in_b, work->a.n);
    for (unsigned k = 0; k < chain->len; k++) {
        uint32_t x = g_array_index(chain, uint32_t, k);
        uint32_t y = in_b[x];
        solve(work, i, x - i, j, y - j);
        keep(work, x, y);
        i = x + 1;
        j = y + 1;
    }
    solve(work, i, work->a.n - i, j, work->b.n - j);
    g_array_unref(chain);
    g_free(in_b);
}

/* --- 1 and 4 ---------------------------------------------------------- */

static void leave_out(struct side *side, uint32_t n, const uint32_t *n_in_other)
{
    side->at = g_new(uint32_t, n + 1);
    side->key = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        if (n_in_other[side->labels[i]]) {
            side->at[side->n] = i;
            side->key[side->n++] = side->labels[i];
        }
    }
}

static void pair_moved(struct work *work, uint32_t *first, uint32_t *next)
{
    struct ct_order *order = work->order;

    for (uint32_t k = 0; k < work->b.n; k++) {
        first[work->b.key[k]] = CT_NO_PARTNER;
    }
    for (uint32_t k = work->b.n; k-- > 0;) {
        uint32_t b = work->b.at[k];
        if (order->to_a[b] == CT_NO_PARTNER) {
            next[b] = first[work->b.key[k]];
            first[work->b.key[k]] = b;
        }
    }
    for (uint32_t k = 0; k < work->a.n; k++) {
        uint32_t a = work->a.at[k];
        uint32_t b = first[work->a.key[k]];
        if (order->to_b[a] == CT_NO_PARTNER && b != CT_NO_PARTNER) {
            order->to_b[a] = b;
            order->to_a[b] = a;
            first[work->a.key[k]] = next[b];
        }
    }
}

void ct_order_align(struct ct_order *order, const uint32_t *a, uint32_t n_a,
                    const uint32_t *b, uint32_t n_b, uint32_t n_labels,
                    uint64_t *budget)
{
    uint32_t *n_in_a = g_new0(uint32_t, n_labels);
    uint32_t *n_in_b = g_new0(uint32_t, n_labels);
    uint32_t *scratch = g_new(uint32_t, n_labels);
    struct work work = {
        .order = order, .a.labels = a, .b.labels = b, .budget = budget};

    *order = (struct ct_order){.n_a = n_a, .n_b = n_b};
    order->to_b = g_new(uint32_t, n_a + 1);
    order->to_a = g_new(uint32_t, n_b + 1);
    order->kept = g_new0(uint8_t, n_a + 1);
    for (uint32_t i = 0; i < n_a; i++) {
        order->to_b[i] = CT_NO_PARTNER;
        n_in_a[a[i]]++;
    }
    for (uint32_t i = 0; i < n_b; i++) {
        order->to_a[i] = CT_NO_PARTNER;
        n_in_b[b[i]]++;
    }
    leave_out(&work.a, n_a, n_in_b);
    leave_out(&work.b, n_b, n_in_a);

    size_t diagonals = (size_t)work.a.n + work.b.n + 3;
    int64_t *both = g_new(int64_t, 2 * (2 * diagonals + 1));
    work.forward = both + diagonals;
    work.backward = both + 3 * diagonals + 1;
    keep_anchors(&work, n_in_a, n_in_b, scratch);
    g_free(both);

    uint32_t *next = g_new(uint32_t, n_b + 1);
    pair_moved(&work, scratch, next);
    g_free(next);
    g_free(work.a.at);
    g_free(work.a.key);
    g_free(work.b.at);
    g_free(work.b.key);
    g_free(scratch);
    g_free(n_in_a);
    g_free(n_in_b);
}

void ct_order_fini(struct ct_order *order)
{
    g_free(order->to_b);
    g_free(order->to_a);
    g_free(order->kept);
}
