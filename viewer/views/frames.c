/* SPDX-License-Identifier: MIT */
/*
 * frames.c - the frames of a logical backtrace, as a debugger would print them
 *
 * Frames of code are numbered through, as gdb does; where the stack was cut
 * stands a line that says what lies inside the cut and how long before it what
 * lies outside happened.
 */
#include "views/frames.h"

#include <inttypes.h>

#include "out/inert.h"
#include "out/quantity.h"

/* --- JSON ---------------------------------------------------------------- */

static void json_code(struct ct_json *json, const struct ct_frame *frame)
{
    ct_json_key(json, "function");
    ct_json_string(json, frame->function);
    ct_json_key(json, "file");
    ct_json_string(json, frame->file);
    ct_json_key(json, "line");
    ct_json_id(json, frame->line);
    ct_json_key(json, "address");
    if (frame->address) {
        ct_json_hex(json, frame->address);
    } else {
        ct_json_null(json);
    }
    ct_json_key(json, "inlined");
    ct_json_bool(json, frame->inlined);
    ct_json_key(json, "image");
    ct_json_string(json, frame->image);
    ct_json_key(json, "image_offset");
    if (frame->image && frame->address) {
        ct_json_hex(json, frame->image_offset);
    } else {
        ct_json_null(json);
    }
}

void ct_frames_json_stack(struct ct_json *json, uint64_t stack)
{
    ct_json_key(json, "stack");
    if (stack) {
        ct_json_hex(json, stack);
    } else {
        ct_json_null(json);
    }
}

/* What the chain of boundaries left out here, and whether it goes on. */
static void json_left_out(struct ct_json *json, const struct ct_frame *frame)
{
    if (frame->repeats) {
        ct_json_key(json, "repeats");
        ct_json_u64(json, frame->repeats);
        ct_json_key(json, "period");
        ct_json_u64(json, frame->period);
    }
    if (frame->skipped) {
        ct_json_key(json, "skipped");
        ct_json_u64(json, frame->skipped);
    }
    if (frame->cut) {
        ct_json_key(json, "cut");
        ct_json_bool(json, true);
    }
}

static void json_boundary(struct ct_json *json, const struct ct_frame *frame,
                          int64_t origin_ns)
{
    ct_json_key(json, "boundary");
    ct_json_string(json, ct_boundary_word(frame->boundary));
    ct_json_key(json, "id");
    ct_json_id(json, frame->id);
    ct_frames_json_stack(json, frame->stack);
    ct_json_key(json, "elapsed_ns");
    ct_json_known_i64(json, frame->has_when, frame->elapsed_ns);
    ct_json_key(json, "when_ns");
    ct_json_known_i64(json, frame->has_when, frame->when_ns - origin_ns);
    ct_json_key(json, "tid");
    ct_json_id(json, frame->tid > 0 ? (uint64_t)frame->tid : 0);
    if (frame->is_request) {
        ct_json_key(json, "asked");
        ct_json_bool(json, true);
    }
    if (frame->n_also) {
        ct_json_key(json, "also");
        ct_json_u64(json, frame->n_also);
    }
    json_left_out(json, frame);
}

void ct_frames_json(struct ct_json *json, const struct ct_frame *frames,
                    unsigned n, int64_t origin_ns)
{
    ct_json_array(json);
    for (unsigned i = 0; i < n; i++) {
        const struct ct_frame *frame = &frames[i];

        ct_json_object(json);
        if (frame->boundary == CT_BOUNDARY_NONE) {
            json_code(json, frame);
        } else {
            json_boundary(json, frame, origin_ns);
        }
        if (frame->limit) {
            ct_json_key(json, "limit");
            ct_json_bool(json, true);
        }
        ct_json_object_end(json);
    }
    ct_json_array_end(json);
}

/* --- text ---------------------------------------------------------------- */

/* Where it is; on a line of its own if it is too long for this one. */
static void text_place(const struct ct_text *text, GString *line,
                       const GString *place)
{
    if (text->columns &&
        ct_text_width(line->str) + ct_text_width(place->str) > text->columns) {
        ct_text_line(text, line);
        g_string_append(line, "    ");
    }
    g_string_append(line, place->str);
}

static void text_code(const struct ct_text *text, GString *line,
                      const struct ct_frame *frame, unsigned number)
{
    GString *place = g_string_new(NULL);

    g_string_append_printf(line, "#%-3u ", number);
    if (!frame->function) {
        g_string_append_printf(line, "0x%016" PRIx64 " in ?? ()",
                               frame->address);
    } else {
        GString *name = g_string_new(NULL);

        ct_inert_append(name, frame->function);
        ct_text_styled(text, line, CT_YELLOW, name->str);
        g_string_append(line, " ()");
        g_string_free(name, TRUE);
    }
    if (frame->file) {
        GString *file = g_string_new(NULL);

        ct_inert_append(file, frame->file);
        g_string_append(place, " at ");
        ct_text_styled(text, place, CT_GREEN, file->str);
        if (frame->line) {
            g_string_append_printf(place, ":%u", frame->line);
        }
        g_string_free(file, TRUE);
    } else if (frame->image) {
        g_string_append(place, " from ");
        ct_inert_append(place, frame->image);
        if (!frame->function) {
            g_string_append_printf(place, "+0x%" PRIx64, frame->image_offset);
        }
    }
    if (frame->inlined) {
        ct_text_styled(text, place, CT_DIM, " (inlined)");
    }
    text_place(text, line, place);
    g_string_free(place, TRUE);
}

/* What a boundary says: "bottom half 12: scheduled 134.2 us earlier"; where a
 * worker was asked for, "created by bottom half 12: asked for ...". */
static const struct {
    const char *what;
    const char *cause;
} boundaries[] = {
    [CT_BOUNDARY_COROUTINE] = {"coroutine", "entered"},
    [CT_BOUNDARY_BOTTOM_HALF] = {"bottom half", "scheduled"},
    [CT_BOUNDARY_TIMER] = {"timer", "armed"},
    [CT_BOUNDARY_FD_HANDLER] = {"fd handler", "set"},
    [CT_BOUNDARY_WORK_ITEM] = {"work item", "submitted"},
    [CT_BOUNDARY_WORKER_SPAWN] = {"worker", "created"},
    [CT_BOUNDARY_THREAD] = {"thread", "created"},
};

static void text_boundary(const struct ct_text *text, GString *line,
                          const struct ct_frame *frame)
{
    const char *rule = text->utf8 ? "\u2500\u2500" : "--";
    GString *words = g_string_new(NULL);

    g_string_append_printf(words, "%s %s%s", rule,
                           frame->is_request ? "created by " : "",
                           boundaries[frame->boundary].what);
    if (frame->id) {
        g_string_append_printf(words, " %" PRIu64, frame->id);
    }
    g_string_append_printf(
        words, ": %s",
        frame->is_request ? "asked for" : boundaries[frame->boundary].cause);
    if (frame->has_when) {
        g_string_append_c(words, ' ');
        ct_text_ns(text, words, frame->elapsed_ns);
        g_string_append(words, " earlier");
    }
    if (frame->tid > 0) {
        g_string_append_printf(words, " on thread %d", frame->tid);
    }
    if (frame->n_also) {
        g_string_append_printf(words, ", and %u more time%s before it ran",
                               frame->n_also, frame->n_also == 1 ? "" : "s");
    }
    if (frame->repeats) {
        g_string_append_printf(words,
                               "; %u from here outward came %" PRIu64
                               " more times in a row",
                               frame->period, frame->repeats);
    }
    if (frame->skipped) {
        g_string_append_printf(
            words, "; %" PRIu64 " boundaries outside it are left out",
            frame->skipped);
    }
    g_string_append_printf(words, " %s", rule);
    ct_text_styled(text, line, CT_CYAN, words->str);
    g_string_free(words, TRUE);
}

void ct_frames_text(const struct ct_text *text, const struct ct_frame *frames,
                    unsigned n, bool complete)
{
    GString *line = g_string_new(NULL);
    unsigned number = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct ct_frame *frame = &frames[i];

        if (frame->boundary == CT_BOUNDARY_NONE) {
            text_code(text, line, frame, number++);
        } else {
            text_boundary(text, line, frame);
        }
        ct_text_line(text, line);
        /* Within a chain; where it ends below says it all. */
        if (frame->limit && (complete || i + 1 < n)) {
            ct_text_styled(text, line, CT_DIM, "(more frames than recorded)");
            ct_text_line(text, line);
        }
    }
    if (!complete) {
        ct_text_styled(text, line, CT_DIM,
                       n ? "(what lies outside was not recorded)"
                         : "(no stack was recorded)");
        ct_text_line(text, line);
    }
    g_string_free(line, TRUE);
}
