/* SPDX-License-Identifier: MIT */
/*
 * portable.c - threads of GNU Pth, a library that is not ours
 *
 *   portable N    producers that hand N values each to a consumer, by a message
 *                 port; all of them are coroutines on one thread
 * Prints the sum of the values.  When they are done they wait for ever:
 * produce() and consume() in waits_here().
 */
#include <pth.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { PRODUCERS = 3 };

#ifdef __clang__
#define KEEP __attribute__((noinline))
#else
#define KEEP __attribute__((noinline, noclone))
#endif

struct value {
    pth_message_t message; /* first: what the port passes on */
    long number;
};

static pth_msgport_t port;
static int times;
static bool is_done;
static long total;

KEEP void waits_here(void);
KEEP void *produce(void *opaque);
KEEP void *consume(void *opaque);

void waits_here(void)
{
    pth_msgport_t never = pth_msgport_create(NULL);

    (void)pth_wait(pth_event(PTH_EVENT_MSG, never));
    __asm__ volatile("");
}

void *produce(void *opaque)
{
    for (int i = 0; i < times; i++) {
        struct value *value = calloc(1, sizeof(*value));

        if (!value) {
            abort();
        }
        value->number = (long)opaque + i;
        (void)pth_msgport_put(port, &value->message);
        (void)pth_yield(NULL);
    }
    waits_here();
    return NULL;
}

void *consume(void *opaque)
{
    pth_event_t event = pth_event(PTH_EVENT_MSG, port);
    long sum = 0;

    for (int left = PRODUCERS * times; left > 0;) {
        struct value *value;

        (void)pth_wait(event);
        while ((value = (struct value *)pth_msgport_get(port))) {
            sum += value->number;
            free(value);
            left--;
        }
    }
    total = sum;
    is_done = true;
    waits_here();
    return NULL;
}

int main(int argc, char **argv)
{
    times = argc > 1 ? atoi(argv[1]) : 4;
    if (!pth_init()) {
        return 1;
    }
    port = pth_msgport_create("values");
    (void)pth_spawn(PTH_ATTR_DEFAULT, consume, NULL);
    for (long i = 0; i < PRODUCERS; i++) {
        (void)pth_spawn(PTH_ATTR_DEFAULT, produce, (void *)(i * 1000));
    }
    while (!is_done) {
        (void)pth_yield(NULL);
    }
    printf("%ld\n", total);
    return 0;
}
