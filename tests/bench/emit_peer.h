/* SPDX-License-Identifier: MIT */
/*
 * emit_peer.h - the peer of bench_emit.c: LTTng-UST by the book, nothing of
 * ours in between
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench_peer
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "emit_peer.h"

#if !defined(EMIT_PEER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define EMIT_PEER_H

#include <stdint.h>

#include <lttng/tracepoint.h>

/* clang-format off */
LTTNG_UST_TRACEPOINT_EVENT(bench_peer, zero,
    LTTNG_UST_TP_ARGS(),
    LTTNG_UST_TP_FIELDS()
)

LTTNG_UST_TRACEPOINT_EVENT(bench_peer, two,
    LTTNG_UST_TP_ARGS(uint64_t, a, uint64_t, b),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint64_t, a, a)
        lttng_ust_field_integer(uint64_t, b, b)
    )
)

LTTNG_UST_TRACEPOINT_EVENT(bench_peer, six,
    LTTNG_UST_TP_ARGS(uint64_t, a, uint64_t, b, uint64_t, c, uint64_t, d,
                      uint64_t, e, uint64_t, f),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint64_t, a, a)
        lttng_ust_field_integer(uint64_t, b, b)
        lttng_ust_field_integer(uint64_t, c, c)
        lttng_ust_field_integer(uint64_t, d, d)
        lttng_ust_field_integer(uint64_t, e, e)
        lttng_ust_field_integer(uint64_t, f, f)
    )
)

LTTNG_UST_TRACEPOINT_EVENT(bench_peer, two_and_frames,
    LTTNG_UST_TP_ARGS(uint64_t, a, uint64_t, b, const uint64_t *, frames,
                      uint32_t, n),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint64_t, a, a)
        lttng_ust_field_integer(uint64_t, b, b)
        lttng_ust_field_sequence_hex(uint64_t, frames, frames, uint8_t, n)
    )
)
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
