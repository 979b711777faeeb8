/* SPDX-License-Identifier: MIT */
/*
 * test-native-workers.c - QEMU's workers as a preloaded library saw them, one
 * small story a test
 */
#include <glib.h>

#include "native.h"

static void waits(int32_t tid, bool is_begin)
{
    struct ct_record record = {
        .event = is_begin ? CT_EV_NATIVE_WAIT_BEGIN : CT_EV_NATIVE_WAIT_END,
        .tid = tid,
    };
    struct ct_step steps[CT_DECODE_MAX];

    set(&record, CT_FLD_NATIVE_WAIT_BEGIN_KIND, CT_NATIVE_WAIT_CONDITION);
    (void)gives(&record, steps);
}

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

static void section_of(int32_t tid, uint64_t holds, uint64_t and,
                       const char *want)
{
    const uint64_t held[] = {and, holds};
    struct ct_record record = {.event = CT_EV_NATIVE_SECTION_BEGIN, .tid = tid};

    set_held(&record, CT_FLD_NATIVE_SECTION_BEGIN_HELD, held);
    decodes(&record, want);
}

static void section(int32_t tid, uint64_t holds, const char *want)
{
    section_of(tid, holds, 0xdead0, want);
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

/* What a worker did last lies in its stack still, and its memory is a new
 * item's, that is older than what it serves, or newer. */
static void test_stale(void)
{
    begin();
    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 1 by 0; ask 1; bh 2");
    makes_thread(7, 91, 0x4000, "bh 2 begins; worker 91 is the 1.; bh 2 ends");
    thread_does(CT_EV_THREAD_START, 8, 91, "worker 91 starts on 8");
    prints(SUBMIT "0x6000 opaque 0x7", 0, "submit 3 by 0; ask 2; bh 2");
    makes_thread(7, 92, 0x4000, "bh 2 begins; worker 92 is the 2.; bh 2 ends");
    thread_does(CT_EV_THREAD_START, 9, 92, "worker 92 starts on 9");
    section(8, 0x5000, "begin 1 in 91 on 8");
    section(9, 0x6000, "begin 3 in 92 on 9");
    tells(CT_EV_NATIVE_SECTION_END, 8, "finish 1 ret 0 on 8");
    tells(CT_EV_NATIVE_SECTION_END, 9, "finish 3 ret 0 on 9");
    prints(DONE "0x5000 opaque 0x8 ret 0", 0, "complete 1");
    prints(DONE "0x6000 opaque 0x8 ret 0", 0, "complete 3");

    prints(SUBMIT "0x6000 opaque 0x7", 0, "submit 4 by 0; ask 3; bh 2");
    prints(SUBMIT "0x7000 opaque 0x7", 0, "submit 5 by 0; ask 4");
    section_of(8, 0x6000, 0x5000, "begin 4 in 91 on 8");
    section_of(9, 0x7000, 0x6000, "begin 5 in 92 on 9");
    tells(CT_EV_NATIVE_SECTION_END, 8, "finish 4 ret 0 on 8");
    tells(CT_EV_NATIVE_SECTION_END, 9, "finish 5 ret 0 on 9");
    prints(DONE "0x6000 opaque 0x8 ret 0", 0, "complete 4");
    prints(DONE "0x7000 opaque 0x8 ret 0", 0, "complete 5");

    prints(SUBMIT "0x5000 opaque 0x7", 0, "submit 6 by 0; ask 5");
    prints(SUBMIT "0x7000 opaque 0x7", 0, "submit 7 by 0; ask 6");
    section_of(9, 0x7000, 0x5000, "begin 6 in 92 on 9");
    section_of(8, 0x7000, 0x6000, "begin 7 in 91 on 8");
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
    g_assert_cmpuint(gives(&hole, steps), ==, 1);
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
    g_test_add_func("/native-workers/workers", test_workers);
    g_test_add_func("/native-workers/first", test_first);
    g_test_add_func("/native-workers/sections", test_sections);
    g_test_add_func("/native-workers/stale", test_stale);
    g_test_add_func("/native-workers/files", test_files);
    return g_test_run();
}
