/* SPDX-License-Identifier: MIT */
/*
 * cpu-clock.c - a trace clock that stands still while a program does not run
 *
 * A plugin of LTTng-UST (LTTNG_UST_CLOCK_PLUGIN), for the traced program and
 * for the daemons alike: time is the CPU time of the program, of all its
 * threads together.  What other programs do to the machine is not in it, so
 * that thresholds in milliseconds mean what the program did.
 *
 * The time lies in a file that all of them map (COTRACE_CPU_CLOCK).  The
 * program moves it on whenever it reads it; the daemons, known by their names,
 * only read.  It never goes back, and no two readings of the program are equal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <lttng/ust-clock.h>

static _Atomic uint64_t *now_ns;

static uint64_t read_only(void)
{
    return atomic_load(now_ns);
}

static uint64_t read_and_move(void)
{
    struct timespec cpu;
    uint64_t was = atomic_load(now_ns);
    uint64_t is;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    do {
        is = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
        is = is > was ? is : was + 1;
    } while (!atomic_compare_exchange_weak(now_ns, &was, is));
    return is;
}

static uint64_t frequency(void)
{
    return 1000000000;
}

static int uuid(char *text)
{
    memcpy(text, "6d1f3f0a-0c53-4c29-a9a4-8e5d5b8c6f01",
           LTTNG_UST_UUID_STR_LEN);
    return 0;
}

static const char *name(void)
{
    return "cpu";
}

static const char *description(void)
{
    return "CPU time of the traced program";
}

void lttng_ust_clock_plugin_init(void);
__attribute__((visibility("default"))) void lttng_ust_clock_plugin_init(void)
{
    const char *path = getenv("COTRACE_CPU_CLOCK");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page;

    if (fd < 0) {
        fprintf(stderr, "cpu-clock: COTRACE_CPU_CLOCK: %s\n",
                path != NULL ? strerror(errno) : "not set");
        abort();
    }
    page =
        mmap(NULL, sizeof(*now_ns), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) {
        abort();
    }
    now_ns = page;
    if (lttng_ust_trace_clock_set_read64_cb(
            strncmp(program_invocation_short_name, "lttng-", 6) == 0
                ? read_only
                : read_and_move) != 0 ||
        lttng_ust_trace_clock_set_freq_cb(frequency) != 0 ||
        lttng_ust_trace_clock_set_uuid_cb(uuid) != 0 ||
        lttng_ust_trace_clock_set_name_cb(name) != 0 ||
        lttng_ust_trace_clock_set_description_cb(description) != 0 ||
        lttng_ust_enable_trace_clock_override() != 0) {
        abort();
    }
}
