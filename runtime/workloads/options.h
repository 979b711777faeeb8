/* SPDX-License-Identifier: MIT */
/*
 * workloads/options.h - what getopt_long() did not take, in one line
 *
 * Model:    a program sets opterr to 0, begins its letters with ':', and says
 *           what was wrong itself.
 * Threads:  that of getopt_long(), whose variables are read.
 * Errors:   none; it is about them.
 * Depends:  getopt.h.
 */
#ifndef CT_WORKLOADS_OPTIONS_H
#define CT_WORKLOADS_OPTIONS_H

#include <getopt.h>

/**
 * option_refused() - a line on stderr about the option that was just refused
 * @program: how the line begins
 * @longs: as given to getopt_long(); with values that letters do not have,
 * where an option has no letter
 * @value: what getopt_long() returned, '?' or ':'
 */
void option_refused(const char *program, const struct option *longs,
                    char *const argv[], int value);

#endif
