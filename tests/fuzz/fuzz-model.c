/* SPDX-License-Identifier: MIT */
/*
 * fuzz-model.c - libFuzzer target: any sequence of events, and every answer
 *
 * An input is two bytes of options and records.  A record is two bytes that
 * say which event (its name's hash; any other number is one, too), a byte for
 * the time since the one before, a byte for process and thread, and a byte a
 * field: a small number, "missing", or "the next eight bytes".
 *
 * The pass goes over it twice: what the answers say is checked, and a run
 * differs in nothing from itself.  One view, by the options, writes what it
 * has to say into memory.
 */
#include <string.h>

#include "checks.h"
#include "ct/alive.h"
#include "ct/backtrace.h"
#include "ct/diff.h"
#include "ct/findings.h"
#include "ct/stat.h"
#include "pass.h"
#include "views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MISSING = 0xf0, /* as a field's byte; more than it: a long one */
    HOLE = 0xffff,
    ARRAY_MAX = 8,
};

static const char *const strings[] = {
    "", "a", "main", "blk", "bdrv", "read", "disk \"x\" \xff\n", "1@2.3:a b 4",
};

/* --- records ---------------------------------------------------------------
 */

struct input {
    const uint8_t *at, *end;
    struct ct_record record;
    uint64_t arrays[CT_FIELDS_MAX][ARRAY_MAX];
};

static uint8_t take_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static uint64_t take_long(struct input *input)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        value |= (uint64_t)take_byte(input) << (8 * i);
    }
    return value;
}

static uint16_t hash_of(const struct ct_event *event)
{
    uint32_t hash = 2166136261u;

    for (const char *at = event->name; *at; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    }
    return (uint16_t)(hash >> 16 ^ hash);
}

static int event_of(uint16_t number)
{
    static uint16_t hashes[CT_EV_COUNT];

    if (!hashes[0]) {
        for (unsigned i = 0; i < CT_EV_COUNT; i++) {
            hashes[i] = hash_of(ct_schema_event(i));
        }
    }
    for (int i = 0; i < CT_EV_COUNT; i++) {
        if (hashes[i] == number) {
            return i;
        }
    }
    return (int)(number % (CT_EV_COUNT + 1)) - 1; /* -1: not in the schema */
}

static void take_field(struct input *input, const struct ct_field *field,
                       unsigned number)
{
    struct ct_value *value = &input->record.values[number];
    uint8_t first = take_byte(input);

    value->present = first != MISSING;
    if (!value->present) {
        return;
    }
    switch (field->kind) {
    case CT_FIELD_STRING:
        value->s = strings[first % G_N_ELEMENTS(strings)];
        value->len = (uint32_t)strlen(value->s);
        break;
    case CT_FIELD_HEXES:
        value->len = first % ARRAY_MAX;
        for (unsigned i = 0; i < value->len; i++) {
            input->arrays[number][i] = take_byte(input);
        }
        value->v = input->arrays[number];
        break;
    case CT_FIELD_BYTES:
        value->len = first;
        value->b = (const uint8_t *)memset(input->arrays[number], first,
                                           sizeof(input->arrays[number]));
        value->len %= sizeof(input->arrays[number]);
        break;
    default:
        value->u = first < MISSING ? first : take_long(input);
    }
}

/* Small steps, and up to the end of time. */
static void take_time(struct input *input)
{
    struct ct_record *record = &input->record;
    uint8_t byte = take_byte(input);
    int64_t later_ns = byte < 192    ? byte
                       : byte == 255 ? INT64_MAX
                                     : INT64_C(1) << (byte - 192);

    if (__builtin_add_overflow(record->when_ns, later_ns, &record->when_ns)) {
        record->when_ns = INT64_MAX;
    }
}

static void take_hole(struct input *input)
{
    struct ct_record *record = &input->record;
    uint8_t lasts = take_byte(input);

    record->kind = CT_RECORD_HOLE;
    record->stream = take_byte(input);
    record->lost = take_byte(input);
    if (record->lost == 0) {
        record->lost = CT_LOST_UNKNOWN;
    }
    if (lasts == 255 ||
        __builtin_add_overflow(record->when_ns, lasts, &record->to_ns)) {
        record->to_ns = CT_HOLE_TO_END;
    }
}

static void take_record(struct input *input)
{
    struct ct_record *record = &input->record;
    uint16_t number = take_byte(input);
    uint8_t who;

    number |= (uint16_t)(take_byte(input) << 8);
    take_time(input);
    who = take_byte(input);
    record->kind = CT_RECORD_EVENT;
    record->pid = who >> 6 ? (who >> 6) + 6 : 0;
    record->tid = who & 63;
    memset(record->values, 0, sizeof(record->values));
    if (number == HOLE) {
        take_hole(input);
        return;
    }
    record->event = event_of(number);
    if (record->event >= 0) {
        const struct ct_event *event = ct_schema_event((unsigned)record->event);

        for (unsigned i = 0; i < event->n_fields; i++) {
            take_field(input, &event->fields[i], i);
        }
    }
}

/* Return: the pass may be finished. */
static bool feed(struct ct_pass *pass, const uint8_t *data, size_t size,
                 uint8_t options)
{
    struct input input = {.at = data, .end = data + size};
    struct ct_record *record = &input.record;

    record->has_clock = !(options & 1);
    record->zero_ns = options & 2 ? -5 : 0;
    while (input.at < input.end) {
        take_record(&input);
        if (!ct_pass_record(pass, record)) {
            break;
        }
        record->seq++;
    }
    return ct_pass_has_span(pass, NULL);
}

/* --- answers ---------------------------------------------------------------
 */

static void check_times(const struct ct_stat_times *times)
{
    ct_check(times->n == 0 ||
             (times->p50_ns >= 0 && times->p50_ns <= times->p90_ns &&
              times->p90_ns <= times->p99_ns &&
              times->p99_ns <= times->p999_ns));
    ct_check(times->n == 0 || times->max_ns >= 0);
}

static void check_stat(const struct ct_stat_result *stat)
{
    ct_check(stat->requests_complete <= stat->requests);
    check_times(&stat->latency);
    for (unsigned i = 0; i < stat->n_classes; i++) {
        check_times(&stat->classes[i].latency);
        ct_check(stat->classes[i].requests > 0);
    }
    for (unsigned i = 0; i < stat->n_contexts; i++) {
        ct_check(stat->contexts[i].busy_ns >= 0 &&
                 stat->contexts[i].longest_callback_ns >= 0);
    }
    for (unsigned i = 0; i < stat->n_pools; i++) {
        ct_check(stat->pools[i].queued_ns >= 0 && stat->pools[i].busy_ns >= 0);
    }
}

static void check_findings(const struct ct_findings_result *findings)
{
    for (unsigned i = 0; i < findings->n; i++) {
        const struct ct_finding *finding = &findings->v[i];

        ct_check(finding->kind < CT_FINDING_KINDS && finding->cost_ns >= 0);
        if (i > 0) {
            /* what may go on after the trace comes last */
            const struct ct_finding *before = &findings->v[i - 1];
            bool is_unsure = ct_finding_is_unsure(finding);
            ct_check(is_unsure >= ct_finding_is_unsure(before));
            ct_check(is_unsure != ct_finding_is_unsure(before) ||
                     finding->cost_ns <= before->cost_ns);
        }
        ct_check(finding->begin_ns <= finding->end_ns);
    }
}

static void check_alive(const struct ct_alive_result *alive)
{
    unsigned n = 0;

    for (unsigned i = 0; i < alive->n_groups; i++) {
        ct_check(alive->groups[i].n > 0);
        n += alive->groups[i].n;
    }
    ct_check(n == alive->n_coroutines + alive->n_unsure);
}

static void ask_all(struct ct_diff *diff, const uint8_t *data, size_t size,
                    uint8_t options, const struct ct_span *span)
{
    const struct ct_findings_limits limits = {.block_ns = 2, .stuck_ns = 2};
    struct ct_checks *checks = ct_checks_new(options & 4);
    struct ct_stat *stat = ct_stat_new();
    struct ct_findings *findings = ct_findings_new(&limits);
    struct ct_alive_query *alive = ct_alive_new(-1, 0);
    struct ct_backtrace_query *trace =
        ct_backtrace_new((enum ct_backtrace_of)(options >> 6), 1, 0, -1);
    struct ct_consumer *consumers[] = {ct_checks_consumer(checks),
                                       ct_stat_consumer(stat),
                                       ct_findings_consumer(findings),
                                       ct_alive_consumer(alive),
                                       ct_backtrace_consumer(trace),
                                       ct_diff_consumer(diff, CT_DIFF_A),
                                       NULL};
    struct ct_pass *pass = ct_pass_new(consumers, span);

    if (feed(pass, data, size, options)) {
        ct_pass_finish(pass, true, NULL);
        check_stat(ct_stat_get(stat));
        if (ct_findings_result(findings)) {
            check_findings(ct_findings_result(findings));
        }
        if (ct_alive_result(alive)) {
            check_alive(ct_alive_result(alive));
        }
    }
    ct_pass_free(pass);
    ct_backtrace_free(trace);
    ct_alive_free(alive);
    ct_findings_free(findings);
    ct_stat_free(stat);
    ct_checks_free(checks);
}

/* Return: there was something to finish. */
static bool show_one(struct ct_diff *diff, const uint8_t *data, size_t size,
                     uint8_t options, const struct ct_span *span, uint8_t which)
{
    struct ct_settings settings;
    struct ct_consumer *consumers[4] = {NULL};
    const struct ct_view *view = ct_views;
    struct ct_out *out = ct_out_memory();
    struct ct_view_run *run;
    struct ct_pass *pass;
    unsigned n = 0;
    bool finished;

    while (which % 8 > n && view[1].name) {
        view++;
        n++;
    }
    ct_settings_init(&settings);
    settings.json = which & 8;
    settings.all = which & 16;
    settings.blame = which & 32;
    settings.critical_path = which & 64;
    settings.sort = which & 128 ? CT_SORT_LATENCY : CT_SORT_START;
    settings.block_ns = settings.stuck_ns = 1;
    settings.has_of = true;
    settings.of = (enum ct_backtrace_of)(options >> 6);
    settings.id = 1;
    run = view->make(&settings, out, NULL);
    n = 0;
    consumers[n++] = ct_diff_consumer(diff, CT_DIFF_B);
    if (run) {
        run->out = out;
        for (unsigned i = 0; run->consumers[i]; i++) {
            consumers[n++] = run->consumers[i];
        }
    }
    pass = ct_pass_new(consumers, span);
    finished = feed(pass, data, size, options);
    if (finished) {
        ct_pass_finish(pass, true, NULL);
    }
    ct_pass_free(pass);
    if (run) {
        ct_view_close(run, false, NULL);
    } else {
        ct_out_close(out, false, NULL);
    }
    ct_settings_fini(&settings);
    return finished;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ct_diff *diff;
    struct ct_span span = {0};
    uint8_t options, which;

    if (size < 3) {
        return 0;
    }
    options = data[0];
    which = data[1];
    span.has_begin = options & 8;
    span.has_end = options & 16;
    span.begin_ns = data[2];
    span.end_ns = span.begin_ns + 100;
    diff = ct_diff_new();
    ask_all(diff, data + 2, size - 2, options, &span);
    if (show_one(diff, data + 2, size - 2, options, &span, which) &&
        ct_diff_compare(diff, NULL)) {
        ct_check(ct_diff_result(diff)->exact);
    }
    ct_diff_free(diff);
    return 0;
}
