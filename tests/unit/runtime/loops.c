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

/* Return: false if the kernel refuses the loop's monitor. */
static bool set_up(struct loop *loop)
{
    loop->ctx = aio_context_new("test", NULL);
    if (aio_context_set_fdmon(loop->ctx, loop->fdmon) < 0) {
        aio_context_unref(loop->ctx);
        return false;
    }
    aio_context_set_current(loop->ctx);
    if (loop->main != NULL) {
        aio_context_attach(loop->ctx, loop->main);
    }
    log_clear();
    return true;
}

static void run_in(loop_case *run, struct loop *loop)
{
    if (!set_up(loop)) {
        g_test_skip("the kernel refuses it");
        return;
    }
    run(loop);
    aio_context_set_current(NULL);
    if (loop->main != NULL) {
        GSource *source = aio_get_g_source(loop->ctx);

        g_source_destroy(source);
        g_source_unref(source);
    }
    aio_context_unref(loop->ctx);
}

/* A case in one kind of loop; lives as long as the program. */
struct loop_test {
    loop_case *run;
    bool is_gsource;
    const char *fdmon;
    const void *data;
};

static void run_test(gconstpointer data)
{
    const struct loop_test *test = data;
    struct loop loop = {.fdmon = test->fdmon, .data = test->data};

    if (test->is_gsource) {
        loop.main = g_main_context_new();
    }
    run_in(test->run, &loop);
    g_clear_pointer(&loop.main, g_main_context_unref);
}

static void add(const char *path, const char *kind, struct loop_test test)
{
    char *full_path =
        kind != NULL ? g_strdup_printf("%s/%s", path, kind) : g_strdup(path);

    g_test_add_data_func_full(full_path, g_memdup2(&test, sizeof(test)),
                              run_test, g_free);
    g_free(full_path);
}

void loops_add_data(const char *path, loop_case *run, const void *data)
{
    add(path, "poll", (struct loop_test){.run = run, .data = data});
    add(path, "gsource",
        (struct loop_test){.run = run, .is_gsource = true, .data = data});
}

void loops_add(const char *path, loop_case *run)
{
    loops_add_data(path, run, NULL);
}

void loops_add_poll(const char *path, loop_case *run)
{
    add(path, NULL, (struct loop_test){.run = run});
}

void loops_add_fdmons(const char *path, loop_case *run)
{
    static const char *const fdmons[] = {"poll", "epoll", "io_uring"};

    add(path, "gsource", (struct loop_test){.run = run, .is_gsource = true});
    for (size_t i = 0; i < G_N_ELEMENTS(fdmons); i++) {
        add(path, fdmons[i],
            (struct loop_test){.run = run, .fdmon = fdmons[i]});
    }
}
