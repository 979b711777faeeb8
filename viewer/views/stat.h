/* SPDX-License-Identifier: MIT */
/*
 * views/stat.h - between the files that show totals
 *
 * Model:    stat.c has the view and the head of its text, stat_tables.c the
 *           rest, stat_json.c its JSON.
 * Threads:  one at a time.
 * Memory:   nothing is kept.
 * Errors:   those of the output.
 * Depends:  ct/stat.h, ct/backtrace.h, out/terminal.h.
 */
#ifndef CT_VIEWS_STAT_H
#define CT_VIEWS_STAT_H

#include "ct/backtrace.h"
#include "ct/stat.h"
#include "out/file.h"
#include "out/terminal.h"

/* Of the time of all requests, that of which it is known what they did. */
struct ct_stat_certain {
    int64_t ns, of_ns;
};

struct ct_stat_certain ct_stat_certain(const struct ct_stat_result *result);

/** ct_stat_is_bound() - events are missing: counts are of what was seen */
bool ct_stat_is_bound(const struct ct_summary *summary);

void ct_stat_json(struct ct_out *out, const struct ct_stat_result *result,
                  struct ct_symbols *symbols);

void ct_stat_contexts(struct ct_text *text, const struct ct_stat_result *result,
                      struct ct_symbols *symbols);
void ct_stat_pools(struct ct_text *text, const struct ct_stat_result *result);
void ct_stat_classes(struct ct_text *text, const struct ct_stat_result *result);

/** ct_stat_over_time() - how busy contexts and pools were, a column a bucket */
void ct_stat_over_time(struct ct_text *text,
                       const struct ct_stat_result *result);

#endif
