/* SPDX-License-Identifier: MIT */
/*
 * native.h - events of a preloaded library, told to one decoder
 *
 * Model:    begin(), then what the program does, each with what the decoder is
 *           to make of it in words ("begin 5 in 92 on 9": item 5 in worker 92;
 *           steps that are not on thread 7 say on which), then end().  A step
 *           that has no words, or other ones, fails the test.
 * Depends:  decode/decode.h.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include "decode/decode.h"

/* Lines of QEMU; SUBMIT and DONE want the request's address and the opaque. */
#define ENTER  "qemu_aio_coroutine_enter ctx 0xc from 0xf to 0x100 opaque 0x1"
#define YIELD  "qemu_coroutine_yield from 0x100 to 0xf"
#define SUBMIT "thread_pool_submit pool 0x4000 req "
#define DONE   "thread_pool_complete pool 0x4000 req "

void begin(void);
void end(void);

/** gives() - the steps themselves; returns how many */
unsigned gives(const struct ct_record *record,
               struct ct_step ret_steps[CT_DECODE_MAX]);
void decodes(const struct ct_record *record, const char *want);

/* --- to fill a record ----------------------------------------------------- */

void set(struct ct_record *record, unsigned field, uint64_t value);
void set_fd(struct ct_record *record, unsigned field, int64_t fd);
/** set_held() - @held is borrowed */
void set_held(struct ct_record *record, unsigned field, const uint64_t held[2]);

/* --- what a program does -------------------------------------------------- */

/** is_on() - what that thread prints next it prints on this stack */
void is_on(int32_t tid, uint64_t base);
/** prints() - thread 7, a line of QEMU's, with the stack of that number */
void prints(const char *text, uint64_t stack, const char *want);
/** makes_thread() - somebody who holds that address makes the thread @id */
void makes_thread(int32_t tid, uint64_t id, uint64_t holds, const char *want);
/** thread_does() - an event whose first field is the thread */
void thread_does(int event, int32_t tid, uint64_t id, const char *want);
/** reads() - holding these two addresses */
void reads(int32_t tid, uint64_t holds, uint64_t also, const char *want);
void has_read(int32_t tid, int64_t ret, const char *want);

#endif
