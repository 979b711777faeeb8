/* SPDX-License-Identifier: MIT */
/*
 * test-rings.c - which rings are remembered, whose they are, and what is told
 *
 * Rings of the test's own memory stand for the kernel's.
 */
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/guard.h"
#include "preload/rings.h"
#include "lib/tap.h"

enum { NR = 8, PAGE = 4096, TOLD_MAX = 64, ROOM = 256 };

/* --- what rings.c asks for ------------------------------------------------ */

__thread struct ct_self ct_self __attribute__((tls_model("initial-exec")));

bool ct_guard_enter(struct ct_guard *guard)
{
    if (!ct_guard_may()) {
        return false;
    }
    ct_self.busy++;
    return true;
}

void ct_guard_leave(struct ct_guard *guard)
{
    ct_self.busy--;
}

static __thread struct {
    uint64_t request;
    int64_t ret;
} told[TOLD_MAX];
static __thread unsigned n_told;
static __thread jmp_buf *leaves; /* a handler jumps out of the next event */

void fake_aio_end(enum ct_io_engine engine, const void *request, int64_t ret)
{
    if (leaves) {
        longjmp(*leaves, 1);
    }
    if (n_told < TOLD_MAX) {
        told[n_told].request = (uintptr_t)request;
        told[n_told].ret = ret;
    }
    n_told++;
}

static unsigned look(void)
{
    n_told = 0;
    ct_rings_look();
    return n_told;
}

static void be_thread(uint64_t id)
{
    ct_self.is_ours = true;
    ct_self.id = id;
}

/* --- rings ---------------------------------------------------------------- */

struct aio {
    unsigned id, nr, head, tail, magic, compat, incompat, header_bytes;
    struct io_event events[NR];
};

static struct aio *new_aio(void)
{
    struct aio *aio = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    aio->nr = NR;
    aio->magic = 0xa10a10a1;
    return aio;
}

static void free_aio(struct aio *aio)
{
    ct_rings_forget(aio);
    munmap(aio, PAGE);
}

/* The kernel's part. */
static void complete(struct aio *aio, uint64_t request)
{
    unsigned tail = aio->tail;

    aio->events[tail] = (struct io_event){.obj = request, .res = 1};
    __atomic_store_n(&aio->tail, (tail + 1) % NR, __ATOMIC_RELEASE);
}

struct uring {
    unsigned head, tail;
    struct io_uring_cqe entries[NR];
    struct ct_completions completions;
};

static void uring_init(struct uring *uring)
{
    memset(uring, 0, sizeof(*uring));
    uring->completions = (struct ct_completions){
        .head = &uring->head,
        .tail = &uring->tail,
        .entries = uring->entries,
        .mask = NR - 1,
    };
}

static void complete_uring(struct uring *uring, uint64_t request,
                           unsigned flags)
{
    struct io_uring_cqe *entry =
        &uring->entries[uring->tail++ & uring->completions.mask];

    entry->user_data = request;
    entry->flags = flags;
}

/* --- linux-aio ------------------------------------------------------------ */

static void test_aio(void)
{
    struct aio *aio = new_aio();
    unsigned wrong = 0;

    complete(aio, 1); /* nobody knows it yet, and it was there before */
    tap_equal(look(), 0);
    aio->head = 1;
    ct_rings_submit(aio);
    tap_equal(look(), 0);
    /* round the ring, told once, taken late */
    for (uint64_t request = 2; request < 40; request++) {
        complete(aio, request);
        wrong += look() != 1 || told[0].request != request;
        wrong += look() != 0;
        aio->head = (aio->head + 1) % NR;
    }
    tap_equal(wrong, 0);
    /* several, of which the program took the first before we came */
    complete(aio, 50);
    complete(aio, 51);
    complete(aio, 52);
    aio->head = (aio->head + 1) % NR;
    tap_equal(look(), 2);
    tap_equal(told[0].request, 51);
    free_aio(aio);
}

/* A call takes what it waited for; some of that is told already. */
static void test_taken(void)
{
    struct aio *aio = new_aio();
    struct io_event events[4];
    int head;

    ct_rings_submit(aio);
    complete(aio, 1);
    complete(aio, 2);
    n_told = 0;
    head = ct_rings_head(aio);
    tap_equal(n_told, 2); /* what is there before */
    complete(aio, 3);
    complete(aio, 4);
    memcpy(events, aio->events, sizeof(events));
    aio->head = 3; /* three were taken */
    n_told = 0;
    ct_rings_taken(aio, head, events, 3);
    tap_equal(n_told, 1);
    tap_equal(told[0].request, 3);
    tap_equal(look(), 1);
    tap_equal(told[0].request, 4);
    tap_equal((unsigned)ct_rings_head(events), (unsigned)-1);
    free_aio(aio);
}

/* Memory that is no ring, or says what no ring says. */
static void test_odd(void)
{
    struct aio *aio = new_aio();

    aio->magic = 7;
    ct_rings_submit(aio);
    complete(aio, 1);
    tap_equal(look(), 0);
    aio->magic = 0xa10a10a1;
    ct_rings_submit(aio);
    aio->nr = 0;
    tap_equal(look(), 0);
    aio->nr = NR;
    aio->tail = NR + 5;
    tap_equal(look(), 0);
    free_aio(aio);
}

/* --- io_uring ------------------------------------------------------------- */

static void test_uring(void)
{
    struct uring uring;

    uring_init(&uring);
    ct_rings_submit_uring(&uring.completions, 1);
    ct_rings_submit_uring(&uring.completions, 2);
    complete_uring(&uring, 99, 0); /* another's */
    complete_uring(&uring, 1, IORING_CQE_F_MORE);
    complete_uring(&uring, 1, 0);
    complete_uring(&uring, 1, 0); /* not given again */
    complete_uring(&uring, 2, 0);
    tap_equal(look(), 3);
    tap_equal(told[0].request, 1);
    tap_equal(told[2].request, 2);
    uring.head = uring.tail;
    tap_equal(look(), 0);
    /* the counters go round */
    uring.head = uring.tail = UINT32_MAX - 1;
    tap_equal(look(), 0);
    for (uint64_t i = 10; i < 14; i++) {
        ct_rings_submit_uring(&uring.completions, i);
        complete_uring(&uring, i, 0);
    }
    tap_equal(look(), 4);
    uring.tail += NR; /* in the middle of a change */
    tap_equal(look(), 0);
    ct_rings_forget(uring.completions.head);
}

/* Another ring where one was, and more operations than are counted. */
static void test_again(void)
{
    struct uring uring;

    uring_init(&uring);
    ct_rings_submit_uring(&uring.completions, 1);
    uring.completions.mask = NR / 2 - 1;
    ct_rings_submit_uring(&uring.completions, 2);
    complete_uring(&uring, 1, 0); /* of the ring that was there before */
    complete_uring(&uring, 2, 0);
    tap_equal(look(), 1);
    tap_equal(told[0].request, 2);
    for (unsigned i = 0; i < 400; i++) {
        ct_rings_submit_uring(&uring.completions, 3);
    }
    for (unsigned i = 0; i < 500; i++) {
        uring.head = uring.tail;
        complete_uring(&uring, 3, 0);
        n_told = 0;
        ct_rings_look();
        if (i < 400 && n_told != 1) {
            tap_check(!"each that was given");
        }
    }
    ct_rings_forget(uring.completions.head);
}

/* --- owners --------------------------------------------------------------- */

static void *submits(void *opaque)
{
    struct aio *aio = opaque;

    be_thread(7);
    tap_equal(look(), 0); /* not yet its own */
    ct_rings_submit(aio);
    complete(aio, 2);
    tap_equal(look(), 1);
    ct_rings_end_thread();
    complete(aio, 3);
    tap_equal(look(), 0);
    return NULL;
}

static void test_owner(void)
{
    struct aio *aio = new_aio();
    pthread_t thread;

    ct_rings_submit(aio);
    complete(aio, 1);
    tap_equal(look(), 1);
    tap_equal(pthread_create(&thread, NULL, submits, aio), 0);
    pthread_join(thread, NULL);
    tap_equal(look(), 0); /* it is the other one's, who is gone */
    ct_rings_submit(aio);
    tap_equal(look(), 1); /* what that one did not tell */
    tap_equal(told[0].request, 3);
    free_aio(aio);
}

/* --- forgotten ------------------------------------------------------------ */

/* The table is full with ROOM of them; one that is gone makes room. */
static void test_room(void)
{
    static struct uring many[ROOM + 1];

    for (unsigned i = 0; i <= ROOM; i++) {
        uring_init(&many[i]);
        ct_rings_submit_uring(&many[i].completions, i);
        complete_uring(&many[i], i, 0);
    }
    tap_equal(look(), ROOM);
    ct_rings_forget(many[5].completions.head);
    ct_rings_forget(many[5].completions.head); /* twice is once */
    many[5].head = many[5].tail;
    ct_rings_submit_uring(&many[ROOM].completions, ROOM);
    complete_uring(&many[ROOM], ROOM, 0);
    tap_equal(look(), 1);
    tap_equal(told[0].request, ROOM);
    for (unsigned i = 0; i <= ROOM; i++) {
        ct_rings_forget(many[i].completions.head);
    }
    tap_equal(look(), 0);
}

static struct aio *given; /* atomic; to the thread that looks */
static bool is_over;      /* atomic */

static void *looks(void *opaque)
{
    be_thread(8);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        struct aio *aio = __atomic_exchange_n(&given, NULL, __ATOMIC_ACQ_REL);

        if (aio) {
            ct_rings_submit(aio);
            complete(aio, 1);
            __atomic_store_n((bool *)opaque, true, __ATOMIC_RELEASE);
        }
        ct_rings_look();
    }
    ct_rings_end_thread();
    return NULL;
}

/* Memory that is gone is not read, though its owner looks all the time. */
static void test_destroy(void)
{
    unsigned rounds = getenv("COTRACE_SOAK") ? 20000 : 200;
    bool has_it = false;
    pthread_t thread;

    tap_equal(pthread_create(&thread, NULL, looks, &has_it), 0);
    for (unsigned i = 0; i < rounds; i++) {
        struct aio *aio = new_aio();

        __atomic_store_n(&has_it, false, __ATOMIC_RELAXED);
        __atomic_store_n(&given, aio, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&has_it, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
        free_aio(aio);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    printf("# %u rings\n", rounds);
}

/* A handler leaves the look for good; it must not wait for it either. */
static void test_left(void)
{
    struct aio *aio = new_aio();
    jmp_buf back;

    ct_rings_submit(aio);
    complete(aio, 1);
    if (setjmp(back) == 0) {
        leaves = &back;
        ct_rings_look();
        tap_check(!"it was left");
    }
    leaves = NULL;
    ct_rings_forget(aio); /* in the handler: it goes on */
    ct_rings_leave();
    ct_self.busy = 0;
    tap_equal(look(), 1);
    free_aio(aio);
    tap_equal(look(), 0);
}

static void test_fork(void)
{
    struct aio *aio = new_aio(), *other = new_aio();
    pid_t child;
    int status;

    ct_rings_submit(aio);
    complete(aio, 1);
    child = fork();
    if (child == 0) {
        ct_rings_submit(other);
        complete(other, 2);
        _exit(look() != 1 || told[0].request != 2);
    }
    tap_equal(waitpid(child, &status, 0), child);
    tap_equal(status, 0);
    tap_equal(look(), 1);
    free_aio(aio);
    free_aio(other);
}

int main(void)
{
    be_thread(0);
    tap_run("linux-aio: each completion once", test_aio);
    tap_run("linux-aio: what a call takes", test_taken);
    tap_run("linux-aio: what is no ring", test_odd);
    tap_run("io_uring: completions of what was given", test_uring);
    tap_run("io_uring: another one in the same place", test_again);
    tap_run("whose ring it is", test_owner);
    tap_run("room", test_room);
    tap_run("one that is destroyed while its owner looks", test_destroy);
    tap_run("a look that is left", test_left);
    tap_run("a child has none", test_fork);
    return tap_end();
}
