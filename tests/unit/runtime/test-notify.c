/* SPDX-License-Identifier: MIT */
/*
 * test-notify.c - the wake-up protocol: all interleavings of the table in
 * aio/notify.c, wrong variants of it that must be found out, and the real one
 */
#include <pthread.h>

#include "base/atomics.h"
#include "loops.h"
#include "tso.h"

/* --- the protocol as small programs -------------------------------------- */

/*
 * WORK is what a turn finds by itself before it sleeps (lists, deadlines);
 * CONDITION what only somebody who called aio_poll() looks at, after it.
 */
enum var { WORK, CONDITION, NOTIFIED, NOTIFY_ME, EVENTFD, UNUSED };

enum fault {
    RIGHT,
    PLAIN_NOTIFIED,     /* N2 is a plain store */
    PLAIN_ANNOUNCEMENT, /* S is a plain store */
    PLAIN_WORK,         /* publication is a plain store */
    PLAIN_ACCEPT,       /* A is a plain store */
    NOTIFIED_LATE,      /* N3 before N2 */
    WORK_LATE,          /* publication after N1 */
    CHECK_EARLY,        /* H1 before S */
    ACCEPT_LATE,        /* A after the look for work */
    NO_CHECK,           /* H1 looks for work only, not at notified */
    FAULTS
};

#define PROGRAM_MAX 32

struct program {
    struct tso_instr instrs[PROGRAM_MAX];
    uint8_t length;
};

static uint8_t add(struct program *program, struct tso_instr instr)
{
    g_assert_cmpuint(program->length, <, PROGRAM_MAX);
    program->instrs[program->length] = instr;
    return program->length++;
}

static void publish(struct program *program, enum var work, enum fault fault)
{
    add(program,
        (struct tso_instr){.op = fault == PLAIN_WORK ? TSO_STORE : TSO_XCHG,
                           .var = work,
                           .reg = 1,
                           .value = 1});
}

/* aio_notify(), once; @work: what is published before, unless @is_bare. */
static void notify_once(struct program *program, enum var work, bool is_bare,
                        enum fault fault)
{
    uint8_t coalesced, unannounced, again;

    if (!is_bare && fault != WORK_LATE) {
        publish(program, work, fault);
    }
    /* N1 */
    add(program, (struct tso_instr){.op = TSO_LOAD, .var = NOTIFIED, .reg = 0});
    coalesced =
        add(program, (struct tso_instr){.op = TSO_IF, .reg = 0, .value = 1});
    if (!is_bare && fault == WORK_LATE) {
        publish(program, work, fault);
    }
    if (fault == NOTIFIED_LATE) {
        /* N3, then N2 */
        add(program,
            (struct tso_instr){.op = TSO_LOAD, .var = NOTIFY_ME, .reg = 1});
        add(program,
            (struct tso_instr){
                .op = TSO_XCHG, .var = NOTIFIED, .reg = 0, .value = 1});
    } else {
        add(program, (struct tso_instr){
                         .op = fault == PLAIN_NOTIFIED ? TSO_STORE : TSO_XCHG,
                         .var = NOTIFIED,
                         .reg = 0,
                         .value = 1});
        add(program,
            (struct tso_instr){.op = TSO_LOAD, .var = NOTIFY_ME, .reg = 1});
    }
    unannounced =
        add(program, (struct tso_instr){.op = TSO_IF, .reg = 1, .value = 0});
    add(program, (struct tso_instr){.op = TSO_ADD, .var = EVENTFD, .value = 1});
    again = program->length;
    if (!is_bare && fault == WORK_LATE) {
        /* The coalesced path publishes, too, when it is too late. */
        uint8_t over = add(program, (struct tso_instr){.op = TSO_JUMP});

        program->instrs[coalesced].target = program->length;
        publish(program, work, fault);
        again = program->length;
        program->instrs[over].target = again;
    } else {
        program->instrs[coalesced].target = again;
    }
    program->instrs[unannounced].target = again;
    /* Registers that don't matter any more shall not double the states. */
    add(program, (struct tso_instr){.op = TSO_LOAD, .var = UNUSED, .reg = 0});
    add(program, (struct tso_instr){.op = TSO_LOAD, .var = UNUSED, .reg = 1});
}

static void accept_notified(struct program *program, enum fault fault)
{
    uint8_t nothing;

    add(program, (struct tso_instr){.op = TSO_LOAD, .var = NOTIFIED, .reg = 0});
    nothing =
        add(program, (struct tso_instr){.op = TSO_IF, .reg = 0, .value = 0});
    add(program,
        (struct tso_instr){.op = fault == PLAIN_ACCEPT ? TSO_STORE : TSO_XCHG,
                           .var = NOTIFIED,
                           .reg = 0,
                           .value = 0});
    program->instrs[nothing].target = program->length;
}

/* Takes what there is: each list only if it looks not empty. */
static void take_work(struct program *program)
{
    for (enum var work = WORK; work <= CONDITION; work++) {
        uint8_t empty;

        add(program, (struct tso_instr){.op = TSO_LOAD, .var = work, .reg = 0});
        empty = add(program,
                    (struct tso_instr){.op = TSO_IF, .reg = 0, .value = 0});
        add(program, (struct tso_instr){
                         .op = TSO_XCHG, .var = work, .reg = 0, .value = 0});
        program->instrs[empty].target = program->length;
    }
}

/* The home thread: turns for ever. */
static void home(struct program *program, enum fault fault)
{
    uint8_t skips[4];
    uint8_t skip_count = 0;
    struct tso_instr announce = {.op = fault == PLAIN_ANNOUNCEMENT ? TSO_STORE
                                                                   : TSO_XCHG,
                                 .var = NOTIFY_ME,
                                 .reg = 1,
                                 .value = 1};

    if (fault != CHECK_EARLY) {
        add(program, announce); /* S */
    }
    /* H1 */
    for (enum var var = WORK; var <= NOTIFIED; var++) {
        if (var == CONDITION || (var == NOTIFIED && fault == NO_CHECK)) {
            continue;
        }
        add(program, (struct tso_instr){.op = TSO_LOAD, .var = var, .reg = 0});
        skips[skip_count++] = add(
            program, (struct tso_instr){.op = TSO_IF, .reg = 0, .value = 1});
    }
    if (fault == CHECK_EARLY) {
        add(program, announce);
    }
    /* H2 */
    add(program, (struct tso_instr){.op = TSO_AWAIT, .var = EVENTFD});
    while (skip_count > 0) {
        program->instrs[skips[--skip_count]].target = program->length;
    }
    /* R */
    add(program, (struct tso_instr){.op = TSO_STORE, .var = NOTIFY_ME});
    if (fault == ACCEPT_LATE) {
        take_work(program);
        accept_notified(program, fault);
    } else {
        accept_notified(program, fault);
        take_work(program);
    }
    add(program, (struct tso_instr){.op = TSO_LOAD, .var = UNUSED, .reg = 1});
    add(program, (struct tso_instr){.op = TSO_JUMP, .target = 0});
}

/*
 * Home sleeps and both notifiers are done: everything was taken, and every
 * notification accepted.
 */
static bool nothing_lost(const struct tso_state *state)
{
    return state->vars[WORK] == 0 && state->vars[CONDITION] == 0 &&
           state->vars[NOTIFIED] == 0;
}

static struct explore_result explore_fault(enum fault fault)
{
    struct program programs[TSO_THREADS] = {0};
    const struct tso_instr *all[TSO_THREADS];

    home(&programs[0], fault);
    notify_once(&programs[1], WORK, false, fault);
    notify_once(&programs[1], WORK, true, fault);
    notify_once(&programs[2], CONDITION, false, fault);
    for (int i = 0; i < TSO_THREADS; i++) {
        all[i] = programs[i].instrs;
    }
    return tso_explore(all, nothing_lost);
}

static void test_right(void)
{
    struct explore_result result = explore_fault(RIGHT);

    g_test_message("%u states, %u ends", result.states, result.ends);
    g_assert_cmpuint(result.ends, >, 0);
    g_assert_cmpuint(result.wrong, ==, 0);
}

static void test_wrong(gconstpointer data)
{
    struct explore_result result = explore_fault(GPOINTER_TO_INT(data));

    g_test_message("%u states, %u ends, %u wrong", result.states, result.ends,
                   result.wrong);
    g_assert_cmpuint(result.wrong, >, 0);
}

/* --- the real one -------------------------------------------------------- */

/* A bare notification ends one wait, however often it was given before. */
static void test_ends_wait(struct loop *loop)
{
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j <= i; j++) {
            aio_notify(loop->ctx);
        }
        (void)loop_turn(loop, true);
    }
    loop_drain(loop);
}

static void notify_bh(void *opaque)
{
    struct loop *loop = opaque;

    log_add("(");
    aio_notify(loop->ctx);
    (void)aio_poll(loop->ctx, true);
    aio_notify(loop->ctx);
    log_add(")");
}

/* The nested turn takes the first one, the next outer turn the second. */
static void test_nested(struct loop *loop)
{
    aio_bh_schedule_oneshot(loop->ctx, notify_bh, loop);
    (void)loop_turn(loop, true);
    (void)loop_turn(loop, true);
    log_expect("( )");
}

#define ROUNDS 2000

struct ping {
    AioContext *there;
    AioContext *here;
    int sent;     /* atomic */
    int answered; /* atomic */
};

static void answer_bh(void *opaque)
{
    struct ping *ping = opaque;

    (void)ct_xchg(&ping->answered, ct_load(&ping->sent));
    aio_notify(ping->here);
}

/*
 * Back and forth between two loops; whichever falls asleep at the wrong
 * instant stays asleep, and the test never ends.
 */
static void test_ping_pong(struct loop *loop)
{
    IOThread *iothread = iothread_new("pong", NULL);
    struct ping ping = {.there = iothread_get_aio_context(iothread),
                        .here = loop->ctx};
    AioBH *bh = aio_bh_new(ping.there, answer_bh, &ping);

    for (int i = 1; i <= ROUNDS; i++) {
        (void)ct_xchg(&ping.sent, i);
        aio_bh_schedule(bh);
        loop_until(loop, ct_load(&ping.answered) == i);
    }
    aio_bh_delete(bh);
    iothread_free(iothread);
}

struct flood {
    AioContext *ctx;
    unsigned last; /* atomic: what the flood said last */
    unsigned is_over;
};

static void *notify_flood(void *opaque)
{
    struct flood *flood = opaque;

    for (unsigned i = 1; i <= 100000; i++) {
        (void)ct_xchg(&flood->last, i);
        aio_notify(flood->ctx);
    }
    (void)ct_xchg(&flood->is_over, 1);
    aio_notify(flood->ctx);
    return NULL;
}

/* Most of them coalesce; the last one never gets lost. */
static void test_flood(struct loop *loop)
{
    struct flood flood = {.ctx = loop->ctx};
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, notify_flood, &flood), ==, 0);
    loop_until(loop, ct_load_seq(&flood.is_over));
    g_assert_cmpuint(ct_load(&flood.last), ==, 100000);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    static const char *const wrong[FAULTS] = {
        [PLAIN_NOTIFIED] = "plain-notified",
        [PLAIN_ANNOUNCEMENT] = "plain-announcement",
        [PLAIN_WORK] = "plain-work",
        [PLAIN_ACCEPT] = "plain-accept",
        [NOTIFIED_LATE] = "notified-late",
        [WORK_LATE] = "work-late",
        [CHECK_EARLY] = "check-early",
        [ACCEPT_LATE] = "accept-late",
        [NO_CHECK] = "no-check",
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/notify/model/right", test_right);
    for (int i = RIGHT + 1; i < FAULTS; i++) {
        char *path = g_strdup_printf("/notify/model/finds-%s", wrong[i]);

        g_test_add_data_func(path, GINT_TO_POINTER(i), test_wrong);
        g_free(path);
    }
    loops_add("/notify/ends-wait", test_ends_wait);
    loops_add("/notify/nested", test_nested);
    loops_add("/notify/ping-pong", test_ping_pong);
    loops_add("/notify/flood", test_flood);
    return g_test_run();
}
