/* SPDX-License-Identifier: MIT */
/*
 * tempdir.c - a directory that does not outlive us
 *
 * A signal that ends the process runs no clean-up code, so while there is
 * something to clean up we catch the ones that a user sends.  The handler may
 * only call what is safe in one (unlink, rmdir, sigaction, raise): the names
 * stand ready in a list that is only ever added to, each complete before the
 * count that makes it visible.
 */
#include "source/salvage/tempdir.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ct/pre.h"

#define PATHS_MAX 65536

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

/* paths[0 .. n_paths) are complete: written by the one thread that fills the
 * directory, read by it and, on any thread, by the handler. */
static char *paths[PATHS_MAX];
static atomic_uint n_paths;
static struct sigaction before[G_N_ELEMENTS(signals)];
static bool caught[G_N_ELEMENTS(signals)];

/* Contents before what holds them: the reverse of the order of making. */
static void remove_all(void)
{
    for (unsigned i = atomic_load_explicit(&n_paths, memory_order_acquire);
         i > 0; i--) {
        if (unlink(paths[i - 1]) < 0 && errno == EISDIR) {
            rmdir(paths[i - 1]);
        }
    }
}

static void on_signal(int number)
{
    struct sigaction end = {.sa_handler = SIG_DFL};

    remove_all();
    sigaction(number, &end, NULL);
    raise(number);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        caught[i] = sigaction(signals[i], NULL, &before[i]) == 0 &&
                    !(before[i].sa_flags & SA_SIGINFO) &&
                    before[i].sa_handler == SIG_DFL &&
                    sigaction(signals[i], &action, NULL) == 0;
    }
}

static void let_signals_go(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        if (caught[i]) {
            sigaction(signals[i], &before[i], NULL);
        }
    }
}

bool ct_tempdir_will_have(const char *path)
{
    unsigned n = atomic_load_explicit(&n_paths, memory_order_relaxed);

    if (n == PATHS_MAX) {
        return false;
    }
    paths[n] = g_strdup(path);
    atomic_store_explicit(&n_paths, n + 1, memory_order_release);
    return true;
}

char *ct_tempdir_make(GError **error)
{
    char *dir = g_build_filename(g_get_tmp_dir(), "cotrace-view-XXXXXX", NULL);

    ct_pre("tempdir-make/one",
           atomic_load_explicit(&n_paths, memory_order_relaxed) == 0);
    catch_signals();
    if (!g_mkdtemp(dir)) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: %s", g_get_tmp_dir(), g_strerror(errno));
        let_signals_go();
        g_free(dir);
        return NULL;
    }
    (void)ct_tempdir_will_have(dir); /* the first: there is room */
    return dir;
}

void ct_tempdir_remove(char *dir)
{
    unsigned n = atomic_load_explicit(&n_paths, memory_order_relaxed);

    if (!dir) {
        return;
    }
    remove_all();
    let_signals_go();
    atomic_store_explicit(&n_paths, 0, memory_order_release);
    for (unsigned i = 0; i < n; i++) {
        g_free(paths[i]);
    }
    g_free(dir);
}
