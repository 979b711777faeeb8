/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the table of engines; the first is the default
 */
#include "engine/engine.h"

#include <stddef.h>
#include <string.h>

static const struct engine *const engines[] = {
    &ct_engine_threads,
    &ct_engine_native,
    &ct_engine_io_uring,
};

const struct engine *ct_engine_find(const char *name)
{
    if (name == NULL) {
        return engines[0];
    }
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (strcmp(engines[i]->name, name) == 0) {
            return engines[i];
        }
    }
    return NULL;
}
