/* SPDX-License-Identifier: MIT */
/*
 * test-id.c - ids are never 0 and never twice, from any thread
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "ct/id.h"

#include "lib/tap.h"

enum { THREADS = 4, IDS = 30000 };

static uint64_t ids[THREADS * IDS];

static void *take(void *opaque)
{
    uint64_t *own = opaque;

    for (int i = 0; i < IDS; i++) {
        own[i] = ct_id_new();
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void test_unique(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, take, &ids[i * IDS]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    qsort(ids, THREADS * IDS, sizeof(ids[0]), compare);
    for (int i = 0; i < THREADS * IDS; i++) {
        tap_check(ids[i] != (i > 0 ? ids[i - 1] : 0));
    }
}

int main(void)
{
    tap_run("id/unique", test_unique);
    return tap_end();
}
