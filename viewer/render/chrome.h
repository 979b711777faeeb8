/* SPDX-License-Identifier: MIT */
/*
 * render/chrome.h - between the two halves of the Chrome renderer
 *
 * Model:    chrome.c fills the tape while the pass goes on; chrome_json.c reads
 *           it at the end and writes the file.
 * Memory:   belongs to chrome.c.
 * Depends:  the rooms beside it.
 */
#ifndef CT_RENDER_CHROME_H
#define CT_RENDER_CHROME_H

#include "ct/consumer.h"
#include "out/file.h"
#include "out/json.h"
#include "render/labels.h"
#include "render/lanes.h"
#include "render/tracks.h"
#include "views.h"

/* Two runs in one file: what both halves share. */
struct ct_chrome_pair {
    struct ct_out *out;
    struct ct_json json;
    int64_t next_index; /* of processes, in their order */
    struct ct_summary summary[2];
};

struct ct_chrome {
    struct ct_chrome_pair *pair; /* NULL: a file of its own */
    unsigned side;
    struct ct_spool *tape;
    struct ct_tracks tracks;
    struct ct_labels *labels;
    struct ct_lanes *lanes;
    uint64_t split_bytes; /* a file has about so many at most; 0: one file */
};

/** ct_chrome_write() - the whole file, or all files
 * @out: the file; to be split: the one that none is written to, its name with a
 *       number is theirs
 * Return: false with @error: the tape can't be read or @out not be written. */
bool ct_chrome_write(struct ct_chrome *chrome, struct ct_out *out,
                     const struct ct_summary *summary, GError **error);

/** ct_chrome_pair_begin() - before the views of both runs (ct_view_chrome_of)
 */
void ct_chrome_pair_begin(struct ct_chrome_pair *pair, struct ct_out *out);

/** ct_chrome_pair_end() - after both passes */
void ct_chrome_pair_end(struct ct_chrome_pair *pair);

/** ct_view_chrome_of() - the view that writes one of both runs; A first */
struct ct_view_run *ct_view_chrome_of(struct ct_chrome_pair *pair,
                                      unsigned side);

#endif
