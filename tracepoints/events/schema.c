/* SPDX-License-Identifier: MIT */
/*
 * schema.c - the generated table of events behind ct/schema.h
 *
 * Looking up by name walks the table: a reader does it once an event class
 * when it opens a trace and works with indexes from then on.
 */
#include "ct/schema.h"

#include <stdbool.h>
#include <string.h>

#include "ct/pre.h"

#include "event_table.h"

const struct ct_event *ct_schema_event(unsigned id)
{
    ct_pre("schema-event/id", id < CT_EV_COUNT);
    return &events[id];
}

static bool was(const struct ct_event *event, const char *name)
{
    for (const char *const *old = event->was; old && *old; old++) {
        if (strcmp(*old, name) == 0) {
            return true;
        }
    }
    return false;
}

int ct_schema_find(const char *provider, const char *name)
{
    for (int i = 0; i < CT_EV_COUNT; i++) {
        if ((strcmp(events[i].name, name) == 0 || was(&events[i], name)) &&
            strcmp(events[i].provider, provider) == 0) {
            return i;
        }
    }
    return -1;
}

int ct_schema_field(const struct ct_event *event, const char *name)
{
    for (unsigned i = 0; i < event->n_fields; i++) {
        const struct ct_field *field = &event->fields[i];

        if (strcmp(field->name, name) == 0 ||
            (field->was && strcmp(field->was, name) == 0)) {
            return (int)i;
        }
    }
    return -1;
}
