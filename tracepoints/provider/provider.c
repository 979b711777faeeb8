/* SPDX-License-Identifier: MIT */
/*
 * provider.c - the LTTng-UST probes, a shared object of their own
 *
 * Loaded by the traced program if it is there, so that the program itself
 * needs no LTTng; absent, tracing is off.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "probes.h"
