/* SPDX-License-Identifier: MIT */
/*
 * source/text/src-qemu-log.h - is a file a log, and the class that reads it
 *
 * Memory:   nothing is kept.
 * Depends:  babeltrace2.
 */
#ifndef CT_SOURCE_TEXT_SRC_QEMU_LOG_H
#define CT_SOURCE_TEXT_SRC_QEMU_LOG_H

#include <babeltrace2/babeltrace.h>
#include <stdbool.h>

/** ct_log_class() - the component class for the command's graphs */
const bt_component_class_source *ct_log_class(void);

/** ct_log_recognise() - does a file hold lines of QEMU's trace log? */
bool ct_log_recognise(const char *path);

#endif
