/* SPDX-License-Identifier: MIT */
/*
 * qemu_tracepoints.h - a few of QEMU's events, as a QEMU with LTTng-UST has
 * them
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER qemu

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "qemu_tracepoints.h"

#if !defined(QEMU_TRACEPOINTS_H) || \
    defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define QEMU_TRACEPOINTS_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(
    qemu, qemu_aio_coroutine_enter,
    LTTNG_UST_TP_ARGS(void *, ctx, void *, from, void *, to, void *, opaque),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer_hex(void *, ctx, ctx)
                            lttng_ust_field_integer_hex(void *, from, from)
                                lttng_ust_field_integer_hex(void *, to, to)
                                    lttng_ust_field_integer_hex(void *, opaque,
                                                                opaque)))

LTTNG_UST_TRACEPOINT_EVENT(
    qemu, qemu_coroutine_terminate, LTTNG_UST_TP_ARGS(void *, co),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer_hex(void *, co, co)))

LTTNG_UST_TRACEPOINT_EVENT(
    qemu, blk_co_preadv,
    LTTNG_UST_TP_ARGS(void *, blk, void *, bs, int64_t, offset, int64_t, bytes,
                      int, flags),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer_hex(
        void *, blk, blk) lttng_ust_field_integer_hex(void *, bs, bs)
                            lttng_ust_field_integer(int64_t, offset, offset)
                                lttng_ust_field_integer(int64_t, bytes, bytes)
                                    lttng_ust_field_integer(int, flags, flags)))

#endif

#include <lttng/tracepoint-event.h>
