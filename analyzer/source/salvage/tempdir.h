/* SPDX-License-Identifier: MIT */
/*
 * source/salvage/tempdir.h - a directory that does not outlive us
 *
 * Model:    made -> filled -> removed.  While one exists, SIGINT, SIGTERM and
 *           SIGHUP remove it before they end the process, unless the program
 *           handles them itself.
 * Threads:  one directory at a time a process; made and removed by one thread.
 * Errors:   GError, domain G_FILE_ERROR.
 * Depends:  glib.h.
 */
#ifndef CT_SOURCE_SALVAGE_TEMPDIR_H
#define CT_SOURCE_SALVAGE_TEMPDIR_H

#include <glib.h>
#include <stdbool.h>

/** ct_tempdir_make() - under $TMPDIR or /tmp; NULL: @error */
char *ct_tempdir_make(GError **error);

/** ct_tempdir_will_have() - a file or directory @path is about to be made in it
 * Tell before making it; a directory before what it holds.
 * Return: false: too many, don't make it. */
bool ct_tempdir_will_have(const char *path);

/** ct_tempdir_remove() - with all that it was told to have; NULL: nothing */
void ct_tempdir_remove(char *dir);

#endif
