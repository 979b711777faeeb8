/* SPDX-License-Identifier: MIT */
/*
 * provider.c - the LTTng-UST probes, a shared object of their own
 *
 * Loaded by the traced program if it is there, so that the program itself
 * needs no LTTng; absent, tracing is off.
 *
 * LTTng-UST has to be told of forks and of files that are loaded later.  Its
 * own helpers for that (liblttng-ust-fork, -dl) must be preloaded, into every
 * process below the program, and bring LTTng's threads into those that do not
 * trace at all: what needs to be alone in its process then fails, as unshare()
 * of a user namespace and changes of credentials do.  Here only processes with
 * this provider are concerned.
 *
 * - fork: handlers that stop LTTng's threads around it and let the child
 *   register under its own pid, before fork() returns there.
 * - clock: the program's own reading of CLOCK_MONOTONIC (when.c).
 * - files: looked at whenever the live state is told, and at the end.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "probes.h"

#include <lttng/ust-clock.h>
#include <lttng/ust-fork.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "load.h"

/* liblttng-ust exports it for its own helper; no header declares it. */
extern void lttng_ust_dl_update(void *ip);

static bool ignores_forks; /* atomic */

/* Of the thread that forks. */
static __thread sigset_t mask_before_fork;
static __thread bool is_told;

static void before_fork(void)
{
    is_told = !__atomic_load_n(&ignores_forks, __ATOMIC_RELAXED);
    if (is_told) {
        lttng_ust_before_fork(&mask_before_fork);
    }
}

static void after_fork_parent(void)
{
    if (is_told) {
        lttng_ust_after_fork_parent(&mask_before_fork);
    }
}

static void after_fork_child(void)
{
    if (is_told) {
        lttng_ust_after_fork_child(&mask_before_fork);
    }
}

/* Of a process that may not make the calls which that takes. */
__attribute__((visibility("default"))) void ct_provider_ignore_forks(void)
{
    __atomic_store_n(&ignores_forks, true, __ATOMIC_RELAXED);
}

__attribute__((visibility("default"))) void ct_provider_tell_files(void)
{
    lttng_ust_dl_update(__builtin_return_address(0));
}

/* All but the reading stays as it is. */
__attribute__((visibility("default"))) void ct_provider_use_clock(
    uint64_t (*read)(void))
{
    lttng_ust_clock_freq_function freq;
    lttng_ust_clock_uuid_function uuid;
    lttng_ust_clock_name_function name;
    lttng_ust_clock_description_function description;

    if (lttng_ust_trace_clock_get_freq_cb(&freq) == 0 &&
        lttng_ust_trace_clock_get_uuid_cb(&uuid) == 0 &&
        lttng_ust_trace_clock_get_name_cb(&name) == 0 &&
        lttng_ust_trace_clock_get_description_cb(&description) == 0 &&
        lttng_ust_trace_clock_set_freq_cb(freq) == 0 &&
        lttng_ust_trace_clock_set_uuid_cb(uuid) == 0 &&
        lttng_ust_trace_clock_set_name_cb(name) == 0 &&
        lttng_ust_trace_clock_set_description_cb(description) == 0 &&
        lttng_ust_trace_clock_set_read64_cb(read) == 0) {
        (void)lttng_ust_enable_trace_clock_override();
    }
}

__attribute__((constructor)) static void begin(void)
{
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

__attribute__((destructor)) static void end(void)
{
    ct_provider_tell_files();
}
