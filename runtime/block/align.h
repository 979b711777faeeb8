/* SPDX-License-Identifier: MIT */
/*
 * align.h - requests of any range on a node that takes whole blocks only
 *
 * Model:    a node may have a request alignment (a file opened with O_DIRECT):
 *           its driver is then only asked for ranges of whole blocks.  A range
 *           that is none is widened: what is read too much goes to pads, and
 *           what is written too much was read before, which has to happen
 *           alone in the range (BDRV_REQ_SERIALISING).
 * Threads:  home thread of the node, in the coroutine that serves the request.
 */
#ifndef CT_BLOCK_ALIGN_H
#define CT_BLOCK_ALIGN_H

#include "block/driver.h"

/** bdrv_is_aligned() - may the driver be asked for the range as it is? */
bool bdrv_is_aligned(const BlockDriverState *bs, int64_t offset, int64_t bytes);

/** bdrv_read_widened() - read a range that is not aligned; Return: 0, -errno */
int coroutine_fn bdrv_read_widened(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, const IOVector *vector,
                                   size_t offset_in);

/** bdrv_write_widened() - write one: reads its first and last block before */
int coroutine_fn bdrv_write_widened(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, const IOVector *vector,
                                    size_t offset_in);

/** bdrv_end_of_blocks() - the node's length in whole blocks */
int64_t bdrv_end_of_blocks(const BlockDriverState *bs);

#endif
