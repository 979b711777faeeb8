/* SPDX-License-Identifier: MIT */
/*
 * fuzz-log.c - libFuzzer target: any bytes as a log, on to accounted requests
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "account/account.h"
#include "decode/decode.h"
#include "model/model.h"
#include "source/text/log-pieces.h"
#include "source/text/simple-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From a step to requests, all of them asked for. */
struct chain {
    struct ct_decoder *decoder;
    struct ct_model *model;
    struct ct_account *account;
    int64_t last_ns;
};

static void take(struct chain *chain, struct ct_changes changes)
{
    for (unsigned i = 0; i < changes.n; i++) {
        if (changes.v[i].kind >= CT_CHANGE_REQUEST_BEGIN) {
            ct_account_take(chain->account, &changes.v[i]);
        } else {
            ct_account_meanwhile(chain->account, &changes.v[i]);
        }
    }
}

static void feed(struct chain *chain, const struct ct_record *record)
{
    struct ct_step steps[CT_DECODE_MAX];
    unsigned n = ct_decode(chain->decoder, record, steps);

    if (n > CT_DECODE_MAX || record->when_ns < chain->last_ns) {
        abort();
    }
    chain->last_ns = record->when_ns;
    for (unsigned i = 0; i < n; i++) {
        take(chain, ct_model_step(chain->model, &steps[i]));
    }
}

static void finish(struct chain *chain)
{
    const struct ct_log_counts *counts = ct_decoder_log(chain->decoder);
    struct ct_changes changes;

    do {
        changes = ct_model_finish(chain->model, chain->last_ns);
        take(chain, changes);
    } while (changes.n > 0);
    if (counts->lines + counts->pieces != counts->events + counts->unknown +
                                              counts->foreign +
                                              counts->malformed ||
        ct_account_bad_sums(chain->account)) {
        abort();
    }
    ct_account_free(chain->account);
    ct_model_free(chain->model);
    ct_decoder_free(chain->decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chain chain = {.decoder = ct_decoder_new(),
                          .model = ct_model_new(CT_WANT_ALL),
                          .account = ct_account_new(true)};
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct ct_log_pieces *pieces;
    struct ct_simple *simple;
    struct ct_log_kind kind;
    const struct ct_record *record;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
        ct_log_look(path, &kind) < 0 ||
        ct_log_pieces_open(path, &kind, &pieces) < 0) {
        abort();
    }
    while ((record = ct_log_pieces_next(pieces))) {
        feed(&chain, record);
    }
    ct_log_pieces_free(pieces);
    /* Where QEMU's list of events is installed, and the head is right. */
    if (ct_simple_open(path, &simple) == 0) {
        while ((record = ct_simple_next(simple))) {
            feed(&chain, record);
        }
        ct_simple_free(simple);
    }
    finish(&chain);
    close(fd);
    return 0;
}
