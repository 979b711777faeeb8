/* SPDX-License-Identifier: MIT */
/*
 * emit_all.c - records every event there is, for the test beside it
 *
 *   emit_all            at once
 *   emit_all late       says "ready", then waits for a recording; the second
 *                       round after each of the first tellings
 *   emit_all threads    the second round in four threads, again and again
 * Prints whether anybody recorded it and whether LTTng is loaded.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct/emit.h"
#include "ct/retell.h"
#include "ct/stack.h"

#include "emit_all.inc"

enum { THREADS = 4, TIMES = 500, LATE_TELLINGS = 6 };

static int tellings; /* atomic */

static void tell(uint64_t telling)
{
    __atomic_fetch_add(&tellings, 1, __ATOMIC_RELAXED);
    ct_emit_state_context(telling, 4711, "teller", 0, 0);
}

static bool is_lttng_loaded(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    bool found = false;

    while (maps && fgets(line, sizeof(line), maps)) {
        found |= strstr(line, "liblttng-ust.so") != NULL;
    }
    if (maps) {
        fclose(maps);
    }
    return found;
}

static void *emit_often(void *opaque)
{
    for (int i = 0; i < TIMES; i++) {
        emit_round_1();
        ct_retell_poll();
    }
    return NULL;
}

static void in_threads(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, emit_often, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Until a recording has come and so many tellings were made for it. */
static void until_told(int wanted)
{
    for (int told = 0; told < wanted; sched_yield()) {
        int now = __atomic_load_n(&tellings, __ATOMIC_RELAXED);

        ct_retell_poll();
        if (told != now) {
            told = now;
            emit_round_1();
            emit_round_1();
        }
    }
}

int main(int argc, char **argv)
{
    static struct ct_teller teller = {.tell = tell};
    const char *how = argc > 1 ? argv[1] : "";
    bool on = ct_emit_on_bh_schedule();

    ct_retell_register(&teller);
    if (strcmp(how, "threads") == 0) {
        in_threads();
    } else if (strcmp(how, "late") == 0) {
        printf("ready\n");
        fflush(stdout);
        until_told(LATE_TELLINGS);
    } else {
        ct_retell_poll();
        emit_round_0();
        emit_round_1();
        emit_round_2();
    }
    printf("%s, %s\n", on ? "recorded" : "not recorded",
           is_lttng_loaded() ? "LTTng loaded" : "no LTTng");
    return 0;
}
