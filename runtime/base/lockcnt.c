/* SPDX-License-Identifier: MIT */
/*
 * lockcnt.c - see lockcnt.h
 *
 * One word, so that "nobody is counted" and "the lock is taken" change in one
 * step.  Its lowest bits say
 *
 *     FREE      nobody has the lock
 *     LOCKED    somebody has it, nobody waits for it
 *     WAITED    somebody has it, and threads may sleep until it is free
 *
 * A thread that has to wait sets WAITED and sleeps on the word's value; whoever
 * unlocks wakes all, and they try again.  (Not one: a reader that was woken
 * would not take the lock, and those behind it would sleep on.)  The count may
 * change meanwhile; then the sleep ends early, or does not begin.
 */
#include "base/lockcnt.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"
#include "ct/pre.h"

enum { FREE = 0, LOCKED = 1, WAITED = 2, STATE = 3, ONE = 4 };

static unsigned state_of(unsigned word)
{
    return word & STATE;
}

/* Until the lock looks free.  @word: as it was found; Return: as it is. */
static unsigned wait_free(struct lockcnt *lockcnt, unsigned word)
{
    while (state_of(word) != FREE) {
        if (state_of(word) == LOCKED) {
            unsigned waited = (word & ~(unsigned)STATE) | WAITED;

            if (!ct_cmpxchg(&lockcnt->word, &word, waited)) {
                continue;
            }
            word = waited;
        }
        (void)syscall(SYS_futex, &lockcnt->word, FUTEX_WAIT_PRIVATE, word, NULL,
                      NULL, 0);
        word = ct_load(&lockcnt->word);
    }
    return word;
}

void lockcnt_inc(struct lockcnt *lockcnt)
{
    unsigned word = ct_load(&lockcnt->word);

    for (;;) {
        if (word < ONE && state_of(word) != FREE) {
            word = wait_free(lockcnt, word);
            continue;
        }
        /* Pairs with unlock(): what was freed is not seen any more. */
        if (ct_cmpxchg(&lockcnt->word, &word, word + ONE)) {
            return;
        }
    }
}

void lockcnt_dec(struct lockcnt *lockcnt)
{
    unsigned word = ct_fetch_sub(&lockcnt->word, ONE);

    ct_pre("lockcnt-dec/counted", word >= ONE);
}

bool lockcnt_dec_and_lock(struct lockcnt *lockcnt)
{
    unsigned word = ct_load(&lockcnt->word);

    for (;;) {
        ct_pre("lockcnt-dec/counted", word >= ONE);
        if (word >= 2 * ONE) {
            if (ct_cmpxchg(&lockcnt->word, &word, word - ONE)) {
                return false;
            }
        } else if (state_of(word) != FREE) {
            word = wait_free(lockcnt, word);
        } else if (ct_cmpxchg(&lockcnt->word, &word, LOCKED)) {
            return true; /* pairs with the decrements of other readers */
        }
    }
}

bool lockcnt_dec_if_lock(struct lockcnt *lockcnt)
{
    unsigned word = ONE | FREE;

    return ct_cmpxchg(&lockcnt->word, &word, LOCKED);
}

void lockcnt_lock(struct lockcnt *lockcnt)
{
    unsigned word = ct_load(&lockcnt->word);

    for (;;) {
        if (state_of(word) != FREE) {
            word = wait_free(lockcnt, word);
        } else if (ct_cmpxchg(&lockcnt->word, &word, word | LOCKED)) {
            return;
        }
    }
}

static void unlock(struct lockcnt *lockcnt, unsigned readers)
{
    unsigned word = ct_load(&lockcnt->word);

    do {
        ct_pre("lockcnt-unlock/locked", state_of(word) != FREE);
    } while (!ct_cmpxchg(&lockcnt->word, &word,
                         (word & ~(unsigned)STATE) + readers));
    if (state_of(word) == WAITED) {
        (void)syscall(SYS_futex, &lockcnt->word, FUTEX_WAKE_PRIVATE, INT_MAX,
                      NULL, NULL, 0);
    }
}

void lockcnt_unlock(struct lockcnt *lockcnt)
{
    unlock(lockcnt, 0);
}

void lockcnt_inc_and_unlock(struct lockcnt *lockcnt)
{
    unlock(lockcnt, ONE);
}

unsigned lockcnt_count(const struct lockcnt *lockcnt)
{
    return ct_load_acquire(&lockcnt->word) / ONE;
}
