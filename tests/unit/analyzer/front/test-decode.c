/* SPDX-License-Identifier: MIT */
/*
 * test-decode.c - every event says what it says
 *
 * The rule for all of our events: one step of a kind of its own, in which each
 * field of the event is found again, but for those that are listed here
 * because nothing in the words needs them.  So an event or a field that is
 * added and forgotten in decode fails this test.
 */
#include <glib.h>
#include <string.h>

#include "decode/decode.h"

static struct ct_decoder *decoder;

/* Fields that no step carries, "event.field". */
static const char *const left_out[] = {
    "state_begin.major",       "state_begin.minor",    "state_context.telling",
    "state_coroutine.telling", "state_work.telling",   "state_worker.telling",
    "state_request.telling",   "state_lock.telling",   "wait_begin.kind",
    "wait_end.kind",           "fd_handler_set.write", "fd_run_begin.revents",
    "worker_exit.current",     "poll_add.revents",     "io_submit.engine",
    "io_batch.engine",
};

static bool is_left_out(const struct ct_event *event,
                        const struct ct_field *field)
{
    g_autofree char *name = g_strdup_printf("%s.%s", event->name, field->name);

    for (unsigned i = 0; i < G_N_ELEMENTS(left_out); i++) {
        if (strcmp(left_out[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* A value that says which field it is of. */
static uint64_t number_of(const struct ct_field *field, unsigned i)
{
    unsigned words = 0;

    if (field->kind != CT_FIELD_ENUM) {
        return 1000 + i;
    }
    while (field->words[words]) {
        words++;
    }
    return words - 1;
}

static struct ct_record record_of(unsigned id, char names[][16])
{
    static const uint64_t frames[] = {7, 8, 9};
    const struct ct_event *event = ct_schema_event(id);
    struct ct_record record = {
        .kind = CT_RECORD_EVENT,
        .has_clock = true,
        .when_ns = 123456789,
        .seq = 42,
        .event = (int)id,
        .pid = 10,
        .tid = 11,
    };

    for (unsigned i = 0; i < event->n_fields; i++) {
        struct ct_value *value = &record.values[i];

        value->present = true;
        if (event->fields[i].kind == CT_FIELD_STRING) {
            g_snprintf(names[i], 16, "name-%u", i);
            value->s = names[i];
            value->len = (uint32_t)strlen(names[i]);
        } else if (event->fields[i].kind == CT_FIELD_HEXES) {
            value->v = frames;
            value->len = G_N_ELEMENTS(frames);
        } else {
            value->u = number_of(&event->fields[i], i);
        }
    }
    return record;
}

static bool step_has_number(const struct ct_step *step, uint64_t n)
{
    const uint64_t columns[] = {
        step->subject,      step->object,          step->context,
        step->value,        step->waits_for,       step->fn,
        step->stack,        step->created_stack,   step->offset,
        step->bytes,        (uint64_t)step->ns,    (uint64_t)step->ret,
        step->reason,       step->workers.idle,    step->workers.current,
        step->workers.new_, step->workers.pending, step->workers.max,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(columns); i++) {
        if (columns[i] == n) {
            return true;
        }
    }
    return false;
}

static bool step_has_name(const struct ct_step *step, const char *name)
{
    return g_strcmp0(step->name, name) == 0 ||
           g_strcmp0(step->layer, name) == 0 || g_strcmp0(step->op, name) == 0;
}

static bool is_flag(const struct ct_field *field)
{
    static const char *const flags[] = {"blocking", "progress", "limit",
                                        "taken"};

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (strcmp(field->name, flags[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_field(const struct ct_event *event, unsigned i,
                        const struct ct_record *record,
                        const struct ct_step *step)
{
    const struct ct_field *field = &event->fields[i];
    const struct ct_value *value = &record->values[i];
    bool found;

    if (field->kind == CT_FIELD_STRING) {
        found = step_has_name(step, value->s);
    } else if (field->kind == CT_FIELD_HEXES) {
        found = step->addresses == value->v && step->n_addresses == value->len;
    } else if (is_flag(field)) {
        found = step->flag;
    } else {
        found = step_has_number(step, value->u);
    }
    if (!found && !is_left_out(event, field)) {
        g_error("%s.%s is not in its step", event->name, field->name);
    }
}

/* They stand for others, see test_joined() and test_request_open(). */
static bool is_joined(unsigned id)
{
    return id == CT_EV_REQUEST_OPEN || id == CT_EV_COROUTINE_START ||
           id == CT_EV_AIO_CO_WAKE_ENTER || id == CT_EV_THREAD_POOL_RESUME ||
           id == CT_EV_REQUEST_START || id == CT_EV_WORK_NEXT ||
           id == CT_EV_COROUTINE_NEXT;
}

static void test_our_events(void)
{
    bool seen[CT_STEP_KINDS] = {false};
    unsigned n = 0, joined = 0;

    for (unsigned id = 0; id < CT_EV_COUNT; id++) {
        const struct ct_event *event = ct_schema_event(id);
        char names[CT_FIELDS_MAX][16];
        struct ct_record record = record_of(id, names);
        struct ct_step steps[CT_DECODE_MAX];

        if (strcmp(event->provider, "cotrace") != 0 ||
            id >= CT_EV_NATIVE_STACK) { /* they are in test-native.c */
            continue;
        }
        if (is_joined(id)) {
            joined++;
            continue;
        }
        g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 1);
        g_assert_cmpint(steps[0].kind, !=, CT_STEP_NONE);
        g_assert_false(seen[steps[0].kind]);
        seen[steps[0].kind] = true;
        g_assert_cmpint(steps[0].when_ns, ==, 123456789);
        g_assert_cmpuint(steps[0].seq, ==, 42);
        g_assert_cmpint(steps[0].pid, ==, 10);
        g_assert_cmpint(steps[0].tid, ==, 11);
        g_assert_cmpint(steps[0].certainty, ==, CT_KNOWN);
        for (unsigned i = 0; i < event->n_fields; i++) {
            check_field(event, i, &record, &steps[0]);
        }
        n++;
    }
    g_assert_cmpuint(n + joined, ==, CT_EV_NATIVE_STACK);
}

/* What is not told is 0 or NULL, whatever the event. */
static void test_nothing_told(void)
{
    for (unsigned id = 0; id < CT_EV_COUNT; id++) {
        struct ct_record record = {.kind = CT_RECORD_EVENT, .event = (int)id};
        struct ct_step steps[CT_DECODE_MAX];
        unsigned n = ct_decode(decoder, &record, steps);

        if (strcmp(ct_schema_event(id)->provider, "qemu") == 0) {
            g_assert_cmpuint(n, <=, 2); /* ids are made for what it told */
            continue;
        }
        g_assert_cmpuint(n, <=, is_joined(id) ? 4 : 1);
        for (unsigned i = 0; i < n; i++) {
            g_assert_cmpuint(steps[i].subject, ==, 0);
            g_assert_cmpuint(steps[i].stack, ==, 0);
            g_assert_null(steps[i].name);
            g_assert_null(steps[i].addresses);
            g_assert_cmpuint(steps[i].n_addresses, ==, 0);
        }
    }
}

static void decode_one(const struct ct_record *record, struct ct_step *step)
{
    struct ct_step steps[CT_DECODE_MAX];

    g_assert_cmpuint(ct_decode(decoder, record, steps), ==, 1);
    *step = steps[0];
}

static void test_columns(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record record = record_of(CT_EV_AIO_COROUTINE_ENTER, names);
    struct ct_step step;

    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_CO_ENTER);
    g_assert_cmpuint(step.subject, ==, 1000 + CT_FLD_AIO_COROUTINE_ENTER_TO);
    g_assert_cmpuint(step.object, ==, 1000 + CT_FLD_AIO_COROUTINE_ENTER_FROM);
    g_assert_cmpuint(step.context, ==, 1000 + CT_FLD_AIO_COROUTINE_ENTER_CTX);

    record = record_of(CT_EV_THREAD_POOL_SUBMIT, names);
    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_WORK_SUBMIT);
    g_assert_cmpuint(step.subject, ==, 1000 + CT_FLD_THREAD_POOL_SUBMIT_REQ);
    g_assert_cmpuint(step.object, ==, 1000 + CT_FLD_THREAD_POOL_SUBMIT_CO);
    g_assert_cmpuint(step.context, ==, 1000 + CT_FLD_THREAD_POOL_SUBMIT_POOL);

    record = record_of(CT_EV_FD_HANDLER_SET, names);
    record.values[CT_FLD_FD_HANDLER_SET_READ].u = 0;
    decode_one(&record, &step);
    g_assert_cmpuint(step.fn, ==, 1000 + CT_FLD_FD_HANDLER_SET_WRITE);
}

/* Steps of @joined are those of the events that it stands for. */
static void check_parts(const struct ct_record *joined,
                        const struct ct_record *parts, unsigned n)
{
    struct ct_step steps[CT_DECODE_MAX], part;

    g_assert_cmpuint(ct_decode(decoder, joined, steps), ==, n);
    for (unsigned i = 0; i < n; i++) {
        decode_one(&parts[i], &part);
        g_assert_cmpint(steps[i].kind, ==, part.kind);
        g_assert_cmpint(steps[i].certainty, ==, part.certainty);
        g_assert_cmpint(steps[i].when_ns, ==, part.when_ns);
        g_assert_cmpint(steps[i].pid, ==, part.pid);
        g_assert_cmpint(steps[i].tid, ==, part.tid);
        g_assert_cmpuint(steps[i].subject, ==, part.subject);
        g_assert_cmpuint(steps[i].object, ==, part.object);
        g_assert_cmpuint(steps[i].context, ==, part.context);
        g_assert_cmpuint(steps[i].fn, ==, part.fn);
        g_assert_cmpuint(steps[i].stack, ==, part.stack);
        g_assert_cmpint(steps[i].reason, ==, part.reason);
        g_assert_cmpint(steps[i].ret, ==, part.ret);
        g_assert_cmpuint(steps[i].waits_for, ==, part.waits_for);
        g_assert_cmpuint(steps[i].value, ==, part.value);
        g_assert_false(steps[i].flag);
    }
}

#define COPY(to, TO, from, FROM) \
    ((to).values[CT_FLD_##TO] = (from).values[CT_FLD_##FROM])

static void test_joined(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record create = record_of(CT_EV_COROUTINE_CREATE, names);
    struct ct_record enter = record_of(CT_EV_AIO_COROUTINE_ENTER, names);
    struct ct_record wake = record_of(CT_EV_AIO_CO_WAKE, names);
    struct ct_record done = record_of(CT_EV_THREAD_POOL_COMPLETE, names);
    struct ct_record joined = record_of(CT_EV_COROUTINE_START, names);

    COPY(create, COROUTINE_CREATE_CO, joined, COROUTINE_START_CO);
    COPY(create, COROUTINE_CREATE_ENTRY, joined, COROUTINE_START_ENTRY);
    COPY(create, COROUTINE_CREATE_STACK, joined, COROUTINE_START_STACK);
    COPY(enter, AIO_COROUTINE_ENTER_CTX, joined, COROUTINE_START_CTX);
    COPY(enter, AIO_COROUTINE_ENTER_FROM, joined, COROUTINE_START_FROM);
    COPY(enter, AIO_COROUTINE_ENTER_TO, joined, COROUTINE_START_CO);
    COPY(enter, AIO_COROUTINE_ENTER_STACK, joined, COROUTINE_START_STACK);
    check_parts(&joined, (struct ct_record[]){create, enter}, 2);

    joined = record_of(CT_EV_AIO_CO_WAKE_ENTER, names);
    wake.values[CT_FLD_AIO_CO_WAKE_WAKER].u = 0;
    wake.values[CT_FLD_AIO_CO_WAKE_HOW].u = CT_WAKE_HOW_ENTERED;
    enter.values[CT_FLD_AIO_COROUTINE_ENTER_FROM].u = 0;
    COPY(wake, AIO_CO_WAKE_CTX, joined, AIO_CO_WAKE_ENTER_CTX);
    COPY(wake, AIO_CO_WAKE_CO, joined, AIO_CO_WAKE_ENTER_CO);
    COPY(wake, AIO_CO_WAKE_STACK, joined, AIO_CO_WAKE_ENTER_STACK);
    COPY(enter, AIO_COROUTINE_ENTER_CTX, joined, AIO_CO_WAKE_ENTER_CTX);
    COPY(enter, AIO_COROUTINE_ENTER_TO, joined, AIO_CO_WAKE_ENTER_CO);
    COPY(enter, AIO_COROUTINE_ENTER_STACK, joined, AIO_CO_WAKE_ENTER_STACK);
    check_parts(&joined, (struct ct_record[]){wake, enter}, 2);

    joined = record_of(CT_EV_THREAD_POOL_RESUME, names);
    COPY(done, THREAD_POOL_COMPLETE_POOL, joined, THREAD_POOL_RESUME_POOL);
    COPY(done, THREAD_POOL_COMPLETE_REQ, joined, THREAD_POOL_RESUME_REQ);
    COPY(done, THREAD_POOL_COMPLETE_RET, joined, THREAD_POOL_RESUME_RET);
    COPY(wake, AIO_CO_WAKE_CTX, joined, THREAD_POOL_RESUME_CTX);
    COPY(wake, AIO_CO_WAKE_CO, joined, THREAD_POOL_RESUME_CO);
    COPY(wake, AIO_CO_WAKE_STACK, joined, THREAD_POOL_RESUME_STACK);
    COPY(enter, AIO_COROUTINE_ENTER_CTX, joined, THREAD_POOL_RESUME_CTX);
    COPY(enter, AIO_COROUTINE_ENTER_TO, joined, THREAD_POOL_RESUME_CO);
    COPY(enter, AIO_COROUTINE_ENTER_STACK, joined, THREAD_POOL_RESUME_STACK);
    check_parts(&joined, (struct ct_record[]){done, wake, enter}, 3);
}

static void test_joined_coroutine_next(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record end = record_of(CT_EV_COROUTINE_TERMINATE, names);
    struct ct_record enter = record_of(CT_EV_AIO_COROUTINE_ENTER, names);
    struct ct_record joined = record_of(CT_EV_COROUTINE_NEXT, names);

    COPY(end, COROUTINE_TERMINATE_SELF, joined, COROUTINE_NEXT_SELF);
    COPY(end, COROUTINE_TERMINATE_TO, joined, COROUTINE_NEXT_FROM);
    COPY(enter, AIO_COROUTINE_ENTER_CTX, joined, COROUTINE_NEXT_CTX);
    COPY(enter, AIO_COROUTINE_ENTER_FROM, joined, COROUTINE_NEXT_FROM);
    COPY(enter, AIO_COROUTINE_ENTER_TO, joined, COROUTINE_NEXT_TO);
    COPY(enter, AIO_COROUTINE_ENTER_STACK, joined, COROUTINE_NEXT_STACK);
    check_parts(&joined, (struct ct_record[]){end, enter}, 2);
}

static void test_joined_work_next(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record end = record_of(CT_EV_WORK_END, names);
    struct ct_record begin = record_of(CT_EV_WORK_BEGIN, names);
    struct ct_record joined = record_of(CT_EV_WORK_NEXT, names);

    COPY(end, WORK_END_POOL, joined, WORK_NEXT_POOL);
    COPY(end, WORK_END_REQ, joined, WORK_NEXT_REQ);
    COPY(end, WORK_END_RET, joined, WORK_NEXT_RET);
    COPY(begin, WORK_BEGIN_POOL, joined, WORK_NEXT_POOL);
    COPY(begin, WORK_BEGIN_REQ, joined, WORK_NEXT_NEXT);
    COPY(begin, WORK_BEGIN_FUNCTION, joined, WORK_NEXT_FUNCTION);
    COPY(begin, WORK_BEGIN_WORKER, joined, WORK_NEXT_WORKER);
    COPY(begin, WORK_BEGIN_STACK, joined, WORK_NEXT_STACK);
    check_parts(&joined, (struct ct_record[]){end, begin}, 2);
}

static void test_joined_request_start(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record create = record_of(CT_EV_COROUTINE_CREATE, names);
    struct ct_record serves = record_of(CT_EV_REQUEST_COROUTINE, names);
    struct ct_record wake = record_of(CT_EV_AIO_CO_WAKE, names);
    struct ct_record enter = record_of(CT_EV_AIO_COROUTINE_ENTER, names);
    struct ct_record joined = record_of(CT_EV_REQUEST_START, names);

    COPY(create, COROUTINE_CREATE_CO, joined, REQUEST_START_CO);
    COPY(create, COROUTINE_CREATE_ENTRY, joined, REQUEST_START_ENTRY);
    COPY(create, COROUTINE_CREATE_STACK, joined, REQUEST_START_STACK);
    COPY(serves, REQUEST_COROUTINE_REQUEST, joined, REQUEST_START_REQUEST);
    COPY(serves, REQUEST_COROUTINE_CO, joined, REQUEST_START_CO);
    COPY(wake, AIO_CO_WAKE_CTX, joined, REQUEST_START_CTX);
    COPY(wake, AIO_CO_WAKE_CO, joined, REQUEST_START_CO);
    COPY(wake, AIO_CO_WAKE_WAKER, joined, REQUEST_START_WAKER);
    COPY(wake, AIO_CO_WAKE_STACK, joined, REQUEST_START_STACK);
    COPY(enter, AIO_COROUTINE_ENTER_CTX, joined, REQUEST_START_CTX);
    COPY(enter, AIO_COROUTINE_ENTER_TO, joined, REQUEST_START_CO);
    COPY(enter, AIO_COROUTINE_ENTER_FROM, joined, REQUEST_START_WAKER);
    COPY(enter, AIO_COROUTINE_ENTER_STACK, joined, REQUEST_START_STACK);

    for (unsigned how = 0; how <= CT_WAKE_HOW_SCHEDULED + 1; how++) {
        joined.values[CT_FLD_REQUEST_START_HOW].u = how;
        wake.values[CT_FLD_AIO_CO_WAKE_HOW].u = how;
        check_parts(&joined, (struct ct_record[]){create, serves, wake, enter},
                    how == CT_WAKE_HOW_ENTERED ? 4 : 3);
    }
}

/* As request_begin, but for what request_kind told. */
static void test_request_open(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record record = record_of(CT_EV_REQUEST_OPEN, names);
    struct ct_step step;

    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_REQUEST_BEGIN);
    g_assert_cmpint(step.when_ns, ==, 123456789);
    g_assert_cmpuint(step.subject, ==, 1000 + CT_FLD_REQUEST_OPEN_REQUEST);
    g_assert_cmpuint(step.object, ==, 1000 + CT_FLD_REQUEST_OPEN_PARENT);
    g_assert_cmpuint(step.waits_for, ==, 1000 + CT_FLD_REQUEST_OPEN_CO);
    g_assert_cmpuint(step.context, ==, 1000 + CT_FLD_REQUEST_OPEN_KIND);
    g_assert_cmpuint(step.offset, ==, 1000 + CT_FLD_REQUEST_OPEN_OFFSET);
    g_assert_cmpuint(step.bytes, ==, 1000 + CT_FLD_REQUEST_OPEN_BYTES);
    g_assert_cmpuint(step.stack, ==, 1000 + CT_FLD_REQUEST_OPEN_STACK);
    g_assert_null(step.layer);
    g_assert_null(step.op);
    g_assert_null(step.name);

    record = record_of(CT_EV_REQUEST_BEGIN, names);
    decode_one(&record, &step);
    g_assert_cmpuint(step.context, ==, 0); /* names no kind */
}

/* A range of 0 bytes is told; none at all is not 0. */
static void test_range(void)
{
    static const struct {
        enum ct_event_id event;
        unsigned offset, bytes;
    } cases[] = {
        {CT_EV_REQUEST_BEGIN, CT_FLD_REQUEST_BEGIN_OFFSET,
         CT_FLD_REQUEST_BEGIN_BYTES},
        {CT_EV_REQUEST_OPEN, CT_FLD_REQUEST_OPEN_OFFSET,
         CT_FLD_REQUEST_OPEN_BYTES},
        {CT_EV_STATE_REQUEST, CT_FLD_STATE_REQUEST_OFFSET,
         CT_FLD_STATE_REQUEST_BYTES},
    };
    char names[CT_FIELDS_MAX][16];

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ct_record record = record_of(cases[i].event, names);
        struct ct_value *offset = &record.values[cases[i].offset];
        struct ct_value *bytes = &record.values[cases[i].bytes];
        struct ct_step step;

        offset->u = bytes->u = 0;
        decode_one(&record, &step);
        g_assert_false(step.flag);
        *offset = (struct ct_value){0};
        decode_one(&record, &step);
        g_assert_true(step.flag);
        offset->present = true;
        *bytes = (struct ct_value){0};
        decode_one(&record, &step);
        g_assert_true(step.flag);
    }
}

/* A word of a later schema is not taken for one of ours. */
static void test_unknown_words(void)
{
    char names[CT_FIELDS_MAX][16];
    struct ct_record record = record_of(CT_EV_COROUTINE_YIELD, names);
    struct ct_step step;

    record.values[CT_FLD_COROUTINE_YIELD_REASON].u = 200;
    decode_one(&record, &step);
    g_assert_cmpint(step.reason, ==, CT_YIELD_REASON_OTHER);
    record.values[CT_FLD_COROUTINE_YIELD_REASON].u = 256 + CT_YIELD_REASON_WORK;
    decode_one(&record, &step);
    g_assert_cmpint(step.reason, ==, CT_YIELD_REASON_OTHER);
}

/* Times within an event are told on the record's clock. */
static void test_since(void)
{
    static const struct {
        uint64_t since;
        int64_t ns;
    } cases[] = {
        {0, 0},          /* not told */
        {100, 5100},     /* on the clock */
        {95000, 100000}, /* now */
        {95001, 0},      /* in the future: impossible */
        {UINT64_MAX, 0}, {(uint64_t)INT64_MAX, 0},
    };
    char names[CT_FIELDS_MAX][16];

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ct_record record = record_of(CT_EV_STATE_COROUTINE, names);
        struct ct_step step;

        record.when_ns = 100000;
        record.zero_ns = 5000;
        record.values[CT_FLD_STATE_COROUTINE_SINCE].u = cases[i].since;
        decode_one(&record, &step);
        g_assert_cmpint(step.ns, ==, cases[i].ns);
    }
}

static void test_images(void)
{
    static const uint8_t id[] = {0xde, 0xad, 0x00, 0x01};
    struct ct_record record = {.kind = CT_RECORD_EVENT,
                               .event = CT_EV_UST_BIN_INFO};
    struct ct_step steps[CT_DECODE_MAX];
    struct ct_step step;

    /* without a path it says nothing */
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 0);
    record.values[CT_FLD_UST_BIN_INFO_BADDR] =
        (struct ct_value){.u = 0x400000, .present = true};
    record.values[CT_FLD_UST_BIN_INFO_MEMSZ] =
        (struct ct_value){.u = 0x1000, .present = true};
    record.values[CT_FLD_UST_BIN_INFO_PATH] =
        (struct ct_value){.s = "/bin/x", .len = 6, .present = true};
    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_IMAGE_LOAD);
    g_assert_cmphex(step.subject, ==, 0x400000);
    g_assert_cmphex(step.object, ==, 0x1000);
    g_assert_cmpstr(step.name, ==, "/bin/x");

    record = (struct ct_record){.kind = CT_RECORD_EVENT,
                                .event = CT_EV_UST_BUILD_ID};
    record.values[CT_FLD_UST_BUILD_ID_BADDR] =
        (struct ct_value){.u = 0x400000, .present = true};
    record.values[CT_FLD_UST_BUILD_ID_BUILD_ID] =
        (struct ct_value){.b = id, .len = sizeof(id), .present = true};
    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_IMAGE_LOAD);
    g_assert_cmpstr(step.build_id, ==, "dead0001");
    g_assert_null(step.name);
    record.values[CT_FLD_UST_BUILD_ID_BUILD_ID].len = 1000;
    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 0);
}

static void test_holes(void)
{
    struct ct_record record = {
        .kind = CT_RECORD_HOLE,
        .event = -1,
        .when_ns = 100,
        .to_ns = 200,
        .stream = 3,
        .lost = 9,
    };
    struct ct_step step;

    decode_one(&record, &step);
    g_assert_cmpint(step.kind, ==, CT_STEP_GAP);
    g_assert_cmpint(step.from_ns, ==, 100);
    g_assert_cmpint(step.ns, ==, 200);
    g_assert_cmpuint(step.subject, ==, 3);
    g_assert_cmpuint(step.value, ==, 9);
}

static void test_unknown_event(void)
{
    struct ct_record record = {.kind = CT_RECORD_EVENT, .event = -1};
    struct ct_step steps[CT_DECODE_MAX];

    g_assert_cmpuint(ct_decode(decoder, &record, steps), ==, 0);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    decoder = ct_decoder_new();
    g_test_add_func("/decode/our-events", test_our_events);
    g_test_add_func("/decode/nothing-told", test_nothing_told);
    g_test_add_func("/decode/columns", test_columns);
    g_test_add_func("/decode/joined", test_joined);
    g_test_add_func("/decode/joined-coroutine-next",
                    test_joined_coroutine_next);
    g_test_add_func("/decode/joined-work-next", test_joined_work_next);
    g_test_add_func("/decode/joined-request-start", test_joined_request_start);
    g_test_add_func("/decode/request-open", test_request_open);
    g_test_add_func("/decode/range", test_range);
    g_test_add_func("/decode/unknown-words", test_unknown_words);
    g_test_add_func("/decode/since", test_since);
    g_test_add_func("/decode/images", test_images);
    g_test_add_func("/decode/holes", test_holes);
    g_test_add_func("/decode/unknown-event", test_unknown_event);
    status = g_test_run();
    ct_decoder_free(decoder);
    return status;
}
