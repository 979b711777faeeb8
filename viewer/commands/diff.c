/* SPDX-License-Identifier: MIT */
/*
 * diff.c - two passes for the decisions, two short ones for the backtraces of
 * those that are told, one page
 *
 * Exit status: 1 for a real change, or what --fail-on asks for instead.
 */
#include "commands/diff.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "commands/passes.h"
#include "cotrace.h"
#include "ct/diff.h"
#include "views/diff.h"

enum fail_on {
    FAIL_ON_ORDER = 1 << 0,   /* real changes of order */
    FAIL_ON_MISSING = 1 << 1, /* what only one run has */
    FAIL_ON_P99 = 1 << 2,     /* a class of requests got slower */
};

struct request {
    const char *trace[CT_DIFF_SIDES];
    const char *output;
    unsigned fail_on;
    uint64_t percent; /* FAIL_ON_P99: that p99 may grow */
    bool json;
    bool edits;
};

/* --- the command line -------------------------------------------------------
 */

static const struct option longs[] = {
    {"edits", no_argument, NULL, 'e'},
    {"fail-on", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {"output", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

static int help(void)
{
    fputs("usage: cotrace diff A B [--fail-on=WHAT,...] [--json [--edits]]\n"
          "                    [-o FILE]\n"
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
          "      --fail-on=WHAT,... exit 1 only for: order, missing, p99:+N%\n"
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

/* "p99:+10%" */
static bool parse_p99(const char *word, uint64_t *ret_percent)
{
    char *end = NULL;

    if (!g_str_has_prefix(word, "p99:+") || !g_ascii_isdigit(word[5])) {
        return false;
    }
    *ret_percent = g_ascii_strtoull(word + 5, &end, 10);
    return !strcmp(end, "%") && *ret_percent <= 1000000;
}

static bool parse_fail_on(const char *text, unsigned *ret_bits,
                          uint64_t *ret_percent)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    unsigned bits = 0;

    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(words[i], "order")) {
            bits |= FAIL_ON_ORDER;
        } else if (!strcmp(words[i], "missing")) {
            bits |= FAIL_ON_MISSING;
        } else if (parse_p99(words[i], ret_percent)) {
            bits |= FAIL_ON_P99;
        } else {
            return false;
        }
    }
    *ret_bits |= bits;
    return bits != 0;
}

/* -1: go on; else the exit status */
static int parse(int argc, char **argv, struct request *request)
{
    int value;

    opterr = 0;
    optind = 1;
    while ((value = getopt_long(argc, argv, ":o:h", longs, NULL)) != -1) {
        switch (value) {
        case 'e':
            request->edits = true;
            break;
        case 'f':
            if (!parse_fail_on(optarg, &request->fail_on, &request->percent)) {
                return ct_usage_error("diff",
                                      "--fail-on: '%s' is not a list of "
                                      "order, missing, p99:+N%%",
                                      optarg);
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
    if (argc - optind < CT_DIFF_SIDES) {
        return ct_usage_error("diff", "two traces are needed");
    }
    if (argc - optind > CT_DIFF_SIDES) {
        return ct_usage_error("diff", "%s: only two traces can be given",
                              argv[optind + CT_DIFF_SIDES]);
    }
    if (request->edits && !request->json) {
        return ct_usage_error("diff", "--edits needs --json");
    }
    request->trace[CT_DIFF_A] = argv[optind];
    request->trace[CT_DIFF_B] = argv[optind + 1];
    return -1;
}

/* --- the work ---------------------------------------------------------------
 */

static bool compare(struct ct_diff *diff, const struct request *request,
                    GError **error)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        struct ct_consumer *consumers[] = {ct_diff_consumer(diff, side), NULL};
        if (!ct_passes_run(request->trace[side], consumers, true, error)) {
            return false;
        }
    }
    if (!ct_diff_compare(diff, error)) {
        return false;
    }
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        struct ct_consumer *consumers[] = {ct_diff_explainer(diff, side), NULL};
        if (ct_diff_wants_pass(diff, side) &&
            !ct_passes_run(request->trace[side], consumers, true, error)) {
            return false;
        }
    }
    return true;
}

static bool is_in_one_only(const struct ct_diff_result *result)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        for (unsigned i = 0; i < result->n_only[side]; i++) {
            if (result->only[side][i].real) {
                return true;
            }
        }
    }
    return false;
}

static bool is_turned(const struct ct_diff_result *result)
{
    uint64_t in_one = 0;

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        for (unsigned i = 0; i < result->n_only[side]; i++) {
            in_one +=
                result->only[side][i].real ? result->only[side][i].count : 0;
        }
    }
    return result->real > in_one;
}

static bool is_slower(const struct ct_diff_result *result, uint64_t percent)
{
    for (unsigned i = 0; i < result->n_latency; i++) {
        const struct ct_diff_latency *latency = &result->latency[i];
        if (latency->is_request && !latency->has_state && latency->sure &&
            latency->z_milli > 0 &&
            (double)latency->times[CT_DIFF_B].p99_ns * 100 >
                (double)latency->times[CT_DIFF_A].p99_ns *
                    (100 + (double)percent)) {
            return true;
        }
    }
    return false;
}

static int verdict(const struct ct_diff_result *result,
                   const struct request *request)
{
    bool is_different = !result->identical;

    if (request->fail_on) {
        is_different =
            ((request->fail_on & FAIL_ON_ORDER) && is_turned(result)) ||
            ((request->fail_on & FAIL_ON_MISSING) && is_in_one_only(result)) ||
            ((request->fail_on & FAIL_ON_P99) &&
             is_slower(result, request->percent));
    }
    return is_different ? CT_EXIT_DIFFERENT : CT_EXIT_OK;
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
        ct_view_diff_text(out, diff, request->trace[CT_DIFF_A],
                          request->trace[CT_DIFF_B]);
    }
    (void)ct_out_flush(out);
    *ret_is_gone = out->error == EPIPE;
    return ct_out_close(out, true, error);
}

int ct_command_diff(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct request request = {0};
    int status = parse(argc, argv, &request);
    bool is_gone = false;

    if (status >= 0) {
        return status;
    }
    ct_passes_begin();
    struct ct_diff *diff = ct_diff_new();
    bool done = compare(diff, &request, &error) &&
                show(diff, &request, &is_gone, &error);
    int difference =
        done ? verdict(ct_diff_result(diff), &request) : CT_EXIT_ERROR;
    ct_diff_free(diff);
    g_autofree char *both =
        g_strdup_printf("%s and %s", request.trace[0], request.trace[1]);
    status = ct_passes_end(both, done, is_gone, error);
    return status == CT_EXIT_OK ? difference : status;
}
