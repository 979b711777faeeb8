/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/labels.h - every scheduling decision of a run, with a label that
 * is the same in the next run
 *
 * Model:    a struct ct_run is a consumer of one pass.  Decisions are numbered
 *           in the order of the trace.  A label says what was decided: kind,
 *           the function's or callback's name, how it came to be entered, the
 *           request (operation, node, range, how often it came before), how
 *           often in it, where in the tree of creations.  A decision belongs to
 *           a sequence: what one context decided, or what the workers of one
 *           pool took.  Links are what orders decisions of different contexts
 *           or requests: later decisions depend on earlier ones.
 * Threads:  one pass, one thread.
 * Memory:   32 bytes a decision, 12 a link, 24 a work item, 8 a time, 8 a
 *           request that failed, and each different label once.  While the
 *           pass goes on 24 more a decision, 16 wherever one begins or ends,
 *           16 a request.  Labels and words are shared by the runs that are
 *           compared.
 * Errors:   none; what is not known is not in a label.
 * Depends:  ct/consumer.h, answer/diff/words.h.
 */
#ifndef CT_DIFF_LABELS_H
#define CT_DIFF_LABELS_H

#include "answer/diff/words.h"
#include "ct/consumer.h"
#include "ct/diff.h"

#define CT_NOWHERE UINT32_MAX

#define CT_SLICE_IS_REQUEST 0x80000000u

enum ct_decision_kind {
    CT_DECISION_COROUTINE, /* was entered */
    CT_DECISION_BH,        /* ran */
    CT_DECISION_TIMER,
    CT_DECISION_FD,
    CT_DECISION_WORK,     /* a worker took it */
    CT_DECISION_COMPLETE, /* the loop saw that a work item is done */
    CT_DECISION_BEGIN,    /* of an outermost request */
    CT_DECISION_END,
    CT_DECISION_KINDS,
};

/* A coroutine is entered ... */
enum ct_decision_how {
    CT_HOW_NONE,
    CT_HOW_FIRST,
    CT_HOW_WORK, /* after its work item was completed */
    CT_HOW_LOCK, /* after it waited for a lock */
    CT_HOW_AGAIN,
};

/* No padding: it is compared as bytes. */
struct ct_label {
    uint8_t kind;
    uint8_t how;
    uint16_t step;    /* how-manieth of the same in its request, from 1; 0: not
                         counted */
    uint32_t what;    /* word: function, callback or name */
    uint32_t request; /* word: "blk read NODE"; 0: none */
    uint32_t range;   /* of ct_shared's, + 1; 0: not told */
    uint32_t nth;     /* of the same request, from 1; 0: none */
    uint32_t parent;  /* word: what created it; 0: not known, or a request */
};

struct ct_decision {
    int64_t when_ns;
    int64_t other_ns; /* end of what was decided to run; of an end, when its
                         request began; else when_ns */
    uint32_t label;
    uint32_t slice; /* slice_began calls up to the run that it happened in, that
                       one included; 0: outside of all.  Of a begin whose stack
                       is told: CT_SLICE_IS_REQUEST and the request's number */
    uint32_t cause; /* decision that asked for it; CT_NOWHERE */
    uint32_t sequence;
};

enum ct_link_kind {
    CT_LINK_CAUSE, /* `from` asked for `to` */
    CT_LINK_LOCK,  /* had the lock that `to` waits for, or handed it over */
    CT_LINK_POOL,  /* the same worker took `to` next */
    CT_LINK_AFTER, /* the program waited for all requests, `from` the last */
    CT_LINK_KINDS,
};

struct ct_link {
    uint32_t from, to;
    uint32_t kind; /* enum ct_link_kind */
};

struct ct_taken {
    uint32_t decision; /* CT_DECISION_WORK */
    int32_t tid;       /* of the worker */
    unsigned busy;     /* workers of the pool, this one included */
    int64_t end_ns;    /* INT64_MAX: not seen */
};

struct ct_sequence {
    uint32_t name; /* word, unique in the run: "context (2)" */
    uint32_t told; /* word: what the program calls it, without a number */
    bool is_pool;
    unsigned peak_busy;
    unsigned peak_alive; /* workers that it had, or as far as is told might
                            have had; not less than peak_busy */
    uint64_t saturated;  /* how often an item waited while peak_busy were busy
                            and none was idle */
};

/* An end whose request failed. */
struct ct_failed {
    uint32_t decision; /* CT_DECISION_END */
    int32_t ret;       /* -errno */
};

/* A stretch of which not all is known. */
struct ct_hole {
    int64_t from_ns, to_ns;
};

/* What tells a run.  The numbers are those of a baseline. */
enum ct_told_in {
    CT_TOLD_IN_OURS,
    CT_TOLD_IN_QEMU, /* of an old baseline: with workers, or without */
    CT_TOLD_IN_QEMU_ALONE,
    CT_TOLD_IN_QEMU_WORKERS, /* ... and what was preloaded */
    CT_TOLD_INS,
};

/* What a run is of; the first has told_in for all. */
struct ct_program {
    uint32_t name; /* word; 0: not known, and then the only one */
    enum ct_told_in told_in;
};

struct ct_range {
    uint64_t offset, bytes;
};

struct ct_shared {
    struct ct_words words;
    struct ct_interned ranges; /* struct ct_range */
    struct ct_interned labels; /* struct ct_label */
    struct ct_symbol_files *files;
};

void ct_shared_init(struct ct_shared *shared);
void ct_shared_fini(struct ct_shared *shared);

static inline const struct ct_label *ct_shared_label(
    const struct ct_shared *shared, uint32_t label)
{
    return (const struct ct_label *)ct_interned_key(&shared->labels, label);
}

/** ct_label_text() - as people read it: "coroutine f of read disk 0+512, after
 * its work" */
char *ct_label_text(const struct ct_shared *shared, uint32_t label);

/** ct_label_class() - the same for all requests: without range and count */
char *ct_label_class(const struct ct_shared *shared, uint32_t label);

/** ct_label_base() - without what tells apart those that a run has several of
 */
static inline struct ct_label ct_label_base(const struct ct_label *label)
{
    struct ct_label base = *label;

    base.nth = label->nth ? 1 : 0;
    base.step = label->step ? 1 : 0;
    return base;
}

/** ct_label_is_loose() - is how often it comes a matter of timing?
 * Loops take several wake-ups at once, or one at a time. */
static inline bool ct_label_is_loose(const struct ct_label *label)
{
    return (label->kind >= CT_DECISION_BH && label->kind <= CT_DECISION_FD) ||
           label->how == CT_HOW_LOCK || label->how == CT_HOW_AGAIN;
}

/**
 * ct_sequence_name() - a name that is not taken yet: "NAME", "NAME (2)" ...
 * @taken: set of words, to which it is added
 * @told:  word: NAME
 * @nth:   0 at first, kept for the next one of that name
 */
uint32_t ct_sequence_name(struct ct_words *words, GHashTable *taken,
                          uint32_t told, unsigned *nth);

const char *ct_decision_word(enum ct_decision_kind kind);
const char *ct_link_word(enum ct_link_kind kind);

struct ct_run; /* contains a struct ct_consumer */

struct ct_run *ct_run_new(struct ct_shared *shared);
void ct_run_free(struct ct_run *run);
struct ct_consumer *ct_run_consumer(struct ct_run *run);

struct ct_times; /* answer/diff/latency.h */

/* What the pass told; valid once it has finished. */
struct ct_run_result {
    bool finished;
    struct ct_summary summary; /* without stacks and images */
    uint32_t n;
    const struct ct_decision *decisions;
    uint32_t n_links;
    const struct ct_link *links;
    uint32_t n_taken;
    const struct ct_taken *taken; /* by decision */
    uint32_t n_sequences;
    const struct ct_sequence *sequences;
    const struct ct_times *times;
    uint32_t n_holes;
    const struct ct_hole *holes;
    uint32_t n_ready;
    const uint32_t *ready; /* begins of requests that were still open at the end
                              and did not wait: asked to go on, or running */
    uint32_t n_failed;
    const struct ct_failed *failed; /* by decision */
    bool is_serial;      /* no request began before the last one had ended */
    uint32_t n_programs; /* 0: it is a baseline that did not keep them */
    const struct ct_program *programs;
};

const struct ct_run_result *ct_run_result(const struct ct_run *run);

/* --- saved.c ---------------------------------------------------------- */

/** ct_run_save() - a run that has finished, alone among those that share its
 * words; the caller frees it */
struct ct_saved *ct_run_save(const struct ct_run *run);

/** ct_run_restore() - instead of a pass
 * Return: false: these are not tables that ct_run_save() makes. */
bool ct_run_restore(struct ct_run *run, const struct ct_saved *saved);

#endif
