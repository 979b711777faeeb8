/* SPDX-License-Identifier: MIT */
/*
 * sandboxed.c - a program that is killed for each system call that is not its
 * own
 *
 *   sandboxed files|tight|together|threads|forks
 *
 * files     reads files, opens and closes some
 * tight     reads what is open, by a filter with nothing else in it
 * together  as tight, for all threads of the process at once
 * threads   makes threads that read
 * forks     makes a child that reads
 *
 * A part that is killed does not say so; what is printed is the same whoever
 * looks on.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/killed.h"

enum { READS = 1000, THREADS = 3 };

/* What libc and the program call by then, none of it for us. */
static const int own[] = {SYS_pread64, SYS_write, SYS_exit_group};

static const int files[] = {SYS_openat, SYS_close, SYS_eventfd2};

/* ... and what LTTng needs to wake its reader. */
static const int wakes[] = {SYS_rt_sigprocmask,  SYS_rt_sigpending,
                            SYS_rt_sigtimedwait, SYS_futex,
                            SYS_sched_yield,     SYS_clock_gettime};

static const int threads[] = {
    SYS_rt_sigaction,    SYS_getrandom, SYS_mmap,  SYS_munmap,
    SYS_mprotect,        SYS_madvise,   SYS_clone, SYS_clone3,
    SYS_set_robust_list, SYS_rseq,      SYS_brk,   SYS_exit};

static const int forks[] = {SYS_clone, SYS_wait4, SYS_set_robust_list};

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) {
        _exit(4);
    }
}

static void read_often(const char *what, int fd)
{
    char byte;

    for (int i = 0; i < READS; i++) {
        if (pread(fd, &byte, 1, 0) != 1) {
            say("refused: ");
            break;
        }
    }
    say(what);
}

static void *reads(void *opaque)
{
    read_often("a thread\n", *(const int *)opaque);
    return NULL;
}

static void make_threads(int fd)
{
    pthread_t made[THREADS];

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&made[i], NULL, reads, &fd)) {
            _exit(4);
        }
        pthread_join(made[i], NULL);
    }
}

static void make_child(int fd)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        read_often("a child\n", fd);
        _exit(0);
    }
    say(waitpid(child, &status, 0) == child && status == 0 ? "its end\n"
                                                           : "killed\n");
}

/* One is closed, another opened, a third is what no path says. */
static void use_files(int fd)
{
    int other;

    read_often("open before\n", fd);
    close(fd);
    other = open("/dev/full", O_RDWR);
    say(other == fd ? "the same number\n" : "another number\n");
    read_often("opened\n", other);
    close(other);
    other = eventfd(0, 0);
    close(other);
    other = openat(AT_FDCWD, "/dev/zero", O_RDWR);
    read_often("opened again\n", other);
    close(other);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int fd = open("/dev/zero", O_RDWR);
    struct killed killed = {0};

    killed_allow(&killed, own, sizeof(own) / sizeof(own[0]));
    if (strcmp(mode, "tight") == 0) {
        killed_begin(&killed, false);
    } else if (strcmp(mode, "together") == 0) {
        killed_begin(&killed, true);
    } else {
        killed_allow(&killed, wakes, sizeof(wakes) / sizeof(wakes[0]));
        if (strcmp(mode, "files") == 0) {
            killed_allow(&killed, files, sizeof(files) / sizeof(files[0]));
        } else if (strcmp(mode, "threads") == 0) {
            killed_allow(&killed, threads,
                         sizeof(threads) / sizeof(threads[0]));
        } else {
            killed_allow(&killed, forks, sizeof(forks) / sizeof(forks[0]));
        }
        killed_begin(&killed, false);
    }
    read_often("read\n", fd);
    if (strcmp(mode, "files") == 0) {
        use_files(fd);
    } else if (strcmp(mode, "threads") == 0) {
        make_threads(fd);
    } else if (strcmp(mode, "forks") == 0) {
        make_child(fd);
    }
    return 0;
}
