/* SPDX-License-Identifier: MIT */
/*
 * child.h - run what must abort in a child process
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs @body in a child; its exit status, 128 + N for signal N, and stderr. */
static inline int in_child(void (*body)(void), char *ret_stderr, size_t size)
{
    int fds[2], status;
    size_t length = 0;
    pid_t pid;

    fflush(stdout);
    if (pipe(fds) != 0 || (pid = fork()) < 0) {
        perror("# fork");
        exit(99);
    }
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        body();
        _exit(0);
    }
    close(fds[1]);
    for (;;) {
        char rest[256];
        bool room = length + 1 < size;
        ssize_t n = read(fds[0], room ? ret_stderr + length : rest,
                         room ? size - 1 - length : sizeof(rest));

        if (n <= 0) {
            break;
        }
        length += room ? (size_t)n : 0;
    }
    ret_stderr[length] = '\0';
    close(fds[0]);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
