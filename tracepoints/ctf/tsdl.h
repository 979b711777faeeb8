/* SPDX-License-Identifier: MIT */
/*
 * tsdl.h - the words and types of CTF metadata
 *
 * Model:    a cursor over the text with one word in hand.  An error sticks:
 *           from then on every word is the end.
 * Threads:  one.
 * Memory:   words and types lie in the parser, until ct_tsdl_fini().
 * Errors:   tsdl->why, a constant string; NULL: none so far.
 * Depends:  glib.h.
 */
#ifndef CT_CTF_TSDL_H
#define CT_CTF_TSDL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CT_TSDL_WORD_MAX   256
#define CT_TSDL_FIELDS_MAX 512 /* of a structure */

enum ct_tsdl_kind {
    CT_TSDL_END,
    CT_TSDL_NAME, /* identifier, keyword */
    CT_TSDL_NUMBER,
    CT_TSDL_STRING, /* without its quotes */
    CT_TSDL_MARK,   /* punctuation: { } [ ] ( ) < > ; , . : = := ... - */
};

enum ct_type_kind {
    CT_TYPE_INTEGER, /* floating point numbers, too: so many bytes */
    CT_TYPE_STRING,
    CT_TYPE_STRUCT,
    CT_TYPE_OTHER, /* legal, but not to be found in what we check */
};

struct ct_type_field;

struct ct_type {
    enum ct_type_kind kind;
    unsigned bits;  /* integer */
    unsigned align; /* bits */
    bool is_signed;
    bool other_order; /* not the trace's byte order */
    unsigned n_fields;
    struct ct_type_field *fields;
};

struct ct_type_field {
    const char *name;
    const struct ct_type *type;
    bool is_array;
    uint64_t length;         /* array without `length_name` */
    const char *length_name; /* array: the field that tells its length */
    bool is_length;          /* of a later array in the same structure */
};

struct ct_tsdl {
    const char *at;
    const char *why;
    enum ct_tsdl_kind kind; /* the word in hand */
    char word[CT_TSDL_WORD_MAX];
    unsigned depth;
    unsigned passed;      /* fields that programs pass over, of all events */
    GPtrArray *allocated; /* everything that types and names are made of */
    GHashTable *types;    /* name -> const struct ct_type: typealias, struct */
    bool big_endian;
};

void ct_tsdl_init(struct ct_tsdl *tsdl, const char *text);
void ct_tsdl_fini(struct ct_tsdl *tsdl);

void ct_tsdl_fail(struct ct_tsdl *tsdl, const char *why);
void ct_tsdl_next(struct ct_tsdl *tsdl);
bool ct_tsdl_is(const struct ct_tsdl *tsdl, const char *word);
/** ct_tsdl_take() - go on if this is the word in hand */
bool ct_tsdl_take(struct ct_tsdl *tsdl, const char *word);
/** ct_tsdl_expect() - as take, an error if it is another */
void ct_tsdl_expect(struct ct_tsdl *tsdl, const char *word);
/** ct_tsdl_number() - the number in hand; goes on */
uint64_t ct_tsdl_number(struct ct_tsdl *tsdl);
/** ct_tsdl_name() - the name, dotted names in one ("packet.header"); goes on */
const char *ct_tsdl_name(struct ct_tsdl *tsdl);
/** ct_tsdl_skip_block() - from "{" in hand to behind its "}" */
void ct_tsdl_skip_block(struct ct_tsdl *tsdl);

/**
 * ct_tsdl_setting() - in a block of "NAME = VALUE;": the next one's name
 *
 * For a block whose "{" is behind; each value is taken, and its ";" expected,
 * by the caller.
 * Return: with the value in hand; NULL: the block's "}" is behind, or an error.
 */
const char *ct_tsdl_setting(struct ct_tsdl *tsdl);
/** ct_tsdl_skip_value() - to the ";" behind it */
void ct_tsdl_skip_value(struct ct_tsdl *tsdl);

/** ct_tsdl_type() - the type in hand; NULL: an error */
const struct ct_type *ct_tsdl_type(struct ct_tsdl *tsdl);
/** ct_tsdl_typealias() - what follows the keyword, up to its ";" */
void ct_tsdl_typealias(struct ct_tsdl *tsdl);

#endif
