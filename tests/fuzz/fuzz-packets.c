/* SPDX-License-Identifier: MIT */
/*
 * fuzz-packets.c - libFuzzer target: any bytes as metadata and as a stream
 *
 * An input is metadata text, a NUL, and the bytes of a stream file.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ct/ctf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is told of what was passed over, and of the packet, agrees. */
static void check(const struct ct_ctf_walk *steps)
{
    const struct ct_ctf_events *events = &steps->packet.events;

    if (steps->skipped.packet_bytes > steps->skipped.bytes ||
        (steps->skipped.bytes == 0) !=
            (steps->skipped.damage == CT_CTF_DAMAGE_NONE) ||
        events->own > events->all || events->all > steps->packet.bytes) {
        abort();
    }
}

static void walk(const struct ct_ctf_layout *layout, const uint8_t *stream,
                 size_t size)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);
    uint64_t end = 0;
    struct ct_ctf_walk steps;

    if (fd < 0 || write(fd, stream, size) != (ssize_t)size ||
        ct_ctf_walk_begin(&steps, layout, fd) < 0) {
        abort();
    }
    while (ct_ctf_walk_step(&steps) > 0) {
        /* packets lie in the file, one behind the other */
        if (steps.packet.offset < end || steps.packet.bytes == 0 ||
            steps.packet.offset + steps.packet.bytes > size) {
            abort();
        }
        end = steps.packet.offset + steps.packet.bytes;
        check(&steps);
    }
    ct_ctf_walk_end(&steps);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size);
    struct ct_ctf_layout *layout;
    const char *why = NULL;

    if (!nul) {
        return 0;
    }
    layout = ct_ctf_layout_read((const char *)data, &why);
    if (layout) {
        walk(layout, nul + 1, size - (size_t)(nul + 1 - data));
        ct_ctf_layout_free(layout);
    } else if (!why) {
        abort();
    }
    return 0;
}
