/* SPDX-License-Identifier: MIT */
/*
 * preload/jump.h - jumps out of what this library records
 *
 * Model:    a signal handler that interrupts the recording of an event may
 *           leave by siglongjmp(), as programs limit the time of a call.  What
 *           it would leave behind is half an event and LTTng's locks.  So the
 *           event is finished first, and then the jump is made.
 * Threads:  the calling thread only.
 * Memory:   none.
 * Errors:   where the handler's return can't be found, and where the handler
 *           may be gone back to, the jump is made at once.
 * Depends:  guard.h.
 */
#ifndef CT_PRELOAD_JUMP_H
#define CT_PRELOAD_JUMP_H

#include <setjmp.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/**
 * ct_jump_later() - the program jumps while this thread records: if that leaves
 * what it records, it is finished and does not return; then ct_jump_now()
 * @sp: the stack pointer that it jumps to
 * @jump: the real call
 */
void ct_jump_later(const struct __jmp_buf_tag *buffer, int value, uintptr_t sp,
                   void (*jump)(struct __jmp_buf_tag *, int));

/** ct_jump_now() - the recording is done */
void ct_jump_now(void);

/** ct_switch_jumps() - tells the jump, if it is one to another stack (switch.c)
 */
void ct_switch_jumps(uintptr_t sp);

#pragma GCC visibility pop

#endif
