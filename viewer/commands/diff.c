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
#include "render/chrome.h"
#include "views/diff.h"

enum format {
    FORMAT_NONE, /* nothing was said */
    FORMAT_TEXT,
    FORMAT_JSON,
    FORMAT_HTML,
    FORMAT_CHROME,
};

struct request {
    const char *trace[CT_DIFF_SIDES]; /* [CT_DIFF_A]: NULL with `against` */
    const char *against;
    const char *save;
    const char *output;
    struct ct_gate gate;
    struct ct_span span; /* of both traces */
    enum format format;
    bool edits;
    bool any_program;
};

/* What the passes found out. */
struct answers {
    struct ct_diff *diff;
    struct ct_findings *finders[CT_DIFF_SIDES]; /* NULL: nobody asks */
    GPtrArray *findings[CT_DIFF_SIDES];         /* char * */
    bool truncated[CT_DIFF_SIDES];              /* there are more of them */
    bool untimed[CT_DIFF_SIDES];                /* nobody looked for them */
    struct ct_out *out; /* FORMAT_CHROME: from the start */
    struct ct_chrome_pair pair;
};

/* --- the command line ---------------------------------------------------- */

/* Apart from the letters that have no long name. */
#define LONG(letter) (CT_OPTION_LONG + (letter))

static const struct option longs[] = {
    {"any-program", no_argument, NULL, LONG('p')},
    {"against", required_argument, NULL, LONG('a')},
    {"begin", required_argument, NULL, LONG('B')},
    {"edits", no_argument, NULL, LONG('e')},
    {"end", required_argument, NULL, LONG('E')},
    {"fail-on", required_argument, NULL, LONG('f')},
    {"format", required_argument, NULL, LONG('F')},
    {"help", no_argument, NULL, LONG('h')},
    {"html", no_argument, NULL, LONG('w')},
    {"json", no_argument, NULL, LONG('j')},
    {"output", required_argument, NULL, LONG('o')},
    {"save-baseline", required_argument, NULL, LONG('s')},
    {NULL, 0, NULL, 0},
};

static int help(void)
{
    fputs("usage: cotrace diff A B [--fail-on=WHAT,...] "
          "[--json [--edits] | --html]\n"
          "                    [--any-program] [--begin=NS] [--end=NS] "
          "[-o FILE]\n"
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
          "      --any-program      compare runs of programs that have not the "
          "same name, too\n"
          "      --against=FILE     instead of a trace A, what --save-baseline "
          "made of it\n"
          "      --save-baseline=FILE\n"
          "                         compare nothing: keep what is compared of "
          "a run\n"
          "      --fail-on=WHAT,... exit 1 only for these, and say why in one "
          "line on\n"
          "                         stderr: order, missing, result, findings "
          "(one of a kind\n"
          "                         and function that A has not), p50:+N%, "
          "p99:+N%, mean:+N%\n"
          "      --begin=NS         only what comes after it in both runs, in "
          "ns from the\n"
          "                         first event of each\n"
          "      --end=NS           only what comes before it\n"
          "      --json             JSON instead of text\n"
          "      --edits            with --json: both sequences of decisions, "
          "and every\n"
          "                         edit that makes one of the other\n"
          "      --html             a page for a browser: both timelines under "
          "one another\n"
          "      --format=FORMAT    text, json, html, or chrome: both runs as "
          "processes of one\n"
          "                         timeline; else by the suffix: .html, "
          ".json is chrome\n"
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
    for (int i = 0; i < n; i++) {
        if (!*words[i]) {
            return ct_usage_error("diff", "a trace has an empty name");
        }
    }
    request->trace[request->against ? CT_DIFF_B : CT_DIFF_A] = words[0];
    if (wanted == CT_DIFF_SIDES) {
        request->trace[CT_DIFF_B] = words[1];
    }
    return -1;
}

static bool is_empty(const char *name)
{
    return name && !*name;
}

/* -1: nothing that is read would be overwritten; else the exit status */
static int check_files(const struct request *request)
{
    const char *const outputs[] = {request->output, request->save};
    const char *const inputs[] = {request->trace[CT_DIFF_A],
                                  request->trace[CT_DIFF_B], request->against};
    g_autoptr(GError) error = NULL;

    if (is_empty(request->output) || is_empty(request->save) ||
        is_empty(request->against)) {
        return ct_usage_error("diff", "a file has an empty name");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(outputs); i++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(inputs); k++) {
            if (!ct_out_spares(outputs[i], inputs[k], &error)) {
                return ct_error("%s", error->message);
            }
        }
    }
    return -1;
}

static int check_options(const struct request *request)
{
    if (request->span.has_begin && request->span.has_end &&
        request->span.begin_ns >= request->span.end_ns) {
        return ct_usage_error("diff", "--begin: not before --end");
    }
    if (request->against && request->format == FORMAT_CHROME) {
        return ct_usage_error("diff", "a baseline has no timeline");
    }
    if (request->edits && request->format != FORMAT_JSON) {
        return ct_usage_error("diff", "--edits needs --json");
    }
    if (request->save &&
        (request->against || request->output ||
         request->format != FORMAT_NONE || request->gate.is_set)) {
        return ct_usage_error("diff",
                              "--save-baseline compares nothing: --against, "
                              "--output, --fail-on and formats do not go with "
                              "it");
    }
    return check_files(request);
}

static bool parse_format(const char *word, enum format *ret_format)
{
    static const char *const words[] = {"text", "json", "html", "chrome"};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!strcmp(word, words[i])) {
            *ret_format = (enum format)(FORMAT_TEXT + i);
            return true;
        }
    }
    return false;
}

/* Of a file that is to be written; NULL: standard output */
static enum format format_of(const char *path)
{
    if (path && g_str_has_suffix(path, ".html")) {
        return FORMAT_HTML;
    }
    return path && g_str_has_suffix(path, ".json") ? FORMAT_CHROME
                                                   : FORMAT_TEXT;
}

/* -1: go on; else the exit status */
static int set_time(const char *name, const char *value, bool *ret_has,
                    int64_t *ret_ns)
{
    g_autoptr(GError) error = NULL;

    *ret_has = true;
    return ct_option_number(ret_ns, value, &error)
               ? -1
               : ct_usage_error("diff", "--%s: %s", name, error->message);
}

/* Likewise; the one would win over the other in silence. */
static int set_format(struct request *request, enum format format)
{
    if (request->format != FORMAT_NONE && request->format != format) {
        return ct_usage_error("diff",
                              "two formats: choose one of --json, --html and "
                              "--format");
    }
    request->format = format;
    return -1;
}

/* Likewise. */
static int parse(int argc, char **argv, struct request *request)
{
    enum format format = FORMAT_NONE;
    int status = -1;
    int value;

    opterr = 0;
    optind = 1;
    while (status < 0 &&
           (value = getopt_long(argc, argv, ":o:h", longs, NULL)) != -1) {
        switch (value) {
        case LONG('a'):
            request->against = optarg;
            break;
        case LONG('B'):
            status = set_time("begin", optarg, &request->span.has_begin,
                              &request->span.begin_ns);
            break;
        case LONG('E'):
            status = set_time("end", optarg, &request->span.has_end,
                              &request->span.end_ns);
            break;
        case LONG('e'):
            request->edits = true;
            break;
        case LONG('f'):
            if (!ct_gate_parse(&request->gate, optarg)) {
                return ct_usage_error("diff",
                                      "--fail-on: '%s' is not a list of %s",
                                      optarg, CT_GATE_WORDS);
            }
            break;
        case LONG('F'):
            if (!parse_format(optarg, &format)) {
                return ct_usage_error("diff",
                                      "--format: '%s' is none of text, json, "
                                      "html, chrome",
                                      optarg);
            }
            status = set_format(request, format);
            break;
        case 'h':
        case LONG('h'):
            return help();
        case LONG('j'):
            status = set_format(request, FORMAT_JSON);
            break;
        case LONG('p'):
            request->any_program = true;
            break;
        case 'o':
        case LONG('o'):
            request->output = optarg;
            break;
        case LONG('s'):
            request->save = optarg;
            break;
        case LONG('w'):
            status = set_format(request, FORMAT_HTML);
            break;
        default:
            return ct_option_error("diff", argv, value);
        }
    }
    status =
        status < 0 ? set_traces(argv + optind, argc - optind, request) : status;
    if (request->format == FORMAT_NONE && !request->save) {
        request->format = format_of(request->output);
    }
    return status < 0 ? check_options(request) : status;
}

/* --- the work ------------------------------------------------------------ */

static const struct ct_findings_limits limits = CT_FINDINGS_DEFAULTS;

/* The first pass over a trace; findings, if they are asked for, come of it. */
static bool read_run(struct answers *answers, const struct request *request,
                     enum ct_diff_side side, GError **error)
{
    struct ct_consumer *consumers[] = {ct_diff_consumer(answers->diff, side),
                                       NULL, NULL, NULL};
    struct ct_view_run *chrome = NULL;
    unsigned n = 1;

    if (request->save || request->gate.findings) {
        answers->finders[side] = ct_findings_new(&limits);
        consumers[n++] = ct_findings_consumer(answers->finders[side]);
    }
    if (answers->out) {
        chrome = ct_view_chrome_of(&answers->pair, side);
        consumers[n] = chrome->consumers[0];
    }
    bool done = ct_passes_run(request->trace[side], &request->span, consumers,
                              true, error);
    if (chrome) {
        chrome->free(chrome);
    }
    if (!done) {
        return false;
    }
    if (answers->finders[side]) {
        const struct ct_findings_result *found =
            ct_findings_result(answers->finders[side]);
        ct_gate_findings(found, answers->findings[side]);
        answers->truncated[side] = found && found->truncated;
        answers->untimed[side] = found && !found->has_times;
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

    if (request->any_program) {
        ct_diff_set_any_program(diff);
    }
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

/* A timeline is written while the passes go on, the rest afterwards. */
static bool open_timeline(struct answers *answers,
                          const struct request *request, GError **error)
{
    if (request->format != FORMAT_CHROME) {
        return true;
    }
    answers->out = ct_out_open(request->output, error);
    if (answers->out) {
        ct_chrome_pair_begin(&answers->pair, answers->out);
    }
    return answers->out != NULL;
}

static bool show(struct answers *answers, const struct request *request,
                 bool *ret_is_gone, GError **error)
{
    const struct ct_diff *diff = answers->diff;
    struct ct_out *out =
        answers->out ? answers->out : ct_out_open(request->output, error);

    answers->out = NULL;
    if (!out) {
        return false;
    }
    const char *name_a = name_of(request, CT_DIFF_A);
    const char *name_b = name_of(request, CT_DIFF_B);
    if (request->format == FORMAT_JSON) {
        ct_view_diff_json(out, diff, request->edits);
    } else if (request->format == FORMAT_CHROME) {
        ct_chrome_pair_end(&answers->pair);
    } else if (request->format == FORMAT_HTML) {
        ct_view_diff_html(out, diff, name_a, name_b);
    } else {
        ct_view_diff_text(out, diff, name_a, name_b);
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
    g_autofree char *unjudged = ct_gate_unjudged(
        &request->gate, answers->diff, answers->truncated, answers->untimed);
    if (unjudged) {
        ct_warning("--fail-on: could not judge %s", unjudged);
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
    if (answers->out) {
        (void)ct_out_close(answers->out, false, NULL);
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
        done = open_timeline(&answers, &request, &error) &&
               compare(&answers, &request, &error) &&
               show(&answers, &request, &is_gone, &error);
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
