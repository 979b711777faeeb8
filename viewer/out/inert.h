/* SPDX-License-Identifier: MIT */
/*
 * out/inert.h - strings that came from outside, made harmless for people
 *
 * Model:    a string out of a trace may hold anything.  Its inert form is valid
 *           UTF-8 in which no character moves a cursor, changes a colour or the
 *           direction of writing, ends a line, or passes for another string:
 *           such bytes become escapes (\n \t \\ \x1b \u{202e}).
 * Threads:  any.
 * Memory:   results are appended to the caller's GString, or are his.
 * Errors:   none.
 * Depends:  glib.h.
 */
#ifndef CT_OUT_INERT_H
#define CT_OUT_INERT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** ct_inert_append() - append @text (NUL-terminated, any bytes), inert */
void ct_inert_append(GString *string, const char *text);

/**
 * ct_typed_path() - a file's name as it can be typed into a shell
 * Its inert form can be, too, where that is possible: a backslash becomes two
 * there, so quotes that need none are preferred.
 * Return: to be freed by g_free().
 */
char *ct_typed_path(const char *path);

/**
 * ct_inert_unsafe() - must this character be escaped in what people read?
 * Control characters (C0, DEL, C1), line and paragraph separators, and what
 * changes the direction of writing.
 */
bool ct_inert_unsafe(uint32_t character);

/**
 * ct_utf8_next() - take one character off a string of unknown origin
 * @text: not empty
 * @ret_character: the character; only set when the result is not 0
 * Return: its length in bytes, 1 to 4; 0 when no valid character starts here
 * (overlong forms, surrogates and what lies above U+10FFFF are not valid).
 */
unsigned ct_utf8_next(const char *text, uint32_t *ret_character);

#endif
