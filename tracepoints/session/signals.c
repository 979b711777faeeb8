/* SPDX-License-Identifier: MIT */
/*
 * signals.c - signals and standard streams of a recorder
 *
 * Signals are read from a descriptor, so that a recorder can wait for them and
 * for everything else at once.
 */
#include "session/signals.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/signalfd.h>

static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,
                                SIGQUIT, SIGUSR1, SIGUSR2};

void ct_streams_occupy(bool ret_occupied[STDERR_FILENO + 1])
{
    for (int i = 0; i <= STDERR_FILENO; i++) {
        ret_occupied[i] = false;
        if (fcntl(i, F_GETFD) < 0) { /* the lowest free one is i */
            ret_occupied[i] = open("/dev/null", O_RDWR | O_CLOEXEC) == i;
        }
    }
}

void ct_streams_free(const bool occupied[STDERR_FILENO + 1])
{
    for (int i = 0; i <= STDERR_FILENO; i++) {
        if (occupied[i]) {
            (void)close(i);
        }
    }
}

void ct_signals_take(struct ct_signals *signals)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < G_N_ELEMENTS(passed_on); i++) {
        struct sigaction action;
        /* What is ignored (nohup) stays ignored, here and in the program. */
        if (!sigaction(passed_on[i], NULL, &action) &&
            action.sa_handler != SIG_IGN) {
            (void)sigaddset(&set, passed_on[i]);
        }
    }
    (void)sigaction(SIGCHLD, &by_default, &signals->before.child);
    (void)sigprocmask(SIG_BLOCK, &set, &signals->before.mask);
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int ct_signals_next(struct ct_signals *signals, bool *ret_sent_here)
{
    struct signalfd_siginfo info;

    while (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD) {
            *ret_sent_here = info.ssi_code <= 0;
            return (int)info.ssi_signo;
        }
    }
    return 0;
}

void ct_signals_pass_on(struct ct_signals *signals, pid_t pid)
{
    bool sent_here;
    int number;

    while ((number = ct_signals_next(signals, &sent_here))) {
        if (sent_here) {
            (void)kill(pid, number);
        }
    }
}

void ct_signals_give_back(struct ct_signals *signals)
{
    bool sent_here;

    while (ct_signals_next(signals, &sent_here)) {
    }
    (void)close(signals->fd);
    (void)sigaction(SIGCHLD, &signals->before.child, NULL);
    (void)sigprocmask(SIG_SETMASK, &signals->before.mask, NULL);
}
