/* SPDX-License-Identifier: MIT */
/*
 * ops.h - from types to programs over an event's bytes
 *
 * Depends:  layout.h, tsdl.h.
 */
#ifndef CT_CTF_OPS_H
#define CT_CTF_OPS_H

#include "layout.h"
#include "tsdl.h"

/* An event's parts behind its head, in their order; NULL: no bytes. */
struct ct_ctf_parts {
    const struct ct_type *stream_context;
    const struct ct_type *context;
    const struct ct_type *fields;
};

/**
 * ct_ctf_ops_build() - one program over all parts of an event
 * @event: its ops become its own (g_free()), and nothing else of it changes
 *
 * A type that can't be passed over is an error of @tsdl.
 */
void ct_ctf_ops_build(struct ct_tsdl *tsdl, const struct ct_ctf_parts *parts,
                      struct ct_ctf_event *event);

#endif
