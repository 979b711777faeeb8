/* SPDX-License-Identifier: MIT */
/*
 * fake_qemu.c - answers as a qemu-io with LTTng-UST does, and reads N blocks
 *
 * No distribution packs such a QEMU, and building one takes minutes; what
 * `record --qemu` looks at is here: its answers, the library that it needs,
 * provider `qemu`.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "qemu_tracepoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *address(uintptr_t number)
{
    return (void *)number;
}

static void read_block(uintptr_t i)
{
    lttng_ust_tracepoint(qemu, qemu_aio_coroutine_enter, address(0xc),
                         address(0xf), address(0x100), address(i));
    lttng_ust_tracepoint(qemu, blk_co_preadv, address(2), address(3),
                         (int64_t)i * 512, 512, 0);
    lttng_ust_tracepoint(qemu, qemu_coroutine_terminate, address(0x100));
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("qemu-io version 9.1.0 (with ust)");
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "--trace") && !strcmp(argv[2], "help")) {
        puts("qemu_aio_coroutine_enter\nqemu_coroutine_terminate\n"
             "blk_co_preadv");
        return 0;
    }
    if (argc != 2) {
        fprintf(stderr, "more arguments than were given\n");
        return 1;
    }
    for (int i = 0; i < atoi(argv[1]); i++) {
        read_block((uintptr_t)i);
    }
    puts("read");
    return 7;
}
