/* SPDX-License-Identifier: MIT */
/*
 * ct/key.h - what a process calls something, as a key
 *
 * Model:    ids are a process's own, so every table over a whole trace is by
 *           both.
 * Threads:  any.
 * Memory:   none.
 * Errors:   none; other keys may have the same hash.
 * Depends:  glib.h.
 */
#ifndef CT_KEY_H
#define CT_KEY_H

#include <glib.h>
#include <stdint.h>

/** ct_key_hash() - for a GHashTable */
static inline guint ct_key_hash(int32_t pid, uint64_t id)
{
    uint64_t mixed = (id + (uint64_t)(uint32_t)pid * UINT64_C(0x9e3779b1)) *
                     UINT64_C(0x9e3779b97f4a7c15);

    return (guint)(mixed >> 32);
}

#endif
