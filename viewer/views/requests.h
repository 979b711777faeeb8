/* SPDX-License-Identifier: MIT */
/*
 * views/requests.h - between the files that show requests
 *
 * Model:    requests.c has the view, the order of its rows and the table;
 *           requests_rows.c makes a row: a line of JSON, or cells with tabs
 *           between them (inert text holds no tab).
 * Threads:  one at a time.
 * Memory:   the request is lent; what it shows is in the row.
 * Errors:   those of the output.
 * Depends:  views/causes.h, out/terminal.h.
 */
#ifndef CT_VIEWS_REQUESTS_H
#define CT_VIEWS_REQUESTS_H

#include "out/file.h"
#include "out/terminal.h"
#include "views/causes.h"

struct ct_request_rows {
    struct ct_out *out;   /* in memory: the row that is made */
    struct ct_text *text; /* how text is styled */
    const struct ct_consumer *consumer;
    struct ct_blame_view causes;
    bool blame;
    bool path; /* the critical path instead of the segments */
};

void ct_request_json(struct ct_request_rows *rows,
                     const struct ct_request *request);

/** ct_request_text() - cells for the columns of requests.c */
void ct_request_text(struct ct_request_rows *rows,
                     const struct ct_request *request);

#endif
