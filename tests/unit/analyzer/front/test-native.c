/* SPDX-License-Identifier: MIT */
/*
 * test-native.c - what a preloaded library's events mean, one small story a
 * test
 */
#include <glib.h>
#include <string.h>

#include "decode/decode.h"

static struct ct_decoder *decoder;

static void tell(GString *out, const struct ct_step *step)
{
    g_string_append(out, out->len ? "; " : "");
    switch (step->kind) {
    case CT_STEP_CO_CREATE:
        g_string_append_printf(out, "create %d of %d", (int)step->subject,
                               (int)step->fn);
        break;
    case CT_STEP_CO_ENTER:
        g_string_append_printf(out, "enter %d from %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_CO_YIELD:
        g_string_append_printf(out, "yield %d to %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_CO_TERMINATE:
        g_string_append_printf(out, "end %d%s", (int)step->subject,
                               step->certainty == CT_UNKNOWN ? " lost" : "");
        break;
    case CT_STEP_THREAD_NAME:
        g_string_append_printf(out, "name %s", step->name);
        break;
    case CT_STEP_THREAD_STACK:
        g_string_append(out, "here");
        break;
    default:
        g_assert_not_reached();
    }
    if (step->stack) {
        g_string_append_printf(out, " at %d", (int)step->stack);
    }
    if (step->tid != 7) {
        g_string_append_printf(out, " on %d", step->tid);
    }
}

static void decodes(const struct ct_record *record, const char *want)
{
    struct ct_step steps[CT_DECODE_MAX];
    GString *got = g_string_new(NULL);
    unsigned n = ct_decode(decoder, record, steps);

    g_assert_cmpuint(n, <=, CT_DECODE_MAX);
    for (unsigned i = 0; i < n; i++) {
        tell(got, &steps[i]);
    }
    g_assert_cmpstr(got->str, ==, want);
    g_string_free(got, TRUE);
}

static void set(struct ct_record *record, unsigned field, uint64_t value)
{
    record->values[field] = (struct ct_value){.u = value, .present = true};
}

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

static void begin(void)
{
    decoder = ct_decoder_new();
}

static void end(void)
{
    g_clear_pointer(&decoder, ct_decoder_free);
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
        g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 1);
    }
    set(&record, CT_FLD_NATIVE_SWITCH_FROM, 60 * 0x1000);
    set(&record, CT_FLD_NATIVE_SWITCH_TO, 0);
    g_assert_cmpuint(ct_decode(decoder, &record, steps), <=, CT_DECODE_MAX);
    jumps(7, 0, 0x1000, 1, "enter 1 from 0 at 1");
    end();
}

static void test_threads(void)
{
    struct ct_record name = {.event = CT_EV_THREAD_NAME, .tid = 7};
    struct ct_record wait = {.event = CT_EV_NATIVE_WAIT_BEGIN, .tid = 7};

    begin();
    name.values[CT_FLD_THREAD_NAME_NAME] =
        (struct ct_value){.s = "worker", .len = 6, .present = true};
    decodes(&name, "name worker");
    set(&wait, CT_FLD_NATIVE_WAIT_BEGIN_STACK, 4);
    decodes(&wait, "here at 4");
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
    return g_test_run();
}
