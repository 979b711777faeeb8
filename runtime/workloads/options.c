/* SPDX-License-Identifier: MIT */
/*
 * options.c - what getopt_long() did not take
 */
#include "workloads/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Was a value given to a long option that takes none? */
static bool has_needless_value(const struct option *longs, const char *word)
{
    if (strncmp(word, "--", 2) != 0 || strchr(word, '=') == NULL) {
        return false;
    }
    for (const struct option *one = longs; one->name != NULL; one++) {
        if (one->val == optopt && one->has_arg == no_argument) {
            return true;
        }
    }
    return false;
}

void option_refused(const char *program, const struct option *longs,
                    char *const argv[], int value)
{
    const char *word = argv[optind - 1];
    const char letter[] = {'-', (char)optopt, '\0'};

    if (value == ':') {
        fprintf(stderr, "%s: %s: needs a value; try --help\n", program,
                strncmp(word, "--", 2) == 0 ? word : letter);
    } else if (optopt == 0) {
        /* a long one that is none, or the begin of several */
        fprintf(stderr, "%s: %s: no such option; try --help\n", program, word);
    } else if (has_needless_value(longs, word)) {
        fprintf(stderr, "%s: %s: takes no value; try --help\n", program, word);
    } else {
        fprintf(stderr, "%s: %s: no such option; try --help\n", program,
                letter);
    }
}
