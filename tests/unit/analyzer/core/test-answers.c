/* SPDX-License-Identifier: MIT */
/*
 * Answers: percentiles against sorted numbers, totals of a small trace, and the
 * logical backtrace with its defaults, its instants and what it refuses.
 */
#include <stdlib.h>

#include <glib.h>

#include "answer/histogram.h"
#include "ct/alive.h"
#include "ct/backtrace.h"
#include "ct/stat.h"
#include "ct/trace.h"
#include "say.h"
#include "symbols/images.h"

/* --- histogram -------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void check_histogram(unsigned n, unsigned bits)
{
    struct ct_histogram *histogram =
        ct_histogram_new(CT_HISTOGRAM_EXACT_MAX, CT_HISTOGRAM_PRECISION);
    GRand *rand = g_rand_new_with_seed(n);
    g_autofree int64_t *values = g_new(int64_t, n);

    for (unsigned i = 0; i < n; i++) {
        uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        values[i] = (int64_t)(value >> (64 - bits + g_rand_int(rand) % bits));
        ct_histogram_add(histogram, values[i]);
    }
    qsort(values, n, sizeof(*values), compare);
    g_assert_cmpuint(ct_histogram_count(histogram), ==, n);
    g_assert_cmpint(ct_histogram_max(histogram), ==, values[n - 1]);
    for (unsigned part = 1; part <= 1000; part++) {
        uint64_t rank = ((uint64_t)n * part + 999) / 1000;
        int64_t is = values[rank - 1];
        int64_t got = ct_histogram_quantile(histogram, part, 1000);
        g_assert_cmpint(got, >=, is);
        g_assert_cmpint(got - is, <=,
                        n <= CT_HISTOGRAM_EXACT_MAX ? 0 : is / 2048);
    }
    g_rand_free(rand);
    ct_histogram_free(histogram);
}

static void test_histogram(void)
{
    check_histogram(1, 10);
    check_histogram(1000, 63);
    check_histogram(CT_HISTOGRAM_EXACT_MAX, 40);
    check_histogram(CT_HISTOGRAM_EXACT_MAX + 1, 40);
    check_histogram(100000, 63);

    struct ct_histogram *histogram =
        ct_histogram_new(CT_HISTOGRAM_EXACT_MAX, CT_HISTOGRAM_PRECISION);
    g_assert_cmpint(ct_histogram_quantile(histogram, 1, 2), ==, 0);
    for (unsigned i = 0; i <= CT_HISTOGRAM_EXACT_MAX; i++) {
        ct_histogram_add(histogram, i % 2 ? INT64_MAX : -1);
    }
    g_assert_cmpint(ct_histogram_quantile(histogram, 1, 100), ==, 0);
    g_assert_cmpint(ct_histogram_quantile(histogram, 99, 100), ==, INT64_MAX);
    ct_histogram_free(histogram);
}

/* --- a pass with one consumer ----------------------------------------- */

struct told {
    struct ct_model *model;
    struct ct_account *account;
    struct ct_stacks *stacks;
    struct ct_images *images;
    struct ct_consumer *consumer;
    int64_t now_ns;
    bool no_clock;
};

#define ORIGIN 1000

static struct told told_begin(struct ct_consumer *consumer)
{
    consumer->origin_ns = ORIGIN;
    return (struct told){
        .model = ct_model_new(ct_model_wants(consumer)),
        .account = ct_account_new(consumer->wants_blame),
        .stacks = ct_stacks_new(),
        .images = ct_images_new(),
        .consumer = consumer,
        .now_ns = ORIGIN,
    };
}

static void hand_on(struct told *told, const struct ct_change *change)
{
    struct ct_consumer *consumer = told->consumer;
    struct ct_account_result result;

    if (consumer->wants_blame && change->kind < CT_CHANGE_REQUEST_BEGIN) {
        ct_account_meanwhile(told->account, change);
    }
    if (change->kind == CT_CHANGE_SLICE && consumer->slice) {
        consumer->slice(consumer, &change->slice);
    } else if (change->kind == CT_CHANGE_COUNTER && consumer->counter) {
        consumer->counter(consumer, &change->counter);
    } else if (change->kind == CT_CHANGE_LIFE && consumer->life) {
        consumer->life(consumer, &change->life);
    } else if (change->kind == CT_CHANGE_OWN_STACK && consumer->own_stack) {
        consumer->own_stack(consumer, &change->own_stack);
    } else if (change->kind == CT_CHANGE_ALIVE && consumer->alive) {
        struct ct_alive alive = change->alive.alive;
        alive.state = ct_account_state(&change->alive.situation);
        consumer->alive(consumer, &alive);
    } else if (change->kind >= CT_CHANGE_REQUEST_BEGIN) {
        result = ct_account_take(told->account, change);
        if (result.began && consumer->request_began) {
            consumer->request_began(consumer, result.began);
        }
        if (result.ended && consumer->request) {
            consumer->request(consumer, result.ended);
        }
    }
}

static void tell(struct told *told, struct ct_step step)
{
    step.when_ns = ++told->now_ns;
    step.pid = step.pid ? step.pid : 1;
    step.tid = step.tid ? step.tid : 1;
    if (step.kind == CT_STEP_STACK) {
        ct_stacks_add(told->stacks, &step);
        return;
    }
    struct ct_changes changes = ct_model_step(told->model, &step);
    for (unsigned i = 0; i < changes.n; i++) {
        hand_on(told, &changes.v[i]);
    }
}

#define TELL(told, kind_, ...) \
    tell(told, (struct ct_step){.kind = CT_STEP_##kind_, __VA_ARGS__})

static bool told_end(struct told *told, GError **error)
{
    struct ct_changes changes;

    told->now_ns++;
    changes = ct_model_alive(told->model, told->now_ns);
    for (unsigned i = 0; i < changes.n; i++) {
        hand_on(told, &changes.v[i]);
    }
    while ((changes = ct_model_finish(told->model, told->now_ns)).n) {
        for (unsigned i = 0; i < changes.n; i++) {
            hand_on(told, &changes.v[i]);
        }
    }
    struct ct_summary summary = {
        .has_clock = !told->no_clock,
        .clock = "exact",
        .origin_ns = ORIGIN,
        .end_ns = told->now_ns,
        .has_all = true,
        .complete = true,
        .stacks = told->stacks,
        .images = told->images,
    };
    bool good = told->consumer->finish(told->consumer, &summary, error);
    ct_account_free(told->account);
    ct_model_free(told->model);
    ct_stacks_free(told->stacks);
    ct_images_free(told->images);
    return good;
}

/* --- stat ------------------------------------------------------------- */

static void test_stat(void)
{
    struct ct_stat *stat = ct_stat_new();
    struct told t = told_begin(ct_stat_consumer(stat));

    TELL(&t, CONTEXT_CREATE, .subject = 1, .name = "main");
    TELL(&t, POLL_BEGIN, .subject = 1, .value = 1);
    TELL(&t, FDMON_BEGIN, .subject = 1);
    TELL(&t, FDMON_END, .subject = 1);
    TELL(&t, BH_RUN_BEGIN, .subject = 2, .context = 1, .fn = 77);
    TELL(&t, CO_CREATE, .subject = 3);
    TELL(&t, CO_ENTER, .subject = 3);
    TELL(&t, REQUEST_BEGIN, .subject = 4, .waits_for = 3);
    TELL(&t, REQUEST_BEGIN, .subject = 5, .object = 4, .waits_for = 3);
    TELL(&t, CO_YIELD, .subject = 3, .reason = CT_YIELD_REASON_IO);
    TELL(&t, CO_ENTER, .subject = 3);
    TELL(&t, REQUEST_END, .subject = 5);
    TELL(&t, REQUEST_END, .subject = 4);
    TELL(&t, REQUEST_BEGIN, .subject = 6, .waits_for = 3);
    TELL(&t, CO_TERMINATE, .subject = 3);
    TELL(&t, POLL_BEGIN, .subject = 1, .value = 2); /* no more time */
    TELL(&t, POLL_END, .subject = 1);
    TELL(&t, BH_RUN_END, .subject = 2, .context = 1);
    TELL(&t, POLL_END, .subject = 1);
    TELL(&t, WORKER_CREATE, .subject = 10, .context = 9, .value = 1);
    TELL(&t, WORKER_START, .tid = 2, .subject = 10, .context = 9);
    TELL(&t, WORK_BEGIN, .tid = 2, .subject = 11, .object = 10, .context = 9);
    TELL(&t, WORK_END, .tid = 2, .subject = 11, .context = 9);
    TELL(&t, WORKER_EXIT, .tid = 2, .subject = 10, .context = 9);
    g_assert_true(told_end(&t, NULL));

    const struct ct_stat_result *result = ct_stat_get(stat);
    g_assert_cmpuint(result->requests, ==, 2);
    g_assert_cmpuint(result->requests_complete, ==, 1);
    g_assert_true(result->has_latency);
    g_assert_cmpint(result->latency.p50_ns, ==, 5);
    g_assert_cmpint(result->latency.max_ns, ==, 5);
    g_assert_cmpint(result->states_ns[CT_STATE_RUNNING], ==, 2 + 2 + 1);
    g_assert_cmpint(result->states_ns[CT_STATE_IO], ==, 1);
    g_assert_cmpint(result->states_ns[CT_STATE_COMPLETING], ==, 10);
    g_assert_cmpuint(result->n_contexts, ==, 1);
    g_assert_cmpstr(result->contexts[0].name, ==, "main");
    g_assert_cmpuint(result->contexts[0].polls, ==, 2);
    g_assert_cmpuint(result->contexts[0].max_poll_depth, ==, 2);
    g_assert_cmpuint(result->contexts[0].bh_runs, ==, 1);
    g_assert_cmpint(result->contexts[0].busy_ns, ==, 17 - 1);
    g_assert_cmpint(result->contexts[0].longest_callback_ns, ==, 13);
    g_assert_cmpuint(result->contexts[0].longest_callback_fn, ==, 77);
    g_assert_cmpuint(result->workers_spawned, ==, 1);
    g_assert_cmpuint(result->workers_exited, ==, 1);
    g_assert_cmpuint(result->workers_peak, ==, 1);
    g_assert_cmpuint(result->coroutines_created, ==, 1);
    g_assert_cmpuint(result->coroutines_peak, ==, 1);
    ct_stat_free(stat);
}

/* --- backtrace -------------------------------------------------------- */

/* The addresses of a result; "|boundary id|" where the stack was cut. */
static char *spell_frames(const struct ct_frame *frames, unsigned n)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        const struct ct_frame *frame = &frames[i];
        if (frame->boundary == CT_BOUNDARY_NONE) {
            g_string_append_printf(text, "%d ", (int)frame->address);
        } else {
            g_string_append_printf(text, "|%s %d| ",
                                   ct_boundary_word(frame->boundary),
                                   (int)frame->id);
        }
        if (frame->limit) {
            g_string_append(text, "... ");
        }
    }
    return g_string_free(text, FALSE);
}

static char *spell(const struct ct_backtrace *result)
{
    return spell_frames(result->frames, result->n_frames);
}

/* Stack n has the frames n * 10 + 1 and 2; main's, 90, lies outside 1 and 2. */
static void tell_stacks(struct told *t)
{
    uint64_t base = 90;

    TELL(t, STACK, .subject = 9, .addresses = &base, .n_addresses = 1);
    for (uint64_t id = 1; id < 9; id++) {
        uint64_t frames[] = {id * 10 + 1, id * 10 + 2};
        TELL(t, STACK, .subject = id, .object = id < 3 ? 9 : 0,
             .addresses = frames, .n_addresses = 2, .flag = id == 8);
    }
}

/* A coroutine that serves request 1 waits twice, the second time longer. */
static void tell_story(struct told *t, int32_t pid)
{
    tell_stacks(t);
    TELL(t, CO_CREATE, .pid = pid, .tid = pid, .subject = 3, .stack = 1);
    TELL(t, CO_ENTER, .pid = pid, .tid = pid, .subject = 3, .stack = 2);
    TELL(t, REQUEST_BEGIN, .pid = pid, .tid = pid, .subject = 4, .waits_for = 3,
         .stack = 3);
    TELL(t, CO_YIELD, .pid = pid, .tid = pid, .subject = 3,
         .reason = CT_YIELD_REASON_IO, .stack = 4);
    TELL(t, CO_ENTER, .pid = pid, .tid = pid, .subject = 3, .stack = 2);
    TELL(t, CO_YIELD, .pid = pid, .tid = pid, .subject = 3,
         .reason = CT_YIELD_REASON_IO, .stack = 5);
    TELL(t, NOTIFY, .pid = pid, .tid = pid, .subject = 1);
    TELL(t, CO_ENTER, .pid = pid, .tid = pid, .subject = 3, .stack = 2);
    TELL(t, CO_YIELD, .pid = pid, .tid = pid, .subject = 3,
         .reason = CT_YIELD_REASON_IO, .stack = 8);
    TELL(t, CO_ENTER, .pid = pid, .tid = pid, .subject = 3, .stack = 2);
    TELL(t, REQUEST_END, .pid = pid, .tid = pid, .subject = 4);
    TELL(t, CO_TERMINATE, .pid = pid, .tid = pid, .subject = 3);
}

static void ask(enum ct_backtrace_of of, uint64_t id, int64_t at_ns,
                const char *expect, bool complete)
{
    struct ct_backtrace_query *query = ct_backtrace_new(of, id, 0, at_ns);
    struct told t = told_begin(ct_backtrace_consumer(query));

    tell_story(&t, 1);
    g_assert_null(ct_backtrace_result(query));
    g_assert_true(told_end(&t, NULL));
    g_autofree char *text = spell(ct_backtrace_result(query));
    g_assert_cmpstr(text, ==, expect);
    g_assert_cmpint(ct_backtrace_result(query)->complete, ==, complete);
    g_assert_cmpint(ct_backtrace_result(query)->pid, ==, 1);
    ct_backtrace_free(query);
}

static void refuse(enum ct_backtrace_of of, uint64_t id, int64_t at_ns,
                   bool twice, const char *expect)
{
    struct ct_backtrace_query *query = ct_backtrace_new(of, id, 0, at_ns);
    struct told t = told_begin(ct_backtrace_consumer(query));
    g_autoptr(GError) error = NULL;

    tell_story(&t, 1);
    if (twice) {
        tell_story(&t, 2);
    }
    g_assert_false(told_end(&t, &error));
    g_assert_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY);
    g_assert_cmpstr(error->message, ==, expect);
    g_assert_null(ct_backtrace_result(query));
    ct_backtrace_free(query);
}

static void test_backtrace(void)
{
    /* The last yield; its stack reached the walk's limit. */
    ask(CT_BACKTRACE_COROUTINE, 3, -1, "81 82 ... |coroutine 3| 21 22 90 ",
        false);
    /* At an instant: the last stack at or before it. */
    ask(CT_BACKTRACE_COROUTINE, 3, 13, "41 42 |coroutine 3| 21 22 90 ", true);
    ask(CT_BACKTRACE_COROUTINE, 3, 15, "51 52 |coroutine 3| 21 22 90 ", true);
    /* The start of its longest wait. */
    ask(CT_BACKTRACE_REQUEST, 1, -1, "51 52 |coroutine 3| 21 22 90 ", true);
    ask(CT_BACKTRACE_REQUEST, 1, 13, "41 42 |coroutine 3| 21 22 90 ", true);
}

static void test_backtrace_refuses(void)
{
    refuse(CT_BACKTRACE_COROUTINE, 99, -1, false,
           "coroutine 99 is not in this trace");
    refuse(CT_BACKTRACE_REQUEST, 2, -1, false,
           "request 2 is not in this trace");
    refuse(CT_BACKTRACE_WORK, 3, -1, false, "work item 3 is not in this trace");
    refuse(CT_BACKTRACE_WORKER, 77, -1, false,
           "thread 77 is not in this trace");
    refuse(CT_BACKTRACE_COROUTINE, 3, 2, false,
           "coroutine 3 is not alive at that time");
    refuse(CT_BACKTRACE_COROUTINE, 3, 100000, false,
           "coroutine 3 is not alive at that time");
    refuse(CT_BACKTRACE_COROUTINE, 3, -1, true,
           "coroutine 3 is in more than one process; say which");
}

/* Stacks that lie outside one another in a circle, or that nobody told. */
static void test_backtrace_bad_stacks(void)
{
    struct ct_backtrace_query *query =
        ct_backtrace_new(CT_BACKTRACE_COROUTINE, 3, 0, -1);
    struct told t = told_begin(ct_backtrace_consumer(query));
    uint64_t frame = 7;

    TELL(&t, STACK, .subject = 1, .object = 2, .addresses = &frame,
         .n_addresses = 1);
    TELL(&t, STACK, .subject = 2, .object = 1, .addresses = &frame,
         .n_addresses = 1);
    TELL(&t, CO_CREATE, .subject = 3, .stack = 1);
    TELL(&t, CO_ENTER, .subject = 3, .stack = 12345);
    TELL(&t, CO_YIELD, .subject = 3, .stack = 1);
    g_assert_true(told_end(&t, NULL));
    const struct ct_backtrace *result = ct_backtrace_result(query);
    g_assert_false(result->complete);
    g_assert_cmpuint(result->n_frames, <, 100);
    ct_backtrace_free(query);
}

/* --- who is alive ----------------------------------------------------- */

/* Coroutines 10 to 14: two wait alike, one of them for a lock that 13 holds,
 * 13 runs, 14 was never entered. */
static void tell_alive(struct told *t)
{
    tell_stacks(t);
    for (uint64_t id = 10; id < 15; id++) {
        TELL(t, CO_CREATE, .subject = id, .fn = 0x400, .stack = 1);
    }
    for (uint64_t id = 10; id < 12; id++) {
        TELL(t, CO_ENTER, .subject = id, .stack = 2);
        TELL(t, CO_YIELD, .subject = id, .reason = CT_YIELD_REASON_IO,
             .stack = 4);
    }
    TELL(t, CO_ENTER, .tid = 2, .subject = 13, .stack = 2);
    TELL(t, LOCK_TAKE, .tid = 2, .subject = 7, .object = 13);
    TELL(t, CO_ENTER, .subject = 12, .stack = 2);
    TELL(t, REQUEST_BEGIN, .subject = 30, .waits_for = 12, .stack = 3);
    TELL(t, LOCK_WAIT, .subject = 7, .object = 12, .value = 13);
    TELL(t, CO_YIELD, .subject = 12, .reason = CT_YIELD_REASON_LOCK,
         .waits_for = 7, .stack = 5);
}

static void test_alive(void)
{
    struct ct_alive_query *query = ct_alive_new(-1, 0);
    struct told t = told_begin(ct_alive_consumer(query));

    tell_alive(&t);
    g_assert_null(ct_alive_result(query));
    g_assert_true(told_end(&t, NULL));
    const struct ct_alive_result *result = ct_alive_result(query);
    g_assert_cmpint(result->at_ns, ==, t.now_ns - ORIGIN);
    g_assert_cmpuint(result->n_coroutines, ==, 5);
    g_assert_cmpuint(result->n_groups, ==, 4);

    const struct ct_alive_group *alike = &result->groups[0];
    g_assert_cmpuint(alike->n, ==, 2);
    g_assert_cmpuint(alike->coroutines[0].id, ==, 10);
    g_assert_cmpuint(alike->coroutines[1].id, ==, 11);
    g_assert_cmpint(alike->state, ==, CT_STATE_IO);
    g_assert_true(alike->complete);
    g_autofree char *text = spell_frames(alike->frames, alike->n_frames);
    g_assert_cmpstr(text, ==, "41 42 |coroutine 0| 21 22 90 ");
    g_assert_cmpint(
        alike->coroutines[1].since_ns - alike->coroutines[0].since_ns, ==, 2);

    const struct ct_alive_group *locked = &result->groups[1];
    g_assert_cmpuint(locked->coroutines[0].id, ==, 12);
    g_assert_cmpint(locked->state, ==, CT_STATE_LOCK);
    g_assert_cmpuint(locked->coroutines[0].waits_for, ==, 7);
    g_assert_cmpuint(locked->coroutines[0].by, ==, 13);
    g_assert_cmpuint(locked->coroutines[0].request, ==, 1);
    g_autofree char *other = spell_frames(locked->frames, locked->n_frames);
    g_assert_cmpstr(other, ==, "51 52 |coroutine 12| 21 22 90 ");

    const struct ct_alive_group *running = &result->groups[2];
    g_assert_cmpuint(running->coroutines[0].id, ==, 13);
    g_assert_cmpint(running->state, ==, CT_STATE_RUNNING);
    g_assert_cmpint(running->coroutines[0].tid, ==, 2);
    g_assert_true(result->groups[3].is_created);
    g_assert_cmpuint(result->groups[3].coroutines[0].id, ==, 14);
    ct_alive_free(query);
}

static void test_alive_refuses(void)
{
    struct ct_alive_query *query = ct_alive_new(1000000, 0);
    struct told t = told_begin(ct_alive_consumer(query));
    g_autoptr(GError) error = NULL;

    tell_alive(&t);
    g_assert_false(told_end(&t, &error));
    g_assert_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY);
    g_assert_true(g_str_has_prefix(error->message, "the trace is over at"));
    g_assert_null(ct_alive_result(query));
    ct_alive_free(query);
}

/* Instants of a trace that tells no times. */
static void refuse_at(struct ct_consumer *consumer)
{
    struct told t = told_begin(consumer);
    g_autoptr(GError) error = NULL;

    t.no_clock = true;
    tell_alive(&t);
    g_assert_false(told_end(&t, &error));
    g_assert_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY);
    g_assert_true(g_str_has_prefix(error->message, "--at needs"));
}

static void test_no_clock(void)
{
    struct ct_alive_query *alive = ct_alive_new(5, 0);
    struct ct_backtrace_query *backtrace =
        ct_backtrace_new(CT_BACKTRACE_COROUTINE, 10, 0, 5);

    refuse_at(ct_alive_consumer(alive));
    g_assert_null(ct_alive_result(alive));
    ct_alive_free(alive);
    refuse_at(ct_backtrace_consumer(backtrace));
    g_assert_null(ct_backtrace_result(backtrace));
    ct_backtrace_free(backtrace);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/answers/histogram", test_histogram);
    g_test_add_func("/answers/stat", test_stat);
    g_test_add_func("/answers/backtrace", test_backtrace);
    g_test_add_func("/answers/backtrace-refuses", test_backtrace_refuses);
    g_test_add_func("/answers/backtrace-bad-stacks", test_backtrace_bad_stacks);
    g_test_add_func("/answers/alive", test_alive);
    g_test_add_func("/answers/alive-refuses", test_alive_refuses);
    g_test_add_func("/answers/no-clock", test_no_clock);
    return g_test_run();
}
