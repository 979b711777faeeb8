/* SPDX-License-Identifier: MIT */
/*
 * views.h - the table of views: what can be made of one pass over a trace
 *
 * Model:    a view has a name, the options that it takes, and a function that
 *           makes its consumers.  The command `cotrace NAME` and the component
 *           sink.cotrace.NAME both come from the table.  Settings come in as
 *           (option, text) pairs, wherever they were written; open -> pass ->
 *           close.
 * Threads:  one at a time.
 * Memory:   a view's run belongs to its opener until ct_view_close().
 * Errors:   GError: CT_VIEW_ERROR for wrong settings, CT_OUT_ERROR for output.
 *           A consumer that was made to fail from outside (a signal) finishes
 *           without writing a result.
 * Depends:  ct/consumer.h, ct/span.h, ct/backtrace.h, out/file.h.
 */
#ifndef CT_VIEWS_H
#define CT_VIEWS_H

#include "ct/backtrace.h"
#include "ct/consumer.h"
#include "ct/span.h"
#include "out/file.h"

#define CT_VIEW_ERROR ct_view_error_quark()
GQuark ct_view_error_quark(void);

enum ct_sort {
    CT_SORT_START,
    CT_SORT_LATENCY,
};

/* What is read, in the reader's words. */
struct ct_place {
    const char *trace;   /* outlives the runs of views; NULL: not known */
    struct ct_span span; /* of the trace: what is shown */
};

struct ct_settings {
    struct ct_place place;
    bool json;
    bool all;
    bool blame;
    bool critical_path;
    char *layer; /* NULL: any */
    enum ct_sort sort;
    bool has_limit;
    uint64_t limit;
    bool has_of;
    enum ct_backtrace_of of;
    uint64_t id;
    int64_t at_ns;              /* from the trace's origin; -1: not given */
    int32_t pid;                /* 0: not given */
    int64_t block_ns, stuck_ns; /* -1: not given, as are the next */
    int64_t spawns, idles, tracing;
    uint64_t split_bytes; /* 0: not given */
    GArray *only;         /* uint64_t, of requests; NULL: not given */
    uint64_t slowest;     /* 0: not given */
    char *path;           /* where to; NULL: standard output */
    char *format;         /* NULL: from the path's suffix */
};

/* An option has a bit; a view says which ones it takes. */
enum ct_option_bits {
    CT_OPTION_JSON = 1 << 0,
    CT_OPTION_ALL = 1 << 1,
    CT_OPTION_LAYER = 1 << 2,
    CT_OPTION_SORT = 1 << 3,
    CT_OPTION_LIMIT = 1 << 4,
    CT_OPTION_REQUEST = 1 << 5,
    CT_OPTION_COROUTINE = 1 << 6,
    CT_OPTION_WORKER = 1 << 7,
    CT_OPTION_WORK = 1 << 8,
    CT_OPTION_AT = 1 << 9,
    CT_OPTION_PID = 1 << 10,
    CT_OPTION_PATH = 1 << 11,
    CT_OPTION_FORMAT = 1 << 12,
    CT_OPTION_CRITICAL = 1 << 13,
    CT_OPTION_BLAME = 1 << 14,
    CT_OPTION_LIMITS = 1 << 15,
    CT_OPTION_SPLIT = 1 << 17,
    CT_OPTION_NARROW = 1 << 18,
    CT_OPTION_DEBUG = 1 << 19, /* every view that names functions */
    CT_OPTION_SPAN = 1 << 16,  /* every view takes it */
};

struct ct_option {
    unsigned bit;
    const char *name;      /* --name; without dashes a component's parameter */
    const char *parameter; /* ... if that is called otherwise, else NULL */
    char letter;           /* -l; 0: none */
    const char *argument;  /* what stands for it in the usage; NULL: a flag */
    const char *help;
    bool (*set)(struct ct_settings *settings, const char *value,
                GError **error); /* @value: NULL for a flag */
};

extern const struct ct_option ct_options[]; /* ends with a NULL name */

/* One use of a view.  Embedded in the view's own state. */
struct ct_view_run {
    struct ct_consumer *consumers[3]; /* NULL-terminated, in this order */
    bool streams;                     /* it writes while the pass goes on */
    struct ct_out *out;
    void (*free)(struct ct_view_run *run);
};

struct ct_view {
    const char *name;
    const char *suffix; /* of the files that it makes: shown by `render`;
                           NULL: a command of its own */
    unsigned options;
    const char *arguments; /* usage line, after the command's name */
    const char *summary;
    const char *details; /* for --help: lines, or NULL */
    struct ct_view_run *(*make)(const struct ct_settings *settings,
                                struct ct_out *out, GError **error);
};

extern const struct ct_view ct_views[]; /* ends with a NULL name */

const struct ct_view *ct_view_find(const char *name);

void ct_settings_init(struct ct_settings *settings);
void ct_settings_fini(struct ct_settings *settings);

/** ct_settings_set() - one option of a view
 * @name: of the option or parameter; @value: NULL for a flag */
bool ct_settings_set(struct ct_settings *settings, const struct ct_view *view,
                     const char *name, const char *value, GError **error);

/** ct_option_number() - an option's value: a number, not below 0 */
bool ct_option_number(int64_t *ret_number, const char *value, GError **error);

/** ct_option_bytes() - likewise: a number, with K, M or G (1024) behind it */
bool ct_option_bytes(uint64_t *ret_bytes, const char *value, GError **error);

/** ct_settings_check() - does what was set agree with itself? */
bool ct_settings_check(const struct ct_settings *settings, GError **error);

/** ct_view_open() - open the output and make the consumers; NULL: @error */
struct ct_view_run *ct_view_open(const struct ct_view *view,
                                 const struct ct_settings *settings,
                                 GError **error);

/** ct_view_close() - @keep: the pass went well, the output is to stay */
bool ct_view_close(struct ct_view_run *run, bool keep, GError **error);

#endif
