/* SPDX-License-Identifier: MIT */
/*
 * say.h - a trace by hand: SAY(trace, CO_ENTER, .subject = 1, .stack = 2)
 *
 * Process 1, thread 1 and the next ns unless said otherwise.
 */
#ifndef CT_TEST_SAY_H
#define CT_TEST_SAY_H

#include "ct/schema.h"
#include "pass.h"

struct said {
    struct pass *pass;
    int64_t now_ns;
};

static inline void say(struct said *said, struct ct_step step)
{
    step.when_ns = step.when_ns ? step.when_ns : said->now_ns + 1;
    step.pid = step.pid ? step.pid : 1;
    step.tid = step.tid ? step.tid : 1;
    said->now_ns = step.when_ns;
    pass_step(said->pass, &step);
}

#define SAY(said, kind_, ...) \
    say(said, (struct ct_step){.kind = CT_STEP_##kind_, __VA_ARGS__})

static inline struct said say_begin(void)
{
    return (struct said){.pass = pass_new(CT_WANT_ALL), .now_ns = 1000};
}

/* Tells the end, and that there was nothing odd about the trace. */
static inline struct pass *say_end(struct said *said)
{
    pass_finish(said->pass, said->now_ns + 1);
    g_assert_cmpuint(ct_model_oddities(said->pass->model), ==, 0);
    return said->pass;
}

/* "boundary id stack, ..." and at the end "main" or "?" */
static inline char *spell_origin(const struct ct_origin *origin)
{
    GString *text = g_string_new(NULL);
    bool cut = !origin;

    for (; origin; origin = origin->next) {
        g_string_append_printf(
            text, "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "%s, ",
            ct_boundary_word(origin->boundary), origin->id, origin->stack,
            origin->n_also ? "+" : "");
        cut = origin->cut;
    }
    g_string_append(text, cut ? "?" : "base");
    return g_string_free(text, FALSE);
}

#define assert_origin(origin, expect)                  \
    do {                                               \
        g_autofree char *text_ = spell_origin(origin); \
        g_assert_cmpstr(text_, ==, expect);            \
    } while (0)

/* "state ns [cause coroutine/request], ..." */
static inline char *spell_segments(const struct ct_request *request)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        g_string_append_printf(text, "%s%s %" G_GINT64_FORMAT, i ? ", " : "",
                               ct_state_word(segment->state),
                               segment->end_ns - segment->begin_ns);
        if (segment->tid) {
            g_string_append_printf(text, " on %d%s", segment->tid,
                                   segment->on_top ||
                                           segment->state != CT_STATE_RUNNING
                                       ? ""
                                       : " below");
        }
        if (segment->cause.kind != CT_CAUSE_NONE) {
            g_string_append_printf(
                text,
                " [%s %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
                "/%" G_GUINT64_FORMAT "]",
                ct_cause_word(segment->cause.kind), segment->cause.id,
                segment->cause.coroutine, segment->cause.request);
        }
    }
    return g_string_free(text, FALSE);
}

#define assert_segments(request, expect)                  \
    do {                                                  \
        g_autofree char *text_ = spell_segments(request); \
        g_assert_cmpstr(text_, ==, expect);               \
    } while (0)

#endif
