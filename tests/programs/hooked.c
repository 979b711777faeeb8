/* SPDX-License-Identifier: MIT */
/*
 * hooked.c - what a preloaded library must not break, in a program without
 * tracepoints
 *
 *   hooked signals    handlers interrupt everything, and call hooked functions
 *   hooked fork       forks from threads; children switch, create threads, exec
 *   hooked threads    threads that return, exit, are cancelled, and come and go
 *   hooked early      a constructor has made a coroutine and a thread already
 *   hooked arguments  makecontext() with 0 to 12 arguments
 *   hooked errors     errno and results of calls that fail
 *   hooked jumps      a handler leaves everything by siglongjmp(), as programs
 *                     limit the time of a call
 *   hooked later F... modules, opened for us alone, call what they brought
 * Prints what was counted: the same with and without the library.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, TIMES = 20000, FORKS = 8, THREADS = 200 };

static void fail(const char *what)
{
    fprintf(stderr, "hooked: %s: %s\n", what, strerror(errno));
    exit(3);
}

/* --- a coroutine ---------------------------------------------------------- */

struct coroutine {
    ucontext_t self, caller;
    void *stack;
    long count;
    bool stop;
};

static void count_up(unsigned low, unsigned high)
{
    struct coroutine *co =
        (struct coroutine *)((uintptr_t)low | (uintptr_t)high << 32);

    while (!co->stop) {
        co->count++;
        swapcontext(&co->self, &co->caller);
    }
}

static struct coroutine *co_new(void)
{
    struct coroutine *co = calloc(1, sizeof(*co));

    if (!co || getcontext(&co->self)) {
        fail("coroutine");
    }
    co->stack = malloc(STACK_BYTES);
    co->self.uc_stack.ss_sp = co->stack;
    co->self.uc_stack.ss_size = STACK_BYTES;
    co->self.uc_link = &co->caller;
    makecontext(&co->self, (void (*)(void))count_up, 2, (unsigned)(uintptr_t)co,
                (unsigned)((uintptr_t)co >> 32));
    return co;
}

static long co_run(struct coroutine *co, long times)
{
    long count;

    for (long i = 0; i < times; i++) {
        swapcontext(&co->caller, &co->self);
    }
    co->stop = true;
    swapcontext(&co->caller, &co->self);
    count = co->count;
    free(co->stack);
    free(co);
    return count;
}

/* --- signals -------------------------------------------------------------- */

static int file;
static volatile sig_atomic_t handled, wrong;
static sigjmp_buf inside;

/* Reads, and jumps, but only within itself. */
static void on_signal(int number)
{
    int before = errno;
    char byte = 0;

    if (sigsetjmp(inside, 0) == 0) {
        wrong |= pread(file, &byte, 1, 3) != 1 || byte != 'd';
        siglongjmp(inside, 1);
    }
    handled = 1;
    errno = before;
}

static void signals(void)
{
    struct itimerval often = {{0, 200}, {0, 200}};
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_ONSTACK | SA_RESTART};
    stack_t alternate = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    char name[] = "/tmp/hooked-XXXXXX";
    long count = 0;

    file = mkstemp(name);
    if (file < 0 || write(file, "abcdef", 6) != 6) {
        fail(name);
    }
    unlink(name);
    sigaltstack(&alternate, NULL);
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    for (int i = 0; i < 40 || !handled; i++) {
        char data[4];

        count += co_run(co_new(), TIMES / 40);
        for (int k = 0; k < 100; k++) {
            void *memory = malloc(100 + k);
            wrong |= !memory || pread(file, data, 4, 1) != 4 ||
                     memcmp(data, "bcde", 4) != 0;
            free(memory);
        }
    }
    setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
    printf("%s %s\n", count >= TIMES ? "counted" : "lost",
           wrong ? "wrong" : "right");
}

/* --- forks ---------------------------------------------------------------- */

static void *in_child_thread(void *opaque)
{
    return (void *)co_run(co_new(), 10);
}

static void *forks(void *opaque)
{
    long sum = 0;

    for (int i = 0; i < FORKS; i++) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
            pthread_t thread;
            void *count = NULL;

            if (i % 2) {
                execl("/bin/sh", "sh", "-c", "exit 11", (char *)NULL);
            }
            pthread_create(&thread, NULL, in_child_thread, NULL);
            pthread_join(thread, &count);
            _exit((int)(long)count);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
            fail("child");
        }
        sum += WEXITSTATUS(status);
    }
    return (void *)sum;
}

static void fork_all(void)
{
    pthread_t threads[2];
    long sum = (long)forks(NULL);

    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, forks, NULL);
    }
    for (int i = 0; i < 2; i++) {
        void *result;

        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    sum += WEXITSTATUS(system("exit 5"));
    printf("%ld\n", sum);
}

/* --- threads -------------------------------------------------------------- */

static sem_t never;
static int destroyed; /* atomic */

static void on_destroy(void *opaque)
{
    char byte;

    (void)!pread(-1, &byte, 1, 0);
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
}

static pthread_key_t key;

static void *thread_main(void *opaque)
{
    long number = (long)opaque;

    pthread_setspecific(key, opaque);
    pthread_setname_np(pthread_self(), "hooked-thread");
    if (number % 3 == 1) {
        pthread_exit((void *)(number + co_run(co_new(), 3)));
    }
    if (number % 3 == 2) {
        while (true) {
            sem_wait(&never);
        }
    }
    return (void *)(number + co_run(co_new(), 5));
}

static void threads(void)
{
    long sum = 0, cancelled = 0;

    sem_init(&never, 0, 0);
    pthread_key_create(&key, on_destroy);
    for (long i = 1; i <= THREADS; i++) {
        pthread_t thread;
        void *result;

        if (pthread_create(&thread, NULL, thread_main, (void *)i)) {
            fail("thread");
        }
        if (i % 3 == 2) {
            pthread_cancel(thread);
        }
        pthread_join(thread, &result);
        if (result == PTHREAD_CANCELED) {
            cancelled++;
        } else {
            sum += (long)result;
        }
    }
    printf("%ld %ld %d\n", sum, cancelled,
           __atomic_load_n(&destroyed, __ATOMIC_RELAXED) >=
               THREADS - (int)cancelled);
}

/* --- early ---------------------------------------------------------------- */

static long early_count, early_thread;
static struct coroutine *early_coroutine;

static void *early_main(void *opaque)
{
    return (void *)co_run(co_new(), 4);
}

__attribute__((constructor(150))) static void early(void)
{
    pthread_t thread;
    void *result = NULL;

    early_count = co_run(co_new(), 7);
    early_coroutine = co_new();
    if (pthread_create(&thread, NULL, early_main, NULL) == 0) {
        pthread_join(thread, &result);
    }
    early_thread = (long)result;
}

/* --- arguments ------------------------------------------------------------ */

static ucontext_t arguments_caller;
static long arguments_sum;

static void take_0(void)
{
    arguments_sum += 1000;
}

static void take_6(long a, long b, long c, long d, long e, long f)
{
    arguments_sum += a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

static void take_12(long a, long b, long c, long d, long e, long f, long g,
                    long h, long i, long j, long k, long l)
{
    take_6(a, b, c, d, e, f);
    take_6(g, h, i, j, k, l);
}

static void take_double(int a)
{
    volatile double third = a / 3.0; /* movaps, if the stack is not aligned */
    char text[64];

    snprintf(text, sizeof(text), "%.3f", third);
    arguments_sum += strlen(text);
}

static void arguments(void)
{
    ucontext_t context;
    void *stack = malloc(STACK_BYTES);

    for (volatile int i = 0; i < 4; i++) {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = &arguments_caller;
        if (i == 0) {
            makecontext(&context, take_0, 0);
        } else if (i == 1) {
            makecontext(&context, (void (*)(void))take_6, 6, 1L, 2L, 3L, 4L, 5L,
                        6L);
        } else if (i == 2) {
            makecontext(&context, (void (*)(void))take_12, 12, 1L, 2L, 3L, 4L,
                        5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L);
        } else {
            makecontext(&context, (void (*)(void))take_double, 1, 7);
        }
        swapcontext(&arguments_caller, &context);
    }
    free(stack);
    printf("%ld\n", arguments_sum);
}

/* --- errors --------------------------------------------------------------- */

/* A result and what errno is after it. */
#define PRINT(before, call)                 \
    do {                                    \
        errno = before;                     \
        long result_ = (long)(call);        \
        printf("%ld %d; ", result_, errno); \
    } while (0)

static void errors(void)
{
    struct timespec past = {0, 1};
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct pollfd none = {.fd = -1};
    sem_t semaphore;
    uint64_t one = 1;
    char byte;
    int fd = eventfd(0, EFD_NONBLOCK);

    sem_init(&semaphore, 0, 0);
    pthread_mutex_lock(&mutex);
    PRINT(0, pread(-1, &byte, 1, 0));
    PRINT(0, fdatasync(-1));
    PRINT(77, write(fd, &one, 8));
    PRINT(77, posix_fallocate(-1, 0, 1));
    PRINT(77, poll(&none, 1, 1));
    PRINT(77, pthread_cond_timedwait(&condition, &mutex, &past));
    PRINT(0, sem_timedwait(&semaphore, &past));
    close(fd);
    PRINT(0, write(fd, &one, 8));
    printf("\n");
}

/* --- jumps ---------------------------------------------------------------- */

enum { JUMPS = 200 };

static sigjmp_buf out;
static volatile sig_atomic_t armed;
static int cancel_state;

static void on_jump(int number)
{
    if (armed) {
        armed = 0;
        siglongjmp(out, 1);
    }
}

static void *sleeps(void *opaque)
{
    (void)poll(NULL, 0, 1);
    return opaque;
}

static void jumps(void)
{
    struct itimerval often = {{0, 150}, {0, 150}};
    stack_t alternate = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    int fd = eventfd(0, EFD_NONBLOCK);
    volatile int jumped = 0;
    char name[] = "/tmp/hooked-XXXXXX";
    uint64_t one = 1;
    pthread_t thread;
    sigset_t blocked;
    int status = 0;
    char data[4];

    file = mkstemp(name);
    if (file < 0 || write(file, "abcdef", 6) != 6 || write(fd, &one, 8) != 8 ||
        pread(file, data, 4, 1) != 4) {
        fail(name);
    }
    unlink(name);
    sigaltstack(&alternate, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (jumped < JUMPS) {
        struct sigaction action = {.sa_handler = on_jump,
                                   .sa_flags = jumped % 2 ? SA_ONSTACK : 0};

        sigaction(SIGALRM, &action, NULL);
        if (sigsetjmp(out, 1) == 0) {
            armed = 1;
            while (true) {
                wrong |= pread(file, data, 4, 1) != 4 ||
                         memcmp(data, "bcde", 4) != 0 ||
                         write(fd, &one, 8) != 8;
            }
        }
        jumped++;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    /* No lock is held, nothing is blocked, and recording goes on. */
    pthread_create(&thread, NULL, sleeps, NULL);
    pthread_join(thread, NULL);
    if (fork() == 0) {
        _exit((int)co_run(co_new(), 3));
    }
    wait(&status);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel_state);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    printf("%d %d %d %d %d\n", jumped, (int)wrong, WEXITSTATUS(status),
           cancel_state == PTHREAD_CANCEL_ENABLE,
           sigismember(&blocked, SIGALRM));
    (void)fdatasync(-1);
}

/* --- later ---------------------------------------------------------------- */

static void *opened(const char *path)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!module) {
        fprintf(stderr, "hooked: %s\n", dlerror());
        exit(3);
    }
    return module;
}

static void call_of(void *module)
{
    int (*call)(void) = (int (*)(void))dlsym(module, "call_it");

    printf("%d %s\n", call ? call() : -1, dlerror() ? "an error" : "no error");
}

/* All at once, then each alone, where others were before. */
static void later(char **paths, int n)
{
    void *modules[8];

    for (int i = 0; i < n; i++) {
        modules[i] = opened(paths[i]);
    }
    for (int i = 0; i < n; i++) {
        call_of(modules[i]);
    }
    for (int i = 0; i < n; i++) {
        dlclose(modules[i]);
    }
    for (int i = n - 1; i >= 0; i--) {
        modules[i] = opened(paths[i]);
        call_of(modules[i]);
        dlclose(modules[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"signals", signals},     {"fork", fork_all}, {"threads", threads},
        {"arguments", arguments}, {"errors", errors}, {"jumps", jumps},
    };

    if (argc > 2 && strcmp(argv[1], "later") == 0) {
        later(argv + 2, argc > 10 ? 8 : argc - 2);
        return 0;
    }

    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            return 0;
        }
    }
    printf("%ld %ld %ld\n", early_count, early_thread,
           co_run(early_coroutine, 9));
    return argc > 1 ? 7 : 0;
}
