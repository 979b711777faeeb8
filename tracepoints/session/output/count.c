/* SPDX-License-Identifier: MIT */
/*
 * count.c - walks the packets of every stream below a directory
 *
 * Packets are numbered from 0 within their stream, and `discarded` goes up
 * over the whole stream, so its last value is the stream's.
 *
 * The numbers are for people; the analyzer counts by itself.
 */
#include "session/output/count.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "ct/ctf.h"

static void add_events(struct ct_count *count,
                       const struct ct_ctf_events *events)
{
    count->events += events->all;
    count->own += events->own;
}

/* What a step passed over. Return: true: the stream can't be followed on. */
static bool count_skipped(const struct ct_ctf_skipped *skipped,
                          struct ct_count *count, uint64_t *ret_discarded)
{
    if (skipped->packet_bytes > 0) { /* no metadata for an event, most likely */
        count->known = false;
        add_events(count, &skipped->events);
        *ret_discarded = skipped->discarded;
    }
    count->damaged |= skipped->bytes > 0;
    return skipped->bytes > skipped->packet_bytes;
}

static int count_packets(const struct ct_ctf_layout *layout, int fd,
                         struct ct_count *count)
{
    uint64_t discarded = 0;
    uint64_t expected = 0;
    struct ct_ctf_walk walk;
    bool lost = false;
    int got = ct_ctf_walk_begin(&walk, layout, fd);

    if (got < 0) {
        return got;
    }
    do {
        got = ct_ctf_walk_step(&walk);
        lost = count_skipped(&walk.skipped, count, &discarded);
        if (got > 0 && !lost) {
            count->damaged |= walk.packet.seq_num != expected;
            expected = walk.packet.seq_num + 1;
            discarded = walk.packet.discarded;
            add_events(count, &walk.packet.events);
        }
    } while (got > 0 && !lost);
    count->discarded += discarded;
    ct_ctf_walk_end(&walk);
    return got;
}

static void count_stream(const struct ct_ctf_layout *layout, const char *path,
                         struct ct_count *count)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || count_packets(layout, fd, count) < 0) {
        count->known = false;
        count->damaged = true;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* All streams beside a file `metadata`. */
static void count_folder(const char *path, const char *metadata_path,
                         struct ct_count *count)
{
    const char *why;
    g_autofree char *text = ct_ctf_text(metadata_path, &why);
    struct ct_ctf_layout *layout = text ? ct_ctf_layout_read(text, &why) : NULL;
    GDir *names = layout ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;

    if (!names) {
        count->known = false;
        count->damaged |= !text;
    }
    while (names && (name = g_dir_read_name(names))) {
        g_autofree char *stream = g_build_filename(path, name, NULL);
        if (strcmp(name, "metadata") &&
            g_file_test(stream, G_FILE_TEST_IS_REGULAR)) {
            count_stream(layout, stream, count);
        }
    }
    g_clear_pointer(&names, g_dir_close);
    ct_ctf_layout_free(layout);
}

static void count_below(const char *path, struct ct_count *count)
{
    g_autofree char *metadata = g_build_filename(path, "metadata", NULL);
    GDir *names = g_dir_open(path, 0, NULL);
    const char *name;

    if (g_file_test(metadata, G_FILE_TEST_IS_REGULAR)) {
        count_folder(path, metadata, count);
    }
    while (names && (name = g_dir_read_name(names))) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (g_file_test(below, G_FILE_TEST_IS_DIR) &&
            !g_file_test(below, G_FILE_TEST_IS_SYMLINK)) {
            count_below(below, count);
        }
    }
    g_clear_pointer(&names, g_dir_close);
}

void ct_count_trace(const char *path, struct ct_count *ret_count)
{
    *ret_count = (struct ct_count){.known = true};
    count_below(path, ret_count);
}
