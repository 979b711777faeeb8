/* SPDX-License-Identifier: MIT */
/*
 * peer.c - an NBD client that connects, asks, checks, and goes, again and again
 *
 * A batch has one request for each slot of the peer's part of the disk, or
 * none, so no two of them meet; answers come in any order, and the cookie says
 * to which slot they belong.
 */
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "nbd/proto.h"

#define SECTOR    512
#define SLOTS     8
#define SLOT      (PEER_BYTES / SLOTS)
#define SECTORS   (SLOT / SECTOR) /* of a slot */
#define JUNK_SLOT (SLOTS - 1)     /* what is written there is not checked */
#define UNKNOWN   256
#define BEYOND    (UINT64_C(1) << 40) /* no disk is that long */

struct slot {
    int sectors[SECTORS]; /* what each holds: a byte, or UNKNOWN */

    /* Asked of it in this batch */
    bool is_asked;
    uint16_t type;
    unsigned first, n; /* sectors */
    int what;
    bool is_beyond;
};

struct peer {
    /* immutable */
    struct sockaddr_un address;
    uint64_t offset;
    const unsigned *stop;
    void (*served)(unsigned requests);
    void (*ended)(void);
    pthread_t thread;

    GRand *rand;
    int fd;
    bool is_structured;
    bool has_status;
    struct slot slots[SLOTS];
    uint8_t data[SLOT];
};

static bool chance(struct peer *peer, int of)
{
    return g_rand_int_range(peer->rand, 0, of) == 0;
}

static void say(const struct peer *peer, const void *data, size_t bytes)
{
    g_assert_cmpint(send(peer->fd, data, bytes, MSG_NOSIGNAL), ==, bytes);
}

static void hear(const struct peer *peer, void *data, size_t bytes)
{
    if (bytes > 0) {
        g_assert_cmpint(recv(peer->fd, data, bytes, MSG_WAITALL), ==, bytes);
    }
}

/* --- coming -------------------------------------------------------------- */

static size_t put_option(uint8_t *p, uint32_t option, const void *data,
                         uint32_t bytes)
{
    ct_put_be32(ct_put_be32(ct_put_be64(p, NBD_OPTS_MAGIC), option), bytes);
    if (bytes > 0) {
        memcpy(p + NBD_OPTION_HEAD_BYTES, data, bytes);
    }
    return NBD_OPTION_HEAD_BYTES + bytes;
}

/* The replies to one option, up to the last; it must be an acknowledgement. */
static void hear_replies(struct peer *peer)
{
    uint8_t head[20], data[256];
    uint32_t type;

    do {
        hear(peer, head, sizeof(head));
        g_assert_cmphex(ct_get_be64(head), ==, NBD_REP_MAGIC);
        type = ct_get_be32(head + 12);
        g_assert_cmpuint(ct_get_be32(head + 16), <=, sizeof(data));
        hear(peer, data, ct_get_be32(head + 16));
        g_assert_cmphex(type, <, NBD_REP_ERR(0));
    } while (type != NBD_REP_ACK);
}

static void say_option(struct peer *peer, uint32_t option, const void *data,
                       uint32_t bytes)
{
    uint8_t said[128];

    say(peer, said, put_option(said, option, data, bytes));
    hear_replies(peer);
}

static void greet(struct peer *peer)
{
    const uint8_t flags[] = {0, 0, 0,
                             NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES};
    uint8_t greeting[18];

    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(peer->fd, >=, 0);
    g_assert_cmpint(connect(peer->fd, (const struct sockaddr *)&peer->address,
                            sizeof(peer->address)),
                    ==, 0);
    hear(peer, greeting, sizeof(greeting));
    g_assert_cmphex(ct_get_be64(greeting), ==, NBD_MAGIC);
    say(peer, flags, sizeof(flags));
}

/* An option of any kind, cut anywhere: nobody waits for the rest. */
static void say_a_part(struct peer *peer)
{
    static const uint8_t empty[20];
    uint8_t said[NBD_OPTION_HEAD_BYTES + sizeof(empty)];
    size_t bytes = put_option(
        said, (uint32_t)g_rand_int_range(peer->rand, 1, 12), empty,
        (uint32_t)g_rand_int_range(peer->rand, 0, sizeof(empty) + 1));

    say(peer, said, (size_t)g_rand_int_range(peer->rand, 0, (gint32)bytes));
}

/* Return: it has come as far as requests */
static bool come(struct peer *peer)
{
    /* no name; one query: base:allocation */
    static const uint8_t query[] = "\0\0\0\0\0\0\0\1\0\0\0\x0f"
                                   "base:allocation";
    static const uint8_t no_name[6];
    uint8_t export[10];

    peer->is_structured = chance(peer, 2);
    peer->has_status = peer->is_structured && chance(peer, 2);
    greet(peer);
    if (chance(peer, 12)) {
        say_a_part(peer);
        return false;
    }
    if (peer->is_structured) {
        say_option(peer, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    }
    if (peer->has_status) {
        say_option(peer, NBD_OPT_SET_META_CONTEXT, query, sizeof(query) - 1);
    }
    if (chance(peer, 3)) {
        say_option(peer, NBD_OPT_INFO, no_name, sizeof(no_name));
    }
    if (chance(peer, 3)) {
        uint8_t said[NBD_OPTION_HEAD_BYTES];

        say(peer, said, put_option(said, NBD_OPT_EXPORT_NAME, NULL, 0));
        hear(peer, export, sizeof(export));
    } else {
        say_option(peer, NBD_OPT_GO, no_name, sizeof(no_name));
    }
    return true;
}

/* --- asking -------------------------------------------------------------- */

static uint16_t any_type(struct peer *peer)
{
    static const uint16_t types[] = {
        NBD_CMD_READ,  NBD_CMD_READ,        NBD_CMD_READ, NBD_CMD_WRITE,
        NBD_CMD_WRITE, NBD_CMD_WRITE,       NBD_CMD_TRIM, NBD_CMD_WRITE_ZEROES,
        NBD_CMD_FLUSH, NBD_CMD_BLOCK_STATUS};
    uint16_t type = types[g_rand_int_range(peer->rand, 0, G_N_ELEMENTS(types))];

    return type == NBD_CMD_BLOCK_STATUS && !peer->has_status ? NBD_CMD_READ
                                                             : type;
}

/* Its head and its data go separately, so that they may come so. */
static void ask(struct peer *peer, unsigned index, unsigned cut)
{
    struct slot *slot = &peer->slots[index];
    uint8_t head[NBD_REQUEST_BYTES], *p = head;
    uint32_t bytes = slot->n * SECTOR;
    uint64_t offset = peer->offset + index * SLOT + slot->first * SECTOR;
    uint16_t flags = 0;

    if (slot->type == NBD_CMD_FLUSH) {
        offset = bytes = 0;
    } else if (slot->is_beyond) {
        offset = BEYOND;
    }
    if (slot->type != NBD_CMD_READ && slot->type != NBD_CMD_BLOCK_STATUS &&
        chance(peer, 4)) {
        flags = NBD_CMD_FLAG_FUA;
    }
    p = ct_put_be32(p, NBD_REQUEST_MAGIC);
    p = ct_put_be16(p, flags);
    p = ct_put_be16(p, slot->type);
    p = ct_put_be64(p, index);
    p = ct_put_be64(p, offset);
    (void)ct_put_be32(p, bytes);
    say(peer, head, MIN(cut, sizeof(head)));
    if (slot->type == NBD_CMD_WRITE && cut > sizeof(head)) {
        memset(peer->data, slot->what, bytes);
        say(peer, peer->data, MIN(bytes, cut - sizeof(head)));
    }
}

static void choose(struct peer *peer, unsigned index)
{
    struct slot *slot = &peer->slots[index];

    slot->is_asked = true;
    slot->type = any_type(peer);
    slot->first = (unsigned)g_rand_int_range(peer->rand, 0, SECTORS);
    slot->n = (unsigned)g_rand_int_range(peer->rand, 1,
                                         (gint32)(SECTORS - slot->first) + 1);
    slot->what = g_rand_int_range(peer->rand, 0, 256);
    slot->is_beyond = slot->type != NBD_CMD_FLUSH && chance(peer, 20);
}

/* --- answers ------------------------------------------------------------- */

static void check(const struct peer *peer, unsigned index)
{
    const struct slot *slot = &peer->slots[index];

    for (unsigned i = 0; i < slot->n * SECTOR; i++) {
        int want = slot->sectors[slot->first + i / SECTOR];

        if (want != UNKNOWN && peer->data[i] != want) {
            g_error("slot %u, sector %u holds %d, not %d", index,
                    slot->first + i / SECTOR, peer->data[i], want);
        }
    }
}

/* It was done: what is known now? */
static void learn(struct peer *peer, unsigned index)
{
    struct slot *slot = &peer->slots[index];
    int what = slot->type == NBD_CMD_WRITE  ? slot->what
               : slot->type == NBD_CMD_TRIM ? UNKNOWN
                                            : 0;

    if (slot->type == NBD_CMD_READ) {
        check(peer, index);
    } else if (index != JUNK_SLOT && slot->type != NBD_CMD_FLUSH &&
               slot->type != NBD_CMD_BLOCK_STATUS) {
        for (unsigned i = slot->first; i < slot->first + slot->n; i++) {
            slot->sectors[i] = what;
        }
    }
}

static int expected_error(const struct slot *slot)
{
    bool writes =
        slot->type == NBD_CMD_WRITE || slot->type == NBD_CMD_WRITE_ZEROES;

    return !slot->is_beyond ? 0 : writes ? NBD_ENOSPC : NBD_EINVAL;
}

static struct slot *answered(struct peer *peer, uint64_t cookie, uint32_t error)
{
    g_assert_cmpuint(cookie, <, SLOTS);
    struct slot *slot = &peer->slots[cookie];

    g_assert_true(slot->is_asked);
    slot->is_asked = false;
    if (slot->type != NBD_CMD_BLOCK_STATUS || !slot->is_beyond) {
        g_assert_cmpuint(error, ==, (uint32_t)expected_error(slot));
    }
    return slot;
}

static void hear_simple(struct peer *peer, const uint8_t *magic)
{
    uint8_t head[NBD_SIMPLE_BYTES];

    memcpy(head, magic, 4);
    hear(peer, head + 4, sizeof(head) - 4);
    uint64_t cookie = ct_get_be64(head + 8);
    struct slot *slot = answered(peer, cookie, ct_get_be32(head + 4));

    if (ct_get_be32(head + 4) == 0) {
        if (slot->type == NBD_CMD_READ) {
            hear(peer, peer->data, slot->n * SECTOR);
        }
        learn(peer, (unsigned)cookie);
    }
}

/* The server's answers are one chunk each. */
static void hear_chunk(struct peer *peer, const uint8_t *magic)
{
    uint8_t head[NBD_CHUNK_BYTES], before[8];

    memcpy(head, magic, 4);
    hear(peer, head + 4, sizeof(head) - 4);
    uint16_t type = ct_get_be16(head + 6);
    uint64_t cookie = ct_get_be64(head + 8);
    uint32_t bytes = ct_get_be32(head + 16);

    g_assert_cmphex(ct_get_be16(head + 4), ==, NBD_REPLY_FLAG_DONE);
    if (type == NBD_REPLY_TYPE_OFFSET_DATA) {
        hear(peer, before, sizeof(before));
        bytes -= (uint32_t)sizeof(before);
    }
    g_assert_cmpuint(bytes, <=, sizeof(peer->data));
    hear(peer, peer->data, bytes);
    bool failed = type == NBD_REPLY_TYPE_ERROR;
    struct slot *slot =
        answered(peer, cookie, failed ? ct_get_be32(peer->data) : 0);
    if (!failed) {
        g_assert_true(slot->type != NBD_CMD_READ || bytes == slot->n * SECTOR);
        learn(peer, (unsigned)cookie);
    }
}

static void hear_answers(struct peer *peer, unsigned n)
{
    uint8_t magic[4];

    for (; n > 0; n--) {
        hear(peer, magic, sizeof(magic));
        if (ct_get_be32(magic) == NBD_SIMPLE_REPLY_MAGIC) {
            hear_simple(peer, magic);
        } else {
            g_assert_cmphex(ct_get_be32(magic), ==, NBD_STRUCTURED_REPLY_MAGIC);
            hear_chunk(peer, magic);
        }
    }
}

/* --- a connection -------------------------------------------------------- */

static void batch(struct peer *peer)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        if (chance(peer, 4)) {
            continue;
        }
        choose(peer, i);
        ask(peer, i, UINT_MAX);
        n++;
    }
    hear_answers(peer, n);
    peer->served(n);
}

/* Asks something, and does not wait for the answer; maybe not to its end. */
static void leave_in_the_middle(struct peer *peer)
{
    choose(peer, JUNK_SLOT);
    ask(peer, JUNK_SLOT, UINT_MAX);
    choose(peer, JUNK_SLOT);
    ask(peer, JUNK_SLOT,
        (unsigned)g_rand_int_range(peer->rand, 0, NBD_REQUEST_BYTES + SECTOR));
    peer->slots[JUNK_SLOT].is_asked = false;
}

static void leave_politely(struct peer *peer)
{
    uint8_t head[NBD_REQUEST_BYTES] = {0}, end;

    ct_put_be16(ct_put_be16(ct_put_be32(head, NBD_REQUEST_MAGIC), 0),
                NBD_CMD_DISC);
    say(peer, head, sizeof(head));
    g_assert_cmpint(recv(peer->fd, &end, 1, 0), ==, 0);
}

static void *peer_entry(void *opaque)
{
    struct peer *peer = opaque;

    while (!ct_load_acquire(peer->stop)) {
        if (come(peer)) {
            int n = g_rand_int_range(peer->rand, 0, 12);

            while (n-- > 0 && !ct_load_acquire(peer->stop)) {
                batch(peer);
            }
            if (chance(peer, 2)) {
                leave_in_the_middle(peer);
            } else {
                leave_politely(peer);
            }
        }
        close(peer->fd);
    }
    peer->ended();
    return NULL;
}

struct peer *peer_new(const char *path, uint64_t offset, guint32 seed,
                      const unsigned *stop, void (*served)(unsigned requests),
                      void (*ended)(void))
{
    struct peer *peer = g_new0(struct peer, 1);

    peer->address.sun_family = AF_UNIX;
    g_strlcpy(peer->address.sun_path, path, sizeof(peer->address.sun_path));
    peer->offset = offset;
    peer->stop = stop;
    peer->served = served;
    peer->ended = ended;
    peer->rand = g_rand_new_with_seed(seed);
    for (unsigned i = 0; i < SECTORS; i++) {
        peer->slots[JUNK_SLOT].sectors[i] = UNKNOWN;
    }
    g_assert_cmpint(pthread_create(&peer->thread, NULL, peer_entry, peer), ==,
                    0);
    return peer;
}

void peer_join(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    g_rand_free(peer->rand);
    g_free(peer);
}
