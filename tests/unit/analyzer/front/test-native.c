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
    case CT_STEP_WORK_SUBMIT:
        g_string_append_printf(out, "submit %d by %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_SPAWN_REQUEST:
        g_string_append_printf(out, "ask %d", (int)step->value);
        break;
    case CT_STEP_BH_SCHEDULE:
        g_string_append_printf(out, "bh %d", (int)step->subject);
        break;
    case CT_STEP_BH_RUN_BEGIN:
        g_string_append_printf(out, "bh %d begins", (int)step->subject);
        break;
    case CT_STEP_BH_RUN_END:
        g_string_append_printf(out, "bh %d ends", (int)step->subject);
        break;
    case CT_STEP_THREAD_CREATE:
        g_string_append_printf(out, "thread %d", (int)step->subject);
        break;
    case CT_STEP_THREAD_START:
        g_string_append_printf(out, "thread %d starts", (int)step->subject);
        break;
    case CT_STEP_THREAD_EXIT:
        g_string_append_printf(out, "thread %d exits", (int)step->subject);
        break;
    case CT_STEP_WORKER_CREATE:
        g_string_append_printf(out, "worker %d is the %d.", (int)step->subject,
                               (int)step->value);
        break;
    case CT_STEP_WORKER_START:
        g_string_append_printf(out, "worker %d starts", (int)step->subject);
        break;
    case CT_STEP_WORKER_EXIT:
        g_string_append_printf(out, "worker %d %s", (int)step->subject,
                               step->reason == CT_EXIT_REASON_FAILED ? "failed"
                                                                     : "exits");
        break;
    case CT_STEP_WORK_BEGIN:
        g_string_append_printf(out, "begin %d in %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_WORK_END:
        g_string_append_printf(out, "finish %d ret %d", (int)step->subject,
                               step->ret);
        break;
    case CT_STEP_WORK_COMPLETE:
        g_string_append_printf(out, "complete %d", (int)step->subject);
        break;
    case CT_STEP_WORK_FILE:
    case CT_STEP_CO_FILE:
        g_string_append_printf(out, "%d at %s", (int)step->subject, step->name);
        break;
    case CT_STEP_CO_WAKE:
        g_string_append_printf(out, "wake %d", (int)step->subject);
        break;
    case CT_STEP_FD_WAKE:
        g_string_append_printf(out, "write to %d", (int)step->value);
        break;
    case CT_STEP_FD_WOKEN:
        g_string_append_printf(out, "woken by %d", (int)step->value);
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

static void set_fd(struct ct_record *record, unsigned field, int64_t fd)
{
    record->values[field] = (struct ct_value){.i = fd, .present = true};
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

/* --- QEMU's workers ------------------------------------------------------- */

static void prints(const char *text, uint64_t stack, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_LINE, .tid = 7};

    record.values[CT_FLD_NATIVE_LINE_TEXT] =
        (struct ct_value){.s = text, .present = true};
    set(&record, CT_FLD_NATIVE_LINE_STACK, stack);
    decodes(&record, want);
}

static void set_held(struct ct_record *record, unsigned field,
                     const uint64_t held[2])
{
    record->values[field] =
        (struct ct_value){.v = held, .len = 2, .present = true};
}

/* A thread is made by somebody who holds that. */
static void makes_thread(int32_t tid, uint64_t id, uint64_t holds,
                         const char *want)
{
    const uint64_t held[] = {0xdead0, holds};
    struct ct_record native = {.event = CT_EV_NATIVE_THREAD, .tid = tid};
    struct ct_record create = {.event = CT_EV_THREAD_CREATE, .tid = tid};

    set(&native, CT_FLD_NATIVE_THREAD_THREAD, id);
    set_held(&native, CT_FLD_NATIVE_THREAD_HELD, held);
    decodes(&native, "");
    set(&create, CT_FLD_THREAD_CREATE_THREAD, id);
    decodes(&create, want);
}

static void thread_does(int event, int32_t tid, uint64_t id, const char *want)
{
    struct ct_record record = {.event = event, .tid = tid};

    set(&record, 0, id);
    decodes(&record, want);
}

static void reads(int32_t tid, uint64_t holds, uint64_t also, const char *want)
{
    const uint64_t held[] = {holds, also};
    struct ct_record record = {.event = CT_EV_NATIVE_IO_BEGIN, .tid = tid};

    set_held(&record, CT_FLD_NATIVE_IO_BEGIN_HELD, held);
    decodes(&record, want);
}

static void has_read(int32_t tid, int64_t ret, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_IO_END, .tid = tid};

    set(&record, CT_FLD_NATIVE_IO_END_RET, (uint64_t)ret);
    decodes(&record, want);
}

static void waits(int32_t tid, bool is_begin)
{
    struct ct_record record = {
        .event = is_begin ? CT_EV_NATIVE_WAIT_BEGIN : CT_EV_NATIVE_WAIT_END,
        .tid = tid,
    };
    struct ct_step steps[CT_DECODE_MAX];

    set(&record, CT_FLD_NATIVE_WAIT_BEGIN_KIND, CT_NATIVE_WAIT_CONDITION);
    (void)ct_decode(decoder, &record, steps);
}

#define ENTER  "qemu_aio_coroutine_enter ctx 0xc from 0xf to 0x100 opaque 0x1"
#define YIELD  "qemu_coroutine_yield from 0x100 to 0xf"
#define SUBMIT "thread_pool_submit pool 0x4000 req "
#define DONE   "thread_pool_complete pool 0x4000 req "

static void test_workers(void)
{
    begin();
    makes_thread(7, 90, 0x4000, "thread 90"); /* nobody knows of a pool yet */
    prints(ENTER, 11, "create 1 of 0 at 11; enter 1 from 0 at 11");
    prints(SUBMIT "0x5000 opaque 0x7", 12,
           "submit 2 by 1 at 12; ask 1 at 12; bh 3 at 12");
    /* another one before the bottom half: it is pending already */
    prints(SUBMIT "0x6000 opaque 0x7", 13, "submit 4 by 1 at 13; ask 2 at 13");
    prints(YIELD, 14, "yield 1 to 0 at 14");
    makes_thread(7, 91, 0x4000, "bh 3 begins; worker 91 is the 1.; bh 3 ends");
    thread_does(CT_EV_THREAD_START, 8, 91, "worker 91 starts on 8");
    /* a worker makes the next one */
    makes_thread(8, 92, 0x4000, "worker 92 is the 2. on 8");
    thread_does(CT_EV_THREAD_START, 9, 92, "worker 92 starts on 9");
    makes_thread(7, 93, 0x1230, "thread 93"); /* somebody else's */
    thread_does(CT_EV_THREAD_START, 10, 93, "thread 93 starts on 10");

    reads(8, 0x123, 0x5000, "begin 2 in 91 on 8");
    reads(9, 0x6000, 0x5000, "begin 4 in 92 on 9"); /* that one is taken */
    has_read(8, 4096, "finish 2 ret 0 on 8");
    has_read(9, -5, "finish 4 ret -5 on 9");
    prints(DONE "0x5000 opaque 0x8 ret 0", 15, "complete 2");
    prints(DONE "0x6000 opaque 0x8 ret -5", 16, "complete 4");

    /* one is idle: it will do it; its address is one that it held before */
    waits(9, true);
    prints(SUBMIT "0x6000 opaque 0x7", 17, "submit 5 by 1 at 17");
    waits(9, false);
    reads(9, 0x6000, 0x5000, "begin 5 in 92 on 9");
    has_read(9, 0, "finish 5 ret 0 on 9");
    /* a second call for the same */
    reads(9, 0x6000, 0x5000, "begin 5 in 92 on 9");
    has_read(9, 0, "finish 5 ret 0 on 9");
    prints(DONE "0x6000 opaque 0x8 ret 0", 18, "complete 5");
    /* a call for nobody, and of somebody who is no worker */
    reads(9, 0x6000, 0x5000, "here on 9");
    has_read(9, 0, "");
    reads(10, 0x6000, 0x5000, "here on 10");

    thread_does(CT_EV_THREAD_EXIT, 9, 92, "worker 92 exits on 9");
    thread_does(CT_EV_THREAD_EXIT, 10, 93, "thread 93 exits on 10");
    /* none is idle any more; the thread can't be had */
    prints(SUBMIT "0x5000 opaque 0x7", 19,
           "submit 6 by 1 at 19; ask 3 at 19; bh 3 at 19");
    makes_thread(7, 94, 0x4000, "bh 3 begins; worker 94 is the 3.; bh 3 ends");
    thread_does(CT_EV_THREAD_EXIT, 7, 94, "worker 94 failed");
    end();
}

static void section(int32_t tid, uint64_t holds, const char *want)
{
    const uint64_t held[] = {0xdead0, holds};
    struct ct_record record = {.event = CT_EV_NATIVE_SECTION_BEGIN, .tid = tid};

    set_held(&record, CT_FLD_NATIVE_SECTION_BEGIN_HELD, held);
    decodes(&record, want);
}

static void tells(int event, int32_t tid, const char *want)
{
    struct ct_record record = {.event = event, .tid = tid};

    decodes(&record, want);
}

/* From where a worker released the pool's mutex. */
static void test_sections(void)
{
    begin();
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 1 by 0; ask 1; bh 2");
    makes_thread(7, 91, 0x4000, "bh 2 begins; worker 91 is the 1.; bh 2 ends");
    thread_does(CT_EV_THREAD_START, 8, 91, "worker 91 starts on 8");
    section(8, 0x9990, ""); /* nobody's: some other mutex */
    /* with a call: that is within */
    section(8, 0x5000, "begin 1 in 91 on 8");
    reads(8, 0x5000, 0, "here on 8");
    has_read(8, 4096, "finish 1 ret 0 on 8");
    tells(CT_EV_NATIVE_SECTION_END, 8, "");
    prints(DONE "0x5000 opaque 0x8 ret 0", 0, "complete 1");
    /* without one: the wake of the loop ends it, */
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 3 by 0; ask 2; bh 2");
    section(8, 0x5000, "begin 3 in 91 on 8");
    tells(CT_EV_NATIVE_WAKE, 8, "finish 3 ret 0 on 8; write to 0 on 8");
    tells(CT_EV_NATIVE_SECTION_END, 8, "");
    prints(DONE "0x5000 opaque 0x8 ret 0", 0, "complete 3");
    /* ... or that it wants the mutex again, */
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 4 by 0; ask 3");
    section(8, 0x5000, "begin 4 in 91 on 8");
    tells(CT_EV_NATIVE_SECTION_END, 8, "finish 4 ret 0 on 8");
    prints(DONE "0x5000 opaque 0x8 ret 0", 0, "complete 4");
    /* ... or, if that comes later, its completion */
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 5 by 0; ask 4");
    section(8, 0x5000, "begin 5 in 91 on 8");
    prints(DONE "0x5000 opaque 0x8 ret -5", 0, "finish 5 ret -5; complete 5");
    tells(CT_EV_NATIVE_SECTION_END, 8, "");
    end();
}

/* What is printed next is printed on this stack. */
static void is_on(int32_t tid, uint64_t base)
{
    struct ct_record record = {.event = CT_EV_NATIVE_HERE, .tid = tid};

    set(&record, CT_FLD_NATIVE_HERE_BASE, base);
    decodes(&record, "");
}

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
        g_assert_cmpuint(ct_decode(decoder, &line, steps), ==, 1);
        g_assert_cmpuint(steps[0].reason, ==, CT_YIELD_REASON_IO);
        /* another one submits for it, while it runs */
        prints(ENTER, 0, "enter 1 from 0");
        set(&other, CT_FLD_NATIVE_AIO_REQUEST, 0x7000200);
        set(&other, CT_FLD_NATIVE_AIO_BASE, 0x7000000);
        decodes(&other, "here");
        g_assert_cmpuint(ct_decode(decoder, &line, steps), ==, 1);
        g_assert_cmpuint(steps[0].reason, ==, CT_YIELD_REASON_IO);
        /* nobody's */
        prints(ENTER, 0, "enter 1 from 0");
        set(&other, CT_FLD_NATIVE_AIO_BASE, 0);
        decodes(&other, "here");
        g_assert_cmpuint(ct_decode(decoder, &line, steps), ==, 1);
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

static void names_file(int64_t fd, const char *path)
{
    struct ct_record record = {.event = CT_EV_NATIVE_FILE, .tid = 7};

    set_fd(&record, CT_FLD_NATIVE_FILE_FD, fd);
    record.values[CT_FLD_NATIVE_FILE_PATH] =
        (struct ct_value){.s = path, .present = true};
    decodes(&record, "");
}

/* What an fd stands for is what was told last, before a loss nothing. */
static void test_files(void)
{
    const uint64_t held[] = {0x5000, 0};
    struct ct_record io = {.event = CT_EV_NATIVE_IO_BEGIN, .tid = 8};
    struct ct_record aio = {.event = CT_EV_NATIVE_AIO, .tid = 7};
    struct ct_record hole = {.kind = CT_RECORD_HOLE, .event = -1};
    struct ct_step steps[CT_DECODE_MAX];

    begin();
    names_file(5, "/old"); /* before anybody knows whose program it is */
    names_file(5, "/disk");
    names_file(6, "/other");
    prints(ENTER, 0, "create 1 of 0; enter 1 from 0");
    is_on(7, 0x7000000);
    set(&aio, CT_FLD_NATIVE_AIO_BASE, 0x7000000);
    set_fd(&aio, CT_FLD_NATIVE_AIO_FD, 6);
    decodes(&aio, "here; 1 at /other");
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 2 by 1; ask 1; bh 3");
    makes_thread(7, 91, 0x4000, "bh 3 begins; worker 91 is the 1.; bh 3 ends");
    thread_does(CT_EV_THREAD_START, 8, 91, "worker 91 starts on 8");
    set_held(&io, CT_FLD_NATIVE_IO_BEGIN_HELD, held);
    set_fd(&io, CT_FLD_NATIVE_IO_BEGIN_FD, 5);
    decodes(&io, "begin 2 in 91 on 8; 2 at /disk on 8");
    has_read(8, 0, "finish 2 ret 0 on 8");
    g_assert_cmpuint(ct_decode(decoder, &hole, steps), ==, 1);
    decodes(&io, "begin 2 in 91 on 8");
    end();
}

/* Of several that it holds, the one that was submitted first. */
static void test_first(void)
{
    begin();
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 1 by 0; ask 1; bh 2");
    prints(SUBMIT "0x6000 opaque 0x7", 0, "submit 3 by 0; ask 2");
    makes_thread(7, 91, 0x4000, "bh 2 begins; worker 91 is the 1.; bh 2 ends");
    thread_does(CT_EV_THREAD_START, 8, 91, "worker 91 starts on 8");
    reads(8, 0x6000, 0x5000, "begin 1 in 91 on 8");
    has_read(8, 0, "finish 1 ret 0 on 8");
    /* the first is not yet complete, but it has begun before */
    reads(8, 0x6000, 0x5000, "begin 3 in 91 on 8");
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
    g_test_add_func("/native/workers", test_workers);
    g_test_add_func("/native/first", test_first);
    g_test_add_func("/native/sections", test_sections);
    g_test_add_func("/native/aio", test_aio);
    g_test_add_func("/native/completions", test_completions);
    g_test_add_func("/native/files", test_files);
    return g_test_run();
}
