/* SPDX-License-Identifier: MIT */
/*
 * tsdl.c - the words and types of CTF metadata
 *
 * TSDL is C's declarations with attributes.  This reads all of its words, and
 * of its types what a tracer of programs writes: integers, floating point
 * numbers, enumerations (as their integer), strings, structures, arrays and
 * sequences.  Variants are skipped and end up as CT_TYPE_OTHER.
 *
 * The text comes from the trace, so depth and numbers are limited, and the
 * first thing that does not fit ends the reading.
 */
#include "tsdl.h"

#include <string.h>

#define DEPTH_MAX     16
#define TYPES_MAX     4096
#define ALLOCATED_MAX 2000000

void ct_tsdl_init(struct ct_tsdl *tsdl, const char *text)
{
    *tsdl = (struct ct_tsdl){.at = text};
    tsdl->allocated = g_ptr_array_new_with_free_func(g_free);
    tsdl->types = g_hash_table_new(g_str_hash, g_str_equal);
    ct_tsdl_next(tsdl);
}

void ct_tsdl_fini(struct ct_tsdl *tsdl)
{
    g_hash_table_destroy(tsdl->types);
    g_ptr_array_unref(tsdl->allocated);
}

void ct_tsdl_fail(struct ct_tsdl *tsdl, const char *why)
{
    if (!tsdl->why) {
        tsdl->why = why;
    }
    tsdl->kind = CT_TSDL_END;
    tsdl->word[0] = '\0';
    tsdl->at = "";
}

static void *keep(struct ct_tsdl *tsdl, void *memory)
{
    g_ptr_array_add(tsdl->allocated, memory);
    if (tsdl->allocated->len > ALLOCATED_MAX) {
        ct_tsdl_fail(tsdl, "too large");
    }
    return memory;
}

/* --- words --------------------------------------------------------------- */

static bool is_name_begin(char c)
{
    return g_ascii_isalpha(c) || c == '_';
}

static void skip_blanks(struct ct_tsdl *tsdl)
{
    for (;;) {
        const char *end;

        while (g_ascii_isspace(*tsdl->at)) {
            tsdl->at++;
        }
        if (tsdl->at[0] == '/' && tsdl->at[1] == '*') {
            end = strstr(tsdl->at + 2, "*/");
            tsdl->at = end ? end + 2 : tsdl->at + strlen(tsdl->at);
        } else if (tsdl->at[0] == '/' && tsdl->at[1] == '/') {
            tsdl->at += strcspn(tsdl->at, "\n");
        } else {
            return;
        }
    }
}

static void set_word(struct ct_tsdl *tsdl, enum ct_tsdl_kind kind, size_t n)
{
    if (n >= sizeof(tsdl->word)) {
        /* Nothing that we look at is as long. */
        memcpy(tsdl->word, tsdl->at, sizeof(tsdl->word) - 1);
        tsdl->word[sizeof(tsdl->word) - 1] = '\0';
    } else {
        memcpy(tsdl->word, tsdl->at, n);
        tsdl->word[n] = '\0';
    }
    tsdl->kind = kind;
    tsdl->at += n;
}

static void next_string(struct ct_tsdl *tsdl)
{
    size_t n = 0;

    tsdl->at++;
    while (tsdl->at[n] != '"') {
        if (tsdl->at[n] == '\\' && tsdl->at[n + 1]) {
            n++;
        }
        if (!tsdl->at[n]) {
            ct_tsdl_fail(tsdl, "a string without end");
            return;
        }
        n++;
    }
    set_word(tsdl, CT_TSDL_STRING, n);
    tsdl->at++;
}

void ct_tsdl_next(struct ct_tsdl *tsdl)
{
    static const char *const marks[] = {"...", ":="};
    size_t n = 0;

    skip_blanks(tsdl);
    if (!*tsdl->at) {
        tsdl->kind = CT_TSDL_END;
        tsdl->word[0] = '\0';
    } else if (is_name_begin(*tsdl->at)) {
        while (is_name_begin(tsdl->at[n]) || g_ascii_isdigit(tsdl->at[n])) {
            n++;
        }
        set_word(tsdl, CT_TSDL_NAME, n);
    } else if (g_ascii_isdigit(*tsdl->at)) {
        while (g_ascii_isalnum(tsdl->at[n])) {
            n++;
        }
        set_word(tsdl, CT_TSDL_NUMBER, n);
    } else if (*tsdl->at == '"') {
        next_string(tsdl);
    } else {
        n = 1;
        for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++) {
            if (g_str_has_prefix(tsdl->at, marks[i])) {
                n = strlen(marks[i]);
            }
        }
        set_word(tsdl, CT_TSDL_MARK, n);
    }
}

bool ct_tsdl_is(const struct ct_tsdl *tsdl, const char *word)
{
    return (tsdl->kind == CT_TSDL_NAME || tsdl->kind == CT_TSDL_MARK) &&
           strcmp(tsdl->word, word) == 0;
}

bool ct_tsdl_take(struct ct_tsdl *tsdl, const char *word)
{
    if (!ct_tsdl_is(tsdl, word)) {
        return false;
    }
    ct_tsdl_next(tsdl);
    return true;
}

void ct_tsdl_expect(struct ct_tsdl *tsdl, const char *word)
{
    if (!ct_tsdl_take(tsdl, word)) {
        ct_tsdl_fail(tsdl, "something unexpected");
    }
}

uint64_t ct_tsdl_number(struct ct_tsdl *tsdl)
{
    char *end;
    uint64_t value;

    if (tsdl->kind != CT_TSDL_NUMBER) {
        ct_tsdl_fail(tsdl, "a number is missing");
        return 0;
    }
    value = g_ascii_strtoull(tsdl->word, &end, 0);
    if (*end) {
        ct_tsdl_fail(tsdl, "a number that is none");
    }
    ct_tsdl_next(tsdl);
    return value;
}

const char *ct_tsdl_name(struct ct_tsdl *tsdl)
{
    GString *name = g_string_new(NULL);

    for (;;) {
        if (tsdl->kind != CT_TSDL_NAME) {
            ct_tsdl_fail(tsdl, "a name is missing");
            break;
        }
        g_string_append(name, tsdl->word);
        ct_tsdl_next(tsdl);
        if (!ct_tsdl_is(tsdl, ".")) {
            break;
        }
        g_string_append_c(name, '.');
        ct_tsdl_next(tsdl);
    }
    return keep(tsdl, g_string_free(name, FALSE));
}

void ct_tsdl_skip_block(struct ct_tsdl *tsdl)
{
    unsigned depth = 0;

    do {
        depth += ct_tsdl_is(tsdl, "{");
        depth -= ct_tsdl_is(tsdl, "}");
        if (tsdl->kind == CT_TSDL_END) {
            ct_tsdl_fail(tsdl, "it ends in the middle");
            return;
        }
        ct_tsdl_next(tsdl);
    } while (depth > 0);
}

const char *ct_tsdl_setting(struct ct_tsdl *tsdl)
{
    const char *name;

    if (ct_tsdl_take(tsdl, "}")) {
        return NULL;
    }
    name = ct_tsdl_name(tsdl);
    if (!ct_tsdl_take(tsdl, ":=")) {
        ct_tsdl_expect(tsdl, "=");
    }
    return tsdl->why ? NULL : name;
}

void ct_tsdl_skip_value(struct ct_tsdl *tsdl)
{
    while (tsdl->kind != CT_TSDL_END && !ct_tsdl_is(tsdl, ";")) {
        ct_tsdl_next(tsdl);
    }
}

/* --- types --------------------------------------------------------------- */

static struct ct_type *new_type(struct ct_tsdl *tsdl, enum ct_type_kind kind)
{
    struct ct_type *type = keep(tsdl, g_new0(struct ct_type, 1));

    type->kind = kind;
    type->align = 8;
    return type;
}

static void set_order(struct ct_tsdl *tsdl, struct ct_type *type)
{
    bool big = ct_tsdl_is(tsdl, "be") || ct_tsdl_is(tsdl, "network");

    if (!big && !ct_tsdl_is(tsdl, "le")) {
        type->other_order = !ct_tsdl_is(tsdl, "native");
    } else {
        type->other_order = big != tsdl->big_endian;
    }
    ct_tsdl_next(tsdl);
}

/* "{ size = 8; align = 8; ... }" of integer and floating_point */
static const struct ct_type *number_type(struct ct_tsdl *tsdl)
{
    struct ct_type *type = new_type(tsdl, CT_TYPE_INTEGER);
    uint64_t bits = 0;
    uint64_t align = 0;
    const char *name;

    ct_tsdl_expect(tsdl, "{");
    while ((name = ct_tsdl_setting(tsdl))) {
        if (strcmp(name, "size") == 0) {
            bits = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "exp_dig") == 0 ||
                   strcmp(name, "mant_dig") == 0) {
            bits += ct_tsdl_number(tsdl);
        } else if (strcmp(name, "align") == 0) {
            align = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "signed") == 0) {
            type->is_signed =
                !ct_tsdl_is(tsdl, "false") && strcmp(tsdl->word, "0") != 0;
            ct_tsdl_skip_value(tsdl);
        } else if (strcmp(name, "byte_order") == 0) {
            set_order(tsdl, type);
        } else {
            ct_tsdl_skip_value(tsdl);
        }
        ct_tsdl_expect(tsdl, ";");
    }
    if (align == 0) {
        align = bits % 8 == 0 ? 8 : 1;
    }
    if (bits == 0 || bits > 64 || align > 64 || (align & (align - 1)) != 0) {
        ct_tsdl_fail(tsdl, "a number of an impossible size");
    }
    type->bits = (unsigned)bits;
    type->align = (unsigned)align;
    return type;
}

/* "enum [name] : TYPE { ... }": as large as its integer */
static const struct ct_type *enum_type(struct ct_tsdl *tsdl)
{
    const struct ct_type *type;

    if (tsdl->kind == CT_TSDL_NAME) {
        ct_tsdl_next(tsdl);
    }
    if (!ct_tsdl_take(tsdl, ":")) {
        ct_tsdl_fail(tsdl, "an enumeration without its integer");
        return NULL;
    }
    type = ct_tsdl_type(tsdl);
    ct_tsdl_skip_block(tsdl);
    return type;
}

/* The last field of this name tells how long an array is. */
static void mark_length(GArray *fields, const char *name)
{
    for (unsigned i = fields->len; i-- > 0;) {
        struct ct_type_field *field =
            &g_array_index(fields, struct ct_type_field, i);

        if (strcmp(field->name, name) == 0) {
            field->is_length = true;
            return;
        }
    }
}

/* libbabeltrace2 drops the first underscore, and gives up, with the process,
 * where two fields of a structure then have one name. */
static bool is_there(const GArray *fields, const char *name)
{
    name += name[0] == '_';
    for (unsigned i = 0; i < fields->len; i++) {
        const char *other = g_array_index(fields, struct ct_type_field, i).name;

        if (strcmp(other + (other[0] == '_'), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Behind a declaration's type: "name", "name[3]" or "name[other]" */
static void add_field(struct ct_tsdl *tsdl, GArray *fields,
                      const struct ct_type *type)
{
    struct ct_type_field field = {.type = type};

    field.name = ct_tsdl_name(tsdl);
    if (ct_tsdl_take(tsdl, "[")) {
        field.is_array = true;
        if (tsdl->kind == CT_TSDL_NUMBER) {
            field.length = ct_tsdl_number(tsdl);
        } else {
            field.length_name = ct_tsdl_name(tsdl);
            mark_length(fields, field.length_name);
        }
        ct_tsdl_expect(tsdl, "]");
    }
    ct_tsdl_expect(tsdl, ";");
    if (fields->len == CT_TSDL_FIELDS_MAX) {
        ct_tsdl_fail(tsdl, "a structure with too many fields");
    }
    if (!tsdl->why && is_there(fields, field.name)) {
        ct_tsdl_fail(tsdl, "a structure with two fields of one name");
    }
    g_array_append_val(fields, field);
}

/* "[name] [{ ... } [align(N)]]" */
static const struct ct_type *struct_type(struct ct_tsdl *tsdl)
{
    const char *name = NULL;
    struct ct_type *type;
    GArray *fields;
    uint64_t align;

    if (tsdl->kind == CT_TSDL_NAME) {
        name = keep(tsdl, g_strdup(tsdl->word));
        ct_tsdl_next(tsdl);
        if (!ct_tsdl_is(tsdl, "{")) {
            const struct ct_type *known =
                g_hash_table_lookup(tsdl->types, name);

            if (!known) {
                ct_tsdl_fail(tsdl, "a structure that is not declared");
            }
            return known;
        }
    }
    type = new_type(tsdl, CT_TYPE_STRUCT);
    fields = g_array_new(FALSE, FALSE, sizeof(struct ct_type_field));
    ct_tsdl_expect(tsdl, "{");
    while (tsdl->kind != CT_TSDL_END && !ct_tsdl_is(tsdl, "}")) {
        const struct ct_type *member = ct_tsdl_type(tsdl);

        if (member) {
            add_field(tsdl, fields, member);
            type->align = MAX(type->align, member->align);
        }
    }
    ct_tsdl_expect(tsdl, "}");
    if (ct_tsdl_take(tsdl, "align")) {
        ct_tsdl_expect(tsdl, "(");
        align = ct_tsdl_number(tsdl);
        if (align == 0 || align > 64 || (align & (align - 1)) != 0) {
            ct_tsdl_fail(tsdl, "a structure of an impossible alignment");
            align = 1;
        }
        type->align = MAX(type->align, (unsigned)align);
        ct_tsdl_expect(tsdl, ")");
    }
    type->n_fields = fields->len;
    type->fields = keep(tsdl, g_array_free(fields, FALSE));
    if (name) {
        g_hash_table_insert(tsdl->types, (void *)name, type);
    }
    return type;
}

/* "variant <tag> { ... }": not looked into */
static const struct ct_type *other_type(struct ct_tsdl *tsdl)
{
    while (tsdl->kind != CT_TSDL_END && !ct_tsdl_is(tsdl, "{")) {
        ct_tsdl_next(tsdl);
    }
    ct_tsdl_skip_block(tsdl);
    return new_type(tsdl, CT_TYPE_OTHER);
}

/* A name that a typealias made: "uint8_t", "unsigned long". */
static const struct ct_type *named_type(struct ct_tsdl *tsdl)
{
    const struct ct_type *type;
    char *words = g_strdup(tsdl->word);

    ct_tsdl_next(tsdl);
    while (strcmp(words, "unsigned") == 0 || strcmp(words, "signed") == 0 ||
           (g_str_has_suffix(words, "long") &&
            (ct_tsdl_is(tsdl, "long") || ct_tsdl_is(tsdl, "int")))) {
        char *more = g_strconcat(words, " ", tsdl->word, NULL);

        g_free(words);
        words = more;
        ct_tsdl_next(tsdl);
    }
    type = g_hash_table_lookup(tsdl->types, keep(tsdl, words));
    if (!type) {
        ct_tsdl_fail(tsdl, "a type that is not declared");
    }
    return type;
}

const struct ct_type *ct_tsdl_type(struct ct_tsdl *tsdl)
{
    const struct ct_type *type = NULL;

    if (++tsdl->depth > DEPTH_MAX) {
        ct_tsdl_fail(tsdl, "structures too deep in each other");
    } else if (ct_tsdl_take(tsdl, "integer") ||
               ct_tsdl_take(tsdl, "floating_point")) {
        type = number_type(tsdl);
    } else if (ct_tsdl_take(tsdl, "enum")) {
        type = enum_type(tsdl);
    } else if (ct_tsdl_take(tsdl, "struct")) {
        type = struct_type(tsdl);
    } else if (ct_tsdl_take(tsdl, "variant")) {
        type = other_type(tsdl);
    } else if (ct_tsdl_take(tsdl, "string")) {
        if (ct_tsdl_is(tsdl, "{")) {
            ct_tsdl_skip_block(tsdl);
        }
        type = new_type(tsdl, CT_TYPE_STRING);
    } else if (tsdl->kind == CT_TSDL_NAME) {
        type = named_type(tsdl);
    } else {
        ct_tsdl_fail(tsdl, "a type is missing");
    }
    tsdl->depth--;
    return tsdl->why ? NULL : type;
}

void ct_tsdl_typealias(struct ct_tsdl *tsdl)
{
    const struct ct_type *type = ct_tsdl_type(tsdl);
    GString *name = g_string_new(NULL);

    ct_tsdl_expect(tsdl, ":=");
    while (tsdl->kind == CT_TSDL_NAME) {
        g_string_append_printf(name, "%s%s", name->len ? " " : "", tsdl->word);
        ct_tsdl_next(tsdl);
    }
    ct_tsdl_expect(tsdl, ";");
    if (g_hash_table_size(tsdl->types) >= TYPES_MAX) {
        ct_tsdl_fail(tsdl, "too many types");
    }
    if (!tsdl->why) {
        g_hash_table_insert(tsdl->types, keep(tsdl, g_strdup(name->str)),
                            (void *)type);
    }
    g_string_free(name, TRUE);
}
