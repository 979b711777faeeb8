/* SPDX-License-Identifier: MIT */
/*
 * cotrace.h - what a command of cotrace is, and how it tells what went wrong
 *
 * Model:    main() finds the command by its name and returns its status.  A
 *           command parses its own options and has its own --help.
 * Threads:  main thread only.
 * Memory:   argv is borrowed for the call.
 * Errors:   a command that fails has told why, once, through ct_error().
 * Depends:  libc only.
 */
#ifndef CT_COTRACE_H
#define CT_COTRACE_H

enum ct_exit {
    CT_EXIT_OK = 0,
    CT_EXIT_DIFFERENT = 1, /* `diff` found differences */
    CT_EXIT_ERROR = 2, /* wrong usage, unreadable input, unwritable output */
};

struct ct_command {
    const char *name;
    const char *summary; /* a few words for the list of commands */
    int (*run)(int argc, char **argv); /* argv[0]: the command's name */
};

/**
 * ct_error() - print the one line that says why a command fails
 * @format: "FILE: what is wrong", without the program's name or a newline;
 *          control characters in the result are shown as escapes
 * Return: CT_EXIT_ERROR, for `return ct_error(...)`.
 */
int ct_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** ct_warning() - print one line about something that does not end the work */
void ct_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** ct_told() - the status of a command that has printed what it was asked for
 * (--help): CT_EXIT_OK, or an error if standard output did not take it */
int ct_told(void);

/**
 * ct_usage_error() - as ct_error(), for wrong arguments of a command: adds
 * where its usage is told
 */
int ct_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * ct_option_error() - as ct_usage_error(), for what getopt_long() refused
 * @value: that it returned, '?' or ':'; the options' string has to begin with
 *         ':' (or "+:"), and options with a long name have to have values from
 *         CT_OPTION_LONG on: from a letter's one can't tell how it was written
 */
int ct_option_error(const char *command, char *const argv[], int value);

#define CT_OPTION_LONG 256

/* --- the commands, one file of commands/ each ---------------------------- */

#ifdef CT_WITH_RECORD
int ct_command_record(int argc, char **argv);
#endif

#endif
