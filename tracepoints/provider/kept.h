/* SPDX-License-Identifier: MIT */
/*
 * kept.h - the frames behind ids, for ct_stack_tell()
 *
 * Threads:  any.
 * Memory:   a copy of each distinct piece, never freed; bounded.
 * Errors:   none: a piece that finds no room is not kept.
 */
#ifndef KEPT_H
#define KEPT_H

#include "stack_int.h"

#pragma GCC visibility push(hidden)

/** ct_kept_add() - @piece is told, and may have to be again */
void ct_kept_add(uint64_t id, const struct ct_piece *piece);

#pragma GCC visibility pop

#endif
