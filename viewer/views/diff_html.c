/* SPDX-License-Identifier: MIT */
/*
 * diff_html.c - a comparison as one page: both timelines under one another
 *
 * The page (html/diff.html) is what is always the same; what is put into it is
 * one JSON document.  Strings of a trace are made inert and stand in JSON in
 * which nothing can end the element that it lies in.
 *
 * A page must stay usable: of runs with more decisions than SHOWN a stretch
 * around the first difference is shown, and the page says so.
 */
#include <inttypes.h>
#include <string.h>

#include "diff_template.h" /* generated from html/diff.html */
#include "out/inert.h"
#include "out/json.h"
#include "views/diff.h"
#include "views/frames.h"

enum {
    SHOWN = 50000, /* decisions of a run */
    CHANGES = 1000,
};

struct page {
    struct ct_json json;
    const struct ct_diff *diff;
    const struct ct_diff_result *result;
    uint32_t from[CT_DIFF_SIDES], to[CT_DIFF_SIDES];
    GHashTable *numbers; /* label + 1 -> its number on the page + 1 */
    GArray *labels;      /* uint32_t, by that number */
    uint8_t *is_real[CT_DIFF_SIDES]; /* by decision: part of a real change */
    bool has_difference;
    int64_t first_real; /* its place in the list; -1: it is not there */
    uint64_t n_changes, left_out;
};

static void string_json(struct ct_json *json, const char *text)
{
    GString *inert = g_string_new(NULL);

    ct_inert_append(inert, text);
    ct_json_string(json, inert->str);
    g_string_free(inert, TRUE);
}

/* --- what is shown ---------------------------------------------------- */

/* The first decision of a run that is a difference by itself; CT_DIFF_NONE. */
static uint32_t first_harmless(const struct page *page, enum ct_diff_side side)
{
    for (uint32_t i = 0; i < page->result->decisions[side]; i++) {
        struct ct_diff_item item;
        ct_diff_item(page->diff, side, i, &item);
        if (item.mark == CT_DIFF_MARK_MOVED ||
            item.mark == CT_DIFF_MARK_LOOSE) {
            return i;
        }
    }
    return CT_DIFF_NONE;
}

/* What the other run has there: of the last one up to @number that has a
 * partner, its partner. */
static uint32_t place_of(const struct page *page, enum ct_diff_side side,
                         uint32_t number)
{
    for (uint32_t i = number; i != CT_DIFF_NONE; i--) {
        struct ct_diff_item item;
        ct_diff_item(page->diff, side, i, &item);
        if (item.partner != CT_DIFF_NONE) {
            return item.partner;
        }
    }
    return 0;
}

/* Decisions of both runs near which the first difference is, where one is. */
static void find_middle(struct page *page, uint32_t middle[])
{
    uint32_t place[CT_DIFF_SIDES]; /* in A, of what each run has first */

    middle[CT_DIFF_A] = middle[CT_DIFF_B] = CT_DIFF_NONE;
    if (page->result->real) {
        struct ct_diff_real real;
        ct_diff_real(page->diff, page->result->first_real_number, &real);
        for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
            middle[side] = real.first[side];
        }
    } else {
        place[CT_DIFF_A] = first_harmless(page, CT_DIFF_A);
        middle[CT_DIFF_B] = first_harmless(page, CT_DIFF_B);
        place[CT_DIFF_B] = middle[CT_DIFF_B] == CT_DIFF_NONE
                               ? CT_DIFF_NONE
                               : place_of(page, CT_DIFF_B, middle[CT_DIFF_B]);
        if (place[CT_DIFF_A] <= place[CT_DIFF_B]) {
            middle[CT_DIFF_A] = place[CT_DIFF_A];
            middle[CT_DIFF_B] = CT_DIFF_NONE;
        }
    }
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        enum ct_diff_side other = ct_diff_other(side);
        page->has_difference |= middle[side] != CT_DIFF_NONE;
        if (middle[side] == CT_DIFF_NONE) {
            middle[side] = middle[other] == CT_DIFF_NONE
                               ? 0
                               : place_of(page, other, middle[other]);
        }
    }
}

static void choose(struct page *page)
{
    uint32_t middle[CT_DIFF_SIDES];

    find_middle(page, middle);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        uint32_t n = (uint32_t)page->result->decisions[side];
        uint32_t from = middle[side] > SHOWN / 2 ? middle[side] - SHOWN / 2 : 0;
        page->from[side] = MIN(from, n > SHOWN ? n - SHOWN : 0);
        page->to[side] = MIN(n, page->from[side] + SHOWN);
    }
}

static bool is_shown(const struct page *page, enum ct_diff_side side,
                     uint32_t number)
{
    return number == CT_DIFF_NONE ||
           (number >= page->from[side] && number < page->to[side]);
}

/* Its number on the page. */
static int64_t number_of(const struct page *page, enum ct_diff_side side,
                         uint32_t number)
{
    return number == CT_DIFF_NONE || !is_shown(page, side, number)
               ? -1
               : (int64_t)number - page->from[side];
}

/* --- runs ------------------------------------------------------------- */

static uint32_t label_of(struct page *page, uint32_t label)
{
    gpointer key = GUINT_TO_POINTER(label + 1);
    gpointer found = g_hash_table_lookup(page->numbers, key);

    if (!found) {
        g_array_append_val(page->labels, label);
        found = GUINT_TO_POINTER(page->labels->len);
        g_hash_table_insert(page->numbers, key, found);
    }
    return GPOINTER_TO_UINT(found) - 1;
}

enum column {
    COLUMN_LABEL,
    COLUMN_CONTEXT,
    COLUMN_BEGIN, /* from the one before */
    COLUMN_LENGTH,
    COLUMN_MATE,
    COLUMN_MARK,
    COLUMNS,
};

static void column_json(struct page *page, enum ct_diff_side side,
                        enum column column)
{
    int64_t before_ns = 0;

    ct_json_array(&page->json);
    for (uint32_t i = page->from[side]; i < page->to[side]; i++) {
        struct ct_diff_item item;
        int64_t value = 0;
        ct_diff_item(page->diff, side, i, &item);
        switch (column) {
        case COLUMN_LABEL:
            value = label_of(page, item.label);
            break;
        case COLUMN_CONTEXT:
            value = item.sequence;
            break;
        case COLUMN_BEGIN:
            value = item.begin_ns - before_ns;
            before_ns = item.begin_ns;
            break;
        case COLUMN_LENGTH:
            value = item.end_ns - item.begin_ns;
            break;
        case COLUMN_MATE:
            value = number_of(page, ct_diff_other(side), item.partner);
            break;
        default:
            value = item.mark;
            break;
        }
        ct_json_i64(&page->json, value);
    }
    ct_json_array_end(&page->json);
}

static void runs_json(struct page *page)
{
    static const char *const keys[COLUMNS] = {
        [COLUMN_LABEL] = "\"label\":", [COLUMN_CONTEXT] = "\"context\":",
        [COLUMN_BEGIN] = "\"begin\":", [COLUMN_LENGTH] = "\"length\":",
        [COLUMN_MATE] = "\"mate\":",   [COLUMN_MARK] = "\"mark\":",
    };

    ct_json_key(&page->json, "runs");
    ct_json_array(&page->json);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        ct_json_object(&page->json);
        for (unsigned column = 0; column < COLUMNS; column++) {
            ct_json_key_text(&page->json, keys[column], strlen(keys[column]));
            column_json(page, side, column);
        }
        ct_json_object_end(&page->json);
    }
    ct_json_array_end(&page->json);
}

static void labels_json(struct page *page)
{
    ct_json_key(&page->json, "labels");
    ct_json_array(&page->json);
    for (unsigned i = 0; i < page->labels->len; i++) {
        g_autofree char *label =
            ct_diff_label(page->diff, g_array_index(page->labels, uint32_t, i));
        string_json(&page->json, label);
    }
    ct_json_array_end(&page->json);
    ct_json_key(&page->json, "kinds");
    ct_json_array(&page->json);
    for (unsigned i = 0; i < page->labels->len; i++) {
        ct_json_string(
            &page->json,
            ct_diff_label_kind(page->diff,
                               g_array_index(page->labels, uint32_t, i)));
    }
    ct_json_array_end(&page->json);
}

/* --- differences ------------------------------------------------------ */

static void change_json(struct page *page, const char *kind, bool is_real,
                        const uint32_t first[], const uint32_t then[])
{
    struct ct_json *json = &page->json;
    enum ct_diff_side side =
        first[CT_DIFF_A] == CT_DIFF_NONE ? CT_DIFF_B : CT_DIFF_A;
    struct ct_diff_item item;

    if (page->n_changes == CHANGES ||
        !is_shown(page, CT_DIFF_A, first[CT_DIFF_A]) ||
        !is_shown(page, CT_DIFF_B, first[CT_DIFF_B])) {
        page->left_out++;
        return;
    }
    page->n_changes++;
    ct_diff_item(page->diff, side, first[side], &item);
    g_autofree char *label = ct_diff_label(page->diff, item.label);
    g_autofree char *text =
        first[CT_DIFF_A] == CT_DIFF_NONE || first[CT_DIFF_B] == CT_DIFF_NONE
            ? g_strdup_printf("in %c only: %s", "AB"[side], label)
            : g_strdup(label);
    ct_json_object(json);
    ct_json_key(json, "kind");
    ct_json_string(json, kind);
    ct_json_key(json, "real");
    ct_json_bool(json, is_real);
    ct_json_key(json, "text");
    string_json(json, text);
    ct_json_key(json, "a");
    ct_json_i64(json, number_of(page, CT_DIFF_A, first[CT_DIFF_A]));
    ct_json_key(json, "b");
    ct_json_i64(json, number_of(page, CT_DIFF_B, first[CT_DIFF_B]));
    ct_json_key(json, "then_a");
    ct_json_i64(json, number_of(page, CT_DIFF_A, then[CT_DIFF_A]));
    ct_json_key(json, "then_b");
    ct_json_i64(json, number_of(page, CT_DIFF_B, then[CT_DIFF_B]));
    ct_json_object_end(json);
}

/* What is part of a real change is told there, and nowhere else. */
static void mark_real(struct page *page, const uint32_t numbers[])
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        if (numbers[side] != CT_DIFF_NONE) {
            page->is_real[side][numbers[side]] = 1;
        }
    }
}

/* Of one run those that have moved, or that it alone has by timing; wherever
 * they are, since what is not shown is counted. */
static void harmless_json(struct page *page, enum ct_diff_side side)
{
    static const uint32_t nothing[] = {CT_DIFF_NONE, CT_DIFF_NONE};

    for (uint32_t i = 0; i < page->result->decisions[side]; i++) {
        struct ct_diff_item item;
        uint32_t first[CT_DIFF_SIDES];
        if (page->is_real[side][i]) {
            continue;
        }
        ct_diff_item(page->diff, side, i, &item);
        first[side] = i;
        first[ct_diff_other(side)] = item.partner;
        if (item.mark == CT_DIFF_MARK_MOVED && side == CT_DIFF_A) {
            change_json(page, "moved", false, first, nothing);
        } else if (item.mark == CT_DIFF_MARK_LOOSE) {
            change_json(page, "timing", false, first, nothing);
        }
    }
}

static void changes_json(struct page *page)
{
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        page->is_real[side] = g_new0(uint8_t, page->result->decisions[side]);
    }
    ct_json_key(&page->json, "changes");
    ct_json_array(&page->json);
    for (uint64_t i = 0; i < page->result->real; i++) {
        struct ct_diff_real real;
        uint64_t before = page->n_changes;
        ct_diff_real(page->diff, i, &real);
        mark_real(page, real.first);
        mark_real(page, real.then);
        change_json(page, ct_diff_reason_word(real.reason), true, real.first,
                    real.then);
        if (i == page->result->first_real_number && page->n_changes > before) {
            page->first_real = (int64_t)before;
        }
    }
    harmless_json(page, CT_DIFF_A);
    harmless_json(page, CT_DIFF_B);
    ct_json_array_end(&page->json);
    ct_json_key(&page->json, "left_out");
    ct_json_u64(&page->json, page->left_out);
    ct_json_key(&page->json, "first_real");
    ct_json_i64(&page->json, page->first_real);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        g_free(page->is_real[side]);
    }
}

static void frames_json(struct page *page)
{
    const struct ct_diff_change *change = &page->result->first_real;

    ct_json_key(&page->json, "frames");
    ct_json_array(&page->json);
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        struct ct_out *out = ct_out_memory();
        struct ct_text text;
        ct_text_init(&text, out);
        if (change->side[side].n_frames) {
            ct_frames_text(&text, change->side[side].frames,
                           change->side[side].n_frames,
                           change->side[side].complete);
        }
        ct_json_array(&page->json);
        g_autofree char *words = g_strndup(out->buffer, out->used_bytes);
        ct_json_string(&page->json, words);
        ct_json_array_end(&page->json);
        (void)ct_out_close(out, false, NULL);
    }
    ct_json_array_end(&page->json);
}

/* --- the page --------------------------------------------------------- */

static void note_json(struct page *page)
{
    GString *note = g_string_new(NULL);

    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        uint64_t n = page->result->decisions[side];
        uint32_t shown = page->to[side] - page->from[side];
        g_string_append_printf(note, "%s%c: ", side ? ", " : "", "AB"[side]);
        if (shown == n) {
            g_string_append_printf(note, "%" PRIu64 " decisions", n);
        } else {
            g_string_append_printf(
                note, "decisions %" PRIu32 " to %" PRIu32 " of %" PRIu64,
                page->from[side], page->to[side] - 1, n);
        }
    }
    if (page->result->decisions[CT_DIFF_A] > SHOWN ||
        page->result->decisions[CT_DIFF_B] > SHOWN) {
        g_string_append(note, page->has_difference
                                  ? " are shown, around the first difference"
                                  : " are shown");
    }
    if (page->result->bound) {
        g_string_append(note, "; the search for pairs was cut short");
    }
    g_string_append_c(note, '.');
    ct_json_key(&page->json, "note");
    ct_json_string(&page->json, note->str);
    g_string_free(note, TRUE);
}

static void words_json(struct page *page, const char *name_a,
                       const char *name_b)
{
    struct ct_out *out = ct_out_memory();
    const struct ct_diff_result *result = page->result;
    g_autofree char *verdict =
        result->exact ? g_strdup("The runs are the same, decision by decision.")
        : result->identical
            ? g_strdup(result->first.reason == CT_DIFF_REASON_NONE
                           ? "What could be compared is the same."
                           : "No real difference.")
            : g_strdup_printf("%" PRIu64 " real difference%s.", result->real,
                              result->real == 1 ? "" : "s");

    ct_json_key(&page->json, "names");
    ct_json_array(&page->json);
    string_json(&page->json, name_a);
    string_json(&page->json, name_b);
    ct_json_array_end(&page->json);
    ct_json_key(&page->json, "verdict");
    ct_json_string(&page->json, verdict);
    note_json(page);
    ct_json_key(&page->json, "clock");
    ct_json_bool(&page->json, result->has_clock);
    ct_view_diff_text(out, page->diff, name_a, name_b);
    g_autofree char *words = g_strndup(out->buffer, out->used_bytes);
    ct_json_key(&page->json, "words");
    ct_json_string(&page->json, words);
    (void)ct_out_close(out, false, NULL);
}

static void contexts_json(struct page *page)
{
    ct_json_key(&page->json, "contexts");
    ct_json_array(&page->json);
    for (unsigned i = 0; i < page->result->n_sequences; i++) {
        string_json(&page->json, page->result->sequences[i].name);
    }
    ct_json_array_end(&page->json);
}

/* These three stand in strings only, and escaped they can't end the element. */
static void copy_escaped(struct ct_out *out, const char *text, size_t bytes)
{
    size_t done = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '<' || text[i] == '>' || text[i] == '&') {
            char escape[8];
            g_snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)text[i]);
            ct_out_write(out, text + done, i - done);
            ct_out_puts(out, escape);
            done = i + 1;
        }
    }
    ct_out_write(out, text + done, bytes - done);
}

void ct_view_diff_html(struct ct_out *out, const struct ct_diff *diff,
                       const char *name_a, const char *name_b)
{
    struct ct_out *document = ct_out_memory();
    struct page page = {
        .diff = diff,
        .result = ct_diff_result(diff),
        .numbers = g_hash_table_new(NULL, NULL),
        .labels = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .first_real = -1,
    };

    choose(&page);
    ct_json_init(&page.json, document);
    ct_json_object(&page.json);
    words_json(&page, name_a, name_b);
    contexts_json(&page);
    runs_json(&page);
    labels_json(&page);
    changes_json(&page);
    frames_json(&page);
    ct_json_object_end(&page.json);
    ct_out_puts(out, ct_page_before);
    copy_escaped(out, document->buffer, document->used_bytes);
    ct_out_puts(out, ct_page_behind);
    (void)ct_out_close(document, false, NULL);
    g_hash_table_unref(page.numbers);
    g_array_unref(page.labels);
}
