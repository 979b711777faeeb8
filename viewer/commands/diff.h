/* SPDX-License-Identifier: MIT */
/*
 * commands/diff.h - two runs beside one another
 *
 * Threads:  main thread only.
 * Errors:   told; the result is the exit status.
 * Depends:  libc only.
 */
#ifndef CT_COMMANDS_DIFF_H
#define CT_COMMANDS_DIFF_H

int ct_command_diff(int argc, char **argv);

#endif
