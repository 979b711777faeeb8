/* SPDX-License-Identifier: MIT */
/*
 * line.c - one line of a log as the event that it is
 *
 * The schema's texts ("ctx {ctx} co {co}") are taken apart once.  A line is
 * read by its event's texts, not by its blanks: free text (file names, reasons)
 * may have anything in it, so a text field ends where what follows it fits, and
 * a later place is tried if the rest does not.
 *
 * Whatever is no event is passed over and counted: other output of the program
 * (`foreign`), what looks like an event and can't be read (`malformed`), and
 * events that the schema does not have (`unknown`; only where a stamp says that
 * a line is one).
 */
#include "decode/line.h"

#include <glib.h>
#include <string.h>

#define TEXT_MAX   65536
#define TRIES_MAX  64   /* places where a text field of a line may end */
#define NAMES_SIZE 1024 /* places in the table of names; a power of two */

/* A literal, or a field behind it. */
struct part {
    const char *literal; /* in the schema's text */
    unsigned length;
    int field; /* -1: none, the end of the text */
    bool is_string;
};

struct form {
    struct part parts[CT_FIELDS_MAX + 1];
    unsigned n;
};

struct known {
    const char *name; /* NULL: a free place */
    unsigned length;
    int event;
    struct form *forms;
    unsigned n_forms;
    bool owns_forms;
};

struct ct_lines {
    struct known known[NAMES_SIZE];
    struct ct_log_counts counts;
    int64_t last_stamp_ns;
    char text[TEXT_MAX]; /* strings of the last record */
    unsigned text_used;
    unsigned tries;
};

/* --- the table of names -------------------------------------------------- */

/* Names differ at their ends and in length. */
static unsigned hash(const char *name, unsigned length)
{
    uint64_t head = 0, tail = 0;
    unsigned n = MIN(length, 8);

    memcpy(&head, name, n);
    memcpy(&tail, name + length - n, n);
    head = (head ^ tail * 31 ^ length) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(head >> 40);
}

static struct known *place(struct ct_lines *lines, const char *name,
                           unsigned length)
{
    unsigned i = hash(name, length) & (NAMES_SIZE - 1);

    while (lines->known[i].name &&
           (lines->known[i].length != length ||
            memcmp(lines->known[i].name, name, length) != 0)) {
        i = (i + 1) & (NAMES_SIZE - 1);
    }
    return &lines->known[i];
}

static void make_form(const struct ct_event *event, const char *text,
                      struct form *form)
{
    for (;;) {
        struct part *part = &form->parts[form->n++];
        const char *open = strchr(text, '{');

        /* A brace that is printed has no field's name in it. */
        while (open && (open[1] == ' ' || open[1] == '\0')) {
            open = strchr(open + 1, '{');
        }
        part->literal = text;
        part->field = -1;
        part->length = open ? (unsigned)(open - text) : (unsigned)strlen(text);
        if (!open) {
            return;
        }
        const char *close = strchr(open, '}');
        g_autofree char *name = g_strndup(open + 1, (size_t)(close - open - 1));
        part->field = ct_schema_field(event, name);
        part->is_string = event->fields[part->field].kind == CT_FIELD_STRING;
        text = close + 1;
    }
}

static void add_event(struct ct_lines *lines, int id)
{
    const struct ct_event *event = ct_schema_event((unsigned)id);
    struct known known = {.name = event->name, .event = id};

    while (event->texts[known.n_forms]) {
        known.n_forms++;
    }
    known.forms = g_new0(struct form, known.n_forms);
    for (unsigned i = 0; i < known.n_forms; i++) {
        make_form(event, event->texts[i], &known.forms[i]);
    }
    known.owns_forms = true;
    for (const char *const *was = event->was;; was++) {
        known.length = (unsigned)strlen(known.name);
        *place(lines, known.name, known.length) = known;
        known.owns_forms = false;
        if (!was || !*was) {
            break;
        }
        known.name = *was;
    }
}

struct ct_lines *ct_lines_new(void)
{
    struct ct_lines *lines = g_new0(struct ct_lines, 1);

    for (int id = 0; id < CT_EV_COUNT; id++) {
        if (ct_schema_event((unsigned)id)->texts) {
            add_event(lines, id);
        }
    }
    return lines;
}

void ct_lines_free(struct ct_lines *lines)
{
    for (unsigned i = 0; lines && i < NAMES_SIZE; i++) {
        if (lines->known[i].owns_forms) {
            g_free(lines->known[i].forms);
        }
    }
    g_free(lines);
}

const struct ct_log_counts *ct_lines_counts(const struct ct_lines *lines)
{
    return &lines->counts;
}

/* --- reading by a text --------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

/* 0x…, decimal with or without sign, or "(nil)"; NULL: no number, or one that
 * does not fit. */
static const char *take_number(const char *at, uint64_t *ret_value)
{
    bool negative = *at == '-';
    uint64_t value = 0;
    const char *first;
    int digit;

    at += negative;
    if (at[0] == '0' && at[1] == 'x') {
        for (first = at += 2; (digit = digit_of(*at)) >= 0; at++) {
            if (value >> 60) {
                return NULL;
            }
            value = value << 4 | (unsigned)digit;
        }
    } else if (at[0] == '(') {
        if (strncmp(at, "(nil)", 5) != 0) {
            return NULL;
        }
        *ret_value = 0;
        return at + 5;
    } else {
        for (first = at; (unsigned)(*at - '0') < 10; at++) {
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, (unsigned)(*at - '0'), &value)) {
                return NULL;
            }
        }
    }
    *ret_value = negative ? 0 - value : value;
    return at > first ? at : NULL;
}

static bool put_text(struct ct_lines *lines, const char *text, size_t n,
                     struct ct_value *value)
{
    char *to = lines->text + lines->text_used;

    if (n >= TEXT_MAX - lines->text_used) {
        return false;
    }
    memcpy(to, text, n);
    to[n] = '\0';
    lines->text_used += (unsigned)n + 1;
    *value = (struct ct_value){.s = to, .len = (uint32_t)n, .present = true};
    return true;
}

/* From part @i on; what it sets stands only if it returns true. */
static bool read_parts(struct ct_lines *lines, const struct form *form,
                       unsigned i, const char *at, struct ct_record *record)
{
    for (;; i++) {
        const struct part *part = &form->parts[i];
        const struct part *next = part + 1;

        /* Short ones: faster than a call. */
        for (unsigned k = 0; k < part->length; k++) {
            if (at[k] != part->literal[k]) {
                return false;
            }
        }
        at += part->length;
        if (part->field < 0) {
            return *at == '\0';
        }
        struct ct_value *value = &record->values[part->field];
        if (!part->is_string) {
            at = take_number(at, &value->u);
            if (!at) {
                return false;
            }
            value->present = true;
            continue;
        }
        /* It ends where the next literal stands, at the end if there is
         * none. */
        unsigned used = lines->text_used;
        const char *end = at;
        for (;; end++) {
            end = next->length
                      ? memmem(end, strlen(end), next->literal, next->length)
                      : at + strlen(at);
            if (!end || ++lines->tries > TRIES_MAX) {
                return false;
            }
            lines->text_used = used;
            if (put_text(lines, at, (size_t)(end - at), value) &&
                read_parts(lines, form, i + 1, end, record)) {
                return true;
            }
            if (!next->length) {
                return false;
            }
        }
    }
}

static bool read_event(struct ct_lines *lines, const struct known *known,
                       const char *arguments, struct ct_record *record)
{
    unsigned n_fields = ct_schema_event((unsigned)known->event)->n_fields;

    for (unsigned i = 0; i < known->n_forms; i++) {
        memset(record->values, 0, n_fields * sizeof(*record->values));
        lines->text_used = lines->tries = 0;
        if (read_parts(lines, &known->forms[i], 0, arguments, record)) {
            return true;
        }
    }
    return false;
}

/* --- lines --------------------------------------------------------------- */

static void count_stamp(struct ct_lines *lines, const struct ct_record *line,
                        uint64_t flags)
{
    const struct ct_value *stamp = &line->values[CT_FLD_LOG_LINE_STAMP];

    if (!stamp->present || flags & CT_LOG_NO_STAMP) {
        return;
    }
    if (flags & CT_LOG_CLOCK_SET) {
        lines->counts.clock_set++;
    } else if (stamp->i < lines->last_stamp_ns) {
        lines->counts.stepped_back++;
    }
    lines->last_stamp_ns = stamp->i;
}

enum ct_line_kind ct_lines_read(struct ct_lines *lines,
                                const struct ct_record *line,
                                struct ct_record *ret_record)
{
    const struct ct_value *text = &line->values[CT_FLD_LOG_LINE_TEXT];
    const struct ct_value *stamp = &line->values[CT_FLD_LOG_LINE_STAMP];
    uint64_t flags = line->values[CT_FLD_LOG_LINE_FLAGS].u;
    struct ct_log_counts *counts = &lines->counts;
    const char *name = text->present ? text->s : "";
    const char *space = memchr(name, ' ', text->len);
    unsigned length = space ? (unsigned)(space - name) : text->len;
    const struct known *known = place(lines, name, length);
    bool has_head = stamp->present && !(flags & CT_LOG_NO_STAMP);

    counts->lines += !(flags & CT_LOG_PIECE);
    counts->pieces += (flags & CT_LOG_PIECE) != 0;
    count_stamp(lines, line, flags);
    if (!known->name && !has_head && !(flags & CT_LOG_BAD_STAMP)) {
        counts->foreign++;
        return CT_LINE_OTHER;
    }
    if (flags & (CT_LOG_CUT | CT_LOG_BAD_STAMP)) {
        counts->malformed++;
        /* Within other text, any digits may look like a wrong time. */
        return flags & CT_LOG_PIECE && !known->name ? CT_LINE_OTHER
                                                    : CT_LINE_UNREAD;
    }
    if (!known->name) {
        const char *end = name + strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_");

        if (length > 0 && end == name + length) {
            counts->unknown++;
            return CT_LINE_OTHER;
        }
        counts->malformed++;
        return CT_LINE_UNREAD;
    }
    ret_record->kind = CT_RECORD_EVENT;
    ret_record->event = known->event;
    ret_record->has_clock = line->has_clock;
    ret_record->when_ns = line->when_ns;
    ret_record->stamp_ns = stamp->present ? stamp->i : 0;
    ret_record->zero_ns = 0;
    ret_record->seq = line->seq;
    ret_record->stream = line->stream;
    ret_record->pid = line->pid;
    ret_record->tid = line->tid;
    if (!read_event(lines, known, name[length] ? name + length + 1 : "",
                    ret_record)) {
        counts->malformed++;
        return CT_LINE_UNREAD;
    }
    counts->events++;
    return CT_LINE_EVENT;
}
