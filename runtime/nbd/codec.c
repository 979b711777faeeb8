/* SPDX-License-Identifier: MIT */
/*
 * codec.c - requests and replies of the transmission phase, as bytes
 *
 * A client that agreed on structured replies gets them for reads and for block
 * status, where the protocol demands them, and for what failed; whatever
 * succeeded without data is told by a simple reply, which is shorter.
 */
#include "nbd/codec.h"

#include <errno.h>

#include "base/bytes.h"

bool nbd_command_decode(const uint8_t head[NBD_REQUEST_BYTES],
                        struct nbd_command *ret_command)
{
    if (ct_get_be32(head) != NBD_REQUEST_MAGIC) {
        return false;
    }
    *ret_command = (struct nbd_command){
        .flags = ct_get_be16(head + 4),
        .type = ct_get_be16(head + 6),
        .cookie = ct_get_be64(head + 8),
        .offset = ct_get_be64(head + 16),
        .bytes = ct_get_be32(head + 24),
    };
    return true;
}

/* What each command may have besides FUA, which all may. */
static bool flags_of(const struct nbd_command *command,
                     const struct nbd_terms *terms, uint16_t *ret_flags)
{
    *ret_flags = NBD_CMD_FLAG_FUA;
    switch (command->type) {
    case NBD_CMD_READ:
        *ret_flags |= terms->is_structured ? NBD_CMD_FLAG_DF : 0;
        return true;
    case NBD_CMD_WRITE_ZEROES:
        *ret_flags |= NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO;
        return true;
    case NBD_CMD_BLOCK_STATUS:
        *ret_flags |= NBD_CMD_FLAG_REQ_ONE;
        return terms->has_allocation;
    case NBD_CMD_WRITE:
    case NBD_CMD_FLUSH:
    case NBD_CMD_TRIM:
        return true;
    default:
        return false;
    }
}

int nbd_command_check(const struct nbd_command *command,
                      const struct nbd_export_info *info,
                      const struct nbd_terms *terms)
{
    bool has_payload =
        command->type == NBD_CMD_READ || command->type == NBD_CMD_WRITE;
    bool grows =
        command->type == NBD_CMD_WRITE || command->type == NBD_CMD_WRITE_ZEROES;
    uint16_t flags;

    if (!flags_of(command, terms, &flags) || (command->flags & ~flags) != 0) {
        return -EINVAL;
    }
    if (command->type == NBD_CMD_FLUSH) {
        return 0; /* the rest is reserved, and no client's mistake for us */
    }
    if ((grows || command->type == NBD_CMD_TRIM) &&
        (info->flags & NBD_FLAG_READ_ONLY)) {
        return -EPERM;
    }
    if (has_payload && command->bytes > NBD_PAYLOAD_BYTES_MAX) {
        return -EINVAL;
    }
    if (command->offset > info->bytes ||
        command->bytes > info->bytes - command->offset) {
        return grows ? -ENOSPC : -EINVAL;
    }
    if (command->type == NBD_CMD_BLOCK_STATUS && command->bytes == 0) {
        return -EINVAL;
    }
    return 0;
}

enum nbd_error nbd_error_of(int ret)
{
    switch (-ret) {
    case 0:
        return NBD_SUCCESS;
    case EPERM:
    case EROFS:
    case EACCES:
        return NBD_EPERM;
    case ENOMEM:
        return NBD_ENOMEM;
    case EINVAL:
        return NBD_EINVAL;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return NBD_ENOSPC;
    case EOVERFLOW:
        return NBD_EOVERFLOW;
    case EOPNOTSUPP:
        return NBD_ENOTSUP;
    case ESHUTDOWN:
        return NBD_ESHUTDOWN;
    default:
        return NBD_EIO;
    }
}

static uint8_t *put_chunk(uint8_t *p, uint16_t type, uint64_t cookie,
                          size_t bytes)
{
    p = ct_put_be32(p, NBD_STRUCTURED_REPLY_MAGIC);
    p = ct_put_be16(p, NBD_REPLY_FLAG_DONE);
    p = ct_put_be16(p, type);
    p = ct_put_be64(p, cookie);
    return ct_put_be32(p, (uint32_t)bytes);
}

size_t nbd_reply_encode(uint8_t head[NBD_REPLY_HEAD_BYTES_MAX],
                        const struct nbd_command *command,
                        const struct nbd_terms *terms, int ret,
                        size_t payload_bytes)
{
    bool is_read = command->type == NBD_CMD_READ;
    uint64_t cookie = command->cookie;
    uint8_t *p = head;

    if (terms->is_structured && ret < 0) {
        p = put_chunk(p, NBD_REPLY_TYPE_ERROR, cookie, 6);
        p = ct_put_be32(p, nbd_error_of(ret));
        p = ct_put_be16(p, 0); /* no text */
    } else if (terms->is_structured && is_read && payload_bytes > 0) {
        p = put_chunk(p, NBD_REPLY_TYPE_OFFSET_DATA, cookie, 8 + payload_bytes);
        p = ct_put_be64(p, command->offset);
    } else if (terms->is_structured && is_read) {
        p = put_chunk(p, NBD_REPLY_TYPE_NONE, cookie, 0);
    } else if (command->type == NBD_CMD_BLOCK_STATUS && ret >= 0) {
        p = put_chunk(p, NBD_REPLY_TYPE_BLOCK_STATUS, cookie,
                      4 + payload_bytes);
        p = ct_put_be32(p, NBD_BASE_ALLOCATION_ID);
    } else {
        p = ct_put_be32(p, NBD_SIMPLE_REPLY_MAGIC);
        p = ct_put_be32(p, nbd_error_of(ret));
        p = ct_put_be64(p, cookie);
    }
    return (size_t)(p - head);
}
