/* SPDX-License-Identifier: MIT */
/*
 * leaving.c - a program that ends while its threads are at work
 *
 *   leaving TIMES
 *
 * So many processes, one after the other; prints how many ended well.  Each
 * ends when all of its threads have begun to read, which they go on with.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, READS = 100 };

static int zero;
static pthread_barrier_t begun;

static void *reads(void *opaque)
{
    char byte;

    for (unsigned i = 0;; i++) {
        if (pread(zero, &byte, 1, 0) != 1) {
            _exit(4);
        }
        if (i == READS) {
            pthread_barrier_wait(&begun);
        }
    }
    return NULL;
}

static void leave(void)
{
    pthread_t thread;

    if (pthread_barrier_init(&begun, NULL, THREADS + 1)) {
        _exit(4);
    }
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&thread, NULL, reads, NULL)) {
            _exit(4);
        }
    }
    pthread_barrier_wait(&begun);
    exit(0); /* with all that libraries do at the end */
}

int main(int argc, char **argv)
{
    int times = argc > 1 ? atoi(argv[1]) : 1, well = 0;

    zero = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < times; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            leave();
        }
        (void)waitpid(child, &status, 0);
        well += status == 0;
    }
    printf("%d\n", well);
    return 0;
}
