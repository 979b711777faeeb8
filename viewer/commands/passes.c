/* SPDX-License-Identifier: MIT */
/*
 * passes.c - passes over traces, and what interrupts them
 *
 * Signals: SIGINT, SIGTERM and SIGHUP stop the pass, so that everything that
 * was opened is closed and removed in the usual way, and then end the process
 * as they would have.  A reader that went away (EPIPE) ends it like SIGPIPE:
 * quietly, and so that a shell sees it.
 */
#include "commands/passes.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cotrace.h"
#include "out/file.h"
#include "out/progress.h"

static volatile sig_atomic_t ended_by;
/* Of the pass that runs; it reads their `failed` between events. */
static struct ct_consumer *const *consumers;

static void on_signal(int number)
{
    ended_by = number;
    ct_out_stopped = 1;
    for (unsigned i = 0; consumers && consumers[i]; i++) {
        consumers[i]->failed = true;
    }
    alarm(1);
}

/* A signal may come just before a write that then blocks: the next one, a
 * second later, gets it out of there. */
static void on_alarm(int number)
{
    alarm(1);
}

void ct_passes_begin(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND};

    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        struct sigaction old;

        /* nohup and shells without job control ignore some: they stay so */
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
    action.sa_handler = on_alarm;
    action.sa_flags = 0;
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* Several passes over one trace find the same out: it is told once. */
static void on_warning(const char *text, void *data)
{
    static GHashTable *told;

    if (!told) {
        told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    if (g_hash_table_add(told, g_strdup(text))) {
        ct_progress_clear(data);
        ct_warning("%s", text);
    }
}

static void on_progress(uint64_t bytes, uint64_t total_bytes, void *data)
{
    ct_progress_tell(data, bytes, total_bytes);
}

bool ct_passes_run(const char *trace, const struct ct_span *span,
                   struct ct_consumer *const wanted[], bool has_progress,
                   GError **error)
{
    struct ct_progress progress;
    struct ct_trace_options options = {on_warning, on_progress, &progress,
                                       *span};
    bool done;

    if (ended_by) {
        return false;
    }
    consumers = wanted;
    ct_progress_init(&progress, has_progress);
    done = ct_trace_run(trace, &options, wanted, error);
    consumers = NULL;
    ct_progress_clear(&progress);
    return done && !ended_by;
}

int ct_passes_end(const char *trace, bool done, bool is_gone, GError *error)
{
    if (ended_by) {
        end_by(ended_by);
    }
    if (done) {
        return CT_EXIT_OK;
    }
    if (is_gone || g_error_matches(error, CT_OUT_ERROR, EPIPE)) {
        end_by(SIGPIPE);
    }
    /* An answer knows what it was asked for, not where. */
    if (g_error_matches(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY)) {
        return ct_error("%s: %s", trace, error->message);
    }
    return ct_error("%s", error->message);
}
