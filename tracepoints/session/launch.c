/* SPDX-License-Identifier: MIT */
/*
 * launch.c - fork, gate, exec; and the environment that makes a program
 * recordable
 *
 * Environment:
 * - LTTNG_HOME: LTTng-UST looks for the daemon's socket there.
 * - LTTNG_UST_REGISTER_TIMEOUT: main() waits until the session is known, else
 *   the first events would be missing.
 * - COTRACE_PROVIDER: the provider that belongs to this recorder.
 * - LD_PRELOAD, if it is asked for: the library that sees what a program
 *   without tracepoints does.  Else nothing is preloaded: it brings LTTng, with
 *   its threads, into every process below the program.
 * - COTRACE_LINES, of a QEMU: what becomes of its log's lines (preload/line.c);
 *   qemu/record.c sets it in this process.
 * The provider takes care of forks and of libraries that are loaded later.
 *
 * The program gets SIGTERM if the recorder dies: what it was started for is
 * over, and nobody would pass on a Ctrl-C any more.  A QEMU does not: a guest
 * is worth more than its trace.
 */
#include "session/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/preload.h"

#define REGISTER_TIMEOUT_MS "10000"
#define SIGNALLED           128

static char *refuse(const char *name, int reason, GError **error)
{
    g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_PROGRAM, "%s: %s",
                name, g_strerror(reason));
    return NULL;
}

/* 0, or why this can't be executed */
static int judge(const char *path)
{
    struct stat status;

    if (stat(path, &status)) {
        return errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return EISDIR;
    }
    return access(path, X_OK) ? errno : 0;
}

char *ct_launch_find(const char *name, GError **error)
{
    int reason = ENOENT;

    if (strchr(name, '/') || !*name) {
        reason = *name ? judge(name) : ENOENT;
        return reason ? refuse(name, reason, error) : g_strdup(name);
    }
    const char *path = g_getenv("PATH");
    g_auto(GStrv) folders = g_strsplit(path ? path : "/bin:/usr/bin", ":", -1);
    for (char **folder = folders; *folder; folder++) {
        g_autofree char *candidate =
            g_build_filename(**folder ? *folder : ".", name, NULL);
        if (!judge(candidate)) {
            return g_steal_pointer(&candidate);
        }
        /* As a reason: a file that is there, not a folder that is closed. */
        if (g_file_test(candidate, G_FILE_TEST_IS_REGULAR)) {
            reason = EACCES;
        }
    }
    if (reason == ENOENT) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_PROGRAM,
                    "%s: no such program in PATH", name);
        return NULL;
    }
    return refuse(name, reason, error);
}

/* --- environment ---------------------------------------------------------- */

char **ct_launch_environment(const char *home, const char *provider,
                             const char *preload)
{
    char **environment = g_get_environ();

    environment = g_environ_setenv(environment, "LTTNG_UST_REGISTER_TIMEOUT",
                                   REGISTER_TIMEOUT_MS, TRUE);
    if (home) {
        environment = g_environ_setenv(environment, "LTTNG_HOME", home, TRUE);
    }
    if (provider) {
        environment =
            g_environ_setenv(environment, "COTRACE_PROVIDER", provider, TRUE);
    }
    if (preload) {
        g_autofree char *list = ct_preload_list(
            g_environ_getenv(environment, "LD_PRELOAD"), preload);
        environment = g_environ_setenv(environment, "LD_PRELOAD", list, TRUE);
    }
    return environment;
}

/* --- process -------------------------------------------------------------- */

static _Noreturn void child(int gate, int report, pid_t parent,
                            const char *path, char *const argv[],
                            char *const environment[],
                            const struct ct_launch_signals *signals)
{
    char go;

    if (!signals->outlives) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    if (getppid() != parent || read(gate, &go, 1) != 1) {
        _exit(127);
    }
    (void)sigaction(SIGCHLD, &signals->child, NULL);
    (void)sigprocmask(SIG_SETMASK, &signals->mask, NULL);
    /* For the sake of scripts without #!, which execve() alone refuses. */
    (void)execvpe(path, argv, environment);
    int reason = errno;
    (void)!write(report, &reason, sizeof(reason));
    _exit(127);
}

bool ct_launch_fork(struct ct_launch *ret_launch, const char *path,
                    char *const argv[], char *const environment[],
                    const struct ct_launch_signals *signals, GError **error)
{
    int gate[2], report[2];
    pid_t parent = getpid();

    /* A socket, since a pipe whose reader was killed answers by SIGPIPE. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate)) {
        (void)refuse(argv[0], errno, error);
        return false;
    }
    if (pipe2(report, O_CLOEXEC)) {
        (void)refuse(argv[0], errno, error);
        (void)close(gate[0]);
        (void)close(gate[1]);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(gate[1]);
        (void)close(report[0]);
        child(gate[0], report[1], parent, path, argv, environment, signals);
    }
    int reason = errno;
    (void)close(gate[0]);
    (void)close(report[1]);
    *ret_launch = (struct ct_launch){
        .pid = pid,
        .gate = gate[1],
        .report = report[0],
    };
    if (pid < 0) {
        (void)close(gate[1]);
        (void)close(report[0]);
        (void)refuse(argv[0], reason, error);
        return false;
    }
    return true;
}

static void reap(struct ct_launch *launch)
{
    (void)close(launch->report);
    while (waitpid(launch->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

bool ct_launch_go(struct ct_launch *launch, const char *name, GError **error)
{
    int reason = 0;
    ssize_t length;

    (void)!send(launch->gate, "g", 1, MSG_NOSIGNAL);
    (void)close(launch->gate);
    do {
        length = read(launch->report, &reason, sizeof(reason));
    } while (length < 0 && errno == EINTR);
    if (length == (ssize_t)sizeof(reason)) {
        reap(launch);
        (void)refuse(name, reason, error);
        return false;
    }
    (void)close(launch->report);
    return true;
}

void ct_launch_give_up(struct ct_launch *launch)
{
    (void)close(launch->gate);
    reap(launch);
}

int ct_launch_exit_status(int status)
{
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status)
                               : WEXITSTATUS(status);
}
