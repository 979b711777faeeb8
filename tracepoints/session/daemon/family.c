/* SPDX-License-Identifier: MIT */
/*
 * family.c - looks through /proc
 *
 * A group's number may be another group's after its last process has ended, so
 * the names are looked at, too.
 */
#include "session/daemon/family.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_member(const char *pid, pid_t group, const char *wanted)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid);
    g_autofree char *text = NULL;
    char state = 0;
    int found = 0;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return false;
    }
    /* pid (name) state ppid pgrp ... */
    const char *name = strchr(text, '(');
    const char *after = strrchr(text, ')');
    return name && after && g_str_has_prefix(name + 1, wanted) &&
           sscanf(after, ") %c %*d %d", &state, &found) == 2 &&
           found == group && state != 'Z' && state != 'X';
}

GArray *ct_family_find(pid_t group, const char *name)
{
    GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
    GDir *processes = group > 0 ? g_dir_open("/proc", 0, NULL) : NULL;
    const char *entry;

    while (processes && (entry = g_dir_read_name(processes))) {
        if (g_ascii_isdigit(*entry) && is_member(entry, group, name)) {
            pid_t pid = (pid_t)strtol(entry, NULL, 10);
            g_array_append_val(pids, pid);
        }
    }
    g_clear_pointer(&processes, g_dir_close);
    return pids;
}

/* Return: false: not before @until_us (g_get_monotonic_time()). */
static bool await_end(int process, int64_t until_us)
{
    struct pollfd end = {.fd = process, .events = POLLIN};

    for (;;) {
        int64_t left_us = until_us - g_get_monotonic_time();
        int ready = poll(&end, 1, (int)(MAX(left_us, 0) / 1000));

        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return ready > 0;
        }
        if (left_us <= 0) {
            return false;
        }
    }
}

/* The handle comes first, so that the number can't be another's when it is
 * looked at again. */
static bool kill_member(pid_t pid, pid_t group, const char *name,
                        int64_t until_us)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    char number[16];
    bool gone = true;

    if (process < 0) {
        return errno == ESRCH;
    }
    (void)g_snprintf(number, sizeof(number), "%d", (int)pid);
    if (is_member(number, group, name)) {
        (void)syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
        gone = await_end(process, until_us);
    }
    (void)close(process);
    return gone;
}

bool ct_family_kill(pid_t group, const char *name, int patience_ms)
{
    int64_t until_us = g_get_monotonic_time() + (int64_t)patience_ms * 1000;
    bool all = true;

    /* Again until none is found: one may have forked before it was killed. */
    while (all) {
        GArray *left = ct_family_find(group, name);
        bool none = left->len == 0;

        for (guint i = 0; i < left->len; i++) {
            all &= kill_member(g_array_index(left, pid_t, i), group, name,
                               until_us);
        }
        g_array_unref(left);
        if (none) {
            return true;
        }
        all &= g_get_monotonic_time() < until_us;
    }
    return false;
}
