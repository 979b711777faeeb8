/* SPDX-License-Identifier: MIT */
/*
 * render/render.h - the views that are files for other viewers
 *
 * Model:    a file each; see views.h for what a run is.
 * Memory:   the settings and the output are borrowed, as long as the run lives.
 * Depends:  views.h.
 */
#ifndef CT_RENDER_H
#define CT_RENDER_H

#include "views.h"

struct ct_view_run *ct_view_chrome(const struct ct_settings *settings,
                                   struct ct_out *out, GError **error);

#endif
