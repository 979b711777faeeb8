/* SPDX-License-Identifier: MIT */
/*
 * told.c - keeps every piece that the provider tells
 */
#include "told.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct/emit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

const void *fake_recording = &fake_recording;
const void *fake_requests;

enum { KINDS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All protected by lock. */
static struct told_piece **pieces;
static unsigned n_pieces, room;
static bool too_early;
static enum ct_event_id last_event;
static struct told_kind kinds[KINDS + 1];
static unsigned n_kinds;

static const struct told_piece *find_locked(uint64_t id)
{
    for (unsigned i = n_pieces; i > 0; i--) {
        if (pieces[i - 1]->id == id) {
            return pieces[i - 1];
        }
    }
    return NULL;
}

void fake_stack_frames(uint64_t id, uint64_t outer, uint32_t limit,
                       const uint64_t *frames, uint32_t n_frames)
{
    struct told_piece *told = calloc(1, sizeof(*told));

    told->id = id;
    told->piece.outer = outer;
    told->piece.limit = limit;
    told->piece.n = n_frames;
    memcpy(told->piece.frames, frames, n_frames * sizeof(*frames));
    pthread_mutex_lock(&lock);
    if (n_pieces == room) {
        room = room ? 2 * room : 64;
        pieces = realloc(pieces, room * sizeof(struct told_piece *));
    }
    too_early |= outer && !find_locked(outer);
    pieces[n_pieces++] = told;
    pthread_mutex_unlock(&lock);
}

void fake_kind(uint32_t kind, const char *layer, const char *op,
               const char *node, uint32_t flags)
{
    if (kind == 0 || kind > KINDS) {
        abort();
    }
    pthread_mutex_lock(&lock);
    snprintf(kinds[kind].layer, sizeof(kinds[kind].layer), "%s", layer);
    snprintf(kinds[kind].op, sizeof(kinds[kind].op), "%s", op);
    snprintf(kinds[kind].node, sizeof(kinds[kind].node), "%s", node);
    kinds[kind].flags = flags;
    n_kinds++;
    pthread_mutex_unlock(&lock);
}

const struct told_kind *told_kind(uint32_t kind)
{
    const struct told_kind *told = NULL;

    pthread_mutex_lock(&lock);
    if (kind > 0 && kind <= KINDS && kinds[kind].layer[0] != '\0') {
        told = &kinds[kind];
    }
    pthread_mutex_unlock(&lock);
    return told;
}

unsigned told_kinds(void)
{
    unsigned count;

    pthread_mutex_lock(&lock);
    count = n_kinds;
    pthread_mutex_unlock(&lock);
    return count;
}

void fake_state(enum ct_event_id event, uint64_t telling,
                enum ct_tell_reason reason)
{
    pthread_mutex_lock(&lock);
    last_event = event;
    pthread_mutex_unlock(&lock);
}

enum ct_event_id told_last_state(void)
{
    enum ct_event_id event;

    pthread_mutex_lock(&lock);
    event = last_event;
    pthread_mutex_unlock(&lock);
    return event;
}

const struct told_piece *told_find(uint64_t id)
{
    const struct told_piece *found;

    pthread_mutex_lock(&lock);
    found = find_locked(id);
    pthread_mutex_unlock(&lock);
    return found;
}

unsigned told_count(void)
{
    unsigned count;

    pthread_mutex_lock(&lock);
    count = n_pieces;
    pthread_mutex_unlock(&lock);
    return count;
}

bool told_too_early(void)
{
    bool result;

    pthread_mutex_lock(&lock);
    result = too_early;
    pthread_mutex_unlock(&lock);
    return result;
}

void told_forget(void)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_pieces; i++) {
        free(pieces[i]);
    }
    free(pieces);
    pieces = NULL;
    n_pieces = room = 0;
    too_early = false;
    pthread_mutex_unlock(&lock);
}

unsigned told_whole(uint64_t id, uint64_t *frames, unsigned max,
                    bool *ret_limit)
{
    unsigned n = 0;

    *ret_limit = false;
    while (id) {
        const struct told_piece *told = told_find(id);

        if (!told) {
            return 0;
        }
        *ret_limit |= told->piece.limit;
        for (uint32_t i = 0; i < told->piece.n && n < max; i++) {
            frames[n++] = told->piece.frames[i];
        }
        id = told->piece.outer;
    }
    return n;
}

bool told_is_truth(const uint64_t *frames, unsigned n, void *const *truth,
                   int n_truth)
{
    int more = n_truth - (int)n;

    if (more < 0 || more > 1 || (more > 0 && !SANITIZED)) {
        printf("# %u frames, in truth %d\n", n, n_truth);
        return false;
    }
    for (unsigned i = 1; i < n; i++) {
        if (frames[i] != (uintptr_t)truth[(int)i + more]) {
            printf("# frame %u is %lx, in truth %p\n", i,
                   (unsigned long)frames[i], truth[(int)i + more]);
            return false;
        }
    }
    return true;
}
