/* SPDX-License-Identifier: MIT */
/*
 * misused.c - calls that the kernel refuses, a vfork() that closes fds, and fds
 * that stand for something else than before
 *
 * What is printed is the same whoever looks on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

static void write_one(const char *what, int fd)
{
    uint64_t one = 1;

    refused(what, write(fd, &one, sizeof(one)));
}

/* The number of an eventfd stands for @other, or still for the eventfd. */
static void drift(int other)
{
    int event = eventfd(0, 0);

    dup2(other, event);
    write_one("dup2", event);
    close(event);

    event = eventfd(0, 0);
    dup3(other, event, O_CLOEXEC);
    write_one("dup3", event);
    close(event);

    event = eventfd(0, 0);
    closefrom(event);
    refused("closed from there", dup(other) - event);
    write_one("closefrom", event);
    close(event);

    event = eventfd(0, 0);
    close_range((unsigned)event, ~0u, 0);
    refused("closed up to the end", dup(other) - event);
    write_one("close_range", event);
    close(event);

    event = eventfd(0, 0);
    fclose(fdopen(event, "r"));
    refused("closed", dup(other) - event);
    write_one("fclose", event);
    close(event);

    event = eventfd(0, 0);
    dup2(event, event);
    write_one("woken, by itself", event);
    refused("marked", close_range((unsigned)event, ~0u, CLOSE_RANGE_CLOEXEC));
    write_one("woken, marked", event);
    refused("backwards", close_range(~0u, (unsigned)event, 0));
    refused("no such flag", close_range((unsigned)event, ~0u, 1 << 20));
    write_one("woken, refused", event);
    refused("of none", dup2(-1, event));
    write_one("woken, of none", event);
    close(event);
}

static void read_one(const char *what, int fd)
{
    char byte;

    refused(what, pread(fd, &byte, 1, 0));
}

/* A path that is longer than any room for it. */
static int open_deep(void)
{
    enum { LEVELS = 10, NAME_BYTES = 200 };
    char top[] = "/tmp/misused-XXXXXX", name[NAME_BYTES + 1];
    int before = open(".", O_RDONLY);
    int fd;

    memset(name, 'd', NAME_BYTES);
    name[NAME_BYTES] = '\0';
    if (before < 0 || !mkdtemp(top) || chdir(top)) {
        exit(3);
    }
    for (int i = 0; i < LEVELS; i++) {
        if (mkdir(name, 0700) || chdir(name)) {
            exit(3);
        }
    }
    fd = open("f", O_RDWR | O_CREAT, 0600);
    unlink("f");
    for (int i = 0; i < LEVELS; i++) {
        if (chdir("..") || rmdir(name)) {
            exit(3);
        }
    }
    if (fchdir(before)) {
        exit(3);
    }
    close(before);
    rmdir(top);
    return fd;
}

/* Each is asked for its name. */
static void names(int zero)
{
    FILE *stream = fopen("/proc/version", "r");
    int fd = fileno(stream), deep;
    int status;
    pid_t child;

    read_one("a stream's", fd);
    fclose(stream);
    refused("the same", memfd_create("misused-later", 0) - fd);
    read_one("memory", fd);
    close_in_child(fd);
    read_one("memory still", fd);
    deep = open_deep();
    read_one("deep", deep);
    close(deep);
    fflush(stdout);
    child = fork();
    if (!child) {
        read_one("a child", zero);
        fflush(stdout);
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
    close(event);
    drift(fd);
    names(fd);
    return 0;
}
