/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - the CoMutex of runtime/sync/mutex.c
 *
 * Three coroutines in three threads lock and unlock.  Nobody else is inside,
 * at most one has the right to pop, waiters get the mutex in the order of their
 * records, and nobody waits for ever (which is a deadlock here).
 *
 * To be found wrong, one at a time:
 *   BUG_NO_LOOK      R left out
 *   BUG_EARLY_LOOK   R before X
 *   BUG_EARLY_HAND   H before P
 *   BUG_NO_OFFER     X left out
 *   BUG_PLAIN_TAKE   the right is looked at and taken in two steps
 */
#define THREADS 3
#define ROUNDS  2

byte locked;
bool handoff;
chan from_push = [THREADS] of { byte };
chan to_pop = [THREADS] of { byte };
bool woken[THREADS];

/* What nobody in the program sees. */
byte inside, popping;
chan order = [THREADS] of { byte };

inline begin_popping()
{
    atomic { popping++; assert(popping == 1) }
}

/* Return in `has`: it was ours to take. */
inline take_right(has)
{
#ifdef BUG_PLAIN_TAKE
    has = handoff;
    if
    :: has -> handoff = false
    :: else
    fi
#else
    atomic { has = handoff; handoff = false }
#endif
}

/* Only with the right.  One exchange takes the whole list. */
inline take_records(moved)
{
    atomic {
        if
        :: len(to_pop) == 0 ->
            do
            :: nempty(from_push) -> from_push?moved; to_pop!moved
            :: empty(from_push) -> break
            od;
            moved = 0
        :: else
        fi
    }
}

inline pop(who, first)
{
    atomic {
        to_pop?who;
        order?first;
        assert(who == first); /* first come, first served */
        first = 0
    }
}

proctype user(byte me)
{
    byte round, count, who, tmp;
    bool has;

again:
    /* --- lock --- */
    atomic { count = locked; locked++ }
    if
    :: count == 0 -> goto enter
    :: else -> count = 0
    fi;
#ifdef BUG_EARLY_HAND
    has = handoff;
    atomic { from_push!me; order!me }               /* P */
#else
    atomic { from_push!me; order!me }               /* P */
    has = handoff;                                  /* H */
#endif
    if
    :: !has -> goto wait
    :: else
    fi;
    if
    :: empty(from_push) -> goto wait
    :: nempty(from_push)
    fi;
    take_right(has);
    if
    :: !has -> goto wait
    :: else
    fi;
    begin_popping();
    take_records(tmp);
    assert(nempty(to_pop));
    pop(who, tmp);
    popping--;
    if
    :: who == me -> who = 0; goto enter
    :: else -> woken[who] = true; who = 0
    fi;
wait:
    atomic { woken[me] -> woken[me] = false; has = false }
enter:
    atomic { inside++; assert(inside == 1) }
    inside--;

    /* --- unlock --- */
    atomic { count = locked; locked-- }
    if
    :: count == 1 -> goto unlocked
    :: else -> count = 0
    fi;
    begin_popping();
next:
    take_records(tmp);
    if
    :: nempty(to_pop) ->
        pop(who, tmp);
        popping--;
        woken[who] = true;
        goto unlocked
    :: empty(to_pop)
    fi;
#if defined(BUG_NO_OFFER)
    popping--;
    goto unlocked;
#elif defined(BUG_EARLY_LOOK)
    if
    :: nempty(from_push) -> goto next
    :: empty(from_push)
    fi;
    atomic { popping--; handoff = true };           /* X */
    goto unlocked;
#else
    atomic { popping--; handoff = true };           /* X */
#ifdef BUG_NO_LOOK
    goto unlocked;
#endif
    if
    :: empty(from_push) -> goto unlocked            /* R */
    :: nempty(from_push)
    fi;
    take_right(has);
    if
    :: !has -> goto unlocked
    :: else -> has = false
    fi;
    begin_popping();
    goto next;
#endif
unlocked:
    atomic {
        count = 0;
        who = 0;
        has = false;
        round++;
        if
        :: round < ROUNDS -> goto again
        :: else
        fi
    }
}

init
{
    atomic { run user(0); run user(1); run user(2) }
}
