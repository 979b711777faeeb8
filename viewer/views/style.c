/* SPDX-License-Identifier: MIT */
/*
 * style.c - what is the same in every view: colours, where to go next
 *
 * Green: it goes on.  Blue: somebody works for it.  Yellow and magenta: it
 * could go on, and nobody takes it up.  Red: it waits for its turn.
 */
#include "views/make.h"

#include <inttypes.h>

#include "out/inert.h"

enum ct_style ct_state_style(enum ct_state state)
{
    switch (state) {
    case CT_STATE_RUNNING:
        return CT_GREEN;
    case CT_STATE_WORK_RUNNING:
    case CT_STATE_WORK:
    case CT_STATE_IO:
        return CT_BLUE;
    case CT_STATE_RUNNABLE:
        return CT_YELLOW;
    case CT_STATE_WORK_DONE:
    case CT_STATE_COMPLETING:
        return CT_MAGENTA;
    case CT_STATE_WORK_QUEUED:
    case CT_STATE_LOCK:
    case CT_STATE_QUEUE:
        return CT_RED;
    case CT_STATE_TIMER:
    case CT_STATE_CHILDREN:
        return CT_CYAN;
    default:
        return CT_DIM;
    }
}

static void append_ns(GString *words, const char *option, bool is_given,
                      int64_t ns)
{
    if (is_given) {
        g_string_append_printf(words, " %s=%" PRId64, option, ns);
    }
}

void ct_text_next(const struct ct_text *text, const struct ct_place *place,
                  uint64_t request)
{
    const struct ct_span *span = &place->span;
    g_autofree char *typed =
        ct_typed_path(place->trace ? place->trace : "TRACE");
    GString *words = g_string_new("next: cotrace backtrace ");
    GString *line = g_string_new(NULL);

    ct_inert_append(words, typed);
    g_string_append_printf(words, " --request=%" PRIu64, request);
    append_ns(words, "--begin", span->has_begin, span->begin_ns);
    append_ns(words, "--end", span->has_end, span->end_ns);
    ct_text_styled(text, line, CT_DIM, words->str);
    ct_text_line(text, line);
    g_string_free(line, TRUE);
    g_string_free(words, TRUE);
}
