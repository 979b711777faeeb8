/* SPDX-License-Identifier: MIT */
/*
 * views/frames.h - the frames of a logical backtrace, as JSON and as text
 *
 * Depends:  ct/backtrace.h, out/json.h, out/terminal.h.
 */
#ifndef CT_VIEWS_FRAMES_H
#define CT_VIEWS_FRAMES_H

#include "ct/backtrace.h"
#include "out/json.h"
#include "out/terminal.h"

/** ct_frames_json_stack() - "stack": the id by which the trace knows the one
 * that follows; 0: null */
void ct_frames_json_stack(struct ct_json *json, uint64_t stack);

/** ct_frames_json() - an array; times from @origin_ns */
void ct_frames_json(struct ct_json *json, const struct ct_frame *frames,
                    unsigned n, int64_t origin_ns);

/** ct_frames_text() - a line a frame
 * @complete: nothing is missing at the outer end */
void ct_frames_text(const struct ct_text *text, const struct ct_frame *frames,
                    unsigned n, bool complete);

#endif
