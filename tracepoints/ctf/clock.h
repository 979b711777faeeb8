/* SPDX-License-Identifier: MIT */
/*
 * clock.h - what metadata says of the clock
 *
 * Model:    read once, with the layout that it belongs to.
 * Threads:  one.
 * Memory:   nothing is kept but numbers.
 * Errors:   tsdl->why.
 * Depends:  layout.h, tsdl.h.
 */
#ifndef CT_CTF_CLOCK_H
#define CT_CTF_CLOCK_H

#include "layout.h"
#include "tsdl.h"

/**
 * ct_ctf_clock_read() - a block "clock", behind its keyword
 * @text:   all of the metadata; @tsdl reads it
 * @layout: its clock is set
 */
void ct_ctf_clock_read(struct ct_tsdl *tsdl, const char *text,
                       struct ct_ctf_layout *layout);

#endif
