/* SPDX-License-Identifier: MIT */
/*
 * bh.pml - the list of bottom halves of runtime/aio/bh.c
 *
 * Two threads schedule one bottom half, each a few times, and write something
 * before each time; the home thread takes the list and runs it; at the end the
 * second one deletes it.  It must never be in a list twice, never be touched
 * after it is freed, and the run after a scheduling must see what was written.
 *
 * To be found wrong, one at a time:
 *   BUG_PLAIN_PENDING   whoever sets PENDING looks and stores in two steps
 *   BUG_CLEAR_LATE      the flags are cleared after the callback
 *   BUG_CLEAR_SPLIT     SCHEDULED is cleared after PENDING, in a second step
 *   BUG_FREE_EARLY      deleting frees at once
 *   BUG_FLAG_LATE       SCHEDULED is set after the push
 */
#define ROUNDS 2

bool pending, scheduled, deleted;
byte in_list;               /* how often it is in bh_pushed or bh_ready */
bool freed;
byte written[2], seen[2];
bool wake;                  /* a turn is asked for */
byte finished;

#define TOUCH assert(!freed)

inline enqueue(is_delete, was_pending)
{
    TOUCH;
#ifdef BUG_PLAIN_PENDING
    was_pending = pending;
    pending = true;
    if
    :: is_delete -> deleted = true
    :: else -> scheduled = true
    fi;
#elif defined(BUG_FLAG_LATE)
    atomic {
        was_pending = pending;
        pending = true;
        deleted = deleted || is_delete
    }
#else
    atomic {
        was_pending = pending;
        pending = true;
        if
        :: is_delete -> deleted = true
        :: else -> scheduled = true
        fi
    }
#endif
    if
    :: !was_pending -> atomic { TOUCH; in_list++; assert(in_list == 1) }
    :: else
    fi;
#ifdef BUG_FLAG_LATE
    scheduled = scheduled || !is_delete;
#endif
    wake = true
}

proctype scheduler(byte me)
{
    byte i;
    bool was_pending;

    do
    :: i < ROUNDS ->
        written[me] = written[me] + 1;
        enqueue(false, was_pending);
        i++
    :: else -> break
    od;
    finished++
}

proctype deleter()
{
    bool was_pending;

    /* Its owner deletes it after all have stopped to schedule it. */
    finished == 2;
#ifdef BUG_FREE_EARLY
    freed = true
#else
    enqueue(true, was_pending)
#endif
}

active proctype home()
{
    bool runs, dies;

    do
    :: atomic { wake -> wake = false }
        if
        :: atomic { in_list > 0 -> in_list-- };
            TOUCH;
#if defined(BUG_CLEAR_LATE)
            runs = scheduled && !deleted;
            dies = deleted;
#elif defined(BUG_CLEAR_SPLIT)
            atomic { pending = false; runs = scheduled && !deleted; dies = deleted }
            scheduled = false;
#else
            atomic {
                runs = scheduled && !deleted;
                dies = deleted;
                pending = false;
                scheduled = false
            }
#endif
            if
            :: runs -> atomic { seen[0] = written[0]; seen[1] = written[1] }
            :: else
            fi;
#ifdef BUG_CLEAR_LATE
            atomic { pending = false; scheduled = false }
#endif
            if
            :: dies -> freed = true; break
            :: else
            fi
        :: in_list == 0
        fi
    :: finished == 2 && !wake && in_list == 0 ->
        /* Asleep, and nobody will schedule it again: all was seen. */
        assert(freed || deleted || pending ||
               (seen[0] == ROUNDS && seen[1] == ROUNDS));
        atomic { wake || freed }
        if
        :: freed -> break
        :: else
        fi
    od
}

init
{
    atomic { run scheduler(0); run scheduler(1); run deleter() }
}
