/* SPDX-License-Identifier: MIT */
/*
 * test-text.c - an event's texts: as long as measured, whatever they are by now
 */
#include <glib.h>
#include <string.h>

#include "text.h"

enum { LONGEST = 40 };

static void fill(char *text, size_t n, int first)
{
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)(1 + (first + (int)i * 37) % 255);
    }
    text[n] = '\0';
}

/* Every length, at every byte of a word, with all values of a byte. */
static void test_whole(void)
{
    char text[LONGEST + 16];
    unsigned char pack[LONGEST + 16];

    for (int first = 0; first < 255; first++) {
        for (size_t n = 0; n <= LONGEST; n++) {
            char *from = text + n % 8;

            fill(from, n, first);
            memset(pack, 0xee, sizeof(pack));
            ct_pack_text(pack, from, n);
            g_assert_cmpmem(pack, n + 1, from, n + 1);
            g_assert_cmphex(pack[n + 1], ==, 0xee);
        }
    }
}

/* Cut after its length was measured: what follows does not count. */
static void test_cut(void)
{
    char text[LONGEST + 1];
    unsigned char pack[LONGEST + 2];

    for (size_t n = 1; n <= LONGEST; n++) {
        for (size_t cut = 0; cut < n; cut++) {
            fill(text, n, 100);
            text[cut] = '\0';
            memset(pack, 0xee, sizeof(pack));
            ct_pack_text(pack, text, n);
            g_assert_cmpmem(pack, cut, text, cut);
            for (size_t i = cut; i < n; i++) {
                g_assert_cmphex(pack[i], ==, '#');
            }
            g_assert_cmphex(pack[n], ==, '\0');
            g_assert_cmphex(pack[n + 1], ==, 0xee);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/whole", test_whole);
    g_test_add_func("/text/cut", test_cut);
    return g_test_run();
}
