/* SPDX-License-Identifier: MIT */
/*
 * fake.c - the recorder of fake/ct/emit.h, the teller that was
 * registered, the stack that was named
 */
#include "ct/emit.h"
#include "ct/kept.h"
#include "ct/retell.h"
#include "ct/stopped.h"

void (*fake_emit)(const struct fake_event *event);
struct ct_teller *fake_teller;

uint64_t fake_frames[CT_STACK_MAX];

uint64_t ct_stack_name(const uint64_t *frames, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        fake_frames[i] = frames[i];
    }
    return n;
}

uint64_t fake_kept;

void ct_stack_begin(void)
{
}

uint64_t ct_stack_kept(void)
{
    return __atomic_add_fetch(&fake_kept, 1, __ATOMIC_RELAXED);
}

uint64_t ct_stack_tell(uint64_t id)
{
    return id;
}

void ct_retell_register(struct ct_teller *teller)
{
    fake_teller = teller;
}
