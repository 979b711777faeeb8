/* SPDX-License-Identifier: MIT */
/*
 * family.c - looks through /proc
 *
 * A group's number may be another group's after its last process has ended, so
 * the names are looked at, too.
 */
#include "session/daemon/family.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_member(const char *pid, pid_t group, const char *wanted)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid);
    g_autofree char *text = NULL;
    int found = 0;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return false;
    }
    /* pid (name) state ppid pgrp ... */
    const char *name = strchr(text, '(');
    const char *after = strrchr(text, ')');
    return name && after && g_str_has_prefix(name + 1, wanted) &&
           sscanf(after, ") %*c %*d %d", &found) == 1 && found == group;
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
