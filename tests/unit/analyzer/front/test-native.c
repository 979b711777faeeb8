/* SPDX-License-Identifier: MIT */
/*
 * test-native.c - what a preloaded library's events mean, one small story a
 * test
 */
#include <glib.h>
#include <string.h>

#include "native.h"

static void makes(uint64_t base, uint64_t entry, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_STACK, .tid = 7};

    set(&record, CT_FLD_NATIVE_STACK_BASE, base);
    set(&record, CT_FLD_NATIVE_STACK_ENTRY, entry);
    decodes(&record, want);
}

static void ends(uint64_t base, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_STACK_END, .tid = 7};

    set(&record, CT_FLD_NATIVE_STACK_END_BASE, base);
    decodes(&record, want);
}

/* Every jump has a stack: its number of them in the test. */
static void jumps(int32_t tid, uint64_t from, uint64_t to, uint64_t stack,
                  const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_SWITCH, .tid = tid};

    set(&record, CT_FLD_NATIVE_SWITCH_FROM, from);
    set(&record, CT_FLD_NATIVE_SWITCH_TO, to);
    set(&record, CT_FLD_NATIVE_SWITCH_STACK, stack);
    decodes(&record, want);
}

static void test_lives(void)
{
    begin();
    makes(0x1000, 5, "create 1 of 5");
    makes(0x2000, 6, "create 2 of 6");
    jumps(7, 0, 0x1000, 11, "enter 1 from 0 at 11");
    /* one enters another; back over both */
    jumps(7, 0x1000, 0x2000, 12, "enter 2 from 1 at 12");
    jumps(7, 0x2000, 0x1000, 13, "yield 2 to 1 at 13");
    jumps(7, 0x1000, 0x2000, 14, "enter 2 from 1 at 14");
    jumps(7, 0x2000, 0, 15, "yield 2 to 1 at 15; yield 1 to 0");
    /* it ends, and the thread is found to be itself */
    jumps(7, 0, 0x1000, 16, "enter 1 from 0 at 16");
    ends(0x1000, "end 1");
    jumps(7, 0x1000, 0, 17, "");
    jumps(7, 0, 0x2000, 18, "enter 2 from 0 at 18");
    jumps(7, 0x2000, 0, 19, "yield 2 to 0 at 19");
    /* its memory is another's: it must have ended */
    makes(0x2000, 7, "end 2 lost; create 3 of 7");
    jumps(7, 0, 0x2000, 20, "enter 3 from 0 at 20");
    end();
}

static void test_hand_over(void)
{
    begin();
    makes(0x1000, 5, "create 1 of 5");
    makes(0x2000, 5, "create 2 of 5");
    makes(0x3000, 5, "create 3 of 5");
    /* a ring of them */
    jumps(7, 0, 0x1000, 11, "enter 1 from 0 at 11");
    jumps(7, 0x1000, 0x2000, 12, "enter 2 from 1 at 12");
    jumps(7, 0x2000, 0x3000, 13, "enter 3 from 2 at 13");
    jumps(7, 0x3000, 0x1000, 14, "yield 3 to 2 at 14; yield 2 to 1");
    jumps(7, 0x1000, 0x3000, 15, "enter 3 from 1 at 15");
    /* another thread goes on with one that had only handed over */
    jumps(8, 0, 0x1000, 16,
          "yield 3 to 1; yield 1 to 0; enter 1 from 0 at 16 on 8");
    end();
}

static void test_losses(void)
{
    begin();
    makes(0x1000, 5, "create 1 of 5");
    /* somebody whom nobody made */
    jumps(7, 0, 0x9000, 11, "enter 2 from 0 at 11");
    jumps(7, 0x9000, 0, 12, "yield 2 to 0 at 12");
    /* its enter is missing */
    jumps(7, 0x1000, 0, 13, "");
    jumps(7, 0, 0x1000, 14, "enter 1 from 0 at 14");
    /* its yield is missing */
    jumps(7, 0, 0x9000, 15, "yield 1 to 0; enter 2 from 0 at 15");
    /* what nobody made ends */
    ends(0x8000, "");
    end();
}

/* More that yield at once than a record may have steps. */
static void test_deep(void)
{
    struct ct_step steps[CT_DECODE_MAX];
    struct ct_record record = {.event = CT_EV_NATIVE_SWITCH, .tid = 7};

    begin();
    for (uint64_t i = 0; i < 60; i++) {
        set(&record, CT_FLD_NATIVE_SWITCH_FROM, i * 0x1000);
        set(&record, CT_FLD_NATIVE_SWITCH_TO, (i + 1) * 0x1000);
        g_assert_cmpuint(gives(&record, steps), ==, 1);
    }
    set(&record, CT_FLD_NATIVE_SWITCH_FROM, 60 * 0x1000);
    set(&record, CT_FLD_NATIVE_SWITCH_TO, 0);
    g_assert_cmpuint(gives(&record, steps), <=, CT_DECODE_MAX);
    jumps(7, 0, 0x1000, 1, "enter 1 from 0 at 1");
    end();
}

static void test_threads(void)
{
    struct ct_record name = {.event = CT_EV_THREAD_NAME, .tid = 7};
    struct ct_record wait = {.event = CT_EV_NATIVE_WAIT_BEGIN, .tid = 7};
    struct ct_record wake = {.event = CT_EV_NATIVE_WAKE, .tid = 8};
    struct ct_record woken = {.event = CT_EV_NATIVE_WOKEN, .tid = 7};

    begin();
    name.values[CT_FLD_THREAD_NAME_NAME] =
        (struct ct_value){.s = "worker", .len = 6, .present = true};
    decodes(&name, "name worker");
    set(&wait, CT_FLD_NATIVE_WAIT_BEGIN_STACK, 4);
    decodes(&wait, "here at 4");
    set_fd(&wake, CT_FLD_NATIVE_WAKE_FD, 9);
    decodes(&wake, "write to 9 on 8");
    set_fd(&woken, CT_FLD_NATIVE_WOKEN_FD, 9);
    decodes(&woken, "woken by 9");
    end();
}

/* --- what it waits for ---------------------------------------------------- */

/* Whose it is that the kernel gets. */
static void test_aio(void)
{
    struct ct_record own = {.event = CT_EV_NATIVE_AIO, .tid = 7};
    struct ct_record other = {.event = CT_EV_NATIVE_AIO, .tid = 7};
    struct ct_step steps[CT_DECODE_MAX];

    begin();
    set(&own, CT_FLD_NATIVE_AIO_REQUEST, 0x7000100);
    set(&own, CT_FLD_NATIVE_AIO_BASE, 0x7000000);
    set(&own, CT_FLD_NATIVE_AIO_HERE, 0x7000000);
    prints(ENTER, 0, "create 1 of 0; enter 1 from 0");
    is_on(7, 0x7000000);
    decodes(&own, "here");
    {
        struct ct_record line = {.event = CT_EV_NATIVE_LINE, .tid = 7};

        line.values[CT_FLD_NATIVE_LINE_TEXT] =
            (struct ct_value){.s = YIELD, .present = true};
        g_assert_cmpuint(gives(&line, steps), ==, 1);
        g_assert_cmpuint(steps[0].reason, ==, CT_YIELD_REASON_IO);
        /* another one submits for it, while it runs */
        prints(ENTER, 0, "enter 1 from 0");
        set(&other, CT_FLD_NATIVE_AIO_REQUEST, 0x7000200);
        set(&other, CT_FLD_NATIVE_AIO_BASE, 0x7000000);
        decodes(&other, "here");
        g_assert_cmpuint(gives(&line, steps), ==, 1);
        g_assert_cmpuint(steps[0].reason, ==, CT_YIELD_REASON_IO);
        /* nobody's */
        prints(ENTER, 0, "enter 1 from 0");
        set(&other, CT_FLD_NATIVE_AIO_BASE, 0);
        decodes(&other, "here");
        g_assert_cmpuint(gives(&line, steps), ==, 1);
        g_assert_cmpuint(steps[0].reason, ==, CT_YIELD_REASON_OTHER);
    }
    end();
}

/* Whose it is that the kernel has done. */
static void test_completions(void)
{
    struct ct_record aio = {.event = CT_EV_NATIVE_AIO, .tid = 7};
    struct ct_record done = {.event = CT_EV_NATIVE_AIO_END, .tid = 7};

    begin();
    set(&aio, CT_FLD_NATIVE_AIO_REQUEST, 0x7000100);
    set(&aio, CT_FLD_NATIVE_AIO_BASE, 0x7000000);
    set(&done, CT_FLD_NATIVE_AIO_END_REQUEST, 0x7000100);
    prints(ENTER, 0, "create 1 of 0; enter 1 from 0");
    is_on(7, 0x7000000);
    decodes(&done, ""); /* nobody has asked for it */
    decodes(&aio, "here");
    prints(YIELD, 0, "yield 1 to 0");
    decodes(&done, "wake 1");
    decodes(&done, ""); /* once */
    prints(ENTER, 0, "enter 1 from 0");
    /* before it yields: nobody waits */
    decodes(&aio, "here");
    decodes(&done, "");
    prints(YIELD, 0, "yield 1 to 0");
    prints(ENTER, 0, "enter 1 from 0");
    /* it was entered since, for something else */
    decodes(&aio, "here");
    prints(YIELD, 0, "yield 1 to 0");
    prints(ENTER, 0, "enter 1 from 0");
    prints(YIELD, 0, "yield 1 to 0");
    decodes(&done, "");
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/native/lives", test_lives);
    g_test_add_func("/native/hand-over", test_hand_over);
    g_test_add_func("/native/losses", test_losses);
    g_test_add_func("/native/deep", test_deep);
    g_test_add_func("/native/threads", test_threads);
    g_test_add_func("/native/aio", test_aio);
    g_test_add_func("/native/completions", test_completions);
    return g_test_run();
}
