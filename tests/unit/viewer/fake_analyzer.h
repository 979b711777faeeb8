/* SPDX-License-Identifier: MIT */
/*
 * fake_analyzer.h - the analyzer's doors as the viewer's tests need them
 *
 * Model:    link fake_analyzer.c instead of the analyzer; put results into the
 *           variables before the view finishes.
 * Depends:  ct/stat.h, ct/backtrace.h, ct/alive.h.
 */
#ifndef FAKE_ANALYZER_H
#define FAKE_ANALYZER_H

#include "ct/alive.h"
#include "ct/backtrace.h"
#include "ct/findings.h"
#include "ct/stat.h"

/* Functions from here on have no name. */
#define FAKE_NAMELESS UINT64_C(0x7f0000000000)

extern struct ct_stat_result fake_stat;
extern struct ct_backtrace fake_backtrace;
extern struct ct_alive_result fake_alive;
extern struct ct_findings_result fake_findings;

/** fake_stat_make() - two contexts, a pool, a class; the first has @name */
void fake_stat_make(const struct ct_summary *summary, uint64_t n_requests,
                    int32_t pid, uint64_t callback, const char *name);

/** fake_findings_make() - two of them; the first with the frames */
void fake_findings_make(const struct ct_frame *frames, unsigned n_frames,
                        int64_t origin_ns, const char *function);

#endif
