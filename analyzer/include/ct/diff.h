/* SPDX-License-Identifier: MIT */
/*
 * ct/diff.h - what is different between two runs of a program
 *
 * Model:    new -> a pass over each run with ct_diff_consumer() ->
 *           ct_diff_compare() -> (if ct_diff_wants_pass()) one more pass over
 *           each run with ct_diff_explainer(), for backtraces -> result.
 *           Decisions of both runs have labels that do not depend on addresses,
 *           ids or times.  Per context the two sequences are laid beside one
 *           another: what stands in the same order is kept, the rest has moved
 *           or is in one run only.
 *           A change is real if it turns a dependency round or if something
 *           that does not depend on timing is in one run only.
 * Threads:  one.
 * Memory:   the result is valid until ct_diff_free().
 * Errors:   GError, domain CT_TRACE_ERROR: nothing that can be compared.
 * Depends:  ct/backtrace.h, ct/consumer.h.
 */
#ifndef CT_DIFF_H
#define CT_DIFF_H

#include "ct/backtrace.h"
#include "ct/consumer.h"
#include "ct/request.h"

enum ct_diff_side {
    CT_DIFF_A,
    CT_DIFF_B,
    CT_DIFF_SIDES,
};

static inline enum ct_diff_side ct_diff_other(enum ct_diff_side side)
{
    return side == CT_DIFF_A ? CT_DIFF_B : CT_DIFF_A;
}

#define CT_DIFF_NONE UINT32_MAX

/* Why a change is real. */
enum ct_diff_reason {
    CT_DIFF_REASON_NONE,
    CT_DIFF_REASON_ORDER,   /* not known to be: the first change of any kind */
    CT_DIFF_REASON_CAUSE,   /* who asked for the other is another */
    CT_DIFF_REASON_LOCK,    /* another one got the lock first */
    CT_DIFF_REASON_POOL,    /* one overtook the other in a pool's queue */
    CT_DIFF_REASON_AFTER,   /* one waited for the end of the other */
    CT_DIFF_REASON_WORKERS, /* a pool had fewer workers for it */
    CT_DIFF_REASON_ONLY,    /* in one run only */
    CT_DIFF_REASON_WAKEUP,  /* one was not woken in one run */
    CT_DIFF_REASON_RESULT,  /* a request ended with another result */
    CT_DIFF_REASONS,
};

const char *ct_diff_reason_word(enum ct_diff_reason reason);

/* One decision, where it stands. */
struct ct_diff_place {
    bool is; /* false: there is none on this side */
    uint32_t label;
    uint32_t sequence;
    uint32_t position; /* in its sequence, from 0 */
    int64_t when_ns;   /* from its trace's origin */
    int32_t pid;       /* of what follows; 0: no backtrace */
    int32_t tid;
    bool complete; /* the frames reach the base of a thread */
    unsigned n_frames;
    const struct ct_frame *frames; /* innermost first */
};

struct ct_diff_change {
    enum ct_diff_reason reason; /* NONE: there is no such change */
    struct ct_diff_place side[CT_DIFF_SIDES]; /* what each run did first */
    struct ct_diff_place then[CT_DIFF_SIDES]; /* ... and later */
    struct ct_diff_place last; /* in a: what both did last; its sequence is
                                  that of the change */
    unsigned n_common;         /* outermost frames that both have */
    const char *common;        /* the innermost of them; NULL: none is known */
    unsigned workers[CT_DIFF_SIDES]; /* WORKERS: busy at once, at most */
    /* WAKEUP: what woke it in one run, and did not in the other */
    struct ct_diff_place waker[CT_DIFF_SIDES];
    enum ct_diff_side waits;    /* WAKEUP: the run in which it was not woken */
    int32_t ret[CT_DIFF_SIDES]; /* RESULT: -errno; 0: it did not fail */
};

/* Per context: what both runs decided there. */
struct ct_diff_sequence {
    const char *name;
    bool is_pool;
    uint32_t n[CT_DIFF_SIDES];
    const uint32_t *labels[CT_DIFF_SIDES];  /* as compared */
    const uint32_t *partner[CT_DIFF_SIDES]; /* position on the other side;
                                               CT_DIFF_NONE */
    const uint8_t *kept;                    /* by position in a */
    uint32_t n_kept, n_moved;
    unsigned peak_busy[CT_DIFF_SIDES]; /* pool: workers */
};

/* Decisions of one kind that changed places with those of another. */
struct ct_diff_pair {
    const char *first; /* classes: as in a */
    const char *then;
    uint64_t count;
    uint64_t real;
    enum ct_diff_reason reason; /* of the real ones */
};

/* Decisions of one kind that only one run has. */
struct ct_diff_only {
    const char *label; /* of the first */
    const char *group; /* class */
    uint64_t count;
    bool real; /* false: how often it happens is a matter of timing */
    uint32_t sequence, position;
    int64_t when_ns;
};

struct ct_diff_times {
    uint64_t n;
    int64_t p50_ns, p99_ns, mean_ns;
};

/* How long a class of requests took, as a whole or in one state; or a
 * callback, without what it called. */
struct ct_diff_latency {
    const char *label;
    bool is_request;
    bool is_work; /* a work item: it runs in a worker */
    bool has_state;
    enum ct_state state;
    struct ct_diff_times times[CT_DIFF_SIDES];
    int64_t z_milli; /* rank test, in thousandths; > 0: b takes longer */
    /* More than chance: of any row of a diff that is said by chance less than
       once in a thousand diffs. */
    bool sure;      /* most take longer, or less: the rank test */
    bool sure_mean; /* the mean is another: a permutation test */
    bool sure_p99;  /* the longest are one run's: a quantile test */
    bool bound;     /* a test was cut short: more than that may be sure */
};

/* What `cause` is the cause of. */
enum ct_diff_cause_of {
    CT_DIFF_CAUSE_OF_REQUESTS, /* a class of them takes longer, or less */
    CT_DIFF_CAUSE_OF_LONGEST,  /* the longest of a class do, and that only */
    CT_DIFF_CAUSE_OF_ITSELF,   /* it is what changed most */
};

struct ct_diff_result {
    bool identical; /* no real change */
    bool exact;     /* no change at all, and nothing unknown */
    bool bound;     /* alignment was cut short: there may be fewer changes */
    bool has_clock;
    bool complete[CT_DIFF_SIDES];
    uint64_t decisions[CT_DIFF_SIDES];
    uint64_t kept, moved, unknown; /* unknown: beside lost events, not judged */
    uint64_t real;                 /* changes */
    struct ct_diff_change first, first_real;
    uint64_t first_real_number; /* of ct_diff_real(), if there are any */
    unsigned n_sequences;
    const struct ct_diff_sequence *sequences;
    unsigned n_pairs;
    const struct ct_diff_pair *pairs; /* most frequent first */
    unsigned n_only[CT_DIFF_SIDES];
    const struct ct_diff_only *only[CT_DIFF_SIDES]; /* in order of the first */
    unsigned n_latency;                             /* 0 without a clock */
    const struct ct_diff_latency *latency; /* sure ones first, by their shift */
    const struct ct_diff_latency *cause;   /* explains most of it; NULL: none */
    enum ct_diff_cause_of cause_of;
};

enum ct_diff_mark {
    CT_DIFF_MARK_KEPT,
    CT_DIFF_MARK_MOVED,
    CT_DIFF_MARK_LOOSE, /* in one run only, by timing */
    CT_DIFF_MARK_ONLY,  /* in one run only, which is real */
    CT_DIFF_MARK_UNSURE,
};

/* One decision of a run, for those who draw it. */
struct ct_diff_item {
    uint32_t label;
    uint32_t sequence, position;
    uint32_t partner; /* number in the other run; CT_DIFF_NONE */
    int32_t tid;      /* work item: of its worker; else 0 */
    enum ct_diff_mark mark;
    int64_t begin_ns, end_ns; /* from its trace's origin; an end of a request
                                 lasts as long as the request */
};

/* A real change, by numbers of decisions; CT_DIFF_NONE: there is none. */
struct ct_diff_real {
    enum ct_diff_reason reason;
    uint32_t first[CT_DIFF_SIDES], then[CT_DIFF_SIDES];
};

/* A run as it is kept for later comparisons: tables of numbers, row by row. */
enum ct_saved_table {
    CT_SAVED_PROGRAMS,
    CT_SAVED_RANGES,
    CT_SAVED_LABELS,
    CT_SAVED_SEQUENCES,
    CT_SAVED_DECISIONS,
    CT_SAVED_LINKS,
    CT_SAVED_TAKEN,
    CT_SAVED_HOLES,
    CT_SAVED_READY,
    CT_SAVED_FAILED,
    CT_SAVED_TIMED,
    CT_SAVED_TIMES,
    CT_SAVED_TABLES,
};

struct ct_saved {
    bool has_clock;
    bool complete;
    GPtrArray *words;                /* char *, owned */
    GArray *tables[CT_SAVED_TABLES]; /* int64_t */
};

struct ct_saved *ct_saved_new(void);
void ct_saved_free(struct ct_saved *saved);
const char *ct_saved_table_name(enum ct_saved_table table);
unsigned ct_saved_table_columns(enum ct_saved_table table);

struct ct_diff;

struct ct_diff *ct_diff_new(void);
void ct_diff_free(struct ct_diff *diff);

/** ct_diff_consumer() - for the pass over one run */
struct ct_consumer *ct_diff_consumer(struct ct_diff *diff,
                                     enum ct_diff_side side);

/** ct_diff_save() - the run A, after its pass and before the one over B; the
 * caller frees it */
struct ct_saved *ct_diff_save(const struct ct_diff *diff);

/** ct_diff_restore() - a run that was saved as A, instead of a pass
 * Return: false: it is not what ct_diff_save() gives. */
bool ct_diff_restore(struct ct_diff *diff, const struct ct_saved *saved);

/** ct_diff_set_any_program() - programs of different names are compared, too;
 * else that is an error of ct_diff_compare() */
void ct_diff_set_any_program(struct ct_diff *diff);

/** ct_diff_compare() - after both passes, once
 * Return: false: they are not compared, and there is no result. */
bool ct_diff_compare(struct ct_diff *diff, GError **error);

/** ct_diff_wants_pass() - is there anything on this side to explain? */
bool ct_diff_wants_pass(const struct ct_diff *diff, enum ct_diff_side side);

/** ct_diff_explainer() - for one more pass, which ends early */
struct ct_consumer *ct_diff_explainer(struct ct_diff *diff,
                                      enum ct_diff_side side);

/** ct_diff_result() - borrowed; NULL unless ct_diff_compare() returned true.
 * The functions below are for after that only, but for ct_diff_program(). */
const struct ct_diff_result *ct_diff_result(const struct ct_diff *diff);

/** ct_diff_program() - names of a run's programs, in the order in which they
 * appear
 * Return: borrowed; NULL: it has no more that are known, or nothing was
 *         compared. */
const char *ct_diff_program(const struct ct_diff *diff, enum ct_diff_side side,
                            unsigned number);

/** ct_diff_item() - a decision by its number, below result->decisions[side] */
void ct_diff_item(const struct ct_diff *diff, enum ct_diff_side side,
                  uint32_t number, struct ct_diff_item *ret_item);

/** ct_diff_real() - a real change by its number, below result->real; in their
 * order */
void ct_diff_real(const struct ct_diff *diff, uint64_t number,
                  struct ct_diff_real *ret_real);

/** ct_diff_label_kind() - "work item", "begin" ... */
const char *ct_diff_label_kind(const struct ct_diff *diff, uint32_t label);

/** ct_diff_label() - what a label says; the caller frees it */
char *ct_diff_label(const struct ct_diff *diff, uint32_t label);

/** ct_diff_is_loose() - how often that happens is a matter of timing */
bool ct_diff_is_loose(const struct ct_diff *diff, uint32_t label);

#endif
