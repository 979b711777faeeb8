/* SPDX-License-Identifier: MIT */
/*
 * fake.c - the recorder of fake/ct/emit.h, and the teller that was registered
 */
#include "ct/emit.h"
#include "ct/retell.h"

void (*fake_emit)(const struct fake_event *event);
struct ct_teller *fake_teller;

void ct_retell_register(struct ct_teller *teller)
{
    fake_teller = teller;
}
