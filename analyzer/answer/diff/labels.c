/* SPDX-License-Identifier: MIT */
/*
 * What a label says, in words.
 */
#include "answer/diff/labels.h"

#include <inttypes.h>

#include "ct/backtrace.h"
#include "ct/pre.h"

static const char *const decision_words[CT_DECISION_KINDS] = {
    [CT_DECISION_COROUTINE] = "coroutine",
    [CT_DECISION_BH] = "bottom half",
    [CT_DECISION_TIMER] = "timer",
    [CT_DECISION_FD] = "fd handler",
    [CT_DECISION_WORK] = "work item",
    [CT_DECISION_COMPLETE] = "completion",
    [CT_DECISION_BEGIN] = "begin",
    [CT_DECISION_END] = "end",
};

static const char *const link_words[CT_LINK_KINDS] = {
    [CT_LINK_CAUSE] = "cause",
    [CT_LINK_LOCK] = "lock",
    [CT_LINK_POOL] = "pool",
    [CT_LINK_AFTER] = "after",
};

static const char *const how_words[] = {
    [CT_HOW_NONE] = NULL,
    [CT_HOW_FIRST] = "first entered",
    [CT_HOW_WORK] = "entered after its work",
    [CT_HOW_LOCK] = "entered after a lock",
    [CT_HOW_AGAIN] = "entered again",
};

const char *ct_decision_word(enum ct_decision_kind kind)
{
    ct_pre("decision-word/in-range", kind < CT_DECISION_KINDS);
    return decision_words[kind];
}

const char *ct_link_word(enum ct_link_kind kind)
{
    ct_pre("link-word/in-range", kind < CT_LINK_KINDS);
    return link_words[kind];
}

void ct_shared_init(struct ct_shared *shared)
{
    ct_words_init(&shared->words);
    ct_interned_init(&shared->ranges, sizeof(struct ct_range));
    ct_interned_init(&shared->labels, sizeof(struct ct_label));
    shared->files = ct_symbol_files_new();
}

void ct_shared_fini(struct ct_shared *shared)
{
    ct_interned_fini(&shared->ranges);
    ct_interned_fini(&shared->labels);
    ct_symbol_files_free(shared->files);
    ct_words_fini(&shared->words);
}

uint32_t ct_sequence_name(struct ct_words *words, GHashTable *taken,
                          uint32_t told, unsigned *nth)
{
    uint32_t name = told;

    if (*nth > 1 || g_hash_table_contains(taken, GUINT_TO_POINTER(told))) {
        GString *text = g_string_new(NULL);
        *nth = MAX(*nth, 2);
        do {
            g_string_printf(text, "%s (%u)", ct_words_text(words, told),
                            (*nth)++);
            name = ct_words_get(words, text->str);
        } while (g_hash_table_contains(taken, GUINT_TO_POINTER(name)));
        g_string_free(text, TRUE);
    }
    g_hash_table_add(taken, GUINT_TO_POINTER(name));
    return name;
}

static char *text_of(const struct ct_shared *shared, uint32_t number,
                     bool is_class)
{
    const struct ct_label *label = ct_shared_label(shared, number);
    const struct ct_words *words = &shared->words;
    bool is_request =
        label->kind == CT_DECISION_BEGIN || label->kind == CT_DECISION_END;
    GString *text = g_string_new(decision_words[label->kind]);

    if (!is_request) {
        g_string_append_printf(text, " %s", ct_words_text(words, label->what));
    }
    if (label->request) {
        g_string_append_printf(text, " of %s",
                               ct_words_text(words, label->request));
    }
    if (label->range && !is_class) {
        const struct ct_range *range =
            ct_interned_key(&shared->ranges, label->range - 1);
        g_string_append_printf(text, " %" PRIu64 "+%" PRIu64, range->offset,
                               range->bytes);
    }
    if (label->nth > 1 && !is_class) {
        g_string_append_printf(text, " #%u", label->nth);
    }
    if (label->parent) {
        g_string_append_printf(text, " from %s",
                               ct_words_text(words, label->parent));
    }
    if (how_words[label->how]) {
        g_string_append_printf(text, ", %s", how_words[label->how]);
    }
    if (label->step > 1 && !is_class) {
        g_string_append_printf(text, ", time %u", label->step);
    }
    return g_string_free(text, FALSE);
}

char *ct_label_text(const struct ct_shared *shared, uint32_t label)
{
    return text_of(shared, label, false);
}

char *ct_label_class(const struct ct_shared *shared, uint32_t label)
{
    return text_of(shared, label, true);
}
