/* SPDX-License-Identifier: MIT */
/*
 * Coroutines alone: who runs when, ids, the pool.
 *
 * Like its neighbours without a loop, LTTng or GLib, so that
 * the same files are also built for aarch64 and run under qemu-aarch64 (see
 * meson.build).  Order is checked as in a log book: whatever happens appends a
 * letter, and the string at the end must be the expected one.
 */
#include <stdint.h>
#include <string.h>

#include "ct/coroutine.h"
#include "ct/emit.h"
#include "coroutine/coroutine_int.h"
#include "coroutine/pool.h"
#include "lib/tap.h"

static char book[256];

static void book_clear(void)
{
    book[0] = '\0';
}

static void note(char letter)
{
    size_t length = strlen(book);

    if (length + 1 < sizeof(book)) {
        book[length] = letter;
        book[length + 1] = '\0';
    }
}

static void check_book(const char *expected)
{
    if (strcmp(book, expected) != 0) {
        printf("# order is %s\n# but not  %s\n", book, expected);
        tap_faults++;
    }
}

/* --- life ---------------------------------------------------------------- */

static void coroutine_fn notes_twice(void *opaque)
{
    note('a');
    coroutine_yield();
    note('b');
    *(bool *)opaque = true;
}

static void test_life(void)
{
    bool done = false;
    Coroutine *co = coroutine_create(notes_twice, &done);

    book_clear();
    tap_check(!coroutine_entered(co));
    note('1');
    coroutine_enter(co);
    note('2');
    tap_check(!done);
    tap_check(!coroutine_entered(co));
    coroutine_enter(co);
    note('3');
    tap_check(done);
    check_book("1a2b3");
}

static void coroutine_fn checks_self(void *opaque)
{
    Coroutine **ret_self = opaque;

    tap_check(in_coroutine());
    *ret_self = coroutine_self();
    tap_check(coroutine_entered(*ret_self));
    coroutine_yield();
    tap_check(coroutine_self() == *ret_self);
}

static void test_self(void)
{
    Coroutine *seen = NULL;
    Coroutine *co = coroutine_create(checks_self, &seen);

    tap_check(!in_coroutine());
    tap_check(coroutine_self() == NULL);
    tap_equal(coroutine_id(NULL), 0);
    tap_check(coroutine_id(co) != 0);
    coroutine_enter(co);
    tap_check(seen == co);
    tap_check(!in_coroutine());
    coroutine_enter(co);
}

/* --- nesting ------------------------------------------------------------- */

#define DEPTH 200

struct nest {
    Coroutine *all[DEPTH];
    int depth;
    int returns;
};

/* Each enters the next before it yields itself. */
static void coroutine_fn nests(void *opaque)
{
    struct nest *nest = opaque;
    Coroutine *self = coroutine_self();

    nest->all[nest->depth++] = self;
    for (int i = 0; i < nest->depth; i++) {
        tap_check(coroutine_entered(nest->all[i]));
    }
    if (nest->depth < DEPTH) {
        coroutine_enter(coroutine_create(nests, nest));
        tap_check(coroutine_self() == self);
    }
    coroutine_yield();
    nest->returns++;
}

static void test_nesting(void)
{
    struct nest nest = {.depth = 0};

    coroutine_enter(coroutine_create(nests, &nest));
    tap_equal(nest.depth, DEPTH);
    tap_equal(nest.returns, 0);
    for (int i = 0; i < DEPTH; i++) {
        tap_check(!coroutine_entered(nest.all[i]));
        coroutine_enter(nest.all[i]);
    }
    tap_equal(nest.returns, DEPTH);
}

/* A yield goes back to the enterer, not to the creator. */
static void coroutine_fn inner(void *opaque)
{
    note('i');
    coroutine_yield();
    note('j');
    coroutine_yield();
    note('k');
}

static void coroutine_fn outer(void *opaque)
{
    note('o');
    coroutine_enter(opaque);
    note('p');
    coroutine_yield();
    coroutine_enter(opaque);
    note('q');
}

static void test_yield_to_enterer(void)
{
    Coroutine *in = coroutine_create(inner, NULL);
    Coroutine *out = coroutine_create(outer, in);

    book_clear();
    coroutine_enter(out);
    note('1');
    coroutine_enter(in);
    note('2');
    coroutine_enter(out);
    note('3');
    check_book("oip1j2kq3");
}

/* --- order of wakes ------------------------------------------------------ */

static void coroutine_fn waits_then_notes(void *opaque)
{
    coroutine_yield();
    note(*(const char *)opaque);
}

static Coroutine *waiting(const char *letter)
{
    Coroutine *co = coroutine_create(waits_then_notes, (void *)letter);

    coroutine_enter(co);
    return co;
}

static void coroutine_fn wakes_three(void *opaque)
{
    Coroutine **woken = opaque;

    note('w');
    for (int i = 0; i < 3; i++) {
        coroutine_queue_wake(woken[i]);
    }
    note('x');
    coroutine_yield();
    note('y');
}

/* First in, first out, at the yield and not before, and then the enterer. */
static void test_wakes_are_fifo(void)
{
    Coroutine *woken[] = {waiting("1"), waiting("2"), waiting("3")};
    Coroutine *waker = coroutine_create(wakes_three, woken);

    book_clear();
    coroutine_enter(waker);
    note('m');
    coroutine_enter(waker);
    note('n');
    check_book("wx123myn");
}

struct tree {
    char letter;
    Coroutine *children[2];
};

static void coroutine_fn waits_then_wakes(void *opaque)
{
    struct tree *tree = opaque;

    coroutine_yield();
    note(tree->letter);
    for (int i = 0; i < 2; i++) {
        if (tree->children[i] != NULL) {
            coroutine_queue_wake(tree->children[i]);
        }
    }
}

static Coroutine *waiting_tree(struct tree *tree)
{
    Coroutine *co = coroutine_create(waits_then_wakes, tree);

    coroutine_enter(co);
    return co;
}

/*
 * Depth first: what a woken coroutine wakes runs before its own younger
 * siblings.  Wakes at the end of a coroutine count as those at a yield.
 *
 *      a -> b -> d, e
 *        -> c -> f
 */
static void test_wakes_are_depth_first(void)
{
    struct tree d = {.letter = 'd'}, e = {.letter = 'e'}, f = {.letter = 'f'};
    struct tree b = {.letter = 'b',
                     .children = {waiting_tree(&d), waiting_tree(&e)}};
    struct tree c = {.letter = 'c', .children = {waiting_tree(&f), NULL}};
    struct tree a = {.letter = 'a',
                     .children = {waiting_tree(&b), waiting_tree(&c)}};
    Coroutine *root = waiting_tree(&a);

    book_clear();
    coroutine_enter(root);
    note('m');
    check_book("abdecfm");
}

/* Woken ones are entered by whoever entered the waker: nested, that is B. */
static void coroutine_fn enters_waker(void *opaque)
{
    note('B');
    coroutine_enter(opaque);
    note('C');
}

static void test_wakes_before_the_enterer_goes_on(void)
{
    Coroutine *woken[] = {waiting("1"), waiting("2"), waiting("3")};
    Coroutine *waker = coroutine_create(wakes_three, woken);

    book_clear();
    coroutine_enter(coroutine_create(enters_waker, waker));
    coroutine_enter(waker);
    check_book("Bwx123Cy");
}

/* --- contexts ------------------------------------------------------------ */

static void coroutine_fn notes_ctx(void *opaque)
{
    *(void **)opaque = coroutine_self()->ctx;
    coroutine_yield();
    *(void **)opaque = coroutine_self()->ctx;
}

static void test_contexts(void)
{
    int thread_ctx, other_ctx;
    void *seen = NULL;
    Coroutine *co = coroutine_create(notes_ctx, &seen);

    coroutine_thread_context(&thread_ctx, 7);
    coroutine_enter(co);
    tap_check(seen == &thread_ctx);
    coroutine_enter_in(&other_ctx, 8, co);
    tap_check(seen == &other_ctx);
    coroutine_thread_context(NULL, 0);
}

/* --- ids, pool ----------------------------------------------------------- */

static void coroutine_fn ends(void *opaque)
{
}

static void test_ids_are_fresh(void)
{
    Coroutine *first = coroutine_create(ends, NULL);
    uint64_t first_id = coroutine_id(first);
    Coroutine *second;

    coroutine_enter(first);
    second = coroutine_create(ends, NULL);
    tap_check(second == first); /* the object is used again */
    tap_check(coroutine_id(second) != first_id);
    tap_check(coroutine_id(second) != 0);
    coroutine_enter(second);
    tap_equal(second->id, 0); /* in the pool */
}

static void coroutine_fn counts(void *opaque)
{
    (*(int *)opaque)++;
    coroutine_yield();
    (*(int *)opaque)++;
}

static void count_stacks(Coroutine *co, void *opaque)
{
    *(int *)opaque += co->stack.base != NULL;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

#define MANY 3000

static void test_many_and_bounded_pool(void)
{
    static Coroutine *all[MANY];
    static uint64_t ids[MANY];
    int count = 0, stacks = 0, equal = 0;

    for (int i = 0; i < MANY; i++) {
        all[i] = coroutine_create(counts, &count);
        ids[i] = coroutine_id(all[i]);
        coroutine_enter(all[i]);
    }
    tap_equal(count, MANY);
    coroutine_pool_for_each(count_stacks, &stacks);
    tap_check(stacks >= MANY);
    for (int i = 0; i < MANY; i++) {
        coroutine_enter(all[i]);
    }
    tap_equal(count, 2 * MANY);

    qsort(ids, MANY, sizeof(ids[0]), compare_ids);
    for (int i = 1; i < MANY; i++) {
        equal += ids[i] == ids[i - 1];
    }
    tap_equal(equal, 0);

    stacks = 0;
    coroutine_pool_for_each(count_stacks, &stacks);
    tap_check(stacks <= (COROUTINE_POOL_BATCHES + 2) * COROUTINE_POOL_BATCH);

    /* Objects whose stacks were given back get new ones. */
    count = 0;
    for (int i = 0; i < MANY; i++) {
        all[i] = coroutine_create(counts, &count);
        coroutine_enter(all[i]);
    }
    for (int i = 0; i < MANY; i++) {
        coroutine_enter(all[i]);
    }
    tap_equal(count, 2 * MANY);
}

int main(void)
{
    tap_run("/coroutine/life", test_life);
    tap_run("/coroutine/self", test_self);
    tap_run("/coroutine/nesting", test_nesting);
    tap_run("/coroutine/yield-to-enterer", test_yield_to_enterer);
    tap_run("/coroutine/wakes-are-fifo", test_wakes_are_fifo);
    tap_run("/coroutine/wakes-are-depth-first", test_wakes_are_depth_first);
    tap_run("/coroutine/wakes-before-the-enterer-goes-on",
            test_wakes_before_the_enterer_goes_on);
    tap_run("/coroutine/contexts", test_contexts);
    tap_run("/coroutine/ids-are-fresh", test_ids_are_fresh);
    tap_run("/coroutine/many-and-bounded-pool", test_many_and_bounded_pool);
    return tap_end();
}
