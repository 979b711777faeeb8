/* SPDX-License-Identifier: MIT */
/*
 * tell.h - live coroutines, told again to traces
 */
#ifndef CT_COROUTINE_TELL_H
#define CT_COROUTINE_TELL_H

/** coroutine_tell_init() - register the teller; once a process */
void coroutine_tell_init(void);

#endif
