/* SPDX-License-Identifier: MIT */
/*
 * test-family.c - the processes of a group, found and ended
 *
 * A child leads a group and has a child of its own there; both wait for ever,
 * deaf to SIGTERM, until they are killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/daemon/family.h"

#include "lib/tap.h"

#define PATIENCE_MS 60000

static _Noreturn void wait_for_ever(const char *name, int ready)
{
    (void)prctl(PR_SET_NAME, name);
    (void)signal(SIGTERM, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!write(ready, "", 1);
    for (;;) {
        (void)pause();
    }
}

/* Return: the leader; both have said that they are there. */
static pid_t start_group(const char *inner)
{
    int ready[2];
    char said[2];
    ssize_t got = 0;

    tap_check(pipe(ready) == 0);
    pid_t leader = fork();
    if (leader == 0) {
        (void)setpgid(0, 0);
        if (fork() == 0) {
            wait_for_ever(inner, ready[1]);
        }
        wait_for_ever("family-leader", ready[1]);
    }
    while (got < (ssize_t)sizeof(said)) {
        ssize_t n = read(ready[0], said, sizeof(said) - (size_t)got);
        if (n <= 0) {
            abort();
        }
        got += n;
    }
    (void)close(ready[0]);
    (void)close(ready[1]);
    return leader;
}

static guint count(pid_t group, const char *name)
{
    GArray *found = ct_family_find(group, name);
    guint n = found->len;

    g_array_unref(found);
    return n;
}

static void test_killed(void)
{
    pid_t leader = start_group("family-inner");

    tap_check(count(leader, "family-") == 2);
    tap_check(count(leader, "family-i") == 1);
    tap_check(count(leader, "other") == 0 && count(0, "family-") == 0);
    tap_check(count(getpgrp(), "family-") == 0);
    tap_check(ct_family_kill(leader, "family-", PATIENCE_MS));
    /* The leader is a zombie, which counts as gone. */
    tap_check(count(leader, "family-") == 0);
    tap_check(waitpid(leader, NULL, 0) == leader);
    tap_check(ct_family_kill(leader, "family-", 0));
}

static void test_others_spared(void)
{
    pid_t leader = start_group("unrelated");

    tap_check(ct_family_kill(leader, "family-inner", PATIENCE_MS));
    tap_check(count(leader, "unrelated") == 1);
    tap_check(count(leader, "family-leader") == 1);
    tap_check(ct_family_kill(leader, "", PATIENCE_MS));
    tap_check(waitpid(leader, NULL, 0) == leader);
}

int main(void)
{
    tap_run("a group is killed, and gone on return", test_killed);
    tap_run("other names are spared", test_others_spared);
    return tap_end();
}
