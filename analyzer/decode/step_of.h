/* SPDX-License-Identifier: MIT */
/*
 * decode/step_of.h - a step of a record, before it says more
 *
 * Depends:  ct/record.h, ct/step.h.
 */
#ifndef CT_DECODE_STEP_OF_H
#define CT_DECODE_STEP_OF_H

#include "ct/record.h"
#include "ct/step.h"

/** ct_step_of() - @tid: the thread that it happened on, which need not be the
 * one that told it */
static inline struct ct_step ct_step_of(const struct ct_record *record,
                                        enum ct_step_kind kind, int32_t tid)
{
    return (struct ct_step){
        .kind = kind,
        .certainty = CT_KNOWN,
        .when_ns = record->when_ns,
        .stamp_ns = record->stamp_ns,
        .seq = record->seq,
        .pid = record->pid,
        .tid = tid,
    };
}

#endif
