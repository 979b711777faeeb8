/* SPDX-License-Identifier: MIT */
/*
 * shared.c - starts the system-wide daemon if need be, and ends it again
 *
 * Two bytes of the file LOCK are locked: STARTING by whoever starts a daemon
 * and creates a session, or looks whether the daemon is still needed; USING, by
 * all together, from then until the control process of a recording has ended,
 * however it did.  The file holds the pid of the daemon that a recording
 * started.  It is removed under STARTING, so that after locking one has to
 * check that the name still means this file.
 */
#include "session/daemon/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/daemon/daemon.h"
#include "session/daemon/family.h"
#include "session/daemon/lttng.h"

#define LOCK         CT_DAEMON_ROOT_DIR "/cotrace-started"
#define PID_FILE     CT_DAEMON_ROOT_DIR "/lttng-sessiond.pid"
#define WAIT_STEP_MS 5
#define WAIT_MS      10000
#define LEAVE_MS     500 /* for others who start or leave */
#define ANSWER_MS    500 /* for a daemon that may be stuck */
#define END_MS       800
#define DAEMON_NAME  "lttng-sessiond"

enum { STARTING, USING };

static int lock = -1;

/* Return: whether it is locked (F_UNLCK: not any more). */
static bool set_lock(int file, short kind, off_t byte, bool wait)
{
    struct flock range = {
        .l_type = kind,
        .l_whence = SEEK_SET,
        .l_start = byte,
        .l_len = 1,
    };
    int ret;

    do {
        ret = fcntl(file, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
    } while (ret && errno == EINTR);
    return ret == 0;
}

static bool is_used(int file)
{
    struct flock range = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = USING,
        .l_len = 1,
    };

    return fcntl(file, F_OFD_GETLK, &range) || range.l_type != F_UNLCK;
}

/* When that time is over, too. */
static bool stays_used(int file, int patience_ms)
{
    for (int waited = 0; is_used(file); waited += WAIT_STEP_MS) {
        if (waited >= patience_ms) {
            return true;
        }
        (void)poll(NULL, 0, WAIT_STEP_MS);
    }
    return false;
}

/* With STARTING locked; -EAGAIN: others had it all the time. */
static int lock_file(int patience_ms)
{
    int waited = 0;

    for (;;) {
        struct stat held, named;

        (void)mkdir(CT_DAEMON_ROOT_DIR, 0755);
        int file = open(LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file < 0) {
            return -errno;
        }
        while (!set_lock(file, F_WRLCK, STARTING, patience_ms < 0)) {
            if (patience_ms < 0 || waited >= patience_ms) {
                (void)close(file);
                return -EAGAIN;
            }
            (void)poll(NULL, 0, WAIT_STEP_MS);
            waited += WAIT_STEP_MS;
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

static bool has_ended(int handle, int patience_ms)
{
    struct pollfd ended = {.fd = handle, .events = POLLIN};

    return poll(&ended, 1, patience_ms) > 0;
}

/* It daemonized, so what it started is in its process group.  A session that
 * can't be destroyed (a program killed in the middle of an event) blocks its
 * end. */
static void end_daemon(pid_t pid, int handle, bool answers)
{
    if (answers) {
        (void)kill(pid, SIGTERM);
        answers = has_ended(handle, END_MS);
    }
    if (!answers) {
        (void)kill(pid, SIGKILL);
        (void)ct_family_kill(pid, "lttng-", END_MS);
        (void)has_ended(handle, END_MS); /* its last thread, too */
    }
}

/* How many sessions there are that no recording made, asked by a process of
 * its own: a daemon that is stuck does not answer.  -1: it did not. */
static int count_sessions(const char *prefix)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(ct_lttng_sessions(prefix) > 0);
    }
    if (pid < 0) {
        return -1;
    }
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0 || !has_ended(handle, ANSWER_MS)) {
        (void)kill(pid, SIGKILL);
    }
    if (handle >= 0) {
        (void)close(handle);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ct_shared_enter(char **ret_reason)
{
    lock = lock_file(-1);
    if (lock < 0) {
        *ret_reason = g_strdup_printf(LOCK ": %s", g_strerror(-lock));
        return -1;
    }
    (void)set_lock(lock, F_RDLCK, USING, true);
    return ct_lttng_is_served() ? 0 : start_daemon(ret_reason);
}

void ct_shared_created(void)
{
    (void)set_lock(lock, F_UNLCK, STARTING, false);
}

void ct_shared_leave(const char *prefix, int patience_ms)
{
    int file = lock_file(LEAVE_MS);

    if (file >= 0 && !stays_used(file, patience_ms)) {
        pid_t ours = read_pid(file);
        int handle = open_daemon(ours);
        int others = handle < 0 ? 0 : count_sessions(prefix);

        if (handle >= 0 && others <= 0) {
            end_daemon(ours, handle, others == 0);
        }
        if (others <= 0) {
            (void)unlink(LOCK);
        }
        if (handle >= 0) {
            (void)close(handle);
        }
    }
    if (file >= 0) {
        (void)close(file);
    }
}
