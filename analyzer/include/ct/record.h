/* SPDX-License-Identifier: MIT */
/*
 * ct/record.h - one event as it was read, whatever it was read from
 *
 * Model:    a source makes records; decode turns them into steps.  A record is
 *           an event of the schema with its values by position, or a hole:
 *           a stretch of a stream in which events are missing.
 * Threads:  one pass, one thread.
 * Memory:   borrowed for the call, strings and arrays included.
 * Errors:   none.
 * Depends:  ct/schema.h.
 */
#ifndef CT_RECORD_H
#define CT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ct/schema.h"

struct ct_value {
    union {
        uint64_t u;        /* id, u32, u64, hex, enum, stack */
        int64_t i;         /* i32, i64 */
        const char *s;     /* string */
        const uint64_t *v; /* hexes; `len` values */
        const uint8_t *b;  /* bytes; `len` of them */
    };
    uint32_t len;
    bool present; /* false: the trace's schema has no such field */
};

enum ct_record_kind {
    CT_RECORD_EVENT,
    CT_RECORD_HOLE,
};

struct ct_record {
    enum ct_record_kind kind;
    bool has_clock;   /* false: `when_ns` is 0, only `seq` orders */
    int64_t when_ns;  /* since 1970 by the trace's clock, never less than the
                         record's before; a hole stands at its beginning */
    int64_t zero_ns;  /* since 1970, what 0 of the traced clock is: for values
                         that are times themselves */
    int64_t stamp_ns; /* as the thread told it, before it was made to agree with
                         other threads; 0: when_ns is that */
    uint64_t seq;     /* number of the record in the merged order, from 0 */
    uint32_t stream;  /* number of the stream within the trace, from 0 */

    /* CT_RECORD_EVENT */
    int event;   /* enum ct_event_id; -1: not in the schema */
    int32_t pid; /* of the traced process; 0: not told */
    int32_t tid;
    struct ct_value values[CT_FIELDS_MAX];

    /* CT_RECORD_HOLE */
    int64_t to_ns;   /* its end; CT_HOLE_TO_END */
    uint64_t lost;   /* events; CT_LOST_UNKNOWN */
    bool only_names; /* none that was lost tells what a program does, only which
                        files it has loaded */
};

/* `flags` of log:line */
enum {
    CT_LOG_CUT = 1,        /* it has no end of line */
    CT_LOG_PIECE = 2,      /* split off a longer line */
    CT_LOG_NO_STAMP = 4,   /* thread and time are those of the line before */
    CT_LOG_BAD_STAMP = 8,  /* its time can't be */
    CT_LOG_CLOCK_SET = 16, /* somebody set the clock back before it */
};

#define CT_LOST_UNKNOWN UINT64_MAX
#define CT_HOLE_TO_END  INT64_MAX /* nothing of the stream comes any more */

#endif
