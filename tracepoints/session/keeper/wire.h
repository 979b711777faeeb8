/* SPDX-License-Identifier: MIT */
/*
 * session/keeper/wire.h - what the processes of one recording say to each other
 *
 * Model:    `cotrace record` (the recorder) supervises; two children work for
 *           it: the keeper owns the daemons, the control process makes the
 *           calls of liblttng-ctl, any of which may block for ever.  Each is
 *           joined to the recorder by a socket of whole messages; the end of
 *           the stream means that the other side is gone.
 * Threads:  one reader and one writer an end.
 * Errors:   0 or -errno.
 * Depends:  libc only.
 */
#ifndef CT_SESSION_KEEPER_WIRE_H
#define CT_SESSION_KEEPER_WIRE_H

#include <stdint.h>

enum ct_wire {
    CT_WIRE_GONE,   /* made by ct_wire_receive(): the other side ended */
    CT_WIRE_FAILED, /* answer to anything; text: why */
    /* keeper -> recorder */
    CT_WIRE_READY,  /* the daemon serves; number: enum ct_keeper_mode */
    CT_WIRE_BROKEN, /* a daemon ended by itself; text: which, its last words */
    CT_WIRE_ENDED,  /* nothing of the recording runs any more; text: why the
                       trace could not be written, if so */
    /* recorder -> keeper */
    CT_WIRE_WATCH, /* the session is there: tell if a daemon ends */
    CT_WIRE_END,   /* end the daemons; number: patience in ms */
    /* recorder -> control */
    CT_WIRE_CREATE, /* number: nonzero if the session is to be limited */
    CT_WIRE_START,  /* number: pid of the program, which waits for its exec */
    CT_WIRE_STOP,   /* stop, wait for the data, destroy */
    CT_WIRE_HURRY,  /* while it stops: wait for nothing more */
    /* control -> recorder */
    CT_WIRE_DONE, /* answer to CREATE, START; to STOP: number 1 complete */
};

struct ct_wire_message {
    uint32_t kind; /* enum ct_wire */
    int32_t number;
    char text[1016]; /* always terminated */
};

/** ct_wire_pair() - two joined ends, closed at exec */
int ct_wire_pair(int ret_ends[2]);

/** ct_wire_send() - @text may be NULL; cut if it is too long */
int ct_wire_send(int end, enum ct_wire kind, int number, const char *text);

/**
 * ct_wire_receive() - wait for one message
 * @timeout_ms: -1: no limit
 * Return: 0; -EAGAIN when nothing came in time.
 */
int ct_wire_receive(int end, struct ct_wire_message *ret_message,
                    int timeout_ms);

#endif
