/* SPDX-License-Identifier: MIT */
/*
 * drivers.h - the drivers, each defined in the file of its name
 */
#ifndef CT_BLOCK_DRIVERS_H
#define CT_BLOCK_DRIVERS_H

#include "block/driver.h"

extern const BlockDriver bdrv_faults;
extern const BlockDriver bdrv_file;
extern const BlockDriver bdrv_qcow2;
extern const BlockDriver bdrv_raw;

#endif
