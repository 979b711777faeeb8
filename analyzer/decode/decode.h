/* SPDX-License-Identifier: MIT */
/*
 * decode/decode.h - from a record to what it says in our words
 *
 * Model:    one dialect a provider; a record makes at most CT_DECODE_MAX
 *           steps, mostly one, none if it says nothing that we act on.
 * Threads:  one pass, one thread.
 * Memory:   steps borrow from the record and, for texts that had to be put
 *           together, from the decoder until its next call.
 * Errors:   none; what a trace does not tell is 0, NULL or CT_UNKNOWN.
 * Depends:  ct/record.h, ct/step.h.
 */
#ifndef CT_DECODE_H
#define CT_DECODE_H

#include "ct/consumer.h"
#include "ct/record.h"
#include "ct/step.h"

#define CT_DECODE_MAX 32

struct ct_decoder;

struct ct_decoder *ct_decoder_new(void);
void ct_decoder_free(struct ct_decoder *decoder);

/** ct_decoder_log() - what became of a log's lines so far */
const struct ct_log_counts *ct_decoder_log(const struct ct_decoder *decoder);

/** ct_decoder_has_qemu() - were there events of QEMU so far? */
bool ct_decoder_has_qemu(const struct ct_decoder *decoder);

/** ct_decoder_has_workers() - is it told what the workers of pools do? */
bool ct_decoder_has_workers(const struct ct_decoder *decoder);

/**
 * ct_decode() - the steps that a record makes
 * @ret_steps: room for CT_DECODE_MAX
 * Return: how many were set.
 */
unsigned ct_decode(struct ct_decoder *decoder, const struct ct_record *record,
                   struct ct_step *ret_steps);

#endif
