/* SPDX-License-Identifier: MIT */
/*
 * misused.c - calls that the kernel refuses, and a vfork() that closes fds
 *
 * What is printed is the same whoever looks on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void refused(const char *what, ssize_t result)
{
    printf("%s: %zd, error %d\n", what, result, result < 0 ? errno : 0);
}

/* No more of it is there than one. */
static void bad_vectors(int fd)
{
    char byte;
    struct iovec vector = {&byte, 1};
    const struct iovec *volatile nowhere = NULL;
    const struct iovec *volatile here = &vector;
    volatile int most = INT_MAX, least = -1; /* the compiler knows better */

    refused("too many", preadv(fd, here, most, 0));
    refused("fewer than none", preadv(fd, here, least, 0));
    refused("none", preadv(fd, nowhere, 1, 0));
    refused("too many to write", pwritev(fd, here, most, 0));
}

/* The child has fds of its own, but no memory. */
static void close_in_child(int fd)
{
    int status;
    pid_t child = vfork();

    if (!child) {
        close(fd);
        _exit(0);
    }
    waitpid(child, &status, 0);
}

int main(void)
{
    int fd = open("/dev/zero", O_RDWR);
    int event = eventfd(0, 0);
    uint64_t one = 1;

    bad_vectors(fd);
    close_in_child(event);
    refused("woken", write(event, &one, sizeof(one)));
    close(event);
    event = dup(fd); /* the same number, and no eventfd */
    refused("written", write(event, &one, sizeof(one)));
    return 0;
}
