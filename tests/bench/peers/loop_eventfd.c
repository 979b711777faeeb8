/* SPDX-License-Identifier: MIT */
/*
 * Two threads and two eventfds, and nothing else: `wake` reads its own fd,
 * which blocks, and writes the other one's; `wake-poll` waits by poll() first,
 * as a loop with more than one fd must; `flood` and `flood-live` write.
 */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../bench.h"

static int home, away;
static uint64_t trips;
static bool polls;

static void waits(int fd)
{
    uint64_t value;

    if (polls) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};

        poll(&pollfd, 1, -1);
    }
    if (read(fd, &value, sizeof(value)) != sizeof(value)) {
        abort();
    }
}

static void wakes(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) != sizeof(one)) {
        abort();
    }
}

static void *answers(void *opaque)
{
    for (uint64_t i = 0; i < trips; i++) {
        waits(away);
        wakes(home);
    }
    return NULL;
}

static void run_wake(uint64_t count)
{
    pthread_t thread;

    home = eventfd(0, EFD_CLOEXEC);
    away = eventfd(0, EFD_CLOEXEC);
    trips = count;
    pthread_create(&thread, NULL, answers, NULL);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        wakes(away);
        waits(home);
    }
    bench_stop();
    pthread_join(thread, NULL);
}

static void run_wake_poll(uint64_t count)
{
    polls = true;
    run_wake(count);
}

static void *drains(void *opaque)
{
    uint64_t sum = 0, value;

    while (sum < trips) {
        if (read(away, &value, sizeof(value)) != sizeof(value)) {
            abort();
        }
        sum += value;
    }
    return NULL;
}

static void run_flood(uint64_t count)
{
    away = eventfd(0, EFD_CLOEXEC);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        wakes(away);
    }
    bench_stop();
}

static void run_flood_live(uint64_t count)
{
    pthread_t thread;

    away = eventfd(0, EFD_CLOEXEC);
    trips = count;
    pthread_create(&thread, NULL, drains, NULL);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        wakes(away);
    }
    bench_stop();
    pthread_join(thread, NULL);
}

static const struct bench_row rows[] = {
    {"wake", run_wake},
    {"wake-poll", run_wake_poll},
    {"flood", run_flood},
    {"flood-live", run_flood_live},
};

BENCH_MAIN(rows)
