/* SPDX-License-Identifier: MIT */
/*
 * simple-file.c - records of the backend `simple`, format 4 (QEMU 2.10 on)
 *
 * All numbers are of the host's byte order, 64 bits if nothing else is said:
 *
 *     file     ~0, MAGIC, version; then records, each behind its kind
 *     kind 0   id, length (32), name: what an event is called in this file
 *     kind 1   id, ns, length of it all (32), pid (32), arguments:
 *              numbers, and strings as length (32) and bytes
 *
 * Event ~1 says how many were dropped before it.  The clock is the monotonic
 * one, the thread is not told.  Records are in the order in which their places
 * were taken, which may be a little other than that of their times.
 */
#include "source/text/simple-file.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#define HEADER      UINT64_MAX
#define DROPPED     (UINT64_MAX - 1)
#define MAGIC       UINT64_C(0xf2b177cb0aa429b4)
#define VERSION     4
#define RECORD_MAX  (1 << 20)
#define NAME_BYTES  256
#define IDS_MAX     65536
#define ARGS_MAX    CT_FIELDS_MAX
#define EVENTS_FILE "trace-events-all"

struct head {
    uint64_t id, ns;
    uint32_t length, pid;
};

/* How the list declares an event: its arguments, in order. */
struct declared {
    unsigned n;
    int field[ARGS_MAX]; /* position in the schema; -1: not there */
    bool is_string[ARGS_MAX];
};

struct known {
    char *name;
    int event; /* -1: not in the schema, or not declared as it is there */
    struct declared declared;
};

struct list {
    char *text;
    GHashTable *events; /* both in `text` */
};

struct ct_simple {
    FILE *file;
    struct list *list;
    GHashTable *known; /* id -> struct known (owned) */
    char *body;        /* RECORD_MAX */
    char *strings;     /* RECORD_MAX and an end for each */
    struct ct_record record;
    int64_t first_ns, last_ns;
    bool is_peeked; /* `record` was read and not yet given */
    bool over;
};

/* --- the list of events --------------------------------------------------- */

/* "const char *name" -> its last word; is it a string? */
static bool read_argument(char *text, const struct ct_event *event,
                          struct declared *declared)
{
    unsigned n = declared->n;
    char *name;

    g_strstrip(text);
    name = text + strlen(text);
    while (name > text && (g_ascii_isalnum(name[-1]) || name[-1] == '_')) {
        name--;
    }
    if (n == ARGS_MAX || !*name) {
        return false;
    }
    declared->field[n] = ct_schema_field(event, name);
    declared->is_string[n] = strstr(text, "char ") && strchr(text, '*');
    declared->n++;
    return true;
}

/* What stands between the brackets; false: not understood. */
static bool read_arguments_of(const char *text, const struct ct_event *event,
                              struct declared *declared)
{
    g_autofree char *inside = g_strndup(text, strcspn(text, ")"));
    g_auto(GStrv) arguments = g_strsplit(inside, ",", -1);
    bool good = true;

    if (!strcmp(g_strstrip(inside), "void")) {
        return true;
    }
    for (char **argument = arguments; good && *argument; argument++) {
        good = read_argument(*argument, event, declared);
    }
    return good;
}

/* "[disable ]name(type argument, ...) ...": name -> what follows the bracket.
 * The list is long, and few of its events are in a file. */
static struct list *read_list(const char *path)
{
    struct list *list = g_new0(struct list, 1);

    if (!g_file_get_contents(path, &list->text, NULL, NULL)) {
        g_free(list);
        return NULL;
    }
    list->events = g_hash_table_new(g_str_hash, g_str_equal);
    for (char *line = list->text, *next; line; line = next) {
        char *end = strchr(line, '\n');
        char *name;

        next = end ? end + 1 : NULL;
        if (end) {
            *end = '\0';
        }
        char *open = strchr(line, '(');
        if (line[0] == '#' || !open) {
            continue;
        }
        *open = '\0';
        name = strrchr(line, ' ');
        g_hash_table_insert(list->events, name ? name + 1 : line, open + 1);
    }
    return list;
}

static void list_free(struct list *list)
{
    g_hash_table_unref(list->events);
    g_free(list->text);
    g_free(list);
}

/* Beside the file, or where QEMU installs it. */
static struct list *find_list(const char *path)
{
    static const char *const places[] = {"/usr/local/share/qemu",
                                         "/usr/share/qemu"};
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *beside = g_build_filename(folder, EVENTS_FILE, NULL);
    struct list *all = read_list(beside);

    for (size_t i = 0; !all && i < G_N_ELEMENTS(places); i++) {
        g_autofree char *place = g_build_filename(places[i], EVENTS_FILE, NULL);
        all = read_list(place);
    }
    return all;
}

/* --- the file ------------------------------------------------------------- */

static bool take(struct ct_simple *simple, void *to, size_t bytes)
{
    return fread(to, 1, bytes, simple->file) == bytes;
}

static bool read_header(FILE *file, uint64_t header[3])
{
    return fread(header, sizeof(*header), 3, file) == 3 &&
           header[0] == HEADER && header[1] == MAGIC;
}

bool ct_simple_recognise(const char *path)
{
    uint64_t header[3];
    FILE *file = fopen(path, "re");
    bool ours = file && read_header(file, header);

    if (file) {
        (void)fclose(file);
    }
    return ours;
}

static void free_known(gpointer data)
{
    struct known *known = data;

    g_free(known->name);
    g_free(known);
}

/* false: damaged. */
static bool read_name(struct ct_simple *simple)
{
    char name[NAME_BYTES];
    uint64_t id;
    uint32_t length;
    const char *arguments;
    struct known *known;

    if (!take(simple, &id, sizeof(id)) ||
        !take(simple, &length, sizeof(length)) || length >= sizeof(name) ||
        !take(simple, name, length) ||
        g_hash_table_size(simple->known) >= IDS_MAX) {
        return false;
    }
    name[length] = '\0';
    known = g_new0(struct known, 1);
    known->name = g_strdup(name);
    known->event = ct_schema_find("qemu", name);
    arguments = g_hash_table_lookup(simple->list->events, name);
    if (known->event >= 0 &&
        (!arguments ||
         !read_arguments_of(arguments, ct_schema_event((unsigned)known->event),
                            &known->declared))) {
        known->event = -1;
    }
    g_hash_table_replace(simple->known, g_memdup2(&id, sizeof(id)), known);
    return true;
}

/* --- records -------------------------------------------------------------- */

static void be_line(struct ct_simple *simple, const char *text, uint64_t flags)
{
    struct ct_record *record = &simple->record;

    memset(record->values, 0, sizeof(record->values));
    record->event = CT_EV_LOG_LINE;
    record->values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
        .s = text, .len = (uint32_t)strlen(text), .present = true};
    record->values[CT_FLD_LOG_LINE_FLAGS] =
        (struct ct_value){.u = flags, .present = true};
    record->values[CT_FLD_LOG_LINE_STAMP] =
        (struct ct_value){.i = record->when_ns, .present = true};
}

static struct ct_value number(const struct ct_event *event, int field,
                              uint64_t u)
{
    struct ct_value value = {.u = u, .present = true};

    if (event->fields[field].kind == CT_FIELD_U32) {
        value.u = (uint32_t)u;
    } else if (event->fields[field].kind == CT_FIELD_I32) {
        value.i = (int32_t)u;
    }
    return value;
}

/* The arguments of one event; false: they don't fit their declaration. */
static bool read_arguments(struct ct_simple *simple, const struct known *known,
                           size_t length)
{
    const struct ct_event *event = ct_schema_event((unsigned)known->event);
    const struct declared *declared = &known->declared;
    const char *at = simple->body, *end = at + length;
    char *string = simple->strings;

    memset(simple->record.values, 0, sizeof(simple->record.values));
    for (unsigned i = 0; i < declared->n; i++) {
        bool is_string = declared->is_string[i];
        int field = declared->field[i];
        uint64_t u = 0;
        uint32_t bytes = 0;
        size_t size = is_string ? sizeof(bytes) : sizeof(u);

        if ((size_t)(end - at) < size) {
            return false;
        }
        memcpy(is_string ? (void *)&bytes : (void *)&u, at, size);
        at += size;
        if ((size_t)(end - at) < bytes) {
            return false;
        }
        if (field >= 0 &&
            is_string != (event->fields[field].kind == CT_FIELD_STRING)) {
            return false;
        }
        if (is_string) {
            memcpy(string, at, bytes);
            string[bytes] = '\0';
        }
        if (field >= 0) {
            simple->record.values[field] =
                is_string ? (struct ct_value){.s = string,
                                              .len = (uint32_t)strlen(string),
                                              .present = true}
                          : number(event, field, u);
        }
        string += is_string ? bytes + 1 : 0;
        at += bytes;
    }
    return at == end;
}

static void be_hole(struct ct_simple *simple, int64_t from_ns, size_t length)
{
    struct ct_record *record = &simple->record;
    uint64_t dropped = 0;

    if (length == sizeof(dropped)) {
        memcpy(&dropped, simple->body, sizeof(dropped));
    }
    record->kind = CT_RECORD_HOLE;
    record->to_ns = record->when_ns;
    record->when_ns = from_ns;
    record->lost = dropped ? dropped : CT_LOST_UNKNOWN;
}

/* false: damaged. */
static bool read_event(struct ct_simple *simple)
{
    struct ct_record *record = &simple->record;
    const struct known *known;
    int64_t from_ns = simple->last_ns;
    struct head head;

    if (!take(simple, &head, sizeof(head)) || head.length < sizeof(head) ||
        head.length - sizeof(head) > RECORD_MAX || head.ns > INT64_MAX / 2 ||
        !take(simple, simple->body, head.length - sizeof(head))) {
        return false;
    }
    simple->last_ns = MAX(simple->last_ns, (int64_t)head.ns);
    *record = (struct ct_record){
        .kind = CT_RECORD_EVENT,
        .has_clock = true,
        .when_ns = simple->last_ns,
        .pid = head.pid <= INT32_MAX ? (int32_t)head.pid : 0,
    };
    if (head.id == DROPPED) {
        be_hole(simple, from_ns ? from_ns : simple->last_ns,
                head.length - sizeof(head));
        return true;
    }
    known = g_hash_table_lookup(simple->known, &head.id);
    if (!known) {
        return false;
    }
    record->event = known->event;
    if (known->event < 0) {
        be_line(simple, known->name, 0);
    } else if (!read_arguments(simple, known, head.length - sizeof(head))) {
        be_line(simple, known->name, CT_LOG_CUT);
    }
    return true;
}

static const struct ct_record *read_next(struct ct_simple *simple)
{
    uint64_t kind;

    while (!simple->over) {
        size_t n = fread(&kind, 1, sizeof(kind), simple->file);
        bool good = n == sizeof(kind);

        if (n == 0) {
            simple->over = true;
        } else if (good && kind == 1) {
            good = read_event(simple);
            if (good) {
                return &simple->record;
            }
        } else {
            good = good && kind == 0 && read_name(simple);
        }
        if (n && !good) {
            simple->over = true;
            simple->record = (struct ct_record){
                .kind = CT_RECORD_EVENT,
                .has_clock = true,
                .when_ns = simple->last_ns,
            };
            be_line(simple, "", CT_LOG_CUT | CT_LOG_BAD_STAMP);
            return &simple->record;
        }
    }
    return NULL;
}

static guint hash_id(gconstpointer id)
{
    return g_int64_hash(id);
}

int ct_simple_open(const char *path, struct ct_simple **ret_simple)
{
    uint64_t header[3];
    FILE *file = fopen(path, "re");

    if (!file) {
        return -errno;
    }
    struct list *list = find_list(path);
    int ret = !read_header(file, header) ? -EINVAL
              : header[2] != VERSION     ? -EPROTO
              : !list                    ? -ENOENT
                                         : 0;
    if (ret) {
        (void)fclose(file);
        g_clear_pointer(&list, list_free);
        return ret;
    }
    struct ct_simple *simple = g_new0(struct ct_simple, 1);
    simple->file = file;
    simple->list = list;
    simple->known =
        g_hash_table_new_full(hash_id, g_int64_equal, g_free, free_known);
    simple->body = g_malloc(RECORD_MAX);
    simple->strings = g_malloc(RECORD_MAX + ARGS_MAX);
    simple->is_peeked = read_next(simple) != NULL;
    simple->first_ns = simple->last_ns;
    *ret_simple = simple;
    return 0;
}

void ct_simple_free(struct ct_simple *simple)
{
    if (simple) {
        (void)fclose(simple->file);
        g_hash_table_unref(simple->known);
        list_free(simple->list);
        g_free(simple->body);
        g_free(simple->strings);
        g_free(simple);
    }
}

int64_t ct_simple_first_ns(const struct ct_simple *simple)
{
    return simple->first_ns;
}

const struct ct_record *ct_simple_next(struct ct_simple *simple)
{
    if (simple->is_peeked) {
        simple->is_peeked = false;
        return &simple->record;
    }
    return read_next(simple);
}
