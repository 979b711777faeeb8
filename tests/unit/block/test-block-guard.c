/* SPDX-License-Identifier: MIT */
/*
 * test-block-guard.c - a disk that was guessed to be raw stays so, whatever is
 * written
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ct/block.h"
#include "image.h"
#include "loops.h"

#define BYTES 65536

static const uint8_t qcow2[8] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};

static char *new_file(void)
{
    g_autoptr(GError) error = NULL;
    char *name = NULL;
    int fd = g_file_open_tmp("cotrace-guard-XXXXXX", &name, &error);

    g_assert_no_error(error);
    g_assert_cmpint(ftruncate(fd, BYTES), ==, 0);
    g_assert_cmpint(close(fd), ==, 0);
    return name;
}

static BlockBackend *open_file(struct loop *loop, const char *name,
                               const char *format)
{
    BlockOptions options = {
        .format = format, .is_writable = true, .is_unsafe = true};
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_new_open(name, &options, loop->ctx, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(blk_format(blk), ==, "raw");
    g_assert_cmpint(blk_is_guarded(blk), ==, format == NULL);
    return blk;
}

static void test_header(struct loop *loop)
{
    char *name = new_file();
    uint8_t back[8], rest[1024] = {0};

    for (size_t n = sizeof(qcow2); n <= sizeof(rest); n *= 128) {
        BlockBackend *blk = open_file(loop, name, NULL);
        memcpy(rest, qcow2, sizeof(qcow2));
        g_assert_cmpint(blk_pwrite(blk, 0, (int64_t)n, rest, 0), ==, -EPERM);
        g_assert_cmpint(blk_pwrite(blk, 0, 7, qcow2, 0), ==, 0);
        g_assert_cmpint(blk_pwrite(blk, 7, 1, qcow2 + 7, 0), ==, -EPERM);
        g_assert_cmpint(blk_pread(blk, 0, 8, back), ==, 0);
        g_assert_cmpmem(back, 7, qcow2, 7);
        g_assert_cmpint(back[7], ==, 0);
        /* Behind the first bytes anything goes. */
        g_assert_cmpint(blk_pwrite(blk, 512, 8, qcow2, 0), ==, 0);
        blk_unref(blk);
    }
    /* It is what somebody said that it is. */
    BlockBackend *blk = open_file(loop, name, "raw");
    g_assert_cmpint(blk_pwrite(blk, 0, 8, qcow2, 0), ==, 0);
    blk_unref(blk);
    image_remove(name);
}

/* --- two that together would --------------------------------------------- */

struct half {
    BlockBackend *blk;
    int64_t offset;
    const uint8_t *data;
    int ret; /* 1: not yet */
};

static void coroutine_fn writes(void *opaque)
{
    struct half *half = opaque;
    IOVector vector;

    io_vector_init(&vector);
    io_vector_add(&vector, (void *)half->data, 4);
    half->ret = blk_co_pwritev(half->blk, half->offset, &vector, 0);
    io_vector_fini(&vector);
}

static void test_halves(struct loop *loop)
{
    char *name = new_file();
    BlockBackend *blk = open_file(loop, name, NULL);
    struct half halves[2] = {
        {blk, 0, qcow2, 1},
        {blk, 4, qcow2 + 4, 1},
    };

    for (int i = 0; i < 2; i++) {
        aio_co_enter(loop->ctx, coroutine_create(writes, &halves[i]));
    }
    loop_until(loop, halves[0].ret != 1 && halves[1].ret != 1);
    g_assert_cmpint(halves[0].ret, ==, 0);
    g_assert_cmpint(halves[1].ret, ==, -EPERM);
    blk_unref(blk);
    image_remove(name);
}

/* --- what writes zeroes -------------------------------------------------- */

/* A magic may have some. */
static void test_zeroes(struct loop *loop)
{
    static const uint8_t qed[4] = "QEDx";
    char *name = new_file();
    BlockOptions options = {
        .is_writable = true, .is_unsafe = true, .has_discard = true};
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_new_open(name, &options, loop->ctx, &error);
    uint8_t back[4], data[2000];

    g_assert_no_error(error);
    memset(data, 1, sizeof(data));
    g_assert_cmpint(blk_pwrite(blk, 0, sizeof(data), data, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 0, 4, qed, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 3, 1, 0), ==, -EPERM);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 3, 1000, BDRV_REQ_MAY_UNMAP), ==,
                    -EPERM);
    g_assert_cmpint(blk_pdiscard(blk, 3, 1), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 3, 1000), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 4, back), ==, 0);
    g_assert_cmpmem(back, 4, qed, 4);
    /* Others make none. */
    g_assert_cmpint(blk_pwrite_zeroes(blk, 4, 1000, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 4, back), ==, 0);
    g_assert_cmpmem(back, 4, qed, 4);
    g_assert_cmpint(blk_pread(blk, 1003, 2, back), ==, 0);
    g_assert_cmpint(back[0], ==, 0);
    g_assert_cmpint(back[1], ==, 1);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 512, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 4, back), ==, 0);
    g_assert_cmpint(back[0], ==, 0);
    blk_unref(blk);
    image_remove(name);
}

/* --- formats that have no driver ----------------------------------------- */

#define FOREIGN(format, at, bytes)           \
    {                                        \
        format, at, bytes, sizeof(bytes) - 1 \
    }

static void test_foreign(struct loop *loop)
{
    static const struct {
        const char *format; /* NULL: none */
        int64_t at;
        const char *bytes;
        size_t n;
    } cases[] = {
        FOREIGN("qcow", 0, "QFI\xfb\0\0\0\1"),
        FOREIGN("qed", 0, "QED\0"),
        FOREIGN("vmdk", 0, "KDMV"),
        FOREIGN("vmdk", 0, "COWD"),
        FOREIGN("vmdk", 0, "# one\n  \n# two\nversion=1\n"),
        FOREIGN("vmdk", 0, " \r\n  \nversion=2\r\n"),
        FOREIGN("vmdk", 0, "version=3\r\nA"),
        FOREIGN(NULL, 0, "\r\nversion=1\n"),
        FOREIGN(NULL, 0, "# one\n\nversion=1\n"),
        FOREIGN(NULL, 0, "\nversion=1\n"),
        FOREIGN(NULL, 0, "# one\nversion=4\n"),
        FOREIGN(NULL, 0, "# version=1\n"),
        FOREIGN(NULL, 0, "version=1"),
        FOREIGN("vdi", 64, "\x7f\x10\xda\xbe"),
        FOREIGN(NULL, 0, "\x7f\x10\xda\xbe"),
        FOREIGN("vpc", 0, "conectix"),
        FOREIGN("vhdx", 0, "vhdxfile"),
        FOREIGN("luks", 0, "LUKS\xba\xbe"),
        FOREIGN("parallels", 0, "WithoutFreeSpace"),
        FOREIGN("parallels", 0, "WithouFreSpacExt"),
        FOREIGN("bochs", 0, "Bochs Virtual HD Image"),
        FOREIGN("cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool is_raw = cases[i].format == NULL;
        char *name = new_file();
        BlockBackend *blk = open_file(loop, name, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(blk_pwrite(blk, cases[i].at, (int64_t)cases[i].n,
                                   cases[i].bytes, 0),
                        ==, is_raw ? 0 : -EPERM);
        blk_unref(blk);
        blk = open_file(loop, name, "raw");
        g_assert_cmpint(blk_pwrite(blk, cases[i].at, (int64_t)cases[i].n,
                                   cases[i].bytes, 0),
                        ==, 0);
        blk_unref(blk);
        blk = blk_new_open(name, NULL, loop->ctx, &error);
        g_assert_cmpint(blk != NULL, ==, is_raw);
        if (blk == NULL) {
            g_assert_nonnull(strstr(error->message, cases[i].format));
        } else {
            blk_unref(blk);
        }
        image_remove(name);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/guard/header", test_header);
    loops_add("/guard/halves", test_halves);
    loops_add("/guard/zeroes", test_zeroes);
    loops_add("/guard/foreign", test_foreign);
    return g_test_run();
}
