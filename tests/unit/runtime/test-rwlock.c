/* SPDX-License-Identifier: MIT */
/*
 * test-rwlock.c - CoRwlock: who is in together, in which order, and by threads
 */
#include "base/atomics.h"
#include "ct/sync.h"
#include "loops.h"

static CoRwlock lock;

struct user {
    char name;
    const char *acts; /* r, w: lock; -: yield; u: unlock; U, D: up, down */
    Coroutine *co;
    bool has_ended;
};

static void coroutine_fn act(struct user *user, char what)
{
    switch (what) {
    case 'r':
        co_rwlock_rdlock(&lock);
        break;
    case 'w':
        co_rwlock_wrlock(&lock);
        break;
    case 'U':
        co_rwlock_upgrade(&lock);
        break;
    case 'D':
        co_rwlock_downgrade(&lock);
        break;
    case 'u':
        co_rwlock_unlock(&lock);
        break;
    default:
        g_assert_cmpint(what, ==, '-');
        coroutine_yield();
        return;
    }
    log_add("%c%c", user->name, what);
}

static void coroutine_fn run_user(void *opaque)
{
    struct user *user = opaque;

    for (const char *what = user->acts; *what != '\0'; what++) {
        act(user, *what);
    }
    user->has_ended = true;
}

static void start(struct user *user)
{
    user->co = coroutine_create(run_user, user);
    coroutine_enter(user->co);
}

/* Lets one that yielded by itself go on, and all that this wakes. */
static void go_on(struct loop *loop, struct user *user)
{
    coroutine_enter(user->co);
    loop_drain(loop);
}

static void begin(void)
{
    co_rwlock_init(&lock);
}

static void end(struct user *users, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        g_assert_true(users[i].has_ended);
    }
    co_rwlock_fini(&lock);
}

static void test_readers(struct loop *loop)
{
    struct user users[] = {{.name = 'a', .acts = "r-u"},
                           {.name = 'b', .acts = "r-u"},
                           {.name = 'c', .acts = "w-u"}};

    begin();
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
        start(&users[i]);
    }
    log_expect("ar br");
    go_on(loop, &users[0]);
    log_expect("ar br au");
    go_on(loop, &users[1]);
    log_expect("ar br au bu cw");
    go_on(loop, &users[2]);
    log_expect("ar br au bu cw cu");
    end(users, G_N_ELEMENTS(users));
}

/* Nobody overtakes: a reader behind a writer waits, though others read. */
static void test_fair(struct loop *loop)
{
    struct user users[] = {
        {.name = 'a', .acts = "r-u"}, {.name = 'b', .acts = "w-u"},
        {.name = 'c', .acts = "r-u"}, {.name = 'd', .acts = "r-u"},
        {.name = 'e', .acts = "w-u"}, {.name = 'f', .acts = "r-u"}};

    begin();
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
        start(&users[i]);
    }
    log_expect("ar");
    go_on(loop, &users[0]);
    log_expect("ar au bw");
    go_on(loop, &users[1]); /* both readers that stand together */
    log_expect("ar au bw bu cr dr");
    go_on(loop, &users[3]);
    go_on(loop, &users[2]);
    log_expect("ar au bw bu cr dr du cu ew");
    go_on(loop, &users[4]);
    go_on(loop, &users[5]);
    log_expect("ar au bw bu cr dr du cu ew eu fr fu");
    end(users, G_N_ELEMENTS(users));
}

static void test_downgrade(struct loop *loop)
{
    struct user users[] = {{.name = 'a', .acts = "w-D-u"},
                           {.name = 'b', .acts = "r-u"},
                           {.name = 'c', .acts = "w-u"},
                           {.name = 'd', .acts = "r-u"}};

    begin();
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
        start(&users[i]);
    }
    log_expect("aw");
    go_on(loop, &users[0]); /* the reader behind comes in, the writer not */
    log_expect("aw aD br");
    go_on(loop, &users[0]);
    go_on(loop, &users[1]);
    log_expect("aw aD br au bu cw");
    go_on(loop, &users[2]);
    go_on(loop, &users[3]);
    log_expect("aw aD br au bu cw cu dr du");
    end(users, G_N_ELEMENTS(users));
}

static void test_upgrade(struct loop *loop)
{
    struct user users[] = {{.name = 'a', .acts = "r-U-u"},
                           {.name = 'b', .acts = "r-u"},
                           {.name = 'c', .acts = "w-u"}};

    begin();
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
        start(&users[i]);
    }
    go_on(loop, &users[0]); /* stands behind the writer now */
    log_expect("ar br");
    go_on(loop, &users[1]);
    log_expect("ar br bu cw");
    go_on(loop, &users[2]);
    log_expect("ar br bu cw cu aU");
    go_on(loop, &users[0]);
    log_expect("ar br bu cw cu aU au");
    end(users, G_N_ELEMENTS(users));
}

static void test_upgrade_alone(struct loop *loop)
{
    struct user users[] = {{.name = 'a', .acts = "r-U-u"},
                           {.name = 'b', .acts = "r-u"}};

    begin();
    start(&users[0]);
    go_on(loop, &users[0]);
    log_expect("ar aU");
    start(&users[1]);
    log_expect("ar aU");
    go_on(loop, &users[0]);
    go_on(loop, &users[1]);
    log_expect("ar aU au br bu");
    end(users, G_N_ELEMENTS(users));
}

/* --- many threads -------------------------------------------------------- */

#define LOOPS  3
#define USERS  4 /* in each */
#define ROUNDS 400

static struct {
    CoRwlock lock;
    int readers; /* atomic: inside now */
    int writers; /* atomic */
    int left;    /* atomic: coroutines that run */
    int data[2]; /* protected by the lock: always equal */
    AioContext *home;
} shared;

static void check_read(void)
{
    (void)ct_fetch_add(&shared.readers, 1);
    g_assert_cmpint(ct_load_seq(&shared.writers), ==, 0);
    g_assert_cmpint(shared.data[0], ==, shared.data[1]);
    (void)ct_fetch_sub(&shared.readers, 1);
}

static void check_write(void)
{
    g_assert_cmpint(ct_fetch_add(&shared.writers, 1), ==, 0);
    g_assert_cmpint(ct_load_seq(&shared.readers), ==, 0);
    shared.data[0]++;
    shared.data[1]++;
    (void)ct_fetch_sub(&shared.writers, 1);
}

static void coroutine_fn run_many(void *opaque)
{
    unsigned random = GPOINTER_TO_UINT(opaque) * 2654435761u + 1;

    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345u;
        switch (random >> 16 & 7) {
        case 0:
            co_rwlock_wrlock(&shared.lock);
            check_write();
            co_rwlock_downgrade(&shared.lock);
            check_read();
            break;
        case 1:
            co_rwlock_rdlock(&shared.lock);
            check_read();
            co_rwlock_upgrade(&shared.lock);
            check_write();
            break;
        case 2:
            co_rwlock_wrlock(&shared.lock);
            check_write();
            break;
        default:
            co_rwlock_rdlock(&shared.lock);
            check_read();
        }
        co_rwlock_unlock(&shared.lock);
    }
    (void)ct_fetch_sub(&shared.left, 1);
    aio_notify(shared.home);
}

static void test_threads(struct loop *loop)
{
    IOThread *iothreads[LOOPS];

    co_rwlock_init(&shared.lock);
    shared.home = loop->ctx;
    shared.left = LOOPS * USERS;
    for (int i = 0; i < LOOPS; i++) {
        iothreads[i] = iothread_new("rwlock", NULL);
        for (int j = 0; j < USERS; j++) {
            aio_co_schedule(
                iothread_get_aio_context(iothreads[i]),
                coroutine_create(run_many, GUINT_TO_POINTER(i * USERS + j)));
        }
    }
    loop_until(loop, ct_load_seq(&shared.left) == 0);
    for (int i = 0; i < LOOPS; i++) {
        iothread_free(iothreads[i]);
    }
    co_rwlock_fini(&shared.lock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/rwlock/readers", test_readers);
    loops_add("/rwlock/fair", test_fair);
    loops_add("/rwlock/downgrade", test_downgrade);
    loops_add("/rwlock/upgrade", test_upgrade);
    loops_add("/rwlock/upgrade-alone", test_upgrade_alone);
    loops_add("/rwlock/threads", test_threads);
    return g_test_run();
}
