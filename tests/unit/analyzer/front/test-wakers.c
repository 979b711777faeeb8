/* SPDX-License-Identifier: MIT */
/*
 * test-wakers.c - who lets QEMU's coroutines go on that wait in a CoQueue
 *
 * Each story is a log; told of it is who was woken out of a queue, and by whom,
 * as the last digit of a coroutine's address.
 */
#include <glib.h>
#include <malloc.h>
#include <string.h>

#include "decode/decode.h"

/* A sanitizer's own heap, which mallinfo2() knows nothing of? */
#ifndef __has_feature
#define __has_feature(feature) 0 /* clang's way to say it */
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_COUNTED false
#else
#define IS_COUNTED true
#endif

/* Of coroutines A to F, as a log says it. */
#define ENTER(co)                                               \
    "1@1.0:qemu_aio_coroutine_enter ctx 0x1 from 0xf to 0x1" co \
    " opaque 0x2" co "\n"
#define YIELD(co) "1@1.0:qemu_coroutine_yield from 0x1" co " to 0xf\n"
#define END(co)   "1@1.0:qemu_coroutine_terminate self 0x1" co "\n"
#define TAKE(co, lock) \
    "1@1.0:qemu_co_mutex_lock_uncontended mutex 0x5" lock " self 0x1" co "\n"
#define DROP(co, lock) \
    "1@1.0:qemu_co_mutex_unlock_entry mutex 0x5" lock " self 0x1" co "\n"
#define BOTH(co, lock) TAKE(co, lock) DROP(co, lock)
#define SUBMIT         "1@1.0:thread_pool_submit pool 0x7 req 0x8 opaque 0x9\n"
#define DONE           "1@1.0:thread_pool_complete pool 0x7 req 0x8 opaque 0x9 ret 0\n"
#define REQUEST \
    "1@1.0:bdrv_co_pwritev_part bs 0x3 offset 0 bytes 512 flags 0x0\n"

/* It has a request that waits for a worker. */
#define BUSY(co) ENTER(co) REQUEST BOTH(co, "1") SUBMIT YIELD(co)
/* It has one that waits for another one, in a queue. */
#define QUEUED(co) ENTER(co) REQUEST BOTH(co, "1") BOTH(co, "1") YIELD(co)

static void check(const char *log, const char *want)
{
    struct ct_decoder *decoder = ct_decoder_new();
    GString *got = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
    GHashTable *names = g_hash_table_new(NULL, NULL); /* id -> 'A' + number */

    for (unsigned i = 0; lines[i]; i++) {
        struct ct_step steps[CT_DECODE_MAX];
        const char *text = strchr(lines[i], ':');
        struct ct_record line = {.kind = CT_RECORD_EVENT,
                                 .event = CT_EV_LOG_LINE,
                                 .tid = 1,
                                 .seq = i};
        unsigned n;

        if (!text) {
            continue;
        }
        line.values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
            .s = text + 1, .len = (uint32_t)strlen(text + 1), .present = true};
        n = ct_decode(decoder, &line, steps);
        for (unsigned k = 0; k < n; k++) {
            const char *to = strstr(text, " to 0x1");
            const struct ct_step *step = &steps[k];

            if (step->kind == CT_STEP_CO_ENTER && to) {
                g_hash_table_insert(names, GSIZE_TO_POINTER(step->subject),
                                    GINT_TO_POINTER(to[7]));
            }
            if (step->kind == CT_STEP_CO_WAKE) {
                g_string_append_printf(
                    got, "%s%c by %c", got->len ? ", " : "",
                    GPOINTER_TO_INT(g_hash_table_lookup(
                        names, GSIZE_TO_POINTER(step->subject))),
                    GPOINTER_TO_INT(g_hash_table_lookup(
                        names, GSIZE_TO_POINTER(step->object))));
            }
        }
    }
    g_assert_cmpstr(got->str, ==, want);
    g_string_free(got, TRUE);
    g_hash_table_unref(names);
    ct_decoder_free(decoder);
}

static void test_one(void)
{
    check(BUSY("a") QUEUED("b") DONE ENTER("a") BOTH("a", "1") END("a")
              ENTER("b") BOTH("b", "1"),
          "b by a");
}

/* Who was woken, looked and waits again has woken nobody. */
static void test_chain(void)
{
    check(BUSY("a") QUEUED("b") QUEUED("c") DONE ENTER("a") BOTH("a", "1")
              YIELD("a") ENTER("b") BOTH("b", "1") YIELD("b") ENTER("c"),
          "b by a, c by a");
}

/* Nor has a request that only begins. */
static void test_new_one(void)
{
    check(BUSY("a") QUEUED("c") DONE ENTER("a") BOTH("a", "1") END("a")
              QUEUED("b") ENTER("c"),
          "c by a");
}

/* Something else came between: the thread entered it for a reason of its own.
 */
static void test_interrupted(void)
{
    check(BUSY("a") QUEUED("b") ENTER("a") BOTH("a", "1") END("a")
              DONE ENTER("b"),
          "");
}

/* Nobody had the queue's lock. */
static void test_other_lock(void)
{
    check(BUSY("a") QUEUED("b") DONE ENTER("a") BOTH("a", "2") END("a")
              ENTER("b"),
          "");
}

/* Two may have: nobody is named. */
static void test_two(void)
{
    check(BUSY("a") BUSY("b") QUEUED("c") DONE ENTER("a") BOTH("a", "1")
              END("a") ENTER("b") BOTH("b", "1") END("b") ENTER("c"),
          "");
}

/* What a coroutine enters or schedules by itself, it lets go on. */
static void test_itself(void)
{
    check(BUSY("a") QUEUED("b") QUEUED("c") DONE ENTER(
              "a") "1@1.0:qemu_aio_coroutine_enter ctx 0x1 from 0x1a to 0x1b "
                   "opaque 0x2b\n"
                   "1@1.0:qemu_coroutine_yield from 0x1b to 0x1a\n"
                   "1@1.0:aio_co_schedule ctx 0x1 co 0x1c\n",
          "b by a, c by a");
}

/* Wakes that the log @text tells when it is read on thread @tid. */
static unsigned wakes_on(struct ct_decoder *decoder, const char *text,
                         int32_t tid)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    unsigned wakes = 0;

    for (unsigned i = 0; *lines[i]; i++) {
        struct ct_step steps[CT_DECODE_MAX];
        const char *line = strchr(lines[i], ':') + 1;
        struct ct_record record = {
            .kind = CT_RECORD_EVENT, .event = CT_EV_LOG_LINE, .tid = tid};

        record.values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
            .s = line, .len = (uint32_t)strlen(line), .present = true};
        for (unsigned n = ct_decode(decoder, &record, steps); n-- > 0;) {
            wakes += steps[n].kind == CT_STEP_CO_WAKE;
        }
    }
    return wakes;
}

/* What is known of a thread goes with it: the next one, which may lie at the
 * same place in memory, has no part in it, and few are kept. */
static void test_threads(void)
{
    enum { N = 15000, MOST_BYTES = 20 << 20 };
    struct ct_decoder *decoder = ct_decoder_new();
    size_t before = mallinfo2().uordblks;
    size_t most = 0;

    wakes_on(decoder, QUEUED("b"), 5);
    for (int32_t tid = 1000; tid < 1000 + N; tid++) {
        g_assert_cmpuint(
            wakes_on(decoder, ENTER("b") BOTH("b", "1") YIELD("b"), tid), ==,
            0);
        wakes_on(decoder, BUSY("a") DONE ENTER("a") BOTH("a", "1") END("a"),
                 tid);
        most = MAX(most, mallinfo2().uordblks - before);
    }
    ct_decoder_free(decoder);
    g_test_message("%d threads, at most %zu KiB", N, most >> 10);
    g_assert_cmpuint(IS_COUNTED ? most : 0, <, MOST_BYTES);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wakers/one", test_one);
    g_test_add_func("/wakers/chain", test_chain);
    g_test_add_func("/wakers/new-one", test_new_one);
    g_test_add_func("/wakers/interrupted", test_interrupted);
    g_test_add_func("/wakers/other-lock", test_other_lock);
    g_test_add_func("/wakers/two", test_two);
    g_test_add_func("/wakers/itself", test_itself);
    g_test_add_func("/wakers/threads", test_threads);
    return g_test_run();
}
