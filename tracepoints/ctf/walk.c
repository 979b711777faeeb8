/* SPDX-License-Identifier: MIT */
/*
 * walk.c - the whole packets of a stream file
 *
 * A packet is whole if its head is this trace's, its sizes agree with each
 * other and with the file, its times don't run backwards, it belongs to the
 * stream of the packets before it, and every event in it can be read.  Behind
 * something that is not, the next packet is found by its magic number and the
 * trace's uuid together: 20 bytes that an event does not hold by chance.
 */

#include "ct/ctf.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"

#define CTF_MAGIC 0xc1fc1fc1u
#define WINDOW    65536

int ct_ctf_walk_begin(struct ct_ctf_walk *walk,
                      const struct ct_ctf_layout *layout, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    *walk = (struct ct_ctf_walk){
        .layout = layout,
        .fd = fd,
        .size = (uint64_t)status.st_size,
        .until = UINT64_MAX,
    };
    return 0;
}

void ct_ctf_walk_until(struct ct_ctf_walk *walk, uint64_t clock)
{
    walk->until = clock;
}

/* All of @n bytes; 0 if the file has become shorter. */
static int read_at(int fd, void *to, size_t n, uint64_t offset)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got =
            pread(fd, (char *)to + done, n - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            return 0;
        }
        done += (size_t)got;
    }
    return 1;
}

/* Can @packet come behind @before in one stream? */
static bool follows(const struct ct_ctf_layout *layout,
                    const struct ct_ctf_packet *before,
                    const struct ct_ctf_packet *packet)
{
    return packet->stream_id == before->stream_id &&
           packet->instance_id == before->instance_id &&
           packet->begin >= before->end &&
           packet->discarded >= before->discarded &&
           (layout->fields[CT_HEAD_SEQ_NUM].bytes == 0 ||
            packet->seq_num > before->seq_num);
}

/* A packet by itself: is it this trace's, and does it agree with itself? */
static bool is_packet(const struct ct_ctf_layout *layout, const uint8_t *head,
                      uint64_t offset, struct ct_ctf_packet *ret_packet)
{
    uint64_t bits = ct_ctf_layout_head(layout, head, CT_HEAD_PACKET_SIZE);
    struct ct_ctf_packet packet = {
        .offset = offset,
        .bytes = bits / 8,
        .content_bits = ct_ctf_layout_head(layout, head, CT_HEAD_CONTENT_SIZE),
        .stream_id = ct_ctf_layout_head(layout, head, CT_HEAD_STREAM_ID),
        .instance_id =
            layout->fields[CT_HEAD_INSTANCE_ID].bytes
                ? ct_ctf_layout_head(layout, head, CT_HEAD_INSTANCE_ID)
                : UINT64_MAX,
        .begin = ct_ctf_layout_head(layout, head, CT_HEAD_BEGIN),
        .end = ct_ctf_layout_head(layout, head, CT_HEAD_END),
        .seq_num = ct_ctf_layout_head(layout, head, CT_HEAD_SEQ_NUM),
        .discarded = ct_ctf_layout_head(layout, head, CT_HEAD_DISCARDED),
    };

    *ret_packet = packet;
    return ct_ctf_layout_head(layout, head, CT_HEAD_MAGIC) == CTF_MAGIC &&
           (!layout->has_uuid ||
            memcmp(head + layout->fields[CT_HEAD_UUID].offset, layout->uuid,
                   16) == 0) &&
           ct_ctf_layout_stream(layout, packet.stream_id) && bits % 8 == 0 &&
           packet.content_bits % 8 == 0 && packet.content_bits <= bits &&
           packet.content_bits >= (uint64_t)layout->bytes * 8 &&
           packet.end >= packet.begin;
}

/* Reads the head at @offset. Return: 1: it is a packet's; 0: not; -errno. */
static int read_packet(const struct ct_ctf_walk *walk, uint64_t offset,
                       struct ct_ctf_packet *ret_packet)
{
    uint8_t head[CT_LAYOUT_BYTES_MAX];
    int got;

    if (offset > walk->size || walk->size - offset < walk->layout->bytes) {
        return 0;
    }
    got = read_at(walk->fd, head, walk->layout->bytes, offset);
    return got <= 0 ? got : is_packet(walk->layout, head, offset, ret_packet);
}

/*
 * A packet may agree with itself and still have a damaged head: the one that
 * contradicts both of its neighbours, which agree, is the damaged one; so a
 * time that is too late does not cost the rest of the stream.
 */
static int is_believable(const struct ct_ctf_walk *walk,
                         const struct ct_ctf_packet *packet)
{
    const struct ct_ctf_layout *layout = walk->layout;
    bool good = !walk->has_packet || follows(layout, &walk->packet, packet);
    struct ct_ctf_packet next;
    int got;

    if (!good) {
        return 0;
    }
    got = read_packet(walk, packet->offset + packet->bytes, &next);
    if (got <= 0) {
        return got < 0 ? got : 1;
    }
    return follows(layout, packet, &next) || !walk->has_packet ||
           !follows(layout, &walk->packet, &next);
}

/* From @from on: where magic number and uuid stand together, or the end. */
static int find_head(const struct ct_ctf_walk *walk, uint64_t from,
                     uint64_t *ret_at)
{
    const struct ct_ctf_layout *layout = walk->layout;
    uint8_t mark[20];
    size_t mark_bytes = 4;
    uint8_t *window;
    int got = 0;

    for (unsigned i = 0; i < 4; i++) {
        mark[i] = (uint8_t)(CTF_MAGIC >> 8 * (layout->big_endian ? 3 - i : i));
    }
    if (layout->has_uuid && layout->fields[CT_HEAD_MAGIC].offset == 0 &&
        layout->fields[CT_HEAD_UUID].offset == 4) {
        memcpy(mark + 4, layout->uuid, 16);
        mark_bytes = 20;
    }
    *ret_at = walk->size;
    window = g_malloc(WINDOW);
    while (from + mark_bytes <= walk->size) {
        size_t n = (size_t)MIN(walk->size - from, (uint64_t)WINDOW);
        const uint8_t *hit;

        got = read_at(walk->fd, window, n, from);
        if (got <= 0) {
            break;
        }
        hit = memmem(window, n, mark, mark_bytes);
        if (hit) {
            *ret_at = from + (uint64_t)(hit - window);
            break;
        }
        from += n - mark_bytes + 1;
    }
    g_free(window);
    return got < 0 ? got : 0;
}

static int is_zero_to_end(const struct ct_ctf_walk *walk, uint64_t from,
                          bool *ret_zeros)
{
    uint8_t *window = g_malloc(WINDOW);
    int got = 0;

    *ret_zeros = true;
    while (*ret_zeros && from < walk->size) {
        size_t n = (size_t)MIN(walk->size - from, (uint64_t)WINDOW);

        got = read_at(walk->fd, window, n, from);
        if (got <= 0) {
            break;
        }
        *ret_zeros = window[0] == 0 && memcmp(window, window + 1, n - 1) == 0;
        from += n;
    }
    g_free(window);
    return got < 0 ? got : 0;
}

/* Nothing more is to be found: why not? */
static int end_of_walk(struct ct_ctf_walk *walk, uint64_t begin, bool cut)
{
    bool zeros;
    int ret;

    walk->at = walk->size;
    walk->skipped.bytes = walk->size - begin;
    if (walk->size == 0) {
        walk->skipped.damage = CT_CTF_DAMAGE_EMPTY;
        return 0;
    }
    if (walk->skipped.bytes == 0) {
        return 0;
    }
    ret = is_zero_to_end(walk, begin, &zeros);
    walk->skipped.damage = zeros ? CT_CTF_DAMAGE_ZEROS
                           : cut ? CT_CTF_DAMAGE_CUT
                                 : CT_CTF_DAMAGE_PACKET;
    return ret;
}

/* Return: 1: its events can all be read; 0: not; -errno. */
static int has_good_events(struct ct_ctf_walk *walk,
                           struct ct_ctf_packet *packet)
{
    size_t bytes = (size_t)(packet->content_bits / 8);
    int got;

    if (bytes > walk->buffer_bytes) {
        walk->buffer = g_realloc(walk->buffer, bytes);
        walk->buffer_bytes = bytes;
    }
    got = read_at(walk->fd, walk->buffer, bytes, packet->offset);
    return got <= 0 ? got
                    : ct_ctf_layout_check_events(
                          walk->layout,
                          ct_ctf_layout_stream(walk->layout, packet->stream_id),
                          walk->buffer, bytes, packet->begin, packet->end,
                          &packet->events);
}

/*
 * Looks at what stands at walk->at.  Return: 1: a packet, taken; -errno; 0: not
 * one that can be read, and *ret_next is where to go on: behind a packet whose
 * head can be believed, or else at the next byte that may begin one.
 */
static int try_packet(struct ct_ctf_walk *walk, bool *ret_cut,
                      uint64_t *ret_next)
{
    struct ct_ctf_packet packet;
    int got = read_packet(walk, walk->at, &packet);

    *ret_cut = got == 0 && walk->size - walk->at < walk->layout->bytes;
    *ret_next = walk->at + 1;
    if (got <= 0) {
        return got;
    }
    if (packet.bytes > walk->size - walk->at) {
        *ret_cut = true;
        if (walk->at == 0) {
            walk->has_cut = true;
            walk->cut_stream_id = packet.stream_id;
        }
        return 0;
    }
    got = is_believable(walk, &packet);
    if (got <= 0) {
        return got;
    }
    *ret_next = walk->at + packet.bytes;
    got = walk->is_beyond ? 1 : has_good_events(walk, &packet);
    if (got > 0) {
        walk->is_beyond = walk->is_beyond ||
                          (packet.begin > walk->until && packet.events.all > 0);
        walk->packet = packet;
        walk->has_packet = true;
        walk->at += packet.bytes;
    } else if (got == 0) {
        struct ct_ctf_skipped *skipped = &walk->skipped;

        skipped->packet_bytes += packet.bytes;
        skipped->events.all += packet.events.all;
        skipped->events.own += packet.events.own;
        skipped->discarded = packet.discarded;
    }
    return got;
}

int ct_ctf_walk_step(struct ct_ctf_walk *walk)
{
    uint64_t begin = walk->at;
    bool cut = false;

    walk->skipped = (struct ct_ctf_skipped){.damage = CT_CTF_DAMAGE_NONE};
    while (walk->at < walk->size) {
        uint64_t next;
        bool cut_here;
        int got = try_packet(walk, &cut_here, &next);

        if (got > 0) {
            walk->skipped.bytes = walk->packet.offset - begin;
            if (walk->skipped.bytes) {
                walk->skipped.damage = CT_CTF_DAMAGE_PACKET;
            }
            return 1;
        }
        cut = cut || (cut_here && walk->at == begin);
        if (got == 0) {
            got = find_head(walk, next, &walk->at);
        }
        if (got < 0) {
            return got;
        }
    }
    return end_of_walk(walk, begin, cut);
}

void ct_ctf_walk_end(struct ct_ctf_walk *walk)
{
    g_free(walk->buffer);
}
