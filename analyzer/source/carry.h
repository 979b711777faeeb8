/* SPDX-License-Identifier: MIT */
/*
 * source/carry.h - from babeltrace2's events to our records
 *
 * Model:    a reader keeps one plan an event class (which member of the
 *           payload is which field of the schema) and reads by index from
 *           then on.
 * Threads:  one graph, one thread.
 * Memory:   what a record points to lives until the reader's next read or as
 *           long as the message, whichever ends first.  A reader holds a
 *           reference on every event class that it has a plan for, so that an
 *           address never comes to mean another class.
 * Errors:   none in reading: what does not fit the schema is not present.
 * Depends:  ct/record.h, babeltrace2.
 */
#ifndef CT_SOURCE_CARRY_H
#define CT_SOURCE_CARRY_H

#include <babeltrace2/babeltrace.h>

#include "ct/record.h"

struct ct_carry;

/* How a trace's events of provider cotrace differ from the schema. */
struct ct_carry_report {
    unsigned unknown; /* kinds of events that the schema does not have */
    unsigned lacking; /* ... that lack fields */
    unsigned partial; /* of them, those that don't tell what they are about */
    /* the first of each: event; event and field */
    char first_unknown[96];
    char first_lacking[96];
    bool has_schema; /* the trace tells its own, the newest of them */
    uint32_t major, minor;
};

struct ct_carry *ct_carry_new(void);
void ct_carry_free(struct ct_carry *carry);

/** ct_carry_report() - of all that was read so far; borrowed */
const struct ct_carry_report *ct_carry_report(const struct ct_carry *carry);

/**
 * ct_carry_read() - fill a record's event, pid, tid and values
 * @event:  of a message; borrowed
 * @record: the other fields are the caller's
 *
 * An event that the schema does not know gets event == -1 and no values; its
 * process and thread are told all the same.
 * Return: false: it lacks an id, or a word that says what happened.
 */
bool ct_carry_read(struct ct_carry *carry, const bt_event *event,
                   struct ct_record *record);

#endif
