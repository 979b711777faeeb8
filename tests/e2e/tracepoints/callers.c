/* SPDX-License-Identifier: MIT */
/*
 * callers.c - records events from wherever code of ours is called: main,
 * threads, GLib's loop inside GLib's loop, qsort(), inlined functions; gdb
 * looks on
 */
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>

#include "ct/emit.h"
#include "ct/retell.h"
#include "ct/stack.h"

#define NO_INLINE __attribute__((noinline))
#define HERE()    __asm__ volatile("" ::: "memory")

static inline __attribute__((always_inline)) void emit_inlined(uint64_t bh)
{
    ct_emit_bh_schedule(bh, 1, "inlined", NULL, 0);
}

NO_INLINE static void emit(unsigned depth)
{
    if (depth > 0) {
        emit(depth - 1);
    } else {
        emit_inlined(1);
        ct_emit_coroutine_create(1, emit);
        emit_inlined(2);
    }
    HERE();
}

static int compare(const void *a, const void *b)
{
    emit(1);
    return *(const int *)a - *(const int *)b;
}

static int compare_declared(const void *a, const void *b)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    emit(2);
    ct_stack_leave(&entry);
    return *(const int *)a - *(const int *)b;
}

NO_INLINE static void sort(void)
{
    int numbers[] = {3, 1, 2, 0};

    qsort(numbers, 4, sizeof(numbers[0]), compare);
    qsort(numbers, 4, sizeof(numbers[0]), compare_declared);
    emit(3);
}

static gboolean idle(void *opaque)
{
    sort();
    return G_SOURCE_REMOVE;
}

static gboolean idle_declared(void *opaque)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    sort();
    ct_stack_leave(&entry);
    return G_SOURCE_REMOVE;
}

static gboolean quit(void *loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean nested(void *depth);

NO_INLINE static void run_loop(int depth)
{
    GMainContext *context = g_main_context_new();
    GMainLoop *loop = g_main_loop_new(context, FALSE);
    GSourceFunc callbacks[] = {idle, idle_declared, idle, idle_declared,
                               nested};

    g_main_context_push_thread_default(context);
    for (size_t i = 0; i < G_N_ELEMENTS(callbacks); i++) {
        GSource *source = g_idle_source_new();

        g_source_set_callback(source, callbacks[i], GINT_TO_POINTER(depth),
                              NULL);
        g_source_attach(source, context);
        g_source_unref(source);
    }
    GSource *last = g_idle_source_new();
    g_source_set_priority(last, G_PRIORITY_LOW);
    g_source_set_callback(last, quit, loop, NULL);
    g_source_attach(last, context);
    g_source_unref(last);
    g_main_loop_run(loop);
    g_main_context_pop_thread_default(context);
    g_main_loop_unref(loop);
    g_main_context_unref(context);
    HERE();
}

static gboolean nested(void *depth)
{
    if (GPOINTER_TO_INT(depth) > 0) {
        run_loop(GPOINTER_TO_INT(depth) - 1);
    }
    return G_SOURCE_REMOVE;
}

static void *thread_main(void *opaque)
{
    emit(4);
    sort();
    run_loop(0);
    return NULL;
}

static void *gthread_main(void *opaque)
{
    emit(4);
    sort();
    return NULL;
}

int main(void)
{
    pthread_t thread;

    ct_retell_poll();
    emit(0);
    emit(60); /* more than a thread knows by heart */
    sort();
    run_loop(1);
    pthread_create(&thread, NULL, thread_main, NULL);
    pthread_join(thread, NULL);
    g_thread_join(g_thread_new("glib", gthread_main, NULL));
    emit(0);
    return 0;
}
