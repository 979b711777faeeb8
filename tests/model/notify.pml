/* SPDX-License-Identifier: MIT */
/*
 * notify.pml - the wake-up protocol of runtime/aio/notify.c
 *
 * The loop takes turns for ever; two notifiers publish work and wake it.  One
 * publishes what the loop looks for before it sleeps (work[0], as a bottom
 * half), the other one what only the caller of aio_poll() looks at after a turn
 * (work[1], a condition), and then notifies once more without any work.
 * Memory is sequentially consistent here: the orders that hardware may change
 * are stepped through in tests/unit/runtime/test-notify.c.
 *
 * To be found wrong, one at a time:
 *   BUG_LATE_ANNOUNCEMENT   S after H1
 *   BUG_NO_CHECK            H1 does not look at notified
 *   BUG_EARLY_LOOK          N3 before N2
 *   BUG_LATE_ACCEPT         A after the look for work
 *   BUG_LATE_WORK           publication after N1
 */
bool work[2];
bool taken[2];
bool notified, notify_me, eventfd;
byte done;

#define MODEL_ALL (taken[0] && taken[1])

inline notify(seen)
{
    atomic { seen = notified }                      /* N1 */
    if
    :: seen
    :: else ->
#ifdef BUG_EARLY_LOOK
        atomic { seen = notify_me }
        notified = true;
#else
        atomic { seen = notified; notified = true } /* N2 */
        if
        :: seen -> seen = false                     /* another one does N3 */
        :: else -> atomic { seen = notify_me }      /* N3 */
        fi;
#endif
        if
        :: seen -> eventfd = true
        :: else
        fi
    fi
}

proctype notifier(byte which)
{
    bool seen;

#ifndef BUG_LATE_WORK
    work[which] = true;
#endif
    notify(seen);
#ifdef BUG_LATE_WORK
    work[which] = true;
#endif
    if
    :: which == 1 -> notify(seen)
    :: else
    fi;
    done++
}

active proctype loop()
{
    byte i;
    bool sleeps;

    do
    ::
#ifndef BUG_LATE_ANNOUNCEMENT
        notify_me = true;                           /* S */
#endif
        sleeps = !work[0];                          /* H1 */
#ifndef BUG_NO_CHECK
        sleeps = sleeps && !notified;
#endif
#ifdef BUG_LATE_ANNOUNCEMENT
        notify_me = true;
#endif
        if
        :: sleeps ->
end_asleep: atomic { eventfd -> eventfd = false }   /* H2 */
        :: else
        fi;
        notify_me = false;                          /* R */
#ifndef BUG_LATE_ACCEPT
        notified = false;                           /* A */
#endif
        i = 0;
        do
        :: i < 2 ->
            if
            :: atomic { work[i] -> work[i] = false; taken[i] = true }
            :: !work[i]
            fi;
            i++
        :: else -> break
        od
#ifdef BUG_LATE_ACCEPT
        ;
        notified = false
#endif
    od
}

/*
 * When both notifiers are done and the loop sleeps, nothing is left: neither
 * work nor a notification that it has not accepted.
 */
active proctype monitor()
{
end_never:
    atomic {
        done == 2 && loop@end_asleep && !eventfd ->
        assert(MODEL_ALL && !work[0] && !work[1] && !notified)
    }
}

init
{
    atomic { run notifier(0); run notifier(1) }
}
