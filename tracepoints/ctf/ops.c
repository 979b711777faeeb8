/* SPDX-License-Identifier: MIT */
/*
 * ops.c - types become programs that pass over an event's bytes
 *
 * Neighbours of fixed size become one step, over the border between contexts
 * and fields, too, so an event is a handful of them, most often one.
 * A field that tells the length of a later array is kept in a register; a
 * register's name is its field's, and the last of a name counts.
 */
#include "ops.h"

#include <string.h>

#define OPS_MAX 4096 /* of one event */
#define FIELDS_MAX                                                      \
    1000000          /* of all events: structures in structures are few \
                        words and many fields */
#define DEPTH_MAX 64 /* of structures in structures, by name */

struct builder {
    struct ct_tsdl *tsdl;
    GArray *ops;                            /* struct ct_op */
    const char *registers[CT_OP_REGISTERS]; /* names of length fields */
    unsigned n_registers;
    unsigned first_register; /* whose names can be used here */
    unsigned depth;
};

static void add_op(struct builder *builder, struct ct_op op)
{
    struct ct_op *last =
        builder->ops->len
            ? &g_array_index(builder->ops, struct ct_op, builder->ops->len - 1)
            : NULL;

    if (op.kind == CT_OP_ALIGN && op.n <= 1) {
        return;
    }
    if (last && last->kind == CT_OP_FIXED && op.kind == CT_OP_FIXED &&
        last->n + op.n <= UINT16_MAX) {
        last->n = (uint16_t)(last->n + op.n);
        return;
    }
    if (builder->ops->len == OPS_MAX) {
        ct_tsdl_fail(builder->tsdl, "an event with too many fields");
        return;
    }
    g_array_append_val(builder->ops, op);
}

/* Bytes of an integer that is some; 0: an error. */
static unsigned whole_bytes(struct builder *builder, const struct ct_type *type)
{
    if (type->kind != CT_TYPE_INTEGER || type->bits % 8 != 0 ||
        type->align % 8 != 0) {
        ct_tsdl_fail(builder->tsdl, "a field that is not whole bytes");
        return 0;
    }
    return type->bits / 8;
}

static void add_array(struct builder *builder,
                      const struct ct_type_field *field)
{
    unsigned bytes = whole_bytes(builder, field->type);
    unsigned reg = builder->n_registers;

    add_op(builder,
           (struct ct_op){CT_OP_ALIGN, 0, (uint16_t)(field->type->align / 8)});
    if (!field->length_name) {
        if (field->length > CT_LAYOUT_ITEMS_MAX ||
            field->length * bytes > UINT16_MAX) {
            ct_tsdl_fail(builder->tsdl, "an array that is too long");
            return;
        }
        add_op(builder, (struct ct_op){CT_OP_FIXED, 0,
                                       (uint16_t)(field->length * bytes)});
        return;
    }
    while (reg > builder->first_register &&
           strcmp(builder->registers[reg - 1], field->length_name) != 0) {
        reg--;
    }
    if (reg-- == builder->first_register) {
        ct_tsdl_fail(builder->tsdl, "an array without its length");
        return;
    }
    add_op(builder, (struct ct_op){CT_OP_ITEMS, (uint8_t)reg, (uint16_t)bytes});
}

static void add_number(struct builder *builder,
                       const struct ct_type_field *field)
{
    unsigned bytes = whole_bytes(builder, field->type);
    struct ct_op op = {CT_OP_FIXED, 0, (uint16_t)bytes};

    if (field->is_length) {
        if (builder->n_registers == CT_OP_REGISTERS ||
            field->type->other_order || field->type->is_signed) {
            ct_tsdl_fail(builder->tsdl, "arrays of a kind that is not known");
            return;
        }
        op.kind = CT_OP_LENGTH;
        op.reg = (uint8_t)builder->n_registers;
        builder->registers[builder->n_registers++] = field->name;
    }
    add_op(builder,
           (struct ct_op){CT_OP_ALIGN, 0, (uint16_t)(field->type->align / 8)});
    add_op(builder, op);
}

static void add_structure(struct builder *builder, const struct ct_type *type)
{
    if (++builder->depth > DEPTH_MAX) {
        ct_tsdl_fail(builder->tsdl, "structures too deep in each other");
        return;
    }
    add_op(builder,
           (struct ct_op){CT_OP_ALIGN, 0, (uint16_t)(type->align / 8)});
    for (unsigned i = 0; i < type->n_fields && !builder->tsdl->why; i++) {
        const struct ct_type_field *field = &type->fields[i];

        if (++builder->tsdl->passed > FIELDS_MAX) {
            ct_tsdl_fail(builder->tsdl, "events with too many fields");
        }
        if (field->is_array) {
            add_array(builder, field);
        } else if (field->type->kind == CT_TYPE_STRING) {
            add_op(builder, (struct ct_op){.kind = CT_OP_STRING});
        } else if (field->type->kind == CT_TYPE_STRUCT) {
            add_structure(builder, field->type);
        } else {
            add_number(builder, field);
        }
    }
    builder->depth--;
}

void ct_ctf_ops_build(struct ct_tsdl *tsdl, const struct ct_ctf_parts *parts,
                      struct ct_ctf_event *event)
{
    struct builder builder = {.tsdl = tsdl};
    const struct ct_op *first;

    builder.ops = g_array_new(FALSE, FALSE, sizeof(struct ct_op));
    if (parts->stream_context) {
        add_structure(&builder, parts->stream_context);
    }
    /* An event's lengths are its own. */
    builder.first_register = builder.n_registers;
    if (parts->context) {
        add_structure(&builder, parts->context);
    }
    if (parts->fields) {
        add_structure(&builder, parts->fields);
    }
    first = (const struct ct_op *)(void *)builder.ops->data;
    if (builder.ops->len > 0 && first->kind == CT_OP_FIXED) {
        event->first_bytes = first->n;
        g_array_remove_index(builder.ops, 0);
    }
    event->n_ops = (uint16_t)builder.ops->len;
    event->ops = (struct ct_op *)(void *)g_array_free(builder.ops,
                                                      builder.ops->len == 0);
}
