/* SPDX-License-Identifier: MIT */
/*
 * loops.c - see loops.h
 */
#include "loops.h"

#include <stdarg.h>

static GString *log_string;

void log_clear(void)
{
    if (log_string == NULL) {
        log_string = g_string_new(NULL);
    }
    g_string_truncate(log_string, 0);
}

void log_add(const char *format, ...)
{
    va_list args;

    if (log_string->len > 0) {
        g_string_append_c(log_string, ' ');
    }
    va_start(args, format);
    g_string_append_vprintf(log_string, format, args);
    va_end(args);
}

const char *log_text(void)
{
    return log_string->str;
}

bool loop_turn(struct loop *loop, bool blocking)
{
    if (loop->main != NULL) {
        return g_main_context_iteration(loop->main, blocking);
    }
    return aio_poll(loop->ctx, blocking);
}

void loop_drain(struct loop *loop)
{
    while (loop_turn(loop, false)) {
    }
}

static void run_in(loop_case *run, struct loop *loop)
{
    loop->ctx = aio_context_new("test", NULL);
    aio_context_set_current(loop->ctx);
    if (loop->main != NULL) {
        aio_context_attach(loop->ctx, loop->main);
    }
    log_clear();
    run(loop);
    aio_context_set_current(NULL);
    if (loop->main != NULL) {
        GSource *source = aio_get_g_source(loop->ctx);

        g_source_destroy(source);
        g_source_unref(source);
    }
    aio_context_unref(loop->ctx);
}

static void run_poll(gconstpointer data)
{
    struct loop loop = {0};

    run_in(*(loop_case *const *)data, &loop);
}

static void run_gsource(gconstpointer data)
{
    struct loop loop = {.main = g_main_context_new()};

    run_in(*(loop_case *const *)data, &loop);
    g_main_context_unref(loop.main);
}

void loops_add(const char *path, loop_case *run)
{
    loop_case **data = g_new(loop_case *, 1);
    char *poll_path = g_strdup_printf("%s/poll", path);
    char *gsource_path = g_strdup_printf("%s/gsource", path);

    *data = run;
    g_test_add_data_func(poll_path, data, run_poll);
    g_test_add_data_func_full(gsource_path, data, run_gsource, g_free);
    g_free(poll_path);
    g_free(gsource_path);
}
