/* SPDX-License-Identifier: MIT */
/*
 * queue.c - CoQueue: coroutines that wait for somebody to say "go on"
 *
 * An entry lies in the frame of the coroutine that waits, and is taken out of
 * the list before that is woken; so nobody looks at it any more when the frame
 * goes on.
 */
#include "base/list.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/sync.h"

struct CoQueueEntry {
    struct CoQueueEntry *next;
    Coroutine *co;
};

void co_queue_init(CoQueue *queue)
{
    queue->id = ct_id_new();
    queue->first = NULL;
    queue->last = &queue->first;
}

bool co_queue_empty(const CoQueue *queue)
{
    return queue->first == NULL;
}

void coroutine_fn co_queue_wait(CoQueue *queue, CoMutex *mutex)
{
    struct CoQueueEntry entry = {.co = coroutine_self()};

    ct_pre("co-queue-wait/in-coroutine", entry.co != NULL);
    ct_emit_co_queue_wait(queue->id, coroutine_id(entry.co));
    *queue->last = &entry;
    queue->last = &entry.next;
    if (mutex != NULL) {
        co_mutex_unlock(mutex);
    }
    coroutine_yield_for(CT_YIELD_REASON_QUEUE, queue->id);
    if (mutex != NULL) {
        co_mutex_lock(mutex);
    }
}

static void wake(uint64_t queue_id, Coroutine *co)
{
    ct_emit_co_queue_wake(queue_id, coroutine_id(coroutine_self()),
                          coroutine_id(co));
    aio_co_wake(co);
}

bool co_queue_next(CoQueue *queue)
{
    struct CoQueueEntry *entry = queue->first;

    if (entry == NULL) {
        return false;
    }
    queue->first = entry->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    wake(queue->id, entry->co);
    return true;
}

void co_queue_all(CoQueue *queue)
{
    /* Whoever is woken may wait again, or end the queue's life. */
    struct CoQueueEntry *entry = queue->first;
    uint64_t queue_id = queue->id;

    queue->first = NULL;
    queue->last = &queue->first;
    while (entry != NULL) {
        struct CoQueueEntry *next = entry->next;

        wake(queue_id, entry->co);
        entry = next;
    }
}
