/* SPDX-License-Identifier: MIT */
/*
 * source/text/simple-file.h - the binary file of QEMU's trace backend `simple`
 *
 * Model:    records in the order of the file.  What it holds of an event are
 *           numbers and strings; what they mean stands in QEMU's list of
 *           events, `trace-events-all`, which lies beside the file or where
 *           QEMU installs it.
 * Threads:  one a reader.
 * Memory:   a record's strings live until the next call.
 * Errors:   -errno in opening; -ENOENT: no list; -EPROTO: another version of
 *           the format.  A damaged file ends where it is damaged, with a line
 *           that can't be read.
 * Depends:  ct/record.h, glib.h.
 */
#ifndef CT_SOURCE_TEXT_SIMPLE_FILE_H
#define CT_SOURCE_TEXT_SIMPLE_FILE_H

#include "ct/record.h"

/** ct_simple_recognise() - does a file begin as one of any version? */
bool ct_simple_recognise(const char *path);

struct ct_simple;

int ct_simple_open(const char *path, struct ct_simple **ret_simple);
void ct_simple_free(struct ct_simple *simple);

/** ct_simple_first_ns() - the time of the first event; 0: there is none */
int64_t ct_simple_first_ns(const struct ct_simple *simple);

/**
 * ct_simple_next() - an event, one that the schema lacks as a `log:line` of
 * its name, or a hole
 * Return: borrowed; NULL: the file is at its end.  when_ns never decreases.
 */
const struct ct_record *ct_simple_next(struct ct_simple *simple);

#endif
