/* SPDX-License-Identifier: MIT */
/*
 * fuzz-text.c - libFuzzer target: any bytes as lines of a text trace
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "source/text/text-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ct_text_parser parser;

    parser.has_clock = size > 0 && data[0] != '-';
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        /* of its own size: reading one byte too far is seen */
        char *line = malloc(n + 1);

        memcpy(line, data, n);
        line[n] = '\0';
        if (ct_text_parse(&parser, line) == CT_TEXT_BAD &&
            parser.reason[0] == '\0') {
            abort(); /* a bad line has a reason */
        }
        free(line);
        n += end != NULL;
        data += n;
        size -= n;
    }
    return 0;
}
