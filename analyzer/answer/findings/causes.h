/* SPDX-License-Identifier: MIT */
/*
 * findings/causes.h - the table of what is pointed at
 *
 * Model:    families point at causes while the pass runs; what has the same
 *           cause is one, with the worst case's place and backtrace.  Who was
 *           hurt may be known before the cause itself; a cause that was never
 *           seen is told to nobody.
 * Threads:  one pass, one thread.
 * Memory:   names and origins are borrowed for the call.
 * Errors:   none; of many causes of a kind, those that weigh most are kept.
 * Depends:  ct/findings.h.
 */
#ifndef CT_FINDINGS_CAUSES_H
#define CT_FINDINGS_CAUSES_H

#include "ct/findings.h"

struct ct_causes;

/* One occurrence. */
struct ct_seen {
    enum ct_finding_kind kind;
    int32_t pid;
    uint64_t cause; /* the function, mutex, pool ...: what makes it the same */
    const char *name; /* instead, or NULL */
    uint64_t times;   /* how often; 0: it is a part of what was counted */
    uint64_t of;      /* ... of how many that might have been */
    int64_t cost_ns;
    int64_t begin_ns, end_ns;
    bool is_open; /* the trace ends in it: stuck.c tells it if it is alone */
    uint64_t context, object, fn;
    unsigned depth;
    uint64_t request; /* that it hurt; 0: none */
    uint64_t stack;
    bool has_stack_ns;
    int64_t stack_ns;
    const struct ct_origin *origin;
    struct ct_finding_wait wait;
};

/** ct_causes_see() - one more */
void ct_causes_see(struct ct_causes *causes, const struct ct_seen *seen);

/** ct_causes_of() - one more that might have been, and was not
 * @is_first: it counts also if there has been none that was */
void ct_causes_of(struct ct_causes *causes, enum ct_finding_kind kind,
                  int32_t pid, uint64_t cause, bool is_first);

/** ct_causes_hurt() - it held @request up */
void ct_causes_hurt(struct ct_causes *causes, enum ct_finding_kind kind,
                    int32_t pid, uint64_t cause, const char *name,
                    uint64_t request);

const struct ct_findings_limits *ct_causes_limits(
    const struct ct_causes *causes);

/** ct_seen_in_request() - a segment of a request, with where that was begun */
struct ct_seen ct_seen_in_request(enum ct_finding_kind kind,
                                  const struct ct_request *request,
                                  const struct ct_segment *segment);

/* What is told of one at the end; borrowed. */
struct ct_told_cause {
    struct ct_finding finding; /* without names and frames */
    char *name;                /* or NULL: that of `fn` */
    uint64_t fn;
    uint64_t stack; /* 0: none */
    bool has_stack_ns;
    int64_t stack_ns;
    struct ct_origin *origin;
};

/** ct_causes_new() - @limits: below them a cause is not told; borrowed */
struct ct_causes *ct_causes_new(const struct ct_findings_limits *limits);
void ct_causes_free(struct ct_causes *causes);

/**
 * ct_causes_tell() - the pass is over: call @func for each that is worth it
 *
 * Return: those were all; false: one more might have been, but for what was
 * dropped.
 */
bool ct_causes_tell(struct ct_causes *causes,
                    void (*func)(const struct ct_told_cause *cause, void *data),
                    void *data);

#endif
