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
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER "/dev/shm"
#define PREFIX "lttng-ust-wait-"

enum { TRIES = 100, NUMBER_BYTES = 16 };

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

/* By the name that LTTng-UST 2.13 gives it; one that was removed while it was
 * opened is not it. */
static int hold_one(int folder, const char *name, mode_t mode)
{
    const off_t bytes = sysconf(_SC_PAGESIZE);
    struct stat status = {0};
    int page = -1;

    for (unsigned i = 0; i < TRIES && status.st_nlink == 0; i++) {
        if (page >= 0) {
            (void)close(page);
        }
        page = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                      mode);
        if (page < 0 || fstat(page, &status)) {
            break;
        }
    }
    if (page >= 0 && status.st_size < bytes && ftruncate(page, bytes)) {
        (void)close(page);
        return -1;
    }
    return page;
}

void ct_shm_hold(int folder, int ret_pages[CT_SHM_PAGES])
{
    const mode_t own = S_IRUSR | S_IWUSR | S_IRGRP;
    char name[sizeof(PREFIX) + NUMBER_BYTES];

    (void)snprintf(name, sizeof(name), PREFIX "8-%u", (unsigned)geteuid());
    mode_t mask = umask(0);
    ret_pages[0] = hold_one(folder, PREFIX "8", own | S_IROTH);
    ret_pages[1] = hold_one(folder, name, own);
    (void)umask(mask);
}

void ct_shm_let_go(int pages[CT_SHM_PAGES])
{
    for (unsigned i = 0; i < CT_SHM_PAGES; i++) {
        if (pages[i] >= 0) {
            (void)close(pages[i]);
            pages[i] = -1;
        }
    }
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
        /* who opens it now waits until it is closed; of that the kernel tells
         * by a signal that nobody minds */
        if (!fcntl(page, F_SETSIG, SIGURG) &&
            !fcntl(page, F_SETLEASE, F_WRLCK)) {
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
