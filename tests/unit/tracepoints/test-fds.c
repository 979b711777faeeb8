/* SPDX-License-Identifier: MIT */
/*
 * test-fds.c - what is known of fds, by the calls that make and end them
 *
 * The calls of this program go through the hooks, which are linked to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/fds.h"
#include "preload/guard.h"
#include "preload/sandbox.h"
#include "lib/tap.h"

/* --- what fds.c asks for -------------------------------------------------- */

__thread struct ct_self ct_self __attribute__((tls_model("initial-exec")));

unsigned ct_sandbox_refused;

bool ct_guard_enter(struct ct_guard *guard)
{
    guard->error = errno;
    ct_self.busy++;
    return true;
}

void ct_guard_leave(struct ct_guard *guard)
{
    ct_self.busy--;
    errno = guard->error;
}

static int told_fd;
static char told_path[PATH_MAX];
static unsigned n_told;

void fake_file(int fd, const char *path)
{
    told_fd = fd;
    (void)snprintf(told_path, sizeof(told_path), "%s", path);
    n_told++;
}

/* How often something is told when it is used next. */
static unsigned see(int fd)
{
    n_told = 0;
    ct_fds_see(fd);
    return n_told;
}

static bool is_told(int fd, const char *path)
{
    return n_told == 1 && told_fd == fd && strcmp(told_path, path) == 0;
}

/* --- names ---------------------------------------------------------------- */

static void test_names(void)
{
    int fd = open("/dev/zero", O_RDWR), other = open("/dev/null", O_RDWR);

    tap_equal(see(fd), 1);
    tap_check(is_told(fd, "/dev/zero"));
    tap_equal(see(fd), 0);
    tap_equal((unsigned)dup2(other, fd), (unsigned)fd);
    tap_equal(see(fd), 1);
    tap_check(is_told(fd, "/dev/null"));
    tap_equal((unsigned)dup2(fd, fd), (unsigned)fd); /* nothing happens */
    tap_equal(see(fd), 0);
    tap_equal((unsigned)dup3(other, fd, O_CLOEXEC), (unsigned)fd);
    tap_equal(see(fd), 1);
    tap_equal((unsigned)dup2(-1, fd), (unsigned)-1);
    tap_equal(see(fd), 0);
    close(fd);
    tap_equal((unsigned)openat(AT_FDCWD, "/dev/full", O_RDWR), (unsigned)fd);
    tap_equal(see(fd), 1);
    tap_check(is_told(fd, "/dev/full"));
    fclose(fdopen(fd, "r"));
    tap_equal((unsigned)memfd_create("test-fds", 0), (unsigned)fd);
    tap_equal(see(fd), 1);
    tap_check(is_told(fd, "/memfd:test-fds (deleted)"));
    close(fd);
    tap_equal(see(fd), 0); /* nothing is there */
    close(other);
}

/* Numbers that no table has room for. */
static void test_far(void)
{
    tap_equal(see(-1), 0);
    tap_equal(see(INT_MIN), 0);
    tap_equal(see(65536), 0);
    tap_equal(see(INT_MAX), 0);
    tap_check(!ct_fds_is_eventfd(-1));
    tap_check(!ct_fds_is_eventfd(INT_MAX));
    tap_check(close(-1) != 0 && close(INT_MAX) != 0);
    tap_check(close_range(INT_MAX, UINT_MAX, 0) == 0);
}

/* --- eventfds ------------------------------------------------------------- */

static void test_eventfds(void)
{
    int first = eventfd(0, 0), second = eventfd(0, 0), third = eventfd(0, 0);
    int zero = open("/dev/zero", O_RDWR);
    int copy = dup(first);

    tap_check(ct_fds_is_eventfd(first) && ct_fds_is_eventfd(third));
    tap_check(!ct_fds_is_eventfd(copy) && !ct_fds_is_eventfd(zero));
    tap_equal((unsigned)dup2(zero, first), (unsigned)first);
    tap_check(!ct_fds_is_eventfd(first));
    tap_check(close_range((unsigned)second, (unsigned)third,
                          CLOSE_RANGE_CLOEXEC) == 0);
    tap_check(close_range((unsigned)second, (unsigned)third, 1 << 20) != 0);
    tap_check(ct_fds_is_eventfd(second) && ct_fds_is_eventfd(third));
    tap_check(close_range((unsigned)second, (unsigned)third, 0) == 0);
    tap_check(!ct_fds_is_eventfd(second) && !ct_fds_is_eventfd(third));
    close(first);
    close(copy);
    close(zero);
}

/* --- processes ------------------------------------------------------------ */

static void test_children(void)
{
    int zero = open("/dev/zero", O_RDWR), event = eventfd(0, 0);
    pid_t child;
    int status;

    tap_equal(see(zero), 1);
    child = fork();
    if (child == 0) { /* tells its own names */
        bool is_right = see(zero) == 1 && ct_fds_is_eventfd(event);

        close(event);
        _exit(!is_right || ct_fds_is_eventfd(event));
    }
    tap_equal(waitpid(child, &status, 0), child);
    tap_equal(status, 0);
    tap_equal(see(zero), 0);
    tap_check(ct_fds_is_eventfd(event));
    close(event);
    close(zero);
}

/* --- where names can't be asked for --------------------------------------- */

static void test_sandbox(void)
{
    int before = open("/dev/zero", O_RDWR), other = open("/dev", O_RDONLY);
    int fd;

    tap_equal(see(before), 1);
    n_told = 0;
    ct_fds_see_all();
    tap_check(n_told >= 1); /* what is open, but for what was told */
    tap_equal(see(other), 0);
    tap_equal(see(before), 0);
    ct_sandbox_refused = CT_SANDBOX_NAMES | CT_SANDBOX_PROCESS;
    close(before);
    n_told = 0;
    fd = open("/dev/../dev/full", O_RDWR);
    tap_check(is_told(fd, "/dev/../dev/full")); /* as it was opened */
    tap_equal(see(fd), 0);
    close(fd);
    n_told = 0;
    fd = openat(other, "full", O_RDWR);
    tap_equal(n_told, 0);
    tap_equal(see(fd), 1);
    tap_check(is_told(fd, "")); /* and none of before */
    close(fd);
    fd = eventfd(0, 0);
    tap_check(ct_fds_is_eventfd(fd));
    close(fd);
    tap_check(!ct_fds_is_eventfd(fd));
    errno = 0;
    n_told = 0;
    tap_check(open("/none/of/these", O_RDONLY) < 0 && errno == ENOENT);
    tap_equal(n_told, 0);
    ct_sandbox_refused = 0;
    close(other);
}

int main(void)
{
    ct_self.is_ours = true;
    tap_run("names, told once", test_names);
    tap_run("numbers beyond the table", test_far);
    tap_run("which are eventfds", test_eventfds);
    tap_run("children", test_children);
    tap_run("names that can't be asked for", test_sandbox);
    return tap_end();
}
