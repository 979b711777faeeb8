/* SPDX-License-Identifier: MIT */
/*
 * decode/dialects.h - the dialects that decode.c chooses from
 *
 * Model:    decode.c sets what every step has (time, order, process, thread);
 *           a dialect sets kind and the columns of ct/step.h, and returns
 *           whether the record says anything.
 * Depends:  decode/decode.h.
 */
#ifndef CT_DECODE_DIALECTS_H
#define CT_DECODE_DIALECTS_H

#include "decode/decode.h"

/* Two digits a byte: room for the longest build id that is taken over. */
#define CT_BUILD_ID_MAX 64

/* How many words an enum has: a greater value is of a later schema. */
struct ct_enum_sizes {
    uint8_t n[CT_EV_COUNT][CT_FIELDS_MAX];
};

/* An enum's value, or what stands for "not told" if it is a later word. */
static inline uint8_t ct_word(const struct ct_enum_sizes *words,
                              const struct ct_record *record, unsigned field,
                              uint8_t otherwise)
{
    uint64_t value = record->values[field].u;

    return value < words->n[record->event][field] ? (uint8_t)value : otherwise;
}

bool ct_decode_cotrace(const struct ct_enum_sizes *words,
                       const struct ct_record *record, struct ct_step *step);

/* Of the cotrace dialect: events that make several steps; @steps: the first has
 * what every step has.  Return: how many, 0: it is none of these. */
unsigned ct_decode_joined(const struct ct_enum_sizes *words,
                          const struct ct_record *record,
                          struct ct_step *steps);

/* Of the cotrace dialect: how a loop waits. */
bool ct_decode_waiting(const struct ct_record *record, struct ct_step *step);
/* ... and what the kernel does for it. */
bool ct_decode_io(const struct ct_record *record, struct ct_step *step);
bool ct_decode_graph(const struct ct_record *record, struct ct_step *step);

/** @text: CT_BUILD_ID_MAX * 2 + 1 characters, borrowed by the step */
bool ct_decode_ust(const struct ct_record *record, struct ct_step *step,
                   char *text);

#endif
