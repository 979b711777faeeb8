/* SPDX-License-Identifier: MIT */
/*
 * layout.c - metadata into a list of steps an event
 *
 * A step skips a number of bytes, a string, or elements of a sequence whose
 * count an earlier step has read.  Adjoining fields of fixed size are one step.
 *
 * Grammar that is understood (TSDL as LTTng-UST 2.13 and later print it):
 *   field := type NAME [ '[' (NUMBER | NAME) ']' ] ';'
 *   type  := 'integer' '{' ... 'size = N;' ... '}'
 *          | 'floating_point' '{' 'exp_dig = N;' 'mant_dig = N;' ... '}'
 *          | 'enum' ':' integer '{' ... '}'
 *          | 'string' [ '{' ... '}' ]
 */
#include "layout.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "tsdl.h"

#define BITS           8
#define N_COUNTS       32 /* sequences an event may have */
#define HEADER_COMPACT 6  /* u16 id, u32 time */
#define HEADER_LONG    14 /* u16 0xffff, u32 id, u64 time */
#define ID_LONG        0xffff
#define MAX_ID         0x100000

enum step_kind {
    STEP_SKIP,   /* bytes */
    STEP_COUNT,  /* bytes: an integer, kept in counts[slot] */
    STEP_STRING, /* to the NUL */
    STEP_REPEAT, /* counts[slot] times bytes */
};

struct step {
    enum step_kind kind;
    uint32_t bytes;
    uint32_t slot;
};

struct event {
    GArray *steps; /* NULL: not known */
    bool is_ours;
};

struct stream {
    GArray *context; /* steps before every event's own */
    GArray *events;  /* struct event by id */
};

struct ct_layout {
    unsigned long_bytes;
    GArray *streams; /* struct stream by id */
};

/* --- fields --------------------------------------------------------------- */

/* Names of the integers seen so far, for the sequences that follow. */
struct names {
    char *name[N_COUNTS];
    guint step[N_COUNTS]; /* position of its own step */
    uint32_t n;
};

static void add_step(GArray *steps, enum step_kind kind, uint32_t bytes,
                     uint32_t slot)
{
    if (kind == STEP_SKIP && steps->len) {
        struct step *last = &g_array_index(steps, struct step, steps->len - 1);
        if (last->kind == STEP_SKIP) {
            last->bytes += bytes;
            return;
        }
    }
    struct step step = {.kind = kind, .bytes = bytes, .slot = slot};
    g_array_append_val(steps, step);
}

static const char *integer(const char *at, uint32_t *ret_bytes)
{
    const char *begin;
    const char *end = ct_tsdl_block(at, &begin);

    if (!end) {
        return NULL;
    }
    int64_t size = ct_tsdl_attribute(begin, end, "size");
    if (size <= 0 || size % BITS || size > 64 ||
        ct_tsdl_attribute(begin, end, "align") % BITS) {
        return NULL;
    }
    *ret_bytes = (uint32_t)size / BITS;
    return end;
}

static const char *floating(const char *at, uint32_t *ret_bytes)
{
    const char *begin;
    const char *end = ct_tsdl_block(at, &begin);

    if (!end) {
        return NULL;
    }
    int64_t size = ct_tsdl_attribute(begin, end, "exp_dig") +
                   ct_tsdl_attribute(begin, end, "mant_dig");
    if (size <= 0 || size % BITS ||
        ct_tsdl_attribute(begin, end, "align") % BITS) {
        return NULL;
    }
    *ret_bytes = (uint32_t)size / BITS;
    return end;
}

/* @ret_bytes: 0 for a string; @ret_is_plain: an integer that can be a count */
static const char *type(const char *at, uint32_t *ret_bytes, bool *ret_is_plain)
{
    const char *after, *begin;

    *ret_is_plain = false;
    if ((after = ct_tsdl_word(at, "integer"))) {
        *ret_is_plain = true;
        return integer(after, ret_bytes);
    }
    if ((after = ct_tsdl_word(at, "floating_point"))) {
        return floating(after, ret_bytes);
    }
    if ((after = ct_tsdl_word(at, "enum"))) {
        if (!(after = ct_tsdl_word(after, ":")) ||
            !(after = ct_tsdl_word(after, "integer")) ||
            !(after = integer(after, ret_bytes))) {
            return NULL;
        }
        return ct_tsdl_block(after, &begin);
    }
    if ((after = ct_tsdl_word(at, "string"))) {
        *ret_bytes = 0;
        after = ct_tsdl_skip_space(after);
        return *after == '{' ? ct_tsdl_block(after, &begin) : after;
    }
    return NULL;
}

static bool add_array(GArray *steps, const struct names *names, const char **at,
                      uint32_t bytes)
{
    g_autofree char *length = ct_tsdl_identifier(at);

    if (!length || !bytes || !(*at = ct_tsdl_word(*at, "]"))) {
        return false;
    }
    if (g_ascii_isdigit(*length)) {
        uint64_t total = g_ascii_strtoull(length, NULL, 10) * bytes;
        add_step(steps, STEP_SKIP, (uint32_t)total, 0);
        return total <= UINT32_MAX;
    }
    for (uint32_t i = names->n; i-- > 0;) {
        if (!strcmp(names->name[i], length)) {
            struct step *count =
                &g_array_index(steps, struct step, names->step[i]);
            count->kind = STEP_COUNT;
            count->slot = i;
            add_step(steps, STEP_REPEAT, bytes, i);
            return true;
        }
    }
    return false;
}

/* A step of its own, since only a later field tells whether it is a count. */
static bool add_integer(GArray *steps, struct names *names, char *name,
                        uint32_t bytes)
{
    struct step step = {.kind = STEP_SKIP, .bytes = bytes};

    if (names->n == N_COUNTS) {
        g_free(name);
        add_step(steps, STEP_SKIP, bytes, 0);
        return true;
    }
    names->name[names->n] = name;
    names->step[names->n++] = steps->len;
    g_array_append_val(steps, step);
    return true;
}

static bool add_field(GArray *steps, struct names *names, const char **at)
{
    uint32_t bytes;
    bool is_plain;

    *at = type(*at, &bytes, &is_plain);
    if (!*at) {
        return false;
    }
    char *name = ct_tsdl_identifier(at);
    if (!name) {
        return false;
    }
    const char *bracket = ct_tsdl_word(*at, "[");
    bool done = true;
    if (bracket) {
        *at = bracket;
        done = add_array(steps, names, at, bytes);
        g_free(name);
    } else if (is_plain) {
        done = add_integer(steps, names, name, bytes);
    } else {
        add_step(steps, bytes ? STEP_SKIP : STEP_STRING, bytes, 0);
        g_free(name);
    }
    return done && (*at = ct_tsdl_word(*at, ";"));
}

static GArray *join_steps(GArray *loose)
{
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(struct step));

    for (guint i = 0; i < loose->len; i++) {
        struct step *step = &g_array_index(loose, struct step, i);
        add_step(steps, step->kind, step->bytes, step->slot);
    }
    g_array_free(loose, TRUE);
    return steps;
}

/* The steps of "struct { field... }" at @at, NULL if not understood. */
static GArray *structure(const char *at)
{
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(struct step));
    struct names names = {.n = 0};
    const char *begin = NULL;
    const char *end = NULL;

    if ((at = ct_tsdl_word(at, "struct"))) {
        end = ct_tsdl_block(at, &begin);
    }
    bool good = end != NULL;
    while (good && *(begin = ct_tsdl_skip_space(begin)) != '}') {
        good = add_field(steps, &names, &begin);
    }
    for (uint32_t i = 0; i < names.n; i++) {
        g_free(names.name[i]);
    }
    if (!good) {
        g_array_free(steps, TRUE);
        return NULL;
    }
    return join_steps(steps);
}

/* --- blocks --------------------------------------------------------------- */

/* What follows "NAME :=" in this block. */
static const char *assigned(const char *begin, const char *end,
                            const char *name)
{
    const char *found = g_strstr_len(begin, end - begin, name);
    const char *after = found ? ct_tsdl_word(found + strlen(name), ":=") : NULL;

    return after && after < end ? after : NULL;
}

static struct stream *stream_of(struct ct_layout *layout, int64_t id)
{
    if (id < 0 || id >= MAX_ID) {
        return NULL;
    }
    if (id >= layout->streams->len) {
        g_array_set_size(layout->streams, (guint)id + 1);
    }
    struct stream *stream =
        &g_array_index(layout->streams, struct stream, (guint)id);
    if (!stream->events) {
        stream->events = g_array_new(FALSE, TRUE, sizeof(struct event));
    }
    return stream;
}

static bool add_stream(struct ct_layout *layout, const char *begin,
                       const char *end)
{
    struct stream *stream =
        stream_of(layout, ct_tsdl_attribute(begin, end, "id"));
    const char *header = assigned(begin, end, "event.header");
    const char *context = assigned(begin, end, "event.context");

    if (!stream || stream->context || !header ||
        !(header = ct_tsdl_word(header, "struct")) ||
        !ct_tsdl_word(header, "event_header_large")) {
        return false;
    }
    stream->context = context ? structure(context)
                              : g_array_new(FALSE, FALSE, sizeof(struct step));
    return stream->context != NULL;
}

static bool add_event(struct ct_layout *layout, const char *begin,
                      const char *end)
{
    struct stream *stream =
        stream_of(layout, ct_tsdl_attribute(begin, end, "stream_id"));
    const char *fields = assigned(begin, end, "fields");
    const char *name = g_strstr_len(begin, end - begin, "name = \"");
    int64_t id = ct_tsdl_attribute(begin, end, "id");

    if (!stream || !fields || !name || id < 0 || id >= MAX_ID) {
        return false;
    }
    if (id >= stream->events->len) {
        g_array_set_size(stream->events, (guint)id + 1);
    }
    struct event *event =
        &g_array_index(stream->events, struct event, (guint)id);
    if (event->steps) {
        return false;
    }
    event->is_ours =
        !g_str_has_prefix(name + strlen("name = \""), "lttng_ust_");
    event->steps = structure(fields);
    return event->steps != NULL;
}

static bool add_long(struct ct_layout *layout, const char *text)
{
    const char *found = strstr(text, ":= unsigned long;");

    if (!found) {
        return false;
    }
    const char *from = g_strrstr_len(text, found - text, "typealias");
    int64_t size = from ? ct_tsdl_attribute(from, found, "size") : -1;
    const char *open = from ? strchr(from, '{') : NULL;
    if (open && open < found) {
        size = ct_tsdl_attribute(open + 1, found, "size");
    }
    layout->long_bytes = (unsigned)size / BITS;
    return size == 32 || size == 64;
}

static bool understand(struct ct_layout *layout, const char *text)
{
    const char *at = text;
    bool good = add_long(layout, text) && strstr(text, "byte_order = le;");

    while (good && *(at = ct_tsdl_skip_space(at))) {
        const char *begin, *end, *after;
        bool is_stream = (after = ct_tsdl_word(at, "stream"));
        bool is_event = !is_stream && (after = ct_tsdl_word(at, "event"));

        if ((is_stream || is_event) && (end = ct_tsdl_block(after, &begin))) {
            good = is_stream ? add_stream(layout, begin, end)
                             : add_event(layout, begin, end);
            at = end;
            continue;
        }
        /* Any other statement: to its end, over its blocks. */
        at += strcspn(at, "{;");
        if (*at == '{') {
            at = ct_tsdl_block(at, &begin);
            good = at != NULL;
        } else if (*at) {
            at++;
        }
    }
    return good;
}

struct ct_layout *ct_layout_new(const void *bytes, size_t length)
{
    struct ct_layout *layout = g_new0(struct ct_layout, 1);
    g_autofree char *text = ct_tsdl_unpack(bytes, length);

    layout->streams = g_array_new(FALSE, TRUE, sizeof(struct stream));
    if (!understand(layout, text)) {
        ct_layout_free(layout);
        return NULL;
    }
    return layout;
}

void ct_layout_free(struct ct_layout *layout)
{
    if (!layout) {
        return;
    }
    for (guint i = 0; i < layout->streams->len; i++) {
        struct stream *stream =
            &g_array_index(layout->streams, struct stream, i);
        for (guint j = 0; stream->events && j < stream->events->len; j++) {
            g_clear_pointer(
                &g_array_index(stream->events, struct event, j).steps,
                g_array_unref);
        }
        g_clear_pointer(&stream->events, g_array_unref);
        g_clear_pointer(&stream->context, g_array_unref);
    }
    g_array_unref(layout->streams);
    g_free(layout);
}

unsigned ct_layout_long_bytes(const struct ct_layout *layout)
{
    return layout->long_bytes;
}

/* --- use ------------------------------------------------------------------ */

/* Past these steps; 0 if they do not fit. */
static size_t walk(const GArray *steps, const uint8_t *bytes, size_t at,
                   size_t room)
{
    uint64_t counts[N_COUNTS] = {0};

    for (guint i = 0; i < steps->len; i++) {
        const struct step *step = &g_array_index(steps, struct step, i);
        uint64_t skip = step->bytes;

        if (step->kind == STEP_STRING) {
            const uint8_t *end = memchr(bytes + at, 0, room - at);
            if (!end) {
                return 0;
            }
            at = (size_t)(end - bytes) + 1;
            continue;
        }
        if (step->kind == STEP_REPEAT) {
            uint64_t count = counts[step->slot];
            if (count > room) {
                return 0;
            }
            skip *= count;
        }
        if (skip > room - at) {
            return 0;
        }
        if (step->kind == STEP_COUNT) {
            memcpy(&counts[step->slot], bytes + at, skip); /* little endian */
        }
        at += skip;
    }
    return at;
}

size_t ct_layout_event(const struct ct_layout *layout, uint32_t stream_id,
                       const uint8_t *bytes, size_t room, bool *ret_is_ours)
{
    uint16_t short_id;
    uint32_t id;
    size_t at = HEADER_COMPACT;

    if (stream_id >= layout->streams->len || room < HEADER_COMPACT) {
        return 0;
    }
    const struct stream *stream =
        &g_array_index(layout->streams, struct stream, stream_id);
    memcpy(&short_id, bytes, sizeof(short_id));
    id = short_id;
    if (short_id == ID_LONG) {
        if (room < HEADER_LONG) {
            return 0;
        }
        memcpy(&id, bytes + sizeof(short_id), sizeof(id));
        at = HEADER_LONG;
    }
    if (!stream->context || !stream->events || id >= stream->events->len) {
        return 0;
    }
    const struct event *event =
        &g_array_index(stream->events, struct event, id);
    if (!event->steps || !(at = walk(stream->context, bytes, at, room))) {
        return 0;
    }
    *ret_is_ours = event->is_ours;
    return walk(event->steps, bytes, at, room);
}
