/* SPDX-License-Identifier: MIT */
/*
 * baseline.c - a run in a file, to compare others with
 */
#include "commands/baseline.h"

#include <errno.h>
#include <string.h>

#include "ct/trace.h"
#include "in/json.h"
#include "out/json.h"

enum { VERSION = 4 };

/* --- out -------------------------------------------------------------- */

static void strings_json(struct ct_json *json, const GPtrArray *strings)
{
    ct_json_array(json);
    for (unsigned i = 0; i < strings->len; i++) {
        ct_json_string(json, g_ptr_array_index(strings, i));
    }
    ct_json_array_end(json);
}

static void table_json(struct ct_json *json, const struct ct_saved *saved,
                       enum ct_saved_table table)
{
    const GArray *numbers = saved->tables[table];
    g_autofree char *key =
        g_strdup_printf("\"%s\":", ct_saved_table_name(table));

    ct_json_key_text(json, key, strlen(key));
    ct_json_array(json);
    for (unsigned i = 0; i < numbers->len; i++) {
        ct_json_i64(json, g_array_index(numbers, int64_t, i));
    }
    ct_json_array_end(json);
}

bool ct_baseline_write(const char *path, const struct ct_saved *saved,
                       const GPtrArray *findings, bool *ret_is_gone,
                       GError **error)
{
    struct ct_out *out = ct_out_open(path, error);
    struct ct_json json;

    if (!out) {
        return false;
    }
    ct_json_init(&json, out);
    ct_json_object(&json);
    ct_json_key(&json, "cotrace_baseline");
    ct_json_u64(&json, VERSION);
    ct_json_key(&json, "clock");
    ct_json_bool(&json, saved->has_clock);
    ct_json_key(&json, "complete");
    ct_json_bool(&json, saved->complete);
    ct_json_key(&json, "words");
    strings_json(&json, saved->words);
    ct_json_key(&json, "findings");
    strings_json(&json, findings);
    for (unsigned i = 0; i < CT_SAVED_TABLES; i++) {
        table_json(&json, saved, i);
    }
    ct_json_object_end(&json);
    ct_json_line(&json);
    (void)ct_out_flush(out);
    *ret_is_gone = out->error == EPIPE;
    return ct_out_close(out, true, error);
}

/* --- in --------------------------------------------------------------- */

static void read_strings(struct ct_json_in *in, GPtrArray *strings)
{
    GString *text = g_string_new(NULL);

    ct_json_in_open(in, '[');
    while (ct_json_in_more(in, ']')) {
        ct_json_in_string(in, text);
        g_ptr_array_add(strings, g_strdup(text->str));
    }
    g_string_free(text, TRUE);
}

static void read_numbers(struct ct_json_in *in, GArray *numbers)
{
    ct_json_in_open(in, '[');
    while (ct_json_in_more(in, ']')) {
        int64_t number = ct_json_in_i64(in);
        if (numbers->len == UINT32_MAX / sizeof(number) / 2) {
            ct_json_in_fail(in, "has more numbers than fit");
        } else {
            g_array_append_val(numbers, number);
        }
    }
}

/* A key that comes twice adds to what it says: the tables then don't fit. */
static void read_value(struct ct_json_in *in, const char *key,
                       struct ct_saved *saved, GPtrArray *findings)
{
    unsigned table = 0;

    while (table < CT_SAVED_TABLES && strcmp(key, ct_saved_table_name(table))) {
        table++;
    }
    if (table < CT_SAVED_TABLES) {
        read_numbers(in, saved->tables[table]);
    } else if (!strcmp(key, "clock")) {
        saved->has_clock = ct_json_in_bool(in);
    } else if (!strcmp(key, "complete")) {
        saved->complete = ct_json_in_bool(in);
    } else if (!strcmp(key, "words")) {
        read_strings(in, saved->words);
    } else if (!strcmp(key, "findings")) {
        read_strings(in, findings);
    } else {
        ct_json_in_fail(in, "has a key that no baseline has");
    }
}

static void read_object(struct ct_json_in *in, struct ct_saved *saved,
                        GPtrArray *findings)
{
    GString *key = g_string_new(NULL);
    bool is_first = true;

    ct_json_in_open(in, '{');
    while (ct_json_in_more(in, '}')) {
        ct_json_in_key(in, key);
        if (!is_first) {
            read_value(in, key->str, saved, findings);
        } else if (in->problem || strcmp(key->str, "cotrace_baseline")) {
            ct_json_in_fail(in, "is no baseline of cotrace diff");
        } else if (ct_json_in_i64(in) != VERSION) {
            ct_json_in_fail(in, "is of another version of cotrace");
        }
        is_first = false;
    }
    if (is_first) {
        ct_json_in_fail(in, "is no baseline of cotrace diff");
    }
    ct_json_in_end(in);
    g_string_free(key, TRUE);
}

struct ct_saved *ct_baseline_read(const char *path, GPtrArray *findings,
                                  GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;
    struct ct_json_in in;
    size_t bytes;

    if (!g_file_get_contents(path, &text, &bytes, &why)) {
        const char *reason = strrchr(why->message, ':');
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT, "%s: %s", path,
                    reason ? reason + 2 : why->message);
        return NULL;
    }
    struct ct_saved *saved = ct_saved_new();
    ct_json_in_init(&in, text, bytes);
    read_object(&in, saved, findings);
    if (in.problem) {
        bool is_none = in.at == text || bytes == 0 || *text != '{';
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                    "%s: %s (at byte %zu)", path,
                    is_none ? "is no baseline of cotrace diff" : in.problem,
                    (size_t)(in.at - text));
        ct_saved_free(saved);
        return NULL;
    }
    return saved;
}
