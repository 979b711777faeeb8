/* SPDX-License-Identifier: MIT */
/*
 * count.c - walks the packets of every stream below a directory
 *
 * A packet: u32 magic, u8 uuid[16], u32 stream id, u64 instance | u64 begin,
 * end, content bits, packet bits, number; unsigned long discarded; u32 cpu |
 * events.  Packets are numbered from 0 within their stream, and `discarded`
 * goes up over the whole stream, so its last value is the stream's.
 *
 * The numbers are for people; the analyzer counts by itself.
 */
#include "count.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"

#define PACKET_MAGIC 0xc1fc1fc1u
#define BITS         8
#define HEADER_BYTES 32
#define NUMBERS      5 /* u64 before `discarded` */

struct packet {
    uint32_t stream_id;
    uint64_t content_bytes;
    uint64_t packet_bytes;
    uint64_t number;
    uint64_t discarded;
    size_t head_bytes; /* where the events start */
};

/* A file in memory; n == 0: empty or unreadable. */
struct view {
    uint8_t *bytes;
    size_t n;
};

static struct view view_file(const char *path)
{
    struct view view = {.n = 0};
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file >= 0 && !fstat(file, &status) && S_ISREG(status.st_mode) &&
        status.st_size > 0) {
        void *bytes =
            mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes != MAP_FAILED) {
            view.bytes = bytes;
            view.n = (size_t)status.st_size;
        }
    }
    if (file >= 0) {
        (void)close(file);
    }
    return view;
}

static void unview(struct view *view)
{
    if (view->n) {
        (void)munmap(view->bytes, view->n);
    }
}

static bool read_packet(const uint8_t *bytes, size_t room, unsigned long_bytes,
                        struct packet *ret_packet)
{
    uint64_t numbers[NUMBERS];
    uint32_t magic;
    struct packet packet = {
        .head_bytes =
            HEADER_BYTES + sizeof(numbers) + long_bytes + sizeof(uint32_t),
    };

    if (room < packet.head_bytes) {
        return false;
    }
    memcpy(&magic, bytes, sizeof(magic));
    memcpy(&packet.stream_id, bytes + 20, sizeof(packet.stream_id));
    memcpy(numbers, bytes + HEADER_BYTES, sizeof(numbers));
    memcpy(&packet.discarded, bytes + HEADER_BYTES + sizeof(numbers),
           long_bytes);
    packet.content_bytes = numbers[2] / BITS;
    packet.packet_bytes = numbers[3] / BITS;
    packet.number = numbers[4];
    *ret_packet = packet;
    return magic == PACKET_MAGIC && packet.content_bytes >= packet.head_bytes &&
           packet.packet_bytes >= packet.content_bytes &&
           packet.packet_bytes <= room;
}

static void count_stream(const struct ct_layout *layout, const char *path,
                         struct ct_count *count)
{
    struct view view = view_file(path);
    unsigned long_bytes = ct_layout_long_bytes(layout);
    uint64_t discarded = 0;
    uint64_t expected = 0;
    struct packet packet;

    for (size_t at = 0; at < view.n; at += packet.packet_bytes) {
        const uint8_t *bytes = view.bytes + at;
        if (!read_packet(bytes, view.n - at, long_bytes, &packet)) {
            count->damaged = true;
            break;
        }
        if (packet.number != expected) {
            count->damaged = true;
        }
        expected = packet.number + 1;
        discarded = packet.discarded;
        for (size_t in = packet.head_bytes; in < packet.content_bytes;) {
            bool is_ours;
            size_t length =
                ct_layout_event(layout, packet.stream_id, bytes + in,
                                packet.content_bytes - in, &is_ours);
            if (!length) { /* its metadata is missing, most likely */
                count->known = false;
                count->damaged = true;
                break;
            }
            count->events++;
            count->own += is_ours;
            in += length;
        }
    }
    count->discarded += discarded;
    unview(&view);
}

/* All streams beside a file `metadata`. */
static void count_folder(const char *path, const char *metadata_path,
                         struct ct_count *count)
{
    struct view metadata = view_file(metadata_path);
    struct ct_layout *layout =
        metadata.n ? ct_layout_new(metadata.bytes, metadata.n) : NULL;
    GDir *names = layout ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;

    if (!names) {
        count->known = false;
        count->damaged |= metadata.n == 0;
    }
    while (names && (name = g_dir_read_name(names))) {
        g_autofree char *stream = g_build_filename(path, name, NULL);
        if (strcmp(name, "metadata") &&
            g_file_test(stream, G_FILE_TEST_IS_REGULAR)) {
            count_stream(layout, stream, count);
        }
    }
    g_clear_pointer(&names, g_dir_close);
    ct_layout_free(layout);
    unview(&metadata);
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
