/* SPDX-License-Identifier: MIT */
/*
 * test-qemu.c - what QEMU's events mean, one small story a test
 */
#include <glib.h>
#include <string.h>

#include "decode/decode.h"

static struct ct_decoder *decoder;
static uint64_t seq;

/* A step in words: "enter 1 from 0". */
static void tell(GString *out, const struct ct_step *step)
{
    static const char *const words[CT_STEP_KINDS] = {
        [CT_STEP_CO_CREATE] = "create",
        [CT_STEP_CO_ENTER] = "enter",
        [CT_STEP_CO_YIELD] = "yield",
        [CT_STEP_CO_TERMINATE] = "end",
        [CT_STEP_CO_SCHEDULE] = "schedule",
        [CT_STEP_CO_DEQUEUE] = "dequeue",
        [CT_STEP_CO_WAKE] = "wake",
        [CT_STEP_LOCK_TAKE] = "take",
        [CT_STEP_LOCK_WAIT] = "wait",
        [CT_STEP_LOCK_TAKEN] = "taken",
        [CT_STEP_LOCK_RELEASE] = "release",
        [CT_STEP_LOCK_HAND_OVER] = "hand-over",
        [CT_STEP_WORK_SUBMIT] = "submit",
        [CT_STEP_WORK_COMPLETE] = "complete",
        [CT_STEP_REQUEST_BEGIN] = "request",
        [CT_STEP_REQUEST_COROUTINE] = "serve",
        [CT_STEP_REQUEST_END] = "request-end",
        [CT_STEP_BUSY_BEGIN] = "busy",
        [CT_STEP_BUSY_END] = "busy-end",
        [CT_STEP_POLL_GROW] = "grow",
        [CT_STEP_POLL_SHRINK] = "shrink",
        [CT_STEP_POLL_ADD] = "poll",
        [CT_STEP_POLL_REMOVE] = "no-poll",
    };
    static const char *const reasons[] = {
        [CT_YIELD_REASON_OTHER] = "?",
        [CT_YIELD_REASON_WORK] = "work",
        [CT_YIELD_REASON_LOCK] = "lock",
        [CT_YIELD_REASON_QUEUE] = "queue",
        [CT_YIELD_REASON_TIMER] = "timer",
        [CT_YIELD_REASON_IO] = "io",
        [CT_YIELD_REASON_CHILDREN] = "children",
        [CT_YIELD_REASON_SCHEDULE] = "schedule",
    };

    g_string_append_printf(out, "%s%s %d", out->len ? "; " : "",
                           words[step->kind], (int)step->subject);
    switch (step->kind) {
    case CT_STEP_CO_ENTER:
        g_string_append_printf(out, " from %d", (int)step->object);
        break;
    case CT_STEP_CO_YIELD:
        g_string_append_printf(out, " %s %d", reasons[step->reason],
                               (int)step->waits_for);
        break;
    case CT_STEP_CO_TERMINATE:
        g_string_append(out, step->certainty == CT_UNKNOWN ? " lost" : "");
        break;
    case CT_STEP_LOCK_HAND_OVER:
        g_string_append_printf(out, " to %d", (int)step->value);
        break;
    case CT_STEP_WORK_SUBMIT:
    case CT_STEP_CO_SCHEDULE:
    case CT_STEP_REQUEST_COROUTINE:
        g_string_append_printf(out, " by %d", (int)step->object);
        break;
    case CT_STEP_REQUEST_BEGIN:
        g_string_append_printf(out, " %s %s in %d", step->layer, step->op,
                               (int)step->object);
        break;
    case CT_STEP_REQUEST_END:
        g_string_append(out, step->certainty == CT_BOUND     ? " bound"
                             : step->certainty == CT_UNKNOWN ? " lost"
                                                             : "");
        if (!step->flag) {
            g_string_append_printf(out, " ret %d", step->ret);
        }
        break;
    default:
        break;
    }
}

/* Names and stacks are told on the way. */
static bool of_model(const struct ct_step *step)
{
    return step->kind != CT_STEP_STACK && step->kind != CT_STEP_FRAME_NAME;
}

/* What a thread's line says; tid 0: none is told. */
static void says(int32_t tid, const char *text, const char *want)
{
    struct ct_step steps[CT_DECODE_MAX];
    struct ct_record line = {.kind = CT_RECORD_EVENT,
                             .event = CT_EV_LOG_LINE,
                             .tid = tid,
                             .seq = seq++};
    GString *got = g_string_new(NULL);
    unsigned n;

    line.values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
        .s = text, .len = (uint32_t)strlen(text), .present = true};
    n = ct_decode(decoder, &line, steps);
    g_assert_cmpuint(n, <=, CT_DECODE_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (!of_model(&steps[i])) {
            continue;
        }
        g_assert_cmpuint(steps[i].seq, ==, seq - 1);
        g_assert_cmpint(tid ? steps[i].tid == tid : steps[i].tid <= 0, ==, 1);
        tell(got, &steps[i]);
    }
    g_assert_cmpstr(got->str, ==, want);
    g_string_free(got, TRUE);
    g_assert_cmpuint(ct_decoder_log(decoder)->malformed, ==, 0);
    g_assert_cmpuint(ct_decoder_log(decoder)->foreign, ==, 0);
}

static void enters(int32_t tid, const char *from, const char *to,
                   const char *opaque, const char *want)
{
    g_autofree char *text = g_strdup_printf(
        "qemu_aio_coroutine_enter ctx 0xc from %s to %s opaque %s", from, to,
        opaque);

    says(tid, text, want);
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
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 ? 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "qemu_coroutine_terminate self 0x100", "end 1");
    says(7, "aio_co_schedule ctx 0xc co 0x100", "create 2; schedule 2 by 0");
    says(7, "aio_co_schedule_bh_cb ctx 0xc co 0x100", "dequeue 2");
    enters(7, "0xf", "0x100", "0x1", "enter 2 from 0");
    /* one in another, which it was handed the thread by */
    enters(7, "0x100", "0x200", "0x2", "create 3; enter 3 from 2");
    says(7, "qemu_coroutine_yield from 0x200 to 0x100", "yield 3 ? 0");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 2 children 0");
    /* another thread goes on with it */
    enters(8, "0xe", "0x200", "0x2", "enter 3 from 0");
    says(8, "qemu_coroutine_terminate self 0x200", "end 3");
    enters(7, "0xf", "0x100", "0x1", "enter 2 from 0");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 2 ? 0");
    end();
}

static void test_losses(void)
{
    begin();
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    /* its yield is missing: it can't be entered again, so it was another */
    enters(7, "0xf", "0x200", "0x2", "create 2; enter 2 from 0");
    says(7, "qemu_coroutine_yield from 0x200 to 0xf", "yield 2 ? 0");
    /* another argument: another life */
    enters(7, "0xf", "0x200", "0x3", "end 2 lost; create 3; enter 3 from 0");
    enters(7, "0x200", "0x200", "0x3", "enter 3 from 3");
    enters(8, "0xe", "0x200", "0x3", "end 3 lost; create 4; enter 4 from 0");
    /* what was there before the log began */
    says(7, "qemu_coroutine_yield from 0x300 to 0xf", "yield 5 ? 0");
    says(7, "qemu_coroutine_terminate self 0x400", "end 6");
    says(7, "aio_co_schedule_bh_cb ctx 0xc co 0x500", "dequeue 7");
    /* nothing is told of nobody */
    says(7, "qemu_coroutine_yield from (nil) to 0xf", "");
    enters(7, "0xf", "(nil)", "0x1", "");
    end();
}

static void test_waits(void)
{
    begin();
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    says(7, "qemu_co_mutex_lock_uncontended mutex 0x8 self 0x100", "take 8");
    says(7, "thread_pool_submit pool 0x4 req 0x5 opaque 0x7000000",
         "submit 2 by 1");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 work 2");
    enters(7, "0xf", "0x200", "0x2", "create 3; enter 3 from 0");
    says(7, "qemu_co_mutex_lock_entry mutex 0x8 self 0x200", "wait 8");
    says(7, "qemu_coroutine_yield from 0x200 to 0xf", "yield 3 lock 8");
    /* the address of a work item is used again at once */
    says(7, "thread_pool_complete pool 0x4 req 0x5 opaque 0x7000000 ret 0",
         "complete 2");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "thread_pool_submit_aio pool 0x4 req 0x5 opaque 0x7000000",
         "submit 4 by 1");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 work 4");
    says(7, "thread_pool_complete_aio pool 0x4 req 0x5 opaque 0x7 ret -5",
         "complete 4");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "qemu_co_mutex_unlock_entry mutex 0x8 self 0x100", "release 8");
    says(7, "qemu_co_mutex_unlock_return mutex 0x8 self 0x100",
         "hand-over 8 to 3; wake 3");
    says(7, "qemu_co_mutex_unlock_entry mutex 0x9 self 0x100", "release 9");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 queue 0");
    enters(7, "0xf", "0x200", "0x2", "enter 3 from 0");
    says(7, "qemu_co_mutex_lock_return mutex 0x8 self 0x200", "taken 8");
    says(7, "aio_co_schedule ctx 0xc co 0x200", "schedule 3 by 3");
    says(7, "qemu_coroutine_yield from 0x200 to 0xf", "yield 3 schedule 0");
    /* completed before the yield: it does not wait for that any more */
    enters(7, "0xf", "0x200", "0x2", "enter 3 from 0");
    says(7, "thread_pool_submit pool 0x4 req 0x5 opaque 0x8000000",
         "submit 5 by 3");
    says(9, "thread_pool_complete pool 0x4 req 0x5 opaque 0x8 ret 0",
         "complete 5");
    says(7, "qemu_coroutine_yield from 0x200 to 0xf", "yield 3 ? 0");
    end();
}

/* Without thread numbers: who is where follows from leaders, and whose a work
 * item is from the coroutine's stack. */
static void test_no_threads(void)
{
    begin();
    enters(0, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    says(0, "thread_pool_submit pool 0x4 req 0x5 opaque 0x7000000",
         "submit 2 by 1");
    says(0, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 work 2");
    enters(0, "0xe", "0x200", "0x2", "create 3; enter 3 from 0");
    enters(0, "0xf", "0x100", "0x1", "enter 1 from 0");
    /* both run: only the stack tells */
    says(0, "thread_pool_submit pool 0x4 req 0x6 opaque 0x7000040",
         "submit 4 by 1");
    says(0, "thread_pool_submit pool 0x4 req 0x7 opaque 0x9000040",
         "submit 5 by 0");
    says(0, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 512 flags 0x0", "");
    says(0, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 work 4");
    says(0, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 512 flags 0x0",
         "request 6 blk read in 0");
    says(0, "qemu_coroutine_terminate self 0x200", "request-end 6; end 3");
    end();
}

/* Linux AIO, of which nothing is traced, io_uring, and a loop that polls. */
static void test_files(void)
{
    begin();
    says(7,
         "bdrv_open_common bs 0x4 filename \"a\" flags 0x2a0a2 format_name "
         "\"file\"",
         "");
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    says(7, "bdrv_co_preadv_part bs 0x4 offset 0 bytes 512 flags 0x0",
         "request 2 bdrv read in 0");
    says(7, "qemu_co_mutex_lock_uncontended mutex 0x8 self 0x100", "take 8");
    says(7, "qemu_co_mutex_unlock_entry mutex 0x8 self 0x100", "release 8");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 io 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    /* the lock a second time: it may wait for another request as well */
    says(7, "qemu_co_mutex_lock_uncontended mutex 0x8 self 0x100", "take 8");
    says(7, "qemu_co_mutex_unlock_entry mutex 0x8 self 0x100", "release 8");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 queue 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    /* a file that is opened otherwise */
    says(7, "bdrv_co_preadv_part bs 0x5 offset 0 bytes 512 flags 0x0",
         "request-end 2 bound; request 3 bdrv read in 0");
    says(7, "qemu_co_mutex_unlock_entry mutex 0x8 self 0x100", "release 8");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 queue 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    /* what is handed to the kernel meanwhile changes nothing */
    says(7,
         "luring_co_submit bs 0x5 s 0x6 luringcb 0x7000000 fd 3 offset 0 "
         "nbytes 512 type 1",
         "");
    says(7, "luring_do_submit LuringState 0x6 blocked 0 queued 1 inflight 0",
         "");
    says(7,
         "luring_do_submit LuringState 0x6 blocked 0 plugged 1 queued 1 "
         "inflight 0",
         "");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 io 0");
    says(7, "run_poll_handlers_begin ctx 0xc max_ns 4000 timeout -1",
         "busy 12");
    says(7, "run_poll_handlers_end ctx 0xc progress 1 new timeout 0",
         "busy-end 12");
    says(7, "poll_grow ctx 0xc old 0 new 4000", "grow 12");
    says(7, "poll_shrink ctx 0xc old 4000 new 0", "shrink 12");
    says(7, "poll_add ctx 0xc node 0x9 fd 8 revents 0x1", "poll 9");
    says(7, "poll_remove ctx 0xc node 0x9 fd 8", "no-poll 9");
    end();
}

/* --- versions ------------------------------------------------------------- */

/* What the same things are called; NULL: as in the version before. */
static const struct {
    const char *version;
    const char *submit, *complete, *read, *received, *answered, *nvme;
} words[] = {
    {"5.0", "thread_pool_submit pool 0x4 req 0x5 opaque 0x7000000",
     "thread_pool_complete pool 0x4 req 0x5 opaque 0x7000000 ret 0",
     "bdrv_co_preadv_part bs 0x3 offset 512 bytes 512 flags 0x0",
     "nbd_receive_request Got request: { magic = 0x25609513, .flags = 0x0, "
     ".type = 0x0, from = 512, len = 512 }",
     "nbd_co_send_structured_read Send structured read data reply: handle = 9, "
     "offset = 512, data = 0x7f0000001000, len = 512",
     NULL},
    {"5.2", NULL, NULL, NULL, NULL, NULL,
     "pci_nvme_rw cid 6 opname 'read' nsid 1 nlb 1 count 512 lba 1"},
    {"6.0", NULL, NULL, NULL, NULL, NULL,
     "pci_nvme_read cid 6 nsid 1 nlb 1 count 512 lba 1"},
    {"7.2", NULL, NULL, NULL, NULL, NULL, NULL},
    {"8.1", NULL, NULL, NULL, NULL,
     "nbd_co_send_structured_read Send structured read data reply: cookie = 9, "
     "offset = 512, data = 0x7f0000001000, len = 512",
     NULL},
    {"8.2", NULL, NULL, NULL, NULL,
     "nbd_co_send_chunk_read Send structured read data reply: cookie = 9, "
     "offset = 512, data = 0x7f0000001000, len = 512",
     NULL},
    {"10.0", "thread_pool_submit_aio pool 0x4 req 0x5 opaque 0x7000000",
     "thread_pool_complete_aio pool 0x4 req 0x5 opaque 0x7000000 ret 0", NULL,
     NULL, NULL, NULL},
};

#define LATEST(var, i, field) \
    ((var)->field = words[i].field ? words[i].field : (var)->field)

/* The same story in the words of each version: the same steps. */
static void test_versions(void)
{
    struct {
        const char *submit, *complete, *read, *received, *answered, *nvme;
    } now = {0};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        LATEST(&now, i, submit);
        LATEST(&now, i, complete);
        LATEST(&now, i, read);
        LATEST(&now, i, received);
        LATEST(&now, i, answered);
        LATEST(&now, i, nvme);
        g_test_message("QEMU %s", words[i].version);
        begin();
        enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
        says(7, now.received, "request 2 nbd read in 0");
        says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 512 bytes 512 flags 0x0",
             "request 3 blk read in 2");
        says(7, now.read, "request 4 bdrv read in 3");
        says(7, now.submit, "submit 5 by 1");
        says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 work 5");
        says(7, now.complete, "complete 5");
        enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
        says(7, now.answered,
             "request-end 4 bound; request-end 3; request-end 2 ret 0");
        if (now.nvme) {
            says(8,
                 "pci_nvme_io_cmd cid 6 nsid 1 sqid 1 opc 0x2 opname "
                 "'NVME_NVM_CMD_READ'",
                 "");
            says(8, now.nvme, "request 6 nvme read in 0");
            says(8, "pci_nvme_enqueue_req_completion cid 6 cqid 1 status 0x0",
                 "request-end 6 ret 0");
        }
        end();
    }
}

static void test_layers(void)
{
    begin();
    says(7,
         "bdrv_open_common bs 0x4 filename \"a\" flags 0x2 format_name "
         "\"file\"",
         "");
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    says(7, "blk_co_pwritev blk 0x2 bs 0x3 offset 0 bytes 512 flags 0x0",
         "request 2 blk write in 0");
    says(7, "bdrv_co_pwritev_part bs 0x3 offset 0 bytes 512 flags 0x0",
         "request 3 bdrv write in 2");
    says(7, "qcow2_writev_start_req co 0x100 offset 0x0 bytes 512",
         "request 4 qcow2 write in 3");
    /* two of the file behind each other, and one of its backing file */
    says(7, "bdrv_co_preadv_part bs 0x4 offset 0 bytes 512 flags 0x0",
         "request 5 bdrv read in 4");
    says(7, "bdrv_co_pwritev_part bs 0x4 offset 0 bytes 512 flags 0x0",
         "request-end 5 bound; request 6 bdrv write in 4");
    says(7, "bdrv_co_preadv_part bs 0x5 offset 0 bytes 512 flags 0x0",
         "request-end 6 bound; request 7 bdrv read in 4");
    says(7, "qcow2_writev_done_req co 0x100 ret -5",
         "request-end 7 bound; request-end 4 ret -5");
    /* a coroutine that serves many: the next one is the end of this one */
    says(7, "blk_co_pwritev blk 0x2 bs 0x3 offset 512 bytes 512 flags 0x2",
         "request-end 3 bound; request-end 2 bound; "
         "request 8 blk write-zeroes in 0");
    /* told twice, by two functions */
    says(7, "bdrv_co_pwrite_zeroes bs 0x3 offset 512 bytes 512 flags 0x2",
         "request 9 bdrv write-zeroes in 8");
    says(7, "bdrv_co_pwritev_part bs 0x3 offset 512 bytes 512 flags 0x2", "");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 ? 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "qemu_coroutine_terminate self 0x100",
         "request-end 9 bound; request-end 8; end 1");
    end();
}

/* More inside one another than is told: nothing is lost but the innermost. */
static void test_deep(void)
{
    begin();
    enters(7, "0xf", "0x100", "0x1", "create 1; enter 1 from 0");
    for (unsigned i = 0; i < 8; i++) {
        g_autofree char *text = g_strdup_printf(
            "bdrv_co_preadv_part bs 0x%x offset 0 bytes 1 flags 0x0", i + 16);
        g_autofree char *want =
            g_strdup_printf("request %u bdrv read in %u", i + 2, i ? i + 1 : 0);

        says(7, text, want);
    }
    says(7, "bdrv_co_preadv_part bs 0x99 offset 0 bytes 1 flags 0x0", "");
    says(7, "qemu_coroutine_terminate self 0x100",
         "request-end 9 bound; request-end 8 bound; request-end 7 bound; "
         "request-end 6 bound; request-end 5 bound; request-end 4 bound; "
         "request-end 3 bound; request-end 2 bound; end 1");
    end();
}

/* The layers that a coroutine is in stand for its stack. */
static void test_stacks(void)
{
    struct ct_step steps[CT_DECODE_MAX];
    struct ct_record record = {
        .kind = CT_RECORD_EVENT,
        .event = CT_EV_QEMU_QEMU_AIO_COROUTINE_ENTER,
        .tid = 7,
    };
    uint64_t outer, inner;

    begin();
    record.values[CT_FLD_QEMU_QEMU_AIO_COROUTINE_ENTER_FROM].u = 0xf;
    record.values[CT_FLD_QEMU_QEMU_AIO_COROUTINE_ENTER_TO].u = 0x100;
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 2);
    memset(record.values, 0, sizeof(record.values));
    record.event = CT_EV_QEMU_BLK_CO_PREADV;
    record.values[CT_FLD_QEMU_BLK_CO_PREADV_BS].u = 3;
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 3);
    g_assert_cmpint(steps[0].kind, ==, CT_STEP_FRAME_NAME);
    g_assert_cmpstr(steps[0].name, ==, "blk_co_preadv");
    g_assert_cmpint(steps[1].kind, ==, CT_STEP_STACK);
    g_assert_cmpuint(steps[1].n_addresses, ==, 1);
    g_assert_cmpuint(steps[1].addresses[0], ==, steps[0].subject);
    g_assert_cmpuint(steps[1].object, ==, 0);
    outer = steps[1].subject;
    g_assert_cmpuint(steps[2].stack, ==, outer);
    record.event = CT_EV_QEMU_BDRV_CO_PREADV_PART;
    record.values[CT_FLD_QEMU_BDRV_CO_PREADV_PART_BS].u = 3;
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 3);
    g_assert_cmpuint(steps[1].object, ==, outer);
    inner = steps[1].subject;
    g_assert_cmpuint(inner, !=, outer);
    /* the next one of the node: the same stack, told already */
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 2);
    g_assert_cmpint(steps[0].kind, ==, CT_STEP_REQUEST_END);
    g_assert_cmpuint(steps[1].stack, ==, inner);
    memset(record.values, 0, sizeof(record.values));
    record.event = CT_EV_QEMU_QEMU_COROUTINE_YIELD;
    record.values[CT_FLD_QEMU_QEMU_COROUTINE_YIELD_FROM].u = 0x100;
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 1);
    g_assert_cmpuint(steps[0].stack, ==, inner);
    end();
}

#define NBD_REQUEST                                                         \
    "nbd_receive_request Got request: { magic = 0x25609513, .flags = 0x0, " \
    ".type = 0x%x, from = 0, len = %d }"

static void test_nbd(void)
{
    g_autofree char *read = g_strdup_printf(NBD_REQUEST, 0, 8192);
    g_autofree char *write = g_strdup_printf(NBD_REQUEST, 1, 512);

    begin();
    says(7, "aio_co_schedule ctx 0xc co 0x100", "create 1; schedule 1 by 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "nbd_trip Reading request", "");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 io 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, read, "request 2 nbd read in 0");
    says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 4096 flags 0x0",
         "request 3 blk read in 2");
    /* the first one goes on over what is inside it */
    says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 512 flags 0x0",
         "request 4 blk read in 3");
    says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 512 bytes 512 flags 0x0",
         "request-end 4 bound; request 5 blk read in 3");
    /* an answer in two parts */
    says(7,
         "nbd_co_send_structured_read Send structured read data reply: "
         "handle = 1, offset = 0, data = 0x5, len = 4096",
         "request-end 5; request-end 3");
    says(7,
         "nbd_co_send_structured_read_hole Send structured read hole "
         "reply: handle = 1, offset = 4096, len = 4096",
         "request-end 2 ret 0");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 1 io 0");
    enters(7, "0xf", "0x100", "0x1", "enter 1 from 0");
    says(7, "qemu_coroutine_terminate self 0x100", "end 1");
    /* one that fails */
    enters(7, "0xf", "0x200", "0x1", "create 6; enter 6 from 0");
    says(7, write, "request 7 nbd write in 0");
    says(7,
         "nbd_co_send_simple_reply Send simple reply: handle = 2, error = "
         "28 (ENOSPC), len = 0",
         "request-end 7 ret -28");
    end();
}

static void test_devices(void)
{
    begin();
    says(7, "virtio_blk_handle_read vdev 0x1 req 0xa1 sector 8 nsectors 8",
         "request 1 virtio-blk read in 0");
    says(7, "virtio_blk_handle_read vdev 0x1 req 0xa2 sector 0 nsectors 8",
         "request 2 virtio-blk read in 0");
    says(7, "virtio_blk_handle_read vdev 0x1 req 0xa3 sector 99 nsectors 8",
         "request 3 virtio-blk read in 0");
    /* two of them were merged */
    enters(7, "0xf", "0x100", "0x1", "create 4; enter 4 from 0");
    says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 8192 flags 0x8",
         "serve 2 by 4; serve 1 by 4; request 5 blk read in 2");
    says(7, "qemu_coroutine_terminate self 0x100", "request-end 5; end 4");
    says(7, "virtio_blk_req_complete vdev 0x1 req 0xa2 status 0",
         "request-end 2 ret 0");
    says(7, "virtio_blk_req_complete vdev 0x1 req 0xa1 status 1",
         "request-end 1 ret -5");
    says(7, "virtio_blk_req_complete vdev 0x1 req 0xff status 0", "");
    /* its end was lost, its address is used again */
    says(7, "virtio_blk_handle_write vdev 0x1 req 0xa3 sector 0 nsectors 8",
         "request-end 3 lost; request 6 virtio-blk write in 0");
    says(7, "pci_nvme_io_cmd cid 5 nsid 0x1 sqid 2 opc 0x2 opname 'x'", "");
    says(7, "pci_nvme_read cid 5 nsid 1 nlb 8 count 4096 lba 0x10",
         "request 7 nvme read in 0");
    says(7, "pci_nvme_enqueue_req_completion cid 5 cqid 3 status 0x0", "");
    says(7,
         "pci_nvme_enqueue_req_completion cid 5 cqid 2 dw0 0x0 dw1 0x0 "
         "status 0x0",
         "request-end 7 ret 0");
    end();
}

static void test_jobs(void)
{
    begin();
    says(7,
         "job_state_transition job 0x9 (ret: 0) attempting allowed "
         "transition (undefined-->created)",
         "request 1 job job in 0");
    enters(7, "0xf", "0x100", "0x9", "create 2; enter 2 from 0; serve 1 by 2");
    enters(7, "0x100", "0x200", "0x5", "create 3; enter 3 from 2");
    says(7, "blk_co_preadv blk 0x2 bs 0x3 offset 0 bytes 8192 flags 0x8",
         "request 4 blk read in 1");
    says(7, "qemu_coroutine_yield from 0x200 to 0x100", "yield 3 queue 0");
    says(7, "mirror_before_sleep s 0x9 dirty count 1 synced 0 delay 5ns", "");
    says(7, "qemu_coroutine_yield from 0x100 to 0xf", "yield 2 timer 0");
    says(7,
         "job_state_transition job 0x9 (ret: -5) attempting disallowed "
         "transition (running-->concluded)",
         "");
    says(7,
         "job_state_transition job 0x9 (ret: -5) attempting allowed "
         "transition (aborting-->concluded)",
         "request-end 1 ret -5");
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/lives", test_lives);
    g_test_add_func("/qemu/losses", test_losses);
    g_test_add_func("/qemu/waits", test_waits);
    g_test_add_func("/qemu/no-threads", test_no_threads);
    g_test_add_func("/qemu/files", test_files);
    g_test_add_func("/qemu/versions", test_versions);
    g_test_add_func("/qemu/layers", test_layers);
    g_test_add_func("/qemu/deep", test_deep);
    g_test_add_func("/qemu/stacks", test_stacks);
    g_test_add_func("/qemu/nbd", test_nbd);
    g_test_add_func("/qemu/devices", test_devices);
    g_test_add_func("/qemu/jobs", test_jobs);
    return g_test_run();
}
