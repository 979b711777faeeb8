/* SPDX-License-Identifier: MIT */
/*
 * stress-nbd.c - the server, by a seed: peers that come and go at any moment,
 * fio, and an image that is drained, reopened and moved from context to context
 * while they are served
 *
 * The server lives in the main thread's context or in an iothread; the main
 * thread does one thing that disturbs for every few batches that peers had
 * answered.  COTRACE_SEED chooses the seed, COTRACE_SOAK=1 makes it ten
 * minutes, with fio in every round.
 */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomics.h"
#include "disturb.h"
#include "image.h"
#include "nbd/server.h"
#include "peer.h"

#define PEERS     5
#define ACTIONS   60 /* of the main thread, a round */
#define FIO_BYTES (1 << 20)
#define FIO_EACH  4 /* rounds: one has fio */

extern char **environ;

static struct {
    struct nbd_server_options options;
    struct nbd_server *server;
    AioContext *ctx; /* the server's */
    char *image;
    char *path; /* of the socket */
    bool is_closed, is_done;

    unsigned batches; /* atomic: that peers had answered */
    struct peer *peers[PEERS];
    int fio; /* pidfd; -1: it does not run */
    pid_t fio_pid;
    bool fio_ended;
} world = {.fio = -1};

static void peer_served(unsigned requests)
{
    (void)ct_fetch_add(&stress.requests, requests);
    (void)ct_fetch_add(&world.batches, 1);
    aio_wait_kick();
}

/* --- the server, in its context ------------------------------------------ */

static void done(void *opaque)
{
    world.is_done = true;
}

static void call_there(AioBHFunc *bh)
{
    world.is_done = false;
    aio_bh_schedule_oneshot(world.ctx, bh, NULL);
    AIO_WAIT_WHILE(NULL, !world.is_done);
}

static void open_bh(void *opaque)
{
    struct nbd_listeners listeners = {0};

    world.server = nbd_server_open(&world.options, world.ctx, NULL);
    if (world.server == NULL) { /* a kernel that refuses the engine */
        world.options.block.engine = "threads";
        world.options.block.is_direct = false;
        world.server = nbd_server_open(&world.options, world.ctx, NULL);
    }
    g_assert_nonnull(world.server);
    g_assert_true(nbd_listen_unix(&listeners, world.path, NULL));
    nbd_server_start(world.server, &listeners);
    aio_bh_schedule_oneshot(stress.ctxs[0], done, NULL);
}

static void stop_bh(void *opaque)
{
    nbd_server_stop(world.server);
    aio_bh_schedule_oneshot(stress.ctxs[0], done, NULL);
}

static void closed_bh(void *opaque)
{
    world.is_closed = true;
}

static void server_closed(void *opaque)
{
    aio_bh_schedule_oneshot(stress.ctxs[0], closed_bh, NULL);
}

static void serve(GRand *rand)
{
    unsigned format = (unsigned)g_rand_int_range(rand, 0, 3);
    const char *engine = stress_any_engine(rand);

    world.image = stress_make_image((const unsigned[]){0, 12, 16}[format],
                                    PEERS * PEER_BYTES + FIO_BYTES);
    world.path = g_strconcat(world.image, ".sock", NULL);
    world.options = (struct nbd_server_options){
        .block = {.is_writable = true,
                  .has_discard = true,
                  .format = format == 0 ? "raw" : "qcow2",
                  .engine = engine,
                  .is_direct = strcmp(engine, "native") == 0,
                  .is_writethrough = g_rand_int_range(rand, 0, 4) == 0},
        .filename = world.image,
        .name = "",
        .is_persistent = true,
        .closed = server_closed,
    };
    world.ctx = stress_any_context(rand);
    world.is_closed = false;
    call_there(open_bh);
}

/* --- fio ----------------------------------------------------------------- */

static void fio_ended(void *opaque)
{
    int status;

    g_assert_cmpint(waitpid(world.fio_pid, &status, WNOHANG), ==,
                    world.fio_pid);
    g_assert_cmpint(status, ==, 0);
    aio_set_fd_handler(stress.ctxs[0], world.fio, NULL, NULL, NULL);
    close(world.fio);
    world.fio = -1;
}

static bool has_fio(void)
{
    static int has = -1;

    if (has < 0) {
        g_autofree char *said = NULL;

        has = g_spawn_command_line_sync("fio --enghelp", &said, NULL, NULL,
                                        NULL) &&
              strstr(said, "nbd") != NULL;
        if (!has) {
            g_test_message("no fio with an engine for NBD: without it");
        }
    }
    return has;
}

/* It writes a part of the disk of its own, and verifies it. */
static void start_fio(GRand *rand)
{
    g_autofree char *uri =
        g_strdup_printf("--uri=nbd+unix:///?socket=%s", world.path);
    g_autofree char *offset =
        g_strdup_printf("--offset=%d", PEERS * PEER_BYTES);
    g_autofree char *depth =
        g_strdup_printf("--iodepth=%d", 1 << g_rand_int_range(rand, 0, 7));
    char *argv[] = {(char *)"fio",
                    (char *)"--name=job",
                    (char *)"--ioengine=nbd",
                    uri,
                    offset,
                    depth,
                    (char *)"--size=1M",
                    (char *)"--rw=randrw",
                    (char *)"--bsrange=512-32k",
                    (char *)"--fsync=32",
                    (char *)"--randrepeat=1",
                    (char *)"--verify=crc32c",
                    (char *)"--verify_fatal=1",
                    (char *)"--do_verify=1",
                    (char *)"--verify_state_save=0",
                    (char *)"--output=/dev/null",
                    NULL};

    g_assert_cmpint(
        posix_spawnp(&world.fio_pid, "fio", NULL, NULL, argv, environ), ==, 0);
    world.fio = (int)syscall(SYS_pidfd_open, world.fio_pid, 0);
    g_assert_cmpint(world.fio, >=, 0);
    aio_set_fd_handler(stress.ctxs[0], world.fio, fio_ended, NULL, NULL);
}

/* --- a round ------------------------------------------------------------- */

static void begin(GRand *rand)
{
    static unsigned rounds;

    serve(rand);
    for (unsigned i = 0; i < PEERS; i++) {
        (void)ct_fetch_add(&stress.running, 1);
        world.peers[i] = peer_new(world.path, i * PEER_BYTES, g_rand_int(rand),
                                  &stress.stop, peer_served, stress_ended);
    }
    if (rounds++ % FIO_EACH == 0 && has_fio()) {
        start_fio(rand);
    }
}

static void end(void)
{
    AIO_WAIT_WHILE(NULL, world.fio >= 0);
    stress_stop();
    for (unsigned i = 0; i < PEERS; i++) {
        peer_join(world.peers[i]);
    }
    call_there(stop_bh);
    AIO_WAIT_WHILE(NULL, !world.is_closed);
    g_assert_cmpstr(nbd_server_complaint(world.server), ==, NULL);
    nbd_server_free(world.server);
    image_remove(world.image);
    g_free(world.path);
}

static void run_round(GRand *rand)
{
    begin(rand);
    for (int i = 0; i < ACTIONS; i++) {
        unsigned until = ct_load(&world.batches) + 2;

        stress_disturb(rand, nbd_server_image(world.server));
        AIO_WAIT_WHILE(NULL, (int)(ct_load(&world.batches) - until) < 0);
    }
    end();
}

static void test_stress(void)
{
    stress_rounds(run_round);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/nbd", test_stress);
    return g_test_run();
}
