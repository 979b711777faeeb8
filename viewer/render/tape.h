/* SPDX-License-Identifier: MIT */
/*
 * render/tape.h - what the timeline remembers until names are known
 *
 * Model:    function names are known only at the end of a pass (loaded files
 *           are told at any time), so what happens is first put on a tape of
 *           small records in an out/spool.h, and written as JSON at the end,
 *           in the same order.  A record is of one size; a request takes two.
 * Depends:  libc only.
 */
#ifndef CT_RENDER_TAPE_H
#define CT_RENDER_TAPE_H

#include <stdint.h>

enum ct_tape_kind {
    CT_TAPE_BEGIN, /* a slice */
    CT_TAPE_END,
    CT_TAPE_POINT, /* a slice that ends when it begins */
    CT_TAPE_FLOW,
    CT_TAPE_COUNTER,
    CT_TAPE_GAP,
    CT_TAPE_REQUEST, /* followed by one CT_TAPE_MORE and `count` segments */
    CT_TAPE_MORE,
    CT_TAPE_SEGMENT,
    CT_TAPE_MARK, /* all that happened before this instant stands before it */
};

enum ct_tape_flags {
    CT_TAPE_OPEN = 1 << 0, /* not ended at the end of the trace */
    CT_TAPE_BEGAN_EARLIER = 1 << 1,
    CT_TAPE_HAS_RET = 1 << 2,
    CT_TAPE_COMPLETE = 1 << 3,
    CT_TAPE_END_LOST = 1 << 4,
    CT_TAPE_NO_RANGE = 1 << 5,  /* offset and bytes are not known */
    CT_TAPE_CUT_BEGIN = 1 << 6, /* goes on from the file before */
    CT_TAPE_CUT_END = 1 << 7,   /* goes on in the next file */
};

/*
 * What the fields hold, by kind:
 *            what          label  tid    to_tid  at  until  id      more
 * BEGIN      slice kind    label  thread         ns         entity  request
 * END, POINT the same
 * FLOW       edge kind            from   to      ns  ns     entity  request
 * COUNTER    counter kind  label                 ns         value   2nd value
 * GAP                                            ns  ns     lost
 * REQUEST                  op     lane   ret     ns  ns     number  parent
 * MORE                     layer  node (a label)            offset  bytes
 * SEGMENT    state         cause  lane   thread  ns  ns     co      request
 * MARK                                           ns
 */
struct ct_tape_record {
    uint8_t kind;
    uint8_t what;
    uint16_t flags;
    uint32_t label;
    int32_t pid;
    int32_t tid;
    int32_t to_tid;
    uint32_t count;
    int64_t at_ns; /* from the trace's origin */
    int64_t until_ns;
    uint64_t id;
    uint64_t more;
};

#endif
