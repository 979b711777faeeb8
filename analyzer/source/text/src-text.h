/* SPDX-License-Identifier: MIT */
/*
 * source/text/src-text.h - what the text source tells of its reading
 *
 * Model:    the report is the data that a graph gives to the component when it
 *           adds it; it is filled when the file has been read to its end.
 * Memory:   the report is borrowed for the life of the graph.
 * Depends:  babeltrace2.
 */
#ifndef CT_SOURCE_TEXT_SRC_TEXT_H
#define CT_SOURCE_TEXT_SRC_TEXT_H

#include <babeltrace2/babeltrace.h>
#include <stdbool.h>

struct ct_text_report {
    uint64_t records; /* events, and holes where some were lost */
    uint64_t bad_lines;
    char first_bad[192];   /* "line 7: why" */
    uint64_t stepped_back; /* times that were moved up */
};

/** ct_text_class() - the component class for the command's graphs */
const bt_component_class_source *ct_text_class(void);

/** ct_text_recognise() - does a file begin as a text trace? */
bool ct_text_recognise(const char *path);

#endif
