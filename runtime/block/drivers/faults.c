/* SPDX-License-Identifier: MIT */
/*
 * faults.c - a node above a file that fails as it is told to
 *
 * For tests of what is above, and of what a user sees of it.  Rules say which
 * operation of the file fails and how:
 *
 *   OP@N=ERROR      the Nth (from 1): once
 *   OP@N+=ERROR     the Nth, and all after it
 *   read@N=short:K  no error: only K bytes come at first, as a device may do;
 *                   the rest is read after them
 *
 * OP: read, write (zeroes, too), flush, discard, truncate.  ERROR: EIO, ENOSPC,
 * EAGAIN, EINVAL, ENOTSUP, EPERM.  Of a write that fails nothing is written.
 * Operations are counted in the order in which they begin; a flush only if
 * there was anything to flush.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/drivers/drivers.h"

static const struct {
    const char *word;
    int err;
} errors[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC},   {"EAGAIN", EAGAIN},
    {"EINVAL", EINVAL}, {"ENOTSUP", ENOTSUP}, {"EPERM", EPERM},
};

struct rule {
    enum block_op op;
    uint64_t nth;
    bool goes_on;
    int err;             /* 0: a short read */
    int64_t short_bytes; /* at least 1 */
};

struct faults_state {
    GArray *rules;              /* immutable once open */
    uint64_t counts[BLOCK_OPS]; /* home thread: begun so far */
};

/* --- rules --------------------------------------------------------------- */

static bool parse_op(const char *word, size_t n, enum block_op *ret_op)
{
    for (size_t i = 0; i < BLOCK_OPS; i++) {
        if (strlen(block_op_words[i]) == n &&
            strncmp(block_op_words[i], word, n) == 0) {
            *ret_op = (enum block_op)i;
            return true;
        }
    }
    return false;
}

static bool parse_effect(const char *word, struct rule *rule)
{
    char *end;

    if (g_str_has_prefix(word, "short:") && rule->op == BLOCK_OP_READ) {
        const char *number = word + strlen("short:");
        rule->short_bytes = strtoll(number, &end, 10);
        return end != number && *end == '\0' && rule->short_bytes > 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        if (strcmp(errors[i].word, word) == 0) {
            rule->err = errors[i].err;
            return true;
        }
    }
    return false;
}

static bool parse_rule(const char *text, struct rule *rule)
{
    const char *at = strchr(text, '@');
    char *end;

    *rule = (struct rule){0};
    if (at == NULL || !parse_op(text, (size_t)(at - text), &rule->op) ||
        !g_ascii_isdigit(at[1])) {
        return false;
    }
    rule->nth = strtoull(at + 1, &end, 10);
    if (*end == '+') {
        rule->goes_on = true;
        end++;
    }
    return rule->nth > 0 && *end == '=' && parse_effect(end + 1, rule);
}

static int faults_open(BlockDriverState *bs, GError **error)
{
    struct faults_state *s = bs->opaque;

    s->rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
    for (size_t i = 0;
         bs->options.faults != NULL && bs->options.faults[i] != NULL; i++) {
        struct rule rule;

        if (!parse_rule(bs->options.faults[i], &rule)) {
            g_array_free(s->rules, TRUE);
            return block_error(error, EINVAL, "no fault (OP@N=ERROR): '%s'",
                               bs->options.faults[i]);
        }
        g_array_append_val(s->rules, rule);
    }
    bs->bytes = bdrv_length(bs->file);
    return 0;
}

static void faults_close(BlockDriverState *bs)
{
    struct faults_state *s = bs->opaque;

    g_array_free(s->rules, TRUE);
}

/* One more operation begins; Return: the rule for it, NULL: none */
static const struct rule *next_rule(BlockDriverState *bs, enum block_op op)
{
    struct faults_state *s = bs->opaque;
    uint64_t nth = ++s->counts[op];

    for (guint i = 0; i < s->rules->len; i++) {
        const struct rule *rule = &g_array_index(s->rules, struct rule, i);
        if (rule->op == op &&
            (rule->nth == nth || (rule->goes_on && rule->nth < nth))) {
            return rule;
        }
    }
    return NULL;
}

/* Return: 0, or -errno */
static int next_error(BlockDriverState *bs, enum block_op op)
{
    const struct rule *rule = next_rule(bs, op);

    return rule != NULL ? -rule->err : 0;
}

/* --- operations ---------------------------------------------------------- */

static int coroutine_fn faults_co_preadv(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, const IOVector *vector,
                                         size_t offset_in, unsigned flags)
{
    const struct rule *rule = next_rule(bs, BLOCK_OP_READ);
    int ret = rule != NULL ? -rule->err : 0;

    if (ret == 0 && rule != NULL && rule->short_bytes < bytes) {
        int64_t n = rule->short_bytes;

        ret =
            bdrv_co_preadv_part(bs->file, offset, n, vector, offset_in, flags);
        offset += n;
        offset_in += (size_t)n;
        bytes -= n;
    }
    if (ret >= 0) {
        ret = bdrv_co_preadv_part(bs->file, offset, bytes, vector, offset_in,
                                  flags);
    }
    return ret;
}

static int coroutine_fn faults_co_pwritev(BlockDriverState *bs, int64_t offset,
                                          int64_t bytes, const IOVector *vector,
                                          size_t offset_in, unsigned flags)
{
    int ret = next_error(bs, BLOCK_OP_WRITE);

    if (ret == 0) {
        ret = bdrv_co_pwritev_part(bs->file, offset, bytes, vector, offset_in,
                                   flags);
    }
    return ret;
}

static int coroutine_fn faults_co_pwrite_zeroes(BlockDriverState *bs,
                                                int64_t offset, int64_t bytes,
                                                unsigned flags)
{
    int ret = next_error(bs, BLOCK_OP_WRITE);

    if (ret == 0) {
        ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
    }
    return ret;
}

static int coroutine_fn faults_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                           int64_t bytes)
{
    int ret = next_error(bs, BLOCK_OP_DISCARD);

    if (ret == 0) {
        ret = bdrv_co_pdiscard(bs->file, offset, bytes);
    }
    return ret;
}

/* The file's own flush follows (block/manage.c). */
static int coroutine_fn faults_co_flush_to_disk(BlockDriverState *bs)
{
    return next_error(bs, BLOCK_OP_FLUSH);
}

static int coroutine_fn faults_co_truncate(BlockDriverState *bs, int64_t bytes)
{
    int ret = next_error(bs, BLOCK_OP_TRUNCATE);

    if (ret == 0) {
        ret = bdrv_co_truncate(bs->file, bytes);
    }
    if (ret == 0) {
        bdrv_set_length(bs, bdrv_length(bs->file));
    }
    return ret;
}

static int coroutine_fn faults_co_preallocate(BlockDriverState *bs,
                                              int64_t offset, int64_t bytes,
                                              PreallocMode mode)
{
    int ret = next_error(bs, BLOCK_OP_WRITE);

    return ret == 0 ? bdrv_co_preallocate(bs->file, offset, bytes, mode) : ret;
}

static int coroutine_fn faults_co_block_status(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               int64_t *ret_bytes)
{
    return bdrv_co_block_status(bs->file, offset, bytes, ret_bytes);
}

const BlockDriver bdrv_faults = {
    .format_name = "faults",
    .instance_bytes = sizeof(struct faults_state),
    .open = faults_open,
    .close = faults_close,
    .co_preadv_part = faults_co_preadv,
    .co_pwritev_part = faults_co_pwritev,
    .co_pwrite_zeroes = faults_co_pwrite_zeroes,
    .co_pdiscard = faults_co_pdiscard,
    .co_flush_to_disk = faults_co_flush_to_disk,
    .co_preallocate = faults_co_preallocate,
    .co_truncate = faults_co_truncate,
    .co_block_status = faults_co_block_status,
};
