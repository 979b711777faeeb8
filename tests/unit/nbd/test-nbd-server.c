/* SPDX-License-Identifier: MIT */
/*
 * test-nbd-server.c - clients that are not served in the usual way
 *
 * The kernel tells of a client that waits again and again.  A loop that is told
 * so in every turn never comes to rest: a turn that does not block says whether
 * it did anything, and soon one must say no.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "nbd/proto.h"
#include "nbd/server.h"

#define SECOND_NS      INT64_C(1000000000)
#define GREETING_BYTES 18
#define TURNS_MAX      100 /* a handful is enough */

struct world {
    AioContext *ctx;
    struct ct_clock_manual clock;
    struct nbd_server_options options;
    struct nbd_server *server;
    char *folder, *image, *path;
    bool is_closed;
};

static void closed(void *opaque)
{
    struct world *world = opaque;

    world->is_closed = true;
}

static void world_init(struct world *world, const char *description)
{
    struct nbd_listeners listeners = {0};

    *world = (struct world){.ctx = aio_context_new("nbd", NULL)};
    aio_context_set_current(world->ctx);
    ct_clock_manual_init(&world->clock, SECOND_NS);
    aio_context_set_clock(world->ctx, AIO_CLOCK_REALTIME, &world->clock.clock);
    world->folder = g_dir_make_tmp("cotrace-nbd-XXXXXX", NULL);
    world->image = g_build_filename(world->folder, "disk", NULL);
    world->path = g_build_filename(world->folder, "socket", NULL);
    g_assert_true(g_file_set_contents(world->image, "a disk", -1, NULL));
    world->options = (struct nbd_server_options){.block = {.format = "raw"},
                                                 .filename = world->image,
                                                 .name = "",
                                                 .description = description,
                                                 .is_persistent = true,
                                                 .closed = closed,
                                                 .opaque = world};
    world->server = nbd_server_open(&world->options, world->ctx, NULL);
    g_assert_nonnull(world->server);
    g_assert_true(nbd_listen_unix(&listeners, world->path, NULL));
    nbd_server_start(world->server, &listeners);
}

static void world_fini(struct world *world)
{
    nbd_server_stop(world->server);
    AIO_WAIT_WHILE(world->ctx, !world->is_closed);
    nbd_server_free(world->server);
    aio_context_set_current(NULL);
    aio_context_unref(world->ctx);
    unlink(world->image);
    rmdir(world->folder);
    g_free(world->image);
    g_free(world->path);
    g_free(world->folder);
}

/* Return: how many turns did something before one did nothing */
static unsigned turns_to_rest(struct world *world)
{
    unsigned turns = 0;

    while (turns < TURNS_MAX && aio_poll(world->ctx, false)) {
        turns++;
    }
    return turns;
}

static int new_client(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, world->path, sizeof(address.sun_path));
    g_assert_cmpint(
        connect(fd, (const struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static bool is_greeted(int fd)
{
    uint8_t greeting[GREETING_BYTES];

    return recv(fd, greeting, sizeof(greeting), MSG_DONTWAIT) ==
               sizeof(greeting) &&
           ct_get_be64(greeting) == NBD_MAGIC;
}

/* From here on there is no other descriptor than those that are open. */
static void use_up_files(const struct rlimit *old)
{
    struct rlimit limit = *old;
    int next = dup(STDIN_FILENO); /* the lowest that is free */

    g_assert_cmpint(next, >=, 0);
    close(next);
    limit.rlim_cur = (rlim_t)next;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static void test_no_descriptor(void)
{
    struct world world;
    struct rlimit old;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &old), ==, 0);
    world_init(&world, NULL);
    int first = new_client(&world);
    (void)turns_to_rest(&world);
    g_assert_true(is_greeted(first));

    int second = new_client(&world);
    use_up_files(&old);
    unsigned turns = turns_to_rest(&world);
    g_test_message("%u turns", turns);
    g_assert_cmpuint(turns, <, TURNS_MAX / 10);
    g_assert_false(is_greeted(second));

    /* It looks again after a while, as often as it takes. */
    for (int i = 0; i < 3; i++) {
        ct_clock_manual_advance(&world.clock, SECOND_NS);
        turns = turns_to_rest(&world);
        g_assert_cmpuint(turns, >, 0);
        g_assert_cmpuint(turns, <, TURNS_MAX / 10);
        g_assert_false(is_greeted(second));
    }
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &old), ==, 0);
    ct_clock_manual_advance(&world.clock, SECOND_NS);
    (void)turns_to_rest(&world);
    g_assert_true(is_greeted(second));
    close(first);
    close(second);
    world_fini(&world);
}

/* Ten seconds are left to come to the first request. */
static void test_silent_client(void)
{
    struct world world;
    char nothing;

    world_init(&world, NULL);
    int client = new_client(&world);
    (void)turns_to_rest(&world);
    g_assert_true(is_greeted(client));
    ct_clock_manual_advance(&world.clock, 9 * SECOND_NS);
    (void)turns_to_rest(&world);
    g_assert_cmpint(recv(client, &nothing, 1, MSG_DONTWAIT), ==, -1);
    ct_clock_manual_advance(&world.clock, 2 * SECOND_NS);
    (void)turns_to_rest(&world);
    g_assert_cmpint(recv(client, &nothing, 1, MSG_DONTWAIT), ==, 0);
    close(client);
    world_fini(&world);
}

/* --- a client that says everything before it listens ---------------------- */

#define LISTS_MAX 80

static void put_option(GByteArray *bytes, uint32_t option, const uint8_t *data,
                       uint32_t n)
{
    uint8_t head[16];

    ct_put_be64(head, NBD_OPTS_MAGIC);
    ct_put_be32(head + 8, option);
    ct_put_be32(head + 12, n);
    g_byte_array_append(bytes, head, sizeof(head));
    g_byte_array_append(bytes, data, n);
}

/* @lists options that are answered at length, the agreement, a flush */
static GByteArray *everything(unsigned lists)
{
    static const uint8_t flags[4] = {0, 0, 0, 3}, go[6] = {0};
    uint8_t flush[NBD_REQUEST_BYTES] = {0};
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, flags, sizeof(flags));
    for (unsigned i = 0; i < lists; i++) {
        put_option(bytes, NBD_OPT_LIST, NULL, 0);
    }
    put_option(bytes, NBD_OPT_GO, go, sizeof(go));
    ct_put_be32(flush, NBD_REQUEST_MAGIC);
    ct_put_be16(flush + 6, NBD_CMD_FLUSH);
    ct_put_be64(flush + 8, lists);
    g_byte_array_append(bytes, flush, sizeof(flush));
    return bytes;
}

/* Reads until the server, which is at rest, has no more.  The disk can't be
 * written, so a flush needs no other thread. */
static GByteArray *all_answers(struct world *world, int fd)
{
    GByteArray *answers = g_byte_array_new();
    uint8_t some[4096];
    ssize_t got;

    do {
        (void)turns_to_rest(world);
        got = recv(fd, some, sizeof(some), MSG_DONTWAIT);
        g_byte_array_append(answers, some, (guint)MAX(got, 0));
    } while (got > 0);
    return answers;
}

/* Wherever the socket is full, the flush is answered. */
static void test_talkative_client(void)
{
    g_autofree char *description = g_strnfill(4000, 'd');
    bool was_full = false;
    struct world world;

    world_init(&world, description);
    for (unsigned lists = 1; lists < LISTS_MAX; lists++) {
        GByteArray *bytes = everything(lists);
        int fd = new_client(&world), there = 0;

        g_assert_cmpint(send(fd, bytes->data, bytes->len, 0), ==, bytes->len);
        (void)turns_to_rest(&world);
        g_assert_cmpint(ioctl(fd, FIONREAD, &there), ==, 0);
        g_byte_array_unref(bytes);

        bytes = all_answers(&world, fd);
        g_assert_cmpuint(bytes->len, >=, 16);
        was_full |= bytes->len > (guint)there;
        const uint8_t *last = bytes->data + bytes->len - 16;
        g_assert_cmpuint(ct_get_be32(last), ==, NBD_SIMPLE_REPLY_MAGIC);
        g_assert_cmpuint(ct_get_be32(last + 4), ==, 0);
        g_assert_cmpuint(ct_get_be64(last + 8), ==, lists);
        g_byte_array_unref(bytes);
        close(fd);
        (void)turns_to_rest(&world);
    }
    g_assert_true(was_full);
    world_fini(&world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd-server/no-descriptor", test_no_descriptor);
    g_test_add_func("/nbd-server/silent-client", test_silent_client);
    g_test_add_func("/nbd-server/talkative-client", test_talkative_client);
    return g_test_run();
}
