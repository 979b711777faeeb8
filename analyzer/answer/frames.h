/* SPDX-License-Identifier: MIT */
/*
 * answer/frames.h - stacks and origins become frames with names
 *
 * Model:    made when a pass has ended; backtraces are added one after the
 *           other, each between begin and end.
 * Threads:  one.
 * Memory:   frames and their strings are valid until ct_frames_free(); they
 *           need the pass no more.
 * Errors:   none; what is missing is told by frames and `complete`.
 * Depends:  ct/backtrace.h.
 */
#ifndef CT_ANSWER_FRAMES_H
#define CT_ANSWER_FRAMES_H

#include "ct/backtrace.h"

struct ct_frames;

/** ct_frames_new() - @summary is borrowed as long as frames are added; @files:
 * see ct_symbols_new() */
struct ct_frames *ct_frames_new(const struct ct_summary *summary,
                                struct ct_symbol_files *files);
void ct_frames_free(struct ct_frames *frames);

/** ct_frames_begin() - a new backtrace, without frames yet */
void ct_frames_begin(struct ct_frames *frames);

/** ct_frames_add_stack() - a whole stack, its pieces from the inside out */
void ct_frames_add_stack(struct ct_frames *frames, int32_t pid, uint64_t stack);

/**
 * ct_frames_add_origins() - behind each boundary the stack that lies outside
 * @origin:    innermost; NULL: none
 * @has_inner: the time of what lies inside the innermost boundary is known
 */
void ct_frames_add_origins(struct ct_frames *frames,
                           const struct ct_origin *origin, bool has_inner,
                           int64_t inner_ns);

/**
 * ct_frames_end() - the backtrace that was begun
 * @ret_complete: nothing is known to be missing
 * Return: its frames, innermost first; the caller may change them.
 */
struct ct_frame *ct_frames_end(struct ct_frames *frames, unsigned *ret_n,
                               bool *ret_complete);

/** ct_frames_keep() - a copy that lives as long as the frames; NULL for NULL */
const char *ct_frames_keep(struct ct_frames *frames, const char *string);

#endif
