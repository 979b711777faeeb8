/* SPDX-License-Identifier: MIT */
/*
 * ct/id.h - identities of entities
 *
 * Model:    an id is never 0 and never given twice in a process, so it stands
 *           for one entity, where an address only stands for a place.
 * Threads:  any; a thread takes ids in blocks, so their order says nothing.
 * Memory:   none to free; an unused rest of its block is lost with the thread.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_ID_H
#define CT_ID_H

#include <stdint.h>

/** ct_id_new() - an id that this process has not had */
uint64_t ct_id_new(void);

#endif
