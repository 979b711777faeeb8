/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - text for people: what its place can show
 *
 * Lines hold only what inert.c let through and our own escape sequences, all
 * of the form ESC [ ... m; so a width is counted by skipping exactly those.
 */
#include "out/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>

#include "out/inert.h"

#define RESET "\033[0m"

static const char *const styles[CT_STYLES] = {
    [CT_PLAIN] = "",        [CT_BOLD] = "\033[1m",     [CT_DIM] = "\033[2m",
    [CT_RED] = "\033[31m",  [CT_GREEN] = "\033[32m",   [CT_YELLOW] = "\033[33m",
    [CT_BLUE] = "\033[34m", [CT_MAGENTA] = "\033[35m", [CT_CYAN] = "\033[36m",
};

static unsigned terminal_columns(int fd)
{
    struct winsize size;

    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col) {
        return size.ws_col;
    }
    return 80;
}

/* By the environment: as a plugin we are in a program that may not have set
 * its locale. */
static bool takes_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool is_utf8 = false;

    if (locale) {
        is_utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
        freelocale(locale);
    }
    return is_utf8;
}

void ct_text_init(struct ct_text *text, struct ct_out *out)
{
    const char *no_colour = g_getenv("NO_COLOR");
    const char *term = g_getenv("TERM");

    *text = (struct ct_text){.out = out};
    text->utf8 = takes_utf8();
    if (out->is_terminal) {
        text->colour =
            !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
        text->columns = terminal_columns(out->fd);
    }
}

void ct_text_styled(const struct ct_text *text, GString *line,
                    enum ct_style style, const char *words)
{
    bool coloured = text->colour && style != CT_PLAIN && *words;

    if (coloured) {
        g_string_append(line, styles[style]);
    }
    g_string_append(line, words);
    if (coloured) {
        g_string_append(line, RESET);
    }
}

/* One character or one whole escape sequence; its columns. */
static unsigned step(const char *at, unsigned *ret_columns)
{
    uint32_t character;
    unsigned length = ct_utf8_next(at, &character);

    *ret_columns = 1;
    if (!length) {
        return 1;
    }
    if (character == '\033') {
        *ret_columns = 0;
        for (length = 1; at[length] && at[length - 1] != 'm'; length++) {
        }
        return length;
    }
    if (g_unichar_iszerowidth(character)) {
        *ret_columns = 0;
    } else if (g_unichar_iswide(character)) {
        *ret_columns = 2;
    }
    return length;
}

void ct_text_line(const struct ct_text *text, GString *line)
{
    ct_out_write(text->out, line->str, line->len);
    ct_out_line(text->out);
    g_string_truncate(line, 0);
}

unsigned ct_text_width(const char *text)
{
    unsigned width = 0;

    for (;;) {
        unsigned columns;

        /* Nearly all there is. */
        while (*text >= ' ' && *text <= '~') {
            text++;
            width++;
        }
        if (!*text) {
            return width;
        }
        text += step(text, &columns);
        width += columns;
    }
}

void ct_text_cut(const struct ct_text *text, GString *line, unsigned columns)
{
    const char *sign = text->utf8 ? "\u2026" : "~";
    unsigned width = 0;
    size_t cut = 0, at = 0;

    if (!columns || ct_text_width(line->str) <= columns) {
        return;
    }
    while (line->str[at]) {
        unsigned more;
        unsigned length = step(line->str + at, &more);

        if (width + more > columns - 1) {
            break;
        }
        width += more;
        at += length;
        cut = at;
    }
    g_string_truncate(line, cut);
    if (text->colour) {
        g_string_append(line, RESET);
    }
    g_string_append(line, sign);
}
