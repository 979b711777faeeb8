/* SPDX-License-Identifier: MIT */
/*
 * drivers.c - the table of drivers: one line each
 */
#include "block/drivers/drivers.h"

const BlockDriver *const ct_drivers[] = {
    &bdrv_file, &bdrv_qcow2, &bdrv_raw, &bdrv_faults, NULL,
};
