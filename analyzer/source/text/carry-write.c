/* SPDX-License-Identifier: MIT */
/*
 * carry-write.c - from our records to babeltrace2's events
 *
 * For sources that read something else than CTF.  An event class has exactly
 * the fields that a record tells, in the schema's order, so a field that is
 * not told is missing for every other component too, as in a trace of an
 * older schema; no value is ever made up.  The classes number at most one a
 * set of fields that the input really uses.
 */
#include "source/text/carry-write.h"

#include <glib.h>
#include <stdio.h>

struct ct_carry_writer {
    bt_stream_class *stream_class; /* a reference */
    GHashTable *classes; /* event << 16 | set of fields -> class (weak, the
                            stream class keeps it) */
};

struct ct_carry_writer *ct_carry_writer_new(bt_stream_class *stream_class)
{
    struct ct_carry_writer *writer = g_new0(struct ct_carry_writer, 1);

    writer->stream_class = stream_class;
    bt_stream_class_get_ref(stream_class);
    writer->classes = g_hash_table_new(g_direct_hash, g_direct_equal);
    return writer;
}

void ct_carry_writer_free(struct ct_carry_writer *writer)
{
    if (!writer) {
        return;
    }
    g_hash_table_destroy(writer->classes);
    bt_stream_class_put_ref(writer->stream_class);
    g_free(writer);
}

bt_field_class *ct_carry_context_class(bt_trace_class *trace_class)
{
    static const char *const names[] = {"vpid", "vtid"};
    bt_field_class *context = bt_field_class_structure_create(trace_class);

    for (unsigned i = 0; context && i < G_N_ELEMENTS(names); i++) {
        bt_field_class *number =
            bt_field_class_integer_signed_create(trace_class);
        bool bad = !number;

        if (number) {
            bt_field_class_integer_set_field_value_range(number, 32);
            bad = bt_field_class_structure_append_member(context, names[i],
                                                         number) !=
                  BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK;
            bt_field_class_put_ref(number);
        }
        if (bad) {
            bt_field_class_put_ref(context);
            return NULL;
        }
    }
    return context;
}

static bt_field_class *class_number(bt_trace_class *trace_class, bool hex,
                                    unsigned bits)
{
    bt_field_class *class = bt_field_class_integer_unsigned_create(trace_class);

    if (class) {
        bt_field_class_integer_set_field_value_range(class, bits);
        if (hex) {
            bt_field_class_integer_set_preferred_display_base(
                class,
                BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
        }
    }
    return class;
}

static bt_field_class *class_enum(bt_trace_class *trace_class,
                                  const struct ct_field *field)
{
    bt_field_class *class =
        bt_field_class_enumeration_unsigned_create(trace_class);

    for (unsigned i = 0; class && field->words[i]; i++) {
        bt_integer_range_set_unsigned *range =
            bt_integer_range_set_unsigned_create();

        if (!range ||
            bt_integer_range_set_unsigned_add_range(range, i, i) !=
                BT_INTEGER_RANGE_SET_ADD_RANGE_STATUS_OK ||
            bt_field_class_enumeration_unsigned_add_mapping(
                class, field->words[i], range) !=
                BT_FIELD_CLASS_ENUMERATION_ADD_MAPPING_STATUS_OK) {
            bt_field_class_put_ref(class);
            class = NULL;
        }
        if (range) {
            bt_integer_range_set_unsigned_put_ref(range);
        }
    }
    return class;
}

static bt_field_class *class_array(bt_trace_class *trace_class, unsigned bits)
{
    bt_field_class *element = class_number(trace_class, true, bits);
    bt_field_class *array =
        element
            ? bt_field_class_array_dynamic_create(trace_class, element, NULL)
            : NULL;

    bt_field_class_put_ref(element);
    return array;
}

static bt_field_class *class_field(bt_trace_class *trace_class,
                                   const struct ct_field *field)
{
    bt_field_class *class;

    switch (field->kind) {
    case CT_FIELD_STRING:
        return bt_field_class_string_create(trace_class);
    case CT_FIELD_HEXES:
        return class_array(trace_class, 64);
    case CT_FIELD_BYTES:
        return class_array(trace_class, 8);
    case CT_FIELD_ENUM:
        return class_enum(trace_class, field);
    case CT_FIELD_I32:
    case CT_FIELD_I64:
        class = bt_field_class_integer_signed_create(trace_class);
        if (class) {
            bt_field_class_integer_set_field_value_range(
                class, field->kind == CT_FIELD_I32 ? 32 : 64);
        }
        return class;
    case CT_FIELD_U32:
        return class_number(trace_class, false, 32);
    case CT_FIELD_U64:
    case CT_FIELD_ID:
        return class_number(trace_class, false, 64);
    case CT_FIELD_HEX:
    case CT_FIELD_STACK:
        return class_number(trace_class, true, 64);
    }
    return NULL;
}

static bt_field_class *class_payload(bt_trace_class *trace_class,
                                     const struct ct_record *record)
{
    const struct ct_event *event = ct_schema_event((unsigned)record->event);
    bt_field_class *payload = bt_field_class_structure_create(trace_class);

    for (unsigned i = 0; payload && i < event->n_fields; i++) {
        bt_field_class *class;

        if (!record->values[i].present) {
            continue;
        }
        class = class_field(trace_class, &event->fields[i]);
        if (!class || bt_field_class_structure_append_member(
                          payload, event->fields[i].name, class) !=
                          BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK) {
            bt_field_class_put_ref(payload);
            payload = NULL;
        }
        bt_field_class_put_ref(class);
    }
    return payload;
}

static bt_event_class *class_make(struct ct_carry_writer *writer,
                                  const struct ct_record *record)
{
    const struct ct_event *event = ct_schema_event((unsigned)record->event);
    bt_event_class *class = bt_event_class_create(writer->stream_class);
    bt_field_class *payload = NULL;
    char name[256];

    if (!class) {
        return NULL;
    }
    snprintf(name, sizeof(name), "%s:%s", event->provider, event->name);
    payload = class_payload(
        bt_stream_class_borrow_trace_class(writer->stream_class), record);
    if (!payload ||
        bt_event_class_set_name(class, name) !=
            BT_EVENT_CLASS_SET_NAME_STATUS_OK ||
        bt_event_class_set_payload_field_class(class, payload) !=
            BT_EVENT_CLASS_SET_FIELD_CLASS_STATUS_OK) {
        bt_event_class_put_ref(class);
        class = NULL;
    }
    bt_field_class_put_ref(payload);
    return class;
}

const bt_event_class *ct_carry_class(struct ct_carry_writer *writer,
                                     const struct ct_record *record)
{
    unsigned n = ct_schema_event((unsigned)record->event)->n_fields;
    uintptr_t key = (uintptr_t)record->event << 16;
    bt_event_class *class;

    for (unsigned i = 0; i < n && i < CT_FIELDS_MAX; i++) {
        key |= (uintptr_t)record->values[i].present << i;
    }
    /* The first event with no fields must not look like "not found". */
    key |= (uintptr_t)1 << 15;
    class = g_hash_table_lookup(writer->classes, (void *)key);
    if (!class) {
        class = class_make(writer, record);
        if (class) {
            g_hash_table_insert(writer->classes, (void *)key, class);
            bt_event_class_put_ref(class); /* the stream class has one */
        }
    }
    return class;
}

static bool write_array(const struct ct_field *kind,
                        const struct ct_value *value, bt_field *field)
{
    if (bt_field_array_dynamic_set_length(field, value->len) !=
        BT_FIELD_DYNAMIC_ARRAY_SET_LENGTH_STATUS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < value->len; i++) {
        bt_field_integer_unsigned_set_value(
            bt_field_array_borrow_element_field_by_index(field, i),
            kind->kind == CT_FIELD_HEXES ? value->v[i] : value->b[i]);
    }
    return true;
}

bool ct_carry_write(const struct ct_record *record, bt_event *event)
{
    const struct ct_event *schema = ct_schema_event((unsigned)record->event);
    bt_field *context = bt_event_borrow_common_context_field(event);
    bt_field *payload = bt_event_borrow_payload_field(event);
    unsigned member = 0;

    bt_field_integer_signed_set_value(
        bt_field_structure_borrow_member_field_by_index(context, 0),
        record->pid);
    bt_field_integer_signed_set_value(
        bt_field_structure_borrow_member_field_by_index(context, 1),
        record->tid);
    for (unsigned i = 0; i < schema->n_fields; i++) {
        const struct ct_value *value = &record->values[i];
        bt_field *field;

        if (!value->present) {
            continue;
        }
        field =
            bt_field_structure_borrow_member_field_by_index(payload, member++);
        switch (schema->fields[i].kind) {
        case CT_FIELD_STRING:
            if (bt_field_string_set_value(field, value->s) !=
                BT_FIELD_STRING_SET_VALUE_STATUS_OK) {
                return false;
            }
            break;
        case CT_FIELD_HEXES:
        case CT_FIELD_BYTES:
            if (!write_array(&schema->fields[i], value, field)) {
                return false;
            }
            break;
        case CT_FIELD_I32:
        case CT_FIELD_I64:
            bt_field_integer_signed_set_value(field, value->i);
            break;
        default:
            bt_field_integer_unsigned_set_value(field, value->u);
            break;
        }
    }
    return true;
}
