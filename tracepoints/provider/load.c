/* SPDX-License-Identifier: MIT */
/*
 * load.c - finds the provider's shared object when the program starts
 *
 * The program loads it by itself, so that a recording may start later and find
 * the program ready; without it, or without LTTng on the machine, tracing is
 * off and nothing else changes.
 *
 *   COTRACE_PROVIDER=PATH   that one; empty: none
 *   else, when the program lies in its build directory: the one built there
 *   else the installed one
 *
 * Nothing is loaded into a program with more rights than its user, nor, unless
 * asked for, into one built with a sanitizer: LTTng's threads are not.
 * A copy of the tracepoints that is to be silent (sole.h) loads nothing.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "ct/retell.h"

#include "load.h"
#include "retell.h"
#include "sole.h"
#include "when.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static bool lies_in(const char *directory)
{
    size_t length = strlen(directory);
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    return n > (ssize_t)length && strncmp(program, directory, length) == 0 &&
           program[length] == '/';
}

/* NULL: none. */
static const char *provider_path(void)
{
    const char *path = getenv("COTRACE_PROVIDER");

    if (getauxval(AT_SECURE)) {
        return NULL;
    }
    if (path) {
        return *path ? path : NULL;
    }
    if (SANITIZED) {
        return NULL;
    }
    return lies_in(CT_BUILD_ROOT) ? CT_PROVIDER_BUILT : CT_PROVIDER_INSTALLED;
}

/* Immutable after ct_provider_load(). */
static void (*tell_files)(void);
static void (*ignore_forks)(void);

static void tell(uint64_t telling)
{
    tell_files();
}

void ct_provider_load(void)
{
    static struct ct_teller teller = {.tell = tell};
    static bool is_done;
    const char *path = is_done || !ct_sole_may() ? NULL : provider_path();
    void *provider = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    void (*use_clock)(uint64_t(*read)(void));

    if (provider) {
        tell_files = (void (*)(void))dlsym(provider, "ct_provider_tell_files");
        ignore_forks =
            (void (*)(void))dlsym(provider, "ct_provider_ignore_forks");
        use_clock = (void (*)(uint64_t(*)(void)))dlsym(provider,
                                                       "ct_provider_use_clock");
        if (use_clock) {
            use_clock(ct_when_clock);
        }
    }
    if (tell_files && !is_done) {
        ct_retell_register(&teller);
    }
    if (!is_done) {
        ct_retell_start();
    }
    is_done = true;
    /* Behind this telling nothing is left of what the other one told. */
    if (provider && ct_sole_take_over()) {
        ct_retell_poll();
    }
}

void ct_provider_stay_out(void)
{
    if (ignore_forks) {
        ignore_forks();
    }
}
