/* SPDX-License-Identifier: MIT */
/*
 * layout.c - how the packets of a CTF trace are laid out, from its metadata
 *
 * libbabeltrace2 gives no access to packets that it can't read, and what it
 * does with a packet whose contents are damaged ranges from an error that
 * ends everything to a crash (a sequence of billions of elements).  So every
 * packet is checked before it may see it, and this reads what that takes: the
 * head of a packet, and for each event a small program that passes over its
 * bytes.
 *
 * LTTng-UST's traces are covered: one packet head and context for all streams,
 * one of two event headers, fields that are whole bytes.  A trace that is laid
 * out in another way is told as such, and not read.
 */
#include "layout.h"

#include <glib.h>
#include <string.h>

#include "clock.h"
#include "ops.h"
#include "tsdl.h"

/* What an event is made of; its stream's context may come later in the text. */
struct pending {
    unsigned stream; /* index */
    unsigned id;
    struct ct_ctf_parts parts;
};

struct reader {
    const char *text;
    struct ct_tsdl tsdl;
    struct ct_ctf_layout *layout;
    const struct ct_type *contexts[CT_LAYOUT_STREAMS_MAX];
    GArray *events;       /* struct pending */
    unsigned n_event_ids; /* of all streams; the memory that they take */
    const struct ct_type *packet_header;
    const struct ct_type *packet_context;
};

/* --- a packet's head ----------------------------------------------------- */

static int head_field(const char *name)
{
    static const char *const names[CT_HEAD_FIELDS] = {
        [CT_HEAD_MAGIC] = "magic",
        [CT_HEAD_UUID] = "uuid",
        [CT_HEAD_STREAM_ID] = "stream_id",
        [CT_HEAD_INSTANCE_ID] = "stream_instance_id",
        [CT_HEAD_BEGIN] = "timestamp_begin",
        [CT_HEAD_END] = "timestamp_end",
        [CT_HEAD_CONTENT_SIZE] = "content_size",
        [CT_HEAD_PACKET_SIZE] = "packet_size",
        [CT_HEAD_SEQ_NUM] = "packet_seq_num",
        [CT_HEAD_DISCARDED] = "events_discarded",
    };

    for (int i = 0; i < CT_HEAD_FIELDS; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static unsigned aligned(unsigned bytes, unsigned align_bits)
{
    unsigned align = MAX(align_bits / 8, 1);

    return (bytes + align - 1) / align * align;
}

static void add_head(struct reader *reader, const struct ct_type *type)
{
    struct ct_ctf_layout *layout = reader->layout;

    layout->bytes = aligned(layout->bytes, type->align);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const struct ct_type_field *field = &type->fields[i];
        uint64_t items = field->is_array ? field->length : 1;
        int known = head_field(field->name);
        unsigned bytes;

        if (field->type->kind != CT_TYPE_INTEGER || field->type->bits % 8 ||
            field->type->other_order || field->length_name || items > 64) {
            ct_tsdl_fail(&reader->tsdl, "a packet head of another kind");
            return;
        }
        bytes = field->type->bits / 8 * (unsigned)items;
        layout->bytes = aligned(layout->bytes, field->type->align);
        if (layout->bytes + bytes > CT_LAYOUT_BYTES_MAX) {
            ct_tsdl_fail(&reader->tsdl, "a packet head of another kind");
            return;
        }
        if (known >= 0 &&
            bytes == (known == CT_HEAD_UUID ? 16 : MIN(bytes, 8))) {
            layout->fields[known].offset = (uint16_t)layout->bytes;
            layout->fields[known].bytes = (uint16_t)bytes;
        }
        layout->bytes += bytes;
    }
}

/* --- statements ---------------------------------------------------------- */

static bool read_uuid(const char *text, uint8_t uuid[16])
{
    for (unsigned n = 0; n < 16; n++) {
        text += *text == '-';
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1])) {
            return false;
        }
        uuid[n] = (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 |
                            g_ascii_xdigit_value(text[1]));
        text += 2;
    }
    return true;
}

static void read_trace(struct reader *reader)
{
    struct ct_tsdl *tsdl = &reader->tsdl;
    const char *name;

    ct_tsdl_expect(tsdl, "{");
    while ((name = ct_tsdl_setting(tsdl))) {
        if (strcmp(name, "uuid") == 0) {
            reader->layout->has_uuid =
                read_uuid(tsdl->word, reader->layout->uuid);
            ct_tsdl_skip_value(tsdl);
        } else if (strcmp(name, "byte_order") == 0) {
            tsdl->big_endian = ct_tsdl_is(tsdl, "be");
            ct_tsdl_skip_value(tsdl);
        } else if (strcmp(name, "packet.header") == 0) {
            reader->packet_header = ct_tsdl_type(tsdl);
        } else {
            ct_tsdl_skip_value(tsdl);
        }
        ct_tsdl_expect(tsdl, ";");
    }
    reader->layout->big_endian = tsdl->big_endian;
}

/* LTTng's two event headers, word by word. */
static const struct {
    const char *name;
    const char *body;
} heads[] = {
    {"event_header_compact",
     "{enum:uint5_t{compact=0...30,extended=31}id;variant<id>{"
     "struct{uint27_clock_monotonic_ttimestamp;}compact;"
     "struct{uint32_tid;uint64_clock_monotonic_ttimestamp;}extended;}v;}"},
    {"event_header_large",
     "{enum:uint16_t{compact=0...65534,extended=65535}id;variant<id>{"
     "struct{uint32_clock_monotonic_ttimestamp;}compact;"
     "struct{uint32_tid;uint64_clock_monotonic_ttimestamp;}extended;}v;}"},
};

/* The numbers that they are made of. */
static const struct {
    const char *name;
    unsigned bits;
} head_types[] = {
    {"uint5_t", 5},
    {"uint16_t", 16},
    {"uint32_t", 32},
    {"uint27_clock_monotonic_t", 27},
    {"uint32_clock_monotonic_t", 32},
    {"uint64_clock_monotonic_t", 64},
};

/* Does the text declare the structure as in `heads`, but for blanks? */
static bool is_declared_so(const char *text, const char *name, const char *body)
{
    char *begin = g_strdup_printf("struct %s ", name);
    const char *at = strstr(text, begin);

    at = at ? at + strlen(begin) : NULL;
    while (at && *body) {
        if (g_ascii_isspace(*at)) {
            at++;
        } else if (*at++ != *body++) {
            at = NULL;
        }
    }
    g_free(begin);
    return at != NULL;
}

static bool is_known_head(const struct reader *reader, const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(head_types); i++) {
        const struct ct_type *type =
            g_hash_table_lookup(reader->tsdl.types, head_types[i].name);

        if (!type || type->kind != CT_TYPE_INTEGER || type->is_signed ||
            type->other_order || type->bits != head_types[i].bits) {
            return false;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
        if (strcmp(heads[i].name, name) == 0) {
            return g_hash_table_contains(reader->tsdl.types, name) &&
                   is_declared_so(reader->text, name, heads[i].body);
        }
    }
    return false;
}

static struct ct_ctf_stream *stream_by_id(struct reader *reader, uint64_t id)
{
    struct ct_ctf_layout *layout = reader->layout;
    struct ct_ctf_stream *stream;

    for (unsigned i = 0; i < layout->n_streams; i++) {
        if (layout->streams[i].id == id) {
            return &layout->streams[i];
        }
    }
    if (layout->n_streams == CT_LAYOUT_STREAMS_MAX) {
        ct_tsdl_fail(&reader->tsdl, "too many streams");
        return NULL;
    }
    stream = &layout->streams[layout->n_streams++];
    stream->id = id;
    return stream;
}

/* The two structures that LTTng names; see is_known_head(). */
static void read_event_head(struct reader *reader, struct ct_ctf_stream *head)
{
    struct ct_tsdl *tsdl = &reader->tsdl;
    const struct ct_type *type;

    ct_tsdl_expect(tsdl, "struct");
    head->head = ct_tsdl_is(tsdl, "event_header_large") ? CT_EVENT_HEAD_LARGE
                                                        : CT_EVENT_HEAD_COMPACT;
    if (!is_known_head(reader, tsdl->word)) {
        ct_tsdl_fail(tsdl, "an event header of another kind");
        return;
    }
    type = g_hash_table_lookup(tsdl->types, tsdl->word);
    head->head_align = type->align / 8;
    ct_tsdl_next(tsdl);
}

static void read_stream(struct reader *reader)
{
    struct ct_tsdl *tsdl = &reader->tsdl;
    const struct ct_type *context = NULL;
    struct ct_ctf_stream *stream;
    struct ct_ctf_stream head = {0};
    uint64_t id = 0;
    const char *name;

    ct_tsdl_expect(tsdl, "{");
    while ((name = ct_tsdl_setting(tsdl))) {
        if (strcmp(name, "id") == 0) {
            id = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "event.header") == 0) {
            read_event_head(reader, &head);
        } else if (strcmp(name, "packet.context") == 0) {
            const struct ct_type *packet_context = ct_tsdl_type(tsdl);

            if (reader->packet_context &&
                reader->packet_context != packet_context) {
                ct_tsdl_fail(tsdl, "streams with different packet heads");
            }
            reader->packet_context = packet_context;
        } else if (strcmp(name, "event.context") == 0) {
            context = ct_tsdl_type(tsdl);
        } else {
            ct_tsdl_skip_value(tsdl);
        }
        ct_tsdl_expect(tsdl, ";");
    }
    stream = stream_by_id(reader, id);
    if (!stream || head.head_align == 0 || stream->is_there) {
        ct_tsdl_fail(tsdl, "a stream of another kind");
        return;
    }
    stream->is_there = true;
    stream->head = head.head;
    stream->head_align = head.head_align;
    reader->contexts[stream - reader->layout->streams] = context;
}

/* Room for an event of this id. */
static bool grow_events(struct reader *reader, struct ct_ctf_stream *stream,
                        uint64_t id)
{
    uint64_t n = MAX(id + 1, stream->n_events * 2ull);

    if (id < stream->n_events) {
        return true;
    }
    if (id >= CT_LAYOUT_EVENTS_MAX ||
        reader->n_event_ids + n - stream->n_events > CT_LAYOUT_EVENTS_MAX) {
        return false;
    }
    reader->n_event_ids += (unsigned)n - stream->n_events;
    stream->events = g_renew(struct ct_ctf_event, stream->events, n);
    memset(stream->events + stream->n_events, 0,
           (n - stream->n_events) * sizeof(struct ct_ctf_event));
    stream->n_events = (unsigned)n;
    return true;
}

static void add_event(struct reader *reader, uint64_t stream_id, uint64_t id,
                      bool is_own, struct ct_ctf_parts parts)
{
    struct ct_ctf_stream *stream = stream_by_id(reader, stream_id);
    struct pending pending = {.id = (unsigned)id, .parts = parts};

    if (!stream || !grow_events(reader, stream, id) ||
        stream->events[id].is_there) {
        ct_tsdl_fail(&reader->tsdl, "an event that can't be numbered");
        return;
    }
    pending.stream = (unsigned)(stream - reader->layout->streams);
    g_array_append_val(reader->events, pending);
    stream->events[id].is_there = true;
    stream->events[id].is_own = is_own;
}

static void read_event(struct reader *reader)
{
    struct ct_tsdl *tsdl = &reader->tsdl;
    struct ct_ctf_parts parts = {.fields = NULL};
    bool is_own = true;
    uint64_t stream_id = 0;
    uint64_t id = 0;
    const char *name;

    ct_tsdl_expect(tsdl, "{");
    while ((name = ct_tsdl_setting(tsdl))) {
        if (strcmp(name, "name") == 0) {
            is_own = !g_str_has_prefix(tsdl->word, "lttng_ust_");
            ct_tsdl_skip_value(tsdl);
        } else if (strcmp(name, "id") == 0) {
            id = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "stream_id") == 0) {
            stream_id = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "context") == 0) {
            parts.context = ct_tsdl_type(tsdl);
        } else if (strcmp(name, "fields") == 0) {
            parts.fields = ct_tsdl_type(tsdl);
        } else {
            ct_tsdl_skip_value(tsdl);
        }
        ct_tsdl_expect(tsdl, ";");
    }
    if (!tsdl->why) {
        add_event(reader, stream_id, id, is_own, parts);
    }
}

static void read_statement(struct reader *reader)
{
    struct ct_tsdl *tsdl = &reader->tsdl;

    if (ct_tsdl_take(tsdl, "typealias")) {
        ct_tsdl_typealias(tsdl);
        return;
    }
    if (ct_tsdl_take(tsdl, "trace")) {
        read_trace(reader);
    } else if (ct_tsdl_take(tsdl, "stream")) {
        read_stream(reader);
    } else if (ct_tsdl_take(tsdl, "event")) {
        read_event(reader);
    } else if (ct_tsdl_is(tsdl, "struct") || ct_tsdl_is(tsdl, "enum") ||
               ct_tsdl_is(tsdl, "variant")) {
        (void)ct_tsdl_type(tsdl);
    } else if (ct_tsdl_take(tsdl, "clock")) {
        ct_ctf_clock_read(tsdl, reader->text, reader->layout);
    } else if (ct_tsdl_take(tsdl, "env") || ct_tsdl_take(tsdl, "callsite")) {
        ct_tsdl_skip_block(tsdl);
    } else {
        ct_tsdl_fail(tsdl, "a statement of another kind");
    }
    ct_tsdl_expect(tsdl, ";");
}

/* Types that the long event header is made of. */
static void read_alignments(struct reader *reader)
{
    GHashTable *types = reader->tsdl.types;
    const struct ct_type *id = g_hash_table_lookup(types, "uint32_t");
    const struct ct_type *clock =
        g_hash_table_lookup(types, "uint64_clock_monotonic_t");

    reader->layout->align_id = id ? MAX(id->align / 8, 1) : 1;
    reader->layout->align_clock = clock ? MAX(clock->align / 8, 1) : 1;
}

static void build_events(struct reader *reader)
{
    for (unsigned i = 0; i < reader->events->len && !reader->tsdl.why; i++) {
        struct pending *pending =
            &g_array_index(reader->events, struct pending, i);

        pending->parts.stream_context = reader->contexts[pending->stream];
        ct_ctf_ops_build(
            &reader->tsdl, &pending->parts,
            &reader->layout->streams[pending->stream].events[pending->id]);
    }
}

static void finish(struct reader *reader)
{
    struct ct_ctf_layout *layout = reader->layout;

    if (!reader->packet_header || !reader->packet_context) {
        ct_tsdl_fail(&reader->tsdl, "no packet head");
        return;
    }
    add_head(reader, reader->packet_header);
    add_head(reader, reader->packet_context);
    read_alignments(reader);
    if (layout->fields[CT_HEAD_MAGIC].bytes != 4 ||
        layout->fields[CT_HEAD_CONTENT_SIZE].bytes == 0 ||
        layout->fields[CT_HEAD_PACKET_SIZE].bytes == 0 ||
        layout->fields[CT_HEAD_BEGIN].bytes == 0 ||
        layout->fields[CT_HEAD_END].bytes == 0) {
        ct_tsdl_fail(&reader->tsdl, "a packet head of another kind");
    }
    for (unsigned i = 0; i < layout->n_streams; i++) {
        if (!layout->streams[i].is_there) {
            ct_tsdl_fail(&reader->tsdl,
                         "an event of a stream that is not there");
        }
    }
    layout->has_uuid =
        layout->has_uuid && layout->fields[CT_HEAD_UUID].bytes == 16;
    build_events(reader);
}

struct ct_ctf_layout *ct_ctf_layout_read(const char *text, const char **ret_why)
{
    struct reader reader = {
        .text = text,
        .layout = g_new0(struct ct_ctf_layout, 1),
        .events = g_array_new(FALSE, FALSE, sizeof(struct pending)),
    };

    ct_tsdl_init(&reader.tsdl, text);
    while (reader.tsdl.kind != CT_TSDL_END) {
        read_statement(&reader);
    }
    if (!reader.tsdl.why) {
        finish(&reader);
    }
    if (reader.tsdl.why) {
        *ret_why = reader.tsdl.why;
        g_clear_pointer(&reader.layout, ct_ctf_layout_free);
    }
    g_array_unref(reader.events);
    ct_tsdl_fini(&reader.tsdl);
    return reader.layout;
}

void ct_ctf_layout_free(struct ct_ctf_layout *layout)
{
    if (!layout) {
        return;
    }
    for (unsigned i = 0; i < layout->n_streams; i++) {
        struct ct_ctf_stream *stream = &layout->streams[i];

        for (unsigned k = 0; k < stream->n_events; k++) {
            g_free(stream->events[k].ops);
        }
        g_free(stream->events);
    }
    g_free(layout);
}

const uint8_t *ct_ctf_layout_uuid(const struct ct_ctf_layout *layout)
{
    return layout->has_uuid ? layout->uuid : NULL;
}

bool ct_ctf_layout_has_own(const struct ct_ctf_layout *layout,
                           uint64_t stream_id)
{
    const struct ct_ctf_stream *stream =
        ct_ctf_layout_stream(layout, stream_id);
    unsigned n = 0;

    for (unsigned i = 0; stream && i < stream->n_events; i++) {
        if (stream->events[i].is_there && stream->events[i].is_own) {
            return true;
        }
        n += stream->events[i].is_there;
    }
    return n == 0;
}

const struct ct_ctf_stream *ct_ctf_layout_stream(
    const struct ct_ctf_layout *layout, uint64_t id)
{
    for (unsigned i = 0; i < layout->n_streams; i++) {
        if (layout->streams[i].id == id) {
            return &layout->streams[i];
        }
    }
    return NULL;
}
