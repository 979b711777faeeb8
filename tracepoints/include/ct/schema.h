/* SPDX-License-Identifier: MIT */
/*
 * ct/schema.h - the table of events, the same for all inputs
 *
 * Model:    generated from the lists in tracepoints/events/.  An event has an
 *           index that is stable within one build only (never stored), and its
 *           fields have the order of the list.
 * Threads:  immutable; any thread.
 * Memory:   static; nothing to free.
 * Errors:   -1: no such name; an index that no event has aborts.
 * Depends:  libc only.
 *
 * ct/events.h (generated, included here) has
 *   enum ct_event_id       CT_EV_BH_SCHEDULE ...  , CT_EV_COUNT
 *                          (LTTng-UST's own: CT_EV_UST_BIN_INFO,
 *                          CT_EV_UST_LIB_LOAD, CT_EV_UST_DL_DLOPEN ...;
 *                          QEMU's: CT_EV_QEMU_AIO_CO_SCHEDULE ...)
 *   enum ct_fld_<event>    CT_FLD_BH_SCHEDULE_BH ... , positions of the fields
 *   enum ct_yield_reason   CT_YIELD_REASON_WORK ... , and so on for each enum
 *   CT_SCHEMA_MAJOR, CT_SCHEMA_MINOR
 */
#ifndef CT_SCHEMA_H
#define CT_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "ct/events.h"

enum ct_field_kind {
    CT_FIELD_U32,
    CT_FIELD_I32,
    CT_FIELD_U64,
    CT_FIELD_I64,
    CT_FIELD_HEX,
    CT_FIELD_ID,
    CT_FIELD_ENUM,
    CT_FIELD_STRING,
    CT_FIELD_HEXES,
    CT_FIELD_STACK,
    CT_FIELD_BYTES, /* u8[]; only in events of others (build ids) */
};

enum ct_field_unit {
    CT_UNIT_NONE,
    CT_UNIT_NS,
    CT_UNIT_BYTES,
    CT_UNIT_COUNT,
    CT_UNIT_FD,
};

struct ct_field {
    const char *name;
    enum ct_field_kind kind;
    enum ct_field_unit unit;
    const char *const *words; /* CT_FIELD_ENUM: NULL-terminated, by value */
    const char *was;          /* its name in other versions, NULL: none */
};

#define CT_FIELDS_MAX 10

struct ct_event {
    const char *provider; /* "cotrace", "lttng_ust_statedump" ... */
    const char *name;
    const struct ct_field *fields;
    unsigned n_fields;
    int stack; /* position of the stack field, -1: none */
    /* events of others; NULL-terminated, NULL: none */
    const char *const *was;   /* names in other versions */
    const char *const *texts; /* forms in a log: "ctx {ctx} co {co}" */
};

/** ct_schema_event() - the event with this index (enum ct_event_id) */
const struct ct_event *ct_schema_event(unsigned id);

/**
 * ct_schema_find() - look an event up by name, or one that it had
 * @provider: "cotrace"
 * @name:     event name without provider
 * Return: its index, or -1.
 */
int ct_schema_find(const char *provider, const char *name);

/** ct_schema_field() - position of a field by name, or one that it had; or -1
 */
int ct_schema_field(const struct ct_event *event, const char *name);

#endif
