/* SPDX-License-Identifier: MIT */
/*
 * fake_pass.c - a simulated pass into any view, for tests and measurements
 *
 *     fake-pass VIEW [name=value ...]
 *
 * Settings of the view are given as they are to a component.  Those of the
 * pass: seed=N, turns=N (turns of each loop), loops=N, workers=N, hostile
 * (strings that want to act on a terminal), coarse (a clock that often stands
 * still), stuck (the first request never ends), lost (a gap, unknown begins).
 * What is told keeps the rules of ct/consumer.h; the same seed tells the same.
 */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_analyzer.h"
#include "views.h"

#define ORIGIN_NS INT64_C(1700000000123456789)
#define PID       4000

static struct {
    uint64_t seed, turns, loops, workers;
    bool hostile, coarse, stuck, lost;
} options = {.seed = 1, .turns = 20, .loops = 2, .workers = 3};

static struct ct_consumer *const *consumers;
static uint64_t n_told;

/* Every consumer that wants it is told. */
#define tell(what, ...)                                                  \
    do {                                                                 \
        for (unsigned tell_i = 0; consumers[tell_i]; tell_i++) {         \
            if (consumers[tell_i]->what) {                               \
                consumers[tell_i]->what(consumers[tell_i], __VA_ARGS__); \
            }                                                            \
        }                                                                \
        n_told++;                                                        \
    } while (0)

static bool is_stopped(void)
{
    for (unsigned i = 0; consumers[i]; i++) {
        if (consumers[i]->failed) {
            return true;
        }
    }
    return false;
}

/* --- chance and time ----------------------------------------------------- */

static uint64_t chance_state;

static uint64_t chance(uint64_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state % below;
}

static int64_t now_ns;

static int64_t tick(void)
{
    if (options.coarse) {
        now_ns += chance(3) ? 0 : 1000;
    } else {
        now_ns += 1 + (int64_t)chance(3000);
    }
    return now_ns;
}

static const char *word(const char *usual, const char *hostile)
{
    return options.hostile ? hostile : usual;
}

/* --- slices: begun and ended as brackets --------------------------------- */

static struct ct_slice begin(enum ct_slice_kind kind, int32_t tid, uint64_t id,
                             uint64_t fn, const char *name, int64_t at_ns)
{
    struct ct_slice slice = {
        .kind = kind,
        .begin_known = true,
        .end_known = true,
        .pid = PID,
        .tid = tid,
        .begin_ns = at_ns,
        .id = id,
        .context = 1,
        .fn = fn,
        .name = name,
    };

    tell(slice_began, &slice);
    return slice;
}

static int64_t end(struct ct_slice *slice, int64_t at_ns)
{
    slice->end_ns = at_ns;
    tell(slice, slice);
    return at_ns;
}

static void edge(enum ct_edge_kind kind, int32_t from_tid, int64_t from_ns,
                 int32_t to_tid, int64_t to_ns, uint64_t id, uint64_t request)
{
    struct ct_edge told = {kind,   PID,   from_tid, from_ns,
                           to_tid, to_ns, id,       request};

    tell(edge, &told);
}

static void counter(enum ct_counter_kind kind, uint64_t id, int64_t value)
{
    struct ct_counter told = {kind, PID, id, now_ns, value};

    tell(counter, &told);
}

/* --- requests ------------------------------------------------------------ */

struct open_request {
    struct ct_request request;
    struct ct_segment segments[8];
    struct ct_ran ran[8];
    struct ct_path_segment path[8];
    uint64_t coroutine;
    int32_t worker;
};

static uint64_t n_requests;
static int64_t in_flight;

static void request_begin(struct open_request *open, uint64_t parent,
                          int32_t tid)
{
    static const char *const layers[] = {"blk", "bdrv", "nbd"};
    static const char *const ops[] = {"read", "write", "flush"};

    memset(open, 0, sizeof(*open));
    n_requests++;
    open->request = (struct ct_request){
        .number = n_requests,
        .parent = parent,
        .parent_id = parent ? 1000 + parent : 0,
        .id = 1000 + n_requests,
        .pid = PID,
        .tid = tid,
        .layer = layers[chance(3)],
        .op = ops[chance(3)],
        .node = word("drive0", "n\"o\\d\033[31me\xff\xfe\u202e\n\t\xc2\x9b"),
        .offset = chance(1 << 30) & ~UINT64_C(511),
        .bytes = 512 << chance(8),
        .begin_known = true,
        .begin_ns = now_ns,
    };
    tell(request_began, &open->request);
    if (!parent) {
        counter(CT_COUNTER_REQUESTS, 0, ++in_flight);
    }
}

static void request_end(struct open_request *open, bool is_open)
{
    struct ct_request *request = &open->request;
    int64_t at = request->begin_ns;
    int64_t end_ns = now_ns;
    unsigned n = 1 + (unsigned)chance(8);

    for (unsigned i = 0; i < n; i++) {
        int64_t left = end_ns - at;
        int64_t part =
            i + 1 == n ? left : (int64_t)chance((uint64_t)left / 2 + 1);

        open->segments[i] = (struct ct_segment){
            .state = (enum ct_state)chance(CT_STATES),
            .on_top = chance(2),
            .begin_ns = at,
            .end_ns = at + part,
            .tid = chance(2) ? open->worker : 0,
            .cause = {.kind = (enum ct_cause_kind)chance(CT_CAUSE_UNKNOWN + 1),
                      .id = chance(9),
                      .coroutine = chance(9),
                      .request = chance(9),
                      .first_ran = i,
                      .n_ran = (unsigned)chance(9 - i) / 4},
        };
        open->ran[i] = (struct ct_ran){
            .kind = (enum ct_ran_kind)chance(CT_RAN_KINDS),
            .state = (enum ct_state)chance(CT_STATES),
            .depth = (unsigned)chance(2),
            .id = chance(9),
            .fn = chance(2) ? 0x1000 + chance(8) : 0,
            .name = chance(4) ? NULL : word("kick", "k\"\033[7mick\xff"),
            .request = chance(9),
            .ns = part + 1,
            .count = chance(3),
        };
        open->path[i] = (struct ct_path_segment){
            .request = request->number + chance(2),
            .segment = open->segments[i],
        };
        at += part;
    }
    request->ran = open->ran;
    request->path = open->path;
    request->n_path = n;
    request->end_ns = end_ns;
    request->latency_min_ns = end_ns - request->begin_ns;
    request->segments = open->segments;
    request->n_segments = n;
    request->complete = !is_open;
    request->has_ret = !is_open;
    request->ret = chance(10) ? 0 : -5;
    request->coroutines = &open->coroutine;
    request->n_coroutines = 1;
    request->workers = &open->worker;
    request->n_workers = 1;
    if (options.lost && !chance(10)) {
        request->begin_known = false;
        request->complete = false;
    }
    tell(request, request);
    if (!request->parent_id) {
        counter(CT_COUNTER_REQUESTS, 0, --in_flight);
    }
}

/* --- one loop's turns, one worker's work --------------------------------- */

static struct ct_slice threads[64];

static uint64_t fn(unsigned which)
{
    return which % 7 == 6 ? FAKE_NAMELESS + which : 0x401000 + which * 0x40;
}

/* A turn: a BH that some other thread scheduled enters a coroutine, which
 * begins a request, whose work a worker runs. */
static void turn(uint64_t number)
{
    int32_t loop = PID + (int32_t)chance(options.loops);
    int32_t worker = PID + 10 + (int32_t)chance(options.workers);
    int32_t other = PID + (int32_t)chance(options.loops);
    struct open_request outer, inner;
    struct ct_slice poll, wait, bh, coroutine, work;
    int64_t scheduled_ns, submitted_ns, done_ns, completed_ns;

    scheduled_ns = tick();
    poll =
        begin(CT_SLICE_POLL, loop, 1 + (uint64_t)(loop - PID), 0,
              word(loop == PID ? "main" : "iothread", "\033[2J\"}],"), tick());
    wait = begin(CT_SLICE_FDMON, loop, 1, 0, NULL, tick());
    end(&wait, tick());
    bh = begin(CT_SLICE_BH, loop, number + 1, fn(3),
               chance(2) ? word("co_schedule_bh", "bh\"\\\033") : NULL, tick());
    edge(CT_EDGE_SCHEDULE, other, scheduled_ns, loop, now_ns, number + 1, 0);
    coroutine = begin(CT_SLICE_COROUTINE, loop, 500 + number,
                      fn((unsigned)chance(12)), NULL, tick());
    edge(CT_EDGE_WAKE, loop, bh.begin_ns, loop, now_ns, 500 + number, 0);
    request_begin(&outer, 0, loop);
    tick();
    request_begin(&inner, outer.request.number, loop);
    submitted_ns = tick();
    counter(CT_COUNTER_WORK_QUEUED, 1, 1);
    end(&coroutine, tick());
    end(&bh, tick());
    end(&poll, tick());

    work = begin(CT_SLICE_WORK, worker, 900 + number, fn(5), NULL, tick());
    edge(CT_EDGE_SUBMIT, loop, submitted_ns, worker, now_ns, 900 + number,
         inner.request.number);
    counter(CT_COUNTER_WORK_QUEUED, 1, 0);
    counter(CT_COUNTER_WORKERS_IDLE, 1, 0);
    counter(CT_COUNTER_WORKERS_BUSY, 1, 1);
    work.request = inner.request.number;
    done_ns = end(&work, tick());
    counter(CT_COUNTER_WORKERS_BUSY, 1, 0);
    counter(CT_COUNTER_WORKERS_IDLE, 1, 1);

    poll =
        begin(CT_SLICE_POLL, loop, 1 + (uint64_t)(loop - PID), 0, NULL, tick());
    bh = begin(CT_SLICE_BH, loop, 2, fn(4), "thread_pool_completion", tick());
    completed_ns = tick();
    edge(CT_EDGE_DONE, worker, done_ns, loop, completed_ns, 900 + number,
         inner.request.number);
    coroutine.id = 500 + number;
    coroutine =
        begin(CT_SLICE_COROUTINE, loop, 500 + number, fn(1), NULL, tick());
    edge(CT_EDGE_RESUME, loop, completed_ns, loop, now_ns, 500 + number,
         inner.request.number);
    outer.coroutine = inner.coroutine = 500 + number;
    outer.worker = inner.worker = worker;
    tick();
    request_end(&inner, false);
    tick();
    request_end(&outer, false);
    coroutine.request = outer.request.number;
    end(&coroutine, tick());
    end(&bh, tick());
    end(&poll, tick());
}

static void name_thread(int32_t tid, const char *name, bool is_process)
{
    struct ct_thread_name told = {PID, tid, name, is_process, 0};

    tell(thread_name, &told);
}

static void gap(void)
{
    struct ct_gap told = {0, now_ns - 5000, now_ns, 17};

    tell(gap, &told);
}

/* Ten that wait for a lock in the same place, and one that was never entered.
 */
static void make_alive(const struct ct_frame *frames, unsigned n_frames)
{
    static struct ct_alive waiting[10];
    static struct ct_alive fresh = {.pid = PID, .id = 90, .context = 1};
    static struct ct_alive_group groups[2];

    for (unsigned i = 0; i < G_N_ELEMENTS(waiting); i++) {
        waiting[i] = (struct ct_alive){.pid = PID,
                                       .id = 50 + i,
                                       .state = CT_STATE_LOCK,
                                       .waits_for = 7,
                                       .by = 49,
                                       .by_request = 3,
                                       .request = i,
                                       .since_known = i != 9,
                                       .since_ns = ORIGIN_NS + 1000 * i};
    }
    groups[0] = (struct ct_alive_group){.pid = PID,
                                        .is_sure = true,
                                        .state = CT_STATE_LOCK,
                                        .function = word("entry", "e\033[1m"),
                                        .n = G_N_ELEMENTS(waiting),
                                        .coroutines = waiting,
                                        .n_frames = n_frames,
                                        .frames = frames,
                                        .complete = true};
    groups[1] = (struct ct_alive_group){.pid = PID,
                                        .is_sure = true,
                                        .is_created = true,
                                        .n = 1,
                                        .coroutines = &fresh};
    fake_alive = (struct ct_alive_result){.at_ns = 20000,
                                          .has_clock = true,
                                          .complete = true,
                                          .n_coroutines = 11,
                                          .n_groups = 2,
                                          .groups = groups};
}

static void finish_results(struct ct_summary *summary)
{
    static const struct ct_frame frames[] = {
        {.address = 0x55d0c0ffee12,
         .function = "do_spawn_thread",
         .file = "runtime/pool/worker.c",
         .line = 123,
         .image = "/usr/bin/cotrace-io",
         .image_offset = 0xee12},
        {.boundary = CT_BOUNDARY_BOTTOM_HALF,
         .id = 12,
         .has_when = true,
         .elapsed_ns = 134200,
         .when_ns = ORIGIN_NS + 1000,
         .tid = PID,
         .n_also = 2},
        {.address = 0x7fffffffffff,
         .image = "/lib/libc.so.6",
         .image_offset = 0x2724a},
        {.address = 0x401136,
         .function = "ma\033[31min",
         .file = "a\nb.c",
         .line = 0,
         .inlined = true,
         .limit = true},
    };
    fake_backtrace = (struct ct_backtrace){.pid = PID,
                                           .has_stack_ns = true,
                                           .stack_ns = ORIGIN_NS + 7,
                                           .n_frames = G_N_ELEMENTS(frames),
                                           .frames = frames};
    fake_findings_make(frames, G_N_ELEMENTS(frames), ORIGIN_NS,
                       word("slow", "s\033[1mw\xff"));
    make_alive(frames, G_N_ELEMENTS(frames));
    fake_stat_make(summary, n_requests, PID, fn(3),
                   word("main", "\033]0;x\007"));
}

static bool pass(GError **error)
{
    struct ct_summary summary = {.has_clock = true,
                                 .clock = "exact",
                                 .origin_ns = ORIGIN_NS,
                                 .begin_ns = ORIGIN_NS,
                                 .discarded_known = !options.lost,
                                 .complete = !options.lost};
    uint64_t n_threads = options.loops + options.workers;
    struct open_request stuck;
    bool done = true;

    now_ns = ORIGIN_NS;
    chance_state = options.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    n_requests = 0;
    in_flight = 0;
    for (unsigned i = 0; consumers[i]; i++) {
        consumers[i]->origin_ns = ORIGIN_NS;
        consumers[i]->has_clock = true;
    }
    for (uint64_t i = 0; i < n_threads; i++) {
        int32_t tid =
            PID + (int32_t)(i < options.loops ? i : 10 + i - options.loops);

        threads[i] = begin(CT_SLICE_THREAD, tid, i, 0, NULL,
                           options.coarse ? now_ns : tick());
        if (i >= options.loops) {
            g_autofree char *name =
                g_strdup_printf("worker %" PRIu64, i - options.loops + 1);

            edge(CT_EDGE_SPAWN, PID, threads[0].begin_ns, tid, now_ns, i, 0);
            name_thread(tid, name, false);
        }
    }
    name_thread(PID, word("main", "ma\033in\"\xff"), false);
    name_thread(PID, word("cotrace-io", "<script>\u2028"), true);
    if (options.stuck) {
        request_begin(&stuck, 0, PID);
    }
    for (uint64_t i = 0; i < options.turns && !is_stopped(); i++) {
        turn(i);
        if (options.lost && i == options.turns / 2) {
            gap();
        }
    }
    tick();
    if (options.stuck) {
        request_end(&stuck, true);
    }
    for (uint64_t i = n_threads; i-- > 0;) {
        threads[i].open = i == 0;
        threads[i].end_known = i != 0;
        end(&threads[i], now_ns);
    }
    summary.end_ns = now_ns;
    summary.events = n_told;
    finish_results(&summary);
    for (unsigned i = 0; consumers[i]; i++) {
        if (!consumers[i]->finish(consumers[i], &summary,
                                  done ? error : NULL)) {
            done = false;
        }
    }
    return done;
}

/* --- the program --------------------------------------------------------- */

static bool pass_option(const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *number;
        bool *flag;
    } known[] = {
        {"seed", &options.seed, NULL},
        {"turns", &options.turns, NULL},
        {"loops", &options.loops, NULL},
        {"workers", &options.workers, NULL},
        {"hostile", NULL, &options.hostile},
        {"coarse", NULL, &options.coarse},
        {"stuck", NULL, &options.stuck},
        {"lost", NULL, &options.lost},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(known[i].name, name) != 0) {
            continue;
        }
        if (known[i].flag) {
            *known[i].flag = true;
        } else {
            *known[i].number = g_ascii_strtoull(value, NULL, 10);
        }
        return true;
    }
    return false;
}

/* Not getrusage(): that counts what the parent had before it became us. */
static uint64_t peak_kib(void)
{
    g_autofree char *status = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
        return 0;
    }
    line = strstr(status, "VmHWM:");
    return line ? g_ascii_strtoull(line + 6, NULL, 10) : 0;
}

static int fail(GError *error)
{
    fprintf(stderr, "fake-pass: %s\n", error->message);
    g_error_free(error);
    return 2;
}

int main(int argc, char **argv)
{
    const struct ct_view *view = argc > 1 ? ct_view_find(argv[1]) : NULL;
    struct ct_settings settings;
    struct ct_view_run *run;
    GError *error = NULL;
    int64_t begun_us;
    bool done;

    setlocale(LC_CTYPE, "");
    if (!view) {
        fprintf(stderr, "fake-pass: no such view\n");
        return 2;
    }
    ct_settings_init(&settings);
    for (int i = 2; i < argc; i++) {
        g_auto(GStrv) words = g_strsplit(argv[i], "=", 2);

        if (strcmp(words[0], "trace") == 0) {
            settings.place.trace = argv[i] + strlen("trace=");
        } else if (!pass_option(words[0], words[1]) &&
                   !ct_settings_set(&settings, view, words[0], words[1],
                                    &error)) {
            ct_settings_fini(&settings);
            return fail(error);
        }
    }
    run = ct_view_open(view, &settings, &error);
    if (!run) {
        ct_settings_fini(&settings);
        return fail(error);
    }
    consumers = run->consumers;
    begun_us = g_get_monotonic_time();
    done = pass(&error);
    done = ct_view_close(run, done, done ? &error : NULL) && done;
    ct_settings_fini(&settings);
    if (!done) {
        return fail(error);
    }
    if (g_getenv("FAKE_PASS_MEASURE")) {
        fprintf(stderr,
                "{\"told\":%" PRIu64 ",\"us\":%" PRId64 ",\"peak_kib\":%" PRIu64
                "}\n",
                n_told, g_get_monotonic_time() - begun_us, peak_kib());
    }
    return 0;
}
