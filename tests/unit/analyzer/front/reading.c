/* SPDX-License-Identifier: MIT */
/*
 * reading.c - traces to damage, and what a pass over one tells
 *
 * TRACES_DIR (from the build) has real traces: `small`, two streams of five
 * packets, and `lossy`, of the same program with buffers that were too small.
 */
#include "reading.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct/alive.h"
#include "ct/stat.h"

static char *base;      /* scratch directory */
static char *temporary; /* TMPDIR of this process */
static unsigned n_made;

void reading_init(void)
{
    const char *tmp = getenv("TMPDIR");

    base = g_strdup_printf("%s/cotrace-test-XXXXXX", tmp ? tmp : "/tmp");
    g_assert_nonnull(mkdtemp(base));
    temporary = g_strdup_printf("%s/tmp", base);
    g_assert_cmpint(mkdir(temporary, 0700), ==, 0);
    /* Before anybody asks GLib, which remembers its first answer. */
    g_setenv("TMPDIR", temporary, TRUE);
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *where)
{
    return remove(path);
}

void reading_fini(void)
{
    g_assert_cmpint(nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
    g_free(temporary);
    g_free(base);
}

char *reading_scratch(void)
{
    char *dir = g_strdup_printf("%s/%u", base, n_made++);

    g_assert_cmpint(mkdir(dir, 0700), ==, 0);
    return dir;
}

char *reading_file(const char *name, const char *text)
{
    char *path = g_strdup_printf("%s/%u-%s", base, n_made++, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void copy_into(const char *from, const char *to)
{
    GDir *listing = g_dir_open(from, 0, NULL);
    const char *name;

    g_assert_nonnull(listing);
    while ((name = g_dir_read_name(listing))) {
        char *source = g_build_filename(from, name, NULL);
        char *target = g_build_filename(to, name, NULL);
        char *bytes;
        gsize n;

        if (g_file_test(source, G_FILE_TEST_IS_DIR)) {
            g_assert_cmpint(mkdir(target, 0700), ==, 0);
            copy_into(source, target);
        } else {
            g_assert_true(g_file_get_contents(source, &bytes, &n, NULL));
            g_assert_true(g_file_set_contents(target, bytes, (gssize)n, NULL));
            g_free(bytes);
        }
        g_free(target);
        g_free(source);
    }
    g_dir_close(listing);
}

char *reading_copy(const char *name)
{
    char *from = g_build_filename(TRACES_DIR, name, NULL);
    char *to = reading_scratch();

    copy_into(from, to);
    g_free(from);
    return to;
}

/* --- a pass -------------------------------------------------------------- */

struct collector {
    struct ct_consumer consumer;
    struct reading *reading;
    void (*progress)(uint64_t, uint64_t, void *);
    void *data;
};

static void take_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct collector *collector = (struct collector *)consumer;

    g_array_append_val(collector->reading->gaps, *gap);
}

static bool finish(struct ct_consumer *consumer,
                   const struct ct_summary *summary, GError **error)
{
    struct collector *collector = (struct collector *)consumer;

    collector->reading->finished++;
    collector->reading->summary = *summary;
    collector->reading->summary.stacks = NULL;
    collector->reading->summary.images = NULL;
    return true;
}

static void take_request(struct ct_consumer *consumer,
                         const struct ct_request *request)
{
    struct collector *collector = (struct collector *)consumer;

    g_assert_true(ct_request_check(request));
    collector->reading->requests++;
}

static void take_warning(const char *text, void *data)
{
    struct collector *collector = data;

    g_ptr_array_add(collector->reading->warnings, g_strdup(text));
}

static void take_progress(uint64_t bytes, uint64_t total, void *data)
{
    struct collector *collector = data;

    g_assert_cmpuint(bytes, <=, total);
    if (collector->progress) {
        collector->progress(bytes, total, collector->data);
    }
}

struct reading *reading_run(const char *path,
                            void (*progress)(uint64_t, uint64_t, void *),
                            void *data)
{
    struct reading *reading = g_new0(struct reading, 1);
    struct collector collector = {
        .consumer = {.gap = take_gap,
                     .request = take_request,
                     .finish = finish,
                     .wants_origins = true,
                     .wants_blame = true},
        .reading = reading,
        .progress = progress,
        .data = data,
    };
    struct ct_stat *stat = ct_stat_new();
    struct ct_alive_query *alive = ct_alive_new(-1, 0);
    struct ct_consumer *consumers[] = {&collector.consumer,
                                       ct_stat_consumer(stat),
                                       ct_alive_consumer(alive), NULL};
    const struct ct_trace_options options = {
        .warning = take_warning,
        .progress = take_progress,
        .data = &collector,
    };
    GError *error = NULL;

    reading->warnings = g_ptr_array_new_with_free_func(g_free);
    reading->gaps = g_array_new(FALSE, FALSE, sizeof(struct ct_gap));
    reading->good = ct_trace_run(path, &options, consumers, &error);
    ct_alive_free(alive);
    ct_stat_free(stat);
    g_assert_true(reading->good == (error == NULL));
    g_assert_cmpuint(reading->finished, ==, reading->good ? 1 : 0);
    if (error) {
        g_assert_null(strchr(error->message, '\n'));
        g_assert_true(error->domain == CT_TRACE_ERROR);
        reading->error = g_strdup(error->message);
        g_error_free(error);
    }
    for (unsigned i = 0; i < reading->warnings->len; i++) {
        const char *text = g_ptr_array_index(reading->warnings, i);

        g_assert_null(strchr(text, '\n'));
    }
    g_assert_cmpuint(reading_left_behind(), ==, 0);
    return reading;
}

void reading_free(struct reading *reading)
{
    g_ptr_array_unref(reading->warnings);
    g_array_unref(reading->gaps);
    g_free(reading->error);
    g_free(reading);
}

unsigned reading_left_behind(void)
{
    GDir *listing = g_dir_open(temporary, 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(listing);
    while (g_dir_read_name(listing)) {
        n++;
    }
    g_dir_close(listing);
    return n;
}

/* --- damage -------------------------------------------------------------- */

uint64_t file_size(const char *dir, const char *name)
{
    char *path = g_build_filename(dir, name, NULL);
    struct stat status;

    g_assert_cmpint(stat(path, &status), ==, 0);
    g_free(path);
    return (uint64_t)status.st_size;
}

void file_cut(const char *dir, const char *name, uint64_t size)
{
    char *path = g_build_filename(dir, name, NULL);

    g_assert_cmpint(truncate(path, (off_t)size), ==, 0);
    g_free(path);
}

void file_write(const char *dir, const char *name, uint64_t at,
                const void *bytes, size_t n)
{
    char *path = g_build_filename(dir, name, NULL);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pwrite(fd, bytes, n, (off_t)at), ==, (ssize_t)n);
    close(fd);
    g_free(path);
}

void file_change(const char *dir, const char *name, uint64_t at,
                 unsigned char change)
{
    char *path = g_build_filename(dir, name, NULL);
    int fd = open(path, O_RDWR);
    unsigned char byte;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pread(fd, &byte, 1, (off_t)at), ==, 1);
    byte ^= change;
    g_assert_cmpint(pwrite(fd, &byte, 1, (off_t)at), ==, 1);
    close(fd);
    g_free(path);
}

void file_remove(const char *dir, const char *name)
{
    char *path = g_build_filename(dir, name, NULL);

    g_assert_cmpint(unlink(path), ==, 0);
    g_free(path);
}
