/* SPDX-License-Identifier: MIT */
/*
 * cotrace.c - the command: finds what to run, and is the only place of it that
 * prints an error
 *
 * Everything below returns what went wrong as text (GError) or as a status;
 * what reaches stderr goes through ct_error(), one line a failure, so that
 * strings out of a trace or a file name can't play with the terminal.  What
 * `record` tells at its end is no error (say(), likewise inert); the plugin has
 * babeltrace2's ways.
 */
#include "cotrace.h"

#include <errno.h>
#include <getopt.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands/analyse.h"
#include "commands/diff.h"
#include "out/inert.h"
#include "views.h"

/* Beside these every view that makes no file is a command of its own. */
static const struct ct_command commands[] = {
#ifdef CT_WITH_RECORD
    {"record", "run a program and record it", ct_command_record},
#endif
    {"diff", "two runs: what was scheduled differently, and does it matter",
     ct_command_diff},
    {"render", "the whole trace as a file for another viewer",
     ct_command_render},
    {NULL, NULL, NULL},
};

/* One write, so that lines of two processes on one stderr do not mix. */
static void tell(const char *kind, const char *format, va_list arguments,
                 const char *hint)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    GString *line = g_string_new("cotrace: ");

    g_string_append(line, kind);
    ct_inert_append(line, text);
    g_string_append(line, hint);
    g_string_append_c(line, '\n');
    (void)!fwrite(line->str, 1, line->len, stderr);
    (void)fflush(stderr);
    g_string_free(line, TRUE);
}

int ct_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell("", format, arguments, "");
    va_end(arguments);
    return CT_EXIT_ERROR;
}

void ct_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell("warning: ", format, arguments, "");
    va_end(arguments);
}

int ct_usage_error(const char *command, const char *format, ...)
{
    g_autofree char *hint =
        g_strdup_printf(" (see 'cotrace %s%s--help')", command ? command : "",
                        command ? " " : "");
    va_list arguments;

    va_start(arguments, format);
    tell("", format, arguments, hint);
    va_end(arguments);
    return CT_EXIT_ERROR;
}

int ct_option_error(const char *command, char *const argv[], int value)
{
    const char *word = argv[optind - 1];

    if (value == ':') {
        return optopt < CT_OPTION_LONG
                   ? ct_usage_error(command, "-%c: needs a value", optopt)
                   : ct_usage_error(command, "%s: needs a value", word);
    }
    /* 0: a long one that is none, or the begin of several */
    if (!optopt) {
        return ct_usage_error(command, "%s: no such option", word);
    }
    return optopt < CT_OPTION_LONG
               ? ct_usage_error(command, "-%c: no such option", optopt)
               : ct_usage_error(command, "%s: takes no value", word);
}

int ct_told(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        return ct_error("standard output: %s", g_strerror(errno));
    }
    return CT_EXIT_OK;
}

static bool is_command(const struct ct_view *view)
{
    return !view->suffix;
}

static void list(const char *name, const char *summary)
{
    printf("  %-10s %s\n", name, summary);
}

static int help(void)
{
    fputs("usage: cotrace COMMAND [ARGUMENT...]\n"
          "       cotrace COMMAND --help\n"
          "       cotrace --version\n"
          "\n"
          "Records how coroutine-based I/O programs schedule their work, "
          "rebuilds the\n"
          "backtraces that coroutines, bottom halves and worker threads cut, "
          "and accounts\n"
          "for every nanosecond of every request.\n"
          "\n"
          "commands:\n",
          stdout);
    for (const struct ct_command *command = commands; command->name;
         command++) {
        list(command->name, command->summary);
    }
    for (const struct ct_view *view = ct_views; view->name; view++) {
        if (is_command(view)) {
            list(view->name, view->summary);
        }
    }
    fputs("\n"
          "A TRACE is a directory that 'cotrace record' made, any directory "
          "with CTF\n"
          "traces of such programs or of QEMU, at any depth, a trace log or a "
          "binary trace\n"
          "file of QEMU, or a trace as text.\n"
          "\n"
          "Exit status: 0 done; 1 'diff' found differences; 2 wrong usage, "
          "unreadable\n"
          "input or unwritable output, with one line on stderr that says what "
          "is wrong;\n"
          "of 'record' that of the program that was recorded.\n",
          stdout);
    return ct_told();
}

static int version(void)
{
    puts("cotrace " CT_VERSION);
    return ct_told();
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return ct_usage_error(NULL, "no command given");
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        !strcmp(argv[1], "help")) {
        return help();
    }
    if (!strcmp(argv[1], "--version")) {
        return version();
    }
    for (const struct ct_command *command = commands; command->name;
         command++) {
        if (!strcmp(argv[1], command->name)) {
            return command->run(argc - 1, argv + 1);
        }
    }
    const struct ct_view *view = ct_view_find(argv[1]);
    if (view && is_command(view)) {
        return ct_command_view(argc - 1, argv + 1);
    }
    return ct_usage_error(
        NULL, argv[1][0] == '-' ? "%s: no such option" : "%s: no such command",
        argv[1]);
}
