/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the generated ct/emit.h: what the preloaded library tells of
 * completions and files goes to the test.
 */
#ifndef CT_EMIT_H
#define CT_EMIT_H

#include <stdint.h>

#include "ct/events.h"

void fake_file(int fd, const char *path);
void fake_aio_end(enum ct_io_engine engine, const void *request, int64_t ret);

#define ct_emit_on_native_file()      1
#define ct_emit_native_file(fd, path) fake_file(fd, path)
#define ct_emit_on_native_aio_end()   1
#define ct_emit_native_aio_end(engine, request, ret) \
    fake_aio_end(engine, request, ret)

#endif
