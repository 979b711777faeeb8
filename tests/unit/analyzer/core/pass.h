/* SPDX-License-Identifier: MIT */
/*
 * pass.h - a pass of the tests' own: model and accounts, everything kept
 *
 * Everything that must hold of any trace is checked as it comes, and aborts:
 * sums, brackets of slices, times, certainty.
 */
#ifndef CT_TEST_PASS_H
#define CT_TEST_PASS_H

#include <glib.h>

#include "account/account.h"
#include "model/model.h"

struct kept_request {
    struct ct_request request; /* its arrays are the next ones */
    struct ct_segment *segments;
    uint64_t *coroutines;
    int32_t *workers;
    struct ct_ran *ran;
    struct ct_path_segment *path;
};

struct pass {
    struct ct_model *model;
    struct ct_account *account;
    GArray *requests;  /* struct kept_request */
    GArray *slices;    /* struct ct_slice */
    GArray *edges;     /* struct ct_edge */
    GArray *lives;     /* struct ct_life; origins held */
    GArray *stacks;    /* struct ct_own_stack; origins held */
    GArray *counters;  /* struct ct_counter */
    GArray *gaps;      /* struct ct_gap */
    GHashTable *open;  /* tid -> GArray of slices that began */
    GHashTable *began; /* number -> struct ct_request, until it ends */
    GHashTable *names; /* tid -> name */
    GArray *held;
    int64_t now_ns;
    bool blames;
    bool keep; /* false: check, but keep nothing */
};

struct pass *pass_new(unsigned wants);
void pass_step(struct pass *pass, const struct ct_step *step);
void pass_finish(struct pass *pass, int64_t end_ns);
void pass_free(struct pass *pass);

/** pass_request() - by the process's own id; the last one that ended */
const struct ct_request *pass_request(const struct pass *pass, uint64_t id);

const struct ct_life *pass_life(const struct pass *pass,
                                enum ct_entity_kind kind, uint64_t id);

/** pass_state() - the request's segment at @when_ns */
const struct ct_segment *pass_segment(const struct ct_request *request,
                                      int64_t when_ns);

#endif
