/* SPDX-License-Identifier: MIT */
/*
 * carry.c - from babeltrace2's events to our records
 *
 * This runs once an event, so nothing is looked up by name here: a plan, made
 * when an event class is first seen, says for each field of the schema which
 * member of the payload has it and how it is read.  A field that the trace's
 * schema lacks, or has with a type that can't be ours, is not present; a
 * member that our schema lacks is never touched.  So a trace of an older or
 * newer schema, or of somebody else, reads as far as it is understood.
 *
 * Plans are found by the address of the event class, in an open-addressed
 * table that grows.  A plan's moves are sorted, unsigned numbers first: those
 * are most, and are read without asking what they are.
 */
#include "source/carry.h"

#include <glib.h>
#include <string.h>

/* Longer arrays are cut: nothing that we record has as many values. */
#define ARRAY_MAX 4096

enum how {
    HOW_UNSIGNED,
    HOW_SIGNED,
    HOW_STRING,
    HOW_HEXES,
    HOW_BYTES,
};

struct move {
    uint8_t member; /* in the payload */
    uint8_t field;  /* in the record */
    uint8_t how;    /* enum how */
};

/* Where process or thread stands. */
struct spot {
    enum { SPOT_NONE, SPOT_OWN, SPOT_COMMON, SPOT_SPECIFIC, SPOT_TRACE } where;
    unsigned member;
    bool is_signed;
    int32_t value; /* SPOT_TRACE: the same for the whole trace */
};

struct plan {
    const bt_event_class *class; /* a reference; NULL: a free place */
    int event;
    unsigned n_moves;
    unsigned n_unsigned; /* of them, the first */
    struct move moves[CT_FIELDS_MAX];
    unsigned n_missing;
    uint8_t missing[CT_FIELDS_MAX]; /* fields that the trace lacks */
    bool is_partial;                /* of the missing ones, an id or a word */
    struct spot pid;
    struct spot tid;
};

struct ct_carry {
    struct plan *plans; /* open-addressed, by class */
    unsigned size;      /* a power of two */
    unsigned used;
    uint64_t *array; /* ARRAY_MAX values, shared by the event's arrays */
    unsigned array_used;
    uint8_t bytes[ARRAY_MAX];
    unsigned bytes_used;
    struct ct_carry_report report;
};

struct ct_carry *ct_carry_new(void)
{
    struct ct_carry *carry = g_new0(struct ct_carry, 1);

    carry->size = 256;
    carry->plans = g_new0(struct plan, carry->size);
    carry->array = g_new(uint64_t, ARRAY_MAX);
    return carry;
}

void ct_carry_free(struct ct_carry *carry)
{
    if (!carry) {
        return;
    }
    for (unsigned i = 0; i < carry->size; i++) {
        bt_event_class_put_ref(carry->plans[i].class);
    }
    g_free(carry->plans);
    g_free(carry->array);
    g_free(carry);
}

/* --- making a plan -------------------------------------------------------- */

static bool class_is(const bt_field_class *class, bt_field_class_type type)
{
    return bt_field_class_type_is(bt_field_class_get_type(class), type);
}

static bool is_integer(const bt_field_class *class, bool *ret_signed)
{
    if (class_is(class, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER)) {
        *ret_signed = false;
        return true;
    }
    *ret_signed = true;
    return class_is(class, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER);
}

/* Can a member of this class be read as a field of this kind, and how? */
static bool plan_how(enum ct_field_kind kind, const bt_field_class *class,
                     uint8_t *ret_how)
{
    bool is_signed;

    switch (kind) {
    case CT_FIELD_STRING:
        *ret_how = HOW_STRING;
        return class_is(class, BT_FIELD_CLASS_TYPE_STRING);
    case CT_FIELD_HEXES:
    case CT_FIELD_BYTES:
        *ret_how = kind == CT_FIELD_HEXES ? HOW_HEXES : HOW_BYTES;
        return class_is(class, BT_FIELD_CLASS_TYPE_ARRAY) &&
               is_integer(
                   bt_field_class_array_borrow_element_field_class_const(class),
                   &is_signed) &&
               !is_signed;
    default:
        if (!is_integer(class, &is_signed)) {
            return false;
        }
        *ret_how = is_signed ? HOW_SIGNED : HOW_UNSIGNED;
        return true;
    }
}

/* "provider:name" -> index in the schema; without a provider: ours. */
static int plan_event(const bt_event_class *class)
{
    const char *name = bt_event_class_get_name(class);
    const char *colon = name ? strchr(name, ':') : NULL;
    char provider[64];

    if (!name) {
        return -1;
    }
    if (!colon) {
        return ct_schema_find("cotrace", name);
    }
    if ((size_t)(colon - name) >= sizeof(provider)) {
        return -1;
    }
    memcpy(provider, name, (size_t)(colon - name));
    provider[colon - name] = '\0';
    return ct_schema_find(provider, colon + 1);
}

static bool is_named_ours(const bt_event_class *class)
{
    const char *name = bt_event_class_get_name(class);

    return name && g_str_has_prefix(name, "cotrace:");
}

static bool spot_in(const bt_field_class *class, const char *name,
                    struct spot *spot)
{
    uint64_t n;

    if (!class) {
        return false;
    }
    n = bt_field_class_structure_get_member_count(class);
    for (uint64_t i = 0; i < n; i++) {
        const bt_field_class_structure_member *member =
            bt_field_class_structure_borrow_member_by_index_const(class, i);

        if (strcmp(bt_field_class_structure_member_get_name(member), name) ==
                0 &&
            is_integer(bt_field_class_structure_member_borrow_field_class_const(
                           member),
                       &spot->is_signed)) {
            spot->member = (unsigned)i;
            return true;
        }
    }
    return false;
}

/*
 * Our events have it themselves, others (and ours before schema 1.3) beside
 * them, or for buffers by process in the trace's environment.
 */
static struct spot plan_spot(const bt_event_class *class,
                             const bt_stream *stream, const char *name)
{
    const bt_field_class *payload =
        bt_event_class_borrow_payload_field_class_const(class);
    const bt_field_class *common =
        bt_stream_class_borrow_event_common_context_field_class_const(
            bt_event_class_borrow_stream_class_const(class));
    struct spot spot = {.where = SPOT_NONE};
    const bt_value *env;

    if (is_named_ours(class) && spot_in(payload, name, &spot)) {
        spot.where = SPOT_OWN;
    } else if (spot_in(common, name, &spot)) {
        spot.where = SPOT_COMMON;
    } else if (spot_in(bt_event_class_borrow_specific_context_field_class_const(
                           class),
                       name, &spot)) {
        spot.where = SPOT_SPECIFIC;
    } else {
        env = bt_trace_borrow_environment_entry_value_by_name_const(
            bt_stream_borrow_trace_const(stream), name);
        if (env && bt_value_is_signed_integer(env)) {
            spot.where = SPOT_TRACE;
            spot.value = (int32_t)bt_value_integer_signed_get(env);
        }
    }
    return spot;
}

static void sort_moves(struct plan *plan)
{
    for (unsigned i = 0; i < plan->n_moves; i++) {
        struct move move = plan->moves[i];

        if (move.how == HOW_UNSIGNED) {
            plan->moves[i] = plan->moves[plan->n_unsigned];
            plan->moves[plan->n_unsigned++] = move;
        }
    }
}

static void plan_fields(struct plan *plan, const bt_field_class *payload)
{
    const struct ct_event *event = ct_schema_event((unsigned)plan->event);
    uint64_t n =
        payload ? bt_field_class_structure_get_member_count(payload) : 0;

    for (unsigned field = 0; field < event->n_fields; field++) {
        bool found = false;

        for (uint64_t i = 0; i < n && i <= UINT8_MAX && !found; i++) {
            const bt_field_class_structure_member *member =
                bt_field_class_structure_borrow_member_by_index_const(payload,
                                                                      i);
            struct move *move = &plan->moves[plan->n_moves];

            if (strcmp(bt_field_class_structure_member_get_name(member),
                       event->fields[field].name) != 0) {
                continue;
            }
            if (!plan_how(
                    event->fields[field].kind,
                    bt_field_class_structure_member_borrow_field_class_const(
                        member),
                    &move->how)) {
                break;
            }
            move->member = (uint8_t)i;
            move->field = (uint8_t)field;
            plan->n_moves++;
            found = true;
        }
        if (!found) {
            plan->missing[plan->n_missing++] = (uint8_t)field;
        }
    }
    sort_moves(plan);
}

static unsigned plan_place(const struct ct_carry *carry,
                           const bt_event_class *class)
{
    uint64_t hash = (uint64_t)(uintptr_t) class * 0x9e3779b97f4a7c15ull;
    unsigned i = (unsigned)(hash >> 32) & (carry->size - 1);

    while (carry->plans[i].class && carry->plans[i].class != class) {
        i = (i + 1) & (carry->size - 1);
    }
    return i;
}

static void plans_grow(struct ct_carry *carry)
{
    struct plan *old = carry->plans;
    unsigned old_size = carry->size;

    carry->size *= 2;
    carry->plans = g_new0(struct plan, carry->size);
    for (unsigned i = 0; i < old_size; i++) {
        if (old[i].class) {
            carry->plans[plan_place(carry, old[i].class)] = old[i];
        }
    }
    g_free(old);
}

static bool is_ours(const char *provider)
{
    return strcmp(provider, "cotrace") == 0;
}

/* An event that we don't have; anybody gave it its name, and a warning is one
 * line. */
static void report_unknown(struct ct_carry_report *report,
                           const bt_event_class *class)
{
    if (is_named_ours(class) && report->unknown++ == 0) {
        g_strlcpy(report->first_unknown, bt_event_class_get_name(class),
                  sizeof(report->first_unknown));
        for (char *at = report->first_unknown; *at; at++) {
            *at = g_ascii_iscntrl(*at) ? '?' : *at;
        }
    }
}

static void report_missing(struct ct_carry_report *report, struct plan *plan)
{
    const struct ct_event *event = ct_schema_event((unsigned)plan->event);

    if (!is_ours(event->provider) || plan->n_missing == 0) {
        return;
    }
    for (unsigned i = 0; i < plan->n_missing; i++) {
        enum ct_field_kind kind = event->fields[plan->missing[i]].kind;

        plan->is_partial =
            plan->is_partial || kind == CT_FIELD_ID || kind == CT_FIELD_ENUM;
    }
    report->partial += plan->is_partial;
    if (report->lacking++ == 0) {
        g_snprintf(report->first_lacking, sizeof(report->first_lacking),
                   "cotrace:%s has no %s", event->name,
                   event->fields[plan->missing[0]].name);
    }
}

/* What the process that is traced knew. */
static void report_schema(struct ct_carry_report *report,
                          const struct ct_record *record)
{
    uint64_t major = record->values[CT_FLD_STATE_BEGIN_MAJOR].u;
    uint64_t minor = record->values[CT_FLD_STATE_BEGIN_MINOR].u;

    if (major > report->major ||
        (major == report->major && minor > report->minor)) {
        report->major = (uint32_t)major;
        report->minor = (uint32_t)minor;
    }
    report->has_schema = true;
}

static struct plan *plan_make(struct ct_carry *carry, const bt_event *event,
                              const bt_event_class *class)
{
    const bt_stream *stream = bt_event_borrow_stream_const(event);
    struct plan *plan;

    if (carry->used * 2 >= carry->size) {
        plans_grow(carry);
    }
    plan = &carry->plans[plan_place(carry, class)];
    carry->used++;
    *plan = (struct plan){
        .class = class,
        .event = plan_event(class),
        .pid = plan_spot(class, stream, "vpid"),
        .tid = plan_spot(class, stream, "vtid"),
    };
    bt_event_class_get_ref(class);
    if (plan->event >= 0) {
        plan_fields(plan,
                    bt_event_class_borrow_payload_field_class_const(class));
        report_missing(&carry->report, plan);
    } else {
        report_unknown(&carry->report, class);
    }
    return plan;
}

/* --- reading by it -------------------------------------------------------- */

static int32_t spot_number(const struct spot *spot, const bt_field *among)
{
    const bt_field *field =
        bt_field_structure_borrow_member_field_by_index_const(among,
                                                              spot->member);

    if (spot->is_signed) {
        return (int32_t)bt_field_integer_signed_get_value(field);
    }
    return (int32_t)bt_field_integer_unsigned_get_value(field);
}

static int32_t spot_read(const struct spot *spot, const bt_event *event)
{
    switch (spot->where) {
    case SPOT_OWN:
        return spot_number(spot, bt_event_borrow_payload_field_const(event));
    case SPOT_COMMON:
        return spot_number(spot,
                           bt_event_borrow_common_context_field_const(event));
    case SPOT_SPECIFIC:
        return spot_number(spot,
                           bt_event_borrow_specific_context_field_const(event));
    case SPOT_TRACE:
        return spot->value;
    default:
        return 0;
    }
}

static uint32_t array_length(const bt_field *field, unsigned used)
{
    uint64_t n = bt_field_array_get_length(field);

    return (uint32_t)MIN(n, (uint64_t)(ARRAY_MAX - used));
}

static void read_hexes(struct ct_carry *carry, const bt_field *field,
                       struct ct_value *value)
{
    uint64_t *to = carry->array + carry->array_used;

    value->len = array_length(field, carry->array_used);
    value->v = to;
    for (uint32_t i = 0; i < value->len; i++) {
        to[i] = bt_field_integer_unsigned_get_value(
            bt_field_array_borrow_element_field_by_index_const(field, i));
    }
    carry->array_used += value->len;
}

static void read_bytes(struct ct_carry *carry, const bt_field *field,
                       struct ct_value *value)
{
    uint8_t *to = carry->bytes + carry->bytes_used;

    value->len = array_length(field, carry->bytes_used);
    value->b = to;
    for (uint32_t i = 0; i < value->len; i++) {
        to[i] = (uint8_t)bt_field_integer_unsigned_get_value(
            bt_field_array_borrow_element_field_by_index_const(field, i));
    }
    carry->bytes_used += value->len;
}

static void read_value(struct ct_carry *carry, const bt_field *field,
                       enum how how, struct ct_value *value)
{
    value->present = true;
    switch (how) {
    case HOW_UNSIGNED:
        value->u = bt_field_integer_unsigned_get_value(field);
        break;
    case HOW_SIGNED:
        value->i = bt_field_integer_signed_get_value(field);
        break;
    case HOW_STRING:
        value->len = (uint32_t)bt_field_string_get_length(field);
        /* An empty one of source.ctf.fs keeps the text of the event that had
         * the field before. */
        value->s = value->len ? bt_field_string_get_value(field) : "";
        break;
    case HOW_HEXES:
        read_hexes(carry, field, value);
        break;
    case HOW_BYTES:
        read_bytes(carry, field, value);
        break;
    }
}

static void read_values(struct ct_carry *carry, const struct plan *plan,
                        const bt_event *event, struct ct_record *record)
{
    const bt_field *payload = bt_event_borrow_payload_field_const(event);
    const struct move *move = plan->moves;
    const struct move *numbers_end = move + plan->n_unsigned;
    const struct move *end = move + plan->n_moves;

    for (; move < numbers_end; move++) {
        read_value(carry,
                   bt_field_structure_borrow_member_field_by_index_const(
                       payload, move->member),
                   HOW_UNSIGNED, &record->values[move->field]);
    }
    carry->array_used = 0;
    carry->bytes_used = 0;
    for (; move < end; move++) {
        read_value(carry,
                   bt_field_structure_borrow_member_field_by_index_const(
                       payload, move->member),
                   (enum how)move->how, &record->values[move->field]);
    }
    for (unsigned i = 0; i < plan->n_missing; i++) {
        record->values[plan->missing[i]] = (struct ct_value){0};
    }
}

const struct ct_carry_report *ct_carry_report(const struct ct_carry *carry)
{
    return &carry->report;
}

bool ct_carry_read(struct ct_carry *carry, const bt_event *event,
                   struct ct_record *record)
{
    const bt_event_class *class = bt_event_borrow_class_const(event);
    struct plan *plan = &carry->plans[plan_place(carry, class)];

    if (G_UNLIKELY(!plan->class)) {
        plan = plan_make(carry, event, class);
    }
    record->kind = CT_RECORD_EVENT;
    record->event = plan->event;
    record->pid = spot_read(&plan->pid, event);
    record->tid = spot_read(&plan->tid, event);
    if (G_LIKELY(plan->event >= 0)) {
        read_values(carry, plan, event, record);
        if (G_UNLIKELY(plan->event == CT_EV_STATE_BEGIN)) {
            report_schema(&carry->report, record);
        }
    }
    return !plan->is_partial;
}
