/* SPDX-License-Identifier: MIT */
/*
 * conds-answers.c - what callers in the analyzer and the viewer must keep
 */
#include <glib/gstdio.h>

#include "account/segments.h"
#include "answer/diff/labels.h"
#include "answer/histogram.h"
#include "conds.h"
#include "ct/findings.h"
#include "ct/schema.h"
#include "model/state/table.h"
#include "source/salvage/tempdir.h"
#include "viewer/out/held.h"

#define NO_WORD 1000

void conds_run(const struct cond *cond)
{
    cond->breach();
}

static void word_of_nothing(void)
{
    (void)ct_state_word(NO_WORD);
}

static void decision_of_nothing(void)
{
    (void)ct_decision_word(NO_WORD);
}

static void link_of_nothing(void)
{
    (void)ct_link_word(NO_WORD);
}

static void event_of_nothing(void)
{
    (void)ct_schema_event(CT_EV_COUNT);
}

static void table_of_nothing(void)
{
    struct ct_table table = {0};

    ct_table_put(&table, 1, NULL);
}

static void table_twice(void)
{
    struct ct_table table = {0};

    ct_table_put(&table, 1, &table);
    ct_table_put(&table, 1, &table);
}

static void odd_histogram(void)
{
    (void)ct_histogram_new(3, 1);
}

static void more_than_all(void)
{
    (void)ct_histogram_quantile(ct_histogram_new(4, 1), 3, 2);
}

static struct ct_segments segments;
static const struct ct_situation situation;

static void not_begun(void)
{
    ct_segments_change(&segments, 0, &situation);
}

static void change_before_begin(void)
{
    ct_segments_begin(&segments, 5);
    ct_segments_change(&segments, 4, &situation);
}

static void unsure_before_begin(void)
{
    ct_segments_begin(&segments, 5);
    ct_segments_unsure(&segments, 3, 4);
}

static void end_before_begin(void)
{
    ct_segments_begin(&segments, 5);
    ct_segments_end(&segments, 4);
}

static void leave(void *data, const char *row, size_t length)
{
}

static void put_what_nobody_announced(void)
{
    ct_held_put(ct_held_new(leave, NULL), 7, "", 0);
}

static void put_twice(void)
{
    struct ct_held *held = ct_held_new(leave, NULL);

    (void)ct_held_announce(held);
    uint64_t second = ct_held_announce(held);
    ct_held_put(held, second, "a", 1);
    ct_held_put(held, second, "a", 1);
}

static void put_without_end(void)
{
    struct ct_held *held = ct_held_new(leave, NULL);

    ct_held_put(held, ct_held_announce(held), "", SIZE_MAX);
}

static void two_directories(void)
{
    char *dir = ct_tempdir_make(NULL);

    g_assert_nonnull(dir);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
    (void)ct_tempdir_make(NULL);
}

static const struct cond conds[] = {
    {"word/in-range", word_of_nothing, OUTSIDE},
    {"decision-word/in-range", decision_of_nothing, OUTSIDE},
    {"link-word/in-range", link_of_nothing, OUTSIDE},
    {"schema-event/id", event_of_nothing, OUTSIDE},
    {"table-put/value", table_of_nothing, OUTSIDE},
    {"table-put/absent", table_twice, OUTSIDE},
    {"histogram-new/power-of-two", odd_histogram, OUTSIDE},
    {"histogram-quantile/part", more_than_all, OUTSIDE},
    {"segments/begun", not_begun, OUTSIDE},
    {"segments-change/in-order", change_before_begin, OUTSIDE},
    {"segments-unsure/in-order", unsure_before_begin, OUTSIDE},
    {"segments-end/in-order", end_before_begin, OUTSIDE},
    {"held-put/announced", put_what_nobody_announced, OUTSIDE},
    {"held-put/once", put_twice, OUTSIDE},
    {"held-put/length", put_without_end, OUTSIDE},
    {"tempdir-make/one", two_directories, OUTSIDE},
};

int main(int argc, char **argv)
{
    return conds_main(argc, argv, conds, G_N_ELEMENTS(conds));
}
