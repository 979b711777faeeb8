/* SPDX-License-Identifier: MIT */
/*
 * An unwinder that goes by .eh_frame sees a coroutine's frames as far as its
 * trampoline, and is told that there is nothing outside.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <string.h>

#include "ct/coroutine.h"
#include "ct/emit.h"
#include "lib/tap.h"

#define FRAMES_MAX 64

static char names[FRAMES_MAX][64];
static int n_frames;
static int last_step;

static void unwind(void)
{
    unw_context_t context;
    unw_cursor_t cursor;

    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    n_frames = 0;
    do {
        unw_word_t offset;

        names[n_frames][0] = '\0';
        unw_get_proc_name(&cursor, names[n_frames], sizeof(names[0]), &offset);
        n_frames++;
        last_step = unw_step(&cursor);
    } while (last_step > 0 && n_frames < FRAMES_MAX);
}

static int frame_of(const char *name)
{
    for (int i = 0; i < n_frames; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static void on_event(const struct fake_event *event)
{
    unwind();
}

__attribute__((noinline)) void coroutine_fn unwind_inner(void *opaque);
__attribute__((noinline)) void coroutine_fn unwind_outer(void *opaque);

void coroutine_fn unwind_inner(void *opaque)
{
    coroutine_yield();
    unwind();
    __asm__ volatile("" ::: "memory"); /* not a tail call */
}

void coroutine_fn unwind_outer(void *opaque)
{
    unwind_inner(opaque);
    __asm__ volatile("" ::: "memory");
}

static void check_frames(void)
{
    int inner = frame_of("unwind_inner");

    tap_check(inner >= 0);
    tap_equal(frame_of("unwind_outer"), inner + 1);
    tap_equal(frame_of("coroutine_trampoline"), inner + 2);
    tap_equal(n_frames, inner + 3);
    tap_equal(last_step, 0); /* the end, not an error */
}

/* While it is recorded that it yields, on a later turn, in a second life. */
static void test_unwind(void)
{
    for (int life = 0; life < 2; life++) {
        Coroutine *co = coroutine_create(unwind_outer, NULL);

        fake_emit = on_event;
        coroutine_enter(co);
        fake_emit = NULL;
        check_frames();
        coroutine_enter(co);
        check_frames();
    }
}

int main(void)
{
    tap_run("/coroutine/unwind", test_unwind);
    return tap_end();
}
