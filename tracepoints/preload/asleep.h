/* SPDX-License-Identifier: MIT */
/*
 * preload/asleep.h - LTTng's threads, until they have nothing left to do
 *
 * Model:    they are told from the program's by their names' end.  They sleep
 *           if all of them slept at two looks and none has woken between: then
 *           nothing but the recorder, or LTTng's daemon that comes up, wakes
 *           them.
 * Threads:  any.
 * Memory:   none but the stack.
 * Errors:   where nobody can look they are taken to be asleep; so they are when
 *           the time is over.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_ASLEEP_H
#define CT_PRELOAD_ASLEEP_H

#pragma GCC visibility push(hidden)

/** ct_asleep_wait() - until they sleep, 2 s at most */
void ct_asleep_wait(void);

#pragma GCC visibility pop

#endif
