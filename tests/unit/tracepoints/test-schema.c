/* SPDX-License-Identifier: MIT */
/*
 * test-schema.c - the table of events says what the lists say
 */
#include <string.h>

#include "ct/schema.h"

#include "lib/tap.h"

static void test_every_event(void)
{
    for (unsigned id = 0; id < CT_EV_COUNT; id++) {
        const struct ct_event *event = ct_schema_event(id);
        bool ours = strcmp(event->provider, "cotrace") == 0;

        tap_equal(ct_schema_find(event->provider, event->name), id);
        tap_check(!ours || event->n_fields <= CT_FIELDS_MAX);
        tap_check(event->stack == -1 ||
                  (unsigned)event->stack == event->n_fields - 1);
        for (unsigned i = 0; i < event->n_fields; i++) {
            const struct ct_field *field = &event->fields[i];

            tap_equal(ct_schema_field(event, field->name), i);
            tap_check((field->kind == CT_FIELD_ENUM) == (field->words != NULL));
            tap_check((field->kind == CT_FIELD_STACK) ==
                      ((int)i == event->stack));
        }
    }
}

static void test_known_ones(void)
{
    const struct ct_event *bh = ct_schema_event(CT_EV_BH_SCHEDULE);
    const struct ct_event *yield = ct_schema_event(CT_EV_COROUTINE_YIELD);
    const struct ct_event *info = ct_schema_event(CT_EV_UST_BIN_INFO);

    tap_check(strcmp(bh->name, "bh_schedule") == 0);
    tap_check(bh->fields[CT_FLD_BH_SCHEDULE_CALLBACK].kind == CT_FIELD_HEX);
    tap_equal(bh->stack, CT_FLD_BH_SCHEDULE_STACK);
    tap_check(strcmp(yield->fields[CT_FLD_COROUTINE_YIELD_REASON]
                         .words[CT_YIELD_REASON_WORK],
                     "work") == 0);
    tap_check(strcmp(info->provider, "lttng_ust_statedump") == 0);
    tap_check(info->fields[CT_FLD_UST_BIN_INFO_MEMSZ].unit == CT_UNIT_BYTES);
    tap_check(ct_schema_event(CT_EV_UST_BUILD_ID)
                  ->fields[CT_FLD_UST_BUILD_ID_BUILD_ID]
                  .kind == CT_FIELD_BYTES);
}

static void test_unknown(void)
{
    tap_equal(ct_schema_find("cotrace", "no_such_event"), -1);
    tap_equal(ct_schema_find("no_such_provider", "bh_schedule"), -1);
    tap_equal(ct_schema_field(ct_schema_event(CT_EV_BH_SCHEDULE), "no"), -1);
}

int main(void)
{
    tap_run("schema/every-event", test_every_event);
    tap_run("schema/known-ones", test_known_ones);
    tap_run("schema/unknown", test_unknown);
    return tap_end();
}
