/* SPDX-License-Identifier: MIT */
/*
 * pass.h - the spine: records in, consumers called
 *
 * Model:    fresh -> records, in time order -> finished.  The pass stops taking
 *           records when no consumer wants more.
 * Threads:  one thread.
 * Memory:   consumers are borrowed until ct_pass_finish() has returned.
 * Errors:   a consumer's failure comes out of ct_pass_finish().
 * Depends:  ct/record.h, ct/consumer.h, ct/span.h.
 */
#ifndef CT_PASS_H
#define CT_PASS_H

#include "ct/consumer.h"
#include "ct/record.h"
#include "ct/span.h"

struct ct_pass;

/**
 * @consumers: NULL-terminated; the array too is borrowed
 * @span:      what they are told of; NULL: all
 */
struct ct_pass *ct_pass_new(struct ct_consumer *const consumers[],
                            const struct ct_span *span);
void ct_pass_free(struct ct_pass *pass);

/** ct_pass_set_warning() - who is told what consumers should know while they
 * finish: lines without newline */
void ct_pass_set_warning(struct ct_pass *pass,
                         void (*warning)(const char *text, void *data),
                         void *data);

/** ct_pass_set_program() - what the trace is of, by a note beside it
 * @program: borrowed until ct_pass_finish() has returned; NULL: not known */
void ct_pass_set_program(struct ct_pass *pass, const char *program);

/**
 * ct_pass_record() - the next record
 * Return: false: no record is wanted any more: every consumer has failed, or
 * the pass is to end before it.
 */
bool ct_pass_record(struct ct_pass *pass, const struct ct_record *record);

/** ct_pass_end_ns() - from the first event: what is later no consumer is told
 * of; INT64_MAX: they want all */
int64_t ct_pass_end_ns(const struct ct_pass *pass);

/** ct_pass_is_over() - the consumers wanted it to end before the trace's end */
bool ct_pass_is_over(const struct ct_pass *pass);

/** ct_pass_has_span() - does the trace have what was asked for?
 * Return: false: @error, and nobody was told of anything. */
bool ct_pass_has_span(const struct ct_pass *pass, GError **error);

/** ct_pass_events() - events so far, and how many of them were cotrace's */
uint64_t ct_pass_events(const struct ct_pass *pass, uint64_t *ret_ours);

/** ct_pass_lost() - how many events are known to be missing so far
 * Return: false: there may be more, nobody counted them */
bool ct_pass_lost(const struct ct_pass *pass, uint64_t *ret_lost);

/**
 * ct_pass_finish() - tell what is open, then call every consumer's finish
 * @complete: nothing of the trace was damaged or missing at its end
 * @error:    of the first consumer that failed
 *
 * Call it exactly once, and not where ct_pass_has_span() says no.
 */
bool ct_pass_finish(struct ct_pass *pass, bool complete, GError **error);

#endif
