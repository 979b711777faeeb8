/* SPDX-License-Identifier: MIT */
/*
 * test-place.c - directories of a recording, its note, and /dev/shm's pages
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/output/note.h"
#include "session/output/place.h"
#include "session/daemon/shm.h"

#include "lib/tap.h"

static char *folder;

static char *in(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static bool exists(const char *name)
{
    g_autofree char *path = in(name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void put(const char *name, const char *text)
{
    g_autofree char *path = in(name);

    tap_check(g_file_set_contents(path, text, -1, NULL));
}

static void test_output_made(void)
{
    g_autofree char *path = in("trace");
    bool made = false;
    g_autofree char *output = ct_place_output(path, &made, NULL);
    g_autofree char *real = realpath(path, NULL);

    tap_check(made && g_strcmp0(output, real) == 0);
    put("trace/file", "text");
    ct_place_abandon(output, made);
    tap_check(!exists("trace"));
}

static void test_output_taken(void)
{
    g_autofree char *path = in("trace");
    struct stat before, after;
    bool made = true;

    tap_check(!g_mkdir(path, 0700) && !stat(path, &before));
    g_autofree char *output = ct_place_output(path, &made, NULL);
    tap_check(output && !made);
    put("trace/file", "text");
    ct_place_abandon(output, made);
    tap_check(!stat(path, &after) && before.st_ino == after.st_ino);
    tap_check(!exists("trace/file"));
}

static void test_output_refused(void)
{
    const char *const names[] = {"full", "full/file", "no/parent", ""};
    g_autofree char *full = in("full");

    tap_check(!g_mkdir(full, 0755));
    put("full/file", "text");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = *names[i] ? in(names[i]) : g_strdup("");
        g_autoptr(GError) error = NULL;
        bool made;

        tap_check(!ct_place_output(path, &made, &error));
        tap_check(
            g_error_matches(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT));
    }
    tap_check(exists("full/file"));
}

/* There is a way to say where we are, but no path. */
static void test_output_nowhere(void)
{
    g_autofree char *gone = in("gone");
    g_autofree char *back = g_get_current_dir();
    g_autoptr(GError) error = NULL;
    bool made = false;

    tap_check(!g_mkdir(gone, 0700) && !chdir(gone) && !rmdir(gone));
    tap_check(!ct_place_output(".", &made, &error));
    tap_check(error && g_str_has_prefix(error->message, ".: "));
    tap_check(!chdir(back));
}

/* Root may do everything. */
static void test_output_closed(void)
{
    g_autofree char *path = in("closed");
    g_autoptr(GError) error = NULL;
    bool made = false;

    tap_check(!g_mkdir(path, 0300));
    char *output = ct_place_output(path, &made, &error);
    if (geteuid() == 0) {
        tap_check(output && !made);
    } else {
        tap_check(!output && error &&
                  strstr(error->message, g_strerror(EACCES)));
    }
    free(output);
    tap_check(!chmod(path, 0700));
}

static void test_home(void)
{
    struct stat status;
    g_autofree char *long_path = g_strdup_printf("%s/%0100d", folder, 0);
    const char *const places[] = {folder, long_path, "relative", "/no/such"};

    tap_check(!g_mkdir(long_path, 0755) && !g_chmod(folder, 0755));
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_setenv("XDG_RUNTIME_DIR", places[i], TRUE);
        g_autofree char *home = ct_place_home(NULL);
        tap_check(home && strlen(home) < 77 && g_path_is_absolute(home));
        tap_check(g_str_has_prefix(home, folder) == (i == 0));
        tap_check(!stat(home, &status) && (status.st_mode & 0777) == 0700);
        ct_place_remove(home);
        tap_check(!g_file_test(home, G_FILE_TEST_EXISTS));
    }
    g_unsetenv("XDG_RUNTIME_DIR");
}

static void test_remove(void)
{
    g_autofree char *tree = in("tree");
    g_autofree char *deep = in("tree/a/b/c");
    g_autofree char *link = in("tree/a/link");

    put("outside", "text");
    tap_check(!g_mkdir_with_parents(deep, 0755));
    tap_check(!symlink("../../outside", link));
    put("tree/a/b/file", "text");
    uint64_t before = ct_place_bytes(tree);
    put("tree/a/b/file", "text and more");
    tap_check(ct_place_bytes(tree) > before);
    ct_place_remove(tree);
    tap_check(!exists("tree") && exists("outside"));
    ct_place_remove(tree); /* nothing to do */
}

/* --- the note ------------------------------------------------------------ */

static char *arguments[] = {(char *)"a \"b\"\\\n", (char *)"\x01\xff", NULL};

static void test_note(void)
{
    struct ct_session_result result = {
        .events = 18000000000000000000u,
        .discarded = 3,
        .counted = true,
        .complete = true,
        .exit_status = 137,
    };
    struct ct_note note = {
        .program = "/bin/a",
        .argv = arguments,
        .begin_ns = 5,
    };
    g_autofree char *path = in(CT_NOTE_NAME);
    g_autofree char *text = NULL;
    g_autofree char *second = NULL;

    tap_equal(ct_note_claim(folder, &note), 0);
    tap_equal(ct_note_claim(folder, &note), -EEXIST);
    tap_check(g_file_get_contents(path, &text, NULL, NULL));
    tap_check(strstr(text, "\"complete\": false"));
    tap_check(strstr(text, "\"events\": null"));
    tap_check(strstr(text, "\"end_ns\": null"));
    tap_check(strstr(text, "[\"a \\\"b\\\"\\\\\\u000a\", "
                           "\"\\u0001\xef\xbf\xbd\"]"));

    note.result = &result;
    note.pid = 7;
    note.end_ns = 9;
    tap_equal(ct_note_write(folder, &note), 0);
    tap_check(g_file_get_contents(path, &second, NULL, NULL));
    tap_check(strstr(second, "\"complete\": true"));
    tap_check(strstr(second, "\"events\": 18000000000000000000"));
    tap_check(strstr(second, "\"exit_status\": 137"));
    tap_check(strstr(second, "\"begin_ns\": \"5\""));
    result.counted = false;
    tap_equal(ct_note_write(folder, &note), 0);
    tap_check(!exists(CT_NOTE_NAME ".new"));
}

/* Whoever made the list keeps it, and is not told of a recording that ended. */
static void test_note_taken(void)
{
    const struct ct_session_qemu qemu = {
        .version = "8.2", .clock = "program", .events = "blk_co_preadv\n"};
    struct ct_note note = {.program = "a", .argv = arguments, .qemu = &qemu};
    g_autofree char *empty = in("taken");
    g_autofree char *list = g_build_filename(empty, CT_NOTE_EVENTS, NULL);
    g_autofree char *path = g_build_filename(empty, CT_NOTE_NAME, NULL);
    g_autofree char *text = NULL;

    tap_check(!g_mkdir(empty, 0700));
    tap_check(g_file_set_contents(list, "theirs", -1, NULL));
    tap_equal(ct_note_claim(empty, &note), -EEXIST);
    tap_check(!g_file_test(path, G_FILE_TEST_EXISTS));
    tap_check(g_file_get_contents(list, &text, NULL, NULL));
    tap_check(!strcmp(text, "theirs"));
    tap_check(!g_unlink(list));
    tap_equal(ct_note_claim(empty, &note), 0);
    tap_check(g_file_test(path, G_FILE_TEST_EXISTS));
    tap_check(g_file_test(list, G_FILE_TEST_EXISTS));
    tap_check(!g_unlink(list) && !g_unlink(path) && !g_rmdir(empty));
}

static void test_note_unwritable(void)
{
    struct ct_note note = {.program = "a", .argv = arguments};

    tap_equal(ct_note_claim("/does/not/exist", &note), -ENOENT);
    tap_equal(ct_note_write("/does/not/exist", &note), -ENOENT);
}

/* --- /dev/shm ------------------------------------------------------------ */

#define PAGE "lttng-ust-wait-8"

static void sweep(bool reset)
{
    int place = open(folder, O_RDONLY | O_DIRECTORY);

    ct_shm_sweep(place, reset);
    (void)close(place);
}

static void test_sweep(void)
{
    put(PAGE, "\1\0\0\0");
    put("other", "text");
    sweep(false);
    tap_check(!exists(PAGE) && exists("other"));
}

static void test_sweep_used(void)
{
    g_autofree char *path = in(PAGE);
    int32_t value = 1;

    put(PAGE, "\1\0\0\0text");
    int page = open(path, O_RDONLY);
    const int32_t *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, page, 0);
    tap_check(mapped != MAP_FAILED);
    (void)close(page);
    sweep(false); /* mapped, though not open */
    tap_check(exists(PAGE) && *mapped == 1);
    sweep(true);
    tap_check(exists(PAGE) && *mapped == 0);
    (void)munmap((void *)mapped, 4096);

    page = open(path, O_RDWR);
    tap_check(pwrite(page, &value, sizeof(value), 0) == sizeof(value));
    sweep(false);
    tap_check(exists(PAGE));
    (void)close(page);
    sweep(false);
    tap_check(!exists(PAGE));
}

static void test_hold(void)
{
    g_autofree char *own = g_strdup_printf(PAGE "-%u", (unsigned)geteuid());
    g_autofree char *own_path = in(own);
    int pages[CT_SHM_PAGES], place = open(folder, O_RDONLY | O_DIRECTORY);
    struct stat status;

    put(PAGE, "\1\0\0\0");
    ct_shm_hold(place, pages);
    sweep(false);
    tap_check(exists(PAGE) && exists(own)); /* one was there, one is new */
    tap_check(!stat(own_path, &status) && (status.st_mode & 0777) == 0640);
    tap_equal(status.st_size, sysconf(_SC_PAGESIZE));
    tap_check(!fstat(pages[0], &status) && status.st_nlink == 1);
    ct_shm_let_go(pages);
    sweep(false);
    tap_check(!exists(PAGE) && !exists(own));

    put("target", "text");
    tap_check(!symlinkat("target", place, PAGE));
    ct_shm_hold(place, pages);
    tap_check(pages[0] < 0 && pages[1] >= 0); /* no link is followed */
    ct_shm_let_go(pages);
    sweep(false);
    tap_check(exists("target") && !exists(own));
    (void)close(place);
}

static void test_sweep_link(void)
{
    g_autofree char *path = in(PAGE);

    put("target", "\1\0\0\0");
    tap_check(!symlink("target", path));
    sweep(true);
    tap_check(exists("target"));
    g_autofree char *target = in("target");
    g_autofree char *text = NULL;
    gsize length;
    tap_check(g_file_get_contents(target, &text, &length, NULL));
    tap_check(*text == 1);
}

static void in_folder(const char *name, void (*test)(void))
{
    folder = g_dir_make_tmp("ct-place-XXXXXX", NULL);
    tap_run(name, test);
    ct_place_remove(folder);
    g_free(folder);
}

int main(void)
{
    in_folder("an output directory that was made is removed again",
              test_output_made);
    in_folder("an empty one is taken, and stays", test_output_taken);
    in_folder("one that can't be used is refused, untouched",
              test_output_refused);
    in_folder("where no path leads is refused", test_output_nowhere);
    in_folder("one that may not be read is refused for that",
              test_output_closed);
    in_folder("the home has a short path and is private", test_home);
    in_folder("a tree is removed, what its links name is not", test_remove);
    in_folder("the note is claimed once, replaced whole, and is JSON",
              test_note);
    in_folder("a list of events that is somebody else's", test_note_taken);
    in_folder("a note that can't be written says why", test_note_unwritable);
    in_folder("an unused wake-up page is removed, nothing else", test_sweep);
    in_folder("a page that somebody has open or mapped stays", test_sweep_used);
    in_folder("a page that is held stays, and is there", test_hold);
    in_folder("a link in the place of a page is not followed", test_sweep_link);
    return tap_end();
}
