/* SPDX-License-Identifier: MIT */
/*
 * sections.c - what a thread does without the mutex of its condition
 *
 * A thread that waits for a condition mostly takes something to do under its
 * mutex, and does it without.  So once a thread has waited (wait.c), what lies
 * between an unlock of that mutex and the next lock is told as a section, if no
 * I/O call (io.c) tells as much of its end; until then each of its first
 * unlocks may be the begin of one.
 *
 * A begin is told before the mutex is released: so begins stand in the order in
 * which threads took what they do.  That is how a reader knows who serves what
 * where several hold the same addresses.
 */
#include <pthread.h>

#include "guard.h"

static void tell_section(const pthread_mutex_t *mutex)
{
    uint64_t held[CT_HELD_MAX];
    uint32_t n = ct_held(held);

    ct_emit_native_section_begin(mutex, held, n);
}

CT_TOLD static void told_unlock(const pthread_mutex_t *mutex)
{
    if (ct_self.mutex != mutex) {
        ct_self.guesses--;
    }
    if (ct_emit_on_native_section_begin() && ct_guard_may()) {
        ct_self.section = mutex;
        CT_GUARDED(tell_section(mutex));
    }
}

CT_TOLD static void told_lock(const pthread_mutex_t *mutex)
{
    ct_self.section = NULL;
    CT_GUARDED(ct_emit_native_section_end(mutex));
}

CT_REAL_OF(pthread_mutex_unlock);
CT_HOOK int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (__builtin_expect(ct_self.guesses > 0 || ct_self.mutex == mutex, 0)) {
        told_unlock(mutex);
    }
    return CT_REAL(pthread_mutex_unlock)(mutex);
}

CT_REAL_OF(pthread_mutex_lock);
CT_HOOK int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (__builtin_expect(ct_self.section == mutex, 0)) {
        told_lock(mutex);
    }
    return CT_REAL(pthread_mutex_lock)(mutex);
}
