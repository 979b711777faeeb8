/* SPDX-License-Identifier: MIT */
/*
 * pass.c - the spine: record -> steps -> changes -> requests -> consumers
 *
 * The one place that knows the order of the rooms.  Nobody calls up: decode
 * returns steps, the model returns changes, account returns requests, and
 * this file hands each to who wants it.
 *
 * Invariant: what is handed on never goes back in time; a record that would
 * is moved up to the time that the pass has reached.
 */
#include "pass.h"

#include <inttypes.h>

#include "account/account.h"
#include "ct/trace.h"
#include "decode/decode.h"
#include "model/model.h"
#include "symbols/images.h"
#include "window.h"

/* Holes that are kept until the first event; the rest is only counted. */
#define EARLY_MAX 1024

/* Gaps that are open at once, each of another stream; more are not told one by
 * one: the newest becomes wider (all that is in it is uncertain in any case).
 */
#define GAPS_MAX 4096

struct ct_pass {
    void (*warning)(const char *text, void *data); /* NULL: nobody listens */
    void *warning_data;
    struct ct_consumer *const *consumers; /* that are told */
    struct ct_consumer *const *given;     /* the same, or behind the window */
    struct ct_decoder *decoder;
    struct ct_model *model;
    struct ct_account *account;
    struct ct_stacks *stacks;
    struct ct_images *images;
    struct ct_summary summary;
    bool tells_events;   /* somebody wants them */
    bool blames;         /* account is told of slices and gaps, too */
    uint64_t ours;       /* events of provider cotrace */
    bool begun;          /* the origin is known */
    bool has_errors;     /* lines with the times of a reader */
    GArray *early;       /* struct ct_record: holes before the first event */
    GArray *gaps;        /* struct ct_gap: that have not ended yet */
    int64_t gaps_due_ns; /* when the first of them ends */
    int64_t until_ns;    /* where the consumers want it to end */
    bool over;           /* a record came after that */
    struct ct_span span;
    struct ct_window *window;    /* NULL: everything is told from the begin */
    int64_t opens_ns;            /* it opens before what is later than that */
    struct ct_summary across;    /* losses that reach into the window */
    struct ct_log_counts before; /* a log's lines before it */
};

struct ct_pass *ct_pass_new(struct ct_consumer *const consumers[],
                            const struct ct_span *span)
{
    struct ct_pass *pass = g_new0(struct ct_pass, 1);
    unsigned wants = 0;

    pass->consumers = pass->given = consumers;
    pass->opens_ns = INT64_MAX;
    if (span) {
        pass->span = *span;
    }
    if (pass->span.has_begin && pass->span.begin_ns > 0) {
        pass->window = ct_window_new(consumers);
        pass->consumers = ct_window_consumers(pass->window);
    }
    for (unsigned i = 0; pass->consumers[i]; i++) {
        wants |= ct_model_wants(pass->consumers[i]);
        pass->tells_events |= pass->consumers[i]->event != NULL;
    }
    pass->decoder = ct_decoder_new();
    pass->model = ct_model_new(wants);
    pass->account = ct_account_new(wants & CT_WANT_BLAME);
    pass->blames = wants & CT_WANT_BLAME;
    pass->stacks = ct_stacks_new();
    pass->images = ct_images_new();
    pass->summary.discarded_known = true;
    pass->across.discarded_known = true;
    pass->early = g_array_new(FALSE, FALSE, sizeof(struct ct_record));
    pass->gaps = g_array_new(FALSE, FALSE, sizeof(struct ct_gap));
    pass->gaps_due_ns = INT64_MAX;
    pass->until_ns = INT64_MAX;
    return pass;
}

void ct_pass_free(struct ct_pass *pass)
{
    if (!pass) {
        return;
    }
    g_array_unref(pass->gaps);
    g_array_unref(pass->early);
    ct_images_free(pass->images);
    ct_stacks_free(pass->stacks);
    ct_account_free(pass->account);
    ct_model_free(pass->model);
    ct_decoder_free(pass->decoder);
    ct_window_free(pass->window);
    g_free(pass);
}

void ct_pass_set_program(struct ct_pass *pass, const char *program)
{
    pass->summary.program = program;
}

void ct_pass_set_warning(struct ct_pass *pass,
                         void (*warning)(const char *text, void *data),
                         void *data)
{
    pass->warning = warning;
    pass->warning_data = data;
    ct_images_set_warning(pass->images, warning, data);
}

/* Calls one function of every consumer that has it and has not failed. */
#define TELL(pass, function, what)                                 \
    do {                                                           \
        for (unsigned i_ = 0; (pass)->consumers[i_]; i_++) {       \
            struct ct_consumer *consumer_ = (pass)->consumers[i_]; \
                                                                   \
            if (consumer_->function && !consumer_->failed) {       \
                consumer_->function(consumer_, what);              \
            }                                                      \
        }                                                          \
    } while (0)

/* A gap is known at its beginning; consumers are told of it at its end. */
static void keep_gap(struct ct_pass *pass, const struct ct_gap *gap)
{
    if (pass->gaps->len < GAPS_MAX) {
        g_array_append_val(pass->gaps, *gap);
        pass->gaps_due_ns = MIN(pass->gaps_due_ns, gap->to_ns);
    } else {
        struct ct_gap *last =
            &g_array_index(pass->gaps, struct ct_gap, GAPS_MAX - 1);
        last->from_ns = MIN(last->from_ns, gap->from_ns);
        last->to_ns = MAX(last->to_ns, gap->to_ns);
        bool is_known =
            last->lost != CT_LOST_UNKNOWN && gap->lost != CT_LOST_UNKNOWN;
        last->lost = is_known ? last->lost + gap->lost : CT_LOST_UNKNOWN;
    }
}

/* @at_end: those that go on to the trace's end end there. */
static void tell_gaps(struct ct_pass *pass, bool at_end)
{
    int64_t now_ns = pass->summary.end_ns;
    unsigned kept = 0;

    pass->gaps_due_ns = INT64_MAX;
    for (unsigned i = 0; i < pass->gaps->len; i++) {
        struct ct_gap gap = g_array_index(pass->gaps, struct ct_gap, i);

        if (gap.to_ns <= now_ns || at_end) {
            gap.to_ns = MIN(gap.to_ns, now_ns);
            TELL(pass, gap, &gap);
        } else {
            pass->gaps_due_ns = MIN(pass->gaps_due_ns, gap.to_ns);
            g_array_index(pass->gaps, struct ct_gap, kept++) = gap;
        }
    }
    g_array_set_size(pass->gaps, kept);
}

static void hand_on_alive(struct ct_pass *pass,
                          const struct ct_alive_change *change)
{
    struct ct_alive alive = change->alive;

    alive.state = ct_account_state(&change->situation);
    TELL(pass, alive, &alive);
}

static void hand_on(struct ct_pass *pass, const struct ct_change *change)
{
    struct ct_account_result result;

    if (pass->blames && change->kind < CT_CHANGE_REQUEST_BEGIN) {
        ct_account_meanwhile(pass->account, change);
    }
    switch (change->kind) {
    case CT_CHANGE_SLICE_BEGAN:
        TELL(pass, slice_began, &change->slice);
        break;
    case CT_CHANGE_SLICE:
        TELL(pass, slice, &change->slice);
        break;
    case CT_CHANGE_EDGE:
        TELL(pass, edge, &change->edge);
        break;
    case CT_CHANGE_LOCK:
        TELL(pass, lock, &change->lock);
        break;
    case CT_CHANGE_COUNTER:
        TELL(pass, counter, &change->counter);
        break;
    case CT_CHANGE_THREAD_NAME:
        TELL(pass, thread_name, &change->thread_name);
        break;
    case CT_CHANGE_LIFE:
        TELL(pass, life, &change->life);
        break;
    case CT_CHANGE_OWN_STACK:
        TELL(pass, own_stack, &change->own_stack);
        break;
    case CT_CHANGE_GAP:
        keep_gap(pass, &change->gap);
        break;
    case CT_CHANGE_ALIVE:
        hand_on_alive(pass, &change->alive);
        break;
    default:
        result = ct_account_take(pass->account, change);
        if (result.began) {
            TELL(pass, request_began, result.began);
        }
        if (result.ended) {
            TELL(pass, request, result.ended);
        }
        break;
    }
}

static void take_step(struct ct_pass *pass, const struct ct_step *step)
{
    struct ct_changes changes;

    switch (step->kind) {
    case CT_STEP_STACK:
        ct_stacks_add(pass->stacks, step);
        return;
    case CT_STEP_FRAME_NAME:
    case CT_STEP_IMAGE_LOAD:
    case CT_STEP_IMAGE_UNLOAD:
        ct_images_step(pass->images, step);
        return;
    default:
        break;
    }
    changes = ct_model_step(pass->model, step);
    for (unsigned i = 0; i < changes.n; i++) {
        hand_on(pass, &changes.v[i]);
    }
}

static void count_lost(struct ct_summary *summary, const struct ct_record *hole)
{
    if (hole->lost == CT_LOST_UNKNOWN) {
        summary->discarded_known = false;
    } else {
        summary->discarded += hole->lost;
    }
}

static void count(struct ct_pass *pass, const struct ct_record *record)
{
    struct ct_summary *summary = &pass->summary;

    if (record->kind == CT_RECORD_HOLE) {
        count_lost(summary, record);
        if (record->to_ns > pass->opens_ns) {
            count_lost(&pass->across, record);
        }
        return;
    }
    summary->events++;
    if (record->event < 0) {
        summary->unknown_events++;
    } else if (record->event < CT_EV_UST_START ||
               record->event > CT_EV_LOG_LINE) {
        pass->ours++;
    }
}

/* Without a clock the order stands for it: nothing is lost of what came after
 * what, and nobody shows it as a time. */
static int64_t when_of(const struct ct_record *record)
{
    return record->has_clock ? record->when_ns : (int64_t)record->seq;
}

/* A hole in an order lies between two events. */
static void set_order_of_gap(struct ct_step *step)
{
    step->from_ns = step->when_ns;
    step->ns = step->ns == CT_HOLE_TO_END ? step->ns : step->when_ns;
}

/* What is missing from there on is no loss that is counted. */
static void warn_of_sandbox(struct ct_pass *pass,
                            const struct ct_record *record)
{
    static const char *const lost[] = {
        [CT_NATIVE_SANDBOX_FORKS] = "its children are not recorded",
        [CT_NATIVE_SANDBOX_THREADS] = "new threads of it and its children are "
                                      "not recorded",
        [CT_NATIVE_SANDBOX_ALL] = "nothing of it is recorded",
    };
    uint64_t what = record->values[CT_FLD_NATIVE_SANDBOX_LOST].u;
    g_autofree char *text = NULL;

    if (pass->warning && what < G_N_ELEMENTS(lost) && lost[what]) {
        text = g_strdup_printf("process %d gave up system calls that recording "
                               "needs (seccomp): from there on %s",
                               (int)record->pid, lost[what]);
        pass->warning(text, pass->warning_data);
    }
}

static void take_record(struct ct_pass *pass, const struct ct_record *record)
{
    struct ct_step steps[CT_DECODE_MAX];
    unsigned n;

    pass->summary.end_ns = MAX(pass->summary.end_ns, when_of(record));
    if (G_UNLIKELY(pass->summary.end_ns > pass->gaps_due_ns)) {
        tell_gaps(pass, false);
    }
    if (G_UNLIKELY(pass->has_errors)) {
        /* A file may hold any. */
        int64_t error_ns =
            (int64_t)MIN(record->values[CT_FLD_LOG_LINE_ERROR].u, INT64_MAX);

        pass->summary.error_ns = MAX(pass->summary.error_ns, error_ns);
        ct_account_error(pass->account, error_ns);
    }
    if (pass->tells_events && record->kind == CT_RECORD_EVENT) {
        TELL(pass, event, record);
    }
    if (G_UNLIKELY(record->kind == CT_RECORD_EVENT &&
                   record->event == CT_EV_NATIVE_SANDBOX)) {
        warn_of_sandbox(pass, record);
    }
    n = ct_decode(pass->decoder, record, steps);
    for (unsigned i = 0; i < n; i++) {
        steps[i].when_ns = pass->summary.end_ns;
        if (!record->has_clock && steps[i].kind == CT_STEP_GAP) {
            set_order_of_gap(&steps[i]);
        }
        if (steps[i].stamp_ns) {
            steps[i].stamp_ns = MAX(steps[i].stamp_ns, pass->summary.origin_ns);
        }
        take_step(pass, &steps[i]);
    }
}

/* From the trace's origin to since 1970; beyond all times: never. */
static int64_t after(int64_t origin_ns, int64_t ns)
{
    int64_t sum_ns;

    return __builtin_add_overflow(origin_ns, ns, &sum_ns) ? INT64_MAX : sum_ns;
}

/* What was counted so far lies before the window, all but losses that reach
 * into it. */
static void open_window(struct ct_pass *pass)
{
    struct ct_summary *summary = &pass->summary;

    ct_window_open(pass->window, pass->opens_ns);
    pass->opens_ns = INT64_MAX;
    summary->events = summary->unknown_events = 0;
    summary->discarded = pass->across.discarded;
    summary->discarded_known = pass->across.discarded_known;
    pass->before = *ct_decoder_log(pass->decoder);
}

int64_t ct_pass_end_ns(const struct ct_pass *pass)
{
    int64_t end_ns = pass->span.has_end ? pass->span.end_ns : INT64_MAX;

    for (unsigned i = 0; pass->given[i]; i++) {
        if (pass->given[i]->has_until) {
            end_ns = MIN(end_ns, pass->given[i]->until_ns);
        }
    }
    return end_ns;
}

/* The first event is the trace's origin; holes before it end up there. */
static void begin(struct ct_pass *pass, const struct ct_record *record)
{
    pass->begun = true;
    pass->summary.has_clock = record->has_clock;
    pass->has_errors = record->event == CT_EV_LOG_LINE &&
                       record->values[CT_FLD_LOG_LINE_ERROR].present;
    pass->summary.clock = !record->has_clock                ? "none"
                          : pass->has_errors                ? "reader"
                          : record->event == CT_EV_LOG_LINE ? "program"
                                                            : "exact";
    pass->summary.origin_ns = when_of(record);
    pass->summary.begin_ns = when_of(record);
    pass->summary.end_ns = when_of(record);
    for (unsigned i = 0; pass->given[i]; i++) {
        struct ct_consumer *consumer = pass->given[i];

        consumer->origin_ns = when_of(record);
        consumer->images = pass->images;
        consumer->has_clock = record->has_clock;
        consumer->has_errors = pass->has_errors;
    }
    if (record->has_clock) {
        pass->until_ns = after(record->when_ns, ct_pass_end_ns(pass));
    }
    if (pass->window) {
        pass->opens_ns = after(record->when_ns, pass->span.begin_ns);
    }
    for (unsigned i = 0; i < pass->early->len; i++) {
        struct ct_record *hole =
            &g_array_index(pass->early, struct ct_record, i);

        hole->when_ns = record->when_ns;
        hole->to_ns = MAX(hole->to_ns, hole->when_ns);
        take_record(pass, hole);
    }
}

static bool wants_times(const struct ct_pass *pass)
{
    return pass->span.has_begin || pass->span.has_end;
}

bool ct_pass_record(struct ct_pass *pass, const struct ct_record *record)
{
    if (G_UNLIKELY(pass->over || when_of(record) > pass->until_ns)) {
        pass->over = true;
        return false;
    }
    if (G_UNLIKELY(when_of(record) > pass->opens_ns)) {
        open_window(pass);
    }
    count(pass, record);
    if (G_UNLIKELY(!pass->begun)) {
        if (record->kind == CT_RECORD_HOLE) {
            if (pass->early->len < EARLY_MAX) {
                g_array_append_val(pass->early, *record);
            }
            return true;
        }
        begin(pass, record);
        if (wants_times(pass) && !record->has_clock) {
            return false;
        }
    }
    take_record(pass, record);
    for (unsigned i = 0; pass->given[i]; i++) {
        if (G_LIKELY(!pass->given[i]->failed)) {
            return true;
        }
    }
    return pass->given[0] == NULL;
}

bool ct_pass_is_over(const struct ct_pass *pass)
{
    return pass->over;
}

bool ct_pass_has_span(const struct ct_pass *pass, GError **error)
{
    if (wants_times(pass) && pass->begun && !pass->summary.has_clock) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "%s needs a trace with times; this one has only an order",
                    pass->span.has_begin ? "--begin" : "--end");
        return false;
    }
    if (pass->window && !ct_window_is_open(pass->window) && pass->begun &&
        !pass->over) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "nothing happens after --begin: the trace is over at "
                    "%" PRId64 " ns",
                    pass->summary.end_ns - pass->summary.origin_ns);
        return false;
    }
    return true;
}

uint64_t ct_pass_events(const struct ct_pass *pass, uint64_t *ret_ours)
{
    *ret_ours = pass->ours + ct_decoder_log(pass->decoder)->events;
    return pass->summary.events;
}

bool ct_pass_lost(const struct ct_pass *pass, uint64_t *ret_lost)
{
    *ret_lost = pass->summary.discarded;
    return pass->summary.discarded_known;
}

/* Lines that are no events were counted as such. */
static void count_lines(struct ct_summary *summary,
                        const struct ct_log_counts *log,
                        const struct ct_log_counts *before)
{
    summary->log = (struct ct_log_counts){
        .lines = log->lines - before->lines,
        .pieces = log->pieces - before->pieces,
        .stepped_back = log->stepped_back - before->stepped_back,
        .clock_set = log->clock_set - before->clock_set,
        .events = log->events - before->events,
        .unknown = log->unknown - before->unknown,
        .foreign = log->foreign - before->foreign,
        .malformed = log->malformed - before->malformed,
    };
    summary->events -= summary->log.foreign + summary->log.malformed;
    summary->unknown_events += summary->log.unknown;
}

bool ct_pass_finish(struct ct_pass *pass, bool complete, GError **error)
{
    struct ct_summary *summary = &pass->summary;
    struct ct_changes changes;
    bool good = true;

    summary->has_all = !pass->over;
    if (pass->over) {
        summary->end_ns = pass->until_ns;
        if (pass->opens_ns < pass->until_ns) {
            open_window(pass); /* nothing happens in it */
        }
    }
    changes = ct_model_alive(pass->model, summary->end_ns);
    for (unsigned i = 0; i < changes.n; i++) {
        hand_on(pass, &changes.v[i]);
    }
    do {
        changes = ct_model_finish(pass->model, summary->end_ns);
        for (unsigned i = 0; i < changes.n; i++) {
            hand_on(pass, &changes.v[i]);
        }
    } while (changes.n > 0);
    tell_gaps(pass, true);

    count_lines(summary, ct_decoder_log(pass->decoder), &pass->before);
    summary->complete = complete;
    summary->clock = summary->clock ? summary->clock : "none";
    summary->bad_sums = ct_account_bad_sums(pass->account);
    summary->has_qemu = ct_decoder_has_qemu(pass->decoder);
    summary->has_workers = ct_decoder_has_workers(pass->decoder);
    summary->stacks = pass->stacks;
    summary->images = pass->images;
    for (unsigned i = 0; pass->consumers[i]; i++) {
        struct ct_consumer *consumer = pass->consumers[i];

        if (consumer->finish &&
            !consumer->finish(consumer, summary, good ? error : NULL)) {
            good = false;
        }
    }
    return good;
}
