/* SPDX-License-Identifier: MIT */
/*
 * reader.c - looks how long a log is, again and again
 *
 * A look costs less than a microsecond.  How often: without pause for as long
 * as lines come at once; then at intervals that are a fixed part of the time
 * since the last line, so that a bound is never more than that part of the
 * pause before it (or the shortest sleep), and a log that rests costs nothing.
 * A change wakes the reader from its sleep, so instants are as early as the
 * machine allows; the bound is what can be proven.
 */
#include "session/qemu/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES 8192
#define ENTRY_BYTES  80
#define SPIN_NS      20000
#define SLEEP_MIN_NS 20000
#define SLEEP_MAX_NS 100000000
#define PART         64 /* of a pause, for the sleeps in it */
#define PATIENCE_NS  2000000000
#define TICK_MS      2
#define TIDY_NS      1000000 /* sleeps from here on: write down what there is */

struct watch {
    int log;
    int stamps;
    int changes; /* inotify; -1: there is none, and sleeps end by themselves */
    int life;
    bool spins;
    uint64_t size;
    int64_t looked_ns; /* when the last look began */
    int64_t grown_ns;  /* when the last growth was seen */
    char buffer[BUFFER_BYTES];
    size_t used;
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int write_down(struct watch *watch)
{
    for (size_t at = 0; at < watch->used;) {
        ssize_t n = write(watch->stamps, watch->buffer + at, watch->used - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    watch->used = 0;
    return 0;
}

/* Return: 1: it has grown, 0, -errno; -ESTALE: it is shorter than it was. */
static int look(struct watch *watch)
{
    struct stat status;
    int64_t before_ns = now_ns(CLOCK_MONOTONIC);

    if (fstat(watch->log, &status)) {
        return -errno;
    }
    uint64_t size = (uint64_t)status.st_size;
    if (size == watch->size) {
        watch->looked_ns = before_ns;
        return 0;
    }
    if (size < watch->size) {
        return -ESTALE;
    }
    int64_t after_ns = now_ns(CLOCK_MONOTONIC);
    if (watch->used + ENTRY_BYTES > sizeof(watch->buffer)) {
        int ret = write_down(watch);
        if (ret) {
            return ret;
        }
    }
    watch->used += (size_t)snprintf(
        watch->buffer + watch->used, ENTRY_BYTES,
        "%" PRIu64 " %" PRId64 " %" PRId64 "\n", size - watch->size,
        after_ns - watch->grown_ns, after_ns - watch->looked_ns);
    watch->size = size;
    watch->looked_ns = before_ns;
    watch->grown_ns = after_ns;
    return 1;
}

/* Until the log changes or the time for the next look has come.
 * Return: whether the program still lives. */
static bool rest(struct watch *watch, int64_t sleep_ns)
{
    struct pollfd ready[] = {
        {.fd = watch->life, .events = POLLIN},
        {.fd = watch->changes, .events = POLLIN},
    };
    struct timespec sleep = {sleep_ns / 1000000000, sleep_ns % 1000000000};
    char changes[4096];

    (void)ppoll(ready, 2, &sleep, NULL);
    if (ready[1].revents) {
        (void)!read(watch->changes, changes, sizeof(changes));
    }
    return !ready[0].revents;
}

static int follow(struct watch *watch)
{
    bool lives = true;
    int ret = look(watch);

    while (ret >= 0 && lives) {
        int64_t pause_ns = now_ns(CLOCK_MONOTONIC) - watch->grown_ns;
        int64_t sleep_ns = pause_ns / PART;

        if (!watch->spins || pause_ns > SPIN_NS) {
            sleep_ns = sleep_ns < SLEEP_MIN_NS   ? SLEEP_MIN_NS
                       : sleep_ns > SLEEP_MAX_NS ? SLEEP_MAX_NS
                                                 : sleep_ns;
            if (sleep_ns >= TIDY_NS && write_down(watch)) {
                return -errno;
            }
            lives = rest(watch, sleep_ns);
        }
        ret = look(watch);
    }
    int written = write_down(watch);
    return ret < 0 ? ret : written;
}

static bool has_two_cpus(void)
{
    cpu_set_t set;

    return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

/* What a terminal sends is for the program; this process ends after it. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGPIPE};

    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
}

static _Noreturn void child(struct watch *watch, const char *log)
{
    ignore_signals();
    (void)prctl(PR_SET_NAME, "cotrace-reader");
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    /* Where it is allowed: a look is short, and late ones are worth little. */
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 10);
    watch->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->changes >= 0) {
        (void)inotify_add_watch(watch->changes, log, IN_MODIFY);
    }
    watch->spins = has_two_cpus();
    int ret = follow(watch);
    _exit(ret < 0 ? -ret : 0);
}

static int open_files(struct watch *watch, const char *log, const char *stamps)
{
    watch->log = open(log, O_RDONLY | O_CLOEXEC);
    if (watch->log < 0) {
        return -errno;
    }
    watch->stamps = open(stamps, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (watch->stamps < 0) {
        int reason = errno;
        (void)close(watch->log);
        return -reason;
    }
    /* Between the two clocks: at most as far off as this call takes. */
    int64_t since_1970_ns = now_ns(CLOCK_REALTIME);
    watch->looked_ns = watch->grown_ns = now_ns(CLOCK_MONOTONIC);
    watch->used =
        (size_t)snprintf(watch->buffer, ENTRY_BYTES,
                         "cotrace-stamps 1 %" PRId64 "\n", since_1970_ns);
    int ret = write_down(watch);
    if (ret) {
        (void)close(watch->log);
        (void)close(watch->stamps);
    }
    return ret;
}

int ct_qemu_reader_start(struct ct_qemu_reader *ret_reader, const char *log,
                         const char *stamps)
{
    struct watch watch = {0};
    int life[2];
    int ret = open_files(&watch, log, stamps);

    if (ret) {
        return ret;
    }
    if (pipe2(life, O_CLOEXEC)) {
        ret = -errno;
    } else {
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(life[1]);
            watch.life = life[0];
            child(&watch, log);
        }
        ret = pid < 0 ? -errno : 0;
        (void)close(life[0]);
        if (ret) {
            (void)close(life[1]);
        }
        *ret_reader = (struct ct_qemu_reader){.pid = pid, .life = life[1]};
    }
    (void)close(watch.log);
    (void)close(watch.stamps);
    return ret;
}

int ct_qemu_reader_stop(struct ct_qemu_reader *reader)
{
    int64_t until_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    int status = 0;
    pid_t ended;

    (void)close(reader->life);
    /* One that somebody stopped would be waited for for ever. */
    while ((ended = waitpid(reader->pid, &status, WNOHANG)) <= 0) {
        if (ended < 0 && errno != EINTR) {
            return -errno;
        }
        if (now_ns(CLOCK_MONOTONIC) > until_ns) {
            (void)kill(reader->pid, SIGKILL);
        }
        (void)poll(NULL, 0, TICK_MS);
    }
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EOWNERDEAD;
}
