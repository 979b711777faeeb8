/* SPDX-License-Identifier: MIT */
/*
 * lockcnt.h - a counter of readers and a lock for writers, in one word
 *
 * Model:    readers walk a list of objects and are counted; a writer changes
 *           it under the lock.  It may add and mark objects at any time, but
 *           free only while nobody is counted: and then nobody begins to walk
 *           before it unlocks.
 *
 *               walk            inc ... dec_and_lock -> last: free what is
 *                               marked, unlock
 *               remove          lock, mark; count 0: free; unlock
 *
 * Threads:  any.
 * Memory:   the caller's; zeroes are a free lock that counts nobody.
 */
#ifndef CT_LOCKCNT_H
#define CT_LOCKCNT_H

#include <stdbool.h>

struct lockcnt {
    unsigned word; /* atomic: count << 2 | state */
};

/* One more reader.  Waits for the lock only if it would be the first. */
void lockcnt_inc(struct lockcnt *lockcnt);

/* One reader less, and nobody frees. */
void lockcnt_dec(struct lockcnt *lockcnt);

/*
 * One reader less.  Return: true if it was the last; then the lock is held and
 * nobody is counted.
 */
bool lockcnt_dec_and_lock(struct lockcnt *lockcnt);

/*
 * If the caller is the only reader and the lock is free: as
 * lockcnt_dec_and_lock().  Return: false: nothing has changed.
 */
bool lockcnt_dec_if_lock(struct lockcnt *lockcnt);

void lockcnt_lock(struct lockcnt *lockcnt);
void lockcnt_unlock(struct lockcnt *lockcnt);

/* The holder of the lock becomes a reader. */
void lockcnt_inc_and_unlock(struct lockcnt *lockcnt);

/* With the lock held, 0 stays 0.  Else a value that was true just now. */
unsigned lockcnt_count(const struct lockcnt *lockcnt);

#endif
