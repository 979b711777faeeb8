/* SPDX-License-Identifier: MIT */
/*
 * diff_lines.c - lines and paragraphs of the page of `cotrace diff`
 *
 * A paragraph keeps to COLUMNS wherever it goes: it is read, not computed with.
 */
#include "views/diff_lines.h"

#include <string.h>

#include "out/inert.h"

enum {
    COLUMNS = 80,
    HANG = 5, /* what is left of the second line of a paragraph */
};

void ct_page_init(struct ct_page *page, struct ct_out *out)
{
    page->line = g_string_new(NULL);
    ct_text_init(&page->text, out);
    if (page->text.columns <= 2 * HANG || page->text.columns > COLUMNS) {
        page->text.columns = COLUMNS;
    }
}

void ct_page_fini(struct ct_page *page)
{
    g_string_free(page->line, TRUE);
}

void ct_page_say(struct ct_page *page, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *words = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    ct_inert_append(page->line, words);
}

/* The last blank that keeps the line in its columns; 0: there is none. */
static size_t break_at(const struct ct_page *page, unsigned columns)
{
    const char *text = page->line->str;
    size_t best = 0;
    size_t start = strspn(text, " ");

    for (size_t i = start; text[i]; i++) {
        if (text[i] != ' ') {
            continue;
        }
        g_autofree char *before = g_strndup(text, i);
        if (ct_text_width(before) > columns) {
            break;
        }
        best = i;
    }
    return best;
}

void ct_page_end_line(struct ct_page *page)
{
    size_t at;

    while (ct_text_width(page->line->str) > page->text.columns &&
           (at = break_at(page, page->text.columns)) > 0) {
        g_autofree char *rest = g_strdup(page->line->str + at + 1);
        while (at > 0 && page->line->str[at - 1] == ' ') {
            at--;
        }
        g_string_truncate(page->line, at);
        ct_text_line(&page->text, page->line);
        g_string_append_printf(page->line, "%*s%s", HANG, "", rest);
    }
    ct_text_line(&page->text, page->line);
}

void ct_page_heading(struct ct_page *page, const char *words)
{
    ct_out_line(page->text.out);
    ct_text_styled(&page->text, page->line, CT_BOLD, words);
    ct_page_end_line(page);
}
