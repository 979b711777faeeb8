/* SPDX-License-Identifier: MIT */
/*
 * commands/analyse.h - every command that is one pass and one view
 *
 * Threads:  main thread only.
 * Errors:   told; the result is the exit status.
 * Depends:  libc only.
 */
#ifndef CT_COMMANDS_ANALYSE_H
#define CT_COMMANDS_ANALYSE_H

/** ct_command_view() - @argv[0] is the name of a view in views.c */
int ct_command_view(int argc, char **argv);

/** ct_command_render() - the view that the output's suffix or --format says */
int ct_command_render(int argc, char **argv);

#endif
