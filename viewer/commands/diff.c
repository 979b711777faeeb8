/* SPDX-License-Identifier: MIT */
/*
 * diff.c - two passes for the decisions, two short ones for the backtraces of
 * those that are told, one page
 *
 * Exit status: 1 for a real change, or what --fail-on asks for instead. Instead
 * of the first run it takes what it has kept of one (baseline.c).
 */
#include "commands/diff.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "commands/baseline.h"
#include "commands/gate.h"
#include "commands/passes.h"
#include "cotrace.h"
#include "ct/diff.h"
#include "views.h"
#include "views/diff.h"

struct request {
    const char *trace[CT_DIFF_SIDES]; /* [CT_DIFF_A]: NULL with `against` */
    const char *against;
    const char *save;
    const char *output;
    struct ct_gate gate;
    struct ct_span span; /* of both traces */
    bool json;
    bool edits;
};

/* What the passes found out. */
struct answers {
    struct ct_diff *diff;
    struct ct_findings *finders[CT_DIFF_SIDES]; /* NULL: nobody asks */
    GPtrArray *findings[CT_DIFF_SIDES];         /* char * */
};

/* --- the command line -------------------------------------------------------
 */

static const struct option longs[] = {
    {"against", required_argument, NULL, 'a'},
    {"begin", required_argument, NULL, 'B'},
    {"edits", no_argument, NULL, 'e'},
    {"end", required_argument, NULL, 'E'},
    {"fail-on", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {"output", required_argument, NULL, 'o'},
    {"save-baseline", required_argument, NULL, 's'},
    {NULL, 0, NULL, 0},
};

static int help(void)
{
    fputs("usage: cotrace diff A B [--fail-on=WHAT,...] [--json [--edits]]\n"
          "                    [--begin=NS] [--end=NS] [-o FILE]\n"
          "       cotrace diff --against=BASELINE B [...]\n"
          "       cotrace diff --save-baseline=BASELINE A\n"
          "\n"
          "What the run B did otherwise than the run A: first in which order "
          "things were\n"
          "scheduled, and whether that matters.  Decisions that do not depend "
          "on one\n"
          "another may change places; a change is real if a dependency was "
          "turned round,\n"
          "a lock was won by another, a request overtook another in the queue "
          "of a pool,\n"
          "or if something is in one run only.\n"
          "\n"
          "options:\n"
          "      --against=FILE     instead of a trace A, what --save-baseline "
          "made of it\n"
          "      --save-baseline=FILE\n"
          "                         compare nothing: keep what is compared of "
          "a run\n"
          "      --fail-on=WHAT,... exit 1 only for these, and say why in one "
          "line on\n"
          "                         stderr: order, missing, findings (a kind "
          "that A has\n"
          "                         not), p50:+N%, p99:+N%, mean:+N%\n"
          "      --begin=NS         only what comes after it in both runs, in "
          "ns from the\n"
          "                         first event of each\n"
          "      --end=NS           only what comes before it\n"
          "      --json             JSON instead of text\n"
          "      --edits            with --json: both sequences of decisions, "
          "and every\n"
          "                         edit that makes one of the other\n"
          "  -o, --output=FILE      file to write, as a whole; '-' is standard "
          "output\n"
          "      --help             this text\n"
          "\n"
          "Exit status: 0 no real difference; 1 there is one; 2 an error.\n",
          stdout);
    return ct_told();
}

static int set_traces(char **words, int n, struct request *request)
{
    int wanted = request->against || request->save ? 1 : CT_DIFF_SIDES;

    if (n < wanted) {
        return ct_usage_error("diff", wanted == 1 ? "a trace is needed"
                                                  : "two traces are needed");
    }
    if (n > wanted) {
        return ct_usage_error("diff", "%s: only %s can be given", words[wanted],
                              wanted == 1 ? "one trace" : "two traces");
    }
    request->trace[request->against ? CT_DIFF_B : CT_DIFF_A] = words[0];
    if (wanted == CT_DIFF_SIDES) {
        request->trace[CT_DIFF_B] = words[1];
    }
    return -1;
}

static int check_options(const struct request *request)
{
    if (request->edits && !request->json) {
        return ct_usage_error("diff", "--edits needs --json");
    }
    if (request->span.has_begin && request->span.has_end &&
        request->span.begin_ns >= request->span.end_ns) {
        return ct_usage_error("diff", "--begin: not before --end");
    }
    if (request->save && (request->against || request->json ||
                          request->output || request->gate.is_set)) {
        return ct_usage_error("diff",
                              "--save-baseline compares nothing: no other "
                              "option goes with it");
    }
    return -1;
}

/* -1: go on; else the exit status */
static int set_time(const char *name, const char *value, bool *ret_has,
                    int64_t *ret_ns)
{
    g_autoptr(GError) error = NULL;

    *ret_has = true;
    return ct_option_ns(ret_ns, value, &error)
               ? -1
               : ct_usage_error("diff", "--%s: %s", name, error->message);
}

/* Likewise. */
static int parse(int argc, char **argv, struct request *request)
{
    int status = -1;
    int value;

    opterr = 0;
    optind = 1;
    while (status < 0 &&
           (value = getopt_long(argc, argv, ":o:h", longs, NULL)) != -1) {
        switch (value) {
        case 'a':
            request->against = optarg;
            break;
        case 'B':
            status = set_time("begin", optarg, &request->span.has_begin,
                              &request->span.begin_ns);
            break;
        case 'E':
            status = set_time("end", optarg, &request->span.has_end,
                              &request->span.end_ns);
            break;
        case 'e':
            request->edits = true;
            break;
        case 'f':
            if (!ct_gate_parse(&request->gate, optarg)) {
                return ct_usage_error("diff",
                                      "--fail-on: '%s' is not a list of %s",
                                      optarg, CT_GATE_WORDS);
            }
            break;
        case 'h':
            return help();
        case 'j':
            request->json = true;
            break;
        case 'o':
            request->output = optarg;
            break;
        case 's':
            request->save = optarg;
            break;
        case ':':
            return ct_usage_error("diff", "%s: needs a value",
                                  argv[optind - 1]);
        default:
            return optopt && optopt < 128
                       ? ct_usage_error("diff", "-%c: no such option", optopt)
                       : ct_usage_error("diff", "%s: not understood",
                                        argv[optind - 1]);
        }
    }
    status =
        status < 0 ? set_traces(argv + optind, argc - optind, request) : status;
    return status < 0 ? check_options(request) : status;
}

/* --- the work ---------------------------------------------------------------
 */

static const struct ct_findings_limits limits = CT_FINDINGS_DEFAULTS;

/* The first pass over a trace; findings, if they are asked for, come of it. */
static bool read_run(struct answers *answers, const struct request *request,
                     enum ct_diff_side side, GError **error)
{
    struct ct_consumer *consumers[] = {ct_diff_consumer(answers->diff, side),
                                       NULL, NULL};

    if (request->save || request->gate.findings) {
        answers->finders[side] = ct_findings_new(&limits);
        consumers[1] = ct_findings_consumer(answers->finders[side]);
    }
    if (!ct_passes_run(request->trace[side], &request->span, consumers, true,
                       error)) {
        return false;
    }
    if (answers->finders[side]) {
        ct_gate_findings(ct_findings_result(answers->finders[side]),
                         answers->findings[side]);
    }
    return true;
}

static bool read_baseline(struct answers *answers, const char *path,
                          GError **error)
{
    struct ct_saved *saved =
        ct_baseline_read(path, answers->findings[CT_DIFF_A], error);
    bool is_good = saved && ct_diff_restore(answers->diff, saved);

    if (saved && !is_good) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                    "%s: is damaged: its numbers don't fit one another", path);
    }
    ct_saved_free(saved);
    return is_good;
}

static bool compare(struct answers *answers, const struct request *request,
                    GError **error)
{
    struct ct_diff *diff = answers->diff;

    if (!(request->against ? read_baseline(answers, request->against, error)
                           : read_run(answers, request, CT_DIFF_A, error)) ||
        !read_run(answers, request, CT_DIFF_B, error) ||
        !ct_diff_compare(diff, error)) {
        return false;
    }
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        struct ct_consumer *consumers[] = {ct_diff_explainer(diff, side), NULL};
        if (ct_diff_wants_pass(diff, side) &&
            !ct_passes_run(request->trace[side], &request->span, consumers,
                           true, error)) {
            return false;
        }
    }
    return true;
}

static const char *name_of(const struct request *request,
                           enum ct_diff_side side)
{
    return request->trace[side] ? request->trace[side] : request->against;
}

static bool show(const struct ct_diff *diff, const struct request *request,
                 bool *ret_is_gone, GError **error)
{
    struct ct_out *out = ct_out_open(request->output, error);

    if (!out) {
        return false;
    }
    if (request->json) {
        ct_view_diff_json(out, diff, request->edits);
    } else {
        ct_view_diff_text(out, diff, name_of(request, CT_DIFF_A),
                          name_of(request, CT_DIFF_B));
    }
    (void)ct_out_flush(out);
    *ret_is_gone = out->error == EPIPE;
    return ct_out_close(out, true, error);
}

static bool save(struct answers *answers, const struct request *request,
                 bool *ret_is_gone, GError **error)
{
    if (!read_run(answers, request, CT_DIFF_A, error)) {
        return false;
    }
    struct ct_saved *saved = ct_diff_save(answers->diff);
    bool done = ct_baseline_write(
        request->save, saved, answers->findings[CT_DIFF_A], ret_is_gone, error);
    ct_saved_free(saved);
    return done;
}

/* The exit status; with --fail-on, why in one line. */
static int judge(const struct answers *answers, const struct request *request)
{
    if (!request->gate.is_set) {
        return ct_diff_result(answers->diff)->identical ? CT_EXIT_OK
                                                        : CT_EXIT_DIFFERENT;
    }
    g_autofree char *why =
        ct_gate_reasons(&request->gate, answers->diff, answers->findings);
    if (why) {
        (void)ct_error("%s: %s", name_of(request, CT_DIFF_B), why);
    }
    return why ? CT_EXIT_DIFFERENT : CT_EXIT_OK;
}

static void answers_init(struct answers *answers)
{
    *answers = (struct answers){.diff = ct_diff_new()};
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        answers->findings[side] = g_ptr_array_new_with_free_func(g_free);
    }
}

static void answers_fini(struct answers *answers)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        ct_findings_free(answers->finders[side]);
        g_ptr_array_unref(answers->findings[side]);
    }
    ct_diff_free(answers->diff);
}

int ct_command_diff(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct request request = {0};
    struct answers answers;
    int status = parse(argc, argv, &request);
    int difference = CT_EXIT_OK;
    bool is_gone = false;
    bool done;

    if (status >= 0) {
        return status;
    }
    ct_passes_begin();
    answers_init(&answers);
    if (request.save) {
        done = save(&answers, &request, &is_gone, &error);
    } else {
        done = compare(&answers, &request, &error) &&
               show(answers.diff, &request, &is_gone, &error);
        difference = done ? judge(&answers, &request) : CT_EXIT_ERROR;
    }
    answers_fini(&answers);
    g_autofree char *names =
        request.save ? g_strdup(request.trace[CT_DIFF_A])
                     : g_strdup_printf("%s and %s", name_of(&request, 0),
                                       name_of(&request, 1));
    status = ct_passes_end(names, done, is_gone, error);
    return status == CT_EXIT_OK ? difference : status;
}
