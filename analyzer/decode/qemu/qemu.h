/* SPDX-License-Identifier: MIT */
/*
 * decode/qemu/qemu.h - QEMU's events, whoever recorded them
 *
 * Model:    addresses become ids (decode/lives.h), and what QEMU does not say
 *           of a wait or of a request's end is told from what stands around
 *           it, as a bound where it is one.
 * Threads:  one pass, one thread.
 * Memory:   strings of steps live until the next call.
 * Errors:   none.
 * Depends:  decode/decode.h.
 */
#ifndef CT_DECODE_QEMU_H
#define CT_DECODE_QEMU_H

#include "decode/decode.h"
#include "decode/files.h"

struct ct_qemu;

struct ct_qemu *ct_qemu_new(void);
void ct_qemu_free(struct ct_qemu *qemu);

/** ct_qemu_decode() - as ct_decode(), of events of provider `qemu` */
unsigned ct_qemu_decode(struct ct_qemu *qemu, const struct ct_record *record,
                        struct ct_step *ret_steps);

/** ct_qemu_doubt() - events are missing: who runs where has to be told anew */
void ct_qemu_doubt(struct ct_qemu *qemu);

/**
 * ct_qemu_decode_line() - the same, of a line that a preloaded library took
 * @stack: where it was printed, instead of what the layers say
 */
unsigned ct_qemu_decode_line(struct ct_qemu *qemu,
                             const struct ct_record *record, uint64_t stack,
                             struct ct_step *ret_steps);

/**
 * ct_qemu_decode_native() - what a preloaded library saw of a QEMU's workers
 * and of what it asks the kernel for
 * @files: what fds stand for; NULL: nobody has told
 * @ret_n: how many steps were set
 * Return: false: it says nothing of them, and no step was set.
 */
bool ct_qemu_decode_native(struct ct_qemu *qemu, const struct ct_files *files,
                           const struct ct_record *record,
                           struct ct_step *ret_steps, unsigned *ret_n);

/** ct_qemu_has_workers() - did a preloaded library take the lines of one? */
bool ct_qemu_has_workers(const struct ct_qemu *qemu);

#endif
