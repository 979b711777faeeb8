/* SPDX-License-Identifier: MIT */
/*
 * steps.c - the steps that the decoder makes of a log, one a line
 *
 *     steps LOG
 *
 * For check_qemu.py, which knows from a reader of its own what they have to be.
 * It gives the decoder the log's lines without libbabeltrace2.
 */
#include <inttypes.h>
#include <stdio.h>

#include "decode/decode.h"
#include "source/text/log-pieces.h"

static const char *const words[CT_STEP_KINDS] = {
    [CT_STEP_CO_CREATE] = "create",     [CT_STEP_CO_ENTER] = "enter",
    [CT_STEP_CO_YIELD] = "yield",       [CT_STEP_CO_TERMINATE] = "terminate",
    [CT_STEP_CO_SCHEDULE] = "schedule", [CT_STEP_CO_DEQUEUE] = "dequeue",
    [CT_STEP_CO_WAKE] = "wake",         [CT_STEP_LOCK_TAKE] = "take",
    [CT_STEP_LOCK_WAIT] = "wait",       [CT_STEP_LOCK_TAKEN] = "taken",
    [CT_STEP_LOCK_RELEASE] = "release", [CT_STEP_LOCK_HAND_OVER] = "hand-over",
    [CT_STEP_WORK_SUBMIT] = "submit",   [CT_STEP_WORK_COMPLETE] = "complete",
    [CT_STEP_REQUEST_BEGIN] = "begin",  [CT_STEP_REQUEST_COROUTINE] = "serve",
    [CT_STEP_REQUEST_END] = "end",
};

static void print(uint64_t line, const struct ct_step *step)
{
    printf("%" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
           " %" PRIu64 " %d %u %d %s\n",
           line, words[step->kind], step->subject, step->object, step->context,
           step->value, step->waits_for, step->ret, step->reason,
           (int)step->certainty, step->layer ? step->layer : "-");
}

int main(int argc, char **argv)
{
    struct ct_decoder *decoder = ct_decoder_new();
    struct ct_log_pieces *pieces;
    struct ct_log_kind kind;
    const struct ct_record *piece;
    struct ct_step steps[CT_DECODE_MAX];
    uint64_t line = 0;

    if (argc != 2 || ct_log_look(argv[1], &kind) < 0 ||
        ct_log_pieces_open(argv[1], &kind, &pieces) < 0) {
        fprintf(stderr, "usage: steps LOG\n");
        return 2;
    }
    while ((piece = ct_log_pieces_next(pieces))) {
        unsigned n = ct_decode(decoder, piece, steps);

        line += !(piece->values[CT_FLD_LOG_LINE_FLAGS].u & CT_LOG_PIECE);
        for (unsigned i = 0; i < n; i++) {
            if (words[steps[i].kind]) {
                print(line, &steps[i]);
            }
        }
    }
    ct_log_pieces_free(pieces);
    ct_decoder_free(decoder);
    return 0;
}
