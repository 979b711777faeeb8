/* SPDX-License-Identifier: MIT */
/*
 * view.c - what a view is made of: its warnings, and how its parts are freed
 */
#include "source/salvage/view.h"

#include <stdarg.h>

void ct_view_warn(struct ct_view *view, const char *format, ...)
{
    va_list args;
    char *text;

    if (view->warnings.warn) {
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        view->warnings.warn(text, view->warnings.data);
        g_free(text);
    }
}

void ct_view_file_free(void *data)
{
    struct ct_view_file *file = data;

    g_free(file->path);
    g_free(file->stream);
    g_array_unref(file->ranges);
    g_free(file);
}

void ct_view_trace_free(void *data)
{
    struct ct_view_trace *trace = data;

    g_free(trace->dir);
    g_free(trace->view_dir);
    g_free(trace->metadata);
    ct_ctf_layout_free(trace->layout);
    g_ptr_array_unref(trace->files);
    g_free(trace);
}
