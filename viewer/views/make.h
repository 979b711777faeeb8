/* SPDX-License-Identifier: MIT */
/*
 * views/make.h - the views that are text or JSON of one answer
 *
 * Model:    a file each; see views.h for what a run is.
 * Memory:   the settings are borrowed for the call, the output as long as the
 *           run lives.
 * Depends:  views.h, ct/request.h, out/terminal.h.
 */
#ifndef CT_VIEWS_MAKE_H
#define CT_VIEWS_MAKE_H

#include "ct/request.h"
#include "out/terminal.h"
#include "views.h"

/** ct_state_style() - the colour of a state, the same in every view */
enum ct_style ct_state_style(enum ct_state state);

/** ct_text_next() - tells who reads @text where to go from here: to @request,
 * by its number within @place */
void ct_text_next(const struct ct_text *text, const struct ct_place *place,
                  uint64_t request);

struct ct_view_run *ct_view_stat(const struct ct_settings *settings,
                                 struct ct_out *out, GError **error);
struct ct_view_run *ct_view_requests(const struct ct_settings *settings,
                                     struct ct_out *out, GError **error);
struct ct_view_run *ct_view_backtrace(const struct ct_settings *settings,
                                      struct ct_out *out, GError **error);
struct ct_view_run *ct_view_coroutines(const struct ct_settings *settings,
                                       struct ct_out *out, GError **error);
struct ct_view_run *ct_view_findings(const struct ct_settings *settings,
                                     struct ct_out *out, GError **error);

#endif
