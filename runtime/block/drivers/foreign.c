/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - formats that QEMU opens and this block layer does not, by how
 * they begin
 *
 * An image in one of them is no raw disk, whoever its writer was; see
 * probe_format() in node.c and the guard in raw.c.
 */
#include <string.h>

#include "block/drivers/drivers.h"

#define MAGIC(at, bytes) at, sizeof(bytes) - 1, bytes

static const struct {
    const char *name;
    size_t at, bytes;
    const char *magic;
} foreign[] = {
    {"qcow", MAGIC(0, "QFI\xfb\0\0\0\1")},
    {"qed", MAGIC(0, "QED\0")},
    {"vmdk", MAGIC(0, "KDMV")},
    {"vmdk", MAGIC(0, "COWD")},
    {"vdi", MAGIC(64, "\x7f\x10\xda\xbe")},
    {"vpc", MAGIC(0, "conectix")},
    {"vhdx", MAGIC(0, "vhdxfile")},
    {"luks", MAGIC(0, "LUKS\xba\xbe")},
    {"parallels", MAGIC(0, "WithoutFreeSpace")},
    {"parallels", MAGIC(0, "WithouFreSpacExt")},
    {"bochs", MAGIC(0, "Bochs Virtual HD Image")},
    {"cloop", MAGIC(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop")},
};

/* A VMDK may be text: after comments and lines of spaces "version=1", 2, 3. */
static bool is_vmdk_text(const char *text, size_t bytes)
{
    static const char version[] = "version=";
    const size_t n = sizeof(version) - 1;
    const char *end = text + bytes, *newline;

    for (; (newline = memchr(text, '\n', (size_t)(end - text))) != NULL;
         text = newline + 1) {
        const char *word = text;

        while (*word == ' ') {
            word++;
        }
        if (word > text && *word == '\r') {
            word++;
        }
        if (*text != '#' && (word == text || word != newline)) {
            return (size_t)(newline - text) > n &&
                   memcmp(text, version, n) == 0 && text[n] >= '1' &&
                   text[n] <= '3';
        }
    }
    return false;
}

const char *block_foreign_format(const uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++) {
        if (bytes >= foreign[i].at + foreign[i].bytes &&
            memcmp(buf + foreign[i].at, foreign[i].magic, foreign[i].bytes) ==
                0) {
            return foreign[i].name;
        }
    }
    return is_vmdk_text((const char *)buf, bytes) ? "vmdk" : NULL;
}
