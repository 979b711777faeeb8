/* SPDX-License-Identifier: MIT */
/*
 * decode/fields.h - a record's fields by their generated position, for our own
 * events: U(BH_SCHEDULE_BH), where `record` is the record
 *
 * A field that the trace does not have reads as 0 or NULL.
 */
#ifndef CT_DECODE_FIELDS_H
#define CT_DECODE_FIELDS_H

#include "decode/decode.h"

#define U(field) (record->values[CT_FLD_##field].u)
#define I(field) (record->values[CT_FLD_##field].i)
#define S(field) ct_field_text(&record->values[CT_FLD_##field])

static inline const char *ct_field_text(const struct ct_value *value)
{
    return value->present ? value->s : NULL;
}

#endif
