/* SPDX-License-Identifier: MIT */
/*
 * log-pieces.c - a log as records of lines
 *
 * It knows no event: what a line says, and whether it says anything, is decoded
 * later, so that lines that are passed over are counted in one place.
 *
 * Times.  The stamp of a line is taken before the line is written, so between
 * threads stamps go back by microseconds: a record's time is the greatest so
 * far, and the stamp stands beside it.  Within one thread a stamp goes back
 * only if somebody set the clock: from there on the difference is added to all
 * stamps, so that time goes on.  A stamp that lies far from both of its
 * neighbours is damage, not time.
 */
#include "source/text/log-pieces.h"

#include <glib.h>
#include <string.h>

#include "source/text/log-line.h"
#include "source/text/log-lines.h"
#include "source/text/log-stamps.h"

/* In a directory that `record --qemu` made. */
#define RECORDED_LOG    "qemu.log"
#define RECORDED_STAMPS "qemu.log.stamps"

#define FAR_NS         (60 * INT64_C(1000000000))
#define UNSTAMPED_MAX  (1 << 20) /* bytes of a log before its first stamp */
#define NAME_MAX_BYTES 64

struct thread {
    int32_t tid;
    int64_t last_ns; /* of its last stamp, moved */
};

struct ct_log_pieces {
    char *path;
    struct ct_log_kind kind;
    struct ct_log_lines lines;
    struct ct_log_stamps stamps; /* by a reader */
    /* the line that is being taken apart: from `at` on */
    struct ct_log_line line;
    const char *at; /* NULL: the next line */
    /* times */
    GHashTable *threads; /* tid -> struct thread (owner) */
    struct thread *thread;
    int64_t moved_ns; /* added to what is printed */
    int64_t last_ns;  /* of the last record */
    int64_t stamp_ns; /* of the last line that had one, moved */
    GHashTable *tids; /* that lines begin with; NULL: not yet needed */
    struct ct_record record;
    char text[CT_LOG_LINE_MAX + 1];
};

/* --- recognising ---------------------------------------------------------- */

/* Is the first word of a line an event that QEMU has? */
static bool names_event(const struct ct_log_line *line)
{
    const char *space = memchr(line->text, ' ', line->length);
    size_t n = space ? (size_t)(space - line->text) : line->length;
    char name[NAME_MAX_BYTES];
    const char *const *text;
    int event;

    if (n == 0 || n >= sizeof(name) || line->text[0] < 'a' ||
        line->text[0] > 'z') {
        return false;
    }
    memcpy(name, line->text, n);
    name[n] = '\0';
    event = ct_schema_find("qemu", name);
    if (event < 0) {
        return false;
    }
    for (text = ct_schema_event((unsigned)event)->texts; text && *text;
         text++) {
        size_t head = strcspn(*text, "{");

        if (line->length > n && line->length - n - 1 >= head &&
            memcmp(space + 1, *text, head) == 0) {
            return true;
        }
    }
    return false;
}

static int look(const char *path, struct ct_log_kind *ret_kind)
{
    struct ct_log_lines lines;
    struct ct_log_line line;
    struct ct_log_head head;
    uint64_t until = UINT64_MAX;
    int status = ct_log_lines_open(&lines, path);

    *ret_kind = (struct ct_log_kind){0};
    while (status == 0 && lines.bytes < until &&
           ct_log_lines_next(&lines, &line)) {
        if (ct_log_find(line.text, line.length, &head)) {
            *ret_kind = (struct ct_log_kind){
                .is_log = true, .has_clock = true, .first_ns = head.stamp_ns};
            break;
        }
        if (!ret_kind->is_log && names_event(&line)) {
            ret_kind->is_log = true;
            until = lines.bytes + UNSTAMPED_MAX;
        }
    }
    if (status == 0) {
        ct_log_lines_close(&lines);
    }
    return status;
}

/* A log without times of its own may have those of a reader. */
static void look_for_stamps(const char *folder, struct ct_log_kind *kind)
{
    g_autofree char *path = g_build_filename(folder, RECORDED_STAMPS, NULL);
    struct ct_log_stamps stamps;

    if (kind->is_log && !kind->has_clock &&
        ct_log_stamps_open(&stamps, path) == 0) {
        kind->has_clock = kind->by_reader = true;
        kind->first_ns = stamps.when_ns;
        ct_log_stamps_close(&stamps);
    }
}

char *ct_log_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR)
               ? g_build_filename(path, RECORDED_LOG, NULL)
               : g_strdup(path);
}

int ct_log_look(const char *path, struct ct_log_kind *ret_kind)
{
    g_autofree char *log = ct_log_file(path);
    int status = look(log, ret_kind);

    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        look_for_stamps(path, ret_kind);
    }
    return status;
}

/* --- pieces -------------------------------------------------------------- */

/* The threads that lines of the whole file begin with. */
static GHashTable *all_tids(const char *path)
{
    GHashTable *tids = g_hash_table_new(g_direct_hash, g_direct_equal);
    struct ct_log_lines lines;
    struct ct_log_line line;
    struct ct_log_head head;

    if (ct_log_lines_open(&lines, path) == 0) {
        while (ct_log_lines_next(&lines, &line)) {
            if (ct_log_head(line.text, line.length, &head)) {
                g_hash_table_add(
                    tids, GINT_TO_POINTER(ct_log_thread(head.digits, head.at)));
            }
        }
        ct_log_lines_close(&lines);
    }
    return tids;
}

/* Some of the digits in front of "@" may belong to the line that was cut: the
 * longest end of them that is a thread's number elsewhere, else all. */
static const char *where_thread_begins(struct ct_log_pieces *pieces,
                                       const struct ct_log_head *head)
{
    if (!pieces->tids) {
        pieces->tids = all_tids(pieces->path);
    }
    for (const char *digits = head->digits; digits < head->at; digits++) {
        int32_t tid = ct_log_thread(digits, head->at);

        if (tid && *digits != '0' &&
            g_hash_table_contains(pieces->tids, GINT_TO_POINTER(tid))) {
            return digits;
        }
    }
    return head->digits;
}

static bool is_far(int64_t a_ns, int64_t b_ns)
{
    return a_ns - b_ns > FAR_NS || b_ns - a_ns > FAR_NS;
}

/* Is a stamp damaged?  Its neighbours agree, and not with it. */
static bool is_damaged(const struct ct_log_pieces *pieces, int64_t printed_ns)
{
    struct ct_log_line next;
    struct ct_log_head head;
    int64_t before_ns = pieces->stamp_ns - pieces->moved_ns;

    return is_far(printed_ns, before_ns) &&
           ct_log_lines_peek(&pieces->lines, &next) &&
           ct_log_head(next.text, next.length, &head) &&
           is_far(printed_ns, head.stamp_ns) &&
           !is_far(before_ns, head.stamp_ns);
}

static void set_thread(struct ct_log_pieces *pieces, int32_t tid)
{
    if (pieces->thread && pieces->thread->tid == tid) {
        return;
    }
    pieces->thread = g_hash_table_lookup(pieces->threads, GINT_TO_POINTER(tid));
    if (!pieces->thread) {
        pieces->thread = g_new0(struct thread, 1);
        pieces->thread->tid = tid;
        pieces->thread->last_ns = INT64_MIN;
        g_hash_table_insert(pieces->threads, GINT_TO_POINTER(tid),
                            pieces->thread);
    }
}

/* Sets thread and time of the record. */
static uint64_t take_stamp(struct ct_log_pieces *pieces,
                           const struct ct_log_head *head, const char *digits)
{
    struct ct_record *record = &pieces->record;
    int64_t printed_ns = head->stamp_ns;

    if (is_damaged(pieces, printed_ns)) {
        return CT_LOG_NO_STAMP | CT_LOG_BAD_STAMP;
    }
    record->tid = ct_log_thread(digits, head->at);
    set_thread(pieces, record->tid);
    uint64_t flags = 0;
    int64_t stamp_ns;
    if (__builtin_add_overflow(printed_ns, pieces->moved_ns, &stamp_ns)) {
        stamp_ns = INT64_MAX - 1;
    }
    if (stamp_ns < pieces->thread->last_ns) {
        pieces->moved_ns += pieces->thread->last_ns - stamp_ns;
        stamp_ns = pieces->thread->last_ns;
        flags = CT_LOG_CLOCK_SET;
    }
    pieces->thread->last_ns = pieces->stamp_ns = stamp_ns;
    pieces->last_ns = MAX(pieces->last_ns, pieces->stamp_ns);
    return flags;
}

static void set_text(struct ct_log_pieces *pieces, const char *text,
                     const char *end, uint64_t flags)
{
    struct ct_record *record = &pieces->record;
    size_t n = (size_t)(end - text);

    if (n > 0 && text[n - 1] == '\r') {
        n--;
    }
    memcpy(pieces->text, text, n);
    pieces->text[n] = '\0';
    record->values[CT_FLD_LOG_LINE_TEXT] = (struct ct_value){
        .s = pieces->text, .len = (uint32_t)n, .present = true};
    record->values[CT_FLD_LOG_LINE_FLAGS] =
        (struct ct_value){.u = flags, .present = true};
    record->values[CT_FLD_LOG_LINE_STAMP] = (struct ct_value){
        .i = pieces->stamp_ns,
        .present = pieces->kind.has_clock && !pieces->kind.by_reader};
    record->values[CT_FLD_LOG_LINE_ERROR] =
        (struct ct_value){.u = (uint64_t)pieces->stamps.error_ns,
                          .present = pieces->kind.by_reader};
}

int ct_log_pieces_open(const char *path, const struct ct_log_kind *kind,
                       struct ct_log_pieces **ret_pieces)
{
    struct ct_log_pieces *pieces = g_new0(struct ct_log_pieces, 1);

    pieces->path = ct_log_file(path);
    int status = ct_log_lines_open(&pieces->lines, pieces->path);

    if (status == 0 && kind->by_reader) {
        g_autofree char *stamps = g_build_filename(path, RECORDED_STAMPS, NULL);
        status = ct_log_stamps_open(&pieces->stamps, stamps);
        if (status < 0) {
            ct_log_lines_close(&pieces->lines);
        }
    }
    if (status < 0) {
        g_free(pieces->path);
        g_free(pieces);
        return status;
    }
    pieces->kind = *kind;
    pieces->last_ns = pieces->stamp_ns = kind->first_ns;
    pieces->threads =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    pieces->record = (struct ct_record){
        .kind = CT_RECORD_EVENT,
        .event = CT_EV_LOG_LINE,
        .has_clock = kind->has_clock,
    };
    *ret_pieces = pieces;
    return 0;
}

void ct_log_pieces_free(struct ct_log_pieces *pieces)
{
    if (!pieces) {
        return;
    }
    ct_log_lines_close(&pieces->lines);
    ct_log_stamps_close(&pieces->stamps);
    g_hash_table_unref(pieces->threads);
    g_clear_pointer(&pieces->tids, g_hash_table_unref);
    g_free(pieces->path);
    g_free(pieces);
}

const struct ct_record *ct_log_pieces_next(struct ct_log_pieces *pieces)
{
    struct ct_log_head head, next;
    const char *end;
    uint64_t flags = 0;

    if (!pieces->at) {
        if (!ct_log_lines_next(&pieces->lines, &pieces->line)) {
            return NULL;
        }
        /* What was written when nobody looked on any more has no time. */
        if (pieces->kind.by_reader) {
            if (!ct_log_stamps_at(&pieces->stamps, pieces->lines.given)) {
                return NULL;
            }
            pieces->last_ns = pieces->stamps.when_ns;
        }
        pieces->at = pieces->line.text;
    } else {
        flags = CT_LOG_PIECE;
    }
    end = pieces->line.text + pieces->line.length;
    const char *text = pieces->at;
    if (ct_log_head(text, (size_t)(end - text), &head)) {
        text = head.text;
        flags |= take_stamp(pieces, &head, head.digits);
    } else {
        flags |= CT_LOG_NO_STAMP;
    }
    if (ct_log_find(text, (size_t)(end - text), &next)) {
        end = where_thread_begins(pieces, &next);
        pieces->at = end;
    } else {
        pieces->at = NULL;
        flags |= pieces->line.has_end ? 0 : CT_LOG_CUT;
    }
    set_text(pieces, text, end, flags);
    pieces->record.when_ns = pieces->kind.has_clock ? pieces->last_ns : 0;
    return &pieces->record;
}
