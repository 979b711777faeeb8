/* SPDX-License-Identifier: MIT */
/*
 * commands/gate.h - what of a comparison makes a script stop
 *
 * Model:    a list of words (--fail-on) and, of a result, which of them apply,
 *           with the reason.
 * Threads:  main thread only.
 * Memory:   the caller's.
 * Errors:   a word that means nothing.
 * Depends:  ct/diff.h, ct/findings.h.
 */
#ifndef CT_COMMANDS_GATE_H
#define CT_COMMANDS_GATE_H

#include "ct/diff.h"
#include "ct/findings.h"

enum ct_gate_time {
    CT_GATE_P50,
    CT_GATE_P99,
    CT_GATE_MEAN,
    CT_GATE_TIMES,
};

struct ct_gate {
    bool is_set; /* else nothing is asked of it */
    bool order, missing, result, findings;
    bool times[CT_GATE_TIMES];
    uint64_t percent[CT_GATE_TIMES]; /* that it may grow */
};

#define CT_GATE_WORDS \
    "order, missing, result, findings, p50:+N%, p99:+N%, mean:+N%"

/** ct_gate_parse() - "order,p99:+10%"; adds to @gate.  False: no such list. */
bool ct_gate_parse(struct ct_gate *gate, const char *list);

/** ct_gate_unjudged() - of what it asks, what nothing is known of; ", "
 * between; NULL: all can be judged
 * @truncated: of A and B: there were more findings than are kept
 * @untimed: likewise: findings need times, and it has none
 * Return: the caller frees it.
 */
char *ct_gate_unjudged(const struct ct_gate *gate, const struct ct_diff *diff,
                       const bool truncated[], const bool untimed[]);

/** ct_gate_findings() - each kind with the function that it is about, once, is
 * added; char *, owned */
void ct_gate_findings(const struct ct_findings_result *result,
                      GPtrArray *findings);

/**
 * ct_gate_reasons() - why it fails, "; " between them; NULL: it does not
 * @findings: of A and B; looked at if @gate asks for them
 * Return: the caller frees it.
 */
char *ct_gate_reasons(const struct ct_gate *gate, const struct ct_diff *diff,
                      GPtrArray *const findings[]);

#endif
