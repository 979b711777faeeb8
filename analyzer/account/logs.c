/* SPDX-License-Identifier: MIT */
/*
 * Logs of what ran.
 *
 * Nobody looks further back than to the begin of a wait that is still open, and
 * everybody looks as far as to now.  So what ended before the first open wait
 * is dropped, and between the begins of two waits the order does not matter:
 * when a log has grown, the pieces of each such span become a few sums.
 *
 * With very many waits there are as many spans, and each that ends asks for all
 * since its begin.  So that this does not cost all of them each time, aligned
 * blocks of the log, and pairs of blocks, are settled once and taken as they
 * are by whoever asks for all of them: a question looks at some blocks of each
 * size, and at single pieces at both ends.
 */
#include "account/logs.h"

#include <stdlib.h>
#include <string.h>

enum { LOG_MIN = 1024 };

struct block {
    int64_t begin_ns, end_ns; /* of all its pieces */
    unsigned n;
    struct ct_ran v[CT_RAN_MAX];
};

/* What of a piece lies in from .. to. */
static struct ct_ran part(const struct ct_piece *piece, int64_t from_ns,
                          int64_t to_ns)
{
    struct ct_ran what = piece->what;

    if (piece->is_sum) {
        what.ns = piece->begin_ns < from_ns ? 0 : what.ns;
    } else {
        what.ns = MIN(piece->end_ns, to_ns) - MAX(piece->begin_ns, from_ns);
    }
    if (piece->begin_ns < from_ns || piece->begin_ns >= to_ns) {
        what.count = 0;
    }
    return what;
}

/* --- blocks ----------------------------------------------------------- */

static void forget_blocks(struct ct_log *log)
{
    for (unsigned level = 0; level < CT_LOG_LEVELS; level++) {
        if (log->blocks[level]) {
            g_ptr_array_set_size(log->blocks[level], 0);
        }
    }
}

void ct_log_changed(struct ct_log *log, unsigned at)
{
    at /= CT_LOG_BLOCK;
    for (unsigned level = 0; level < CT_LOG_LEVELS; level++, at /= 2) {
        GPtrArray *blocks = log->blocks[level];
        if (blocks && at < blocks->len && blocks->pdata[at]) {
            g_free(blocks->pdata[at]);
            blocks->pdata[at] = NULL;
        }
    }
}

static const struct block *block_of(struct ct_log *log, unsigned level,
                                    unsigned at);

static struct block *settle(struct ct_log *log, unsigned level, unsigned at)
{
    struct block *block = g_new0(struct block, 1);
    struct ct_ran_list list = {0};

    block->begin_ns = INT64_MAX;
    block->end_ns = INT64_MIN;
    if (level == 0) {
        for (unsigned i = 0; i < CT_LOG_BLOCK; i++) {
            const struct ct_piece *piece = &log->v[at * CT_LOG_BLOCK + i];
            struct ct_ran what = part(piece, piece->begin_ns, INT64_MAX);
            ct_ran_add(&list, &what);
            block->begin_ns = MIN(block->begin_ns, piece->begin_ns);
            block->end_ns = MAX(block->end_ns, piece->end_ns);
        }
    } else {
        for (unsigned i = 0; i < 2; i++) {
            const struct block *half = block_of(log, level - 1, at * 2 + i);
            for (unsigned k = 0; k < half->n; k++) {
                ct_ran_add(&list, &half->v[k]);
            }
            block->begin_ns = MIN(block->begin_ns, half->begin_ns);
            block->end_ns = MAX(block->end_ns, half->end_ns);
        }
    }
    ct_ran_settle(&list, 0);
    block->n = list.n;
    if (list.n) {
        memcpy(block->v, list.v, list.n * sizeof(*list.v));
    }
    ct_ran_fini(&list);
    return block;
}

static const struct block *block_of(struct ct_log *log, unsigned level,
                                    unsigned at)
{
    GPtrArray *blocks = log->blocks[level];

    if (!blocks) {
        blocks = log->blocks[level] = g_ptr_array_new_with_free_func(g_free);
    }
    if (at >= blocks->len) {
        g_ptr_array_set_size(blocks, (int)at + 1);
    }
    if (!blocks->pdata[at]) {
        blocks->pdata[at] = settle(log, level, at);
    }
    return blocks->pdata[at];
}

/* The largest one that ends at @end and lies in between; NULL: none. */
static const struct block *block_within(struct ct_log *log, unsigned end,
                                        int64_t from_ns, int64_t now_ns,
                                        unsigned *ret_pieces)
{
    const struct block *found = NULL;
    unsigned pieces = CT_LOG_BLOCK;

    for (unsigned level = 0; level < CT_LOG_LEVELS && end % pieces == 0;
         level++, pieces *= 2) {
        /* In the order of ends: with the first one's end, part of it is in. */
        if (end < pieces || log->v[end - pieces].end_ns <= from_ns) {
            break;
        }
        const struct block *block = block_of(log, level, end / pieces - 1);
        if (block->begin_ns < from_ns || block->end_ns > now_ns) {
            break;
        }
        found = block;
        *ret_pieces = pieces;
    }
    return found;
}

/* --- sums ------------------------------------------------------------- */

static int by_begin(const void *a, const void *b)
{
    const struct ct_piece *one = a;
    const struct ct_piece *other = b;

    return (one->begin_ns > other->begin_ns) -
           (one->begin_ns < other->begin_ns);
}

static void append(struct ct_log *log, const struct ct_piece *piece)
{
    if (log->n == log->capacity) {
        log->capacity = MAX(64, log->capacity * 2);
        log->v = g_renew(struct ct_piece, log->v, log->capacity);
    }
    log->v[log->n++] = *piece;
}

/* What is going on in a span, and from where on there is more. */
struct sweep {
    const struct ct_log *log; /* by begin */
    unsigned next;
    GArray *active; /* unsigned */
    struct ct_ran_list sum;
};

/* The end of what is in the span; its pieces are added up. */
static int64_t sweep_span(struct sweep *sweep, int64_t from_ns, int64_t to_ns)
{
    const struct ct_log *log = sweep->log;
    int64_t last_ns = from_ns;
    unsigned kept = 0;

    for (; sweep->next < log->n && log->v[sweep->next].begin_ns < to_ns;
         sweep->next++) {
        g_array_append_val(sweep->active, sweep->next);
    }
    sweep->sum.n = 0;
    for (unsigned i = 0; i < sweep->active->len; i++) {
        unsigned at = g_array_index(sweep->active, unsigned, i);
        const struct ct_piece *piece = &log->v[at];
        if (piece->end_ns > from_ns) {
            struct ct_ran what = part(piece, from_ns, to_ns);
            ct_ran_add(&sweep->sum, &what);
            last_ns = MAX(last_ns, MIN(piece->end_ns, to_ns));
            g_array_index(sweep->active, unsigned, kept++) = at;
        }
    }
    g_array_set_size(sweep->active, kept);
    ct_ran_settle(&sweep->sum, 0);
    return last_ns;
}

/* The sums of the spans between the begins of the open waits. */
static void sum_up(struct ct_log *log, const struct ct_wait *waits)
{
    struct ct_log sums = {0};
    struct sweep sweep = {.log = log};

    sweep.active = g_array_new(FALSE, FALSE, sizeof(unsigned));
    qsort(log->v, log->n, sizeof(*log->v), by_begin);
    for (const struct ct_wait *wait = waits->next; wait != waits;
         wait = wait->next) {
        int64_t from_ns = wait->begin_ns;
        int64_t to_ns = wait->next == waits ? INT64_MAX : wait->next->begin_ns;
        if (from_ns == to_ns) {
            continue;
        }
        int64_t last_ns = sweep_span(&sweep, from_ns, to_ns);
        for (unsigned i = 0; i < sweep.sum.n; i++) {
            append(&sums, &(struct ct_piece){.begin_ns = from_ns,
                                             .end_ns = last_ns,
                                             .is_sum = true,
                                             .what = sweep.sum.v[i]});
        }
    }
    g_array_unref(sweep.active);
    ct_ran_fini(&sweep.sum);
    g_free(log->v);
    log->v = sums.v;
    log->n = sums.n;
    log->capacity = sums.capacity;
    log->limit = MAX(LOG_MIN, sums.n * 2);
}

void ct_log_add(struct ct_log *log, const struct ct_wait *waits,
                int64_t begin_ns, int64_t end_ns, const struct ct_ran *what)
{
    if (log->n >= MAX(LOG_MIN, log->limit)) {
        forget_blocks(log);
        if (waits->next == waits) {
            log->n = 0;
        } else {
            sum_up(log, waits);
        }
    }
    append(log, &(struct ct_piece){
                    .begin_ns = begin_ns, .end_ns = end_ns, .what = *what});
}

/* --- questions -------------------------------------------------------- */

void ct_log_parts(struct ct_log *log, int64_t from_ns, int64_t now_ns,
                  struct ct_ran_list *list)
{
    unsigned i = log->n;

    while (i > 0 && log->v[i - 1].end_ns > from_ns) {
        unsigned pieces;
        const struct block *block =
            block_within(log, i, from_ns, now_ns, &pieces);
        if (block) {
            for (unsigned k = 0; k < block->n; k++) {
                ct_ran_add(list, &block->v[k]);
            }
            i -= pieces;
        } else {
            struct ct_ran what = part(&log->v[--i], from_ns, now_ns);
            ct_ran_add(list, &what);
        }
    }
}

void ct_log_fini(struct ct_log *log)
{
    for (unsigned level = 0; level < CT_LOG_LEVELS; level++) {
        if (log->blocks[level]) {
            g_ptr_array_unref(log->blocks[level]);
        }
    }
    g_free(log->v);
    *log = (struct ct_log){0};
}
