/* SPDX-License-Identifier: MIT */
/*
 * load.h - the provider's shared object
 */
#ifndef CT_LOAD_H
#define CT_LOAD_H

/**
 * ct_provider_load() - load the provider if there is one
 *
 * Once, when the program starts.  Never unloaded again: probes can't go under
 * running threads.
 */
__attribute__((visibility("hidden"))) void ct_provider_load(void);

/**
 * ct_provider_tell_files() - tell LTTng of files that were loaded or unloaded
 * since the last time; defined in the provider
 */
void ct_provider_tell_files(void);

#endif
