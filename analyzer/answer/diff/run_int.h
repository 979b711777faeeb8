/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/run_int.h - what a run keeps while its pass goes on
 *
 * Model:    run.c and requests.c fill it, settle.c makes the result of it when
 *           the pass ends.
 * Threads:  one pass, one thread.
 * Memory:   all of it is the run's; tables are keyed by the entry's own id.
 * Errors:   none.
 * Depends:  answer/diff/labels.h.
 */
#ifndef CT_DIFF_RUN_INT_H
#define CT_DIFF_RUN_INT_H

#include "answer/diff/labels.h"
#include "answer/diff/latency.h"

enum sequence_kind {
    SEQUENCE_CONTEXT,
    SEQUENCE_POOL,
    SEQUENCE_THREADS, /* outside of any context */
};

/* Keys of interned tables: compared as bytes, so cleared before they are
 * filled. */
struct function {
    uint64_t fn; /* 0: the name says it */
    int32_t pid;
    uint32_t name; /* word; 0: none */
};

struct place {
    uint64_t id;
    int32_t pid;
    uint32_t kind; /* enum sequence_kind */
};

struct identity {
    uint32_t request, range, nth; /* as in struct ct_label */
    uint32_t begin;               /* decision + 1; 0: none */
};

/* Of the latest request with this hash */
struct request_name {
    bool is;
    const char *layer, *op, *node;
    uint32_t name; /* word */
};

/* One look into a table that is larger than a cache, not two. */
struct request_what {
    uint32_t name; /* word */
    uint32_t has_range;
    struct ct_range range;
};

struct request_seen {
    uint32_t range; /* number + 1; 0: not known */
    uint32_t n;     /* requests so far */
};

struct coroutine {
    uint64_t id;
    bool was_entered;
    bool waits_for_lock;
    uint32_t parent; /* function; 0: none */
};

struct lock {
    uint64_t id;
    uint32_t taken;    /* decision in which its holder took it */
    uint32_t released; /* ... in which it was released last */
};

struct work {
    uint64_t id;
    uint32_t taken; /* position in run->taken */
};

struct process {
    int32_t pid;
    unsigned number; /* from 1, as they appear */
    bool had_gap;
    uint32_t n_gaps;   /* the run's, up to which this one knows */
    int64_t in_flight; /* outermost requests that were seen to begin */
    uint32_t last_end; /* decision */
    GHashTable *coroutines, *locks, *works;
};

struct open {
    uint32_t slice;
    uint32_t decision; /* innermost up to here */
    uint64_t id;       /* of what runs: coroutine ... */
};

struct logged {
    int64_t when_ns;
    uint32_t decision; /* innermost from now on */
};

struct thread {
    int64_t key;
    int32_t pid, tid;
    uint32_t last_taken; /* decision: its last work item, ... */
    uint32_t n_gaps;     /* ... when the run had had so many */
    uint32_t last;       /* decision that was made on it last; CT_NOWHERE */
    uint64_t context;    /* that it worked for last; 0: none yet */
    GArray *open;        /* struct open */
    GArray *log;         /* struct logged */
};

struct sequence {
    uint32_t name; /* word; 0: not told */
    unsigned busy, peak_busy, saturated_busy;
    unsigned waiting_busy; /* an item seems to wait for so many; 0: none */
    uint32_t n_gaps;       /* the run's, up to which `busy` knows */
    uint64_t saturated;
    int64_t queued, idle, counted_busy, awaited;
    int64_t peak_alive; /* workers that had started, or that it might have */
};

/* The last decision, as long as its label can get better. */
struct pending {
    bool is;
    uint32_t decision;
    int32_t tid;
    uint64_t id;
    struct coroutine *coroutine;
    struct ct_label label;
};

struct ct_run {
    struct ct_consumer consumer;
    struct ct_shared *shared;
    GArray *decisions;  /* struct ct_decision */
    GArray *links;      /* struct ct_link */
    GArray *taken;      /* struct ct_taken */
    GArray *holes;      /* struct ct_hole */
    GArray *ready;      /* uint32_t, as in the result */
    GArray *failed;     /* struct ct_failed */
    GArray *sequences;  /* struct sequence */
    GArray *identities; /* struct identity, by number of the request */
    GArray *seen;       /* struct request_seen, by `whats` */
    struct request_name names[16]; /* by four bits of a hash */
    struct ct_interned whats;      /* struct request_what */
    GArray *labels; /* struct ct_label, by decision; functions are this run's */
    struct ct_interned functions, places;
    GPtrArray *processes;    /* struct process */
    GHashTable *by_pid;      /* pid -> struct process (in `processes`) */
    struct process *process; /* looked up last */
    GHashTable *threads;     /* key -> struct thread (owned) */
    struct thread *thread;   /* of the last call */
    struct pending pending;
    uint32_t n_slices;
    int64_t lost_to_ns; /* end of the last hole, if there is one */
    uint32_t n_gaps;
    struct ct_times times;
    GArray *told;     /* struct ct_sequence, of the result */
    GArray *programs; /* struct ct_program */
    struct ct_run_result result;
};

/* tables.c: each makes what it does not find */

struct process *ct_run_process(struct ct_run *run, int32_t pid);
struct coroutine *ct_run_coroutine(struct process *process, uint64_t id);
struct lock *ct_run_lock(struct process *process, uint64_t id);
struct thread *ct_run_thread(struct ct_run *run, int32_t pid, int32_t tid);
void ct_run_free_process(gpointer process);
void ct_run_free_thread(gpointer thread);

/** ct_run_top() - the innermost that is open; NULL: nothing is */
struct open *ct_run_top(const struct thread *thread);

/** ct_run_log() - from now on @decision is innermost; CT_NOWHERE: none */
void ct_run_log(struct thread *thread, int64_t when_ns, uint32_t decision);

/** ct_run_current() - the decision that is innermost now; CT_NOWHERE */
uint32_t ct_run_current(const struct thread *thread);

/** ct_run_decision_at() - ... that was innermost at @when_ns */
uint32_t ct_run_decision_at(struct ct_run *run, int32_t pid, int32_t tid,
                            int64_t when_ns);

/** ct_run_add_program() - @name: NULL: not known; one that is there is not
 * added again */
void ct_run_add_program(struct ct_run *run, const char *name);

/* run.c */

/** ct_run_sequence_on() - what a thread decides in that context; 0: in the one
 * that it works for */
uint32_t ct_run_sequence_on(struct ct_run *run, const struct thread *thread,
                            uint64_t context);

/** ct_run_add() - the next decision; its label is still to be filled */
struct pending *ct_run_add(struct ct_run *run, struct thread *thread,
                           enum ct_decision_kind kind, int64_t when_ns,
                           uint32_t sequence, uint32_t cause);

/** ct_run_set_request() - it serves that one, if @number is one */
void ct_run_set_request(struct ct_run *run, struct ct_label *label,
                        uint64_t number);

/** ct_run_link() - if both are there, and two */
void ct_run_link(struct ct_run *run, enum ct_link_kind kind, uint32_t from,
                 uint32_t to);

/* requests.c: of the run's consumer */

void ct_run_on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request);
void ct_run_on_request(struct ct_consumer *consumer,
                       const struct ct_request *request);

/* identity.c */

/** ct_run_identify() - a request that began: what it is in every run */
void ct_run_identify(struct ct_run *run, const struct ct_request *request);

/* settle.c */

/** ct_run_init() - empty tables */
void ct_run_init(struct ct_run *run);

/** ct_run_settle() - names are known now: labels become the shared ones */
void ct_run_settle(struct ct_run *run, const struct ct_summary *summary);

/** ct_run_set_result() - all tables of the result are filled */
void ct_run_set_result(struct ct_run *run, const struct ct_summary *summary);

#endif
