/* SPDX-License-Identifier: MIT */
/*
 * conds-runtime.h - conditions of the runtime are broken with a current
 * context, unless it shall be without
 */
#ifndef CT_TEST_CONDS_RUNTIME_H
#define CT_TEST_CONDS_RUNTIME_H

#include "conds.h"
#include "ct/aio.h"

extern AioContext *conds_ctx;

#endif
