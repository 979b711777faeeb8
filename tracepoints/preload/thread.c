/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads: who made them, their names, their ends
 *
 * A thread begins in a function of ours, which calls its own.  What a thread
 * does before that, and after its function has returned, is libc's, and of
 * destructors of thread-local data; it is not recorded.  Threads of
 * thrd_create() are made inside libc and don't come by here: nothing of them is
 * recorded.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "ct/id.h"

#include "guard.h"
#include "rings.h"
#include "sandbox.h"

CT_REAL_OF(pthread_create);
CT_REAL_OF(pthread_setname_np);

enum {
    NAME_BYTES = 16,
    GUESSES = 16, /* unlocks of a new thread that may begin a section */
};

struct birth {
    void *(*start)(void *);
    void *opaque;
    uint64_t id;
};

static void name_of(char *ret_name)
{
    ret_name[0] = '\0';
    (void)prctl(PR_GET_NAME, ret_name);
}

CT_TOLD static void told_start(void)
{
    char name[NAME_BYTES + 1] = "";

    name_of(name);
    CT_GUARDED(ct_emit_thread_start(ct_self.id, name));
}

CT_TOLD static void told_end(void *opaque)
{
    /* A cancellation may take effect where a guard is left. */
    ct_self.busy = 0;
    ct_self.guard = NULL;
    ct_rings_end_thread();
    CT_GUARDED(ct_emit_thread_exit(ct_self.id));
    ct_guard_end_thread();
}

/* Also what pthread_exit() and a cancellation leave through. */
static void *begin(void *opaque)
{
    struct birth birth = *(struct birth *)opaque;
    void *result;

    free(opaque);
    ct_guard_begin_thread(birth.id);
    ct_self.guesses = GUESSES;
    told_start();
    pthread_cleanup_push(told_end, NULL);
    result = birth.start(birth.opaque);
    pthread_cleanup_pop(1);
    return result;
}

CT_TOLD static void told_create(const struct birth *birth)
{
    uint64_t held[CT_HELD_MAX];

    if (ct_emit_on_native_thread()) {
        ct_emit_native_thread(birth->id, birth->start, held, ct_held(held));
    }
    ct_emit_thread_create(birth->id, "");
}

CT_HOOK int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                           void *(*start)(void *), void *opaque)
{
    struct birth *birth = ct_emit_on_thread_create() && ct_guard_may() &&
                                  ct_sandbox_may(CT_SANDBOX_THREADS)
                              ? malloc(sizeof(*birth))
                              : NULL;
    uint64_t id;
    int error;

    if (!birth) {
        return CT_REAL(pthread_create)(thread, attr, start, opaque);
    }
    id = ct_id_new();
    *birth = (struct birth){.start = start, .opaque = opaque, .id = id};
    CT_GUARDED(told_create(birth));
    error = CT_REAL(pthread_create)(thread, attr, begin, birth);
    if (error) {
        CT_GUARDED(ct_emit_thread_exit(id));
        free(birth);
    }
    return error;
}

CT_HOOK int pthread_setname_np(pthread_t thread, const char *name)
{
    int error = CT_REAL(pthread_setname_np)(thread, name);

    if (!error && pthread_equal(thread, pthread_self())) {
        CT_GUARDED(ct_emit_thread_name(ct_self.id, name));
    }
    return error;
}
