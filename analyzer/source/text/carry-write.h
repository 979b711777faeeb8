/* SPDX-License-Identifier: MIT */
/*
 * source/text/carry-write.h - from our records to babeltrace2's events
 *
 * Model:    a writer keeps one event class a set of fields.
 * Threads:  one graph, one thread.
 * Memory:   event classes are the stream class's.
 * Errors:   NULL, false: no memory.
 * Depends:  ct/record.h, babeltrace2.
 */
#ifndef CT_SOURCE_TEXT_CARRY_WRITE_H
#define CT_SOURCE_TEXT_CARRY_WRITE_H

#include <babeltrace2/babeltrace.h>

#include "ct/record.h"

struct ct_carry_writer;

/**
 * ct_carry_writer_new() - makes event classes in a stream class
 * @stream_class: assigns event class ids itself; a reference is taken
 */
struct ct_carry_writer *ct_carry_writer_new(bt_stream_class *stream_class);
void ct_carry_writer_free(struct ct_carry_writer *writer);

/**
 * ct_carry_context_class() - the common context that a writer fills
 * Return: a structure of vpid and vtid, the caller's; NULL: no memory.
 */
bt_field_class *ct_carry_context_class(bt_trace_class *trace_class);

/**
 * ct_carry_class() - the event class for exactly the fields of this record
 * Return: borrowed; NULL: no memory.
 */
const bt_event_class *ct_carry_class(struct ct_carry_writer *writer,
                                     const struct ct_record *record);

/** ct_carry_write() - fill an event of the class that ct_carry_class() gave
 * Return: false: no memory. */
bool ct_carry_write(const struct ct_record *record, bt_event *event);

#endif
