/* SPDX-License-Identifier: MIT */
/*
 * shm.c - tidies /dev/shm after a recording
 *
 * A page that some process still has open or mapped must stay: that process
 * waits on it, and a daemon that starts later could not wake it through a new
 * one.  A write lease is what the kernel grants only when nobody else has the
 * file open or mapped, in whatever namespace and of whatever user, so it
 * answers the question exactly where /proc could not.
 *
 * A daemon that is killed leaves 1 in its page ("I am here"), and programs that
 * come later would try to connect every few seconds for ever; one that ends by
 * itself leaves 0.
 */
#include "session/daemon/shm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER "/dev/shm"
#define PREFIX "lttng-ust-wait-"

int ct_shm_open(void)
{
    int folder = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0) {
        return -errno;
    }
    if (faccessat(folder, ".", W_OK | X_OK, AT_EACCESS)) {
        int error = errno;
        (void)close(folder);
        return -error;
    }
    return folder;
}

static void sweep_one(int folder, const char *name, bool reset)
{
    const int32_t away = 0;
    struct stat status;
    int page = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (page < 0) {
        return;
    }
    if (!fstat(page, &status) && S_ISREG(status.st_mode) &&
        status.st_uid == geteuid()) {
        if (!fcntl(page, F_SETLEASE, F_WRLCK)) {
            (void)unlinkat(folder, name, 0);
        } else if (reset) {
            (void)!pwrite(page, &away, sizeof(away), 0);
        }
    }
    (void)close(page); /* gives the lease back */
}

void ct_shm_sweep(int folder, bool reset)
{
    struct dirent *entry;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = copy < 0 ? NULL : fdopendir(copy);

    if (!names) {
        if (copy >= 0) {
            (void)close(copy);
        }
        return;
    }
    while ((entry = readdir(names))) {
        if (!strncmp(entry->d_name, PREFIX, strlen(PREFIX))) {
            sweep_one(folder, entry->d_name, reset);
        }
    }
    (void)closedir(names);
}

uint64_t ct_shm_free_bytes(void)
{
    struct statvfs room;

    return statvfs(FOLDER, &room) ? 0 : (uint64_t)room.f_bavail * room.f_frsize;
}
