/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - starts a private lttng-sessiond
 *
 * Root's daemon keeps lock, sockets and pid file in CT_DAEMON_ROOT_DIR whatever
 * it is told, and refuses to be the second.  In a namespace with a tmpfs on
 * that folder it is the first.  The buffers lie in /dev/shm, which gets a tmpfs
 * too: then they do not depend on the size that a container gave to it, and
 * vanish with the namespace however it ends.  The trace, or the home, may lie
 * under one of these, and is put back on top.
 *
 * The folder must exist outside to be mounted on.  If it does not, it is made,
 * with a mode that nobody else would give it (MARK_MODE: a daemon that takes it
 * over changes that), and removed by the last recording that uses it: every
 * user holds a shared lock on it, the last one gets the exclusive lock.
 */
#include "session/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct/session.h"

#define MARK_MODE 01700
#define LOG       "log"
#define CONFIG    "lttng.conf"
#define TRIES     100
/* Not relative to a folder: the daemon must not load sessions that the
 * administrator set up for the system-wide one. */
#define AUTOLOAD "/etc/lttng/sessions"

char *ct_daemon_find(GError **error)
{
    const char *named = getenv("LTTNG_SESSIOND_PATH");
    const char *const places[] = {"/usr/bin/lttng-sessiond",
                                  "/usr/local/bin/lttng-sessiond",
                                  "/usr/sbin/lttng-sessiond"};

    if (named && *named) {
        if (access(named, X_OK)) {
            g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_DAEMON,
                        "LTTNG_SESSIOND_PATH is %s: %s", named,
                        g_strerror(errno));
            return NULL;
        }
        return g_strdup(named);
    }
    char *path = g_find_program_in_path("lttng-sessiond");
    for (size_t i = 0; !path && i < G_N_ELEMENTS(places); i++) {
        if (!access(places[i], X_OK)) {
            path = g_strdup(places[i]);
        }
    }
    if (!path) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_DAEMON,
                    "lttng-sessiond: not found (Debian: package lttng-tools)");
    }
    return path;
}

/* Hold the folder, marked as ours if it had to be made. */
static int hold_folder(void)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat held, named;

        if (!mkdir(CT_DAEMON_ROOT_DIR, 0700)) {
            (void)chmod(CT_DAEMON_ROOT_DIR, MARK_MODE);
        }
        int mark = open(CT_DAEMON_ROOT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mark < 0 && errno != ENOENT) {
            return -errno;
        }
        if (mark < 0) {
            continue;
        }
        if (!flock(mark, LOCK_SH) && !fstat(mark, &held) &&
            !stat(CT_DAEMON_ROOT_DIR, &named) && held.st_ino == named.st_ino &&
            held.st_dev == named.st_dev) {
            return mark;
        }
        (void)close(mark); /* removed between open and lock */
    }
    return -EBUSY;
}

static void leave_folder(int mark)
{
    struct stat held;

    if (!fstat(mark, &held) && (held.st_mode & 07777) == MARK_MODE &&
        !flock(mark, LOCK_EX | LOCK_NB)) {
        (void)rmdir(CT_DAEMON_ROOT_DIR);
    }
    (void)close(mark);
}

static bool cover(const char *path, const char *options)
{
    return !mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  options);
}

/* What lay at @path before it was covered lies there again. */
static bool uncover(const char *path, int held)
{
    g_autofree char *source = g_strdup_printf("/proc/self/fd/%d", held);
    struct stat before, now;

    if (fstat(held, &before)) {
        return false;
    }
    if (!stat(path, &now) && now.st_dev == before.st_dev &&
        now.st_ino == before.st_ino) {
        return true;
    }
    return !g_mkdir_with_parents(path, 0755) &&
           !mount(source, path, NULL, MS_BIND, NULL);
}

static bool cover_all(void)
{
    if (!cover(CT_DAEMON_ROOT_DIR, "mode=0755") ||
        !(cover("/dev/shm", "mode=1777,huge=within_size") ||
          cover("/dev/shm", "mode=1777"))) {
        return false;
    }
    if (!access(AUTOLOAD, F_OK)) {
        (void)cover(AUTOLOAD, "mode=0755");
    }
    return true;
}

bool ct_daemon_isolate(const char *output, const char *home, int *ret_mark)
{
    /* As a slave it follows what is unmounted outside, and tells nothing. */
    if (unshare(CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL)) {
        return false;
    }
    int mark = hold_folder();
    if (mark < 0) {
        return false;
    }
    /* In this namespace: what is mounted elsewhere can't be mounted here. */
    int held_output = open(output, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int held_home = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool is_covered = cover_all();
    bool is_done =
        is_covered && uncover(output, held_output) && uncover(home, held_home);
    (void)close(held_output);
    (void)close(held_home);
    if (is_covered && !is_done) {
        (void)umount2("/dev/shm", MNT_DETACH);
    }
    if (!is_done) {
        ct_daemon_unisolate(mark);
        return false;
    }
    *ret_mark = mark;
    return true;
}

void ct_daemon_unisolate(int mark)
{
    (void)umount2(CT_DAEMON_ROOT_DIR, MNT_DETACH);
    leave_folder(mark);
}

/* In the child; returns only if it can't. */
static void become(const char *path, const char *const argv[], const char *home,
                   const char *log)
{
    g_autofree char *log_path =
        log ? g_build_filename(home, log, NULL) : g_strdup("/dev/null");
    sigset_t none;

    int in = open("/dev/null", O_RDONLY);
    int out = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0) {
        return;
    }
    if (home) {
        (void)setenv("LTTNG_HOME", home, 1);
    }
    (void)chdir("/");
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execv(path, (char *const *)argv);
}

pid_t ct_daemon_spawn(const char *path, const char *const argv[],
                      const char *home, const char *log)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid) {
        return pid < 0 ? -errno : pid;
    }
    if (home) {
        /* A group of its own: with the consumer, and ended with it.  Ends with
         * the keeper, even if that is killed. */
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(127);
        }
    }
    become(path, argv, home, log);
    _exit(127);
}

pid_t ct_daemon_start(const char *path, const char *home)
{
    g_autofree char *config = g_build_filename(home, CONFIG, NULL);
    g_autofree char *folder = g_build_filename(home, ".lttng", NULL);
    g_autofree char *socket =
        g_build_filename(folder, "lttng-ust-sock-8", NULL);
    const char *argv[] = {path,   "--sig-parent", "--no-kernel", "--config",
                          config, "--apps-sock",  socket,        NULL};

    if (!g_file_set_contents(config, "[sessiond]\n", -1, NULL)) {
        return -EIO;
    }
    if (geteuid()) {
        argv[5] = NULL; /* its paths follow LTTNG_HOME */
    } else if (mkdir(folder, 0711) || chmod(folder, 0711) ||
               chmod(home, 0711)) {
        /* Children of the program that gave up root find the socket too. */
        return -errno;
    }
    pid_t pid = ct_daemon_spawn(path, argv, home, LOG);
    if (pid > 0) {
        (void)setpgid(pid, pid); /* whoever comes first */
    }
    return pid;
}

static char **log_lines(const char *home)
{
    g_autofree char *path = g_build_filename(home, LOG, NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL)
               ? g_strsplit(text, "\n", -1)
               : NULL;
}

char *ct_daemon_last_words(const char *home)
{
    g_auto(GStrv) lines = log_lines(home);
    char *found = NULL;

    for (char **line = lines; line && *line; line++) {
        char *error = strstr(*line, "Error: ");
        if (error) {
            g_free(found);
            found = g_strstrip(g_strdup(error + strlen("Error: ")));
        }
    }
    return found;
}

/* "PERROR - TIME [...]: Error in write mmap (...): REASON (in FUNCTION() ..."
 */
char *ct_daemon_write_failure(const char *home)
{
    g_auto(GStrv) lines = log_lines(home);

    for (char **line = lines; line && *line; line++) {
        char *error = strstr(*line, "Error in write");
        char *reason = error ? strstr(error, "): ") : NULL;
        if (reason) {
            char *end = strstr(reason, " (in ");
            reason += strlen("): ");
            return end ? g_strndup(reason, (gsize)(end - reason))
                       : g_strdup(reason);
        }
    }
    return NULL;
}
