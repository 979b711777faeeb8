/* SPDX-License-Identifier: MIT */
/*
 * layout.c - where a CTF packet says what it is
 *
 * libbabeltrace2 gives no access to packets that it can't read whole, so
 * checking a damaged stream needs the packet header and context for itself.
 * This reads just as much of the metadata (TSDL) as that takes: the byte
 * order, the structures `packet.header` and `packet_context`, and the ids of
 * the stream classes.  LTTng writes both structures byte-aligned, from a few
 * integer types whose names tell their size; whatever does not look like that
 * is "not known", and its streams are left to libbabeltrace2 alone.
 */
#include "source/layout.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define METADATA_MAX    (64u << 20)
#define METADATA_MAGIC  0x75d11d57u
#define METADATA_HEADER 37 /* bytes before a metadata packet's content */

/* --- text ----------------------------------------------------------------- */

static uint32_t get32(const uint8_t *at, bool big_endian)
{
    return big_endian ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
                            (uint32_t)at[2] << 8 | at[3]
                      : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
                            (uint32_t)at[1] << 8 | at[0];
}

/* A packet: magic, uuid, checksum, content and packet size in bits, ... */
static char *text_of_packets(const uint8_t *bytes, size_t n, bool big_endian,
                             const char **ret_why)
{
    GString *text = g_string_new(NULL);
    size_t at = 0;

    while (at < n) {
        uint32_t content;
        uint32_t packet;

        if (n - at < METADATA_HEADER) {
            *ret_why = "its metadata is cut short";
            goto bad;
        }
        content = get32(bytes + at + 24, big_endian) / 8;
        packet = get32(bytes + at + 28, big_endian) / 8;
        if (get32(bytes + at, big_endian) != METADATA_MAGIC ||
            content < METADATA_HEADER || packet < content) {
            *ret_why = "its metadata is damaged";
            goto bad;
        }
        if (packet > n - at) {
            *ret_why = "its metadata is cut short";
            goto bad;
        }
        g_string_append_len(text, (const char *)bytes + at + METADATA_HEADER,
                            content - METADATA_HEADER);
        at += packet;
    }
    return g_string_free(text, FALSE);

bad:
    g_string_free(text, TRUE);
    return NULL;
}

char *ct_metadata_text(const char *path, const char **ret_why)
{
    char *bytes;
    char *text;
    gsize n;

    if (!g_file_get_contents(path, &bytes, &n, NULL)) {
        *ret_why = "its metadata can't be read";
        return NULL;
    }
    if (n < 4 || n > METADATA_MAX) {
        *ret_why =
            n < 4 ? "its metadata is empty" : "its metadata is too large";
        g_free(bytes);
        return NULL;
    }
    if (get32((uint8_t *)bytes, false) == METADATA_MAGIC ||
        get32((uint8_t *)bytes, true) == METADATA_MAGIC) {
        text = text_of_packets((uint8_t *)bytes, n,
                               get32((uint8_t *)bytes, true) == METADATA_MAGIC,
                               ret_why);
        g_free(bytes);
        return text;
    }
    if (!g_str_has_prefix(bytes, "/* CTF")) {
        *ret_why = "its metadata is not CTF's";
        g_free(bytes);
        return NULL;
    }
    return bytes;
}

/* --- words of the text ---------------------------------------------------- */

static const char *skip_spaces(const char *at)
{
    while (g_ascii_isspace(*at)) {
        at++;
    }
    return at;
}

/* Behind "NAME =" in a block that begins at @at and ends at its "}". */
static const char *find_setting(const char *at, const char *name)
{
    const char *end = strchr(at, '}');
    size_t n = strlen(name);

    for (const char *hit = strstr(at, name); hit && (!end || hit < end);
         hit = strstr(hit + n, name)) {
        const char *rest = skip_spaces(hit + n);

        if (*rest == '=' && g_ascii_isspace(hit[-1])) {
            return skip_spaces(rest + 1);
        }
    }
    return NULL;
}

static bool read_uuid(const char *at, uint8_t uuid[16])
{
    unsigned n = 0;

    if (*at++ != '"') {
        return false;
    }
    while (n < 16) {
        if (*at == '-') {
            at++;
        }
        if (!g_ascii_isxdigit(at[0]) || !g_ascii_isxdigit(at[1])) {
            return false;
        }
        uuid[n++] = (uint8_t)(g_ascii_xdigit_value(at[0]) << 4 |
                              g_ascii_xdigit_value(at[1]));
        at += 2;
    }
    return true;
}

/* --- structures ----------------------------------------------------------- */

/* Bytes of a type by its name: uint64_t, uint64_clock_monotonic_t, ... */
static unsigned type_bytes(const char *text, const char *type)
{
    unsigned bits;

    if (strcmp(type, "unsigned long") == 0) {
        return strstr(text, "typealias integer { size = 32; align = 8; "
                            "signed = false; } := unsigned long;")
                   ? 4
                   : 8;
    }
    if (!g_str_has_prefix(type, "uint") || !g_str_has_suffix(type, "_t")) {
        return 0;
    }
    bits = (unsigned)strtoul(type + 4, NULL, 10);
    return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? bits / 8 : 0;
}

static int field_by_name(const char *name)
{
    static const char *const names[CT_LAYOUT_FIELDS] = {
        [CT_LAYOUT_MAGIC] = "magic",
        [CT_LAYOUT_UUID] = "uuid",
        [CT_LAYOUT_STREAM_ID] = "stream_id",
        [CT_LAYOUT_INSTANCE_ID] = "stream_instance_id",
        [CT_LAYOUT_BEGIN] = "timestamp_begin",
        [CT_LAYOUT_END] = "timestamp_end",
        [CT_LAYOUT_CONTENT_SIZE] = "content_size",
        [CT_LAYOUT_PACKET_SIZE] = "packet_size",
        [CT_LAYOUT_SEQ_NUM] = "packet_seq_num",
        [CT_LAYOUT_DISCARDED] = "events_discarded",
    };

    for (int i = 0; i < CT_LAYOUT_FIELDS; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* "TYPE NAME" or "TYPE NAME[N]" */
static bool add_field(const char *text, char *declaration,
                      struct ct_layout *layout)
{
    char *bracket = strchr(declaration, '[');
    unsigned long n = bracket ? strtoul(bracket + 1, NULL, 10) : 1;
    char *name;
    unsigned bytes;
    int field;

    if (bracket) {
        *bracket = '\0';
    }
    g_strstrip(declaration);
    name = strrchr(declaration, ' ');
    if (!name || n == 0 || n > 64) {
        return false;
    }
    *name++ = '\0';
    g_strstrip(declaration);
    bytes = type_bytes(text, declaration) * (unsigned)n;
    if (bytes == 0 || layout->bytes + bytes > CT_LAYOUT_BYTES_MAX) {
        return false;
    }
    field = field_by_name(name);
    if (field >= 0 && (bytes <= 8) == (field != CT_LAYOUT_UUID)) {
        layout->fields[field].offset = (uint16_t)layout->bytes;
        layout->fields[field].bytes = (uint16_t)bytes;
    }
    layout->bytes += bytes;
    return true;
}

/* The fields between the first "{" behind @at and its "}". */
static bool add_structure(const char *text, const char *at,
                          struct ct_layout *layout)
{
    const char *open = strchr(at, '{');
    const char *close = open ? strchr(open, '}') : NULL;
    char **fields;
    char *body;
    bool good = true;

    if (!close || memchr(open + 1, '{', (size_t)(close - open - 1))) {
        return false;
    }
    body = g_strndup(open + 1, (gsize)(close - open - 1));
    fields = g_strsplit(body, ";", 64);
    for (unsigned i = 0; fields[i] && good; i++) {
        g_strdelimit(g_strstrip(fields[i]), "\t\r\n", ' ');
        good = *fields[i] == '\0' || add_field(text, fields[i], layout);
    }
    g_strfreev(fields);
    g_free(body);
    return good;
}

static void read_streams(const char *text, struct ct_layout *layout)
{
    const char *at = text;

    while ((at = strstr(at, "\nstream {")) &&
           layout->n_streams < CT_LAYOUT_STREAMS_MAX) {
        const char *id;

        at += strlen("\nstream {");
        id = find_setting(at, "id");
        layout->streams[layout->n_streams++] =
            id ? g_ascii_strtoull(id, NULL, 10) : 0;
    }
}

bool ct_layout_read(const char *text, struct ct_layout *ret_layout)
{
    const char *trace = strstr(text, "\ntrace {");
    const char *header = trace ? strstr(trace, "packet.header") : NULL;
    const char *context = strstr(text, "\nstruct packet_context {");
    const char *order = trace ? find_setting(trace, "byte_order") : NULL;
    const char *uuid = trace ? find_setting(trace, "uuid") : NULL;
    struct ct_layout layout = {0};

    if (!header || !context || !order ||
        !add_structure(text, header, &layout) ||
        !add_structure(text, context, &layout) ||
        layout.fields[CT_LAYOUT_MAGIC].bytes != 4 ||
        layout.fields[CT_LAYOUT_CONTENT_SIZE].bytes == 0 ||
        layout.fields[CT_LAYOUT_PACKET_SIZE].bytes == 0) {
        return false;
    }
    layout.big_endian = g_str_has_prefix(order, "be");
    layout.has_uuid = uuid && layout.fields[CT_LAYOUT_UUID].bytes == 16 &&
                      read_uuid(uuid, layout.uuid);
    read_streams(text, &layout);
    *ret_layout = layout;
    return true;
}

uint64_t ct_layout_get(const struct ct_layout *layout, const uint8_t *packet,
                       enum ct_layout_field field)
{
    unsigned bytes = layout->fields[field].bytes;
    const uint8_t *at = packet + layout->fields[field].offset;
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        unsigned digit = layout->big_endian ? i : bytes - 1 - i;

        value = value << 8 | at[digit];
    }
    return value;
}
