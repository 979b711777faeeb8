/* SPDX-License-Identifier: MIT */
/*
 * source/text/text-line.h - one line of a text trace
 *
 * Model:    a line is an event, a hole, nothing (empty, a comment), or bad.
 *           docs/TRACES.md has the grammar.
 * Threads:  one parser a thread.
 * Memory:   a result's strings lie in the line that was given, its arrays in
 *           the parser; both until the next call.
 * Errors:   a bad line is a result, with its reason.
 * Depends:  ct/record.h.
 */
#ifndef CT_SOURCE_TEXT_TEXT_LINE_H
#define CT_SOURCE_TEXT_TEXT_LINE_H

#include "ct/record.h"

#define CT_TEXT_HEAD        "cotrace-text 1"
#define CT_TEXT_NO_CLOCK    "clock none"
#define CT_TEXT_STREAMS_MAX 64
#define CT_TEXT_LINE_MAX    (1 << 20)
#define CT_TEXT_ARRAY_MAX   4096

enum ct_text_kind {
    CT_TEXT_NOTHING,
    CT_TEXT_EVENT,
    CT_TEXT_HOLE,
    CT_TEXT_BAD,
};

struct ct_text_parser {
    bool has_clock; /* false: every time is "-" */
    /* of the last line */
    struct ct_record record; /* when_ns as told: order is not checked here */
    char reason[128];        /* CT_TEXT_BAD */
    uint64_t array[CT_TEXT_ARRAY_MAX];
    uint8_t bytes[CT_TEXT_ARRAY_MAX];
};

/** ct_text_parse() - read one line
 * @line: NUL-terminated, without newline; is changed */
enum ct_text_kind ct_text_parse(struct ct_text_parser *parser, char *line);

#endif
