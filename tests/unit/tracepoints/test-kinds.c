/* SPDX-License-Identifier: MIT */
/*
 * test-kinds.c - what many requests have in common, told once by a number
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ct/emit.h" /* the fake one */
#include "ct/kinds.h"
#include "ct/retell.h"
#include "intern.h"
#include "retell.h"
#include "told.h"

#include "lib/tap.h"

enum { SLOTS = 4096 }; /* as in kinds.c */

static const char layer[] = "blk", op[] = "read", other[] = "write";

/* Nothing is settled: what is told may be lost. */
static void test_unsettled(void)
{
    tap_check(!ct_retell_settled);
    tap_equal(ct_kind_told(layer, op, "disk", 0), 0);
    tap_equal(told_kinds(), 0);
}

static void test_not_recorded(void)
{
    const void *recording = fake_recording;

    ct_retell_start();
    ct_retell_poll();
    tap_check(ct_retell_settled == recording);
    fake_recording = NULL;
    tap_equal(ct_kind_told(layer, op, "disk", 0), 0);
    fake_recording = &layer; /* another one has joined */
    tap_equal(ct_kind_told(layer, op, "disk", 0), 0);
    fake_recording = recording;
    fake_requests = &layer; /* one records events of requests that did not */
    tap_equal(ct_kind_told(layer, op, "disk", 0), 0);
    fake_requests = NULL;
    tap_equal(told_kinds(), 0);
}

static void test_once(void)
{
    char node[] = "disk", same[] = "disk";
    uint32_t kind = ct_kind_told(layer, op, node, 0);
    const struct told_kind *told;

    tap_check(kind > 0);
    tap_equal(told_kinds(), 1);
    told = told_kind(kind);
    tap_check(told != NULL);
    tap_check(strcmp(told->layer, layer) == 0 && strcmp(told->op, op) == 0 &&
              strcmp(told->node, "disk") == 0 && told->flags == 0);
    tap_equal(ct_kind_told(layer, op, node, 0), kind);
    tap_equal(ct_kind_told(layer, op, same, 0), kind); /* by its content */
    tap_equal(told_kinds(), 1);
}

/* Each of the four makes another kind; so does every byte of the name. */
static void test_distinct(void)
{
    static const char *const nodes[] = {
        "",
        "d",
        "disk",
        "disc",
        "disk2",
        "disk:abc",
        "disk:abd",
        "disk:abcd",
        "disk:abcdefghijk",
        "disk:abcdefghijl",
        "eisk:abcdefghijk",
    };
    enum { NODES = sizeof(nodes) / sizeof(nodes[0]), COUNT = 8 * NODES };
    uint32_t kinds[COUNT];
    unsigned n = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        kinds[n++] = ct_kind_told(i & 1 ? layer : other, i & 2 ? op : other,
                                  nodes[i / 8], i & 4 ? 1u << 31 : 0);
        tap_check(kinds[i] > 0);
        for (unsigned j = 0; j < i; j++) {
            tap_check(kinds[i] != kinds[j]);
        }
        tap_check(strcmp(told_kind(kinds[i])->node, nodes[i / 8]) == 0);
        tap_equal(told_kind(kinds[i])->flags, i & 4 ? 1u << 31 : 0);
    }
}

/* Nor does a flag make up for another name. */
static void test_flags(void)
{
    static const char *const nodes[] = {"raw:a.img", "raw:b.img", "raw:c.img",
                                        "disk0.img", "disk1.img", "hd0",
                                        "hd1"};
    enum { NODES = sizeof(nodes) / sizeof(nodes[0]), FLAGS = 16 };
    uint32_t kinds[NODES * FLAGS];

    for (unsigned i = 0; i < NODES * FLAGS; i++) {
        kinds[i] = ct_kind_told(layer, op, nodes[i / FLAGS], i % FLAGS);
        for (unsigned j = 0; j < i; j++) {
            tap_check(kinds[i] != kinds[j]);
        }
    }
}

/* A number stays what it is, and is told anew. */
static void test_generation(void)
{
    uint32_t kind = ct_kind_told(layer, op, "disk", 0);
    unsigned before = told_kinds();

    ct_intern_new_generation();
    tap_equal(ct_kind_told(layer, op, "disk", 0), kind);
    tap_equal(told_kinds(), before + 1);
    tap_equal(ct_kind_told(layer, op, "disk", 0), kind);
    tap_equal(told_kinds(), before + 1);
}

enum { THREADS = 4, NAMES = 200 };

static uint32_t of_thread[THREADS][NAMES];

static void *ask(void *opaque)
{
    uint32_t *kinds = opaque;

    for (unsigned i = 0; i < NAMES; i++) {
        char node[16];

        snprintf(node, sizeof(node), "shared-%u", i);
        kinds[i] = ct_kind_told(layer, op, node, 0);
        /* told by whomever, before anybody uses it */
        tap_check(told_kind(kinds[i]) != NULL);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, ask, of_thread[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 1; i < THREADS; i++) {
        tap_check(memcmp(of_thread[i], of_thread[0], sizeof(of_thread[0])) ==
                  0);
    }
}

/* What finds no room has no number; who has one keeps it. */
static void test_full(void)
{
    uint32_t kind = ct_kind_told(layer, op, "disk", 0);
    unsigned refused = 0;

    for (unsigned i = 0; i < 2 * SLOTS; i++) {
        char node[16];

        snprintf(node, sizeof(node), "node-%u", i);
        uint32_t got = ct_kind_told(layer, op, node, 0);
        tap_check(got <= SLOTS);
        tap_check(got == 0 || strcmp(told_kind(got)->node, node) == 0);
        tap_equal(ct_kind_told(layer, op, node, 0), got);
        refused += got == 0;
    }
    tap_check(refused > SLOTS && refused < 2 * SLOTS);
    tap_equal(ct_kind_told(layer, op, "disk", 0), kind);
}

int main(void)
{
    /* In this order: the first needs what nobody has settled, the last fills
     * the table. */
    tap_run("kinds/unsettled", test_unsettled);
    tap_run("kinds/not-recorded", test_not_recorded);
    tap_run("kinds/told-once", test_once);
    tap_run("kinds/distinct", test_distinct);
    tap_run("kinds/flags", test_flags);
    tap_run("kinds/told-again", test_generation);
    tap_run("kinds/threads", test_threads);
    tap_run("kinds/full-table", test_full);
    return tap_end();
}
