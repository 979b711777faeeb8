/* SPDX-License-Identifier: MIT */
/*
 * ct/trace.h - open a trace, whatever it is, and run one pass over it
 *
 * Model:    ct_trace_run() recognises the trace, builds the babeltrace2 graph
 *           (source -> muxer -> sink.cotrace), runs it into a pass with the
 *           given consumers, and lets each finish.
 * Threads:  one trace at a time a thread.
 * Memory:   consumers are borrowed for the call.
 * Errors:   GError, domain CT_TRACE_ERROR, "FILE: what is wrong"; a damaged
 *           trace is no error: warned, and summary.complete is false.
 * Depends:  ct/consumer.h, ct/span.h.
 */
#ifndef CT_TRACE_H
#define CT_TRACE_H

#include "ct/consumer.h"
#include "ct/span.h"

#define CT_TRACE_ERROR ct_trace_error_quark()
GQuark ct_trace_error_quark(void);

enum ct_trace_error {
    CT_TRACE_ERROR_INPUT,  /* unreadable, no trace, no cotrace events */
    CT_TRACE_ERROR_QUERY,  /* the trace has no such entity */
    CT_TRACE_ERROR_OUTPUT, /* a consumer could not write */
    CT_TRACE_ERROR_GRAPH,  /* libbabeltrace2 failed */
};

struct ct_trace_options {
    void (*warning)(const char *text, void *data); /* one line, no newline */
    void (*progress)(uint64_t bytes, uint64_t total_bytes, void *data);
    void *data;
    struct ct_span span; /* what is shown; none: all */
};

/**
 * ct_trace_run() - one pass over a trace
 * @path:      a directory that holds CTF traces at any depth, or a text trace
 * @options:   NULL: no warnings, no progress
 * @consumers: NULL-terminated; every one's finish is called exactly once,
 *             whatever happens, unless the trace could not be opened
 */
bool ct_trace_run(const char *path, const struct ct_trace_options *options,
                  struct ct_consumer *const consumers[], GError **error);

#endif
