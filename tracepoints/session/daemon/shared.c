/* SPDX-License-Identifier: MIT */
/*
 * shared.c - starts the system-wide daemon if need be, and ends it again
 *
 * The file LOCK is locked by whoever starts a daemon and creates a session, or
 * has destroyed one and looks whether any is left.  It holds the pid of the
 * daemon that a recording started.  Its owner removes it under the lock, so
 * that after locking one has to check that the name still means this file.
 */
#include "session/daemon/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/daemon/daemon.h"
#include "session/daemon/lttng.h"

#define LOCK         CT_DAEMON_ROOT_DIR "/cotrace-started"
#define PID_FILE     CT_DAEMON_ROOT_DIR "/lttng-sessiond.pid"
#define WAIT_STEP_MS 5
#define WAIT_MS      10000
#define END_MS       800
#define DAEMON_NAME  "lttng-sessiond"

static int lock = -1;

static int lock_file(void)
{
    for (;;) {
        struct stat held, named;

        (void)mkdir(CT_DAEMON_ROOT_DIR, 0755);
        int file = open(LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file < 0) {
            return -errno;
        }
        while (flock(file, LOCK_EX) && errno == EINTR) {
        }
        if (!fstat(file, &held) && !stat(LOCK, &named) &&
            held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
            return file;
        }
        (void)close(file);
    }
}

static pid_t read_pid(int file)
{
    char text[32] = "";
    ssize_t length = pread(file, text, sizeof(text) - 1, 0);

    return length <= 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

static pid_t running_daemon(void)
{
    int file = open(PID_FILE, O_RDONLY | O_CLOEXEC);
    pid_t pid = 0;

    if (file >= 0) {
        pid = read_pid(file);
        (void)close(file);
    }
    return pid;
}

/* The daemon's own --daemonize returns when it serves. */
static int start_daemon(char **ret_reason)
{
    g_autofree char *path = ct_daemon_find(NULL);
    const char *const argv[] = {path, "--daemonize", "--no-kernel", NULL};
    int status = 0;

    pid_t pid = ct_daemon_spawn(path, argv, NULL, NULL);
    if (pid < 0) {
        *ret_reason = g_strdup_printf("lttng-sessiond: %s", g_strerror(-pid));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    for (int waited = 0; !ct_lttng_is_served(); waited += WAIT_STEP_MS) {
        if (waited >= WAIT_MS || !WIFEXITED(status) || WEXITSTATUS(status)) {
            *ret_reason = g_strdup("no session daemon can be started here: no "
                                   "mount namespace is allowed, and the "
                                   "system-wide lttng-sessiond does not start");
            return -1;
        }
        (void)poll(NULL, 0, WAIT_STEP_MS);
    }
    g_autofree char *text = g_strdup_printf("%d\n", (int)running_daemon());
    if (ftruncate(lock, 0) ||
        pwrite(lock, text, strlen(text), 0) != (ssize_t)strlen(text)) {
        /* Then nobody will know that it is ours, and it stays. */
    }
    return 0;
}

/* A handle of the daemon if it still is the one that serves; -1 */
static int open_daemon(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *name = NULL;

    if (pid <= 0 || pid != running_daemon()) {
        return -1;
    }
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    /* Read after the handle is there: it can't be another process any more. */
    if (handle >= 0 && (!g_file_get_contents(path, &name, NULL, NULL) ||
                        !g_str_has_prefix(name, DAEMON_NAME))) {
        (void)close(handle);
        handle = -1;
    }
    return handle;
}

/* It daemonized, so its consumer is in its process group.  A session that can't
 * be destroyed (a program killed in the middle of an event) blocks its end. */
static void end_daemon(pid_t pid, int handle)
{
    struct pollfd ended = {.fd = handle, .events = POLLIN};

    (void)kill(pid, SIGTERM);
    if (poll(&ended, 1, END_MS) <= 0) {
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL);
        (void)poll(&ended, 1, END_MS);
    }
}

int ct_shared_enter(char **ret_reason)
{
    lock = lock_file();
    if (lock < 0) {
        *ret_reason = g_strdup_printf(LOCK ": %s", g_strerror(-lock));
        return -1;
    }
    return ct_lttng_is_served() ? 0 : start_daemon(ret_reason);
}

void ct_shared_created(void)
{
    (void)close(lock);
    lock = -1;
}

void ct_shared_leave(void)
{
    if (lock < 0) {
        lock = lock_file();
    }
    if (lock < 0) {
        return;
    }
    pid_t ours = read_pid(lock);
    int handle = open_daemon(ours);
    if (handle < 0) {
        (void)unlink(LOCK);
    } else if (ct_lttng_sessions() <= 0) {
        end_daemon(ours, handle);
        (void)unlink(LOCK);
    }
    if (handle >= 0) {
        (void)close(handle);
    }
    ct_shared_created();
}
