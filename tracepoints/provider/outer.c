/* SPDX-License-Identifier: MIT */
/*
 * outer.c - what lies outside our own code, taken once and cached
 *
 * Foreign code (GLib, libc) keeps no frame pointers, so the frames outside an
 * entry come from .eh_frame, which costs microseconds.  They don't change as
 * long as the entry's function runs; and a loop that calls back again and
 * again calls from the same place.  So every thread keeps the last few outer
 * pieces, by the entry frame's distance from the end of the stack and its
 * return address, and trusts one again after it has re-read every return
 * address from where it was found: equal addresses in equal places are the same
 * calls.  Places are distances, so one piece serves all stacks that are alike,
 * those of coroutines that run the same code.
 *
 *     walk.start  .--------------------.
 *                 | capture code       |
 *                 | our own code       |  frames of the piece: compared with
 *                 | ...                |  .eh_frame when it is unwound
 *     walk.at ->  | entry's function   |
 *                 +--------------------+  return address into foreign code:
 *                 | g_main_loop_run    |  first frame of the outer piece
 *                 | main               |
 *                 | __libc_start_main  |
 *                 '--------------------'  walk.limit
 *
 * Everything here belongs to the thread that it runs on.  Its memory is mapped,
 * not allocated: a stack may be taken in a signal handler that interrupted
 * malloc(), if ct_outer_prepare() was called before.
 */
#include "stack_int.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

#include "intern.h"
#include "known.h"

enum {
    SETS = 512,        /* of outer pieces that a thread keeps; power of two */
    WAYS = 2,          /* pieces of a set */
    HINTS = 64,        /* power of two */
    UNWOUND_MAX = 512, /* frames: capture code, our own, and foreign */
    BASE_FRAMES = 3,   /* of libc's start code, at most */
};

/* An outer piece and how to know it again. */
struct outer {
    uintptr_t depth;   /* bytes from its entry frame to its stack's end; 0:
                          free */
    uintptr_t address; /* the entry frame's return address */
    uint64_t id;
    bool is_base; /* nothing but libc's start code lies outside */
    struct ct_piece piece;
    uint32_t slots[CT_STACK_MAX]; /* of piece.frames: words from the entry
                                     frame */
};

/*
 * Where the next two return addresses lay when a piece with this first one was
 * unwound last.  One function may call ours from everywhere: pieces are told
 * apart by who called it.  If it does not hold, the piece is not found.
 */
struct hint {
    uintptr_t address;
    uint32_t slots[2];
};

struct thread {
    const uintptr_t *low, *high; /* of the stack that it was born with */
    struct ct_stack_entry base;
    struct ct_unwound unwound[UNWOUND_MAX];
    struct ct_known_table known;
    struct hint hints[HINTS];
    struct outer outers[SETS][WAYS]; /* last: a page is used when needed */
};

__thread struct ct_known_table *ct_known_table
    __attribute__((tls_model("initial-exec")));

static __thread struct thread *this_thread
    __attribute__((tls_model("initial-exec")));
bool ct_outer_keeps;

static pthread_key_t at_exit;
static pthread_once_t at_exit_once = PTHREAD_ONCE_INIT;

/* Looked up once: dlsym() may wait for a lock that somebody holds who waits for
 * this thread. */
static uintptr_t libc_code(void)
{
    static uintptr_t code; /* atomic */
    uintptr_t known = __atomic_load_n(&code, __ATOMIC_RELAXED);

    if (!known) {
        known =
            ct_code_of((uintptr_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version"));
        __atomic_store_n(&code, known, __ATOMIC_RELAXED);
    }
    return known;
}

/* --- the thread ---------------------------------------------------------- */

static void thread_free(void *opaque)
{
    struct thread *thread = opaque;

    if (ct_stack_current == &thread->base) {
        ct_stack_current = NULL;
    }
    this_thread = NULL;
    ct_known_table = NULL;
    if (!__atomic_load_n(&ct_outer_keeps, __ATOMIC_RELAXED)) {
        (void)munmap(thread, sizeof(*thread));
    }
}

static void make_key(void)
{
    pthread_key_create(&at_exit, thread_free);
}

/* NULL without memory. */
static struct thread *thread_new(void)
{
    struct thread *thread =
        mmap(NULL, sizeof(*thread), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;

    if (thread == MAP_FAILED) {
        return NULL;
    }
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &low, &size);
        pthread_attr_destroy(&attr);
    }
    thread->low = low;
    thread->high = (const uintptr_t *)((char *)low + size);
    pthread_once(&at_exit_once, make_key);
    pthread_setspecific(at_exit, thread);
    this_thread = thread;
    ct_known_table = &thread->known;
    return thread;
}

static struct thread *thread_get(void)
{
    return this_thread ? this_thread : thread_new();
}

void ct_outer_prepare(void)
{
    (void)thread_get();
    (void)libc_code();
}

const uintptr_t *ct_outer_limit(const void *frame)
{
    const struct thread *thread = thread_get();
    const uintptr_t *at = frame;

    if (!thread || at < thread->low || at >= thread->high) {
        return NULL;
    }
    return thread->high;
}

struct ct_stack_entry *ct_outer_set_base(const struct ct_walk *walk,
                                         uint64_t outer)
{
    struct thread *thread = thread_get();

    thread->base = (struct ct_stack_entry){
        .frame = walk->at,
        .limit = walk->limit,
        .outer = outer,
        .outer_known = 1,
        .address = walk->at[1],
    };
    return &thread->base;
}

/* --- unwinding ----------------------------------------------------------- */

/* Position of the frame whose return address lies in @slot, or @n. */
static size_t find_slot(const struct ct_unwound *frames, size_t n,
                        const uintptr_t *slot)
{
    size_t i = 0;

    while (i < n && frames[i].slot != slot) {
        i++;
    }
    return i;
}

/* The piece from position @i outward. */
static void take(struct ct_piece *piece, const struct ct_unwound *frames,
                 size_t i, size_t n, bool whole)
{
    piece->outer = 0;
    piece->n = 0;
    for (; i < n && piece->n < CT_STACK_MAX; i++) {
        piece->frames[piece->n++] = frames[i].address;
    }
    piece->limit = i < n || !whole;
}

static bool agrees(const struct ct_piece *piece,
                   const struct ct_unwound *frames, size_t n)
{
    if (piece->n != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (piece->frames[i] != frames[i].address) {
            return false;
        }
    }
    return true;
}

/*
 * Whether nothing but libc's start code, which calls one function and never
 * comes back to it, lies outside.
 */
static bool is_base(const struct ct_piece *piece)
{
    uintptr_t libc = libc_code();

    if (piece->limit || piece->n == 0 || piece->n > BASE_FRAMES) {
        return false;
    }
    for (uint32_t i = 0; libc && i < piece->n; i++) {
        /* main's outermost frame is the program's own _start */
        bool is_last = i > 0 && i + 1 == piece->n;

        if (!is_last && ct_code_of(piece->frames[i]) != libc) {
            return false;
        }
    }
    return libc != 0;
}

void ct_outer_whole(const struct ct_walk *walk, struct ct_piece *piece)
{
    struct thread *thread = thread_get();
    size_t n, from;
    bool whole = false;

    piece->n = 0;
    piece->outer = 0;
    piece->limit = true;
    if (!thread) {
        return;
    }
    n = ct_unwind(thread->unwound, UNWOUND_MAX, walk->limit, &whole);
    from = find_slot(thread->unwound, n, walk->start + 1);
    take(piece, thread->unwound, from, n, whole);
}

/* --- the cache ----------------------------------------------------------- */

static uintptr_t depth_of(const struct ct_walk *walk)
{
    return (uintptr_t)walk->limit - (uintptr_t)walk->at;
}

/* Every place lies below the limit, since it did when the depth was the same.
 */
__attribute__((no_sanitize("address", "thread"))) static bool is_same(
    const struct outer *outer, const struct ct_walk *walk)
{
    if (outer->depth != depth_of(walk) || outer->address != walk->at[1]) {
        return false;
    }
    for (uint32_t i = 0; i < outer->piece.n; i++) {
        if (walk->at[outer->slots[i]] != outer->piece.frames[i]) {
            return false;
        }
    }
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static struct hint *hint_of(struct thread *thread, uintptr_t address)
{
    return &thread->hints[mix(0, address) % HINTS];
}

__attribute__((no_sanitize("address", "thread"))) static struct outer *set_of(
    struct thread *thread, const struct ct_walk *walk)
{
    const struct hint *hint = hint_of(thread, walk->at[1]);
    uint64_t hash = mix(depth_of(walk), walk->at[1]);

    for (unsigned i = 0; hint->address == walk->at[1] && i < 2; i++) {
        if (hint->slots[i] < depth_of(walk) / sizeof(uintptr_t)) {
            hash = mix(hash, walk->at[hint->slots[i]]);
        }
    }
    return thread->outers[hash % SETS];
}

/* For the next time that it is looked for. */
static void take_hint(struct thread *thread, const struct outer *outer)
{
    struct hint *hint = hint_of(thread, outer->address);

    if (outer->depth && outer->piece.n > 2) {
        *hint =
            (struct hint){outer->address, {outer->slots[1], outer->slots[2]}};
    }
}

/* Unwinds into @outer; false if .eh_frame does not go through walk->at. */
static bool fill(struct thread *thread, struct outer *outer,
                 const struct ct_walk *walk, const struct ct_piece *piece)
{
    const struct ct_unwound *frames = thread->unwound;
    size_t n, from, to;
    bool whole = false;

    n = ct_unwind(thread->unwound, UNWOUND_MAX, walk->limit, &whole);
    from = find_slot(frames, n, walk->start + 1);
    to = find_slot(frames, n, walk->at + 1);
    if (to == n || from > to || !agrees(piece, frames + from, to - from)) {
        return false;
    }
    take(&outer->piece, frames, to, n, whole);
    outer->depth = depth_of(walk);
    outer->address = walk->at[1];
    for (uint32_t i = 0; i < outer->piece.n; i++) {
        const uintptr_t *slot = frames[to + i].slot;

        if (slot < walk->at || slot >= walk->limit ||
            slot - walk->at > UINT32_MAX) {
            outer->depth = 0; /* can't be known again */
            break;
        }
        outer->slots[i] = (uint32_t)(slot - walk->at);
    }
    outer->id = ct_intern_hash(outer->piece.frames, outer->piece.n, 0,
                               outer->piece.limit);
    outer->is_base = is_base(&outer->piece);
    return true;
}

bool ct_outer_piece(const struct ct_walk *walk, struct ct_piece *piece,
                    bool *ret_base)
{
    struct thread *thread = thread_get();
    struct outer *outer;

    *ret_base = false;
    piece->outer = 0;
    piece->limit = true;
    if (!thread) {
        return true;
    }
    outer = set_of(thread, walk);
    if (!is_same(outer, walk)) {
        outer++;
        if (!is_same(outer, walk)) {
            /* The older one goes, unless the newer has just been freed. */
            struct outer *newer = outer - 1;

            if (newer->depth) {
                *outer = *newer;
            }
            outer = newer;
            if (!fill(thread, outer, walk, piece)) {
                outer->depth = 0;
                return false;
            }
            take_hint(thread, outer);
        }
    }
    if (!ct_intern_is_told(outer->id)) {
        ct_intern_tell(outer->id, &outer->piece);
    }
    piece->outer = outer->id;
    piece->limit = false;
    *ret_base = outer->is_base;
    return true;
}
