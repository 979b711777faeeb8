/* SPDX-License-Identifier: MIT */
/*
 * in/json.h - JSON that was written by us, read piece by piece
 *
 * Model:    the caller knows what must come and takes it.  The first thing that
 *           is not what was asked for is a `problem`; from then on everything
 *           reads as empty, so that it is enough to look at the end.
 *               ct_json_in_open(in, '[');
 *               while (ct_json_in_more(in, ']')) { take one; }
 * Threads:  one.
 * Memory:   the text is borrowed.
 * Errors:   `problem`, at `at`.
 * Depends:  glib.h.
 */
#ifndef CT_IN_JSON_H
#define CT_IN_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ct_json_in {
    const char *text, *at, *end;
    bool is_first;       /* in its object or array */
    const char *problem; /* NULL: none */
};

void ct_json_in_init(struct ct_json_in *in, const char *text, size_t bytes);

/** ct_json_in_fail() - that is not what should be there */
void ct_json_in_fail(struct ct_json_in *in, const char *problem);

/** ct_json_in_open() - @bracket: '{' or '[' */
void ct_json_in_open(struct ct_json_in *in, char bracket);

/** ct_json_in_more() - is there another element?  Else @bracket is taken. */
bool ct_json_in_more(struct ct_json_in *in, char bracket);

/** ct_json_in_string() - into @text, as UTF-8 */
void ct_json_in_string(struct ct_json_in *in, GString *text);

/** ct_json_in_key() - a string and its colon */
void ct_json_in_key(struct ct_json_in *in, GString *key);

int64_t ct_json_in_i64(struct ct_json_in *in);
bool ct_json_in_bool(struct ct_json_in *in);

/** ct_json_in_end() - nothing may follow but blanks */
void ct_json_in_end(struct ct_json_in *in);

#endif
