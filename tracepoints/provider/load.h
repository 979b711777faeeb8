/* SPDX-License-Identifier: MIT */
/*
 * load.h - the provider's shared object
 */
#ifndef CT_LOAD_H
#define CT_LOAD_H

#include <stdint.h>

/**
 * ct_provider_load() - load the provider if there is one
 *
 * Once, when the program starts.  Never unloaded again: probes can't go under
 * running threads.
 */
__attribute__((visibility("hidden"))) void ct_provider_load(void);

/**
 * ct_provider_stay_out() - forks are no business of LTTng's any more
 *
 * Children are not recorded, and must record nothing.
 */
__attribute__((visibility("hidden"))) void ct_provider_stay_out(void);

/**
 * ct_provider_ignore_forks() - the same; defined in the provider
 */
void ct_provider_ignore_forks(void);

/**
 * ct_provider_tell_files() - tell LTTng of files that were loaded or unloaded
 * since the last time; defined in the provider
 */
void ct_provider_tell_files(void);

/**
 * ct_provider_use_clock() - have LTTng read CLOCK_MONOTONIC by @read; defined
 * in the provider
 *
 * If LTTng has been given a clock already, that one stays.
 */
void ct_provider_use_clock(uint64_t (*read)(void));

#endif
