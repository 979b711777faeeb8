/* SPDX-License-Identifier: MIT */
/*
 * refused.c - a program under a kernel that refuses a system call
 *
 *   refused CALL PROGRAM [ARG...]
 *
 * CALL fails with EPERM, as in a sandbox, from the program's start.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/runtime/refuse.h"

static const struct {
    const char *name;
    int number;
} calls[] = {
    {"io_uring_setup", SYS_io_uring_setup},
    {"io_uring_enter", SYS_io_uring_enter},
    {"io_setup", SYS_io_setup},
    {"io_submit", SYS_io_submit},
    {"epoll_create1", SYS_epoll_create1},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < G_N_ELEMENTS(calls); i++) {
        if (strcmp(calls[i].name, argv[1]) == 0) {
            refuse(calls[i].number);
            execv(argv[2], argv + 2);
            perror(argv[2]);
            return 126;
        }
    }
    fputs("usage: refused CALL PROGRAM [ARG...]\n", stderr);
    return 126;
}
