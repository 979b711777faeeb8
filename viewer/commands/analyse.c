/* SPDX-License-Identifier: MIT */
/*
 * analyse.c - every command that is one pass over a trace and one view of it
 */
#include "commands/analyse.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "commands/passes.h"
#include "cotrace.h"
#include "render/narrow.h"
#include "views.h"

/* --- one pass ------------------------------------------------------------ */

/* @narrow: which of the view's pass is to be shown; NULL: all */
static int pass(const char *command, const struct ct_view *view,
                const struct ct_settings *settings, const char *trace,
                struct ct_narrow *narrow)
{
    g_autoptr(GError) error = NULL;
    struct ct_view_run *run = ct_view_open(view, settings, &error);
    bool done, is_gone;

    if (!run) {
        return g_error_matches(error, CT_VIEW_ERROR, 0)
                   ? ct_usage_error(command, "%s", error->message)
                   : ct_error("%s", error->message);
    }
    if (narrow) {
        run->consumers[0] = ct_narrow_filter(narrow, run->consumers[0]);
    }
    done = ct_passes_run(trace, &settings->place.span, run->consumers,
                         !run->streams || !run->out->is_terminal, &error);
    is_gone = run->out->error == EPIPE;
    done = ct_view_close(run, done, done ? &error : NULL) && done;
    return ct_passes_end(trace, done, is_gone, error);
}

/* --- the command line ---------------------------------------------------- */

/* The arguments, broken between words that stand by themselves. */
static void print_usage(const char *command, const char *arguments)
{
    int indent = printf("usage: cotrace %s", command);
    int column = indent;

    while (*arguments) {
        int depth = 0;
        int n = 0;

        while (arguments[n] && (arguments[n] != ' ' || depth)) {
            depth += arguments[n] == '[';
            depth -= arguments[n] == ']';
            n++;
        }
        if (column + 1 + n > 79) {
            column = printf("\n%*s", indent, "") - 1;
        }
        column += printf(" %.*s", n, arguments);
        arguments += n + (arguments[n] == ' ');
    }
    printf("\n");
}

static void print_help(const char *command, const struct ct_view *view,
                       unsigned taken, const char *arguments)
{
    print_usage(command, arguments);
    printf("\n%s\n", view->summary);
    if (view->details) {
        printf("\n%s\n", view->details);
    }
    printf("\noptions:\n");
    for (const struct ct_option *option = ct_options; option->name; option++) {
        g_autofree char *words = NULL;

        if (!(taken & option->bit)) {
            continue;
        }
        words = g_strdup_printf("%c%c%s--%s%s%s", option->letter ? '-' : ' ',
                                option->letter ? option->letter : ' ',
                                option->letter ? ", " : "  ", option->name,
                                option->argument ? "=" : "",
                                option->argument ? option->argument : "");
        printf("  %-22s %s\n", words, option->help);
    }
    printf("  %-22s this text\n", "    --help");
}

/*
 * getopt's tables from ours.  An option's value in `longs` is its place in
 * ct_options, moved out of the way of letters.
 */
enum {
    HELP = CT_OPTION_LONG,
    PLACE,
};

static void make_tables(unsigned taken, struct option *longs, char *letters)
{
    unsigned n = 0;

    *letters++ = ':';
    for (unsigned i = 0; ct_options[i].name; i++) {
        const struct ct_option *option = &ct_options[i];

        if (!(taken & option->bit)) {
            continue;
        }
        longs[n++] = (struct option){
            .name = option->name,
            .has_arg = option->argument ? required_argument : no_argument,
            .val = PLACE + (int)i,
        };
        if (option->letter) {
            *letters++ = option->letter;
            if (option->argument) {
                *letters++ = ':';
            }
        }
    }
    longs[n++] = (struct option){.name = "help", .val = HELP};
    longs[n] = (struct option){.name = NULL};
    *letters++ = 'h';
    *letters = '\0';
}

static const struct ct_option *chosen(int value)
{
    if (value >= PLACE) {
        return &ct_options[value - PLACE];
    }
    for (const struct ct_option *option = ct_options; option->name; option++) {
        if (option->letter == value) {
            return option;
        }
    }
    return NULL;
}

/* CT_EXIT_OK with @ret_trace NULL: --help has been answered. */
static int parse(int argc, char **argv, const struct ct_view *view,
                 struct ct_settings *settings, const char **ret_trace)
{
    g_autoptr(GError) error = NULL;
    struct option longs[32];
    char letters[64];
    int value;

    make_tables(view->options, longs, letters);
    opterr = 0;
    optind = 1;
    *ret_trace = NULL;
    while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct ct_option *option;

        if (value == 'h' || value == HELP) {
            print_help(argv[0], view, view->options, view->arguments);
            return ct_told();
        }
        if (value == '?' || value == ':') {
            return ct_option_error(argv[0], argv, value);
        }
        option = chosen(value);
        if (!ct_settings_set(settings, view, option->name, optarg, &error)) {
            return ct_usage_error(argv[0], "--%s", error->message);
        }
    }
    if (!ct_settings_check(settings, &error)) {
        return ct_usage_error(argv[0], "--%s", error->message);
    }
    if (optind >= argc) {
        return ct_usage_error(argv[0], "no trace given");
    }
    if (optind + 1 < argc) {
        return ct_usage_error(argv[0], "%s: only one trace can be given",
                              argv[optind + 1]);
    }
    if (!*argv[optind]) {
        return ct_usage_error(argv[0], "the trace has an empty name");
    }
    if (!ct_out_spares(settings->path, argv[optind], &error)) {
        return ct_error("%s", error->message);
    }
    settings->place.trace = *ret_trace = argv[optind];
    return CT_EXIT_OK;
}

int ct_command_view(int argc, char **argv)
{
    const struct ct_view *view = ct_view_find(argv[0]);
    const char *trace;
    struct ct_settings settings;
    int status;

    ct_settings_init(&settings);
    status = parse(argc, argv, view, &settings, &trace);
    if (trace) {
        ct_passes_begin();
        status = pass(argv[0], view, &settings, trace, NULL);
    }
    ct_settings_fini(&settings);
    return status;
}

/* --- render: the view is chosen by the output ---------------------------- */

/* What the views take that it chooses from. */
static unsigned options_of_files(void)
{
    unsigned options = 0;

    for (const struct ct_view *view = ct_views; view->name; view++) {
        options |= view->suffix ? view->options : 0;
    }
    return options;
}

static const struct ct_view *view_by_suffix(const char *path)
{
    for (const struct ct_view *view = ct_views; view->name; view++) {
        if (view->suffix && g_str_has_suffix(path, view->suffix)) {
            return view;
        }
    }
    return NULL;
}

/* A pass to find the requests, and the view's. */
static int narrowed(const char *command, const struct ct_view *view,
                    const struct ct_settings *settings, const char *trace)
{
    g_autoptr(GError) error = NULL;
    struct ct_narrow *narrow = ct_narrow_new(settings->only, settings->slowest);
    struct ct_consumer *finders[] = {ct_narrow_finder(narrow), NULL};
    int status;

    if (ct_passes_run(trace, &settings->place.span, finders, true, &error)) {
        status = pass(command, view, settings, trace, narrow);
    } else {
        status = ct_passes_end(trace, false, false, error);
    }
    ct_narrow_free(narrow);
    return status;
}

static int render(const char *command, const struct ct_settings *settings,
                  const char *trace)
{
    const struct ct_view *view;

    if (!settings->path) {
        return ct_usage_error(command, "no output given (-o FILE)");
    }
    view = settings->format ? ct_view_find(settings->format)
                            : view_by_suffix(settings->path);
    if (!view) {
        return ct_usage_error(command,
                              "%s: its suffix says no format, and there is no "
                              "--format",
                              settings->path);
    }
    ct_passes_begin();
    return settings->only || settings->slowest
               ? narrowed(command, view, settings, trace)
               : pass(command, view, settings, trace, NULL);
}

int ct_command_render(int argc, char **argv)
{
    const struct ct_view any = {
        .name = "render",
        .options = CT_OPTION_NARROW | CT_OPTION_FORMAT | options_of_files(),
        .arguments = "TRACE -o FILE [--begin=NS] [--end=NS] [--request=ID,...] "
                     "[--slowest=N] [--split=SIZE] [--debug-dir=DIR] "
                     "[--format=chrome]",
        .summary = "the whole trace as a file for another viewer",
        .details = "chrome (.json): a timeline for ui.perfetto.dev, "
                   "speedscope.app and\nchrome://tracing",
    };
    const char *trace;
    struct ct_settings settings;
    int status;

    ct_settings_init(&settings);
    status = parse(argc, argv, &any, &settings, &trace);
    if (trace) {
        status = render(argv[0], &settings, trace);
    }
    ct_settings_fini(&settings);
    return status;
}
