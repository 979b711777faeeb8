/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - starts the daemons of one recording, and ends them whatever
 * happens
 *
 *     recorder -+- keeper -+- lttng-sessiond --- lttng-consumerd
 *               |          +- control process
 *               +- the program
 *
 * The keeper never blocks but in its poll: on the wire to the recorder, and on
 * the ends of its children; and for a bounded time where it leaves a shared
 * daemon.  It is the reaper of its descendants, so a consumer
 * whose session daemon died becomes its child and is ended as well.
 *
 * Ending:  control process killed (if the recorder still lives it is idle or
 *          stuck; if not, it closes the session by itself and gets a moment) ->
 *          a shared daemon is left, or
 *          SIGTERM to the session daemon -> patience -> SIGKILL to its group ->
 *          reap all -> home, shared memory, namespace -> ENDED.
 * The daemon is not reaped before its group was killed: as long as its pid is
 * taken, the number can't mean other processes.
 */
#include "session/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session/keeper/control.h"
#include "session/daemon/daemon.h"
#include "session/daemon/family.h"
#include "session/daemon/shared.h"
#include "session/output/place.h"
#include "session/daemon/shm.h"
#include "session/keeper/wire.h"

#define CONSUMER      "lttng-consumerd"
#define READY_MS      15000
#define ORPHAN_MS     1000 /* for daemons when the recorder is gone */
#define CLOSE_MS      1000 /* for the control process to close the session */
#define CONTROL_MS    300  /* for it to end: it was told to hurry before */
#define CONSUMER_MS   500  /* for a consumer whose session daemon ended */
#define REAP_MS       1500
#define END_MARGIN_MS 4000

/* Everything here belongs to the one process that runs keep(). */
struct keep {
    int wire;
    int children; /* signalfd: SIGCHLD, and SIGUSR1 of the daemon */
    const char *home;
    enum ct_keeper_mode mode;
    pid_t daemon;            /* 0: none, or reaped */
    pid_t control;           /* likewise */
    bool served;             /* the daemon has said that it serves */
    bool killed;             /* it had to be killed */
    int mark;                /* of ct_daemon_isolate(), -1 */
    int shm;                 /* /dev/shm as the program sees it, or -errno */
    int pages[CT_SHM_PAGES]; /* held */
    int consumer;            /* handle of the consumer, -1: not known */
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether this child has ended; it stays unreaped. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
           info.si_pid == pid;
}

static void read_signals(struct keep *keep)
{
    struct signalfd_siginfo info;

    while (read(keep->children, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGUSR1) {
            keep->served = true;
        }
    }
}

/* Until a child has ended or a signal come. Return: false: it is too late. */
static bool await_change(struct keep *keep, int64_t until_ms)
{
    struct pollfd end = {.fd = keep->children, .events = POLLIN};
    int64_t left = until_ms - now_ms();

    if (left <= 0) {
        return false;
    }
    (void)poll(&end, 1, (int)left);
    read_signals(keep);
    return true;
}

/* Until this child has ended. */
static bool await_end(struct keep *keep, pid_t pid, int patience_ms)
{
    int64_t until = now_ms() + patience_ms;

    while (!has_ended(pid)) {
        if (!await_change(keep, until)) {
            return false;
        }
    }
    return true;
}

/* Until no child is left at all. */
static bool await_none(struct keep *keep, int patience_ms)
{
    int64_t until = now_ms() + patience_ms;

    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid < 0 && errno == ECHILD) {
            return true;
        }
        if (pid <= 0 && !await_change(keep, until)) {
            return false;
        }
    }
}

static void end_control(struct keep *keep, bool orphaned)
{
    if (keep->control <= 0) {
        return;
    }
    bool own_way = orphaned || keep->mode == CT_KEEPER_SHARED;
    int patience_ms = orphaned ? CLOSE_MS : CONTROL_MS;
    if (!own_way || !await_end(keep, keep->control, patience_ms)) {
        (void)kill(keep->control, SIGKILL);
    }
    while (waitpid(keep->control, NULL, 0) < 0 && errno == EINTR) {
    }
    keep->control = 0;
    if (keep->mode == CT_KEEPER_SHARED) {
        ct_shared_leave(CT_PLACE_HOME_PREFIX, 0);
    }
}

/*
 * The consumer ends when it sees that its daemon did, some time later.  Its
 * group can't be another one's: either the daemon is not reaped yet, or a
 * child is left, and all that is left is of that group.
 */
static void end_daemon(struct keep *keep, int patience_ms)
{
    if (keep->daemon <= 0) {
        (void)await_none(keep, REAP_MS);
        return;
    }
    (void)kill(keep->daemon, SIGTERM);
    if (!await_end(keep, keep->daemon, patience_ms) ||
        !await_none(keep, CONSUMER_MS)) {
        keep->killed = true;
        (void)kill(-keep->daemon, SIGKILL);
        (void)await_none(keep, REAP_MS);
    }
    keep->daemon = 0;
}

static _Noreturn void end(struct keep *keep, int patience_ms, bool orphaned)
{
    end_control(keep, orphaned);
    end_daemon(keep, patience_ms);
    if (keep->mark >= 0) {
        ct_daemon_unisolate(keep->mark);
    }
    g_autofree char *failure = ct_daemon_write_failure(keep->home);
    ct_place_remove(keep->home);
    if (keep->shm >= 0) {
        ct_shm_let_go(keep->pages);
        ct_shm_sweep(keep->shm, keep->killed && keep->mode == CT_KEEPER_HOME);
    }
    (void)ct_wire_send(keep->wire, CT_WIRE_ENDED, keep->killed, failure);
    _exit(0);
}

static _Noreturn void fail(struct keep *keep, const char *reason)
{
    (void)ct_wire_send(keep->wire, CT_WIRE_FAILED, 0, reason);
    end(keep, 0, false);
}

/* --- the start ------------------------------------------------------------ */

/* Nothing of the recorder's surroundings may depend on the keeper's life. */
static void detach(struct keep *keep)
{
    sigset_t set;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid();
    (void)prctl(PR_SET_NAME, "cotrace-keeper");
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
    }
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);

    (void)sigfillset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGUSR1);
    keep->children = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void start_control(struct keep *keep, const struct ct_lttng_plan *plan,
                          int end_of_control)
{
    keep->control = fork();
    if (keep->control == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, "cotrace-control");
        (void)close(keep->wire);
        (void)setenv("LTTNG_HOME", keep->home, 1);
        ct_control_run(end_of_control, plan, keep->mode == CT_KEEPER_SHARED);
        _exit(0);
    }
    (void)close(end_of_control);
    if (keep->control < 0) {
        fail(keep, g_strerror(errno));
    }
}

/* Until the daemon serves. */
static void await_daemon(struct keep *keep)
{
    int64_t until = now_ms() + READY_MS;

    while (!keep->served) {
        struct pollfd ready[] = {
            {.fd = keep->children, .events = POLLIN},
            {.fd = keep->wire, .events = POLLIN},
        };
        int64_t left = until - now_ms();

        read_signals(keep);
        if (keep->served) {
            break;
        }
        if (has_ended(keep->daemon) || left <= 0) {
            g_autofree char *words = ct_daemon_last_words(keep->home);
            g_autofree char *reason =
                g_strconcat(left <= 0 ? "lttng-sessiond does not answer"
                                      : "lttng-sessiond does not start",
                            words ? ": " : "", words, NULL);
            fail(keep, reason);
        }
        (void)poll(ready, G_N_ELEMENTS(ready), (int)left);
        if (ready[1].revents) {
            end(keep, 0, true); /* told to end, or alone */
        }
    }
}

static void start_daemon(struct keep *keep, const char *daemon)
{
    /* In the shared mode nothing below us may be ended with us. */
    if (keep->mode == CT_KEEPER_SHARED) {
        return;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    keep->daemon = ct_daemon_start(daemon, keep->home);
    if (keep->daemon < 0) {
        g_autofree char *reason =
            g_strdup_printf("%s: %s", daemon, g_strerror((int)-keep->daemon));
        fail(keep, reason);
    }
    await_daemon(keep);
}

/* The session daemon does not say when its consumer is gone, and takes the data
 * that nobody can write any more for written. */
static void watch_consumer(struct keep *keep)
{
    GArray *found = ct_family_find(keep->daemon, CONSUMER);

    if (found->len) {
        keep->consumer =
            (int)syscall(SYS_pidfd_open, g_array_index(found, pid_t, 0), 0);
    }
    g_array_unref(found);
}

static void tell_broken(struct keep *keep, const char *who)
{
    g_autofree char *words = ct_daemon_last_words(keep->home);
    g_autofree char *text = g_strconcat(who, " ended before the end",
                                        words ? ": " : "", words, NULL);

    (void)ct_wire_send(keep->wire, CT_WIRE_BROKEN, 0, text);
}

/* While the recording goes on. */
static _Noreturn void watch(struct keep *keep)
{
    bool told = keep->daemon <= 0;

    for (;;) {
        struct ct_wire_message message;
        struct pollfd ready[] = {
            {.fd = keep->children, .events = POLLIN},
            {.fd = keep->wire, .events = POLLIN},
            {.fd = told ? -1 : keep->consumer, .events = POLLIN},
        };

        (void)poll(ready, G_N_ELEMENTS(ready), -1);
        read_signals(keep);
        if (!told && has_ended(keep->daemon)) {
            tell_broken(keep, "lttng-sessiond");
            told = true;
        }
        if (!told && ready[2].revents) {
            tell_broken(keep, CONSUMER);
            told = true;
        }
        if (!ready[1].revents || ct_wire_receive(keep->wire, &message, 0)) {
            continue;
        }
        switch (message.kind) {
        case CT_WIRE_WATCH:
            watch_consumer(keep);
            break;
        case CT_WIRE_END:
            end(keep, message.number, false);
        default:
            end(keep, ORPHAN_MS, true);
        }
    }
}

static _Noreturn void keep_going(int wire, int end_of_control,
                                 const char *daemon, const char *home,
                                 const struct ct_lttng_plan *plan)
{
    struct keep keep = {
        .wire = wire,
        .home = home,
        .mode = CT_KEEPER_HOME,
        .mark = -1,
        .shm = ct_shm_open(),
        .pages = {-1, -1},
        .consumer = -1,
    };

    detach(&keep);
    if (keep.shm < 0) {
        g_autofree char *reason =
            g_strdup_printf("LTTng needs /dev/shm: %s", g_strerror(-keep.shm));
        fail(&keep, reason);
    }
    ct_shm_hold(keep.shm, keep.pages);
    if (geteuid() == 0) {
        keep.mode = ct_daemon_isolate(plan->output, home, &keep.mark)
                        ? CT_KEEPER_NAMESPACE
                        : CT_KEEPER_SHARED;
    }
    start_daemon(&keep, daemon);
    start_control(&keep, plan, end_of_control);
    g_autofree char *pid = g_strdup_printf("%d", (int)keep.daemon);
    (void)ct_wire_send(wire, CT_WIRE_READY, (int)keep.mode, pid);
    watch(&keep);
}

int ct_keeper_start(struct ct_keeper *ret_keeper, const char *daemon,
                    const char *home, const struct ct_lttng_plan *plan)
{
    int wire[2], control[2];

    int ret = ct_wire_pair(wire);
    if (ret) {
        return ret;
    }
    ret = ct_wire_pair(control);
    if (ret) {
        (void)close(wire[0]);
        (void)close(wire[1]);
        return ret;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(wire[0]);
        (void)close(control[0]);
        keep_going(wire[1], control[1], daemon, home, plan);
    }
    ret = pid < 0 ? -errno : 0;
    (void)close(wire[1]);
    (void)close(control[1]);
    if (ret) {
        (void)close(wire[0]);
        (void)close(control[0]);
        return ret;
    }
    *ret_keeper = (struct ct_keeper){
        .pid = pid,
        .wire = wire[0],
        .control = control[0],
        .home = home,
    };
    return 0;
}

enum ct_keeper_mode ct_keeper_ready(struct ct_keeper *keeper,
                                    const struct ct_wire_message *message)
{
    keeper->daemon = (pid_t)strtol(message->text, NULL, 10);
    keeper->mode = (enum ct_keeper_mode)message->number;
    return keeper->mode;
}

/*
 * The keeper was killed.  Its daemon and the control process ended with it
 * (PR_SET_PDEATHSIG), the rest of the daemon's group may live on.  The daemon's
 * pid may be another's by now, so what is ended is looked at, one by one.
 */
static void stand_in(const struct ct_keeper *keeper)
{
    if (keeper->mode == CT_KEEPER_SHARED) {
        ct_shared_leave(CT_PLACE_HOME_PREFIX, REAP_MS);
    } else {
        (void)ct_family_kill(keeper->daemon, "lttng-", REAP_MS);
    }
    ct_place_remove(keeper->home);
    int shm = ct_shm_open();
    if (shm >= 0) {
        ct_shm_sweep(shm, geteuid() != 0);
        (void)close(shm);
    }
}

char *ct_keeper_end(struct ct_keeper *keeper, int patience_ms)
{
    struct ct_wire_message message;
    int ret;

    (void)close(keeper->control);
    (void)ct_wire_send(keeper->wire, CT_WIRE_END, patience_ms, NULL);
    do {
        ret = ct_wire_receive(keeper->wire, &message,
                              patience_ms + END_MARGIN_MS);
    } while (!ret && message.kind != CT_WIRE_ENDED &&
             message.kind != CT_WIRE_GONE);
    bool ended = !ret && message.kind == CT_WIRE_ENDED;
    if (!ended) {
        /* If it lives it hangs where nothing should block, on a dead disk. */
        (void)kill(keeper->pid, SIGKILL);
    }
    (void)close(keeper->wire);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (!ended) {
        stand_in(keeper);
        return NULL;
    }
    return message.text[0] ? g_strdup(message.text) : NULL;
}
