/* SPDX-License-Identifier: MIT */
/*
 * test-mutex-model.c - the protocol of sync/mutex.c in all interleavings, and
 * wrong variants of it that must be found out
 *
 * Each thread locks and unlocks a few times; one step is one access to a
 * variable that others touch (all of them are sequentially consistent there).
 * Whatever goes wrong shows as two holders, a waiter served out of turn, two
 * that pop at once, or threads that wait for ever.
 */
#include <stdint.h>
#include <glib.h>

#include "explore.h"

#define THREADS 3
#define ROUNDS  2

enum fault {
    RIGHT,
    NO_LOOK,    /* R left out: the right stays, whoever has come meanwhile */
    EARLY_LOOK, /* R before X */
    EARLY_HAND, /* H before P */
    NO_OFFER,   /* X left out: an unlocker that finds nobody just goes */
    NO_TAKING,  /* a locker that finds the right doesn't take it */
    PLAIN_TAKE, /* the right is looked at and cleared in two steps */
    FAULTS
};

enum place {
    COUNT, /* lock: count ourselves */
    PUSH,
    LOOK_OFFER,
    LOOK_RECORD,
    TAKE_OFFER,
    CLEAR_OFFER, /* only PLAIN_TAKE */
    TAKE_LISTS,  /* with the right to pop: in lock, for somebody */
    POP,
    WAIT,
    ENTER, /* the critical section */
    LEAVE,
    UNCOUNT, /* unlock */
    UNLOCK_TAKE,
    UNLOCK_POP,
    OFFER,
    RECHECK,
    RETAKE,
    CLEAR_RETAKE, /* only PLAIN_TAKE */
    END
};

struct thread {
    uint8_t at;    /* enum place */
    uint8_t offer; /* it has seen the right in H */
    uint8_t rounds;
};

/* Records are thread numbers from 1; a list's unused end is 0. */
struct list_of_records {
    uint8_t records[THREADS];
    uint8_t length;
};

struct state {
    uint8_t locked;
    uint8_t handoff;
    struct list_of_records from_push; /* oldest first; taken as a whole */
    struct list_of_records to_pop;    /* oldest first */
    uint8_t woken[THREADS];
    struct thread threads[THREADS];
    /* What nobody in the program sees. */
    uint8_t inside;
    uint8_t popping;
    struct list_of_records order; /* who waits, in the order of the pushes */
};

/* Return: false if a thread stands in it twice. */
static bool append(struct list_of_records *list, uint8_t record)
{
    if (list->length == THREADS) {
        return false;
    }
    list->records[list->length++] = record;
    return true;
}

static uint8_t pop(struct list_of_records *list)
{
    uint8_t record = list->records[0];

    if (list->length > 0) {
        list->length--;
        for (int i = 0; i < list->length; i++) {
            list->records[i] = list->records[i + 1];
        }
        list->records[list->length] = 0;
    }
    return record;
}

static void take_lists(struct state *state)
{
    if (state->to_pop.length == 0) {
        state->to_pop = state->from_push;
        state->from_push = (struct list_of_records){0};
    }
}

/* Someone with the right popped @record. */
static bool is_next(struct state *state, uint8_t record)
{
    return pop(&state->order) == record;
}

static enum explored begin_popping(struct state *state)
{
    return ++state->popping > 1 ? EXPLORE_WRONG : EXPLORE_STEPPED;
}

static enum explored lock_step(struct state *state, int t, enum fault fault)
{
    struct thread *thread = &state->threads[t];
    uint8_t me = (uint8_t)(t + 1);
    uint8_t record;

    switch (thread->at) {
    case COUNT:
        if (state->locked++ == 0) {
            thread->at = ENTER;
        } else {
            thread->at = fault == EARLY_HAND ? LOOK_OFFER : PUSH;
        }
        break;
    case PUSH:
        if (!append(&state->from_push, me) || !append(&state->order, me)) {
            return EXPLORE_WRONG;
        }
        thread->at = fault == EARLY_HAND ? LOOK_RECORD : LOOK_OFFER;
        break;
    case LOOK_OFFER:
        thread->offer = state->handoff;
        thread->at = fault == EARLY_HAND ? PUSH : LOOK_RECORD;
        break;
    case LOOK_RECORD:
        thread->at = thread->offer != 0 && state->from_push.length > 0
                         ? TAKE_OFFER
                         : WAIT;
        break;
    case TAKE_OFFER:
        if (state->handoff == 0 || fault == NO_TAKING) {
            thread->at = WAIT;
            break;
        }
        if (fault == PLAIN_TAKE) {
            thread->at = CLEAR_OFFER;
            break;
        }
        __attribute__((fallthrough));
    case CLEAR_OFFER:
        state->handoff = 0;
        thread->at = TAKE_LISTS;
        return begin_popping(state);
    case TAKE_LISTS:
        take_lists(state);
        thread->at = POP;
        break;
    case POP:
        record = pop(&state->to_pop);
        if (record == 0 || !is_next(state, record)) {
            return EXPLORE_WRONG;
        }
        state->popping--;
        if (record == me) {
            thread->at = ENTER;
        } else {
            state->woken[record - 1] = 1;
            thread->at = WAIT;
        }
        break;
    case WAIT:
        if (!state->woken[t]) {
            return EXPLORE_BLOCKED;
        }
        state->woken[t] = 0;
        thread->at = ENTER;
        break;
    default:
        g_assert_not_reached();
    }
    return EXPLORE_STEPPED;
}

static void end_round(struct thread *thread)
{
    thread->offer = 0;
    thread->at = ++thread->rounds < ROUNDS ? COUNT : END;
}

static enum explored unlock_step(struct state *state, int t, enum fault fault)
{
    struct thread *thread = &state->threads[t];
    uint8_t record;

    switch (thread->at) {
    case UNCOUNT:
        if (state->locked-- == 1) {
            end_round(thread);
            break;
        }
        thread->at = UNLOCK_TAKE;
        return begin_popping(state);
    case UNLOCK_TAKE:
        take_lists(state);
        thread->at = UNLOCK_POP;
        break;
    case UNLOCK_POP:
        record = pop(&state->to_pop);
        if (record != 0) {
            if (!is_next(state, record)) {
                return EXPLORE_WRONG;
            }
            state->popping--;
            state->woken[record - 1] = 1;
            end_round(thread);
        } else {
            thread->at = fault == EARLY_LOOK ? RECHECK : OFFER;
        }
        break;
    case OFFER:
        state->popping--;
        if (fault == NO_OFFER) {
            end_round(thread);
            break;
        }
        state->handoff = 1;
        thread->at = RECHECK;
        if (fault == NO_LOOK || fault == EARLY_LOOK) {
            end_round(thread);
        }
        break;
    case RECHECK:
        if (fault == EARLY_LOOK) {
            thread->at = state->from_push.length > 0 ? UNLOCK_TAKE : OFFER;
        } else if (state->from_push.length > 0) {
            thread->at = RETAKE;
        } else {
            end_round(thread);
        }
        break;
    case RETAKE:
        if (state->handoff == 0) {
            end_round(thread);
            break;
        }
        if (fault == PLAIN_TAKE) {
            thread->at = CLEAR_RETAKE;
            break;
        }
        __attribute__((fallthrough));
    case CLEAR_RETAKE:
        state->handoff = 0;
        thread->at = UNLOCK_TAKE;
        return begin_popping(state);
    default:
        g_assert_not_reached();
    }
    return EXPLORE_STEPPED;
}

static enum explored step(const void *opaque, void *opaque_state, int t)
{
    enum fault fault = *(const enum fault *)opaque;
    struct state *state = opaque_state;
    struct thread *thread = &state->threads[t];

    switch (thread->at) {
    case END:
        return EXPLORE_BLOCKED;
    case ENTER:
        thread->offer = 0;
        thread->at = LEAVE;
        return state->inside++ > 0 ? EXPLORE_WRONG : EXPLORE_STEPPED;
    case LEAVE:
        state->inside--;
        thread->at = UNCOUNT;
        return EXPLORE_STEPPED;
    default:
        return thread->at < ENTER ? lock_step(state, t, fault)
                                  : unlock_step(state, t, fault);
    }
}

static bool all_ended(const void *opaque, const void *opaque_state)
{
    const struct state *state = opaque_state;

    for (int t = 0; t < THREADS; t++) {
        if (state->threads[t].at != END) {
            return false;
        }
    }
    return state->locked == 0 && state->popping == 0;
}

static struct explore_result explore_fault(enum fault fault)
{
    const struct explore_program program = {
        .state_bytes = sizeof(struct state),
        .choices = THREADS,
        .opaque = &fault,
        .step = step,
        .is_good_end = all_ended,
    };

    return explore(&program);
}

static void test_right(void)
{
    struct explore_result result = explore_fault(RIGHT);

    g_test_message("%u states, %u ends", result.states, result.ends);
    g_assert_cmpuint(result.ends, >, 0);
    g_assert_cmpuint(result.wrong, ==, 0);
}

static void test_wrong(gconstpointer data)
{
    struct explore_result result = explore_fault(GPOINTER_TO_INT(data));

    g_test_message("%u states, %u ends, %u wrong", result.states, result.ends,
                   result.wrong);
    g_assert_cmpuint(result.wrong, >, 0);
}

int main(int argc, char **argv)
{
    static const char *const names[FAULTS] = {
        [NO_LOOK] = "no-look",       [EARLY_LOOK] = "early-look",
        [EARLY_HAND] = "early-hand", [NO_OFFER] = "no-offer",
        [NO_TAKING] = "no-taking",   [PLAIN_TAKE] = "plain-take",
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mutex-model/right", test_right);
    for (int i = RIGHT + 1; i < FAULTS; i++) {
        char *path = g_strdup_printf("/mutex-model/finds-%s", names[i]);

        g_test_add_data_func(path, GINT_TO_POINTER(i), test_wrong);
        g_free(path);
    }
    return g_test_run();
}
