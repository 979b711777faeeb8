/* SPDX-License-Identifier: MIT */
/*
 * source/ops.h - from types to programs over an event's bytes
 *
 * Depends:  source/layout.h, source/tsdl.h.
 */
#ifndef CT_SOURCE_OPS_H
#define CT_SOURCE_OPS_H

#include "source/layout.h"
#include "source/tsdl.h"

/**
 * ct_ctf_ops_build() - the program of one structure, or of two in a row
 * @type: NULL: no bytes; likewise @more
 * Return: its steps are the caller's, and never NULL.  A type that can't be
 * passed over is an error of @tsdl.
 */
struct ct_ops ct_ctf_ops_build(struct ct_tsdl *tsdl, const struct ct_type *type,
                               const struct ct_type *more);

#endif
