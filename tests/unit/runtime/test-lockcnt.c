/* SPDX-License-Identifier: MIT */
/*
 * test-lockcnt.c - the counter of readers with its lock: each answer, who waits
 * for whom, and objects that are freed while others walk
 */
#include <pthread.h>
#include <glib.h>

#include "base/atomics.h"
#include "base/lockcnt.h"

static void test_answers(void)
{
    struct lockcnt l = {0};

    g_assert_cmpuint(lockcnt_count(&l), ==, 0);
    lockcnt_inc(&l);
    lockcnt_inc(&l);
    g_assert_cmpuint(lockcnt_count(&l), ==, 2);
    g_assert_false(lockcnt_dec_if_lock(&l)); /* not the only one */
    g_assert_false(lockcnt_dec_and_lock(&l));
    g_assert_cmpuint(lockcnt_count(&l), ==, 1);
    g_assert_true(lockcnt_dec_if_lock(&l));
    g_assert_cmpuint(lockcnt_count(&l), ==, 0);
    lockcnt_inc_and_unlock(&l);
    g_assert_cmpuint(lockcnt_count(&l), ==, 1);
    lockcnt_lock(&l); /* readers don't keep it away */
    g_assert_false(lockcnt_dec_if_lock(&l));
    lockcnt_inc(&l); /* and it does not keep further ones away */
    lockcnt_dec(&l);
    lockcnt_unlock(&l);
    g_assert_true(lockcnt_dec_and_lock(&l));
    lockcnt_unlock(&l);
    g_assert_cmpuint(l.word, ==, 0);
}

/* --- who waits ----------------------------------------------------------- */

struct waiter {
    struct lockcnt *lockcnt;
    void (*act)(struct lockcnt *lockcnt);
    unsigned is_done; /* atomic */
};

static void *run_waiter(void *opaque)
{
    struct waiter *waiter = opaque;

    waiter->act(waiter->lockcnt);
    (void)ct_xchg(&waiter->is_done, 1);
    return NULL;
}

static void lock_and_unlock(struct lockcnt *lockcnt)
{
    lockcnt_lock(lockcnt);
    lockcnt_unlock(lockcnt);
}

static void inc_and_dec(struct lockcnt *lockcnt)
{
    lockcnt_inc(lockcnt);
    lockcnt_dec(lockcnt);
}

/* The state that whoever has to sleep sets. */
static void wait_until_waited(struct lockcnt *lockcnt)
{
    while ((ct_load(&lockcnt->word) & 3) != 2) {
        ct_cpu_relax();
    }
}

/* The first reader and other lockers wait for the lock, and all are woken. */
static void test_waits(void)
{
    struct lockcnt l = {0};
    struct waiter waiters[4] = {{&l, inc_and_dec, 0},
                                {&l, lock_and_unlock, 0},
                                {&l, inc_and_dec, 0},
                                {&l, lock_and_unlock, 0}};
    pthread_t threads[4];

    lockcnt_lock(&l);
    for (int i = 0; i < 4; i++) {
        g_assert_cmpint(
            pthread_create(&threads[i], NULL, run_waiter, &waiters[i]), ==, 0);
    }
    wait_until_waited(&l);
    for (int i = 0; i < 4; i++) {
        g_assert_cmpuint(ct_load(&waiters[i].is_done), ==, 0);
    }
    lockcnt_unlock(&l);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        g_assert_cmpuint(waiters[i].is_done, ==, 1);
    }
    g_assert_cmpuint(l.word, ==, 0);
}

/* A reader that is not the first does not wait. */
static void test_no_wait(void)
{
    struct lockcnt l = {0};
    struct waiter waiter = {&l, inc_and_dec, 0};
    pthread_t thread;

    lockcnt_inc(&l);
    lockcnt_lock(&l);
    g_assert_cmpint(pthread_create(&thread, NULL, run_waiter, &waiter), ==, 0);
    pthread_join(thread, NULL);
    lockcnt_unlock(&l);
    lockcnt_dec(&l);
    g_assert_cmpuint(l.word, ==, 0);
}

/* --- the protocol -------------------------------------------------------- */

#define OBJECTS 8
#define ROUNDS  20000
#define READERS 2
#define WRITERS 2

struct object {
    unsigned is_live;   /* atomic */
    unsigned is_marked; /* protected by the lock */
};

static struct {
    struct lockcnt lockcnt;
    struct object *objects[OBJECTS]; /* atomic; changed with the lock held */
} table;

/* The lock is held, and nobody is counted. */
static void free_marked(void)
{
    for (int i = 0; i < OBJECTS; i++) {
        struct object *object = table.objects[i];

        if (object != NULL && object->is_marked) {
            ct_store(&table.objects[i], NULL);
            ct_store(&object->is_live, 0);
            g_free(object);
        }
    }
}

static void *run_reader(void *opaque)
{
    for (int i = 0; i < ROUNDS; i++) {
        lockcnt_inc(&table.lockcnt);
        for (int j = 0; j < OBJECTS; j++) {
            struct object *object = ct_load_acquire(&table.objects[j]);

            if (object != NULL) {
                g_assert_cmpuint(ct_load(&object->is_live), ==, 1);
            }
        }
        if (lockcnt_dec_and_lock(&table.lockcnt)) {
            free_marked();
            lockcnt_unlock(&table.lockcnt);
        }
    }
    return NULL;
}

static void *run_writer(void *opaque)
{
    unsigned random = GPOINTER_TO_UINT(opaque);

    for (int i = 0; i < ROUNDS; i++) {
        struct object **slot;

        random = random * 1103515245u + 12345u;
        slot = &table.objects[(random >> 16) % OBJECTS];
        lockcnt_lock(&table.lockcnt);
        if (*slot == NULL) {
            struct object *object = g_new0(struct object, 1);

            object->is_live = 1;
            ct_store_release(slot, object);
        } else {
            (*slot)->is_marked = 1;
        }
        if (lockcnt_count(&table.lockcnt) == 0) {
            free_marked();
        }
        lockcnt_unlock(&table.lockcnt);
    }
    return NULL;
}

static void test_protocol(void)
{
    pthread_t threads[READERS + WRITERS];

    for (int i = 0; i < READERS + WRITERS; i++) {
        g_assert_cmpint(pthread_create(&threads[i], NULL,
                                       i < READERS ? run_reader : run_writer,
                                       GUINT_TO_POINTER(i + 1)),
                        ==, 0);
    }
    for (int i = 0; i < READERS + WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    g_assert_cmpuint(table.lockcnt.word, ==, 0);
    for (int i = 0; i < OBJECTS; i++) {
        g_free(table.objects[i]);
        table.objects[i] = NULL;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lockcnt/answers", test_answers);
    g_test_add_func("/lockcnt/waits", test_waits);
    g_test_add_func("/lockcnt/no-wait", test_no_wait);
    g_test_add_func("/lockcnt/protocol", test_protocol);
    return g_test_run();
}
