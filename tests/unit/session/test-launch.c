/* SPDX-License-Identifier: MIT */
/*
 * test-launch.c - finding a program, the gate between fork and exec, and the
 * messages between the processes of a recording
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/daemon/family.h"
#include "session/launch.h"
#include "session/output/place.h"
#include "session/keeper/wire.h"

#include "lib/tap.h"

static char *folder;

static char *script(const char *name, const char *text, int mode)
{
    char *path = g_build_filename(folder, name, NULL);

    tap_check(g_file_set_contents(path, text, -1, NULL));
    tap_check(!g_chmod(path, mode));
    return path;
}

static struct ct_launch_signals signals_now(void)
{
    struct ct_launch_signals signals = {0};

    sigprocmask(SIG_SETMASK, NULL, &signals.mask);
    sigaction(SIGCHLD, NULL, &signals.child);
    return signals;
}

/* --- find ---------------------------------------------------------------- */

static void check_find(const char *name, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *found = ct_launch_find(name, &error);

    tap_check(g_strcmp0(found, wanted) == 0);
    tap_check(wanted || g_error_matches(error, CT_SESSION_ERROR,
                                        CT_SESSION_ERROR_PROGRAM));
}

static void test_find(void)
{
    g_autofree char *good = script("good", "#!/bin/sh\n", 0755);
    g_autofree char *plain = script("plain", "text\n", 0644);
    g_autofree char *missing = g_build_filename(folder, "missing", NULL);
    g_autofree char *path = g_strconcat("/does/not/exist:", folder, NULL);

    check_find(good, good);
    check_find(plain, NULL);
    check_find(missing, NULL);
    check_find(folder, NULL);
    check_find("", NULL);

    g_autofree char *before = g_strdup(g_getenv("PATH"));
    g_setenv("PATH", path, TRUE);
    check_find("good", good);
    check_find("plain", NULL);
    check_find("missing", NULL);
    g_setenv("PATH", before, TRUE);
}

/* --- environment --------------------------------------------------------- */

static void test_environment(void)
{
    g_setenv("LD_PRELOAD", "mine.so", TRUE);
    g_setenv("LTTNG_HOME", "elsewhere", TRUE);
    g_auto(GStrv) environment =
        ct_launch_environment("/home", "/provider.so", NULL);

    tap_check(
        !g_strcmp0(g_environ_getenv(environment, "LD_PRELOAD"), "mine.so"));
    tap_check(!g_strcmp0(g_environ_getenv(environment, "LTTNG_HOME"), "/home"));
    tap_check(!g_strcmp0(g_environ_getenv(environment, "COTRACE_PROVIDER"),
                         "/provider.so"));
    /* The system-wide daemon is found without. */
    g_auto(GStrv) shared = ct_launch_environment(NULL, NULL, "/ours.so");
    tap_check(!g_strcmp0(g_environ_getenv(shared, "LTTNG_HOME"), "elsewhere"));
    /* What was there before comes first. */
    tap_check(
        !g_strcmp0(g_environ_getenv(shared, "LD_PRELOAD"), "mine.so:/ours.so"));
    g_unsetenv("LD_PRELOAD");
    g_auto(GStrv) alone = ct_launch_environment(NULL, NULL, "/ours.so");
    tap_check(!g_strcmp0(g_environ_getenv(alone, "LD_PRELOAD"), "/ours.so"));
    g_unsetenv("LTTNG_HOME");
}

/* --- gate ---------------------------------------------------------------- */

static bool launch(struct ct_launch *ret, const char *path)
{
    struct ct_launch_signals signals = signals_now();
    char *argv[] = {(char *)path, NULL};
    g_auto(GStrv) environment = g_get_environ();

    return ct_launch_fork(ret, path, argv, environment, &signals, NULL);
}

static void test_go(void)
{
    g_autofree char *path = script("seven", "#!/bin/sh\nexit 7\n", 0755);
    struct ct_launch started;
    int status;

    tap_check(launch(&started, path));
    tap_check(waitpid(started.pid, &status, WNOHANG) == 0);
    tap_check(ct_launch_go(&started, path, NULL));
    tap_check(waitpid(started.pid, &status, 0) == started.pid);
    tap_check(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void test_no_exec(void)
{
    g_autofree char *path = script("odd", "#!/does/not/exist\n", 0755);
    g_autoptr(GError) error = NULL;
    struct ct_launch started;

    tap_check(launch(&started, path));
    tap_check(!ct_launch_go(&started, "odd", &error));
    tap_check(!g_strcmp0(error->message, "odd: No such file or directory"));
    tap_check(waitpid(started.pid, NULL, 0) < 0 && errno == ECHILD);
}

static void test_give_up(void)
{
    g_autofree char *mark = g_build_filename(folder, "mark", NULL);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\n: > %s\n", mark);
    g_autofree char *path = script("marks", text, 0755);
    struct ct_launch started;

    tap_check(launch(&started, path));
    ct_launch_give_up(&started);
    tap_check(waitpid(started.pid, NULL, 0) < 0 && errno == ECHILD);
    tap_check(!g_file_test(mark, G_FILE_TEST_EXISTS));
}

/* Killed at the gate: told as the program's end, not by SIGPIPE here. */
static void test_killed_at_gate(void)
{
    struct ct_launch started;
    int status;

    tap_check(launch(&started, "/bin/true"));
    tap_check(!kill(started.pid, SIGKILL));
    siginfo_t info;
    tap_check(!waitid(P_PID, (id_t)started.pid, &info, WEXITED | WNOWAIT));
    tap_check(ct_launch_go(&started, "true", NULL));
    tap_check(waitpid(started.pid, &status, 0) == started.pid);
    tap_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_mask(void)
{
    g_autofree char *path =
        script("mask",
               "#!/bin/sh\ngrep -q '^SigBlk:.*0000000000000000$' "
               "/proc/self/status\n",
               0755);
    struct ct_launch_signals signals = signals_now();
    char *argv[] = {path, NULL};
    g_auto(GStrv) environment = g_get_environ();
    struct ct_launch started;
    sigset_t all;
    int status;

    sigemptyset(&signals.mask);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    tap_check(
        ct_launch_fork(&started, path, argv, environment, &signals, NULL));
    tap_check(ct_launch_go(&started, path, NULL));
    tap_check(waitpid(started.pid, &status, 0) == started.pid);
    tap_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sigprocmask(SIG_SETMASK, &signals.mask, NULL);
}

/* --- wire ---------------------------------------------------------------- */

static void test_wire(void)
{
    struct ct_wire_message message;
    g_autofree char *text = g_strnfill(5000, 'x');
    int ends[2];

    tap_equal(ct_wire_pair(ends), 0);
    tap_check(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
    tap_equal(ct_wire_receive(ends[1], &message, 0), -EAGAIN);
    tap_equal(ct_wire_send(ends[0], CT_WIRE_START, -5, "one"), 0);
    tap_equal(ct_wire_send(ends[0], CT_WIRE_STOP, 6, text), 0);
    tap_equal(ct_wire_send(ends[0], CT_WIRE_HURRY, 0, NULL), 0);
    tap_equal(ct_wire_receive(ends[1], &message, -1), 0);
    tap_check(message.kind == CT_WIRE_START && message.number == -5);
    tap_check(!strcmp(message.text, "one"));
    tap_equal(ct_wire_receive(ends[1], &message, -1), 0);
    tap_check(message.kind == CT_WIRE_STOP && message.number == 6);
    tap_equal(strlen(message.text), sizeof(message.text) - 1);
    (void)close(ends[0]);
    tap_equal(ct_wire_receive(ends[1], &message, -1), 0);
    tap_check(message.kind == CT_WIRE_HURRY && !*message.text);
    for (int i = 0; i < 2; i++) {
        tap_equal(ct_wire_receive(ends[1], &message, -1), 0);
        tap_check(message.kind == CT_WIRE_GONE);
    }
    tap_equal(ct_wire_send(ends[1], CT_WIRE_DONE, 0, NULL), -EPIPE);
    (void)close(ends[1]);
}

/* --- misuse --------------------------------------------------------------- */

typedef bool record_func(const struct ct_session_config *config,
                         struct ct_session_result *ret_result, GError **error);

static void check_misuse(record_func *record,
                         const struct ct_session_config *config, const char *id)
{
    char text[256] = "";
    int ends[2], status;

    tap_check(!pipe(ends));
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)record(config, NULL, NULL);
        _exit(0);
    }
    (void)close(ends[1]);
    tap_check(read(ends[0], text, sizeof(text) - 1) > 0);
    (void)close(ends[0]);
    tap_check(waitpid(pid, &status, 0) == pid);
    tap_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    tap_check(strstr(text, id));
}

static void test_misuse(void)
{
    char *argv[] = {(char *)"true", NULL};
    const struct ct_session_config no_program = {
        .output = "x",
        .argv = argv + 1,
    };
    const struct ct_session_config no_output = {.argv = argv};

    check_misuse(ct_session_record, &no_program, "[session-record/argv]");
    check_misuse(ct_session_record, &no_output, "[session-record/output]");
    check_misuse(ct_session_record_qemu, &no_program,
                 "[session-record-qemu/argv]");
    check_misuse(ct_session_record_qemu, &no_output,
                 "[session-record-qemu/output]");
}

/* --- family -------------------------------------------------------------- */

static void test_family(void)
{
    struct ct_launch started;
    GArray *found;

    tap_check(launch(&started, "/bin/true")); /* waits at its gate */
    tap_check(!setpgid(started.pid, started.pid));
    found = ct_family_find(started.pid, "test-session-");
    tap_equal(found->len, 1);
    tap_check(found->len && g_array_index(found, pid_t, 0) == started.pid);
    g_array_unref(found);
    found = ct_family_find(started.pid, "lttng-");
    tap_equal(found->len, 0);
    g_array_unref(found);
    ct_launch_give_up(&started);
    found = ct_family_find(0, "");
    tap_equal(found->len, 0);
    g_array_unref(found);
}

int main(void)
{
    folder = g_dir_make_tmp("ct-launch-XXXXXX", NULL);
    tap_run("a program is found as exec would find it", test_find);
    tap_run("the environment is added to, not replaced", test_environment);
    tap_run("nothing runs before the gate opens", test_go);
    tap_run("a failed exec is told, and the child gone", test_no_exec);
    tap_run("given up at the gate, nothing has run", test_give_up);
    tap_run("killed at the gate", test_killed_at_gate);
    tap_run("the program gets the signal mask from before", test_mask);
    tap_run("messages keep order and borders; the end is told", test_wire);
    tap_run("a group's processes by name", test_family);
    tap_run("misuse aborts by name", test_misuse);
    ct_place_remove(folder);
    g_free(folder);
    return tap_end();
}
