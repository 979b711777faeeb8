/* SPDX-License-Identifier: MIT */
/*
 * place.c - output directory and home of a recording
 *
 * The path of a unix socket has at most 107 bytes, so the home lies in the
 * first of a few directories where it is short enough and can be made.
 */
#include "session/output/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The longest that LTTng puts below LTTNG_HOME. */
#define LONGEST_SOCKET "/.lttng/ustconsumerd64/command"
#define HOME_TEMPLATE  "/" CT_PLACE_HOME_PREFIX "XXXXXX"
#define OPEN_FOLDERS   16

/* Return: NULL: with the reason why this path can't be used. */
static char *refuse(const char *path, int reason, GError **error)
{
    g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT, "%s: %s",
                path, g_strerror(reason));
    return NULL;
}

static bool is_empty(const char *path, GError **error)
{
    DIR *folder = opendir(path);
    unsigned entries = 0;

    if (!folder) {
        (void)refuse(path, errno, error);
        return false;
    }
    while (entries <= 2 && readdir(folder)) {
        entries++; /* "." and ".." among them */
    }
    (void)closedir(folder);
    if (entries > 2) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT,
                    "%s: exists and is not empty", path);
        return false;
    }
    if (access(path, W_OK | X_OK)) {
        (void)refuse(path, errno, error);
        return false;
    }
    return true;
}

char *ct_place_output(const char *path, bool *ret_made, GError **error)
{
    if (!*path) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT,
                    "the output directory has an empty name");
        return NULL;
    }
    bool made = !mkdir(path, 0777);
    if (!made && errno != EEXIST) {
        return refuse(path, errno, error);
    }
    if (!made && !g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT,
                    "%s: exists and is not a directory", path);
        return NULL;
    }
    if (!made && !is_empty(path, error)) {
        return NULL;
    }
    char *resolved = realpath(path, NULL);
    if (!resolved) {
        /* The current directory was removed, or a name is too long. */
        int reason = errno;
        if (made) {
            (void)rmdir(path);
        }
        return refuse(path, reason, error);
    }
    *ret_made = made;
    return resolved;
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *where)
{
    (void)status;
    (void)where;
    if (kind == FTW_DP || kind == FTW_DNR) {
        (void)rmdir(path);
    } else {
        (void)unlink(path);
    }
    return 0;
}

void ct_place_remove(const char *path)
{
    (void)nftw(path, remove_one, OPEN_FOLDERS,
               FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int remove_below(const char *path, const struct stat *status, int kind,
                        struct FTW *where)
{
    return where->level == 0 ? 0 : remove_one(path, status, kind, where);
}

void ct_place_abandon(const char *output, bool made)
{
    (void)nftw(output, made ? remove_one : remove_below, OPEN_FOLDERS,
               FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static bool is_short(const char *folder)
{
    struct sockaddr_un address;

    return strlen(folder) + strlen(HOME_TEMPLATE LONGEST_SOCKET) <
           sizeof(address.sun_path);
}

/* Children of root's program that gave up root must reach the socket. */
static bool is_reachable(const char *folder)
{
    struct stat status;
    g_autofree char *resolved = realpath(folder, NULL);

    if (geteuid() != 0) {
        return true;
    }
    for (char *at = resolved; at && *at;) {
        if (stat(at, &status) || !(status.st_mode & S_IXOTH)) {
            return false;
        }
        char *slash = strrchr(at, '/');
        if (slash == at) {
            return true;
        }
        *slash = '\0';
    }
    return false;
}

char *ct_place_home(GError **error)
{
    const char *const folders[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"),
                                   "/tmp", "/var/tmp", "/dev/shm"};
    int reason = ENAMETOOLONG;
    const char *last = "/tmp";

    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (!folders[i] || folders[i][0] != '/' || !is_short(folders[i]) ||
            !is_reachable(folders[i])) {
            continue;
        }
        char *home = g_strconcat(folders[i], HOME_TEMPLATE, NULL);
        if (mkdtemp(home)) {
            return home;
        }
        reason = errno;
        last = folders[i];
        g_free(home);
    }
    g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_DAEMON,
                "no directory for the session daemon's sockets: %s: %s", last,
                g_strerror(reason));
    return NULL;
}

/* nftw() passes no data: one walk at a time, in a single-threaded process. */
static uint64_t walked_bytes;

static int add_one(const char *path, const struct stat *status, int kind,
                   struct FTW *where)
{
    (void)path;
    (void)where;
    walked_bytes += 1;
    if (kind == FTW_F) {
        walked_bytes += (uint64_t)status->st_size;
    }
    return 0;
}

uint64_t ct_place_bytes(const char *path)
{
    walked_bytes = 0;
    (void)nftw(path, add_one, OPEN_FOLDERS, FTW_PHYS);
    return walked_bytes;
}
