/* SPDX-License-Identifier: MIT */
/*
 * asleep.c - LTTng's threads, until they have nothing left to do
 *
 * LTTng lets main() begin when its daemon knows the program, while its threads
 * still answer the last question and look for daemons of others.  Calls of the
 * system only, and no allocation: the program's next call may be the one that
 * forbids them, and its fds and memory are its own.
 */
#include "asleep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TASKS "/proc/self/task/"

enum {
    LOOKS = 2000,
    PAUSE_NS = 1000000,
    TID_BYTES = 11,
    STATUS_BYTES = 4096,
};

/* What was seen at one look. */
struct look {
    bool is_asleep; /* each of them */
    uint64_t wakes; /* how often they have slept, in all */
    unsigned n;
};

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);

    return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* "Name:\tPROGRAM-ust\n" is its first line. */
static bool is_meant(const char *status)
{
    const char *end = strchr(status, '\n');

    return end && ends_with(status, (size_t)(end - status), "-ust");
}

static uint64_t number_after(const char *status, const char *what)
{
    const char *at = strstr(status, what);
    uint64_t number = 0;

    at = at ? at + strlen(what) : "";
    while (*at >= '0' && *at <= '9') {
        number = 10 * number + (uint64_t)(*at++ - '0');
    }
    return number;
}

static void see_thread(struct look *look, const char *tid)
{
    char path[sizeof(TASKS) + TID_BYTES + sizeof("/status")] = TASKS;
    char status[STATUS_BYTES];

    if (strlen(tid) > TID_BYTES) {
        return;
    }
    strcat(strcat(path, tid), "/status");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    long n = syscall(SYS_read, fd, status, sizeof(status) - 1);
    (void)syscall(SYS_close, fd);
    status[n > 0 ? n : 0] = '\0';
    if (is_meant(status)) {
        look->n++;
        look->wakes += number_after(status, "\nvoluntary_ctxt_switches:\t");
        look->is_asleep &= strstr(status, "\nState:\tS") != NULL;
    }
}

/* false: nobody can */
static bool look_at_all(struct look *look)
{
    _Alignas(struct dirent64) char entries[1024];
    long n;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, TASKS,
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *look = (struct look){.is_asleep = true};
    if (fd < 0) {
        return false;
    }
    while ((n = getdents64(fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < n;) {
            const struct dirent64 *entry =
                (const struct dirent64 *)(const void *)(entries + at);
            if (entry->d_name[0] != '.') {
                see_thread(look, entry->d_name);
            }
            at += entry->d_reclen;
        }
    }
    (void)syscall(SYS_close, fd);
    return n == 0;
}

void ct_asleep_wait(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct look last = {0}, look;

    for (unsigned i = 0; i < LOOKS && look_at_all(&look) && look.n > 0; i++) {
        if (last.is_asleep && look.is_asleep && last.n == look.n &&
            last.wakes == look.wakes) {
            return;
        }
        last = look;
        (void)syscall(SYS_nanosleep, &pause, NULL);
    }
}
