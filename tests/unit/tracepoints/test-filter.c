/* SPDX-License-Identifier: MIT */
/*
 * test-filter.c - what a filter of system calls will say
 *
 * The kernel is asked the same: a child installs the filter and makes the call.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "preload/filter.h"
#include "lib/killed.h"
#include "lib/tap.h"

#define STEPS(...)         \
    (struct sock_filter[]) \
    {                      \
        __VA_ARGS__        \
    }
#define FILTER(...)                                                     \
    &(const struct sock_fprog)                                          \
    {                                                                   \
        .len = sizeof(STEPS(__VA_ARGS__)) / sizeof(struct sock_filter), \
        .filter = STEPS(__VA_ARGS__)                                    \
    }
#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define IF(op, value, yes, no) \
    BPF_JUMP(BPF_JMP | (op) | BPF_K, (unsigned)(value), yes, no)

static bool allows(const struct sock_fprog *filter, int number)
{
    return ct_filter_allows(filter, KILLED_ARCH, number);
}

static void test_list(void)
{
    const int listed[] = {SYS_write, SYS_close, SYS_exit_group};
    struct killed killed = {0};
    struct sock_fprog filter;

    killed_allow(&killed, listed, 3);
    filter = killed_filter(&killed);
    tap_check(allows(&filter, SYS_write));
    tap_check(allows(&filter, SYS_exit_group));
    tap_check(!allows(&filter, SYS_getpid));
    tap_check(!ct_filter_allows(&filter, KILLED_ARCH + 1, SYS_write));
}

static void test_actions(void)
{
    const struct {
        unsigned action;
        bool allows;
    } cases[] = {
        {SECCOMP_RET_ALLOW, true},          {SECCOMP_RET_LOG, true},
        {SECCOMP_RET_ERRNO | EPERM, false}, {SECCOMP_RET_TRAP, false},
        {SECCOMP_RET_TRACE, false},         {SECCOMP_RET_KILL_THREAD, false},
        {SECCOMP_RET_KILL_PROCESS, false},  {SECCOMP_RET_USER_NOTIF, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_equal(allows(FILTER(RETURN(cases[i].action)), SYS_getpid),
                  cases[i].allows);
    }
}

/* By an argument that nobody knows yet: both ways count. */
static void test_arguments(void)
{
    tap_check(!allows(FILTER(LOAD(args[0]), IF(BPF_JEQ, 7, 0, 1),
                             RETURN(SECCOMP_RET_ALLOW),
                             RETURN(SECCOMP_RET_KILL_PROCESS)),
                      SYS_getpid));
    tap_check(!allows(FILTER(LOAD(args[0]), IF(BPF_JEQ, 7, 1, 0),
                             RETURN(SECCOMP_RET_ALLOW),
                             RETURN(SECCOMP_RET_KILL_PROCESS)),
                      SYS_getpid));
    tap_check(allows(FILTER(LOAD(args[0]), IF(BPF_JSET, 7, 0, 1),
                            RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_LOG)),
                     SYS_getpid));
    /* ... of another call only */
    tap_check(
        allows(FILTER(LOAD(nr), IF(BPF_JEQ, SYS_getpid, 2, 0), LOAD(args[0]),
                      IF(BPF_JEQ, 7, 0, 1), RETURN(SECCOMP_RET_ALLOW),
                      RETURN(SECCOMP_RET_KILL_PROCESS)),
               SYS_getpid));
    /* the action itself */
    tap_check(!allows(FILTER(LOAD(args[0]), BPF_STMT(BPF_RET | BPF_A, 0)),
                      SYS_getpid));
}

/* More ways than anybody goes, and filters that the kernel would not take. */
static void test_bounds(void)
{
    struct sock_filter many[2 * 4000 + 1];
    struct sock_fprog filter = {.filter = many};

    for (unsigned i = 0; i < 4000; i++) {
        many[2 * i] = (struct sock_filter)LOAD(args[1]);
        many[2 * i + 1] = (struct sock_filter)IF(BPF_JEQ, i, 0, 0);
    }
    many[8000] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    filter.len = 8001;
    tap_check(!allows(&filter, SYS_getpid));
    filter.filter += 8001 - 9;
    filter.len = 9; /* sixteen ways */
    tap_check(allows(&filter, SYS_getpid));
    filter.len = 8; /* no end */
    tap_check(!allows(&filter, SYS_getpid));
    tap_check(!allows(
        FILTER(BPF_STMT(BPF_JMP | BPF_JA, 77), RETURN(SECCOMP_RET_ALLOW)),
        SYS_getpid));
    tap_check(
        !allows(FILTER(BPF_STMT(BPF_LD | BPF_MEM, 99), BPF_STMT(BPF_ST, 99),
                       BPF_STMT(BPF_RET | BPF_A, 0)),
                SYS_getpid));
    filter.len = 0;
    tap_check(!allows(&filter, SYS_getpid));
}

/* --- as the kernel does it ------------------------------------------------ */

/*
 * Whether the call comes through, or an error, or the end.
 *
 * The child has one thread, which a filter may end alone: fork() would make
 * another one if ThreadSanitizer has it.
 */
__attribute__((no_sanitize("thread"))) static bool kernel_allows(
    const struct sock_fprog *filter, int number)
{
    int status;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
            syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter)) {
            (void)syscall(SYS_kill, syscall(SYS_getpid), SIGTERM);
        }
        errno = 0;
        (void)syscall(number, 0, 0, 0, 0, 0, 0);
        (void)syscall(SYS_exit, errno == EXDEV);
    }
    tap_equal(waitpid(child, &status, 0), child);
    tap_check(!(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static unsigned seed = 1;

static unsigned any(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* Arithmetic on the number, memory and the index; what must pass passes, and
 * what is asked about ends in one of two ways. */
static unsigned make(struct sock_filter *steps)
{
    static const unsigned short ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND,
                                         BPF_OR,  BPF_XOR, BPF_LSH, BPF_RSH};
    unsigned n = 0, body = 1 + any(12);

    steps[n++] = (struct sock_filter)LOAD(nr);
    steps[n++] = (struct sock_filter)IF(BPF_JEQ, SYS_exit, 0, 1);
    steps[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    steps[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 3);
    steps[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
    for (unsigned i = 0; i < body; i++) {
        unsigned short op = ops[any(8)];
        bool shifts = op == BPF_LSH || op == BPF_RSH;

        switch (any(7)) {
        case 0:
            steps[n++] =
                (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, any(99));
            break;
        case 1:
            steps[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_MEM, 3);
            break;
        case 2:
            steps[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TXA, 0);
            break;
        case 3:
            steps[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_MEM, 3);
            break;
        case 4:
            steps[n++] = (struct sock_filter)BPF_STMT(
                BPF_ALU | (shifts ? BPF_ADD : op) | BPF_X, 0);
            break;
        default:
            steps[n++] = (struct sock_filter)BPF_STMT(
                BPF_ALU | op | BPF_K, shifts ? any(32) : any(300));
            break;
        }
    }
    steps[n++] = (struct sock_filter)BPF_JUMP(
        BPF_JMP | (any(2) ? BPF_JGT : BPF_JSET) | BPF_K, any(200), 0, 1);
    steps[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    steps[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EXDEV);
    return n;
}

static void test_kernel(void)
{
    unsigned n = getenv("COTRACE_SOAK") ? 5000 : 200, allowed = 0;

    for (unsigned i = 0; i < n; i++) {
        struct sock_filter steps[64];
        struct sock_fprog filter = {.filter = steps};
        bool ours;

        filter.len = (unsigned short)make(steps);
        ours = allows(&filter, SYS_getppid);
        tap_equal(ours, kernel_allows(&filter, SYS_getppid));
        allowed += ours;
    }
    tap_check(allowed > n / 10 && allowed < n - n / 10);
    printf("# %u filters, %u allow\n", n, allowed);
}

int main(void)
{
    tap_run("a list of calls", test_list);
    tap_run("what lets a call through", test_actions);
    tap_run("what depends on arguments", test_arguments);
    tap_run("many ways, and none", test_bounds);
    tap_run("filters of any kind: as the kernel", test_kernel);
    return tap_end();
}
