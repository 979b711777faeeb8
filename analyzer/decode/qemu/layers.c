/* SPDX-License-Identifier: MIT */
/*
 * layers.c - layers of requests as the stack that QEMU does not give
 *
 * A request that a coroutine serves is a frame: the event that began it, and
 * the node that it is for.  What lies around it is the next frame outward, so a
 * stack is a frame and the stack outside it, and is told once.  Frames have
 * addresses of their own, far above any that code can have.
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

#include <string.h>

#define FRAMES_MAX 65536 /* nodes beyond are not told apart */
#define STACKS_MAX 65536 /* beyond, requests have no stack */

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ b >> 7) * UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ (h >> 29) ^ b) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static uint64_t frame_of(struct ct_qemu_event *event, const char *node)
{
    struct ct_qemu_process *process = event->process;
    const char *function =
        ct_schema_event((unsigned)event->record->event)->name;
    g_autofree char *name = g_strconcat(function, "\n", node ? node : "", NULL);
    gpointer number = g_hash_table_lookup(process->frames, name);
    struct ct_step *step;

    if (!number) {
        if (g_hash_table_size(process->frames) >= FRAMES_MAX) {
            return 0;
        }
        number = KEY(g_hash_table_size(process->frames) + 1);
        g_hash_table_insert(process->frames, g_steal_pointer(&name), number);
        step = ct_qemu_step(event, CT_STEP_FRAME_NAME);
        step->subject = CT_FRAME_NAMED + GPOINTER_TO_SIZE(number);
        step->name = function;
        step->layer = node;
    }
    return CT_FRAME_NAMED + GPOINTER_TO_SIZE(number);
}

uint64_t ct_qemu_layer(struct ct_qemu_event *event, uint64_t outer,
                       const char *node)
{
    struct ct_qemu_process *process = event->process;
    uint64_t frame = frame_of(event, node);
    uint64_t id = mix(frame, outer) | 1;
    struct ct_step *step;

    if (!frame) {
        return outer;
    }
    if (!g_hash_table_contains(process->stacks, KEY(id))) {
        if (g_hash_table_size(process->stacks) >= STACKS_MAX) {
            return outer;
        }
        g_hash_table_add(process->stacks, KEY(id));
        process->frame = frame;
        step = ct_qemu_step(event, CT_STEP_STACK);
        step->subject = id;
        step->object = outer;
        step->addresses = &process->frame;
        step->n_addresses = 1;
    }
    return id;
}
