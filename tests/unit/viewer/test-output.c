/* SPDX-License-Identifier: MIT */
/*
 * test-output.c - a file appears whole or not at all; a spool gives back what
 * it took
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out/file.h"
#include "out/spool.h"

struct fixture {
    char *directory;
    char *file;
};

static void set_up(struct fixture *fixture, const void *data)
{
    fixture->directory = g_dir_make_tmp("cotrace-XXXXXX", NULL);
    g_assert_nonnull(fixture->directory);
    fixture->file = g_build_filename(fixture->directory, "out.json", NULL);
}

static void tear_down(struct fixture *fixture, const void *data)
{
    (void)g_unlink(fixture->file);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->directory);
    g_free(fixture->file);
}

static unsigned n_files(const char *directory)
{
    GDir *dir = g_dir_open(directory, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void expect_file(const char *path, const char *wanted)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, wanted);
}

static struct ct_out *opened(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct ct_out *out = ct_out_open(path, &error);

    g_assert_no_error(error);
    return out;
}

static void test_keep(struct fixture *fixture, const void *data)
{
    struct ct_out *out = opened(fixture->file);
    struct stat status;

    ct_out_puts(out, "whole");
    g_assert_true(ct_out_flush(out));
    g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
    g_assert_true(ct_out_close(out, true, NULL));
    expect_file(fixture->file, "whole");
    g_assert_cmpuint(n_files(fixture->directory), ==, 1);

    /* A second one replaces it; who may read it stays. */
    g_assert_cmpint(g_chmod(fixture->file, 0640), ==, 0);
    out = opened(fixture->file);
    ct_out_puts(out, "again");
    expect_file(fixture->file, "whole");
    g_assert_true(ct_out_close(out, true, NULL));
    expect_file(fixture->file, "again");
    g_assert_cmpint(g_stat(fixture->file, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0640);
    g_assert_cmpuint(n_files(fixture->directory), ==, 1);
}

static void test_drop(struct fixture *fixture, const void *data)
{
    struct ct_out *out = opened(fixture->file);

    ct_out_puts(out, "half");
    g_assert_true(ct_out_flush(out));
    g_assert_true(ct_out_close(out, false, NULL));
    g_assert_cmpuint(n_files(fixture->directory), ==, 0);

    g_assert_true(g_file_set_contents(fixture->file, "old", -1, NULL));
    out = opened(fixture->file);
    ct_out_puts(out, "half");
    g_assert_true(ct_out_close(out, false, NULL));
    expect_file(fixture->file, "old");
    g_assert_cmpuint(n_files(fixture->directory), ==, 1);
}

static void test_link(struct fixture *fixture, const void *data)
{
    g_autofree char *link = g_build_filename(fixture->directory, "link", NULL);
    struct ct_out *out;

    g_assert_true(g_file_set_contents(fixture->file, "old", -1, NULL));
    g_assert_cmpint(symlink("out.json", link), ==, 0);
    out = opened(link);
    ct_out_puts(out, "new");
    g_assert_true(ct_out_close(out, true, NULL));
    expect_file(fixture->file, "new");
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_cmpint(g_unlink(link), ==, 0);
}

static void expect_refused(const char *path, int reason)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(ct_out_open(path, &error));
    g_assert_error(error, CT_OUT_ERROR, reason);
    g_assert_true(g_str_has_prefix(error->message, path));
}

static void test_refused(struct fixture *fixture, const void *data)
{
    g_autofree char *nowhere =
        g_build_filename(fixture->directory, "no", "file", NULL);
    g_autofree char *below = g_build_filename(fixture->file, "x", NULL);

    expect_refused(nowhere, ENOENT);
    expect_refused(fixture->directory, EISDIR);
    g_assert_true(g_file_set_contents(fixture->file, "", -1, NULL));
    expect_refused(below, ENOTDIR);
    g_assert_cmpuint(n_files(fixture->directory), ==, 1);
}

static void test_full(struct fixture *fixture, const void *data)
{
    g_autoptr(GError) error = NULL;
    struct ct_out *out = opened("/dev/full");

    ct_out_puts(out, "x");
    g_assert_false(ct_out_close(out, true, &error));
    g_assert_error(error, CT_OUT_ERROR, ENOSPC);
    g_assert_cmpstr(error->message, ==, "/dev/full: No space left on device");
}

/* The file can't grow: the old one stays, nothing else is left. */
static void test_too_big(struct fixture *fixture, const void *data)
{
    if (g_test_subprocess()) {
        struct rlimit limit = {1000, 1000};
        g_autoptr(GError) error = NULL;
        const char *path = g_getenv("TOO_BIG");
        struct ct_out *out = opened(path);

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        for (unsigned i = 0; i < 1000000; i++) {
            ct_out_puts(out, "abc");
        }
        g_assert_false(ct_out_close(out, true, &error));
        g_assert_error(error, CT_OUT_ERROR, EFBIG);
        exit(0);
    }
    g_assert_true(g_file_set_contents(fixture->file, "old", -1, NULL));
    g_setenv("TOO_BIG", fixture->file, TRUE);
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    expect_file(fixture->file, "old");
    g_assert_cmpuint(n_files(fixture->directory), ==, 1);
}

static void test_pipe(struct fixture *fixture, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    struct ct_out *out;
    int ends[2];

    g_assert_cmpint(pipe(ends), ==, 0);
    path = g_strdup_printf("/dev/fd/%d", ends[1]);
    out = opened(path);
    ct_out_puts(out, "through");
    g_assert_true(ct_out_close(out, true, NULL));
    {
        char got[16] = "";

        g_assert_cmpint(read(ends[0], got, sizeof(got)), ==, 7);
        g_assert_cmpstr(got, ==, "through");
    }
    signal(SIGPIPE, SIG_IGN);
    out = opened(path);
    close(ends[0]);
    ct_out_puts(out, "nobody");
    g_assert_false(ct_out_close(out, true, &error));
    g_assert_error(error, CT_OUT_ERROR, EPIPE);
    close(ends[1]);
}

/* Every piece comes back, whether it still lies in memory or in the file. */
static void test_spool(struct fixture *fixture, const void *data)
{
    struct ct_spool *spool = ct_spool_new(fixture->directory);
    const unsigned n = 60000;

    for (unsigned round = 0; round < 2; round++) {
        char piece[256], got[256];

        for (unsigned i = 0; i < n; i++) {
            memset(piece, (int)(i + round), sizeof(piece));
            g_assert_cmpuint(ct_spool_append(spool, piece, sizeof(piece)), ==,
                             (uint64_t)i * sizeof(piece));
        }
        for (unsigned step = 0; step < 2; step++) {
            for (unsigned k = 0; k < n; k++) {
                unsigned i = step ? (k * 7919) % n : k;

                g_assert_true(ct_spool_read(spool, (uint64_t)i * sizeof(got),
                                            got, sizeof(got)));
                memset(piece, (int)(i + round), sizeof(piece));
                g_assert_cmpmem(got, sizeof(got), piece, sizeof(piece));
            }
        }
        g_assert_false(
            ct_spool_read(spool, (uint64_t)n * sizeof(got) - 1, got, 2));
        g_assert_cmpuint(n_files(fixture->directory), ==, 0);
        ct_spool_clear(spool);
    }
    g_assert_false(ct_spool_error(spool, NULL));
    ct_spool_free(spool);
}

static void test_spool_error(struct fixture *fixture, const void *data)
{
    g_autofree char *nowhere = g_build_filename(fixture->directory, "no", NULL);
    g_autoptr(GError) error = NULL;
    struct ct_spool *spool = ct_spool_new(nowhere);
    char piece[4096] = "";

    for (unsigned i = 0; i < 2000; i++) {
        ct_spool_append(spool, piece, sizeof(piece));
    }
    g_assert_true(ct_spool_error(spool, &error));
    g_assert_error(error, CT_OUT_ERROR, ENOENT);
    g_assert_false(ct_spool_read(spool, 0, piece, 1));
    ct_spool_free(spool);
}

#define add(name, function)                                             \
    g_test_add("/output/" name, struct fixture, NULL, set_up, function, \
               tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("keep", test_keep);
    add("drop", test_drop);
    add("link", test_link);
    add("refused", test_refused);
    add("full", test_full);
    add("too-big", test_too_big);
    add("pipe", test_pipe);
    add("spool", test_spool);
    add("spool-error", test_spool_error);
    return g_test_run();
}
