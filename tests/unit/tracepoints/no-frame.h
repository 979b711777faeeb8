/* SPDX-License-Identifier: MIT */
/*
 * no-frame.h - a function that keeps no frame pointer
 */
#ifndef NO_FRAME_H
#define NO_FRAME_H

int call_without_frame(int (*call)(void));

#endif
